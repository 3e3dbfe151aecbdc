/// What is done with panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "settings", derive(serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Panics {
    /// They are logged and counted, instead of what the hook did that was there ([`PanicHook`](crate::log::PanicHook)).
    Log,
    /// The same, with a backtrace.
    LogWithBacktraces,
    /// They are logged and counted; then the hook that was there is called. It sees them as they are: Rust's own
    /// writes them to the standard error without any redaction.
    LogThenPrevious,
    /// The hook is left as it is.
    Leave,
}

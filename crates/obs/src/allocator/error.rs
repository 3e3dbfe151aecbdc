use std::error::Error;
use std::fmt;

/// Why an allocator tells nothing.
#[derive(Debug)]
pub struct AllocatorError(pub(super) Reason);

#[derive(Debug)]
pub(super) enum Reason {
    /// Memory of the program comes from elsewhere.
    NotUsed,
    /// It refused to tell: what, and why.
    Refused(&'static str, String),
}

impl AllocatorError {
    /// Whether the program has another allocator.
    #[must_use]
    pub const fn is_not_used(&self) -> bool {
        matches!(self.0, Reason::NotUsed)
    }
}

impl fmt::Display for AllocatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::NotUsed => f.write_str(
                "jemalloc is not the allocator of this program; make `tikv_jemallocator::Jemalloc` its `#[global_allocator]`",
            ),
            Reason::Refused(what, why) => write!(f, "jemalloc does not tell `{what}`: {why}"),
        }
    }
}

impl Error for AllocatorError {}

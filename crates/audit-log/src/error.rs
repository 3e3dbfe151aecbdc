use std::fmt;
use std::io;
use std::sync::Arc;

/// Why the trail was not written or cannot be opened. Clones share it.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<io::Error>,
}

/// What sort of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The folder, a name or a size cannot be used as given.
    Configuration,
    /// Another process, or another trail of this one, writes under the same name.
    Locked,
    /// The disk or the quota is full.
    StorageFull,
    /// The folder or the file was taken away.
    Missing,
    /// Reading or writing failed for another reason.
    Io,
    /// The trail was altered, or its key is another one.
    Damaged,
    /// The trail ends before a record that was anchored.
    Truncated,
    /// The anchor could not be kept or read.
    Anchor,
    /// There is no room in the queue.
    Overflow,
    /// The event is larger than a record may be.
    TooLarge,
    /// Several sinks failed, or the only one did.
    Sink,
}

impl Error {
    /// A failure.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner { kind, message: message.into(), source: None }))
    }

    pub(crate) fn io(action: &str, error: io::Error) -> Self {
        use io::ErrorKind as Io;
        let kind = match error.kind() {
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => ErrorKind::StorageFull,
            Io::NotFound => ErrorKind::Missing,
            Io::NotADirectory | Io::IsADirectory => ErrorKind::Configuration,
            _ => ErrorKind::Io,
        };
        Self(Arc::new(Inner { kind, message: format!("cannot {action}"), source: Some(error) }))
    }

    /// What sort of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|error| error as &(dyn std::error::Error + 'static))
    }
}

/// What a sink gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;

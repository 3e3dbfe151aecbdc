use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::Path;

use secrets_core::{Effect, Error, ErrorKind};

/// The result of an operation on a store as a whole.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// What went wrong with a store as a whole, as opposed to one secret in it.
///
/// The message names the part (header, slot, index, record) and the file; it never holds a value or
/// a key. Operations of [`SecretProvider`](secrets_core::SecretProvider) turn it into a
/// [`secrets_core::Error`] whose `source` it is.
pub struct StoreError(Box<Inner>);

struct Inner {
    kind: StoreErrorKind,
    effect: Effect,
    message: Cow<'static, str>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The class of a [`StoreError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// There is no file at the path.
    NotFound,
    /// A store should be created where a file exists already.
    AlreadyExists,
    /// The path names something else than a store file: a folder, a pipe, an empty or foreign file.
    NotAStore,
    /// The file was written by a newer release, in a format that this one does not know.
    NewerFormat,
    /// The file is truncated, extended, damaged, swapped or forged.
    Integrity,
    /// The file is older than what was seen before.
    Rollback,
    /// No slot opens with the key that was given, or the slot itself was altered.
    WrongKey,
    /// A parameter lies outside its bounds, in an option or in the file.
    OutOfBounds,
    /// The key file is not usable: wrong size, writable by others, or of another user.
    KeyFile,
    /// The provider that keeps a slot's key failed.
    KeyProvider,
    /// The slot is not there, is the last one, or is not covered by a `rekey`.
    Slot,
    /// Another writer held the lock for longer than the time-out, or changed the file without it.
    Busy,
    /// The file is marked read-only, or its file system is.
    ReadOnly,
    /// The operating system refused access.
    PermissionDenied,
    /// The file cannot be replaced atomically here: it is a mount point.
    NotReplaceable,
    /// The disk or the quota is full.
    StorageFull,
    /// Any other failure of the operating system.
    Io,
    /// A fault of this library or of its surroundings, such as a missing runtime.
    Internal,
}

impl StoreErrorKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "no store",
            Self::AlreadyExists => "already exists",
            Self::NotAStore => "not a store",
            Self::NewerFormat => "newer format",
            Self::Integrity => "integrity",
            Self::Rollback => "roll-back",
            Self::WrongKey => "wrong key",
            Self::OutOfBounds => "out of bounds",
            Self::KeyFile => "key file",
            Self::KeyProvider => "key provider",
            Self::Slot => "slot",
            Self::Busy => "busy",
            Self::ReadOnly => "read-only",
            Self::PermissionDenied => "permission denied",
            Self::NotReplaceable => "not replaceable",
            Self::StorageFull => "storage full",
            Self::Io => "input/output",
            Self::Internal => "internal",
        }
    }

    fn core_kind(self) -> ErrorKind {
        match self {
            Self::NotAStore | Self::NewerFormat | Self::Integrity | Self::Rollback => {
                ErrorKind::Integrity
            }
            Self::WrongKey | Self::KeyFile | Self::KeyProvider => ErrorKind::Unauthenticated,
            Self::OutOfBounds | Self::Slot => ErrorKind::InvalidValue,
            Self::ReadOnly | Self::PermissionDenied => ErrorKind::PermissionDenied,
            Self::NotReplaceable => ErrorKind::Unsupported,
            Self::AlreadyExists => ErrorKind::AlreadyExists,
            Self::Internal => ErrorKind::Internal,
            // A missing file is not a missing secret: readers must not take their secret for gone.
            Self::NotFound | Self::Busy | Self::StorageFull | Self::Io => ErrorKind::Unavailable,
        }
    }
}

impl StoreError {
    pub(crate) fn new(kind: StoreErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            effect: Effect::NotApplied,
            message: message.into(),
            source: None,
        }))
    }

    pub(crate) fn integrity(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StoreErrorKind::Integrity, message)
    }

    /// An error of the operating system while doing `action` to `path`.
    pub(crate) fn io(action: &str, path: &Path, error: io::Error) -> Self {
        Self::os(format!("cannot {action} `{}`", path.display()), error)
    }

    /// An error of the operating system.
    pub(crate) fn os(message: impl Into<Cow<'static, str>>, error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => StoreErrorKind::NotFound,
            io::ErrorKind::AlreadyExists => StoreErrorKind::AlreadyExists,
            io::ErrorKind::PermissionDenied => StoreErrorKind::PermissionDenied,
            io::ErrorKind::ReadOnlyFilesystem => StoreErrorKind::ReadOnly,
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => StoreErrorKind::StorageFull,
            io::ErrorKind::UnexpectedEof => StoreErrorKind::Integrity,
            _ => StoreErrorKind::Io,
        };
        Self::new(kind, message).with_source(error)
    }

    #[must_use]
    pub(crate) fn with_source(
        mut self,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    #[must_use]
    pub(crate) fn with_effect(mut self, effect: Effect) -> Self {
        self.0.effect = effect;
        self
    }

    #[must_use]
    pub(crate) fn with_kind(mut self, kind: StoreErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// The class of the error.
    pub fn kind(&self) -> StoreErrorKind {
        self.0.kind
    }

    /// What happened to the file: `Unknown` when the new state was put in place but may not survive
    /// a power failure, `Partial` when the store was written and the high-water mark was not.
    pub fn effect(&self) -> Effect {
        self.0.effect
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind.as_str(), self.0.message)
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreError")
            .field("kind", &self.0.kind)
            .field("effect", &self.0.effect)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        // A key service that cannot be reached now may be reached later.
        let behind = error.0.source.as_ref().and_then(|source| source.downcast_ref::<Self>());
        let kind = match behind {
            Some(behind) if behind.is_transient() => ErrorKind::Unavailable,
            _ => error.0.kind.core_kind(),
        };
        Self::new(kind, "the store file cannot be used")
            .with_effect(error.0.effect)
            .with_source(error)
    }
}

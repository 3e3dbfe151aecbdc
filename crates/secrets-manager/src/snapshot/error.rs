use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use secrets_core::Error;
use secrets_local::store::{StoreError, StoreErrorKind};

/// Why a snapshot, or a value in it, is not used, or was not written. Clones share the cause.
#[derive(Debug, Clone)]
pub struct SnapshotError {
    kind: SnapshotErrorKind,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What is wrong with a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SnapshotErrorKind {
    /// The key does not open the file.
    WrongKey,
    /// The file was changed or cut, or a value in it is not what it should be.
    Integrity,
    /// The file is older than one that was seen.
    Rollback,
    /// It was written for other providers, or other identities at them.
    Identity,
    /// It is something else than a snapshot.
    NotASnapshot,
    /// The file, or what keeps its key, cannot be used for now.
    Unavailable,
    /// The value was confirmed too long ago.
    TooOld,
    /// The value was confirmed in the future: the clock was set back.
    Future,
    /// A value is too large for the file.
    TooLarge,
}

impl SnapshotErrorKind {
    /// The stable name, for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WrongKey => "wrong key",
            Self::Integrity => "integrity",
            Self::Rollback => "roll-back",
            Self::Identity => "identity",
            Self::NotASnapshot => "not a snapshot",
            Self::Unavailable => "unavailable",
            Self::TooOld => "too old",
            Self::Future => "from the future",
            Self::TooLarge => "too large",
        }
    }

    /// Whether the file as a whole is of no use, and stays so.
    pub(crate) const fn is_final(self) -> bool {
        matches!(
            self,
            Self::WrongKey | Self::Integrity | Self::Rollback | Self::Identity | Self::NotASnapshot
        )
    }
}

impl SnapshotError {
    pub(crate) fn new(kind: SnapshotErrorKind) -> Self {
        Self { kind, source: None }
    }

    pub(crate) fn store(error: StoreError) -> Self {
        let kind = match error.kind() {
            StoreErrorKind::WrongKey => SnapshotErrorKind::WrongKey,
            StoreErrorKind::Integrity => SnapshotErrorKind::Integrity,
            StoreErrorKind::Rollback => SnapshotErrorKind::Rollback,
            StoreErrorKind::NotAStore | StoreErrorKind::NewerFormat => {
                SnapshotErrorKind::NotASnapshot
            }
            _ => SnapshotErrorKind::Unavailable,
        };
        Self { kind, source: Some(Arc::new(error)) }
    }

    /// An error of a secret in the store, which has the store's own behind it where it is that one's.
    pub(crate) fn secret(error: Error) -> Self {
        use secrets_core::ErrorKind;
        let behind = error.source().and_then(|source| source.downcast_ref::<StoreError>());
        let kind = match (error.kind(), behind.map(StoreError::kind)) {
            (_, Some(StoreErrorKind::Rollback)) => SnapshotErrorKind::Rollback,
            (_, Some(StoreErrorKind::WrongKey)) => SnapshotErrorKind::WrongKey,
            (ErrorKind::Integrity, _) => SnapshotErrorKind::Integrity,
            (ErrorKind::TooLarge, _) => SnapshotErrorKind::TooLarge,
            _ => SnapshotErrorKind::Unavailable,
        };
        Self { kind, source: Some(Arc::new(error)) }
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> SnapshotErrorKind {
        self.kind
    }
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            SnapshotErrorKind::WrongKey => "the key does not open the snapshot",
            SnapshotErrorKind::Integrity => "the snapshot was changed or cut",
            SnapshotErrorKind::Rollback => "the snapshot is older than one that was seen",
            SnapshotErrorKind::Identity => "the snapshot was written for other providers",
            SnapshotErrorKind::NotASnapshot => "the file is something else than a snapshot",
            SnapshotErrorKind::Unavailable => "the snapshot cannot be used for now",
            SnapshotErrorKind::TooOld => "the value in the snapshot is too old",
            SnapshotErrorKind::Future => "the value in the snapshot is from the future",
            SnapshotErrorKind::TooLarge => "a value is too large for the snapshot",
        })
    }
}

impl StdError for SnapshotError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

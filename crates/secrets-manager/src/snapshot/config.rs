use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use secrets_core::SecretName;
use secrets_local::store::{FileStore, StoreBuilder, Unlock};

/// An encrypted copy of values in a file: where, by which key, of what, and for how long.
///
/// ```
/// use secrets_manager::snapshot::{FileStore, Passphrase, Snapshot};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = Passphrase::from_string("correct horse battery staple".to_owned())?;
/// let store = FileStore::at("/var/lib/billing/snapshot").state_folder("/var/lib/marks");
/// let snapshot = Snapshot::in_store(store, key).with_max_age(Duration::from_secs(6 * 60 * 60));
/// # let _ = snapshot;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "give it to the builder of a manager"]
pub struct Snapshot {
    pub(crate) store: StoreBuilder,
    pub(crate) unlock: Unlock,
    pub(crate) max_age: Duration,
    pub(crate) open_timeout: Duration,
    pub(crate) coverage: Coverage,
    pub(crate) required: BTreeSet<SecretName>,
}

/// What is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Coverage {
    /// What a handle holds, and what is [required](Snapshot::with_required).
    #[default]
    Held,
    /// All that is in the cache.
    All,
}

impl Snapshot {
    /// A copy in the file at `path`, which only this manager writes. The folder must exist; the file
    /// is made, for its owner alone.
    pub fn at(path: impl AsRef<Path>, unlock: impl Into<Unlock>) -> Self {
        Self::in_store(FileStore::at(path), unlock)
    }

    /// The same with a store that differs from the usual one, such as by a folder that keeps a
    /// high-water mark.
    pub fn in_store(store: StoreBuilder, unlock: impl Into<Unlock>) -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            store,
            unlock: unlock.into(),
            max_age: DAY,
            open_timeout: Duration::from_secs(30),
            coverage: Coverage::default(),
            required: BTreeSet::new(),
        }
    }

    /// For how long after its provider last confirmed it a value may be served. A credential that was
    /// revoked meanwhile stays in use for as long. A day.
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// How long a reader waits for the file to be opened, once in a process. A passphrase makes that as
    /// dear as it was told to, whatever the time that a [call](crate::CachePolicy::with_call_timeout)
    /// of the provider may take. 30 seconds.
    pub fn with_open_timeout(mut self, timeout: Duration) -> Self {
        self.open_timeout = timeout;
        self
    }

    /// What is copied. What handles hold. What is in the file for having been held is brought up to date
    /// by reads as well, so that it does not fall behind.
    pub fn with_coverage(mut self, coverage: Coverage) -> Self {
        self.coverage = coverage;
        self
    }

    /// Also copies these secrets of the main provider, when they are in the cache without a handle.
    pub fn with_required(mut self, names: impl IntoIterator<Item = SecretName>) -> Self {
        self.required.extend(names);
        self
    }
}

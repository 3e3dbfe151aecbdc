use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::crypto::{SymmetricKey, random_array};
use super::engine::{Engine, EngineOptions, Rollback};
use super::environment::Environment;
use super::error::{Result, StoreError, StoreErrorKind};
use super::file_store::FileStore;
use super::format::StoreId;
use super::passphrase::PassphraseCost;
use super::policy::Policy;
use super::runtime::blocking;
use super::slot::SlotId;
use super::unlock::Unlock;

/// How often opening is begun again when another process changes the data key meanwhile.
const OPEN_ATTEMPTS: usize = 3;

/// How to open or create a [`FileStore`]; made by [`FileStore::at`].
#[derive(Debug, Clone)]
#[must_use]
pub struct StoreBuilder {
    path: PathBuf,
    environment: Environment,
    engine: EngineOptions,
    store: Option<StoreId>,
    pub(crate) settings: Settings,
}

/// What the layer above the engine is told once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) policy: Policy,
    pub(crate) cost: PassphraseCost,
    pub(crate) poll: Duration,
}

impl StoreBuilder {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            // A relative path must not mean another file once the process changes its folder.
            path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            environment: Environment::system(),
            engine: EngineOptions {
                lock_timeout: Duration::from_secs(10),
                state_folder: None,
                rollback: Rollback::Refuse,
            },
            store: None,
            settings: Settings {
                policy: Policy::default(),
                cost: PassphraseCost::default(),
                poll: Duration::from_millis(250),
            },
        }
    }

    /// Keeps a high-water mark in this folder, which must exist: a file older than what was seen
    /// there is refused with [`Rollback`](StoreErrorKind::Rollback). The folder should be one that
    /// whoever can put an old file back cannot write, and no part of the store's own backups. One that
    /// group or others can write is a [`Warning`](super::Warning).
    pub fn state_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.engine.state_folder = Some(folder.into());
        self
    }

    /// Demands that the file is this store: another one of the same key is refused with
    /// [`Integrity`](StoreErrorKind::Integrity). A high-water mark is one store's, so it does not
    /// notice another store in its place. With this, no store is created.
    pub fn store_id(mut self, store: StoreId) -> Self {
        self.store = Some(store);
        self
    }

    /// Takes the file as restored from a backup on purpose: it is written anew, as newer than all
    /// that was seen before. Meant for one run of a restore, not for a configuration.
    pub fn accept_rollback(mut self) -> Self {
        self.engine.rollback = Rollback::Accept;
        self
    }

    /// How long a write waits for other writers, those of this process included; 10 seconds
    /// otherwise. Then it fails with [`Busy`](StoreErrorKind::Busy) and has changed nothing, also
    /// where the other one hangs in the file system. A write whose future is dropped while it waits
    /// is not made.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.engine.lock_timeout = timeout;
        self
    }

    /// What a guess at a passphrase costs, for slots that are made from now on.
    pub fn passphrase_cost(mut self, cost: PassphraseCost) -> Self {
        self.settings.cost = cost;
        self
    }

    /// How many versions that are neither current, previous nor pending are kept for each secret;
    /// the newest 20 otherwise.
    pub fn unlabelled_versions(mut self, count: NonZeroUsize) -> Self {
        self.settings.policy.unlabelled_versions = count;
        self
    }

    /// How long a deleted secret can be restored, where the deletion does not say; 30 days
    /// otherwise.
    pub fn deletion_window(mut self, window: Duration) -> Self {
        self.settings.policy.deletion_window = window;
        self
    }

    /// How often the stream of change hints looks at the file; every 250 ms otherwise. Reads look
    /// each time.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.settings.poll = interval;
        self
    }

    /// Takes files, time and randomness from elsewhere than the operating system.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Opens an existing store.
    ///
    /// # Errors
    /// [`NotFound`](StoreErrorKind::NotFound) when there is no file,
    /// [`WrongKey`](StoreErrorKind::WrongKey) when no slot opens,
    /// [`Integrity`](StoreErrorKind::Integrity) and [`Rollback`](StoreErrorKind::Rollback) for
    /// files that were tampered with, and what the operating system refuses.
    pub async fn open(self, unlock: impl Into<Unlock>) -> Result<FileStore> {
        let unlock = unlock.into();
        let mut attempts = OPEN_ATTEMPTS;
        loop {
            attempts -= 1;
            match self.try_open(&unlock).await {
                Err(error) if error.kind() == StoreErrorKind::Busy && attempts > 0 => {}
                Err(error) => return Err(error),
                Ok(engine) => return Ok(FileStore::new(engine, unlock, self.settings)),
            }
        }
    }

    async fn try_open(&self, unlock: &Unlock) -> Result<Engine> {
        let (environment, path) = (self.environment.clone(), self.path.clone());
        let header = blocking(move || Engine::read_header(&environment, &path)).await?;
        if self.store.is_some_and(|store| store != header.store) {
            let message = format!("`{}` is the store `{}`", self.path.display(), header.store);
            return Err(StoreError::integrity(message));
        }
        let unlocked = unlock.find_data_key(header.clone()).await?;
        let this = self.clone();
        blocking(move || {
            Engine::open(this.environment, &this.path, &this.engine, &header, unlocked)
        })
        .await
    }

    /// Creates a store with one key slot. The folder must exist.
    ///
    /// # Errors
    /// [`AlreadyExists`](StoreErrorKind::AlreadyExists) when there is a file, and what the
    /// operating system refuses.
    pub async fn create(self, unlock: impl Into<Unlock>) -> Result<FileStore> {
        if let Some(store) = self.store {
            let message = format!("a new store would not be the store `{store}`");
            return Err(StoreError::new(StoreErrorKind::NotFound, message));
        }
        let unlock = unlock.into();
        let entropy = Arc::clone(&self.environment.entropy);
        let store = StoreId::from_bytes(random_array(&*entropy)?);
        let data_key = SymmetricKey::random(&*entropy)?;
        let cost = self.settings.cost;
        let sealing = unlock.prepare(&self.environment, cost, store, &data_key).await?;
        let settings = self.settings;
        let engine = blocking(move || {
            let slot = sealing.seal(&*entropy, store, SlotId::new(1), &data_key)?;
            Engine::create(self.environment, &self.path, &self.engine, slot, store, data_key)
        })
        .await?;
        Ok(FileStore::new(engine, unlock, settings))
    }

    /// Opens the store, or creates it when there is no file.
    ///
    /// A file that somebody took away, and a volume that is not mounted, look like a first start: an
    /// empty store is made, in which every secret is missing. Where that must not be, create the
    /// store once and [`open`](Self::open) it, or demand its [`store_id`](Self::store_id).
    ///
    /// # Errors
    /// As [`open`](Self::open) and [`create`](Self::create).
    pub async fn open_or_create(self, unlock: impl Into<Unlock>) -> Result<FileStore> {
        let unlock = unlock.into();
        match self.clone().open(unlock.clone()).await {
            Err(error) if error.kind() == StoreErrorKind::NotFound => {}
            other => return other,
        }
        match self.clone().create(unlock.clone()).await {
            // Somebody else was first.
            Err(error) if error.kind() == StoreErrorKind::AlreadyExists => self.open(unlock).await,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_a_change_is_looked_for_several_times_a_second() {
        let poll = StoreBuilder::new(Path::new("store")).settings.poll;
        assert!(poll <= Duration::from_millis(500), "{poll:?}");
    }
}

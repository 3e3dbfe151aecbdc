//! An open store: the newest state that was seen, and how to get to newer ones.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use secrets_core::Effect;

use super::crypto::{StoreKeys, SymmetricKey, same};
use super::environment::Environment;
use super::error::{Result, StoreError, StoreErrorKind};
use super::file::{self, Target};
use super::format::{Header, StoreId};
use super::index::Generation;
use super::key_file::Warning;
use super::mark::MarkFile;
use super::slot::{Slot, SlotKey};
use super::snapshot::{Locked, Snapshot};
use super::transaction::{self, Transaction};

/// What the engine is told once.
#[derive(Debug, Clone)]
pub(crate) struct EngineOptions {
    pub(crate) lock_timeout: Duration,
    pub(crate) state_folder: Option<PathBuf>,
    pub(crate) rollback: Rollback,
}

/// What to do about a file that is older than the high-water mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rollback {
    Refuse,
    /// Takes the file as restored on purpose, and writes it anew as the newest.
    Accept,
}

/// The data key of a store and, where it came by a slot's own key, that key.
#[derive(Debug)]
pub(crate) struct Unlocked {
    pub(crate) data_key: SymmetricKey,
    pub(crate) slot_key: Option<SlotKey>,
}

/// A store that is open: safe to share, every call takes the newest state.
#[derive(Debug)]
pub(crate) struct Engine {
    environment: Environment,
    path: PathBuf,
    lock_timeout: Duration,
    current: RwLock<Arc<Snapshot>>,
    /// Keys of slots, to find the new data key after a `rekey` by another process.
    slot_keys: Mutex<Vec<SlotKey>>,
    writer: Mutex<Writer>,
    mark: Option<MarkFile>,
    warnings: Vec<Warning>,
}

/// What the one writer of this process at a time knows.
#[derive(Debug, Default)]
struct Writer {
    swept: bool,
}

impl Engine {
    /// Creates a store with one slot and opens it.
    pub(crate) fn create(
        environment: Environment,
        path: &Path,
        options: &EngineOptions,
        (slot, slot_key): (Slot, Option<SlotKey>),
        store: StoreId,
        data_key: SymmetricKey,
    ) -> Result<Self> {
        let target = Target::new(&*environment.files, path)?;
        let keys = Arc::new(StoreKeys::derive(store, data_key)?);
        let _lock = file::lock(&*environment.files, &target, None, options.lock_timeout)?;
        if environment.files.stat(target.path()).is_ok() {
            let message = format!("there is a file at `{}`", path.display());
            return Err(StoreError::new(StoreErrorKind::AlreadyExists, message));
        }
        file::sweep(&*environment.files, &target);
        let (snapshot, durable) =
            transaction::create(&environment, &target, store, keys, vec![slot])?;
        durable.map_err(|error| error.with_effect(Effect::Unknown))?;
        Self::with_snapshot(environment, path, options, snapshot, slot_key)
    }

    /// Reads the header of a store, to find the key for it.
    pub(crate) fn read_header(environment: &Environment, path: &Path) -> Result<Header> {
        Locked::open(environment, path).map(|locked| locked.header().clone())
    }

    /// Opens a store whose data key was found by the slots of `seen`.
    pub(crate) fn open(
        environment: Environment,
        path: &Path,
        options: &EngineOptions,
        seen: &Header,
        unlocked: Unlocked,
    ) -> Result<Self> {
        let locked = Locked::open(&environment, path)?;
        let now = locked.header();
        if (now.store, now.commitment) != (seen.store, seen.commitment) {
            let message = "the store was given a new data key while it was opened";
            return Err(StoreError::new(StoreErrorKind::Busy, message));
        }
        let keys = Arc::new(StoreKeys::derive(now.store, unlocked.data_key)?);
        let snapshot = locked.unlock(keys)?;
        Self::with_snapshot(environment, path, options, snapshot, unlocked.slot_key)
    }

    fn with_snapshot(
        environment: Environment,
        path: &Path,
        options: &EngineOptions,
        snapshot: Snapshot,
        slot_key: Option<SlotKey>,
    ) -> Result<Self> {
        let mark = options
            .state_folder
            .as_deref()
            .map(|folder| {
                MarkFile::new(&environment, folder, snapshot.header.store, options.lock_timeout)
            })
            .transpose()?;
        let mut engine = Self {
            environment,
            path: path.to_owned(),
            lock_timeout: options.lock_timeout,
            current: RwLock::new(Arc::new(snapshot)),
            slot_keys: Mutex::new(slot_key.into_iter().collect()),
            writer: Mutex::default(),
            mark,
            warnings: Vec::new(),
        };
        engine.check_mark(options.rollback)?;
        Ok(engine)
    }

    /// Compares the file with the high-water mark outside, when the store is opened.
    fn check_mark(&mut self, rollback: Rollback) -> Result<()> {
        let Some(mark_file) = &self.mark else { return self.accept(rollback, None) };
        let snapshot = self.current();
        let seen = mark_file.read(&self.environment, &snapshot.index.lasting_key)?;
        let Some(seen) = seen else {
            self.warnings.push(Warning::NoHighWaterMark { path: mark_file.path() });
            self.accept(rollback, None)?;
            return self.raise_mark(&self.current());
        };
        match seen.admits(&snapshot.mark(), "the high-water mark") {
            Ok(()) => self.accept(rollback, None)?,
            Err(error) if rollback == Rollback::Refuse => return Err(error),
            Err(_) => self.accept(rollback, Some(seen.generation))?,
        }
        self.raise_mark(&self.current())
    }

    /// Writes a restored file anew, as newer than anything before: processes that saw later
    /// generations take it without being told.
    fn accept(&self, rollback: Rollback, seen: Option<Generation>) -> Result<()> {
        if rollback == Rollback::Refuse {
            return Ok(());
        }
        self.transact(|transaction| {
            let own = transaction.base.index.generation;
            let newest = seen.map_or(own, |seen| seen.max(own));
            let restores = newest.restores.checked_add(1).ok_or_else(|| {
                StoreError::new(StoreErrorKind::OutOfBounds, "restored too often")
            })?;
            transaction.set_generation(Generation { restores, writes: newest.writes + 1 });
            Ok(())
        })
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The newest state that this process saw, without looking at the file.
    pub(crate) fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The state of the file now. Where nothing changed this costs one look at its properties.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>> {
        let current = self.current();
        let stat = self
            .environment
            .files
            .stat(&self.path)
            .map_err(|error| StoreError::io("look at", &self.path, error))?;
        if stat.stamp == current.stamp { Ok(current) } else { self.reread() }
    }

    /// The state of the file now, read whether it changed or not.
    pub(crate) fn reread(&self) -> Result<Arc<Snapshot>> {
        let current = self.current();
        let locked = Locked::open(&self.environment, &self.path)?;
        let keys = self.keys_for(locked.header(), &current)?;
        self.take(locked.unlock(keys)?)
    }

    /// Takes the data key that a provider unwrapped after a `rekey` by another process.
    pub(crate) fn adopt(&self, data_key: SymmetricKey) -> Result<()> {
        let locked = Locked::open(&self.environment, &self.path)?;
        check_store(locked.header(), &self.current())?;
        let keys = StoreKeys::derive(locked.header().store, data_key)?;
        self.take(locked.unlock(Arc::new(keys))?).map(|_| ())
    }

    fn keys_for(&self, header: &Header, current: &Snapshot) -> Result<Arc<StoreKeys>> {
        check_store(header, current)?;
        if same(&header.commitment, current.keys.commitment()) {
            return Ok(Arc::clone(&current.keys));
        }
        for key in &*self.slot_keys() {
            for slot in &header.slots {
                if let Some(data_key) = slot.open(header.store, key)? {
                    return StoreKeys::derive(header.store, data_key).map(Arc::new);
                }
            }
        }
        Err(StoreError::new(
            StoreErrorKind::WrongKey,
            "the store has a new data key, and no slot opens with what this process holds",
        ))
    }

    fn slot_keys(&self) -> MutexGuard<'_, Vec<SlotKey>> {
        self.slot_keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn remember(&self, key: SlotKey) {
        self.slot_keys().push(key);
    }

    /// Takes a state that another process wrote.
    fn take(&self, next: Snapshot) -> Result<Arc<Snapshot>> {
        let next = self.install(next)?;
        self.raise_mark(&next)?;
        Ok(next)
    }

    /// Makes a state the current one, unless it is older than what this process saw.
    fn install(&self, next: Snapshot) -> Result<Arc<Snapshot>> {
        let next = Arc::new(next);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.mark().admits(&next.mark(), "this process")?;
        *current = Arc::clone(&next);
        Ok(next)
    }

    fn raise_mark(&self, snapshot: &Snapshot) -> Result<()> {
        let Some(mark_file) = &self.mark else { return Ok(()) };
        // The writer may not have made the file's name durable yet. A mark that survived a power
        // failure when the file did not would make the old file look rolled back.
        let target = Target::existing(&*self.environment.files, &self.path)?;
        file::sync_name(&*self.environment.files, &target)?;
        let (key, mark) = (&snapshot.index.lasting_key, snapshot.mark());
        mark_file.raise(&self.environment, key, &mark, &snapshot.stat)
    }

    /// Changes the store: `change` sees the newest state under the writers' lock, and what it
    /// changed is written when it succeeds. When it changes nothing, nothing is written.
    pub(crate) fn transact<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let files = &*self.environment.files;
        let target = Target::existing(files, &self.path)?;
        let _lock = file::lock(files, &target, Some(&self.current().stat), self.lock_timeout)?;
        let base = self.snapshot()?;
        if !writer.swept {
            file::sweep(files, &target);
            writer.swept = true;
        }
        let mut transaction = Transaction::new(&self.environment, &base);
        let answer = change(&mut transaction)?;
        if transaction.is_changed() {
            self.commit(transaction, &target)?;
        }
        Ok(answer)
    }

    fn commit(&self, transaction: Transaction<'_>, target: &Target) -> Result<()> {
        let (snapshot, durable) = transaction.commit(target)?;
        let snapshot = self.install(snapshot)?;
        durable.map_err(|error| error.with_effect(Effect::Unknown))?;
        self.raise_mark(&snapshot).map_err(|error| error.with_effect(Effect::Partial))
    }
}

fn check_store(header: &Header, current: &Snapshot) -> Result<()> {
    if header.store == current.header.store { Ok(()) } else { Err(another_store()) }
}

fn another_store() -> StoreError {
    StoreError::integrity("another store was put in the place of this one")
}

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
use super::fs::FileLock;
use super::index::Generation;
use super::key_file::Warning;
use super::mark::{Mark, MarkFile};
use super::runtime::Patience;
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
    current: RwLock<Current>,
    /// One thread at a time reads a changed file; the others take what it read.
    reading: Mutex<()>,
    /// Keys of slots, to find the new data key after a `rekey` by another process.
    slot_keys: Mutex<Vec<SlotKey>>,
    writer: Mutex<Writer>,
    mark: Option<MarkFile>,
    warnings: Vec<Warning>,
}

/// The newest state that this process saw.
#[derive(Debug)]
struct Current {
    snapshot: Arc<Snapshot>,
    /// The high-water mark is known to be as high as this state, or there is none to keep.
    marked: bool,
}

/// How a store came to be open.
#[derive(Debug)]
enum Origin {
    /// It was made just now: there is no past that could be missing.
    Created(Target),
    Opened(Target, Rollback),
}

/// What a change may start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    /// A state that is not older than the high-water mark.
    Newest,
    /// An older state, put back on purpose.
    Restored,
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
        let patience = Patience::of(options.lock_timeout);
        let lock = file::lock(&*environment.files, &target, None, &patience)?;
        if environment.files.stat(target.path()).is_ok() {
            let message = format!("there is a file at `{}`", path.display());
            return Err(StoreError::new(StoreErrorKind::AlreadyExists, message));
        }
        file::sweep(&*environment.files, &target);
        let (snapshot, durable) =
            transaction::create(&environment, &target, store, keys, vec![slot])?;
        durable.map_err(|error| error.with_effect(Effect::Unknown))?;
        drop(lock);
        Self::with_snapshot(environment, path, options, Origin::Created(target), snapshot, slot_key)
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
        let target = Target::existing(&*environment.files, path)?;
        let locked = Locked::open(&environment, target.path())?;
        let now = locked.header();
        if (now.store, now.commitment) != (seen.store, seen.commitment) {
            let message = "the store was given a new data key while it was opened";
            return Err(StoreError::new(StoreErrorKind::Busy, message));
        }
        let keys = Arc::new(StoreKeys::derive(now.store, unlocked.data_key)?);
        let snapshot = locked.unlock(keys)?;
        let origin = Origin::Opened(target, options.rollback);
        Self::with_snapshot(environment, path, options, origin, snapshot, unlocked.slot_key)
    }

    fn with_snapshot(
        environment: Environment,
        path: &Path,
        options: &EngineOptions,
        origin: Origin,
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
            path: path.to_owned(),
            lock_timeout: options.lock_timeout,
            current: RwLock::new(Current { snapshot: Arc::new(snapshot), marked: mark.is_none() }),
            reading: Mutex::default(),
            slot_keys: Mutex::new(slot_key.into_iter().collect()),
            writer: Mutex::default(),
            warnings: mark
                .as_ref()
                .and_then(|mark| mark.warning(&environment))
                .into_iter()
                .collect(),
            mark,
            environment,
        };
        match origin {
            Origin::Created(target) => {
                let marked = engine.raise_mark(&engine.current(), &target);
                marked.map_err(|error| error.with_effect(Effect::Partial))?;
            }
            Origin::Opened(target, rollback) => engine.check_mark(&target, rollback)?,
        }
        Ok(engine)
    }

    /// Compares the file with the high-water mark outside, when the store is opened.
    fn check_mark(&mut self, target: &Target, rollback: Rollback) -> Result<()> {
        let snapshot = self.current();
        match self.read_mark(&snapshot)? {
            None => {
                let path = self.mark.as_ref().map(MarkFile::path);
                self.warnings.extend(path.map(|path| Warning::NoHighWaterMark { path }));
                self.accept(rollback, None)?;
            }
            Some(seen) => match seen.admits(&snapshot.mark(), "the high-water mark") {
                Ok(()) => self.accept(rollback, None)?,
                // Another process may have written since we opened the file: look again, the mark
                // first and then the file.
                Err(_) if rollback == Rollback::Refuse => drop(self.reread()?),
                Err(_) => self.accept(rollback, Some(seen.generation))?,
            },
        }
        self.raise_mark(&self.current(), target)
    }

    /// Writes a restored file anew, as newer than anything before: processes that saw later
    /// generations take it without being told.
    fn accept(&self, rollback: Rollback, seen: Option<Generation>) -> Result<()> {
        if rollback == Rollback::Refuse {
            return Ok(());
        }
        let patience = Patience::of(self.lock_timeout);
        self.transact_on(Base::Restored, &patience, |transaction| {
            let own = transaction.base.index.generation;
            let newest = seen.map_or(own, |seen| seen.max(own));
            let restores = newest.restores.checked_add(1).ok_or_else(|| {
                StoreError::new(StoreErrorKind::OutOfBounds, "restored too often")
            })?;
            let writes = transaction::next(newest.writes)?;
            transaction.set_generation(Generation { restores, writes });
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

    pub(crate) fn lock_timeout(&self) -> Duration {
        self.lock_timeout
    }

    /// The newest state that this process saw, without looking at the file.
    pub(crate) fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).snapshot)
    }

    /// The state of the file now. Where nothing changed this costs one look at its properties.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>> {
        if let Some((current, true)) = self.unchanged(&self.path)? {
            return Ok(current);
        }
        let _one = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever held the lock may have read it for us.
        if let Some((current, true)) = self.unchanged(&self.path)? {
            return Ok(current);
        }
        let target = self.target()?;
        let snapshot = self.newest(&target)?;
        self.raise_mark(&snapshot, &target)?;
        Ok(snapshot)
    }

    /// The state of the file at its resolved place. The mark may still be lower.
    fn newest(&self, target: &Target) -> Result<Arc<Snapshot>> {
        match self.unchanged(target.path())? {
            Some((current, _)) => Ok(current),
            None => self.load(target, |header, known| self.keys_for(header, known)),
        }
    }

    /// Where the file is now.
    fn target(&self) -> Result<Target> {
        Target::existing(&*self.environment.files, &self.path)
    }

    /// What this process saw last, where the file is still that; and whether the mark is as high.
    fn unchanged(&self, path: &Path) -> Result<Option<(Arc<Snapshot>, bool)>> {
        let (current, marked) = {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            (Arc::clone(&current.snapshot), current.marked)
        };
        let stat = self
            .environment
            .files
            .stat(path)
            .map_err(|error| StoreError::io("look at", path, error))?;
        Ok((stat.stamp == current.stamp).then_some((current, marked)))
    }

    /// The state of the file now, read whether it changed or not.
    pub(crate) fn reread(&self) -> Result<Arc<Snapshot>> {
        self.reread_with(|header, known| self.keys_for(header, known))
    }

    /// Takes the data key that a provider unwrapped after a `rekey` by another process, from the
    /// slots of `seen`.
    pub(crate) fn adopt(&self, seen: &Header, data_key: SymmetricKey) -> Result<()> {
        let keys = Arc::new(StoreKeys::derive(seen.store, data_key)?);
        let adopted = self.reread_with(|header, known| {
            check_store(header, known)?;
            if same(&header.commitment, &seen.commitment) {
                return Ok(Arc::clone(&keys));
            }
            let message = "the store was given a new data key meanwhile: try again";
            Err(StoreError::new(StoreErrorKind::Busy, message))
        });
        adopted.map(drop)
    }

    fn reread_with(
        &self,
        keys: impl Fn(&Header, &Snapshot) -> Result<Arc<StoreKeys>>,
    ) -> Result<Arc<Snapshot>> {
        let target = self.target()?;
        let next = self.load(&target, keys)?;
        self.raise_mark(&next, &target)?;
        Ok(next)
    }

    fn load(
        &self,
        target: &Target,
        keys: impl Fn(&Header, &Snapshot) -> Result<Arc<StoreKeys>>,
    ) -> Result<Arc<Snapshot>> {
        loop {
            // What is opened from here on must not be older than what was seen before, here or by
            // the mark. What others see meanwhile proves nothing against it.
            let known = self.current();
            let seen = self.read_mark(&known)?;
            let locked = Locked::open(&self.environment, target.path())?;
            let keys = keys(locked.header(), &known)?;
            let next = Arc::new(locked.unlock(keys)?);
            known.mark().admits(&next.mark(), "this process")?;
            if let Some(seen) = seen {
                seen.admits(&next.mark(), "the high-water mark")?;
            }
            if self.install(&next).is_ok() {
                return Ok(next);
            }
        }
    }

    fn read_mark(&self, known: &Snapshot) -> Result<Option<Mark>> {
        let read = |mark: &MarkFile| mark.read(&self.environment, &known.index.lasting_key);
        self.mark.as_ref().map_or(Ok(None), read)
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

    /// Makes a state the current one, unless this process saw a newer one.
    fn install(&self, next: &Arc<Snapshot>) -> Result<()> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.snapshot.mark().admits(&next.mark(), "this process")?;
        let same = same_state(&current.snapshot, next);
        let marked = self.mark.is_none() || same && current.marked;
        *current = Current { snapshot: Arc::clone(next), marked };
        if !same {
            // The key of a slot that is gone opens nothing any more.
            self.slot_keys().retain(|key| next.header.slots.iter().any(|slot| slot.is_of(key)));
        }
        Ok(())
    }

    /// Until this succeeds, each read and each write tries again. `target` is where the snapshot
    /// was found.
    fn raise_mark(&self, snapshot: &Snapshot, target: &Target) -> Result<()> {
        let Some(mark_file) = self.mark.as_ref().filter(|_| !self.is_marked(snapshot)) else {
            return Ok(());
        };
        let seen = self.read_mark(snapshot)?;
        if seen.is_none_or(|seen| seen.generation < snapshot.index.generation) {
            // The writer may not have made the file's name durable yet. A mark that survived a
            // power failure when the file did not would make the old file look rolled back.
            file::sync_name(&*self.environment.files, target)?;
            let (key, mark) = (&snapshot.index.lasting_key, snapshot.mark());
            let raised = mark_file.raise(&self.environment, key, &mark, &snapshot.stat);
            // Whatever became of the mark, the store is what it was.
            raised.map_err(|error| error.with_effect(Effect::NotApplied))?;
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.marked |= same_state(&current.snapshot, snapshot);
        Ok(())
    }

    fn is_marked(&self, snapshot: &Snapshot) -> bool {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.marked && same_state(&current.snapshot, snapshot)
    }

    /// Changes the store: `change` sees the newest state under the writers' lock, and what it
    /// changed is written when it succeeds. When it changes nothing, nothing is written.
    pub(crate) fn transact<T, E: From<StoreError>>(
        &self,
        patience: &Patience,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.transact_on(Base::Newest, patience, change)
    }

    fn transact_on<T, E: From<StoreError>>(
        &self,
        kind: Base,
        patience: &Patience,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let files = &*self.environment.files;
        let (target, _lock) = self.lock(patience)?;
        patience.check_wanted()?;
        let base = self.newest(&target)?;
        if let (Base::Newest, Some(seen)) = (kind, self.read_mark(&base)?) {
            seen.admits(&base.mark(), "the high-water mark")?;
        }
        if !writer.swept {
            file::sweep(files, &target);
            writer.swept = true;
        }
        let mut transaction = Transaction::new(&self.environment, &base);
        let answer = change(&mut transaction)?;
        if transaction.is_changed() {
            patience.check_wanted()?;
            self.raise_mark(&base, &target)?;
            self.commit(transaction, &target)?;
        } else {
            // What was asked for is there already, but whoever wrote it may have failed to make it
            // durable, or to raise the mark.
            let durable = file::sync_name(files, &target);
            durable.map_err(|error| error.with_effect(Effect::Unknown))?;
            let marked = self.raise_mark(&base, &target);
            marked.map_err(|error| error.with_effect(Effect::Partial))?;
        }
        Ok(answer)
    }

    /// The writers' lock, and where the file is that it is for.
    fn lock(&self, patience: &Patience) -> Result<(Target, Box<dyn FileLock>)> {
        loop {
            let target = self.target()?;
            let like = self.current().stat;
            let lock = file::lock(&*self.environment.files, &target, Some(&like), patience)?;
            // The path may be a link that was turned to another file while this waited.
            if self.target()? == target {
                return Ok((target, lock));
            }
            if patience.is_over() {
                let path = self.path.display();
                let message = format!("the link `{path}` is turned again and again");
                return Err(StoreError::new(StoreErrorKind::Busy, message));
            }
        }
    }

    fn commit(&self, transaction: Transaction<'_>, target: &Target) -> Result<()> {
        let (snapshot, durable) = transaction.commit(target)?;
        let snapshot = Arc::new(snapshot);
        self.install(&snapshot).map_err(|error| error.with_effect(Effect::Unknown))?;
        durable.map_err(|error| error.with_effect(Effect::Unknown))?;
        self.raise_mark(&snapshot, target).map_err(|error| error.with_effect(Effect::Partial))
    }
}

fn same_state(one: &Snapshot, other: &Snapshot) -> bool {
    one.mark() == other.mark()
}

fn check_store(header: &Header, current: &Snapshot) -> Result<()> {
    if header.store == current.header.store { Ok(()) } else { Err(another_store()) }
}

fn another_store() -> StoreError {
    StoreError::integrity("another store was put in the place of this one")
}

//! High-water marks: the newest generation of a store that was seen, kept outside of its file.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::bytes::{Malformed, Reader, Writer};
use super::crypto::{NONCE_LEN, SymmetricKey, mac, same};
use super::environment::Environment;
use super::error::{Result, StoreError, StoreErrorKind};
use super::file::{self, Place, Target};
use super::format::StoreId;
use super::fs::FileStat;
use super::index::Generation;
use super::key_file::{OTHERS_WRITE, Warning};
use super::runtime::Patience;

const MAGIC: [u8; 8] = *b"\x89MNSH\r\n\x1a";
const VERSION: u16 = 1;
/// The domain of a mark's authentication code.
const DOMAIN: &[u8] = b"mainstay mark 1";
const LEN: usize = 8 + 2 + 16 + 4 + 8 + NONCE_LEN + MAC_LEN;
const MAC_LEN: usize = 32;
/// The permission bit of folders in which everybody can replace only what is theirs.
const STICKY: u32 = 0o1000;

/// One state of one store: its generation, and the nonce of its index, which no other state of the
/// same generation has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) generation: Generation,
    pub(crate) index_nonce: [u8; NONCE_LEN],
}

impl Mark {
    /// Checks that a state may follow on what this mark saw.
    pub(crate) fn admits(&self, next: &Self, seen_by: &str) -> Result<()> {
        if next.generation > self.generation || next == self {
            return Ok(());
        }
        let (next, seen) = (next.generation, self.generation);
        let how = if next == seen { "is another state of" } else { "is older than" };
        Err(StoreError::new(
            StoreErrorKind::Rollback,
            format!("the file of generation {next} {how} generation {seen}, which {seen_by} saw"),
        ))
    }

    fn encode(&self, store: StoreId, key: &SymmetricKey) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(LEN);
        bytes.put(&MAGIC);
        bytes.put_u16(VERSION);
        bytes.put(store.as_bytes());
        bytes.put_u32(self.generation.restores);
        bytes.put_u64(self.generation.writes);
        bytes.put(&self.index_nonce);
        let code = mac(key, &[DOMAIN, &bytes])?;
        bytes.put(&code);
        Ok(bytes)
    }

    /// Nothing is read before the code was checked.
    fn decode(bytes: &[u8], store: StoreId, key: &SymmetricKey) -> Result<Self, Malformed> {
        let (fields, code) = bytes.split_last_chunk::<MAC_LEN>().ok_or(Malformed)?;
        if !same(&mac(key, &[DOMAIN, fields]).map_err(|_| Malformed)?, code) {
            return Err(Malformed);
        }
        Self::fields(fields, store)
    }

    fn fields(bytes: &[u8], store: StoreId) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let known = reader.array()? == MAGIC && reader.u16()? == VERSION;
        if !known || reader.array()? != *store.as_bytes() {
            return Err(Malformed);
        }
        let generation = Generation { restores: reader.u32()?, writes: reader.u64()? };
        let index_nonce = reader.array()?;
        reader.end()?;
        Ok(Self { generation, index_nonce })
    }
}

/// What the fuzzer enters: the bytes of a mark, with their code and, since it forges none, without.
#[cfg(fuzzing)]
pub(crate) fn fuzz(bytes: &[u8]) {
    let store = StoreId::from_bytes([1; 16]);
    let Some(key) = SymmetricKey::from_slice(&[7; 32]) else { return };
    if let Ok(mark) = Mark::decode(bytes, store, &key) {
        assert!(mark.encode(store, &key).is_ok_and(|again| again == bytes), "two forms of a mark");
    }
    if let Ok(mark) = Mark::fields(bytes, store) {
        let sealed = mark.encode(store, &key).unwrap_or_default();
        assert!(sealed.split_last_chunk::<MAC_LEN>().is_some_and(|(fields, _)| fields == bytes));
        assert_eq!(Mark::decode(&sealed, store, &key), Ok(mark));
    }
}

/// Where the mark of a store is kept.
#[derive(Debug)]
pub(crate) struct MarkFile {
    store: StoreId,
    target: Target,
    lock_timeout: Duration,
    /// What dead writers of the mark left was removed.
    swept: AtomicBool,
}

impl MarkFile {
    /// The mark of `store` in the folder `state`, which must exist.
    pub(crate) fn new(
        environment: &Environment,
        state: &Path,
        store: StoreId,
        lock_timeout: Duration,
    ) -> Result<Self> {
        let target = Target::new(&*environment.files, &state.join(format!("{store}.mark")))?;
        Ok(Self { store, target, lock_timeout, swept: AtomicBool::new(false) })
    }

    /// What is wrong with the folder, as far as this can be told.
    pub(crate) fn warning(&self, environment: &Environment) -> Option<Warning> {
        let path = self.target.folder();
        let mode = environment.files.stat(path).ok()?.mode;
        let writable = mode & OTHERS_WRITE != 0 && mode & STICKY == 0;
        writable.then(|| Warning::StateFolderWritable { path: path.to_owned(), mode })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.target.path().to_owned()
    }

    /// The mark; `None` when none was made yet.
    pub(crate) fn read(
        &self,
        environment: &Environment,
        key: &SymmetricKey,
    ) -> Result<Option<Mark>> {
        let path = self.target.path();
        let (file, stat) = match file::open(&*environment.files, path) {
            Err(error) if error.kind() == StoreErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let mut bytes = [0; LEN];
        if stat.stamp.len != LEN as u64 {
            return Err(self.altered());
        }
        file.read_exact_at(&mut bytes, 0).map_err(|error| StoreError::io("read", path, error))?;
        let mark = Mark::decode(&bytes, self.store, key).map_err(|Malformed| self.altered())?;
        Ok(Some(mark))
    }

    /// Keeps the newer of the mark that is there and this one. A new mark is for whom the store is
    /// for.
    pub(crate) fn raise(
        &self,
        environment: &Environment,
        key: &SymmetricKey,
        mark: &Mark,
        store: &FileStat,
    ) -> Result<()> {
        let files = &*environment.files;
        let patience = Patience::of(self.lock_timeout);
        let _lock = file::lock(files, &self.target, Some(store), &patience)?;
        if !self.swept.swap(true, Ordering::Relaxed) {
            file::sweep(files, &self.target);
        }
        match self.read(environment, key)? {
            Some(old) if old.generation >= mark.generation => return Ok(()),
            _ => {}
        }
        let old = files.stat(self.target.path()).ok();
        let place = old.as_ref().map_or(Place::EmptyLike(store), Place::Of);
        let bytes = mark.encode(self.store, key)?;
        file::write_exactly(environment, &self.target, place, &bytes)?.durable
    }

    fn altered(&self) -> StoreError {
        let path = self.target.path().display();
        let message = format!(
            "the high-water mark `{path}` is altered; once it is known why, remove it to begin anew"
        );
        StoreError::integrity(message)
    }
}

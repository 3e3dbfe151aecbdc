//! A file system in memory that knows what a power failure may leave of it.
//!
//! The model is harsher than any journal: content that was not synced may be there, missing, cut or
//! zeroed, each file by itself; each change of names since the folder was synced may have happened or not, in any
//! combination, also before the content of the file it names.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use secrets_local::store::fs::{
    FileKind, FileLock, FileStat, FileSystem, NewFile, Stamp, StoredFile,
};

/// A fault planted into the file system, to prove that the test sees what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    None,
    /// `sync` of a file does nothing.
    NoFileSync,
    /// `sync_folder` does nothing.
    NoFolderSync,
    /// `sync_folder` does nothing where the store is, and works elsewhere.
    NoSyncOfStore,
    /// `replace` writes into the old file instead.
    ReplaceInPlace,
}

/// Where the tests have their store.
const STORE_FOLDER: &str = "/data";

type Inode = usize;

/// One thing that was done to the disk.
#[derive(Debug, Clone)]
enum Op {
    Create { path: PathBuf, inode: Inode },
    Append { inode: Inode, bytes: Vec<u8> },
    Overwrite { inode: Inode, bytes: Vec<u8> },
    SyncFile { inode: Inode },
    Rename { from: PathBuf, to: PathBuf, inode: Inode },
    Remove { path: PathBuf },
    SyncFolder { folder: PathBuf },
}

#[derive(Debug, Clone, Default)]
struct State {
    names: BTreeMap<PathBuf, Inode>,
    contents: Vec<Vec<u8>>,
    /// Counts changes of a file, as its time would.
    changes: Vec<i128>,
}

#[derive(Debug, Default)]
struct Shared {
    now: State,
    /// What was there when recording began; all of it durable.
    base: State,
    log: Vec<Op>,
    locks: BTreeSet<PathBuf>,
    /// Fails every write once so many bytes were written.
    room: Option<usize>,
}

/// The disk. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    shared: Arc<Mutex<Shared>>,
    defect: Defect,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self { shared: Arc::default(), defect: Defect::None }
    }

    /// The same disk through a faulty controller.
    pub(crate) fn with_defect(&self, defect: Defect) -> Self {
        Self { shared: Arc::clone(&self.shared), defect }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap()
    }

    /// Takes what is there for durable, and begins to record.
    pub(crate) fn record(&self) {
        let mut shared = self.lock();
        shared.base = shared.now.clone();
        shared.log.clear();
    }

    /// Lets so many more bytes be written, then says that the disk is full.
    pub(crate) fn leave_room(&self, room: Option<usize>) {
        self.lock().room = room;
    }

    pub(crate) fn names(&self) -> Vec<PathBuf> {
        self.lock().now.names.keys().cloned().collect()
    }

    pub(crate) fn read(&self, path: &Path) -> Vec<u8> {
        let shared = self.lock();
        shared.now.contents[shared.now.names[path]].clone()
    }

    /// Puts bytes at a path, as another program would.
    pub(crate) fn put(&self, path: &Path, bytes: Vec<u8>) {
        let mut shared = self.lock();
        let inode = shared.now.add(bytes);
        shared.now.names.insert(path.to_owned(), inode);
    }

    /// How many operations were recorded.
    pub(crate) fn steps(&self) -> usize {
        self.lock().log.len()
    }

    /// Every disk that a power failure after the first `steps` operations may leave.
    pub(crate) fn after_power_failure(&self, steps: usize) -> Vec<Disk> {
        let shared = self.lock();
        let past = History::replay(&shared.base, &shared.log[..steps]);
        let mut disks = BTreeSet::new();
        for names in past.possible_names() {
            for contents in past.possible_contents() {
                let files: BTreeMap<PathBuf, Vec<u8>> = names
                    .iter()
                    .map(|(path, inode)| (path.clone(), contents[*inode].clone()))
                    .collect();
                disks.insert(files);
            }
        }
        disks.into_iter().map(Disk::from_files).collect()
    }

    fn from_files(files: BTreeMap<PathBuf, Vec<u8>>) -> Self {
        let disk = Self::new();
        for (path, bytes) in files {
            disk.put(&path, bytes);
        }
        disk
    }
}

impl State {
    fn add(&mut self, bytes: Vec<u8>) -> Inode {
        self.contents.push(bytes);
        self.changes.push(0);
        self.contents.len() - 1
    }

    fn find(&self, path: &Path) -> io::Result<Inode> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn stat(&self, inode: Inode) -> FileStat {
        FileStat {
            stamp: Stamp {
                device: 1,
                inode: inode as u64,
                len: self.contents[inode].len() as u64,
                modified: None,
                changed_nanos: self.changes[inode],
            },
            kind: FileKind::Regular,
            mode: 0o600,
            owner: 0,
            group: 0,
        }
    }
}

/// What of a sequence of operations is durable, and what is not.
struct History {
    names: BTreeMap<PathBuf, Inode>,
    /// Changes of names since the last sync of their folder.
    pending_names: Vec<Op>,
    durable: Vec<Vec<u8>>,
    volatile: Vec<Vec<u8>>,
}

impl History {
    fn replay(base: &State, ops: &[Op]) -> Self {
        let mut past = Self {
            names: base.names.clone(),
            pending_names: Vec::new(),
            durable: base.contents.clone(),
            volatile: base.contents.clone(),
        };
        ops.iter().for_each(|op| past.apply(op));
        past
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Create { inode, .. } => {
                self.durable.resize(inode + 1, Vec::new());
                self.volatile.resize(inode + 1, Vec::new());
                self.pending_names.push(op.clone());
            }
            Op::Append { inode, bytes } => self.volatile[*inode].extend_from_slice(bytes),
            Op::Overwrite { inode, bytes } => self.volatile[*inode].clone_from(bytes),
            Op::SyncFile { inode } => self.durable[*inode] = self.volatile[*inode].clone(),
            Op::Rename { .. } | Op::Remove { .. } => self.pending_names.push(op.clone()),
            Op::SyncFolder { folder } => {
                let (synced, left): (Vec<_>, Vec<_>) =
                    self.pending_names.drain(..).partition(|op| op.folder() == Some(folder));
                self.pending_names = left;
                synced.iter().for_each(|op| op.rename(&mut self.names));
            }
        }
    }

    /// Every subset of the pending changes of names.
    fn possible_names(&self) -> Vec<BTreeMap<PathBuf, Inode>> {
        assert!(self.pending_names.len() < 12, "too many to enumerate");
        (0_u32..1 << self.pending_names.len())
            .map(|chosen| {
                let mut names = self.names.clone();
                for (at, op) in self.pending_names.iter().enumerate() {
                    if chosen & 1 << at != 0 {
                        op.rename(&mut names);
                    }
                }
                names
            })
            .collect()
    }

    /// Contents with every combination of losses: each file that was not synced has one of its own.
    /// Of very many combinations some, always the same.
    fn possible_contents(&self) -> Vec<Vec<Vec<u8>>> {
        let pairs = || self.durable.iter().zip(&self.volatile);
        let unsynced = u32::try_from(pairs().filter(|(old, new)| old != new).count()).unwrap();
        let kinds = LOSSES.len() as u64;
        let combinations = kinds.checked_pow(unsynced).filter(|all| *all <= MOST_COMBINATIONS);
        let contents = |mut choice: u64| {
            let lose = |(old, new): (&Vec<u8>, &Vec<u8>)| {
                if old == new {
                    return old.clone();
                }
                let kind = usize::try_from(choice % kinds).unwrap();
                choice /= kinds;
                LOSSES[kind](old, new)
            };
            pairs().map(lose).collect()
        };
        match combinations {
            Some(all) => (0..all).map(contents).collect(),
            // Neighbours differ in every digit.
            None => (0..MOST_COMBINATIONS)
                .map(|n| contents(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8))
                .collect(),
        }
    }
}

/// What is left of content that was not synced, from what was durable and what was written.
type Loss = fn(&[u8], &[u8]) -> Vec<u8>;

const LOSSES: [Loss; 7] = [
    |_, new| new.to_vec(),
    |old, _| old.to_vec(),
    |_, _| Vec::new(),
    |_, new| new[..new.len() / 2].to_vec(),
    |_, new| new[..new.len().saturating_sub(1)].to_vec(),
    |_, new| vec![0; new.len()],
    |_, new| {
        let mut torn = new.to_vec();
        torn[..new.len() / 2].fill(0);
        torn
    },
];

/// All combinations of the losses of three files.
const MOST_COMBINATIONS: u64 = 343;

impl Op {
    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Create { path, .. } | Self::Remove { path } => path.parent(),
            Self::Rename { to, .. } => to.parent(),
            _ => None,
        }
    }

    fn rename(&self, names: &mut BTreeMap<PathBuf, Inode>) {
        match self {
            Self::Create { path, inode } => {
                names.insert(path.clone(), *inode);
            }
            Self::Rename { from, to, inode } => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
            Self::Remove { path } => {
                names.remove(path);
            }
            _ => {}
        }
    }
}

impl FileSystem for Disk {
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        // Folders need not be made: every path that is no file is one.
        Ok(path.to_owned())
    }

    fn stat(&self, path: &Path) -> io::Result<FileStat> {
        let shared = self.lock();
        Ok(shared.now.stat(shared.now.find(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn StoredFile>> {
        let inode = self.lock().now.find(path)?;
        Ok(Arc::new(OnDisk { disk: self.clone(), inode }))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        let mut shared = self.lock();
        if shared.now.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = shared.now.add(Vec::new());
        shared.now.names.insert(path.to_owned(), inode);
        shared.log.push(Op::Create { path: path.to_owned(), inode });
        Ok(Box::new(OnDisk { disk: self.clone(), inode }))
    }

    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut shared = self.lock();
        let inode = shared.now.find(from)?;
        if self.defect == Defect::ReplaceInPlace && shared.now.names.contains_key(to) {
            let old = shared.now.find(to)?;
            let bytes = shared.now.contents[inode].clone();
            shared.now.contents[old].clone_from(&bytes);
            shared.now.changes[old] += 1;
            shared.now.names.remove(from);
            shared.log.push(Op::Overwrite { inode: old, bytes });
            shared.log.push(Op::SyncFile { inode: old });
            shared.log.push(Op::Remove { path: from.to_owned() });
            return Ok(());
        }
        let op = Op::Rename { from: from.to_owned(), to: to.to_owned(), inode };
        op.rename(&mut shared.now.names);
        shared.log.push(op);
        Ok(())
    }

    fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.lock().now.names.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.replace(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut shared = self.lock();
        shared.now.find(path)?;
        shared.now.names.remove(path);
        shared.log.push(Op::Remove { path: path.to_owned() });
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let of_store = folder == Path::new(STORE_FOLDER);
        let lost = match self.defect {
            Defect::NoFolderSync => true,
            Defect::NoSyncOfStore => of_store,
            _ => false,
        };
        if !lost {
            self.lock().log.push(Op::SyncFolder { folder: folder.to_owned() });
        }
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        let shared = self.lock();
        let inside = shared.now.names.keys().filter(|path| path.parent() == Some(folder));
        Ok(inside.filter_map(|path| path.file_name().map(Into::into)).collect())
    }

    fn try_lock(
        &self,
        path: &Path,
        _like: Option<&FileStat>,
    ) -> io::Result<Option<Box<dyn FileLock>>> {
        let taken = self.lock().locks.insert(path.to_owned());
        let lock = || Box::new(Held { disk: self.clone(), path: path.to_owned() }) as Box<_>;
        Ok(taken.then(lock))
    }
}

#[derive(Debug)]
struct Held {
    disk: Disk,
    path: PathBuf,
}

impl FileLock for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        self.disk.lock().locks.remove(&self.path);
    }
}

#[derive(Debug)]
struct OnDisk {
    disk: Disk,
    inode: Inode,
}

impl StoredFile for OnDisk {
    fn stat(&self) -> io::Result<FileStat> {
        Ok(self.disk.lock().now.stat(self.inode))
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let shared = self.disk.lock();
        let begin = usize::try_from(offset).unwrap();
        let bytes = shared.now.contents[self.inode].get(begin..begin + buffer.len());
        let bytes = bytes.ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

impl NewFile for OnDisk {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut shared = self.disk.lock();
        if let Some(room) = &mut shared.room {
            if *room < bytes.len() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            *room -= bytes.len();
        }
        shared.now.contents[self.inode].extend_from_slice(bytes);
        shared.now.changes[self.inode] += 1;
        shared.log.push(Op::Append { inode: self.inode, bytes: bytes.to_vec() });
        Ok(())
    }

    fn take_after(&mut self, _other: &FileStat) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.disk.defect != Defect::NoFileSync {
            self.disk.lock().log.push(Op::SyncFile { inode: self.inode });
        }
        Ok(())
    }

    fn into_stored(self: Box<Self>) -> Arc<dyn StoredFile> {
        Arc::new(*self)
    }
}

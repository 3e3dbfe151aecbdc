//! The store's file as a whole: finding it, locking it, replacing it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrets_core::Effect;

use super::crypto::random_array;
use super::environment::Environment;
use super::error::{Result, StoreError, StoreErrorKind};
use super::fs::{FileKind, FileLock, FileStat, FileSystem, NewFile, Stamp, StoredFile};
use super::runtime::Patience;

/// How much is written by one call.
const CHUNK: usize = 256 * 1024;
/// Between two tries to take the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(5);
/// The permission bit that marks a file as one that its owner may write.
const OWNER_WRITES: u32 = 0o200;

/// Where a store's file is, with links followed: a link stays, what it points to is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    path: PathBuf,
    folder: PathBuf,
    name: OsString,
}

impl Target {
    /// The place of an existing file.
    pub(crate) fn existing(files: &dyn FileSystem, path: &Path) -> Result<Self> {
        let resolved = files.resolve(path).map_err(|error| StoreError::io("find", path, error))?;
        Self::split(resolved, path)
    }

    /// The place of a file that is to be created: the folder must exist.
    pub(crate) fn new(files: &dyn FileSystem, path: &Path) -> Result<Self> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let folder = files
            .resolve(folder)
            .map_err(|error| StoreError::io("find the folder of", path, error))?;
        let name = path.file_name().ok_or_else(|| no_file_name(path))?;
        Self::split(folder.join(name), path)
    }

    fn split(path: PathBuf, asked: &Path) -> Result<Self> {
        match (path.parent(), path.file_name()) {
            (Some(folder), Some(name)) => {
                Ok(Self { folder: folder.to_owned(), name: name.to_owned(), path })
            }
            _ => Err(no_file_name(asked)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn sidecar(&self, suffix: &str) -> PathBuf {
        let mut name = self.name.clone();
        name.push(suffix);
        self.folder.join(name)
    }

    fn temporary(&self, number: [u8; 8]) -> PathBuf {
        let mut name = OsString::from(".");
        name.push(&self.name);
        name.push(format!(".{:016x}.tmp", u64::from_le_bytes(number)));
        self.folder.join(name)
    }

    /// True for the names that [`temporary`](Self::temporary) gives.
    fn is_temporary(&self, name: &OsString) -> bool {
        let (Some(name), Some(own)) = (name.to_str(), self.name.to_str()) else {
            return false;
        };
        let middle = name.strip_prefix('.').and_then(|rest| rest.strip_prefix(own));
        let number = middle.and_then(|rest| rest.strip_prefix('.')?.strip_suffix(".tmp"));
        number.is_some_and(|digits| {
            digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        })
    }
}

fn no_file_name(path: &Path) -> StoreError {
    StoreError::new(StoreErrorKind::NotAStore, format!("`{}` names no file", path.display()))
}

/// Opens a store's file to read; refuses what is not a regular file without waiting for it.
pub(crate) fn open(files: &dyn FileSystem, path: &Path) -> Result<(Arc<dyn StoredFile>, FileStat)> {
    let failed = |error| StoreError::io("open", path, error);
    // Before opening, since that alone can disturb a device; and after, since names change hands.
    regular(&files.stat(path).map_err(failed)?, path)?;
    let file = files.open(path).map_err(failed)?;
    let stat = file.stat().map_err(failed)?;
    regular(&stat, path)?;
    Ok((file, stat))
}

fn regular(stat: &FileStat, path: &Path) -> Result<()> {
    let what = match stat.kind {
        FileKind::Regular => return Ok(()),
        FileKind::Folder => "a folder",
        FileKind::Special => "a pipe, a socket or a device",
    };
    let message = format!("`{}` is {what}, not a file", path.display());
    Err(StoreError::new(StoreErrorKind::NotAStore, message))
}

/// Takes the writers' lock of a store, in a file beside it that stays there.
pub(crate) fn lock(
    files: &dyn FileSystem,
    target: &Target,
    like: Option<&FileStat>,
    patience: &Patience,
) -> Result<Box<dyn FileLock>> {
    let path = target.sidecar(".lock");
    loop {
        patience.check_wanted()?;
        match files.try_lock(&path, like) {
            Ok(Some(lock)) => return Ok(lock),
            Ok(None) => {}
            Err(error) => return Err(StoreError::io("lock", &path, error)),
        }
        if patience.is_over() {
            let message = format!("another writer holds `{}`", path.display());
            return Err(StoreError::new(StoreErrorKind::Busy, message));
        }
        std::thread::sleep(LOCK_PAUSE);
    }
}

/// Removes what writers left that died: while we hold the lock no temporary file is anyone's.
/// Failing to do so harms nobody.
pub(crate) fn sweep(files: &dyn FileSystem, target: &Target) {
    for name in files.list(&target.folder).unwrap_or_default() {
        if target.is_temporary(&name) {
            let _ = files.remove(&target.folder.join(name));
        }
    }
}

/// Refuses to replace a file that is marked read-only: a rename would pass by the mark.
pub(crate) fn check_writable(stat: &FileStat, target: &Target) -> Result<()> {
    if stat.mode & OWNER_WRITES != 0 {
        return Ok(());
    }
    let message = format!("`{}` is marked read-only", target.path.display());
    Err(StoreError::new(StoreErrorKind::ReadOnly, message))
}

/// What the new file takes the place of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    /// Nothing: refused when there is a file.
    Empty,
    /// Nothing; the new file takes owner, group and read permissions of this one.
    EmptyLike(&'a FileStat),
    /// This file; the new one takes its owner, group and read permissions.
    Of(&'a FileStat),
}

/// Writes a new file beside the target and puts it in its place: old or new, never neither.
///
/// An error with `Effect::Unknown` says that the new file is in place but may not survive a power
/// failure; after any other error the old state stands.
pub(crate) fn write(
    environment: &Environment,
    target: &Target,
    place: Place<'_>,
    content: impl FnOnce(&mut Output<'_>) -> Result<()>,
) -> Result<Written> {
    let files = &*environment.files;
    let path = target.temporary(random_array(&*environment.entropy)?);
    let failed = |error| StoreError::io("write", &path, error);
    let mut file = files.create(&path).map_err(failed)?;
    // From here on the temporary file is removed whatever happens.
    let temporary = Temporary { files, path: &path, kept: false };
    if let Place::Of(old) | Place::EmptyLike(old) = place {
        file.take_after(old).map_err(|error| {
            StoreError::io("keep the owner and group of", &target.path, error)
                .with_kind(StoreErrorKind::PermissionDenied)
        })?;
    }
    let mut output = Output { file: &mut *file, path: &path, buffer: Vec::new() };
    content(&mut output)?;
    output.flush()?;
    file.sync().map_err(failed)?;
    if let Place::Of(old) = place {
        check_unchanged(files, target, old)?;
    }
    match place {
        Place::Empty | Place::EmptyLike(_) => files.publish(&path, &target.path),
        Place::Of(_) => files.replace(&path, &target.path),
    }
    .map_err(|error| match (place, error.kind()) {
        (Place::Empty | Place::EmptyLike(_), io::ErrorKind::AlreadyExists) => {
            StoreError::io("create", &target.path, error)
        }
        _ => cannot_replace(target, error),
    })?;
    temporary.keep();
    Ok(Written { file: file.into_stored(), durable: sync_name(files, target) })
}

/// Refuses to replace another file than the one that was read. Writers of ours are kept out by the
/// lock; a restore, a copy, and a writer whose lock file was removed are not.
fn check_unchanged(files: &dyn FileSystem, target: &Target, old: &FileStat) -> Result<()> {
    let path = &target.path;
    let now = files.stat(path).map_err(|error| StoreError::io("look at", path, error))?.stamp;
    // Not when its properties were changed: a link to it made by a backup is no reason.
    let content = |stamp: Stamp| (stamp.device, stamp.inode, stamp.len, stamp.modified);
    if content(now) == content(old.stamp) {
        return Ok(());
    }
    let message = format!("`{}` was changed by somebody without the lock", path.display());
    Err(StoreError::new(StoreErrorKind::Busy, message))
}

/// Makes the name of the file, as it stands now, durable.
pub(crate) fn sync_name(files: &dyn FileSystem, target: &Target) -> Result<()> {
    let folder = &target.folder;
    files.sync_folder(folder).map_err(|error| StoreError::io("sync the folder", folder, error))
}

/// Writes a new file of these bytes without a buffer in between, which would keep a copy of a key.
pub(crate) fn write_exactly(
    environment: &Environment,
    target: &Target,
    place: Place<'_>,
    bytes: &[u8],
) -> Result<Written> {
    write(environment, target, place, |output| output.write(bytes))
}

/// A file that was put in place.
pub(crate) struct Written {
    pub(crate) file: Arc<dyn StoredFile>,
    /// Whether its name will survive a power failure.
    pub(crate) durable: Result<()>,
}

fn cannot_replace(target: &Target, error: io::Error) -> StoreError {
    let mounted =
        matches!(error.kind(), io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices);
    if !mounted {
        // A server may have renamed and lost the answer.
        return StoreError::io("put in place", &target.path, error).with_effect(Effect::Unknown);
    }
    let path = target.path.display();
    let message = format!("`{path}` is a mount point: mount its folder, not the file alone");
    StoreError::new(StoreErrorKind::NotReplaceable, message).with_source(error)
}

struct Temporary<'a> {
    files: &'a dyn FileSystem,
    path: &'a Path,
    kept: bool,
}

impl Temporary<'_> {
    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.kept {
            // If this fails too, the next writer sweeps.
            let _ = self.files.remove(self.path);
        }
    }
}

/// Appends to a new file through a buffer. What passes here is sealed already.
pub(crate) struct Output<'a> {
    file: &'a mut dyn NewFile,
    path: &'a Path,
    buffer: Vec<u8>,
}

impl Output<'_> {
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        if self.buffer.len() + bytes.len() > CHUNK {
            self.flush()?;
        }
        if bytes.len() >= CHUNK {
            return self.write(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Copies a run of bytes of another file.
    pub(crate) fn copy(&mut self, from: &dyn StoredFile, offset: u64, len: u64) -> Result<()> {
        let (mut offset, mut left) = (offset, len);
        while left > 0 {
            if self.buffer.len() >= CHUNK {
                self.flush()?;
            }
            let begin = self.buffer.len();
            let step = (CHUNK - begin).min(usize::try_from(left).unwrap_or(CHUNK));
            self.buffer.resize(begin + step, 0);
            let room = self.buffer.get_mut(begin..).unwrap_or_default();
            from.read_exact_at(room, offset)
                .map_err(|error| StoreError::io("read the records for", self.path, error))?;
            offset += step as u64;
            left -= step as u64;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let full = std::mem::take(&mut self.buffer);
        let written = self.write(&full);
        self.buffer = full;
        self.buffer.clear();
        written
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| StoreError::io("write", self.path, error))
    }
}

//! The place of a `.env` file: locking it, reading it, putting a new one there.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use secrets_core::{Effect, Error, ErrorKind, Result};

use crate::file::{Contents, Stamp, io_error};
use crate::mount;

use super::document::MAX_LEN;

/// Between two tries to take the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// Where the file is, with links followed: a link stays, what it points to is replaced.
#[derive(Debug)]
pub(super) struct Place {
    named: PathBuf,
    path: PathBuf,
    folder: PathBuf,
    name: OsString,
}

/// The writers' lock; it is given up when this is dropped.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held for its drop")] File);

/// What putting a file in place came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Replaced {
    Done {
        /// When it was written.
        modified: SystemTime,
    },
    /// Somebody who does not know the lock changed the file meanwhile, or a link to it.
    Overtaken,
}

impl Place {
    /// The place that `path` names, whether a file is there yet or not.
    pub(super) fn find(path: &Path) -> Result<Self> {
        let resolved = match fs::canonicalize(path) {
            Ok(resolved) => resolved,
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing(path)?,
            Err(error) => return Err(io_error(format!("cannot find `{}`", path.display()), error)),
        };
        match (resolved.parent(), resolved.file_name()) {
            (Some(folder), Some(name)) => {
                let (folder, name) = (folder.to_owned(), name.to_owned());
                Ok(Self { named: path.to_owned(), folder, name, path: resolved })
            }
            _ => Err(names_no_file(path)),
        }
    }

    /// Takes the writers' lock, in a file beside this one that stays there.
    pub(super) fn lock(&self, timeout: Duration) -> Result<Lock> {
        let path = self.beside("", ".lock");
        let begun = Instant::now();
        loop {
            let lock = try_lock(&path, &self.path)
                .map_err(|error| io_error(format!("cannot lock `{}`", path.display()), error))?;
            if let Some(lock) = lock {
                return Ok(lock);
            }
            if begun.elapsed() >= timeout {
                let message = format!("another writer holds `{}`", path.display());
                return Err(Error::new(ErrorKind::Timeout, message).with_effect(Effect::NotApplied));
            }
            thread::sleep(LOCK_PAUSE);
        }
    }

    /// What the file holds; `None` when there is none.
    pub(super) fn read(&self) -> Result<Option<Contents>> {
        read(&self.path)
    }

    /// Puts a file of these bytes in place of the one that was read, if it is still that one.
    ///
    /// The new file is written beside the old one and takes its owner, group and permissions; where
    /// there was none it can be read and written by its owner only.
    pub(super) fn replace(&self, old: Option<Stamp>, bytes: &[&[u8]]) -> Result<Replaced> {
        let before = match fs::metadata(&self.path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(self.not_written(error)),
        };
        if before.as_ref().is_some_and(|metadata| metadata.permissions().readonly()) {
            let message = format!("`{}` is marked read-only", self.path.display());
            return Err(Error::new(ErrorKind::PermissionDenied, message));
        }
        // One name is enough: only the holder of the lock writes to it, and what is there was left
        // by a writer that died.
        let temporary = Temporary(self.beside(".", ".tmp"));
        let written = temporary.create(before.as_ref(), bytes);
        let modified = written.map_err(|error| self.not_written(error))?;
        let now = fs::metadata(&self.path).ok();
        // Readers follow the links anew: where those lead elsewhere, they would not see this write.
        let is_here = Self::find(&self.named).is_ok_and(|place| place.path == self.path);
        if !is_here || now.map(|metadata| Stamp::of(&metadata)) != old {
            return Ok(Replaced::Overtaken);
        }
        fs::rename(&temporary.0, &self.path).map_err(|error| self.not_replaced(error))?;
        platform::sync_folder(&self.folder).map_err(|error| {
            let message = format!("`{}` may not survive a power failure", self.path.display());
            io_error(message, error).with_effect(Effect::Unknown)
        })?;
        Ok(Replaced::Done { modified })
    }

    fn beside(&self, prefix: &str, suffix: &str) -> PathBuf {
        let mut name = OsString::from(prefix);
        name.push(&self.name);
        name.push(suffix);
        self.folder.join(name)
    }

    fn not_written(&self, error: io::Error) -> Error {
        io_error(format!("cannot write `{}`", self.path.display()), error)
    }

    fn not_replaced(&self, error: io::Error) -> Error {
        let is_mount =
            matches!(error.kind(), io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices);
        if !is_mount {
            // A file server may have renamed and lost the answer.
            return self.not_written(error).with_effect(Effect::Unknown);
        }
        let path = self.path.display();
        let message = format!("`{path}` is a mount point: mount its folder, not the file alone");
        Error::new(ErrorKind::Unsupported, message).with_source(error)
    }
}

/// What the file at `path` holds; `None` when there is none and one could be.
pub(super) fn read(path: &Path) -> Result<Option<Contents>> {
    match mount::read(path, MAX_LEN) {
        Ok(contents) => Ok(Some(contents)),
        Err(error) if error.is_absent() => missing(path).map(|_| None),
        Err(error) => Err(error.of(&format!("`{}`", path.display()), MAX_LEN)),
    }
}

/// Where a file will be that does not exist yet. A link to nothing is refused, and so is a folder
/// that is not there: they may wait for a mount, and then its secrets are not gone.
fn missing(path: &Path) -> Result<PathBuf> {
    let shown = path.display();
    if path.is_symlink() {
        let message = format!("`{shown}` is a symbolic link to nothing");
        return Err(Error::new(ErrorKind::Unavailable, message).with_effect(Effect::NotApplied));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = fs::canonicalize(folder)
        .map_err(|error| io_error(format!("cannot find the folder of `{shown}`"), error))?;
    Ok(folder.join(path.file_name().ok_or_else(|| names_no_file(path))?))
}

fn names_no_file(path: &Path) -> Error {
    Error::new(ErrorKind::InvalidValue, format!("`{}` names no file", path.display()))
}

fn try_lock(path: &Path, of: &Path) -> io::Result<Option<Lock>> {
    let Some(file) = open_lock(path, of)? else { return Ok(None) };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // Somebody may have removed the file meanwhile: a lock on a nameless file excludes nobody.
    let held = Stamp::of(&file.metadata()?);
    let named = fs::symlink_metadata(path).ok().map(|metadata| Stamp::of(&metadata));
    Ok(named.filter(|named| named.is_same_file(&held)).map(|_| Lock(file)))
}

/// Opens the lock of the file `of`, and makes it where there is none: for all who may write that
/// file, or root's first write would keep its owner out. `None` when it came or went meanwhile.
fn open_lock(path: &Path, of: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    let options = platform::private(options.read(true).write(true));
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened.map(Some),
    }
    // What is there already may be a link of somebody to another file: only one of ours is given
    // away.
    match options.create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
        Ok(lock) => {
            let shared = match fs::metadata(of) {
                Ok(file) => platform::share_with_writers(&lock, &file),
                Err(_) => Ok(()),
            };
            // Whoever may not give it away cannot replace the file either.
            shared.inspect_err(|_| drop(fs::remove_file(path))).map(|()| Some(lock))
        }
    }
}

/// A file that is removed again. When it has been renamed there is nothing left to remove, since
/// the lock keeps other writers from the name.
struct Temporary(PathBuf);

impl Temporary {
    fn create(&self, old: Option<&Metadata>, bytes: &[&[u8]]) -> io::Result<SystemTime> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let options = platform::private(options.write(true).create_new(true));
        let mut file = options.open(&self.0)?;
        for part in bytes {
            file.write_all(part)?;
        }
        if let Some(old) = old {
            platform::take_after(&file, old)?;
        }
        file.sync_all()?;
        Ok(file.metadata()?.modified().unwrap_or(SystemTime::UNIX_EPOCH))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(unix)]
mod platform {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};

    use rustix::fs::OFlags;

    use super::{File, Metadata, OpenOptions, Path, io};

    /// For the owner only, and not through a link that somebody put there.
    pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed())
    }

    /// The owner first: nobody may read the file whom the old owner and group did not let.
    pub(super) fn take_after(file: &File, old: &Metadata) -> io::Result<()> {
        own_as(file, old, old.mode() & 0o777)
    }

    /// The owner, and whoever else may write the other file.
    pub(super) fn share_with_writers(file: &File, other: &Metadata) -> io::Result<()> {
        let writers = other.mode() & 0o022;
        own_as(file, other, 0o600 | writers | writers << 1)
    }

    fn own_as(file: &File, other: &Metadata, mode: u32) -> io::Result<()> {
        let now = file.metadata()?;
        if (now.uid(), now.gid()) != (other.uid(), other.gid()) {
            fchown(file, Some(other.uid()), Some(other.gid()))?;
        }
        file.set_permissions(Permissions::from_mode(mode))
    }

    /// File systems that cannot sync a folder (FUSE, SMB) say `EINVAL`; no write would succeed there.
    pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
        use io::ErrorKind::{InvalidInput, Unsupported};

        match File::open(folder)?.sync_all() {
            Err(error) if matches!(error.kind(), InvalidInput | Unsupported) => Ok(()),
            synced => synced,
        }
    }
}

#[cfg(not(unix))]
mod platform {
    use super::{File, Metadata, OpenOptions, Path, io};

    pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
        options
    }

    pub(super) fn take_after(_file: &File, _old: &Metadata) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn share_with_writers(_file: &File, _other: &Metadata) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn sync_folder(_folder: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_synced_is_no_failure() {
        // `procfs` has no operation to sync a folder.
        let folder = Path::new("/proc/self/fd");
        assert!(File::open(folder).and_then(|folder| folder.sync_all()).is_err());
        assert!(platform::sync_folder(folder).is_ok());
        assert!(platform::sync_folder(Path::new("/proc/absent")).is_err());
    }
}

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{FileKind, FileLock, FileStat, FileSystem, NewFile, Stamp, StoredFile};

/// The file system of the operating system.
///
/// Tested on Linux. Elsewhere it follows the documentation of the standard library: permissions and
/// owners are those of the folder on Windows, and folders are not synced there.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsFileSystem;

impl FileSystem for OsFileSystem {
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }

    fn stat(&self, path: &Path) -> io::Result<FileStat> {
        Ok(platform::stat(&fs::metadata(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn StoredFile>> {
        let file = platform::without_waiting(OpenOptions::new().read(true)).open(path)?;
        Ok(Arc::new(OsFile(file)))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        let mut options = OpenOptions::new();
        let file = platform::private(options.read(true).write(true).create_new(true)).open(path)?;
        Ok(Box::new(OsFile(file)))
    }

    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        platform::rename_without_replacing(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        platform::sync_folder(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
    }

    fn try_lock(
        &self,
        path: &Path,
        like: Option<&FileStat>,
    ) -> io::Result<Option<Box<dyn FileLock>>> {
        let file = open_lock(path, like)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Somebody may have removed the file meanwhile: a lock on a nameless file excludes nobody.
        let held = platform::stat(&file.metadata()?).stamp;
        match fs::symlink_metadata(path).map(|named| platform::stat(&named).stamp) {
            Ok(named) if (named.device, named.inode) == (held.device, held.inode) => {
                Ok(Some(Box::new(OsLock(file))))
            }
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Opens the file of a lock, or creates it. Only a file of our own making is given away: what was
/// there may be a hard link to something else.
fn open_lock(path: &Path, like: Option<&FileStat>) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let options = platform::private(options.read(true).write(true));
    match options.create_new(true).open(path) {
        Ok(file) => {
            if let Some(like) = like {
                // Who may not give it away has nobody to lock out.
                let _ = platform::give_to_owner_of(&file, like);
            }
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            platform::not_through_links(options.create_new(false)).open(path)
        }
        Err(error) => Err(error),
    }
}

/// The lock goes with the open file.
#[derive(Debug)]
struct OsLock(#[expect(dead_code, reason = "held for its drop")] File);

impl FileLock for OsLock {}

#[derive(Debug)]
struct OsFile(File);

impl StoredFile for OsFile {
    fn stat(&self) -> io::Result<FileStat> {
        Ok(platform::stat(&self.0.metadata()?))
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        platform::read_exact_at(&self.0, buffer, offset)
    }
}

impl NewFile for OsFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn take_after(&mut self, other: &FileStat) -> io::Result<()> {
        platform::take_after(&self.0, other)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn into_stored(self: Box<Self>) -> Arc<dyn StoredFile> {
        Arc::new(*self)
    }
}

fn kind(metadata: &Metadata) -> FileKind {
    match metadata.file_type() {
        kind if kind.is_file() => FileKind::Regular,
        kind if kind.is_dir() => FileKind::Folder,
        _ => FileKind::Special,
    }
}

#[cfg(unix)]
mod platform {
    use std::fs::Permissions;
    use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};

    use rustix::fs::OFlags;

    use super::{File, FileStat, Metadata, OpenOptions, Path, Stamp, fs, io, kind};

    /// Read permissions of group and others are kept, write permissions are not.
    const KEPT: u32 = 0o644;

    pub(super) fn stat(metadata: &Metadata) -> FileStat {
        let seconds = i128::from(metadata.ctime());
        FileStat {
            stamp: Stamp {
                device: metadata.dev(),
                inode: metadata.ino(),
                len: metadata.len(),
                modified: metadata.modified().ok(),
                changed_nanos: seconds * 1_000_000_000 + i128::from(metadata.ctime_nsec()),
            },
            kind: kind(metadata),
            mode: metadata.mode() & 0o7777,
            owner: metadata.uid(),
            group: metadata.gid(),
        }
    }

    pub(super) fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
        options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
    }

    pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
        options.mode(0o600)
    }

    pub(super) fn not_through_links(options: &mut OpenOptions) -> &mut OpenOptions {
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
    }

    pub(super) fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        file.read_exact_at(buffer, offset)
    }

    pub(super) fn give_to_owner_of(file: &File, other: &FileStat) -> io::Result<()> {
        let now = stat(&file.metadata()?);
        if (now.owner, now.group) == (other.owner, other.group) {
            return Ok(());
        }
        fchown(file, Some(other.owner), Some(other.group))
    }

    pub(super) fn take_after(file: &File, other: &FileStat) -> io::Result<()> {
        give_to_owner_of(file, other)?;
        let now = stat(&file.metadata()?);
        let mode = other.mode & KEPT | 0o600;
        if now.mode == mode {
            return Ok(());
        }
        file.set_permissions(Permissions::from_mode(mode))
    }

    /// `renameat2` with `RENAME_NOREPLACE`; file systems without it take a hard link instead.
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    pub(super) fn rename_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;

        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_and_remove(from, to),
            other => other.map_err(Into::into),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    pub(super) fn rename_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
        link_and_remove(from, to)
    }

    fn link_and_remove(from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)?;
        fs::remove_file(from)
    }

    pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
        match File::open(folder)?.sync_all() {
            Err(error) if cannot_be_synced(&error) => Ok(()),
            other => other,
        }
    }

    /// Some file systems (FUSE, SMB, shared folders of virtual machines) cannot sync a folder and say
    /// `EINVAL`. To fail each write there for good would help nobody; PostgreSQL (`fsync_fname_ext`)
    /// goes on likewise.
    pub(super) fn cannot_be_synced(error: &io::Error) -> bool {
        matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
    }
}

#[cfg(windows)]
mod platform {
    use std::os::windows::fs::FileExt;

    use super::{File, FileStat, Metadata, OpenOptions, Path, Stamp, fs, io, kind};

    pub(super) fn stat(metadata: &Metadata) -> FileStat {
        FileStat {
            stamp: Stamp {
                device: 0,
                inode: 0,
                len: metadata.len(),
                modified: metadata.modified().ok(),
                changed_nanos: 0,
            },
            kind: kind(metadata),
            mode: if metadata.permissions().readonly() { 0o400 } else { 0o600 },
            owner: 0,
            group: 0,
        }
    }

    pub(super) fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
        options
    }

    pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
        options
    }

    pub(super) fn not_through_links(options: &mut OpenOptions) -> &mut OpenOptions {
        options
    }

    pub(super) fn read_exact_at(
        file: &File,
        mut buffer: &mut [u8],
        mut offset: u64,
    ) -> io::Result<()> {
        while !buffer.is_empty() {
            let read = file.seek_read(buffer, offset)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buffer = buffer.get_mut(read..).unwrap_or_default();
            offset += read as u64;
        }
        Ok(())
    }

    pub(super) fn give_to_owner_of(_file: &File, _other: &FileStat) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn take_after(_file: &File, _other: &FileStat) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn rename_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)?;
        fs::remove_file(from)
    }

    pub(super) fn sync_folder(_folder: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_synced_is_no_failure_and_a_disk_that_fails_is() {
        use rustix::io::Errno;

        // `procfs` has no operation to sync a folder.
        let answer = File::open("/proc/self/fd").and_then(|folder| folder.sync_all());
        assert!(answer.is_err_and(|error| platform::cannot_be_synced(&error)));
        assert!(OsFileSystem.sync_folder(Path::new("/proc/self/fd")).is_ok());
        for errno in [Errno::IO, Errno::NOSPC, Errno::DQUOT, Errno::ROFS, Errno::ACCESS] {
            assert!(!platform::cannot_be_synced(&errno.into()), "{errno}");
        }
    }
}

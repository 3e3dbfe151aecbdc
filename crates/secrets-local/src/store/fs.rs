//! The seam between a store and its file system.
//!
//! [`OsFileSystem`] is the real one. Another implementation can count, record, refuse or lose
//! operations, which is how the crash safety of the store is tested.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

mod os;

pub use os::OsFileSystem;

/// The operations that a store needs of a file system.
pub trait FileSystem: fmt::Debug + Send + Sync + 'static {
    /// The path with every symbolic link followed.
    ///
    /// # Errors
    /// `NotFound` when nothing is there.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf>;

    /// What is known of the file at `path`, links followed.
    ///
    /// # Errors
    /// `NotFound` when nothing is there.
    fn stat(&self, path: &Path) -> io::Result<FileStat>;

    /// Opens a file to read. Must return at once for a pipe without a writer.
    ///
    /// # Errors
    /// Those of the operating system.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn StoredFile>>;

    /// Creates a file that only its owner can read and write.
    ///
    /// # Errors
    /// `AlreadyExists` when something is there, a dangling link included.
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>>;

    /// Puts `from` in the place of `to` in one step.
    ///
    /// # Errors
    /// `ResourceBusy` or `CrossesDevices` where `to` is a mount point.
    fn replace(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives `from` the name `to` in one step, unless something is there.
    ///
    /// # Errors
    /// `AlreadyExists` when something is there.
    fn publish(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Those of the operating system.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable, where the file system can.
    ///
    /// # Errors
    /// Those of the operating system.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// The names in a folder.
    ///
    /// # Errors
    /// Those of the operating system.
    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>>;

    /// Takes the lock on the file at `path`, which is created if need be; `None` when another
    /// holds it. The file should belong to the owner of `like`, so that root does not lock out a
    /// service by being the first to write.
    ///
    /// # Errors
    /// `Unsupported` where the file system has no locks.
    fn try_lock(
        &self,
        path: &Path,
        like: Option<&FileStat>,
    ) -> io::Result<Option<Box<dyn FileLock>>>;
}

/// A file that is open to read. It stays the same file when its name is given to another.
pub trait StoredFile: fmt::Debug + Send + Sync {
    /// What is known of the open file.
    ///
    /// # Errors
    /// Those of the operating system.
    fn stat(&self) -> io::Result<FileStat>;

    /// Fills the buffer from `offset` on.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

/// A file that is being written.
pub trait NewFile: fmt::Debug + Send {
    /// Appends bytes.
    ///
    /// # Errors
    /// `StorageFull` or `QuotaExceeded` when they do not fit.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Gives the file the owner, the group and the read permissions of another.
    ///
    /// # Errors
    /// `PermissionDenied` where this process may not give it away.
    fn take_after(&mut self, other: &FileStat) -> io::Result<()>;

    /// Makes the content durable.
    ///
    /// # Errors
    /// Those of the operating system.
    fn sync(&mut self) -> io::Result<()>;

    /// The same file to read from.
    fn into_stored(self: Box<Self>) -> Arc<dyn StoredFile>;
}

/// A lock that is held until this is dropped.
pub trait FileLock: fmt::Debug + Send {}

/// What is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStat {
    /// Tells whether it is the same file with the same content.
    pub stamp: Stamp,
    /// What it is.
    pub kind: FileKind,
    /// Permission bits as on Unix; `0o600` where there are none.
    pub mode: u32,
    /// The owner's number; 0 where there is none.
    pub owner: u32,
    /// The group's number; 0 where there is none.
    pub group: u32,
}

/// What changes when a file is replaced or written. Two looks at an unchanged file give the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The device.
    pub device: u64,
    /// The number of the file on it.
    pub inode: u64,
    /// Length in bytes.
    pub len: u64,
    /// When the content was changed.
    pub modified: Option<SystemTime>,
    /// When the content or its properties were changed, in nanoseconds since 1970; 0 where unknown.
    pub changed_nanos: i128,
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A folder.
    Folder,
    /// A pipe, a socket, a device.
    Special,
}

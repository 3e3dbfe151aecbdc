//! Opening a file under a folder that no link leads out of.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::file::ReadError;

use super::entry_path::EntryPath;

/// Why a file under the folder cannot be opened.
#[derive(Debug)]
pub(super) enum Miss {
    /// The folder itself cannot be opened.
    Root(io::Error),
    /// Nothing is there, or a folder.
    Absent,
    /// A link leads out of the folder.
    LeadsOut,
    /// There are too many links on the way.
    Links,
    /// It is there and cannot be read.
    File(ReadError),
}

/// Opens the regular file at `path` under `root`.
pub(super) fn open(root: &Path, path: &EntryPath) -> Result<File, Miss> {
    platform::open(root, path)
}

#[cfg(unix)]
mod platform {
    use std::ffi::{OsStr, OsString};
    use std::fs::{self, File};
    use std::os::fd::OwnedFd;
    use std::os::unix::ffi::OsStringExt;
    use std::path::{Component, Path, PathBuf};

    use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, readlinkat, statat};
    use rustix::io::Errno;

    use super::{EntryPath, Miss, ReadError};

    /// As many as Linux follows (`MAXSYMLINKS`).
    const MAX_LINKS: u32 = 40;

    /// Folders are opened to look things up in them, which does not need the right to list them.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

    /// A pipe that was put in the place of a file must not make us wait.
    const FILE: OFlags = OFlags::RDONLY
        .union(OFlags::NOFOLLOW)
        .union(OFlags::NONBLOCK)
        .union(OFlags::NOCTTY)
        .union(OFlags::CLOEXEC);

    pub(super) fn open(root: &Path, path: &EntryPath) -> Result<File, Miss> {
        let opened = openat(CWD, root, FOLDER, Mode::empty());
        let folder = opened.map_err(|errno| Miss::Root(errno.into()))?;
        let mut walk = Walk { root, above: Vec::new(), here: folder, rest: Vec::new(), links: 0 };
        walk.rest.extend(path.as_str().rsplit('/').map(OsString::from));
        while let Some(part) = walk.rest.pop() {
            if let Some(file) = walk.step(&part)? {
                return Ok(file);
            }
        }
        Err(Miss::Absent)
    }

    struct Walk<'r> {
        root: &'r Path,
        /// The folders between the root and `here`, the root first.
        above: Vec<OwnedFd>,
        here: OwnedFd,
        /// The parts that are still to go, the next one last.
        rest: Vec<OsString>,
        links: u32,
    }

    impl Walk<'_> {
        /// Goes one part further; gives the file when that is where the way ends.
        fn step(&mut self, part: &OsStr) -> Result<Option<File>, Miss> {
            if part == ".." {
                self.here = self.above.pop().ok_or(Miss::LeadsOut)?;
                return Ok(None);
            }
            let found = statat(&self.here, part, AtFlags::SYMLINK_NOFOLLOW).map_err(missed)?;
            match FileType::from_raw_mode(found.st_mode) {
                FileType::Symlink => self.follow(part)?,
                FileType::Directory => {
                    let flags = FOLDER | OFlags::NOFOLLOW;
                    let inner = openat(&self.here, part, flags, Mode::empty()).map_err(missed)?;
                    self.above.push(std::mem::replace(&mut self.here, inner));
                }
                FileType::RegularFile if self.rest.is_empty() => {
                    let file = openat(&self.here, part, FILE, Mode::empty()).map_err(missed)?;
                    return Ok(Some(file.into()));
                }
                FileType::RegularFile => return Err(Miss::Absent),
                _ => return Err(Miss::File(ReadError::Special)),
            }
            Ok(None)
        }

        fn follow(&mut self, part: &OsStr) -> Result<(), Miss> {
            self.links += 1;
            if self.links > MAX_LINKS {
                return Err(Miss::Links);
            }
            let target = readlinkat(&self.here, part, Vec::new()).map_err(missed)?;
            let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
            let target = if target.is_absolute() { self.restart(&target)? } else { target };
            for component in target.components().rev() {
                match component {
                    Component::Normal(part) => self.rest.push(part.to_owned()),
                    Component::ParentDir => self.rest.push("..".into()),
                    Component::CurDir => {}
                    Component::RootDir | Component::Prefix(_) => return Err(Miss::LeadsOut),
                }
            }
            Ok(())
        }

        /// Goes back to the root; gives the rest of an absolute path from there.
        fn restart(&mut self, target: &Path) -> Result<PathBuf, Miss> {
            let real = fs::canonicalize(self.root).map_err(Miss::Root)?;
            let inside = target.strip_prefix(&real).or_else(|_| target.strip_prefix(self.root));
            let inside = inside.map_err(|_| Miss::LeadsOut)?.to_owned();
            if !self.above.is_empty() {
                self.above.truncate(1);
                self.here = self.above.pop().ok_or(Miss::LeadsOut)?;
            }
            Ok(inside)
        }
    }

    fn missed(errno: Errno) -> Miss {
        match errno {
            // The last two: a folder or a file became something else since it was looked at.
            Errno::NOENT | Errno::NOTDIR | Errno::LOOP => Miss::Absent,
            _ => Miss::File(ReadError::Io(errno.into())),
        }
    }
}

#[cfg(not(unix))]
mod platform {
    use std::fs::{self, File};
    use std::io;
    use std::path::Path;

    use super::{EntryPath, Miss, ReadError};

    /// Between the check and the opening a link could be exchanged; there is no way around it here.
    pub(super) fn open(root: &Path, path: &EntryPath) -> Result<File, Miss> {
        let root = fs::canonicalize(root).map_err(Miss::Root)?;
        let real = fs::canonicalize(root.join(path.as_str())).map_err(missed)?;
        if !real.starts_with(&root) {
            return Err(Miss::LeadsOut);
        }
        if real.is_dir() {
            return Err(Miss::Absent);
        }
        File::open(real).map_err(missed)
    }

    fn missed(error: io::Error) -> Miss {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Miss::Absent,
            _ => Miss::File(ReadError::Io(error)),
        }
    }
}

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

/// What is at the end of a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
}

/// Opens the regular file at `path` under `root`.
pub(super) fn open(root: &Path, path: &EntryPath) -> Result<File, Miss> {
    platform::open(root, path)
}

/// What is at `path` under `root`, without opening it.
pub(super) fn kind(root: &Path, path: &EntryPath) -> Result<Kind, Miss> {
    platform::kind(root, path)
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

    use super::{EntryPath, Kind, Miss, ReadError};

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
        match Walk::to(root, path)? {
            End::File(folder, name) => {
                Ok(openat(folder, name, FILE, Mode::empty()).map_err(missed)?.into())
            }
            End::Folder => Err(Miss::Absent),
        }
    }

    pub(super) fn kind(root: &Path, path: &EntryPath) -> Result<Kind, Miss> {
        Walk::to(root, path).map(|end| match end {
            End::File(..) => Kind::File,
            End::Folder => Kind::Folder,
        })
    }

    enum End {
        /// A regular file of this name in that folder.
        File(OwnedFd, OsString),
        Folder,
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

    impl<'r> Walk<'r> {
        fn to(root: &'r Path, path: &EntryPath) -> Result<End, Miss> {
            let opened = openat(CWD, root, FOLDER, Mode::empty());
            let here = opened.map_err(|errno| Miss::Root(errno.into()))?;
            let rest = path.as_str().rsplit('/').map(OsString::from).collect();
            let mut walk = Walk { root, above: Vec::new(), here, rest, links: 0 };
            while let Some(part) = walk.rest.pop() {
                if walk.step(&part)? {
                    return Ok(End::File(walk.here, part));
                }
            }
            Ok(End::Folder)
        }

        /// Goes one part further; true when that is a file and the end of the way.
        fn step(&mut self, part: &OsStr) -> Result<bool, Miss> {
            if part == ".." {
                self.here = self.above.pop().ok_or(Miss::LeadsOut)?;
                return Ok(false);
            }
            let found = statat(&self.here, part, AtFlags::SYMLINK_NOFOLLOW).map_err(missed)?;
            match FileType::from_raw_mode(found.st_mode) {
                FileType::Symlink => self.follow(part)?,
                FileType::Directory => {
                    let flags = FOLDER | OFlags::NOFOLLOW;
                    let inner = openat(&self.here, part, flags, Mode::empty()).map_err(missed)?;
                    self.above.push(std::mem::replace(&mut self.here, inner));
                }
                FileType::RegularFile if self.rest.is_empty() => return Ok(true),
                FileType::RegularFile => return Err(Miss::Absent),
                _ => return Err(Miss::File(ReadError::Special)),
            }
            Ok(false)
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
            // A folder or a file may have become something else since it was looked at; and nothing
            // has a name that is longer than names can be.
            Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG => Miss::Absent,
            _ => Miss::File(ReadError::Io(errno.into())),
        }
    }
}

#[cfg(not(unix))]
mod platform {
    use std::fs::{self, File};
    use std::io;
    use std::path::{Path, PathBuf};

    use super::{EntryPath, Kind, Miss, ReadError};

    /// Between the check and the opening a link could be exchanged; there is no way around it here.
    pub(super) fn open(root: &Path, path: &EntryPath) -> Result<File, Miss> {
        match find(root, path)? {
            (Kind::File, real) => File::open(real).map_err(missed),
            (Kind::Folder, _) => Err(Miss::Absent),
        }
    }

    pub(super) fn kind(root: &Path, path: &EntryPath) -> Result<Kind, Miss> {
        find(root, path).map(|(kind, _)| kind)
    }

    fn find(root: &Path, path: &EntryPath) -> Result<(Kind, PathBuf), Miss> {
        let root = fs::canonicalize(root).map_err(Miss::Root)?;
        let real = fs::canonicalize(root.join(path.as_str())).map_err(missed)?;
        if !real.starts_with(&root) {
            return Err(Miss::LeadsOut);
        }
        match fs::metadata(&real).map_err(missed)? {
            found if found.is_file() => Ok((Kind::File, real)),
            found if found.is_dir() => Ok((Kind::Folder, real)),
            _ => Err(Miss::File(ReadError::Special)),
        }
    }

    fn missed(error: io::Error) -> Miss {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Miss::Absent,
            _ => Miss::File(ReadError::Io(error)),
        }
    }
}

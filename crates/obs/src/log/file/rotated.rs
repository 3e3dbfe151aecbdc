use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::log::file::name_of;
use crate::log::time::write_rfc3339;

/// What the name of a file ends in that was moved aside, where `0` is any digit.
const ENDING: &[u8; 24] = b".00000000T000000.000000Z";

/// How many names are tried for a file that is moved aside.
const MOST_NAMES: u32 = 1_000;

/// The files that one file was moved aside to.
pub(super) struct Rotated {
    folder: PathBuf,
    name: OsString,
}

impl Rotated {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new(".")).to_owned();
        Ok(Self { folder, name: name_of(path)? })
    }

    /// A name that nothing has: moving a file over another one would lose that.
    pub(super) fn free(&self, now: SystemTime) -> io::Result<PathBuf> {
        for number in 0..MOST_NAMES {
            let path = self.path_at(now + Duration::from_micros(number.into()));
            match fs::symlink_metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path),
                Err(error) => return Err(error),
                Ok(_) => {}
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Deletes all but the newest, and what is older. Goes on after an error, and tells the last one.
    pub(super) fn delete(
        &self,
        most: Option<usize>,
        age: Option<Duration>,
        now: SystemTime,
    ) -> io::Result<()> {
        if most.is_none() && age.is_none() {
            return Ok(());
        }
        let mut found = self.found()?;
        // The newest first: the time is written so that it sorts.
        found.sort_unstable_by(|left, right| right.cmp(left));
        let oldest = age.and_then(|age| now.checked_sub(age)).map(|time| self.path_at(time));
        let mut failed = Ok(());
        for (place, path) in found.into_iter().enumerate() {
            let is_too_many = most.is_some_and(|most| place >= most);
            let is_too_old = oldest.as_ref().is_some_and(|oldest| path < *oldest);
            if is_too_many || is_too_old {
                failed = match fs::remove_file(&path) {
                    // Another process was faster.
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    _ => failed,
                };
            }
        }
        failed
    }

    fn found(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if self.is_ours(&entry.file_name()) && entry.file_type()?.is_file() {
                found.push(self.folder.join(entry.file_name()));
            }
        }
        Ok(found)
    }

    fn is_ours(&self, name: &OsStr) -> bool {
        let ending = name.as_encoded_bytes().strip_prefix(self.name.as_encoded_bytes());
        ending.is_some_and(|ending| {
            let is_like = |(byte, like): (&u8, &u8)| match like {
                b'0' => byte.is_ascii_digit(),
                like => byte == like,
            };
            ending.len() == ENDING.len() && ending.iter().zip(ENDING).all(is_like)
        })
    }

    fn path_at(&self, time: SystemTime) -> PathBuf {
        let mut text = Vec::new();
        write_rfc3339(time, &mut text);
        let kept = text.iter().filter(|byte| !matches!(byte, b'-' | b':'));
        let mut name = self.name.clone();
        name.push(".");
        name.push(kept.map(|byte| char::from(*byte)).collect::<String>());
        self.folder.join(name)
    }
}

//! Reading regular files of bounded size, and telling whether they changed.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek};
use std::path::Path;
use std::time::SystemTime;

use secrets_core::{Effect, Error, ErrorKind};
use zeroize::Zeroizing;

/// How often a file is read again that changes while it is read.
const READS: u32 = 8;

/// What a file held.
pub(crate) struct Contents {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// When they were written; 1970 where the file system does not tell.
    pub(crate) modified: SystemTime,
    pub(crate) stamp: Stamp,
}

/// Tells whether a file is the same file with the same content. It is for telling changes, not
/// for a version: two writes within the resolution of the file system's clock may share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Device, number and length of the file.
    identity: (u64, u64, u64),
    /// When its content, and when anything about it was changed: seconds and nanoseconds.
    changed: [(i64, i64); 2],
}

impl Stamp {
    /// True for the same file, whatever it holds.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        let ((device, number, _), (other_device, other_number, _)) =
            (self.identity, other.identity);
        (device, number) == (other_device, other_number)
    }
}

/// Why a file cannot be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// It is a folder.
    Folder,
    /// It is a pipe, a socket or a device.
    Special,
    /// It is longer than the limit.
    TooLarge,
    /// It kept changing.
    Unsteady,
    /// The operating system failed.
    Io(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl ReadError {
    /// The error for the file that `what` describes, of which at most `limit` bytes were wanted.
    pub(crate) fn of(self, what: &str, limit: usize) -> Error {
        let (kind, fault) = match self {
            Self::Folder => (ErrorKind::InvalidValue, "is a folder, not a file"),
            Self::Special => {
                (ErrorKind::InvalidValue, "is a pipe, a socket or a device, not a file")
            }
            Self::TooLarge => {
                let message = format!("{what} has more than {limit} bytes");
                return Error::new(ErrorKind::TooLarge, message);
            }
            Self::Unsteady => (ErrorKind::Unavailable, "changed again and again while it was read"),
            Self::Io(error) => return io_error(format!("cannot read {what}"), error),
        };
        Error::new(kind, format!("{what} {fault}"))
    }

    /// True where there is nothing at the path.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// The error for a failure of the operating system before anything was changed. A file that is
/// missing is no missing secret: whoever means that looks for it first.
pub(crate) fn io_error(message: String, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ErrorKind::PermissionDenied
        }
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, message).with_source(error).with_effect(Effect::NotApplied)
}

/// Reads the regular file at `path`, links followed.
pub(crate) fn read(path: &Path, limit: usize) -> Result<Contents, ReadError> {
    // Before opening, since that alone can disturb a device; and after, since names change hands.
    regular(&std::fs::metadata(path)?)?;
    read_open(platform::open(path)?, limit)
}

/// Reads an open file, which may turn out not to be a regular one.
pub(crate) fn read_open(mut file: File, limit: usize) -> Result<Contents, ReadError> {
    for _ in 0..READS {
        let before = file.metadata()?;
        regular(&before)?;
        let bytes = read_to_end(&file, before.len(), limit)?;
        let stamp = Stamp::of(&before);
        if stamp == Stamp::of(&file.metadata()?) {
            let modified = before.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            return Ok(Contents { bytes, modified, stamp });
        }
        file.rewind()?;
    }
    Err(ReadError::Unsteady)
}

fn regular(metadata: &Metadata) -> Result<(), ReadError> {
    match metadata.file_type() {
        kind if kind.is_file() => Ok(()),
        kind if kind.is_dir() => Err(ReadError::Folder),
        _ => Err(ReadError::Special),
    }
}

/// Reads on to the end. The buffer never moves without being wiped.
fn read_to_end(
    mut file: &File,
    expected: u64,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    // One byte more, so that the end is seen, and that what is too large is not read whole.
    let most = limit.saturating_add(1);
    let room = usize::try_from(expected).unwrap_or(most).saturating_add(1).min(most);
    let mut bytes = Zeroizing::new(vec![0; room]);
    let mut filled = 0;
    loop {
        let free = bytes.get_mut(filled..).unwrap_or_default();
        if free.is_empty() {
            if filled > limit {
                return Err(ReadError::TooLarge);
            }
            let mut larger = Zeroizing::new(vec![0; filled.saturating_mul(2).clamp(4096, most)]);
            if let Some(begin) = larger.get_mut(..filled) {
                begin.copy_from_slice(&bytes);
            }
            bytes = larger;
            continue;
        }
        match file.read(free) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

#[cfg(unix)]
mod platform {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

    use rustix::fs::OFlags;

    use super::{File, Metadata, OpenOptions, Path, Stamp, io};

    impl Stamp {
        pub(crate) fn of(metadata: &Metadata) -> Self {
            Self {
                identity: (metadata.dev(), metadata.ino(), metadata.len()),
                changed: [
                    (metadata.mtime(), metadata.mtime_nsec()),
                    (metadata.ctime(), metadata.ctime_nsec()),
                ],
            }
        }
    }

    /// Opens at once, also where a pipe has no writer.
    pub(super) fn open(path: &Path) -> io::Result<File> {
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
    }
}

#[cfg(not(unix))]
mod platform {
    use super::{File, Metadata, Path, Stamp, SystemTime, io};

    impl Stamp {
        pub(crate) fn of(metadata: &Metadata) -> Self {
            let modified = metadata.modified().ok();
            let since = modified.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
            let since = since.unwrap_or_default();
            let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
            let modified = (seconds, i64::from(since.subsec_nanos()));
            Self { identity: (0, 0, metadata.len()), changed: [modified; 2] }
        }
    }

    pub(super) fn open(path: &Path) -> io::Result<File> {
        File::open(path)
    }
}

mod lock;
mod rotated;

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::lock::Asked;
use self::rotated::Rotated;
use crate::log::writer::Target;

/// How long a rotation that failed is not tried again. The file grows meanwhile.
const ROTATION_PAUSE: Duration = Duration::from_secs(60);

/// How much may be written until a rotation that failed is thought of again.
const UNROTATED_ROOM: usize = 1 << 20;

/// How often a file is looked at that others move aside at the same time.
const LOOKS: usize = 16;

/// A file, as a [`Target`]: moved aside by size or time, and written to at its end, so that the
/// lines of several processes stay whole.
///
/// A file that is moved aside gets the time in UTC behind its name, `app.log.20261123T174311.123456Z`;
/// only files that are called so are ever deleted. Whoever else moves the file aside (`logrotate`) has
/// nothing to tell: before each batch the name is looked at, and opened anew if it names another
/// file, or none. The folder has to be there; while it is not, that is an error of the target, and lines wait.
///
/// Symbolic links and whatever else is no regular file are refused. On a disk that is full a line
/// may be written in part; its rest follows as soon as there is room, behind what other
/// processes wrote meanwhile.
///
/// ```
/// use std::time::Duration;
///
/// use obs::log::{FileTarget, Period, Writer};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("app.log");
/// let target = FileTarget::builder(path)
///     .rotate_at(100 << 20)
///     .rotate_every(Period::Day)
///     .keep_files(14)
///     .open()?;
/// let (writer, guard) = Writer::builder("file").start(target)?;
/// writer.append(b"a line\n");
/// assert_eq!(guard.shutdown(Duration::from_secs(5)).written, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FileTarget {
    options: FileTargetBuilder,
    opened: Option<Opened>,
    rested_since: Option<SystemTime>,
    problem: Option<io::Error>,
}

/// Builds a [`FileTarget`].
#[derive(Debug, Clone)]
pub struct FileTargetBuilder {
    path: PathBuf,
    most_bytes: Option<u64>,
    period: Option<Period>,
    keep_files: Option<usize>,
    keep_for: Option<Duration>,
    mode: u32,
    now: fn() -> SystemTime,
}

/// How often a file is moved aside, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Period {
    /// At each full hour.
    Hour,
    /// At each midnight.
    Day,
}

#[derive(Debug)]
struct Opened {
    file: File,
    identity: Identity,
    /// The hour or day, counted from 1970, that its first lines are of.
    period: u64,
}

/// What tells files from each other, whatever they are called.
type Identity = (u64, u64);

impl FileTarget {
    /// A file at `path`, which is not moved aside.
    pub fn builder(path: impl Into<PathBuf>) -> FileTargetBuilder {
        FileTargetBuilder {
            path: path.into(),
            most_bytes: None,
            period: None,
            keep_files: None,
            keep_for: None,
            mode: 0o640,
            now: SystemTime::now,
        }
    }

    /// Sees to it that what is open is what the name names. Its length.
    fn look(&mut self, now: SystemTime) -> io::Result<u64> {
        let mut looked = self.look_once(now);
        for _ in 1..LOOKS {
            match &looked {
                // Another process made it, moved it aside or opened it in between.
                Err(error) if overtaken(error) => looked = self.look_once(now),
                _ => break,
            }
        }
        looked
    }

    fn look_once(&mut self, now: SystemTime) -> io::Result<u64> {
        let found = regular(&self.options.path)?;
        let is_same = match (&self.opened, &found) {
            (Some(opened), Some(found)) => opened.identity == identity(found),
            _ => false,
        };
        if is_same {
            return Ok(found.map_or(0, |found| found.len()));
        }
        self.opened = None;
        let (opened, length) = self.options.opened(found.as_ref(), now)?;
        self.opened = Some(opened);
        Ok(length)
    }

    fn is_due(&mut self, length: u64, record: u64, now: SystemTime) -> bool {
        let Some(opened) = &mut self.opened else { return false };
        let period = self.options.period_of(now);
        if length == 0 || period < opened.period {
            // Nothing is in it yet; or the clock was set back, and the future that it had is none.
            opened.period = period;
        }
        let is_too_long = self.options.most_bytes.is_some_and(|most| length + record > most);
        length > 0 && (is_too_long || period > opened.period)
    }

    /// Moves the file aside, opens another one, and deletes what is too old or too much. Another process
    /// may be doing so: then there is nothing to do.
    fn rotate(&mut self, now: SystemTime) -> io::Result<()> {
        let rotated = Rotated::of(&self.options.path)?;
        if let Some(opened) = self.opened.take() {
            let asked = lock::alone(&opened.file);
            let named = regular(&self.options.path)?;
            let is_there = named.is_some_and(|named| identity(&named) == opened.identity);
            if is_there && !matches!(asked, Asked::Taken) {
                match fs::rename(&self.options.path, rotated.free(now)?) {
                    // Whoever does not ask for locks was faster.
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        self.look(now)?;
        rotated.delete(self.options.keep_files, self.options.keep_for, now)
    }
}

impl FileTargetBuilder {
    /// Moves the file aside before it is longer than so many bytes. A record that is longer by itself
    /// has a file of its own.
    #[must_use]
    pub const fn rotate_at(mut self, bytes: u64) -> Self {
        self.most_bytes = Some(bytes);
        self
    }

    /// Moves the file aside at each full hour or midnight, in UTC, when the next record comes.
    #[must_use]
    pub const fn rotate_every(mut self, period: Period) -> Self {
        self.period = Some(period);
        self
    }

    /// Keeps so many files that were moved aside: instead of all of them.
    #[must_use]
    pub const fn keep_files(mut self, most: usize) -> Self {
        self.keep_files = Some(most);
        self
    }

    /// Deletes files that were moved aside longer ago, at the next rotation: instead of none.
    #[must_use]
    pub const fn keep_for(mut self, age: Duration) -> Self {
        self.keep_for = Some(age);
        self
    }

    /// The permissions of files that are made, less the `umask` of the process: instead of `0o640`.
    /// Files that are there keep theirs. On Unix alone.
    #[must_use]
    pub const fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// What says what time it is: instead of [`SystemTime::now`].
    #[must_use]
    pub fn clock(mut self, now: fn() -> SystemTime) -> Self {
        self.now = now;
        self
    }

    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// What has this name is no regular file, its folder is not there, or it may not be written.
    pub fn open(self) -> io::Result<FileTarget> {
        let now = (self.now)();
        let mut target =
            FileTarget { options: self, opened: None, rested_since: None, problem: None };
        target.look(now)?;
        let options = &target.options;
        let rotated = Rotated::of(&options.path)?;
        target.problem = rotated.delete(options.keep_files, options.keep_for, now).err();
        Ok(target)
    }

    fn period_of(&self, time: SystemTime) -> u64 {
        let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        match self.period {
            None => 0,
            Some(Period::Hour) => seconds / 3_600,
            Some(Period::Day) => seconds / 86_400,
        }
    }

    /// The file that has the name, and how long it is. Whether it is the one that was looked at is known
    /// only once it is open.
    fn opened(&self, found: Option<&Metadata>, now: SystemTime) -> io::Result<(Opened, u64)> {
        let mut options = File::options();
        options.append(true).create_new(found.is_none());
        set_mode(&mut options, self.mode);
        let file = options.open(&self.path)?;
        let metadata = file.metadata()?;
        let is_named = regular(&self.path)?
            .is_some_and(|named| named.is_file() && identity(&named) == identity(&metadata));
        if !is_named {
            let message = format!("`{}` was replaced while it was opened", self.path.display());
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
        }
        let mut length = metadata.len();
        if length > 0 && ends_within_a_line(&self.path) {
            // Whoever has the lock is in the middle of it; else who wrote last was cut off.
            let asked = lock::alone(&file);
            if !matches!(asked, Asked::Taken) && ends_within_a_line(&self.path) {
                length += u64::try_from((&file).write(b"\n")?).unwrap_or_default();
            }
        }
        let begun = if length > 0 { metadata.modified().unwrap_or(now) } else { now };
        let period = self.period_of(begun);
        Ok((Opened { file, identity: identity(&metadata), period }, length))
    }
}

impl Target for FileTarget {
    fn ready(&mut self, length: usize) -> io::Result<usize> {
        let now = (self.options.now)();
        let record = u64::try_from(length).unwrap_or(u64::MAX);
        let mut found = self.look(now)?;
        if self.is_due(found, record, now) {
            let rested = self.rested_since.map(|since| now.duration_since(since));
            if rested.is_some_and(|rested| rested.is_ok_and(|rested| rested < ROTATION_PAUSE)) {
                return Ok(UNROTATED_ROOM);
            }
            if let Err(error) = self.rotate(now) {
                // The log goes on in the file that there is.
                self.problem = Some(error);
                self.rested_since = Some(now);
            } else {
                self.rested_since = None;
            }
            found = self.look(now)?;
        }
        let Some(most) = self.options.most_bytes else { return Ok(usize::MAX) };
        if self.rested_since.is_some() {
            return Ok(UNROTATED_ROOM);
        }
        Ok(usize::try_from(most.saturating_sub(found)).unwrap_or(usize::MAX))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.opened {
            Some(opened) => {
                // Others see no line that is half written, while all are quick.
                let _writing = lock::to_write(&opened.file);
                (&opened.file).write(bytes)
            }
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn problem(&mut self) -> Option<io::Error> {
        self.problem.take()
    }
}

/// Whether an error may be gone when the file is looked at again.
fn overtaken(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, NotFound, ResourceBusy};
    matches!(error.kind(), AlreadyExists | NotFound | ResourceBusy)
}

/// What has this name, without following it anywhere; an error if that is no regular file.
fn regular(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(Some(found)),
        Ok(_) => Err(refused(path, "is no regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn refused(path: &Path, why: &str) -> io::Error {
    let message = format!("`{}` {why}", path.display());
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// Whether the last line is not ended; not, if that cannot be told.
fn ends_within_a_line(path: &Path) -> bool {
    let last = || -> io::Result<u8> {
        let mut file = File::open(path)?;
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        Ok(u8::from_ne_bytes(last))
    };
    last().is_ok_and(|last| last != b'\n')
}

fn name_of(path: &Path) -> io::Result<OsString> {
    path.file_name().map(OsString::from).ok_or_else(|| refused(path, "is no name of a file"))
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

/// Elsewhere what was opened is taken to be what the name names.
#[cfg(not(unix))]
const fn identity(_: &Metadata) -> Identity {
    (0, 0)
}

#[cfg(unix)]
fn set_mode(options: &mut fs::OpenOptions, mode: u32) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(mode);
}

#[cfg(not(unix))]
const fn set_mode(_: &mut fs::OpenOptions, _: u32) {}

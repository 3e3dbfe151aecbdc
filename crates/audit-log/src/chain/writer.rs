//! Writes a chain to its files. Everything in here may block.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::anchor::Anchor;
use super::key::{ChainKey, Mac};
use super::record::{Link, Opening, Position, seal};
use super::segment::{Listing, WriterName};
use super::tail::{Ending, Found, Search, Tail};
use crate::error::{Error, ErrorKind, Result};
use crate::ocsf::{self, OwnEvent, Product};

/// What does not change while a trail is open.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) folder: PathBuf,
    pub(crate) writer: WriterName,
    pub(crate) product: Product,
    /// The newest first.
    pub(crate) keys: Vec<ChainKey>,
    pub(crate) max_segment: u64,
    pub(crate) goes_on_after_damage: bool,
}

#[derive(Debug)]
pub(crate) struct Writer {
    setting: Setting,
    /// Held as long as the trail is open.
    _lock: Lock,
    current: Option<Current>,
    /// The last record that is known to be on the disk.
    last: Option<(Position, Mac)>,
    /// The highest number that a segment has.
    newest: u64,
    /// What the next segment begins with.
    opening: OwnEvent,
    /// Records that are known to be lost, to be written down.
    lost: u64,
}

/// The segment that is written to.
#[derive(Debug)]
struct Current {
    file: File,
    path: PathBuf,
    number: u64,
    len: u64,
}

impl Writer {
    /// Takes the writer's lock and finds the end of its chain. `anchor` is how far it is known to
    /// have come.
    pub(crate) fn open(setting: Setting, anchor: Option<&Anchor>) -> Result<Self> {
        make_folder(&setting.folder)?;
        let lock = lock(&setting)?;
        let listing = Listing::read(&setting.folder)?;
        let numbers = listing.of(&setting.writer);
        let newest = numbers.last().copied().unwrap_or_default();
        let tail = find_tail(&setting, numbers, anchor)?;
        let lost = missing(&setting, tail.as_ref(), anchor)?;
        let mut writer = Self {
            _lock: lock,
            current: None,
            last: tail.map(|tail| (tail.position, tail.mac)),
            newest,
            opening: if tail.is_some() { OwnEvent::RESTART } else { OwnEvent::START },
            lost,
            setting,
        };
        writer.resume(tail.as_ref())?;
        Ok(writer)
    }

    /// Writes on in the newest segment if it ends with a whole record.
    fn resume(&mut self, tail: Option<&Tail>) -> Result<()> {
        let Some(Tail { position, ending, .. }) = tail else { return Ok(()) };
        if *ending == Ending::OlderKey {
            self.opening = OwnEvent::ROTATE;
        }
        let Ending::Whole { len } = *ending else { return Ok(()) };
        if position.segment != self.newest {
            return Ok(());
        }
        let path = self.setting.writer.segment_path(&self.setting.folder, self.newest);
        let action = format!("write the trail in `{}`", path.display());
        let file = OpenOptions::new().append(true).open(&path);
        let file = file.map_err(|error| Error::io(&action, error))?;
        self.current = Some(Current { file, path, number: self.newest, len });
        Ok(())
    }

    /// Writes events, and how many were dropped before them. When this returns they are on the disk.
    pub(crate) fn write(
        &mut self,
        bodies: &[String],
        dropped: u64,
        now: SystemTime,
    ) -> Result<(Position, Mac)> {
        self.leave_unfit_segment();
        let mut batch = Batch::new(self, now)?;
        let is_new = self.current.is_none();
        if is_new {
            batch.open();
        }
        for own in own_events(self.lost, dropped) {
            batch.add_own(own);
        }
        bodies.iter().for_each(|body| batch.add(body));
        let Batch { text, position, mac, .. } = batch;
        if is_new {
            self.current = Some(self.create(position.segment)?);
        }
        self.put(&text)?;
        self.last = Some((position, mac));
        self.lost = 0;
        Ok((position, mac))
    }

    /// The last record that is known to be on the disk.
    pub(crate) const fn last(&self) -> Option<(Position, Mac)> {
        self.last
    }

    /// A segment that is full, or that is no longer where it was, is not written on.
    fn leave_unfit_segment(&mut self) {
        let Some(current) = &self.current else { return };
        if !current.is_in_place() {
            self.opening = OwnEvent::RESTART;
            self.current = None;
        } else if current.len >= self.setting.max_segment {
            self.opening = OwnEvent::ROTATE;
            self.current = None;
        }
    }

    fn create(&mut self, number: u64) -> Result<Current> {
        let path = self.setting.writer.segment_path(&self.setting.folder, number);
        let action = format!("create the segment `{}`", path.display());
        let fail = |error| Error::io(&action, error);
        let mut options = OpenOptions::new();
        let file = options.append(true).create_new(true).mode(0o600).open(&path).map_err(fail)?;
        self.newest = number;
        let folder = File::open(&self.setting.folder).and_then(|folder| folder.sync_all());
        folder.map_err(fail)?;
        Ok(Current { file, path, number, len: 0 })
    }

    fn put(&mut self, text: &str) -> Result<()> {
        let Some(current) = &mut self.current else { return Err(no_segment()) };
        let action = format!("write the trail in `{}`", current.path.display());
        if let Err(error) = current.file.write_all(text.as_bytes()) {
            // What was written of it goes, unless that fails too: then the segment ends here.
            if current.len == 0 || current.file.set_len(current.len).is_err() {
                self.abandon();
            }
            return Err(Error::io(&action, error));
        }
        if let Err(error) = current.file.sync_data() {
            // What is on the disk now is not known, and asking again would say nothing of it.
            self.abandon();
            return Err(Error::io(&action, error));
        }
        current.len += text.len() as u64;
        Ok(())
    }

    /// The next record begins a new segment, and follows the last that is known to be on the disk.
    fn abandon(&mut self) {
        self.opening = if self.last.is_some() { OwnEvent::RESTART } else { OwnEvent::START };
        let Some(current) = self.current.take() else { return };
        if current.len == 0 {
            // Nothing in it was ever acknowledged. If it stays the verifier knows what it is.
            let _ = fs::remove_file(current.path);
        }
    }
}

fn own_events(lost: u64, dropped: u64) -> impl Iterator<Item = OwnEvent> {
    let lost = (lost > 0).then(|| OwnEvent::lost(lost));
    let dropped = (dropped > 0).then(|| OwnEvent::dropped(dropped));
    [lost, dropped].into_iter().flatten()
}

/// No writer comes to it: somebody put a file there.
fn no_number() -> Error {
    let message = format!("a segment is numbered {}, so none can follow it", u64::MAX);
    Error::new(ErrorKind::Damaged, message)
}

fn no_segment() -> Error {
    Error::new(ErrorKind::Io, "no segment is open")
}

impl Current {
    /// Whether its name still leads to it: a file that was unlinked takes every write.
    fn is_in_place(&self) -> bool {
        let (Ok(ours), Ok(named)) = (self.file.metadata(), fs::symlink_metadata(&self.path)) else {
            return false;
        };
        (ours.dev(), ours.ino(), ours.len()) == (named.dev(), named.ino(), self.len)
    }
}

/// Records that are written together.
struct Batch<'a> {
    setting: &'a Setting,
    now: SystemTime,
    opening: Option<OwnEvent>,
    after: Option<Position>,
    text: String,
    /// Its first record.
    first: u64,
    position: Position,
    mac: Mac,
}

impl<'a> Batch<'a> {
    fn new(writer: &'a Writer, now: SystemTime) -> Result<Self> {
        let (sequence, mac) =
            writer.last.map_or((0, Mac::NONE), |(position, mac)| (position.sequence, mac));
        let segment = match &writer.current {
            Some(current) => current.number,
            None => writer.newest.checked_add(1).ok_or_else(no_number)?,
        };
        Ok(Self {
            setting: &writer.setting,
            now,
            opening: Some(writer.opening),
            after: writer.last.map(|(position, _)| position),
            text: String::new(),
            first: sequence + 1,
            position: Position { segment, sequence },
            mac,
        })
    }

    fn open(&mut self) {
        let Some(own) = self.opening.take() else { return };
        let body = ocsf::encode_own(&own, &self.setting.product, self.now);
        let key = self.setting.keys.first().map(ChainKey::id);
        let opening = key.map(|key| Opening { key, after: self.after });
        self.link(&body, opening);
    }

    fn add_own(&mut self, own: OwnEvent) {
        let body = ocsf::encode_own(&own, &self.setting.product, self.now);
        self.link(&body, None);
    }

    fn add(&mut self, body: &str) {
        self.link(body, None);
    }

    fn link(&mut self, body: &str, opening: Option<Opening>) {
        let Some(key) = self.setting.keys.first() else { return };
        self.position.sequence += 1;
        let link = Link {
            writer: &self.setting.writer,
            segment: self.position.segment,
            sequence: self.position.sequence,
            batch: self.first,
            prev: self.mac,
            opening,
        };
        self.mac = seal(body, &link, key, &mut self.text);
    }
}

/// The folder itself is made, for its owner alone; those above it are not ours.
fn make_folder(folder: &Path) -> Result<()> {
    let fail = |error| Error::io(&format!("make the folder `{}`", folder.display()), error);
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => sync_parent(folder).map_err(|error| {
            let _ = fs::remove_dir(folder);
            fail(error)
        }),
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(fail(error)),
        Err(_) if folder.is_dir() => {
            // Whoever made it may have been killed before this. If not, the parent may be closed to us.
            let _ = sync_parent(folder);
            Ok(())
        }
        Err(_) => {
            let message = format!("`{}` is no folder", folder.display());
            Err(Error::new(ErrorKind::Configuration, message))
        }
    }
}

/// Else a power failure may take a new folder, with all that was acknowledged in it.
fn sync_parent(folder: &Path) -> io::Result<()> {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// The name of a writer, taken.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Not left to closing: a child that another thread is about to start has the file open too.
        let _ = self.0.unlock();
    }
}

fn lock(setting: &Setting) -> Result<Lock> {
    let path = setting.writer.lock_path(&setting.folder);
    let action = format!("lock `{}`", path.display());
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(&path).map_err(|error| Error::io(&action, error))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => {
            let message = format!(
                "another writer is named {:?} in `{}`: each needs a name of its own",
                setting.writer,
                setting.folder.display()
            );
            Err(Error::new(ErrorKind::Locked, message))
        }
        Err(TryLockError::Error(error)) => Err(Error::io(&action, error)),
    }
}

fn find_tail(setting: &Setting, numbers: &[u64], anchor: Option<&Anchor>) -> Result<Option<Tail>> {
    let note = anchor.map(|anchor| anchor.sequence);
    let search = Search { writer: &setting.writer, keys: &setting.keys, note };
    for number in numbers.iter().rev() {
        let path = setting.writer.segment_path(&setting.folder, *number);
        let found = match search.read(&path, *number) {
            // Under another key nothing in it can be told from what somebody made up.
            Err(error) if error.kind() == ErrorKind::Damaged && setting.goes_on_after_damage => {
                continue;
            }
            found => found?,
        };
        let (damage, tail) = match found {
            Found::Nothing => continue,
            Found::Headless => (Some(1), None),
            Found::Tail(tail) => match tail.ending {
                Ending::Damaged { line } => (Some(line), Some(tail)),
                _ => (None, Some(tail)),
            },
        };
        if let Some(line) = damage.filter(|_| !setting.goes_on_after_damage) {
            let message = format!("line {line} of `{}` was altered", path.display());
            return Err(Error::new(ErrorKind::Damaged, message));
        }
        if tail.is_some() {
            return Ok(tail);
        }
    }
    Ok(None)
}

/// How many records are known to be missing at the end.
fn missing(setting: &Setting, tail: Option<&Tail>, anchor: Option<&Anchor>) -> Result<u64> {
    let Some(anchor) = anchor else { return Ok(0) };
    let last = tail.map_or(0, |tail| tail.position.sequence);
    let is_other = tail.and_then(|tail| tail.noted).is_some_and(|mac| mac != anchor.mac());
    if last >= anchor.sequence && !is_other {
        return Ok(0);
    }
    if setting.goes_on_after_damage {
        return Ok(anchor.sequence.saturating_sub(last).max(1));
    }
    if is_other {
        let message = format!("record {} is another than was anchored", anchor.sequence);
        return Err(Error::new(ErrorKind::Damaged, message));
    }
    let message =
        format!("the trail ends with record {last}, but {} was anchored", anchor.sequence);
    Err(Error::new(ErrorKind::Truncated, message))
}

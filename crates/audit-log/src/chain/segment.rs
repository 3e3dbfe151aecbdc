//! The files of a trail: `<writer>.<number>.jsonl`, numbered from 1 by each writer.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use crate::error::{Error, ErrorKind, Result};

const EXTENSION: &str = ".jsonl";
const MAX_NAME: usize = 64;

/// Who writes a chain: a service's instance, a command. Two at a time under one name are refused, so
/// a command that runs beside a service takes a name of its own.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WriterName(Box<str>);

impl WriterName {
    /// Takes a name: 1 to 64 lower-case letters, digits and `-`.
    ///
    /// # Errors
    /// `Configuration` when it is none.
    pub fn new(name: &str) -> Result<Self> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(fits) {
            return Ok(Self(name.into()));
        }
        let message = "the name of a writer takes 1 to 64 lower-case letters, digits and `-`";
        Err(Error::new(ErrorKind::Configuration, message))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn segment_path(&self, folder: &Path, number: u64) -> PathBuf {
        folder.join(format!("{self}.{number:08}{EXTENSION}"))
    }

    pub(crate) fn lock_path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{self}.lock"))
    }
}

impl fmt::Display for WriterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for WriterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

impl Serialize for WriterName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// What lies in the folder of a trail.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The numbers of each writer's segments, ascending.
    pub(crate) writers: BTreeMap<WriterName, Vec<u64>>,
    /// What is neither a segment nor a lock.
    pub(crate) foreign: Vec<PathBuf>,
}

impl Listing {
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let action = format!("list the trail in `{}`", folder.display());
        let fail = |error: io::Error| Error::io(&action, error);
        let mut listing = Self::default();
        for entry in fs::read_dir(folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name();
            let text = name.to_str().unwrap_or_default();
            match parse(text) {
                Some((writer, number)) => listing.writers.entry(writer).or_default().push(number),
                None if is_lock(text) => {}
                None => listing.foreign.push(entry.path()),
            }
        }
        listing.writers.values_mut().for_each(|numbers| numbers.sort_unstable());
        listing.foreign.sort_unstable();
        Ok(listing)
    }

    pub(crate) fn of(&self, writer: &WriterName) -> &[u64] {
        self.writers.get(writer).map_or(&[], Vec::as_slice)
    }
}

/// Opens a segment to read it. What is no regular file is none: to open a pipe would wait for ever.
pub(crate) fn open_segment(path: &Path) -> io::Result<BufReader<File>> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    File::open(path).map(BufReader::new)
}

fn parse(file: &str) -> Option<(WriterName, u64)> {
    let (writer, number) = file.strip_suffix(EXTENSION)?.split_once('.')?;
    let is_plain = number.len() >= 8 && number.bytes().all(|byte| byte.is_ascii_digit());
    let (writer, number) = (WriterName::new(writer).ok()?, number.parse().ok()?);
    // One name for each segment: no more zeros than it takes.
    (is_plain && format!("{number:08}").len() == file.len() - EXTENSION.len() - writer.0.len() - 1)
        .then_some((writer, number))
}

fn is_lock(file: &str) -> bool {
    file.strip_suffix(".lock").is_some_and(|name| WriterName::new(name).is_ok())
}

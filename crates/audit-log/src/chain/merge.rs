use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::record::Record;
use super::segment::{Listing, WriterName, open_segment};
use super::tail::Lines;
use crate::error::{Error, Result};

/// A record of one of the trails in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Who wrote it.
    pub writer: WriterName,
    /// Which of its records.
    pub sequence: u64,
    /// When it happened.
    pub time: SystemTime,
    /// The event, as OCSF.
    pub json: String,
}

/// The records of all trails in a folder, by time; those of one writer in the order in which it
/// wrote them, whatever its clock did. Lines that have not the form of a record are left out.
/// Nothing is verified: [`Verifier`](crate::Verifier) does that.
#[derive(Debug)]
pub struct Entries {
    sources: Vec<Source>,
    /// The next record of each source; a source stands here as long as it has one.
    next: BinaryHeap<Reverse<(i64, usize)>>,
    heads: Vec<Option<(Record, String)>>,
    failure: Option<Error>,
}

#[derive(Debug)]
struct Source {
    writer: WriterName,
    paths: VecDeque<PathBuf>,
    lines: Option<Lines<BufReader<File>>>,
    /// No record is sorted before one that its writer wrote earlier.
    latest: i64,
}

impl Entries {
    /// Reads the trails in a folder, record by record. This blocks.
    ///
    /// # Errors
    /// `Missing`, `Io`, `Configuration` when the folder cannot be listed.
    pub fn read(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let writers = Listing::read(folder)?.writers.into_iter();
        let sources = writers.map(|(writer, numbers)| Source {
            paths: numbers.iter().map(|number| writer.segment_path(folder, *number)).collect(),
            writer,
            lines: None,
            latest: i64::MIN,
        });
        let sources: Vec<_> = sources.collect();
        let heads = sources.iter().map(|_| None).collect();
        let mut entries = Self { sources, next: BinaryHeap::new(), heads, failure: None };
        for index in 0..entries.sources.len() {
            entries.advance(index);
        }
        Ok(entries)
    }

    /// Takes the next record of a source to the others.
    fn advance(&mut self, index: usize) {
        let (Some(source), Some(head)) = (self.sources.get_mut(index), self.heads.get_mut(index))
        else {
            return;
        };
        match source.read() {
            Ok(Some((record, json))) => {
                source.latest = source.latest.max(record.time);
                self.next.push(Reverse((source.latest, index)));
                *head = Some((record, json));
            }
            Ok(None) => {}
            Err(error) => self.failure = Some(error),
        }
    }
}

impl Source {
    fn read(&mut self) -> Result<Option<(Record, String)>> {
        loop {
            let Some(lines) = &mut self.lines else {
                let Some(path) = self.paths.pop_front() else { return Ok(None) };
                let fail = |error| Error::io(&format!("read `{}`", path.display()), error);
                self.lines = Some(Lines::new(open_segment(&path).map_err(fail)?));
                continue;
            };
            let Some(line) = lines.next().map_err(|error| Error::io("read the trail", error))?
            else {
                self.lines = None;
                continue;
            };
            let record = line.bytes.filter(|_| line.is_whole).and_then(Record::parse);
            let json = line.bytes.and_then(|bytes| std::str::from_utf8(bytes).ok());
            if let (Some(record), Some(json)) = (record, json) {
                return Ok(Some((record, json.to_owned())));
            }
        }
    }
}

impl Iterator for Entries {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.failure.take() {
            self.next.clear();
            return Some(Err(error));
        }
        let Reverse((_, index)) = self.next.pop()?;
        let (record, json) = self.heads.get_mut(index)?.take()?;
        let writer = self.sources.get(index)?.writer.clone();
        self.advance(index);
        let time = of_millis(record.time);
        Some(Ok(Entry { writer, sequence: record.chain.sequence, time, json }))
    }
}

fn of_millis(millis: i64) -> SystemTime {
    let span = Duration::from_millis(millis.unsigned_abs());
    let time = if millis < 0 { UNIX_EPOCH.checked_sub(span) } else { UNIX_EPOCH.checked_add(span) };
    time.unwrap_or(UNIX_EPOCH)
}

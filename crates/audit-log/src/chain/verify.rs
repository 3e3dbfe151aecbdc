use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::anchor::Anchor;
use super::key::{ChainKey, Mac};
use super::record::{Position, Record};
use super::segment::{Listing, WriterName, open_segment};
use super::tail::{Line, Lines};
use crate::error::{Error, Result};

/// More than these are counted and not described.
const MOST_FINDINGS: usize = 100;

/// Checks trails: that no record was altered, taken away, moved or added by somebody without the key.
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: Vec<ChainKey>,
    anchors: Vec<Anchor>,
}

/// What a verifier found in a folder.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// By writer.
    pub writers: Vec<WriterReport>,
    /// Files that belong to no trail. They are not read, and no fault of the trail.
    pub foreign: Vec<PathBuf>,
}

/// What was found of one writer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WriterReport {
    /// Who wrote it.
    pub writer: WriterName,
    /// How many records are in order.
    pub records: u64,
    /// The last of them.
    pub last: Option<Anchor>,
    /// Faults, in the order of the trail: the first of them is where it was first touched. At most
    /// 100.
    pub findings: Vec<Finding>,
    /// How many faults there are.
    pub faults: u64,
    /// Lines that a crash left behind and that were never acknowledged; no faults.
    pub leftovers: u64,
}

/// A fault of a trail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// In which segment.
    pub segment: u64,
    /// In which line of it, from 1; 0 where the whole segment is meant.
    pub line: u64,
    /// What.
    pub kind: FindingKind,
}

/// What is wrong with a trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindingKind {
    /// The line is not what was written where record `expected` should be: it was changed, or put in.
    Altered {
        /// Which record should be there.
        expected: u64,
    },
    /// Records are not there.
    Missing {
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
    /// The record stands at another place than it was written to, or is there twice.
    Moved {
        /// Which record.
        sequence: u64,
    },
    /// The trail ends before a record that was anchored.
    Truncated {
        /// The last that is there.
        last: u64,
        /// The one that was anchored.
        anchored: u64,
    },
    /// The record is another than was anchored under its number: the trail was written anew.
    Rewritten {
        /// Which record.
        sequence: u64,
    },
    /// The segment is chained by a key that was not given.
    UnknownKey,
    /// Records that had been acknowledged stand there, but the chain goes on without them: from
    /// before the damage that somebody did, or beside a second writer of the same name.
    LeftOut {
        /// The first of them.
        first: u64,
        /// The last of them that can be read.
        last: u64,
    },
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.writers.iter().all(|writer| writer.faults == 0)
    }

    /// How many records are in order.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.writers.iter().map(|writer| writer.records).sum()
    }
}

impl std::fmt::Display for FindingKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Altered { expected } => write!(f, "altered where record {expected} should be"),
            Self::Missing { first, last } if first == last => {
                write!(f, "record {first} is missing")
            }
            Self::Missing { first, last } => write!(f, "records {first} to {last} are missing"),
            Self::Moved { sequence } => {
                write!(f, "record {sequence} stands where it was not written")
            }
            Self::Truncated { last, anchored } => {
                write!(f, "the trail ends with record {last}, but {anchored} was anchored")
            }
            Self::Rewritten { sequence } => {
                write!(f, "record {sequence} is another than was anchored")
            }
            Self::UnknownKey => f.write_str("chained by a key that was not given"),
            Self::LeftOut { first, last } if first == last => {
                write!(f, "the chain goes on without record {first}")
            }
            Self::LeftOut { first, last } => {
                write!(f, "the chain goes on without records {first} to {last}")
            }
        }
    }
}

impl Verifier {
    /// Verifies by these keys: that in use, and those that older segments are chained by.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = ChainKey>) -> Self {
        Self { keys: keys.into_iter().collect(), anchors: Vec::new() }
    }

    /// Compares with these anchors too. Only they show that a trail was cut at its end, or written
    /// anew by somebody who has the key.
    #[must_use]
    pub fn with_anchors(mut self, anchors: impl IntoIterator<Item = Anchor>) -> Self {
        self.anchors.extend(anchors);
        self
    }

    /// Reads all trails in a folder. What a writer adds meanwhile may or may not be seen. This
    /// blocks.
    ///
    /// # Errors
    /// `Missing`, `Io`, `Configuration` when the folder or a file cannot be read.
    pub fn verify(&self, folder: impl AsRef<Path>) -> Result<Report> {
        let folder = folder.as_ref();
        let listing = Listing::read(folder)?;
        let mut writers = Vec::new();
        let mut numbers = listing.writers;
        for anchor in &self.anchors {
            numbers.entry(anchor.writer.clone()).or_default();
        }
        for (writer, numbers) in numbers {
            writers.push(self.verify_writer(folder, writer, &numbers)?);
        }
        Ok(Report { writers, foreign: listing.foreign })
    }

    fn verify_writer(
        &self,
        folder: &Path,
        writer: WriterName,
        numbers: &[u64],
    ) -> Result<WriterReport> {
        let segments = numbers.iter().map(|number| {
            self.read_segment(&writer, *number, &writer.segment_path(folder, *number))
        });
        let segments: Vec<Segment> = segments.collect::<Result<_>>()?;
        let mut walk = Walk::new(&writer, &self.anchors, &segments);
        for (index, segment) in segments.iter().enumerate() {
            walk.segment(segment, segments.get(index + 1..).unwrap_or_default());
        }
        Ok(walk.finish())
    }

    fn read_segment(&self, writer: &WriterName, number: u64, path: &Path) -> Result<Segment> {
        let fail = |error| Error::io(&format!("read the trail in `{}`", path.display()), error);
        let file = open_segment(path).map_err(fail)?;
        self.read(writer, number, file).map_err(fail)
    }

    fn read(
        &self,
        writer: &WriterName,
        number: u64,
        reader: impl BufRead,
    ) -> std::io::Result<Segment> {
        let mut lines = Lines::new(reader);
        let mut segment = Segment { number, ..Segment::default() };
        let mut key = None;
        while let Some(line) = lines.next()? {
            let record = self.genuine(writer, number, &mut key, &line);
            if matches!(record, Read::UnknownKey) && segment.entries.is_empty() {
                segment.has_unknown_key = true;
            }
            let entry = match record {
                Read::Record(entry) => Some(entry),
                Read::Nothing | Read::UnknownKey => None,
            };
            // Lines that are none of ours may be as many as somebody likes.
            if entry.is_some() || !matches!(segment.entries.last(), Some((_, None))) {
                segment.entries.push((line.number, entry));
            }
            (segment.len, segment.is_torn) = (line.number, !line.is_whole);
        }
        Ok(segment)
    }

    /// The record in a line, if it is one of this writer's segment under a key that was given.
    fn genuine(
        &self,
        writer: &WriterName,
        number: u64,
        key: &mut Option<usize>,
        line: &Line<'_>,
    ) -> Read {
        let Some(bytes) = line.bytes.filter(|_| line.is_whole) else { return Read::Nothing };
        let Some(record) = Record::parse(bytes) else { return Read::Nothing };
        let chain = record.chain.clone();
        if let Some(id) = chain.key {
            let Some((index, known)) = self.keys.iter().enumerate().find(|(_, key)| key.id() == id)
            else {
                return Read::UnknownKey;
            };
            // The name of another key counts for nothing until its seal shows it.
            if record.is_sealed_by(known, bytes) {
                *key = Some(index);
            }
        }
        // Where the opening is spoilt, which key it is shows in what follows.
        let unknown = || self.keys.iter().position(|key| record.is_sealed_by(key, bytes));
        *key = key.or_else(unknown);
        let sealed = key.and_then(|key| self.keys.get(key));
        let is_sealed = sealed.is_some_and(|key| record.is_sealed_by(key, bytes));
        if !is_sealed || chain.segment != number || chain.writer != writer.as_str() {
            return Read::Nothing;
        }
        let opens = chain.key.is_some();
        let Position { sequence, .. } = chain.position();
        Read::Record(Entry {
            sequence,
            batch: chain.batch,
            prev: chain.prev,
            mac: chain.mac,
            opens,
            after: chain.after,
        })
    }
}

enum Read {
    Record(Entry),
    UnknownKey,
    Nothing,
}

/// A record that was sealed by one of the keys.
#[derive(Debug, Clone, Copy)]
struct Entry {
    sequence: u64,
    batch: u64,
    prev: Mac,
    mac: Mac,
    opens: bool,
    after: Option<Position>,
}

#[derive(Debug, Default)]
struct Segment {
    number: u64,
    /// The lines with what is in them; of lines in a row without a record only the first.
    entries: Vec<(u64, Option<Entry>)>,
    /// How many lines there are.
    len: u64,
    /// The last line has no end.
    is_torn: bool,
    has_unknown_key: bool,
}

impl Segment {
    /// All lines from this one on.
    fn lines(&self, from: u64) -> impl Iterator<Item = (u64, Option<&Entry>)> {
        let ends = self.entries.iter().skip(1).map(|(line, _)| *line).chain([self.len + 1]);
        let rows = self.entries.iter().zip(ends);
        rows.flat_map(move |((line, entry), end)| {
            (from.max(*line)..end).map(move |line| (line, entry.as_ref()))
        })
    }

    /// The record that it begins with, if it begins as a segment does.
    fn opening(&self) -> Option<&Entry> {
        let (_, first) = self.entries.first()?;
        first.as_ref().filter(|entry| entry.opens)
    }
}

/// Goes along a chain.
struct Walk<'a> {
    writer: &'a WriterName,
    anchors: Vec<&'a Anchor>,
    /// Where each record stands, for those that are not where they should be.
    places: BTreeMap<u64, u32>,
    /// The next record; its predecessor's MAC, unless that was altered.
    next: u64,
    prev: Option<Mac>,
    report: WriterReport,
}

impl<'a> Walk<'a> {
    fn new(writer: &'a WriterName, anchors: &'a [Anchor], segments: &[Segment]) -> Self {
        let mut places = BTreeMap::new();
        for (_, entry) in segments.iter().flat_map(|segment| &segment.entries) {
            if let Some(entry) = entry {
                *places.entry(entry.sequence).or_default() += 1;
            }
        }
        let report = WriterReport {
            writer: writer.clone(),
            records: 0,
            last: None,
            findings: Vec::new(),
            faults: 0,
            leftovers: 0,
        };
        let anchors = anchors.iter().filter(|anchor| anchor.writer == *writer).collect();
        Self { writer, anchors, places, next: 1, prev: Some(Mac::NONE), report }
    }

    fn segment(&mut self, segment: &Segment, later: &[Segment]) {
        let number = segment.number;
        if segment.has_unknown_key {
            self.prev = None;
            return self.fault(number, 0, FindingKind::UnknownKey);
        }
        // A later segment says which record it follows: what stands behind that here was left by a
        // crash.
        let follower = later.iter().find_map(Segment::opening);
        let is_followed = follower.is_some();
        let resumed = follower.and_then(|opening| opening.after).map_or(0, |after| after.sequence);
        let cut = match follower.map(|opening| opening.after) {
            Some(Some(after)) if after.segment == number => Some(after.sequence),
            Some(Some(after)) if after.segment < number => Some(0),
            Some(None) => Some(0),
            _ => None,
        };
        for (line, entry) in segment.lines(1) {
            if cut.is_some_and(|cut| self.next > cut) {
                return self.leave(segment, line, resumed);
            }
            let is_last = line == segment.len;
            match entry {
                Some(entry) => self.record(number, line, entry),
                None if is_last && segment.is_torn && !is_followed => self.report.leftovers += 1,
                None => {
                    self.fault(number, line, FindingKind::Altered { expected: self.next });
                    // The record that stood there is what the next one follows.
                    if !self.places.contains_key(&self.next) {
                        self.next += 1;
                    }
                    self.prev = None;
                }
            }
        }
        if let Some(cut) = cut.filter(|cut| self.next <= *cut) {
            let kind = FindingKind::Missing { first: self.next, last: cut };
            self.fault(number, 0, kind);
            (self.next, self.prev) = (cut + 1, None);
        }
    }

    /// Lines from `line` on, which the chain does not go on from, but after the record `resumed`.
    fn leave(&mut self, segment: &Segment, line: u64, resumed: u64) {
        self.report.leftovers += segment.len + 1 - line;
        // A crash leaves a part of one batch. A second one was only written once the first was on
        // the disk.
        let rest = segment.entries.iter().filter(|(at, _)| *at >= line);
        let records = || rest.clone().filter_map(|(_, entry)| entry.as_ref());
        let Some(begun) = records().next().map(|entry| entry.batch) else { return };
        if records().all(|entry| entry.batch == begun && entry.batch <= resumed + 1) {
            return;
        }
        let last = records().map(|entry| entry.sequence).max().unwrap_or_default();
        self.fault(segment.number, line, FindingKind::LeftOut { first: resumed + 1, last });
    }

    fn record(&mut self, segment: u64, line: u64, entry: &Entry) {
        let sequence = entry.sequence;
        if sequence < self.next {
            return self.fault(segment, line, FindingKind::Moved { sequence });
        }
        if sequence > self.next {
            let missing = (self.next..sequence).find(|number| !self.places.contains_key(number));
            let kind = match missing {
                Some(first) => {
                    let mut rest = first..sequence;
                    let end = rest.find(|number| self.places.contains_key(number));
                    FindingKind::Missing { first, last: end.unwrap_or(sequence) - 1 }
                }
                None => FindingKind::Moved { sequence },
            };
            self.fault(segment, line, kind);
        } else if self.prev.is_some_and(|prev| prev != entry.prev) {
            self.fault(segment, line, FindingKind::Altered { expected: sequence });
        }
        let anchor = Anchor::new(self.writer.clone(), Position { segment, sequence }, entry.mac);
        let is_other = |known: &&&Anchor| known.sequence == sequence && known.mac() != entry.mac;
        if self.anchors.iter().any(|known| is_other(&known)) {
            self.fault(segment, line, FindingKind::Rewritten { sequence });
        }
        (self.next, self.prev) = (sequence + 1, Some(entry.mac));
        self.report.records += 1;
        self.report.last = Some(anchor);
    }

    fn fault(&mut self, segment: u64, line: u64, kind: FindingKind) {
        self.report.faults += 1;
        if self.report.findings.len() < MOST_FINDINGS {
            self.report.findings.push(Finding { segment, line, kind });
        }
    }

    fn finish(mut self) -> WriterReport {
        let last = self.next - 1;
        let newest = self.anchors.iter().max_by_key(|anchor| anchor.sequence);
        if let Some(anchor) = newest.filter(|anchor| anchor.sequence > last) {
            let kind = FindingKind::Truncated { last, anchored: anchor.sequence };
            self.fault(anchor.segment, 0, kind);
        }
        self.report
    }
}

/// Reads a segment of the writer `w` under the key of 32 sevens, in every way that segments are read.
#[cfg(fuzzing)]
pub fn fuzz_segment(bytes: &[u8]) {
    let (Ok(key), Ok(writer)) = (ChainKey::from_slice(&[7; 32]), WriterName::new("w")) else {
        return;
    };
    let verifier = Verifier::new([key.clone()]);
    let Ok(segment) = verifier.read(&writer, 1, bytes) else { return };
    let segments = [segment];
    let mut walk = Walk::new(&writer, &[], &segments);
    walk.segment(&segments[0], &[]);
    let report = walk.finish();
    let lines = segments[0].len;
    assert!(report.records + report.faults + report.leftovers <= 2 * lines);
    let search = super::tail::Search { writer: &writer, keys: &[key], note: Some(2) };
    if let Ok(super::tail::Found::Tail(tail)) =
        search.scan(1, bytes, |error| Error::io("read", error))
    {
        assert!(tail.position.sequence <= lines || report.faults > 0);
    }
}

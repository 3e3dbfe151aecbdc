//! Checks trails: what stands in them, and in which order.

mod report;
mod segment;
mod walk;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::anchor::Anchor;
use super::key::ChainKey;
use super::record::{Position, Record};
use super::segment::{Listing, WriterName, open_segment};
use super::tail::{Line, Lines};
use crate::error::{Error, Result};
pub use report::{Finding, FindingKind, Report, SegmentReport, WriterReport};
use segment::{Entry, Segment};
use walk::Walk;

/// Checks trails: that no record was altered, taken away, moved or added by somebody without the key.
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: Vec<ChainKey>,
    anchors: Vec<Anchor>,
    archives: Vec<PathBuf>,
    begins: Vec<Anchor>,
}

impl Verifier {
    /// Verifies by these keys: that in use first, then those that older segments are chained by, from
    /// the newest to the oldest. A segment under a key that had been replaced before it is a fault.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = ChainKey>) -> Self {
        let keys = keys.into_iter().collect();
        Self { keys, anchors: Vec::new(), archives: Vec::new(), begins: Vec::new() }
    }

    /// Compares with these anchors too. Only they show that a trail was cut at its end, or written
    /// anew by somebody who has the key.
    #[must_use]
    pub fn with_anchors(mut self, anchors: impl IntoIterator<Item = Anchor>) -> Self {
        self.anchors.extend(anchors);
        self
    }

    /// Reads another folder too, to which finished segments were moved: the chains go through all
    /// folders.
    ///
    /// ```
    /// # use audit_log::{AuditSink, ChainKey, Code, FileTrail, Product, Verifier, WriterName};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let parent = tempfile::tempdir()?;
    /// # let (folder, archive) = (parent.path().join("audit"), parent.path().join("archive"));
    /// # std::fs::create_dir(&archive)?;
    /// # let key = ChainKey::from_slice(&[7; 32])?;
    /// # let product = Product::new(Code::new("example"), Code::new("billing"));
    /// # let trail = FileTrail::at(&folder, WriterName::new("w")?, product, key.clone()).open().await?;
    /// # trail.flush().await?;
    /// let verifier = Verifier::new([key]).with_archive(&archive);
    /// let report = verifier.verify(&folder)?;
    /// assert!(report.is_intact());
    /// for segment in report.writers.iter().flat_map(|writer| writer.finished()) {
    ///     if let Some(name) = segment.path.file_name().filter(|_| segment.path.starts_with(&folder)) {
    ///         std::fs::rename(&segment.path, archive.join(name))?;
    ///     }
    /// }
    /// assert!(verifier.verify(&folder)?.is_intact());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_archive(mut self, folder: impl Into<PathBuf>) -> Self {
        self.archives.push(folder.into());
        self
    }

    /// Begins a writer's chain after this record, the last of a segment: that segment and those before
    /// it were deleted, and are not read where they still lie. Take it from
    /// [`SegmentReport::end`] of a report that was intact, and keep it like an anchor: whoever
    /// can change it can hide what was deleted.
    #[must_use]
    pub fn beginning_after(mut self, ends: impl IntoIterator<Item = Anchor>) -> Self {
        self.begins.extend(ends);
        self
    }

    /// Reads all trails in a folder, and in the archives. What a writer adds meanwhile may or may not
    /// be seen. This blocks.
    ///
    /// # Errors
    /// `Missing`, `Io`, `Configuration` when a folder or a file cannot be read.
    pub fn verify(&self, folder: impl AsRef<Path>) -> Result<Report> {
        let mut writers: BTreeMap<WriterName, Vec<(u64, PathBuf)>> = BTreeMap::new();
        let mut foreign = Vec::new();
        for folder in self.archives.iter().map(PathBuf::as_path).chain([folder.as_ref()]) {
            let listing = Listing::read(folder)?;
            foreign.extend(listing.foreign);
            for (writer, numbers) in listing.writers {
                let paths =
                    numbers.into_iter().map(|number| (number, writer.segment_path(folder, number)));
                let paths: Vec<_> = paths.collect();
                writers.entry(writer).or_default().extend(paths);
            }
        }
        for anchor in self.anchors.iter().chain(&self.begins) {
            writers.entry(anchor.writer.clone()).or_default();
        }
        let reports = writers.into_iter().map(|(writer, files)| self.verify_writer(&writer, files));
        Ok(Report { writers: reports.collect::<Result<_>>()?, foreign })
    }

    fn verify_writer(
        &self,
        writer: &WriterName,
        mut files: Vec<(u64, PathBuf)>,
    ) -> Result<WriterReport> {
        let begins = self.begins.iter().filter(|begin| begin.writer == *writer);
        let begin = begins.max_by_key(|begin| begin.sequence);
        files.retain(|(number, _)| begin.is_none_or(|begin| *number > begin.segment));
        files.sort();
        let segments =
            files.into_iter().map(|(number, path)| self.read_segment(writer, number, path));
        let segments: Vec<Segment> = segments.collect::<Result<_>>()?;
        let mut walk = Walk::new(writer, &self.anchors, begin, &segments);
        for (index, segment) in segments.iter().enumerate() {
            walk.segment(segment, segments.get(index + 1..).unwrap_or_default());
        }
        Ok(walk.finish())
    }

    fn read_segment(&self, writer: &WriterName, number: u64, path: PathBuf) -> Result<Segment> {
        let fail = |error| Error::io(&format!("read the trail in `{}`", path.display()), error);
        let file = open_segment(&path).map_err(fail)?;
        let segment = self.read(writer, number, file).map_err(fail)?;
        Ok(Segment { path, ..segment })
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
        segment.key = key;
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
            // The name of another key counts for nothing until its seal shows it, and for nothing
            // where the segment goes on by one already: who has an old key could take it over.
            if key.is_none() && record.is_sealed_by(known, bytes) {
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

/// Reads a segment of the writer `w` under the key of 32 sevens, in every way that segments are read.
#[cfg(fuzzing)]
pub fn fuzz_segment(bytes: &[u8]) {
    let (Ok(key), Ok(writer)) = (ChainKey::from_slice(&[7; 32]), WriterName::new("w")) else {
        return;
    };
    let verifier = Verifier::new([key.clone()]);
    let Ok(segment) = verifier.read(&writer, 1, bytes) else { return };
    let segments = [segment];
    let mut walk = Walk::new(&writer, &[], None, &segments);
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

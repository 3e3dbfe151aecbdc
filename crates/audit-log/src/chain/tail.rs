//! Where a chain ends: what the next record follows, and whether the file can be written on.

use std::io::{BufRead, Read};
use std::path::Path;

use super::key::{ChainKey, Mac};
use super::record::{Chain, MAX_LINE, Position, Record};
use super::segment::{WriterName, open_segment};
use crate::error::{Error, ErrorKind, Result};

/// The end of a writer's chain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tail {
    pub(crate) position: Position,
    pub(crate) mac: Mac,
    pub(crate) ending: Ending,
    /// The MAC of the record that was asked about, if it stands in the same segment.
    pub(crate) noted: Option<Mac>,
}

/// How a file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With the last record, after so many bytes.
    Whole { len: u64 },
    /// With what a crash left of the last batch, which was never acknowledged.
    Torn,
    /// It was chained by a key that was replaced since.
    OlderKey,
    /// It was altered before the last batch, in this line.
    Damaged { line: u64 },
}

/// What a segment tells of the end of the chain.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Found {
    /// Nothing: not even its first batch came to the disk.
    Nothing,
    Tail(Tail),
    /// Its beginning was altered, so what stands in it follows nothing.
    Headless,
}

/// What to look for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Search<'a> {
    pub(crate) writer: &'a WriterName,
    /// The newest first.
    pub(crate) keys: &'a [ChainKey],
    /// A record whose MAC is wanted.
    pub(crate) note: Option<u64>,
}

impl Search<'_> {
    /// Reads the segment `number`.
    pub(crate) fn read(&self, path: &Path, number: u64) -> Result<Found> {
        let fail = |error| Error::io(&format!("read the trail in `{}`", path.display()), error);
        self.scan(number, open_segment(path).map_err(fail)?, fail)
    }

    pub(crate) fn scan(
        &self,
        number: u64,
        reader: impl BufRead,
        fail: impl Fn(std::io::Error) -> Error,
    ) -> Result<Found> {
        let mut lines = Lines::new(reader);
        let mut scan =
            Scan { search: self, number, key: None, tail: None, torn: None, batch: None };
        while let Some(line) = lines.next().map_err(&fail)? {
            if let Some(damaged) = scan.look_at(&line)? {
                return Ok(damaged);
            }
        }
        let is_older = scan.key.is_some_and(|key| key > 0);
        let Some(mut tail) = scan.tail else { return Ok(Found::Nothing) };
        if scan.torn.is_some() {
            tail.ending = Ending::Torn;
        } else if is_older {
            tail.ending = Ending::OlderKey;
        }
        Ok(Found::Tail(tail))
    }
}

struct Scan<'a> {
    search: &'a Search<'a>,
    number: u64,
    /// Which of the keys the segment is chained by.
    key: Option<usize>,
    tail: Option<Tail>,
    /// The first line that is no record.
    torn: Option<u64>,
    /// The batch of what stands behind an opening that is not there.
    batch: Option<u64>,
}

impl Scan<'_> {
    /// Some when the trail was altered.
    fn look_at(&mut self, line: &Line<'_>) -> Result<Option<Found>> {
        let Some(record) = self.genuine(line)? else {
            self.torn.get_or_insert(line.number);
            return Ok(None);
        };
        let Some(tail) = &mut self.tail else {
            if self.torn.is_some() || record.chain.key.is_none() {
                // A power failure leaves the first batch without its first record. A second batch
                // was only written once the first was on the disk.
                let first = *self.batch.get_or_insert(record.chain.batch);
                self.torn.get_or_insert(line.number);
                return Ok((record.chain.batch != first).then_some(Found::Headless));
            }
            self.tail = Some(Tail::of(&record.chain, line.end));
            self.note(&record.chain);
            return Ok(None);
        };
        if let Some(torn) = self.torn {
            // What a power failure leaves of a batch may have holes, but lies within that batch.
            let is_of_last_batch = record.chain.batch <= tail.position.sequence + 1;
            let ending = Ending::Damaged { line: torn };
            return Ok((!is_of_last_batch).then_some(Found::Tail(Tail { ending, ..*tail })));
        }
        let follows = record.chain.sequence == tail.position.sequence + 1
            && record.chain.prev == tail.mac
            && record.chain.key.is_none();
        if !follows {
            let ending = Ending::Damaged { line: line.number };
            return Ok(Some(Found::Tail(Tail { ending, ..*tail })));
        }
        let noted = tail.noted;
        *tail = Tail { noted, ..Tail::of(&record.chain, line.end) };
        self.note(&record.chain);
        Ok(None)
    }

    fn note(&mut self, chain: &Chain) {
        if let Some(tail) = &mut self.tail
            && self.search.note == Some(chain.sequence)
        {
            tail.noted = Some(chain.mac);
        }
    }

    /// The record in a line, if it is one of this segment and was sealed by its key.
    fn genuine(&mut self, line: &Line<'_>) -> Result<Option<Record>> {
        let Some(record) = line.bytes.filter(|_| line.is_whole).and_then(Record::parse) else {
            return Ok(None);
        };
        let is_of_segment = record.chain.segment == self.number
            && record.chain.writer == self.search.writer.as_str();
        if !is_of_segment {
            return Ok(None);
        }
        let bytes = line.bytes.unwrap_or_default();
        let keys = self.search.keys;
        match record.chain.key {
            Some(id) if self.key.is_none() && line.number == 1 => {
                let known = keys.iter().position(|key| key.id() == id);
                let known = known.ok_or_else(|| another_key(self.number))?;
                // The name of another key counts for nothing until its seal shows it.
                let is_sealed = keys.get(known).is_some_and(|key| record.is_sealed_by(key, bytes));
                self.key = is_sealed.then_some(known);
            }
            _ => {
                // Where the opening is spoilt, which key it is shows in what follows.
                let sealing = || keys.iter().position(|key| record.is_sealed_by(key, bytes));
                self.key = self.key.or_else(sealing);
            }
        }
        let key = self.key.and_then(|key| keys.get(key));
        Ok(key.filter(|key| record.is_sealed_by(key, bytes)).map(|_| record))
    }
}

impl Tail {
    fn of(chain: &Chain, end: u64) -> Self {
        let ending = Ending::Whole { len: end };
        Self { position: chain.position(), mac: chain.mac, ending, noted: None }
    }
}

fn another_key(segment: u64) -> Error {
    let message = format!("segment {segment} is chained by a key that was not given");
    Error::new(ErrorKind::Damaged, message)
}

/// The lines of a file, whatever is in it.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    number: u64,
    offset: u64,
}

/// A line of a file.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    /// From 1.
    pub(crate) number: u64,
    /// Without the line feed; `None` when it is longer than any record.
    pub(crate) bytes: Option<&'a [u8]>,
    /// Whether it ends with a line feed.
    pub(crate) is_whole: bool,
    /// Where the next line begins.
    pub(crate) end: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), number: 0, offset: 0 }
    }

    pub(crate) fn next(&mut self) -> std::io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        let most = MAX_LINE as u64 + 1;
        let mut taken = (&mut self.reader).take(most).read_until(b'\n', &mut self.buffer)?;
        if taken == 0 {
            return Ok(None);
        }
        let mut is_whole = self.buffer.ends_with(b"\n");
        let is_short = is_whole || (taken as u64) < most;
        while !is_whole && !is_short {
            let skipped = self.reader.fill_buf()?;
            if skipped.is_empty() {
                break;
            }
            let end = skipped.iter().position(|byte| *byte == b'\n');
            is_whole = end.is_some();
            let used = end.map_or(skipped.len(), |end| end + 1);
            self.reader.consume(used);
            taken += used;
        }
        self.number += 1;
        self.offset += taken as u64;
        let bytes = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        let (number, end) = (self.number, self.offset);
        Ok(Some(Line { number, bytes: is_short.then_some(bytes), is_whole, end }))
    }
}

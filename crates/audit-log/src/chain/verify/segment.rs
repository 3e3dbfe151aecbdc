//! A segment as it was read.

use std::path::PathBuf;

use crate::chain::key::Mac;
use crate::chain::record::Position;

/// A record that was sealed by one of the keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) sequence: u64,
    pub(super) batch: u64,
    pub(super) prev: Mac,
    pub(super) mac: Mac,
    pub(super) opens: bool,
    pub(super) after: Option<Position>,
}

#[derive(Debug, Default)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    /// Which of the keys it is chained by, the newest first.
    pub(super) key: Option<usize>,
    /// The lines with what is in them; of lines in a row without a record only the first.
    pub(super) entries: Vec<(u64, Option<Entry>)>,
    /// How many lines there are.
    pub(super) len: u64,
    /// The last line has no end.
    pub(super) is_torn: bool,
    pub(super) has_unknown_key: bool,
}

impl Segment {
    /// All lines from this one on.
    pub(super) fn lines(&self, from: u64) -> impl Iterator<Item = (u64, Option<&Entry>)> {
        let ends = self.entries.iter().skip(1).map(|(line, _)| *line).chain([self.len + 1]);
        let rows = self.entries.iter().zip(ends);
        rows.flat_map(move |((line, entry), end)| {
            (from.max(*line)..end).map(move |line| (line, entry.as_ref()))
        })
    }

    /// The record that it begins with, if it begins as a segment does.
    pub(super) fn opening(&self) -> Option<&Entry> {
        let (_, first) = self.entries.first()?;
        first.as_ref().filter(|entry| entry.opens)
    }
}

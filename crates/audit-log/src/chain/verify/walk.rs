//! Goes along a chain, from segment to segment.

use std::collections::BTreeMap;

use super::report::{Finding, FindingKind, SegmentReport, WriterReport};
use super::segment::{Entry, Segment};
use crate::chain::anchor::Anchor;
use crate::chain::key::Mac;
use crate::chain::record::Position;
use crate::chain::segment::WriterName;

/// More than these are counted and not described.
const MOST_FINDINGS: usize = 100;

/// Goes along a chain.
pub(super) struct Walk<'a> {
    writer: &'a WriterName,
    anchors: Vec<&'a Anchor>,
    /// Where each record stands, for those that are not where they should be.
    places: BTreeMap<u64, u32>,
    /// The next record; its predecessor's MAC, unless that was altered.
    next: u64,
    prev: Option<Mac>,
    /// The newest key that a segment was chained by.
    newest_key: Option<usize>,
    report: WriterReport,
}

impl<'a> Walk<'a> {
    /// Along what was read of one writer, after the record `begin` if there is one.
    pub(super) fn new(
        writer: &'a WriterName,
        anchors: &'a [Anchor],
        begin: Option<&Anchor>,
        segments: &[Segment],
    ) -> Self {
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
            segments: Vec::new(),
        };
        let anchors = anchors.iter().filter(|anchor| anchor.writer == *writer).collect();
        let (next, prev) =
            begin.map_or((1, Mac::NONE), |begin| (after(begin.sequence), begin.mac()));
        let mut walk =
            Self { writer, anchors, places, next, prev: Some(prev), newest_key: None, report };
        if let Some(begin) = begin {
            walk.compare(begin.segment, 0, begin.sequence, begin.mac());
        }
        walk
    }

    /// Along a segment; `later` are those that come after it.
    pub(super) fn segment(&mut self, segment: &Segment, later: &[Segment]) {
        let is_twice =
            self.report.segments.last().is_some_and(|last| last.number == segment.number);
        if is_twice {
            self.fault(segment.number, 0, FindingKind::Twice);
        }
        self.mind_key(segment);
        self.records(segment, later);
        let end = self.report.last.clone().filter(|last| last.segment == segment.number);
        let (number, path) = (segment.number, segment.path.clone());
        self.report.segments.push(SegmentReport { number, path, end });
    }

    /// Who has a key that was replaced must not write on under it.
    fn mind_key(&mut self, segment: &Segment) {
        let Some(key) = segment.key else { return };
        if self.newest_key.is_some_and(|newest| newest < key) {
            self.fault(segment.number, 0, FindingKind::OlderKey);
        }
        self.newest_key = Some(self.newest_key.map_or(key, |newest| newest.min(key)));
    }

    fn records(&mut self, segment: &Segment, later: &[Segment]) {
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
                        self.next = after(self.next);
                    }
                    self.prev = None;
                }
            }
        }
        if let Some(cut) = cut.filter(|cut| self.next <= *cut) {
            let kind = FindingKind::Missing { first: self.next, last: cut };
            self.fault(number, 0, kind);
            (self.next, self.prev) = (after(cut), None);
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
        if records().all(|entry| entry.batch == begun && entry.batch <= after(resumed)) {
            return;
        }
        let last = records().map(|entry| entry.sequence).max().unwrap_or_default();
        self.fault(segment.number, line, FindingKind::LeftOut { first: after(resumed), last });
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
                    // One by one the missing ones may be too many.
                    let end = self.places.range(first..sequence).next();
                    let end = end.map_or(sequence, |(number, _)| *number);
                    FindingKind::Missing { first, last: end - 1 }
                }
                None => FindingKind::Moved { sequence },
            };
            self.fault(segment, line, kind);
        } else if self.prev.is_some_and(|prev| prev != entry.prev) {
            self.fault(segment, line, FindingKind::Altered { expected: sequence });
        }
        let anchor = Anchor::new(self.writer.clone(), Position { segment, sequence }, entry.mac);
        self.compare(segment, line, sequence, entry.mac);
        (self.next, self.prev) = (after(sequence), Some(entry.mac));
        self.report.records += 1;
        self.report.last = Some(anchor);
    }

    /// With what was anchored.
    fn compare(&mut self, segment: u64, line: u64, sequence: u64, mac: Mac) {
        let is_other = |known: &&Anchor| known.sequence == sequence && known.mac() != mac;
        if self.anchors.iter().any(is_other) {
            self.fault(segment, line, FindingKind::Rewritten { sequence });
        }
    }

    fn fault(&mut self, segment: u64, line: u64, kind: FindingKind) {
        self.report.faults += 1;
        if self.report.findings.len() < MOST_FINDINGS {
            self.report.findings.push(Finding { segment, line, kind });
        }
    }

    /// What was found.
    pub(super) fn finish(mut self) -> WriterReport {
        let last = self.next - 1;
        let newest = self.anchors.iter().max_by_key(|anchor| anchor.sequence);
        if let Some(anchor) = newest.filter(|anchor| anchor.sequence > last) {
            let kind = FindingKind::Truncated { last, anchored: anchor.sequence };
            self.fault(anchor.segment, 0, kind);
        }
        self.report
    }
}

/// Where a chain is to begin comes from outside, and may be the end of all numbers.
const fn after(sequence: u64) -> u64 {
    sequence.saturating_add(1)
}

//! What a verifier found.

use std::path::PathBuf;

use crate::chain::anchor::Anchor;
use crate::chain::segment::WriterName;

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
    /// The segments that were read, in order.
    pub segments: Vec<SegmentReport>,
}

/// What was found of one file of a trail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentReport {
    /// Its number.
    pub number: u64,
    /// Where it lies.
    pub path: PathBuf,
    /// The last record of it that the chain goes on from; `None` where it goes on from none.
    pub end: Option<Anchor>,
}

impl WriterReport {
    /// The segments that the writer has left for good, in order: those before the newest one that
    /// holds records. They may be moved away; see [`Verifier::with_archive`](crate::Verifier::with_archive).
    #[must_use]
    pub fn finished(&self) -> &[SegmentReport] {
        let newest = self.segments.iter().rposition(|segment| segment.end.is_some());
        self.segments.get(..newest.unwrap_or_default()).unwrap_or_default()
    }
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
    /// The segment is chained by a key that had been replaced before it was begun.
    OlderKey,
    /// The segment lies in more than one of the folders.
    Twice,
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
            Self::OlderKey => f.write_str("chained by a key that had been replaced before"),
            Self::Twice => f.write_str("there is another file of this number"),
            Self::LeftOut { first, last } if first == last => {
                write!(f, "the chain goes on without record {first}")
            }
            Self::LeftOut { first, last } => {
                write!(f, "the chain goes on without records {first} to {last}")
            }
        }
    }
}

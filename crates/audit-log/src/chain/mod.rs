//! The tamper-evident trail: chained records in files, their anchors and their verifier.

mod anchor;
mod hex;
mod key;
mod merge;
mod record;
mod segment;
mod tail;
mod trail;
mod verify;
mod writer;

pub use anchor::{Anchor, AnchorStore, FileAnchors};
pub use key::ChainKey;
pub use merge::{Entries, Entry};
pub use segment::WriterName;
pub use trail::{FileTrail, FileTrailBuilder};
#[cfg(fuzzing)]
pub use verify::fuzz_segment;
pub use verify::{Finding, FindingKind, Report, SegmentReport, Verifier, WriterReport};

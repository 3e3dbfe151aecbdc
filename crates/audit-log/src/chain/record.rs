//! One record of a chain: a line of JSON, an event of OCSF whose last member is its place in the
//! chain.
//!
//! ```text
//! {"activity_id":2, …, "unmapped":{ …, "chain":{"writer":"billing","segment":3,"sequence":1707,
//!   "batch":1705,"prev":"<mac of 1706>","mac":"<mac of all bytes before `,"mac"`>"}}}
//! ```
//!
//! The first record of a segment also names the key, and which record of which segment it follows.

use std::fmt::Write;

use serde::Deserialize;

use super::key::{ChainKey, KeyId, Mac};
use super::segment::WriterName;

/// The longest line: what is longer is no record of ours.
pub(crate) const MAX_LINE: usize = 256 * 1024;

/// Where a record stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link<'a> {
    pub(crate) writer: &'a WriterName,
    pub(crate) segment: u64,
    pub(crate) sequence: u64,
    /// The first record that was written together with it.
    pub(crate) batch: u64,
    pub(crate) prev: Mac,
    pub(crate) opening: Option<Opening>,
}

/// What the first record of a segment says besides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening {
    pub(crate) key: KeyId,
    pub(crate) after: Option<Position>,
}

/// A record of a writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Position {
    pub(crate) segment: u64,
    pub(crate) sequence: u64,
}

/// Adds the place in the chain to an event and seals it. The line ends with a line feed.
pub(crate) fn seal(body: &str, link: &Link<'_>, key: &ChainKey, into: &mut String) -> Mac {
    let begin = into.len();
    let open = body.strip_suffix("}}").unwrap_or(body);
    into.push_str(open);
    if !open.ends_with('{') {
        into.push(',');
    }
    let Link { writer, segment, sequence, batch, prev, opening } = link;
    // Writing to a string cannot fail.
    let _ = write!(
        into,
        r#""chain":{{"writer":"{writer}","segment":{segment},"sequence":{sequence},"batch":{batch}"#
    );
    if let Some(Opening { key, after }) = opening {
        let _ = write!(into, r#","key":"{key}""#);
        if let Some(Position { segment, sequence }) = after {
            let after = format_args!(r#""segment":{segment},"sequence":{sequence}"#);
            let _ = write!(into, r#","after":{{{after}}}"#);
        }
    }
    let _ = write!(into, r#","prev":"{prev}""#);
    let mac = key.of_record(into.get(begin..).unwrap_or_default().as_bytes());
    let _ = writeln!(into, r#","mac":"{mac}"}}}}}}"#);
    mac
}

/// A line that has the form of a record. What it says counts once its MAC has been checked.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) time: i64,
    pub(crate) chain: Chain,
}

/// The place of a record, as it says itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chain {
    pub(crate) writer: String,
    pub(crate) segment: u64,
    pub(crate) sequence: u64,
    pub(crate) batch: u64,
    pub(crate) key: Option<KeyId>,
    pub(crate) after: Option<Position>,
    pub(crate) prev: Mac,
    pub(crate) mac: Mac,
}

impl Chain {
    pub(crate) const fn position(&self) -> Position {
        Position { segment: self.segment, sequence: self.sequence }
    }
}

#[derive(Deserialize)]
struct Line {
    time: i64,
    unmapped: Unmapped,
}

#[derive(Deserialize)]
struct Unmapped {
    chain: Chain,
}

/// What follows the sealed bytes: `,"mac":"…"}}}`.
const TAIL: usize = br#","mac":""#.len() + Mac::DIGITS + br#""}}}"#.len();

impl Record {
    /// Reads a line without its line feed; `None` when it has not the form of a record.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        if line.len() > MAX_LINE {
            return None;
        }
        let Line { time, unmapped: Unmapped { chain } } = serde_json::from_slice(line).ok()?;
        let (_, tail) = line.split_at_checked(line.len().checked_sub(TAIL)?)?;
        let expected = format!(r#","mac":"{}"}}}}}}"#, chain.mac);
        (tail == expected.as_bytes()).then_some(Self { time, chain })
    }

    /// Whether it was sealed by this key.
    pub(crate) fn is_sealed_by(&self, key: &ChainKey, line: &[u8]) -> bool {
        let sealed = line.len().checked_sub(TAIL).and_then(|end| line.get(..end));
        sealed.is_some_and(|sealed| key.of_record(sealed) == self.chain.mac)
    }
}

use std::io;
use std::time::{Duration, SystemTime};

/// What became of the records that a [`Writer`](crate::log::Writer) was given: at any time
/// `taken = written + dropped.sum() + waiting`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Records that were handed in.
    pub taken: u64,
    /// Records that the target took as a whole.
    pub written: u64,
    /// Records that will not be written.
    pub dropped: Dropped,
    /// Records that are still to be written.
    pub waiting: u64,
}

/// Records that were not written, by the reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// There was no room: more came than the target takes.
    pub full: u64,
    /// There was no room because the target fails.
    pub io: u64,
    /// They came after the end, or could not be written before it. A record whose writing had begun
    /// and did not come back is among them, though its reader may have got it.
    pub closed: u64,
}

impl Dropped {
    /// All of them.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.full + self.io + self.closed
    }
}

/// How a [`Writer`](crate::log::Writer) is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// What became of the records so far.
    pub totals: Totals,
    /// Whether the target takes them.
    pub health: Health,
    /// How often the target failed.
    pub errors: u64,
    /// Its last error, even if it works again.
    pub last_error: Option<TargetError>,
}

/// Whether a target takes what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// It does.
    Working,
    /// It has not come back from a write for so long: a pipe that nobody reads, a disk that hangs.
    Blocked(Duration),
    /// It has failed since then, and is tried again.
    Failing(SystemTime),
    /// The writer was shut down.
    Closed,
}

/// An error of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TargetError {
    /// What kind of error it was.
    pub kind: io::ErrorKind,
    /// What the target said.
    pub message: Box<str>,
    /// When.
    pub at: SystemTime,
}

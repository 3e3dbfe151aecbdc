use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// What readers can tell of the run future without asking it: by when it promised to be back.
#[derive(Debug)]
pub(crate) struct Pulse {
    origin: Instant,
    /// A stamp; 0 while nobody runs.
    beats_until: AtomicU64,
}

/// A time as nanoseconds since the manager was built, to be kept in an atomic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(u64);

impl Stamp {
    pub(crate) const ZERO: Self = Self(0);
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self { origin: Instant::now(), beats_until: AtomicU64::new(0) }
    }

    pub(crate) fn stamp(&self, at: Instant) -> Stamp {
        let since = at.saturating_duration_since(self.origin).as_nanos();
        Stamp(u64::try_from(since).unwrap_or(u64::MAX))
    }

    /// The run future will be back at `at`, and is stalled when it is later than that by `grace`.
    pub(crate) fn promise(&self, at: Instant, grace: Duration) {
        let Stamp(stamp) = self.stamp(at + grace);
        self.beats_until.store(stamp.max(1), Ordering::Release);
    }

    pub(crate) fn stop(&self) {
        self.beats_until.store(0, Ordering::Release);
    }

    pub(crate) fn is_beating(&self, now: Instant) -> bool {
        let until = self.beats_until.load(Ordering::Acquire);
        until != 0 && self.stamp(now).0 <= until
    }
}

/// A [`Stamp`] that readers see.
#[derive(Debug)]
pub(crate) struct Deadline(AtomicU64);

impl Deadline {
    pub(crate) fn at(stamp: Stamp) -> Self {
        Self(AtomicU64::new(stamp.0))
    }

    pub(crate) fn set(&self, stamp: Stamp) {
        self.0.store(stamp.0, Ordering::Release);
    }

    pub(crate) fn get(&self) -> Stamp {
        Stamp(self.0.load(Ordering::Acquire))
    }
}

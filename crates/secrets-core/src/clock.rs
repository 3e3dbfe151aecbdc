use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Where the wall-clock time comes from, so that validity windows can be tested.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The current wall-clock time. It may jump, backwards too.
    fn now(&self) -> SystemTime;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A clock that moves only when told to; clones share the time.
///
/// ```
/// use secrets_core::{Clock, ManualClock};
/// use std::time::{Duration, SystemTime};
///
/// let clock = ManualClock::at(SystemTime::UNIX_EPOCH);
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(60));
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock {
    nanos_since_epoch: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock that stands at `time`; times before 1970 count as 1970, times after 2554 as 2554.
    pub fn at(time: SystemTime) -> Self {
        Self { nanos_since_epoch: Arc::new(AtomicU64::new(nanos(time))) }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.nanos_since_epoch
            .update(Ordering::Relaxed, Ordering::Relaxed, |now| now.saturating_add(by));
    }

    /// Moves the clock to `time`, which may lie in its past.
    pub fn set(&self, time: SystemTime) {
        self.nanos_since_epoch.store(nanos(time), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
            + Duration::from_nanos(self.nanos_since_epoch.load(Ordering::Relaxed))
    }
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

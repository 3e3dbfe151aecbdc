//! Lengths of time that a caller may have set to anything.

use std::time::Duration;

use tokio::time::Instant;

/// As good as never, and far from what an instant cannot hold.
const AGES: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);

/// Doubled so often at most.
const MOST_DOUBLINGS: u32 = 5;

/// So much later, or in thirty years if that is sooner.
pub(crate) fn after(now: Instant, time: Duration) -> Instant {
    now + time.min(AGES)
}

/// Twice as long for each time, but not without end.
pub(crate) fn doubled(time: Duration, times: u32) -> Duration {
    time.saturating_mul(1 << times.min(MOST_DOUBLINGS))
}

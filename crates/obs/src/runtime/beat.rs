use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::table::DELAYS;

/// How often it runs.
const EVERY: Duration = Duration::from_millis(100);

/// In the place of when it is due: it never began, or has ended.
const NEVER: u64 = 0;
const ENDED: u64 = u64::MAX;

/// A task that only tells how late it is.
#[derive(Debug)]
pub(super) struct Beat {
    /// What times are counted from.
    began: Instant,
    /// Nanoseconds.
    due: AtomicU64,
    counts: Vec<AtomicU64>,
    /// Nanoseconds.
    sum: AtomicU64,
}

/// How the heartbeat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pulse {
    /// Nobody started it.
    Never,
    /// It is late by so much.
    Overdue(Duration),
    /// Its task was dropped, and its runtime with it in all likelihood.
    Ended,
}

impl Beat {
    pub(super) fn new(began: Instant) -> Self {
        let counts = std::iter::repeat_with(AtomicU64::default).take(DELAYS.len() + 1).collect();
        Self { began, due: AtomicU64::new(NEVER), counts, sum: AtomicU64::new(0) }
    }

    fn nanos(&self, at: Instant) -> u64 {
        nanos(at.saturating_duration_since(self.began))
    }

    pub(super) fn pulse(&self, now: Instant) -> Pulse {
        match self.due.load(Ordering::Relaxed) {
            NEVER => Pulse::Never,
            ENDED => Pulse::Ended,
            due => Pulse::Overdue(Duration::from_nanos(self.nanos(now).saturating_sub(due))),
        }
    }

    fn heard(&self, late: Duration) {
        let seconds = late.as_secs_f64();
        let place = DELAYS.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(nanos(late), Ordering::Relaxed);
    }

    /// How many times it was so late, and the sum in seconds.
    pub(super) fn delays(&self) -> (Vec<u64>, f64) {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        (counts, Duration::from_nanos(self.sum.load(Ordering::Relaxed)).as_secs_f64())
    }

    pub(super) fn run(self: Arc<Self>) -> impl Future<Output = ()> + Send + 'static {
        let beating = Beating(self);
        async move {
            let Beating(beat) = &beating;
            loop {
                let due = Instant::now() + EVERY;
                beat.due.store(beat.nanos(due).max(NEVER + 1), Ordering::Relaxed);
                tokio::time::sleep_until(due.into()).await;
                beat.heard(Instant::now().saturating_duration_since(due));
            }
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX - 1)
}

/// Says that it ended when its task is dropped.
struct Beating(Arc<Beat>);

impl Drop for Beating {
    fn drop(&mut self) {
        self.0.due.store(ENDED, Ordering::Relaxed);
    }
}

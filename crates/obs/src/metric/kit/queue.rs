use std::time::Duration;

use metric_table::Metric;
use metrics::{Counter, Gauge, Histogram, SharedString, counter, gauge, histogram};

use super::SECONDS;

const QUEUE: &str = "queue.name";
const BATCH: &str = "batch.name";

pub(super) const ADDED: Metric =
    Metric::counter("queue.added", "{item}", "what was put into a queue").with_labels(&[QUEUE]);
pub(super) const REFUSED: Metric = Metric::counter(
    "queue.refused",
    "{item}",
    "what a queue did not take: it was `full` or `closed`",
)
.with_labels(&[QUEUE, "reason"]);
pub(super) const DISCARDED: Metric = Metric::counter(
    "queue.discarded",
    "{item}",
    "what left a queue and was not taken: it was too old, or nobody wanted it any more",
)
.with_labels(&[QUEUE]);
pub(super) const LENGTH: Metric =
    Metric::gauge("queue.length", "{item}", "what waits in a queue").with_labels(&[QUEUE]);
pub(super) const WAIT: Metric =
    Metric::histogram("queue.wait_time", "s", "how long what was taken had waited")
        .with_labels(&[QUEUE])
        .with_buckets(SECONDS);
pub(super) const ITEMS: Metric =
    Metric::counter("batch.items", "{item}", "what was worked off in batches, `ok` or `error`")
        .with_labels(&[BATCH, "outcome"]);
pub(super) const BATCH_SIZE: Metric =
    Metric::histogram("batch.size", "{item}", "how large batches are")
        .with_labels(&[BATCH])
        .with_buckets(&[1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0]);
pub(super) const BATCH_DURATION: Metric =
    Metric::histogram("batch.duration", "s", "how long batches take")
        .with_labels(&[BATCH])
        .with_buckets(SECONDS);

/// Metrics of one queue. Its length follows from what is added, taken and discarded, so that it is right
/// without anybody who asks the queue.
///
/// ```
/// use std::time::Duration;
/// use obs::metric::kit::{QueueMetrics, Refused};
///
/// let queue = QueueMetrics::new("mails");
/// let (sender, mails) = std::sync::mpsc::sync_channel(100);
/// let adding = queue.adding();
/// match sender.try_send("mail") {
///     Ok(()) => adding.done(),
///     Err(_) => adding.refused(Refused::Full),
/// }
/// if mails.recv().is_ok() {
///     queue.taken(Duration::from_millis(3));
/// }
/// ```
#[derive(Debug, Clone)]
pub struct QueueMetrics {
    added: Counter,
    full: Counter,
    closed: Counter,
    discarded: Counter,
    length: Gauge,
    wait: Histogram,
}

/// Why a queue did not take something, or a semaphore gave no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refused {
    /// There was no room.
    Full,
    /// Nobody takes anything out any more, or lets anybody in.
    Closed,
}

impl QueueMetrics {
    /// Those of the queue of this name, one of few that the program knows.
    #[must_use]
    pub fn new(name: impl Into<SharedString>) -> Self {
        let name = name.into();
        let refused = |reason| counter!(REFUSED.name, QUEUE => name.clone(), "reason" => reason);
        Self {
            added: counter!(ADDED.name, QUEUE => name.clone()),
            full: refused("full"),
            closed: refused("closed"),
            discarded: counter!(DISCARDED.name, QUEUE => name.clone()),
            length: gauge!(LENGTH.name, QUEUE => name.clone()),
            wait: histogram!(WAIT.name, QUEUE => name.clone()),
        }
    }

    /// Something is put into it now. It counts in the length at once: others may take it before this call knows that
    /// it is there, and the length is never below zero.
    pub fn adding(&self) -> Adding<'_> {
        self.length.increment(1);
        Adding { queue: self, is_there: false }
    }

    /// Something was taken out that had waited so long.
    pub fn taken(&self, waited: Duration) {
        self.length.decrement(1);
        self.wait.record(waited);
    }

    /// So many left it that nobody took: they were too old, or it was emptied or dropped.
    pub fn discarded(&self, items: usize) {
        self.discarded.increment(items as u64);
        self.length.decrement(items as f64);
    }
}

/// Something that is put into a queue. If it is dropped before its end is told, it was not put there, as when who waits
/// for room is cancelled.
#[derive(Debug)]
#[must_use = "what is not done was not put there"]
pub struct Adding<'a> {
    queue: &'a QueueMetrics,
    is_there: bool,
}

impl Adding<'_> {
    /// It is in the queue, or was taken out already.
    pub fn done(mut self) {
        self.is_there = true;
        self.queue.added.increment(1);
    }

    /// The queue did not take it.
    pub fn refused(self, why: Refused) {
        match why {
            Refused::Full => self.queue.full.increment(1),
            Refused::Closed => self.queue.closed.increment(1),
        }
    }
}

impl Drop for Adding<'_> {
    fn drop(&mut self) {
        if !self.is_there {
            self.queue.length.decrement(1);
        }
    }
}

/// Metrics of work that is done in batches.
///
/// ```
/// use std::time::Duration;
/// use obs::metric::kit::BatchMetrics;
///
/// // Of 100 items 3 failed.
/// BatchMetrics::new("invoices").done(97, 3, Duration::from_secs(2));
/// ```
#[derive(Debug, Clone)]
pub struct BatchMetrics {
    ok: Counter,
    failed: Counter,
    size: Histogram,
    duration: Histogram,
}

impl BatchMetrics {
    /// Those of the work of this name, one of few that the program knows.
    #[must_use]
    pub fn new(name: impl Into<SharedString>) -> Self {
        let name = name.into();
        let items = |outcome| counter!(ITEMS.name, BATCH => name.clone(), "outcome" => outcome);
        Self {
            ok: items("ok"),
            failed: items("error"),
            size: histogram!(BATCH_SIZE.name, BATCH => name.clone()),
            duration: histogram!(BATCH_DURATION.name, BATCH => name.clone()),
        }
    }

    /// A batch is done.
    pub fn done(&self, succeeded: usize, failed: usize, took: Duration) {
        self.ok.increment(succeeded as u64);
        self.failed.increment(failed as u64);
        self.size.record(succeeded.saturating_add(failed) as f64);
        self.duration.record(took);
    }
}

use std::time::Duration;

use metric_table::Metric;
use metrics::{Counter, Gauge, Histogram, SharedString, counter, gauge, histogram};

use super::{Active, Refused, SECONDS};

const POOL: &str = "pool.name";
const SEMAPHORE: &str = "semaphore.name";

pub(super) const RESOURCES: Metric =
    Metric::gauge("pool.count", "{resource}", "what a pool holds, `idle` or `used`")
        .with_labels(&[POOL, "state"]);
pub(super) const MOST: Metric =
    Metric::gauge("pool.max", "{resource}", "the most that a pool may hold").with_labels(&[POOL]);
pub(super) const PENDING: Metric =
    Metric::gauge("pool.pending_requests", "{request}", "who waits for a pool")
        .with_labels(&[POOL]);
pub(super) const TIMEOUTS: Metric =
    Metric::counter("pool.timeouts", "{timeout}", "who waited for a pool in vain")
        .with_labels(&[POOL]);
pub(super) const WAIT: Metric =
    Metric::histogram("pool.wait_time", "s", "how long a pool kept waiting")
        .with_labels(&[POOL])
        .with_buckets(SECONDS);
pub(super) const USE: Metric =
    Metric::histogram("pool.use_time", "s", "how long what a pool gave was used")
        .with_labels(&[POOL])
        .with_buckets(SECONDS);
pub(super) const PERMITS: Metric =
    Metric::gauge("semaphore.permits.max", "{permit}", "permits that there are")
        .with_labels(&[SEMAPHORE]);
pub(super) const PERMITS_USED: Metric =
    Metric::gauge("semaphore.permits.used", "{permit}", "permits that are given out")
        .with_labels(&[SEMAPHORE]);
pub(super) const PERMITS_PENDING: Metric =
    Metric::gauge("semaphore.pending_requests", "{request}", "who waits for a permit")
        .with_labels(&[SEMAPHORE]);
pub(super) const PERMITS_WAIT: Metric =
    Metric::histogram("semaphore.wait_time", "s", "how long permits were waited for")
        .with_labels(&[SEMAPHORE])
        .with_buckets(SECONDS);
pub(super) const PERMITS_REFUSED: Metric = Metric::counter(
    "semaphore.refused",
    "{request}",
    "who got no permits: all were given out (`full`), or there are none any more (`closed`)",
)
.with_labels(&[SEMAPHORE, "reason"]);

/// Metrics of one pool: of connections, threads, or whatever is lent.
///
/// ```
/// use std::time::Duration;
/// use obs::metric::kit::PoolMetrics;
///
/// let pool = PoolMetrics::new("warehouse");
/// pool.holds(3, 7);
/// {
///     let _waiting = pool.waits();
///     // … until there is one, or the caller is cancelled
/// }
/// pool.lent(Duration::from_millis(2));
/// pool.given_back(Duration::from_millis(40));
/// ```
#[derive(Debug, Clone)]
pub struct PoolMetrics {
    idle: Gauge,
    used: Gauge,
    most: Gauge,
    pending: Gauge,
    timeouts: Counter,
    wait: Histogram,
    use_time: Histogram,
}

impl PoolMetrics {
    /// Those of the pool of this name, one of few that the program knows.
    #[must_use]
    pub fn new(name: impl Into<SharedString>) -> Self {
        let name = name.into();
        let count = |state| gauge!(RESOURCES.name, POOL => name.clone(), "state" => state);
        Self {
            idle: count("idle"),
            used: count("used"),
            most: gauge!(MOST.name, POOL => name.clone()),
            pending: gauge!(PENDING.name, POOL => name.clone()),
            timeouts: counter!(TIMEOUTS.name, POOL => name.clone()),
            wait: histogram!(WAIT.name, POOL => name.clone()),
            use_time: histogram!(USE.name, POOL => name.clone()),
        }
    }

    /// It holds so much that nobody uses, and so much that somebody does.
    pub fn holds(&self, idle: usize, used: usize) {
        self.idle.set(idle as f64);
        self.used.set(used as f64);
    }

    /// The most that it may hold.
    pub fn may_hold(&self, most: usize) {
        self.most.set(most as f64);
    }

    /// Somebody waits for it, until what this gives is dropped.
    pub fn waits(&self) -> Active {
        Active::new(self.pending.clone())
    }

    /// It gave something to who had waited so long.
    pub fn lent(&self, waited: Duration) {
        self.wait.record(waited);
    }

    /// Somebody gave up waiting.
    pub fn timed_out(&self) {
        self.timeouts.increment(1);
    }

    /// Something came back that was used for so long.
    pub fn given_back(&self, used: Duration) {
        self.use_time.record(used);
    }
}

/// Metrics of one semaphore, or whatever else lets so many in at once.
///
/// ```
/// use std::time::Duration;
/// use obs::metric::kit::{Refused, SemaphoreMetrics};
///
/// let limit = SemaphoreMetrics::new("uploads", 16);
/// let waiting = limit.waits();
/// // … once there are 4 permits, as for a large one:
/// drop(waiting);
/// let _permits = limit.entered(4, Duration::from_millis(1));
/// // Who does not wait may get none.
/// limit.refused(Refused::Full);
/// ```
#[derive(Debug, Clone)]
pub struct SemaphoreMetrics {
    used: Gauge,
    pending: Gauge,
    wait: Histogram,
    full: Counter,
    closed: Counter,
}

impl SemaphoreMetrics {
    /// Those of the semaphore of this name, one of few that the program knows, with so many permits.
    #[must_use]
    pub fn new(name: impl Into<SharedString>, permits: usize) -> Self {
        let name = name.into();
        gauge!(PERMITS.name, SEMAPHORE => name.clone()).set(permits as f64);
        let refused =
            |reason| counter!(PERMITS_REFUSED.name, SEMAPHORE => name.clone(), "reason" => reason);
        Self {
            full: refused("full"),
            closed: refused("closed"),
            used: gauge!(PERMITS_USED.name, SEMAPHORE => name.clone()),
            pending: gauge!(PERMITS_PENDING.name, SEMAPHORE => name.clone()),
            wait: histogram!(PERMITS_WAIT.name, SEMAPHORE => name.clone()),
        }
    }

    /// Somebody waits for permits, until what this gives is dropped.
    pub fn waits(&self) -> Active {
        Active::new(self.pending.clone())
    }

    /// Somebody has so many permits after so long, until what this gives is dropped.
    pub fn entered(&self, permits: usize, waited: Duration) -> Active {
        self.wait.record(waited);
        Active::many(self.used.clone(), permits)
    }

    /// Somebody got none.
    pub fn refused(&self, why: Refused) {
        match why {
            Refused::Full => self.full.increment(1),
            Refused::Closed => self.closed.increment(1),
        }
    }
}

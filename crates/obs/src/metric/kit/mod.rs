//! Metrics of what most services have: caches, queues, pools, semaphores, retries, batches. Each kit
//! is a set of handles, made once for each cache or queue by its name, and has a table ([`METRICS`] is all of them). Handles
//! are of the recorder that is there when they are made: those that are made before the set-up count nothing, ever.
//!
//! There are no conventions of OpenTelemetry for these but of database connections, whose words (`idle`, `used`,
//! `pending_requests`, `timeouts`, `wait_time`) pools have here as well.

mod cache;
mod pool;
mod queue;
mod retry;

use metric_table::Metric;
use metrics::Gauge;

pub use cache::{CacheMetrics, Evicted};
pub use pool::{PoolMetrics, SemaphoreMetrics};
pub use queue::{Adding, BatchMetrics, QueueMetrics, Refused};
pub use retry::{RetriedCall, RetryMetrics};

/// Of waits and calls within a process or a data centre: those of OpenTelemetry's database conventions.
const SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// The metrics of all kits.
pub const METRICS: &[Metric] = &[
    cache::REQUESTS,
    cache::ENTRIES,
    cache::EVICTIONS,
    cache::LOADS,
    queue::ADDED,
    queue::REFUSED,
    queue::DISCARDED,
    queue::LENGTH,
    queue::WAIT,
    queue::ITEMS,
    queue::BATCH_SIZE,
    queue::BATCH_DURATION,
    pool::RESOURCES,
    pool::MOST,
    pool::PENDING,
    pool::TIMEOUTS,
    pool::WAIT,
    pool::USE,
    pool::PERMITS,
    pool::PERMITS_USED,
    pool::PERMITS_PENDING,
    pool::PERMITS_WAIT,
    pool::PERMITS_REFUSED,
    retry::CALLS,
    retry::ATTEMPTS,
];

/// Counts until it is dropped, whether what it stands for ends well, fails or is cancelled.
#[derive(Debug)]
#[must_use = "it counts until it is dropped"]
pub struct Active {
    gauge: Gauge,
    number: f64,
}

impl Active {
    /// Begins to count as one.
    pub fn new(gauge: Gauge) -> Self {
        Self::many(gauge, 1)
    }

    /// Begins to count as so many.
    fn many(gauge: Gauge, number: usize) -> Self {
        let number = number as f64;
        gauge.increment(number);
        Self { gauge, number }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.gauge.decrement(self.number);
    }
}

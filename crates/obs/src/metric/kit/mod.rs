//! Metrics of what most services have: caches, queues, pools, semaphores, retries, batches. Each kit
//! is a set of handles, made once for each cache or queue by its name, and has a table ([`METRICS`] is all of them).
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
pub use queue::{BatchMetrics, QueueMetrics, Refused};
pub use retry::RetryMetrics;

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
    retry::CALLS,
    retry::ATTEMPTS,
];

/// Counts as one until it is dropped, whether what it stands for ends well, fails or is cancelled.
#[derive(Debug)]
#[must_use = "it counts until it is dropped"]
pub struct Active {
    gauge: Gauge,
}

impl Active {
    /// Begins to count.
    pub fn new(gauge: Gauge) -> Self {
        gauge.increment(1);
        Self { gauge }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.gauge.decrement(1);
    }
}

use std::time::Duration;

use metric_table::Metric;
use metrics::{Counter, Gauge, Histogram, SharedString, counter, gauge, histogram};

use super::SECONDS;

const NAME: &str = "cache.name";

pub(super) const REQUESTS: Metric = Metric::counter(
    "cache.requests",
    "{request}",
    "what was asked of a cache, by what came of it: `hit` or `miss`",
)
.with_labels(&[NAME, "outcome"]);
pub(super) const ENTRIES: Metric =
    Metric::gauge("cache.entries", "{entry}", "entries that a cache holds").with_labels(&[NAME]);
pub(super) const EVICTIONS: Metric = Metric::counter(
    "cache.evictions",
    "{entry}",
    "entries that left a cache: `expired`, for want of room (`size`), or because they were `replaced`",
)
.with_labels(&[NAME, "reason"]);
pub(super) const LOADS: Metric = Metric::histogram(
    "cache.load.duration",
    "s",
    "how long it took to find what a cache did not have, `ok` or `error`",
)
.with_labels(&[NAME, "outcome"])
.with_buckets(SECONDS);

/// Metrics of one cache.
///
/// ```
/// use std::time::Duration;
/// use obs::metric::kit::{CacheMetrics, Evicted};
///
/// let cache = CacheMetrics::new("prices");
/// cache.miss();
/// cache.loaded(Duration::from_millis(12));
/// cache.hit();
/// cache.evicted(Evicted::Expired);
/// cache.entries(41);
/// ```
#[derive(Debug, Clone)]
pub struct CacheMetrics {
    hits: Counter,
    misses: Counter,
    entries: Gauge,
    expired: Counter,
    size: Counter,
    replaced: Counter,
    loaded: Histogram,
    failed: Histogram,
}

/// Why an entry left a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Evicted {
    /// Its time was over.
    Expired,
    /// Others needed the room.
    Size,
    /// A new value took its place, or somebody took it out.
    Replaced,
}

impl CacheMetrics {
    /// Those of the cache of this name, one of few that the program knows.
    #[must_use]
    pub fn new(name: impl Into<SharedString>) -> Self {
        let name = name.into();
        let requests =
            |outcome| counter!(REQUESTS.name, NAME => name.clone(), "outcome" => outcome);
        let evictions = |reason| counter!(EVICTIONS.name, NAME => name.clone(), "reason" => reason);
        let loads = |outcome| histogram!(LOADS.name, NAME => name.clone(), "outcome" => outcome);
        Self {
            hits: requests("hit"),
            misses: requests("miss"),
            entries: gauge!(ENTRIES.name, NAME => name.clone()),
            expired: evictions("expired"),
            size: evictions("size"),
            replaced: evictions("replaced"),
            loaded: loads("ok"),
            failed: loads("error"),
        }
    }

    /// It had what was asked for.
    pub fn hit(&self) {
        self.hits.increment(1);
    }

    /// It did not.
    pub fn miss(&self) {
        self.misses.increment(1);
    }

    /// What it did not have was found elsewhere after so long.
    pub fn loaded(&self, took: Duration) {
        self.loaded.record(took);
    }

    /// It was not found elsewhere either, after so long.
    pub fn load_failed(&self, took: Duration) {
        self.failed.record(took);
    }

    /// An entry left it.
    pub fn evicted(&self, why: Evicted) {
        match why {
            Evicted::Expired => self.expired.increment(1),
            Evicted::Size => self.size.increment(1),
            Evicted::Replaced => self.replaced.increment(1),
        }
    }

    /// It holds so many entries.
    pub fn entries(&self, count: usize) {
        self.entries.set(count as f64);
    }
}

//! What a series of a counter or a gauge is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use metrics::{CounterFn, GaugeFn};

use super::histogram::add_to;
use super::table::Series;

/// What all series of a recorder share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// How often exemplars were shown; each bucket keeps a new one after that.
    pub(crate) generation: AtomicU64,
    pub(crate) clock: fn() -> SystemTime,
    not_finite: AtomicU64,
}

impl Shared {
    pub(crate) fn new(clock: fn() -> SystemTime) -> Self {
        Self { generation: AtomicU64::new(1), clock, not_finite: AtomicU64::new(0) }
    }

    /// Counts values that are no finite numbers.
    pub(crate) fn reject(&self, count: u64) {
        self.not_finite.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn not_finite(&self) -> u64 {
        self.not_finite.load(Ordering::Relaxed)
    }
}

/// The state of one series.
pub(crate) trait Cell {
    /// Whether anything was measured since this was last asked.
    fn changed(&self) -> bool;
}

#[derive(Debug, Default)]
pub(crate) struct CounterCell {
    value: AtomicU64,
    seen: AtomicU64,
}

impl CounterCell {
    pub(crate) fn value(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

impl Cell for CounterCell {
    fn changed(&self) -> bool {
        let value = self.value();
        self.seen.swap(value, Ordering::Relaxed) != value
    }
}

impl CounterFn for Series<CounterCell> {
    fn increment(&self, value: u64) {
        self.cell().value.fetch_add(value, Ordering::Relaxed);
    }

    fn absolute(&self, value: u64) {
        self.cell().value.fetch_max(value, Ordering::Relaxed);
    }
}

#[derive(Debug)]
pub(crate) struct GaugeCell {
    shared: Arc<Shared>,
    /// The bits of an `f64`.
    value: AtomicU64,
    /// A gauge that is set to what it was is in use as well.
    touched: AtomicBool,
}

impl GaugeCell {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let shared = Arc::clone(shared);
        Self { shared, value: AtomicU64::new(0), touched: AtomicBool::new(false) }
    }

    pub(crate) fn value(&self) -> f64 {
        f64::from_bits(self.value.load(Ordering::Relaxed))
    }

    fn add(&self, value: f64) {
        if value.is_finite() {
            add_to(&self.value, value);
            self.touched.store(true, Ordering::Relaxed);
        } else {
            self.shared.reject(1);
        }
    }
}

impl Cell for GaugeCell {
    fn changed(&self) -> bool {
        self.touched.swap(false, Ordering::Relaxed)
    }
}

impl GaugeFn for Series<GaugeCell> {
    fn increment(&self, value: f64) {
        self.cell().add(value);
    }

    fn decrement(&self, value: f64) {
        self.cell().add(-value);
    }

    fn set(&self, value: f64) {
        let cell = self.cell();
        if value.is_finite() {
            cell.value.store(value.to_bits(), Ordering::Relaxed);
            cell.touched.store(true, Ordering::Relaxed);
        } else {
            cell.shared.reject(1);
        }
    }
}

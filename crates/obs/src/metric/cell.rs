//! What a series of a counter or a gauge is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use metrics::{CounterFn, GaugeFn};

use super::exemplar::{Examples, Exemplar};
use super::histogram::add_to;
use super::table::Series;

/// What all series of a recorder share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// How often exemplars were shown; each bucket keeps a new one after that.
    pub(crate) generation: AtomicU64,
    pub(crate) clock: fn() -> SystemTime,
    pub(crate) has_exemplars: bool,
    not_finite: AtomicU64,
}

impl Shared {
    pub(crate) fn new(clock: fn() -> SystemTime, has_exemplars: bool) -> Self {
        let (generation, not_finite) = (AtomicU64::new(1), AtomicU64::new(0));
        Self { generation, clock, has_exemplars, not_finite }
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
    /// Whether anything was measured since this was last asked, or it stands for something that has
    /// not ended.
    fn is_in_use(&self) -> bool;
}

#[derive(Debug)]
pub(crate) struct CounterCell {
    value: AtomicU64,
    seen: AtomicU64,
    example: Examples,
}

impl CounterCell {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let zero = || AtomicU64::new(0);
        Self { value: zero(), seen: zero(), example: Examples::new(shared, 1) }
    }

    pub(crate) fn value(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }

    pub(crate) fn example(&self) -> Option<Exemplar> {
        self.example.read(0)
    }
}

impl Cell for CounterCell {
    fn is_in_use(&self) -> bool {
        let value = self.value();
        self.seen.swap(value, Ordering::Relaxed) != value
    }
}

impl CounterFn for Series<CounterCell> {
    fn increment(&self, value: u64) {
        let cell = self.cell();
        cell.value.fetch_add(value, Ordering::Relaxed);
        cell.example.keep(0, approximate(value));
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
    /// Whether what it says is made of steps up and down: whoever went up will come down again, and
    /// must find it where it was.
    steps: AtomicBool,
}

impl GaugeCell {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let no = || AtomicBool::new(false);
        Self { shared: Arc::clone(shared), value: AtomicU64::new(0), touched: no(), steps: no() }
    }

    pub(crate) fn value(&self) -> f64 {
        f64::from_bits(self.value.load(Ordering::Relaxed))
    }

    fn add(&self, value: f64) {
        if value.is_finite() {
            add_to(&self.value, value);
            self.touched.store(true, Ordering::Relaxed);
            self.steps.store(true, Ordering::Relaxed);
        } else {
            self.shared.reject(1);
        }
    }
}

impl Cell for GaugeCell {
    fn is_in_use(&self) -> bool {
        let is_up = self.steps.load(Ordering::Relaxed) && self.value() != 0.0;
        // Asked in any case: it forgets what it saw.
        self.touched.swap(false, Ordering::Relaxed) || is_up
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
            cell.steps.store(false, Ordering::Relaxed);
        } else {
            cell.shared.reject(1);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "an example says about how much")]
const fn approximate(count: u64) -> f64 {
    count as f64
}

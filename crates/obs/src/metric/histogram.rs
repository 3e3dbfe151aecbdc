//! A distribution: buckets, their sum, and an example for each bucket.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::HistogramFn;

use super::cell::{Cell, Shared};
use super::exemplar::{Examples, Exemplar};
use super::table::Series;

/// The upper bounds of buckets, without the last one, which has none.
#[derive(Debug)]
pub(crate) struct Bounds {
    bounds: Box<[f64]>,
}

impl Bounds {
    /// Those of them that are finite, in order, each once.
    pub(crate) fn new(bounds: &[f64]) -> Self {
        let mut bounds: Vec<f64> = bounds.iter().copied().filter(|it| it.is_finite()).collect();
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        Self { bounds: bounds.into() }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        self.bounds.iter().copied()
    }

    /// Whether values below zero are expected.
    pub(crate) fn has_negative(&self) -> bool {
        self.bounds.first().is_some_and(|bound| *bound < 0.0)
    }

    /// Which bucket a value belongs to: the first whose bound is not below it.
    fn place(&self, value: f64) -> usize {
        // Most values lie in the first buckets, and there are few.
        self.bounds.iter().position(|bound| value <= *bound).unwrap_or(self.bounds.len())
    }
}

#[derive(Debug)]
pub(crate) struct HistogramCell {
    bounds: Arc<Bounds>,
    shared: Arc<Shared>,
    buckets: Box<[AtomicU64]>,
    /// The bits of an `f64`.
    sum: AtomicU64,
    /// One for each bucket.
    examples: Examples,
    seen: AtomicU64,
}

impl HistogramCell {
    pub(crate) fn new(bounds: &Arc<Bounds>, shared: &Arc<Shared>) -> Self {
        let buckets: Box<[_]> = (0..=bounds.bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self {
            examples: Examples::new(shared, buckets.len()),
            buckets,
            bounds: Arc::clone(bounds),
            shared: Arc::clone(shared),
            sum: AtomicU64::new(0),
            seen: AtomicU64::new(0),
        }
    }

    pub(crate) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// How many values each bucket has, with the example of it, in order.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (u64, Option<Exemplar>)> + '_ {
        let buckets = self.buckets.iter().enumerate();
        buckets.map(|(place, count)| (count.load(Ordering::Relaxed), self.examples.read(place)))
    }

    pub(crate) fn sum(&self) -> f64 {
        f64::from_bits(self.sum.load(Ordering::Relaxed))
    }

    fn add(&self, value: f64, count: u64) {
        if !value.is_finite() {
            self.shared.reject(count);
            return;
        }
        let place = self.bounds.place(value);
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(count, Ordering::Relaxed);
        }
        // At most 2^64 values: what is lost of their number as `f64` is lost in the sum anyway.
        if value != 0.0 {
            add_to(&self.sum, value * count as f64);
        }
        self.examples.keep(place, value);
    }
}

/// Adds to the bits of an `f64`; a sum that is too large stays the largest number.
pub(crate) fn add_to(bits: &AtomicU64, value: f64) {
    let mut before = bits.load(Ordering::Relaxed);
    loop {
        let sum = (f64::from_bits(before) + value).clamp(f64::MIN, f64::MAX);
        match bits.compare_exchange_weak(
            before,
            sum.to_bits(),
            Ordering::Relaxed,
            Ordering::Relaxed,
        ) {
            Ok(_) => return,
            Err(now) => before = now,
        }
    }
}

impl Cell for HistogramCell {
    fn is_in_use(&self) -> bool {
        let count =
            self.buckets.iter().map(|it| it.load(Ordering::Relaxed)).fold(0, u64::wrapping_add);
        self.seen.swap(count, Ordering::Relaxed) != count
    }
}

impl HistogramFn for Series<HistogramCell> {
    fn record(&self, value: f64) {
        self.cell().add(value, 1);
    }

    fn record_many(&self, value: f64, count: usize) {
        if count > 0 {
            self.cell().add(value, u64::try_from(count).unwrap_or(u64::MAX));
        }
    }
}

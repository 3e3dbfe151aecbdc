//! One metric: what it is, and its series.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metric_table::MetricKind;

use super::cell::{CounterCell, GaugeCell};
use super::histogram::{Bounds, HistogramCell};
use super::table::Table;
use crate::catalog::Exposed;

#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: Box<str>,
    pub(crate) table: Kinds,
    pub(crate) help: OnceLock<Box<str>>,
    /// What it is called in expositions; `None` if another one is called so already. It is settled
    /// when it is first shown, so that a description which comes after the first value still counts.
    pub(crate) exposed: OnceLock<Option<Shown>>,
    /// Whether it was said that something is wrong with it.
    said: AtomicBool,
    /// Whether it was said that it has more series than it may.
    said_overflow: AtomicBool,
}

/// A name, and what is made of it once.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) names: Exposed,
    /// `le="0.005"` and so on, the last one `le="+Inf"`.
    pub(crate) bounds: Box<[Box<str>]>,
}

#[derive(Debug)]
pub(crate) enum Kinds {
    Counter(Table<CounterCell>),
    Gauge(Table<GaugeCell>),
    Histogram(Table<HistogramCell>, Arc<Bounds>),
}

impl Family {
    pub(crate) fn new(name: &str, table: Kinds) -> Self {
        Self {
            name: name.into(),
            table,
            help: OnceLock::new(),
            exposed: OnceLock::new(),
            said: AtomicBool::new(false),
            said_overflow: AtomicBool::new(false),
        }
    }

    pub(crate) fn kind(&self) -> MetricKind {
        match self.table {
            Kinds::Counter(_) => MetricKind::Counter,
            Kinds::Gauge(_) => MetricKind::Gauge,
            Kinds::Histogram(..) => MetricKind::Histogram,
        }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.table {
            Kinds::Counter(table) => table.len(),
            Kinds::Gauge(table) => table.len(),
            Kinds::Histogram(table, _) => table.len(),
        }
    }

    pub(crate) fn sweep(&self, now: Duration, window: Duration) -> usize {
        match &self.table {
            Kinds::Counter(table) => table.sweep(now, window),
            Kinds::Gauge(table) => table.sweep(now, window),
            Kinds::Histogram(table, _) => table.sweep(now, window),
        }
    }

    /// Whether it is seen for the first time to have more series than it may.
    pub(crate) fn is_first_overflow(&self) -> bool {
        let has_overflow = match &self.table {
            Kinds::Counter(table) => table.has_overflow(),
            Kinds::Gauge(table) => table.has_overflow(),
            Kinds::Histogram(table, _) => table.has_overflow(),
        };
        has_overflow && !self.said_overflow.swap(true, Ordering::Relaxed)
    }

    /// Whether it is the first time that there is something to say of it.
    pub(crate) fn is_first_word(&self) -> bool {
        !self.said.swap(true, Ordering::Relaxed)
    }
}

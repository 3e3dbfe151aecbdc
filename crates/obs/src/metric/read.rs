//! Values of single series, for tests.

use std::sync::Arc;

use metrics::Label;

use super::MetricRecorder;
use super::family::Kinds;
use super::table::Table;

/// What a series holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Held {
    Counter(u64),
    Gauge(f64),
    /// The sum, the upper bounds but the last one, and how many values each bucket has.
    Histogram(f64, Vec<f64>, Vec<u64>),
}

/// A series by the name of its metric, and its labels as `a="x",b="y"`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reading {
    pub(crate) name: String,
    pub(crate) labels: String,
    pub(crate) held: Held,
}

impl MetricRecorder {
    /// All series, by name and in the order of their registration.
    pub(crate) fn read_all(&self) -> Vec<Reading> {
        let readings = self.families().into_iter().flat_map(|family| {
            let held: Vec<(String, Held)> = match &family.table {
                Kinds::Counter(table) => each(table, |cell| Held::Counter(cell.value())),
                Kinds::Gauge(table) => each(table, |cell| Held::Gauge(cell.value())),
                Kinds::Histogram(table, _) => each(table, |cell| {
                    let counts = cell.buckets().map(|(count, _)| count).collect();
                    Held::Histogram(cell.sum(), cell.bounds().iter().collect(), counts)
                }),
            };
            let name = family.name.to_string();
            held.into_iter().map(move |(labels, held)| Reading { name: name.clone(), labels, held })
        });
        readings.collect()
    }

    /// Labels as a series has them: named as in expositions, redacted, cut, sorted.
    pub(crate) fn label_text(&self, labels: &[(&str, &str)]) -> String {
        let labels: Vec<Label> = labels
            .iter()
            .map(|(name, value)| Label::new(name.to_string(), value.to_string()))
            .collect();
        self.label_rules().text(labels.iter()).text
    }
}

fn each<C: super::cell::Cell>(table: &Table<C>, read: impl Fn(&C) -> Held) -> Vec<(String, Held)> {
    let series = table.all();
    series
        .iter()
        .map(Arc::as_ref)
        .map(|series| (series.labels().to_owned(), read(series.cell())))
        .collect()
}

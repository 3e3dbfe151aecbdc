use std::fmt;

use metric_table::{Metric, MetricKind};
use metrics::Label;

use super::family::SourceFamilies;
use crate::metric::histogram::Bounds;
use crate::metric::labels::LabelRules;
use crate::metric::render;

/// Where a [`MetricSource`](super::MetricSource) says what it measures.
///
/// Labels are redacted and bounded like those of any metric. What is not declared in the source's table, is no finite number
/// or a counter below zero is not shown, but counted (`obs.metric.source.rejected`); so is what is said twice,
/// and what comes after the most series that a metric may have.
pub struct Samples<'a> {
    families: &'a SourceFamilies,
    rules: &'a LabelRules,
    most: usize,
    /// How many there are of each family.
    counts: Vec<usize>,
    taken: Vec<Sample>,
    rejected: u64,
}

/// A series of a source, and its value.
#[derive(Debug)]
pub(crate) struct Sample {
    /// The place of its family.
    pub(crate) family: usize,
    /// As `a="x",b="y"`.
    pub(crate) labels: Box<str>,
    pub(crate) value: SampleValue,
}

#[derive(Debug)]
pub(crate) enum SampleValue {
    Number(f64),
    Buckets {
        /// `le="0.005"` and so on, with how many values are in each bucket alone.
        buckets: Box<[(Box<str>, u64)]>,
        sum: Option<f64>,
    },
}

/// A distribution that somebody else keeps.
#[derive(Debug, Clone, Copy)]
pub struct Buckets<'a> {
    bounds: &'a [f64],
    counts: &'a [u64],
    sum: Option<f64>,
}

impl<'a> Buckets<'a> {
    /// `bounds` are the upper bounds of all buckets but the last one, in the metric's unit: finite numbers that rise.
    /// `counts` are how many values are in each bucket alone; there is one more of them.
    #[must_use]
    pub const fn new(bounds: &'a [f64], counts: &'a [u64]) -> Self {
        Self { bounds, counts, sum: None }
    }

    /// With the sum of all values, if it is known. OpenMetrics has no `_count` without it; the last bucket says
    /// the same.
    #[must_use]
    pub const fn with_sum(mut self, sum: f64) -> Self {
        self.sum = Some(sum);
        self
    }

    fn value(&self) -> Option<SampleValue> {
        let bounds = Bounds::new(self.bounds);
        // What is left out or in another order there is no bound of these counts.
        let is_whole = bounds.iter().eq(self.bounds.iter().copied());
        let is_number = self.sum.is_none_or(f64::is_finite);
        if !is_whole || !is_number || self.counts.len() != self.bounds.len() + 1 {
            return None;
        }
        let bounds = render::bounds_of(&bounds).into_vec();
        let buckets = bounds.into_iter().zip(self.counts.iter().copied()).collect();
        // A sum that may fall is none to OpenMetrics.
        let may_fall = self.bounds.first().is_some_and(|bound| *bound < 0.0);
        Some(SampleValue::Buckets { buckets, sum: self.sum.filter(|sum| !may_fall && *sum >= 0.0) })
    }
}

impl<'a> Samples<'a> {
    pub(crate) fn new(families: &'a SourceFamilies, rules: &'a LabelRules, most: usize) -> Self {
        let counts = vec![0; families.len()];
        Self { families, rules, most, counts, taken: Vec::new(), rejected: 0 }
    }

    /// Says the value of a counter or a gauge, in the unit that the metric has.
    pub fn sample(&mut self, metric: &Metric, labels: &[(&'static str, &str)], value: f64) {
        let fits = match metric.kind {
            MetricKind::Counter => value >= 0.0,
            MetricKind::Gauge => true,
            _ => false,
        };
        let value = (fits && value.is_finite()).then_some(SampleValue::Number(value));
        self.take(metric, labels, value);
    }

    /// Says how the values of a histogram are distributed.
    pub fn histogram(
        &mut self,
        metric: &Metric,
        labels: &[(&'static str, &str)],
        buckets: Buckets<'_>,
    ) {
        let is_histogram = metric.kind == MetricKind::Histogram;
        self.take(metric, labels, is_histogram.then(|| buckets.value()).flatten());
    }

    fn take(
        &mut self,
        metric: &Metric,
        labels: &[(&'static str, &str)],
        value: Option<SampleValue>,
    ) {
        let place = self.families.find(metric);
        let count = place.and_then(|place| self.counts.get_mut(place));
        let (Some(family), Some(count), Some(value)) = (place, count, value) else {
            self.rejected += 1;
            return;
        };
        if *count >= self.most {
            self.rejected += 1;
            return;
        }
        *count += 1;
        let labels: Vec<Label> =
            labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
        let labels = self.rules.text(labels.iter()).text.into();
        self.taken.push(Sample { family, labels, value });
    }

    /// All of them, and how many were not taken.
    pub(crate) fn into_taken(self) -> (Vec<Sample>, u64) {
        (self.taken, self.rejected)
    }
}

impl fmt::Debug for Samples<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Samples").field("taken", &self.taken.len()).finish_non_exhaustive()
    }
}

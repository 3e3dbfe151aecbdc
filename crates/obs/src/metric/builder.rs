use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::labels::LabelRules;
use super::{MetricRecorder, MetricSource};
use crate::catalog::Catalog;
use crate::record::{RedactedKeys, Resource};

/// Of a histogram in seconds: the advice of OpenTelemetry's HTTP conventions.
pub(crate) const SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Of any other histogram: the default of OpenTelemetry's SDK specification ("Explicit Bucket
/// Histogram Aggregation").
const OTHERS: &[f64] = &[
    0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0,
    10000.0,
];

/// The default of OpenTelemetry's SDK specification ("Cardinality limits").
pub(crate) const SERIES_LIMIT: usize = 2_000;

/// What a recorder goes by.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) catalog: Catalog,
    pub(crate) labels: LabelRules,
    pub(crate) series_limit: usize,
    pub(crate) most_families: usize,
    pub(crate) idle_after: Option<Duration>,
    pub(crate) clock: fn() -> SystemTime,
    pub(crate) steady_clock: fn() -> Instant,
    pub(crate) resource: Option<Resource>,
    pub(crate) has_exemplars: bool,
    buckets: HashMap<String, Vec<f64>>,
}

impl Rules {
    /// The bounds of a histogram whose unit has this word.
    pub(crate) fn bounds(&self, name: &str, unit: &str) -> &[f64] {
        let declared = self.catalog.get(name).map(|metric| metric.buckets);
        if let Some(chosen) = self.buckets.get(name) {
            return chosen;
        }
        match declared {
            Some(declared) if !declared.is_empty() => declared,
            // Many libraries describe nothing.
            _ if unit == "seconds" || name.ends_with("seconds") => SECONDS,
            _ => OTHERS,
        }
    }
}

/// Builds a [`MetricRecorder`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct MetricRecorderBuilder {
    rules: Rules,
    sources: Vec<Arc<dyn MetricSource>>,
}

impl MetricRecorderBuilder {
    pub(crate) fn new() -> Self {
        Self {
            rules: Rules {
                catalog: Catalog::new(),
                labels: LabelRules::default(),
                series_limit: SERIES_LIMIT,
                most_families: 2_000,
                idle_after: None,
                clock: SystemTime::now,
                steady_clock: Instant::now,
                resource: None,
                has_exemplars: true,
                buckets: HashMap::new(),
            },
            sources: Vec::new(),
        }
    }

    /// What is declared: units, descriptions and buckets come from there. What is not declared is recorded as well.
    pub fn catalog(mut self, catalog: Catalog) -> Self {
        self.rules.catalog = catalog;
        self
    }

    /// The most series of a metric, without the one for what comes after them; 2,000 if nothing else
    /// is said, as in OpenTelemetry's SDK specification ("Cardinality limits").
    pub fn series_limit(mut self, limit: usize) -> Self {
        self.rules.series_limit = limit;
        self
    }

    /// The most metrics; 2,000 if nothing else is said. What comes after them is not recorded, but
    /// counted (`obs.metric.rejected`).
    pub fn metric_limit(mut self, limit: usize) -> Self {
        self.rules.most_families = limit;
        self
    }

    /// The most bytes of a label's value; 256 if nothing else is said. What is longer ends in `… [CUT]`.
    pub fn longest_label(mut self, bytes: usize) -> Self {
        self.rules.labels.longest = bytes;
        self
    }

    /// The names of labels whose values are not shown; those of logs if nothing else is said.
    pub fn redacted_keys(mut self, keys: RedactedKeys) -> Self {
        self.rules.labels.redacted = keys;
        self
    }

    /// The upper bounds of a histogram that others declared, or nobody. Those that are not finite, or
    /// there already, are left out.
    pub fn buckets(mut self, metric: &str, bounds: &[f64]) -> Self {
        self.rules.buckets.insert(metric.to_owned(), bounds.to_vec());
        self
    }

    /// For how long a series is kept that nobody holds a handle of and that does not change:
    /// [`MetricRecorder::sweep`] forgets it then. Without this none is forgotten.
    pub fn idle_after(mut self, window: Duration) -> Self {
        self.rules.idle_after = Some(window);
        self
    }

    /// Keeps no exemplars: instead of one for each bucket.
    pub fn without_exemplars(mut self) -> Self {
        self.rules.has_exemplars = false;
        self
    }

    /// Whether exemplars are kept.
    #[cfg(feature = "settings")]
    pub(crate) fn exemplars(mut self, has_exemplars: bool) -> Self {
        self.rules.has_exemplars = has_exemplars;
        self
    }

    /// What is measured: the metric `target_info` says it, with the resource's names and values as
    /// labels, as OpenTelemetry's Prometheus compatibility has it. Queries join it by instance, so that no other series needs
    /// a label for the version.
    pub fn resource(mut self, resource: Resource) -> Self {
        self.rules.resource = Some(resource);
        self
    }

    /// Asks there, too, whenever it is shown what there is. The metrics of a source are those of its table;
    /// one that disagrees with the catalog or an earlier source is not shown, which is logged.
    pub fn source(self, source: impl MetricSource) -> Self {
        self.sources([Arc::new(source) as _])
    }

    /// The same, of several that are shared.
    pub fn sources(mut self, sources: impl IntoIterator<Item = Arc<dyn MetricSource>>) -> Self {
        self.sources.extend(sources);
        self
    }

    /// What says how old the values of a [`MetricSource`] are; [`Instant::now`] if nothing else is said.
    pub fn steady_clock(mut self, clock: fn() -> Instant) -> Self {
        self.rules.steady_clock = clock;
        self
    }

    /// What tells the time of exemplars; the system's if nothing else is said.
    pub fn clock(mut self, clock: fn() -> SystemTime) -> Self {
        self.rules.clock = clock;
        self
    }

    /// The recorder. It records what it is given; [`install`](MetricRecorder::install) makes it that of the process.
    #[must_use]
    pub fn build(self) -> MetricRecorder {
        MetricRecorder::new(self.rules, self.sources)
    }
}

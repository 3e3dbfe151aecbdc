use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use service_settings::{DurationSetting, Problem, Rules};

use super::below;
use super::limits::outside;
use super::size::SizeSetting;
use crate::metric::MetricRecorderBuilder;

/// What the recorder of metrics goes by.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct MetricsSettings {
    series_limit: Option<usize>,
    metric_limit: Option<usize>,
    longest_label: Option<SizeSetting>,
    idle_after: Option<DurationSetting>,
    exemplars: Option<bool>,
    buckets: BTreeMap<String, Vec<f64>>,
}

/// More than these nobody can collect.
const SERIES: (usize, usize) = (1, 1_000_000);
const METRICS: (usize, usize) = (1, 100_000);
const MOST_BUCKETS: usize = 256;

impl MetricsSettings {
    /// What is said, over what the builder was told before.
    pub(super) fn over(&self, mut builder: MetricRecorderBuilder) -> MetricRecorderBuilder {
        if let Some(limit) = self.series_limit {
            builder = builder.series_limit(limit);
        }
        if let Some(limit) = self.metric_limit {
            builder = builder.metric_limit(limit);
        }
        if let Some(longest) = self.longest_label {
            builder = builder.longest_label(longest.length());
        }
        if let Some(window) = self.idle_after {
            builder = builder.idle_after(window.get());
        }
        if let Some(has_exemplars) = self.exemplars {
            builder = builder.exemplars(has_exemplars);
        }
        let each = self.buckets.iter();
        each.fold(builder, |builder, (metric, bounds)| builder.buckets(metric, bounds))
    }
}

impl Rules for MetricsSettings {
    fn problems(&self) -> Vec<Problem> {
        let (minute, year) = (Duration::from_secs(60), Duration::from_secs(366 * 24 * 60 * 60));
        let found = [
            ("series_limit", outside(self.series_limit, SERIES)),
            ("metric_limit", outside(self.metric_limit, METRICS)),
            ("longest_label", self.longest_label.and_then(|size| size.outside(16, 64 << 10))),
            // Sooner than that a series would be gone before it is collected.
            ("idle_after", self.idle_after.and_then(|time| time.outside(minute, year))),
        ];
        let found = found.into_iter();
        let found = found.filter_map(|(path, message)| Some(Problem::invalid(path, message?)));
        let buckets = self.buckets.iter().flat_map(|(metric, bounds)| {
            let problem = wrong(metric, bounds).map(|message| Problem::invalid("", message));
            below(metric, problem.into_iter().collect())
        });
        found.chain(below("buckets", buckets.collect())).collect()
    }
}

fn wrong(metric: &str, bounds: &[f64]) -> Option<String> {
    if metric.is_empty() {
        return Some("is no name of a metric".to_owned());
    }
    if bounds.is_empty() || bounds.len() > MOST_BUCKETS {
        return Some(format!("has no bounds, or more than {MOST_BUCKETS}"));
    }
    let are_finite = bounds.iter().all(|bound| bound.is_finite());
    let are_rising = bounds.is_sorted_by(|one, next| one < next);
    (!are_finite || !are_rising)
        .then(|| "has bounds that are not finite, or not each above the one before".to_owned())
}

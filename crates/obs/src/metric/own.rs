//! What the recorder says of itself, through itself.

use metric_table::Metric;
use metrics::{Counter, Gauge, Key, Label, Level, Metadata, Recorder};

use super::{MetricRecorder, source};
use crate::record::Resource;

const SERIES: &str = "obs.metric.series";
const REJECTED: &str = "obs.metric.rejected";
const EXPIRED: &str = "obs.metric.expired";
const TARGET: &str = "target.info";

/// Of OpenTelemetry's Prometheus compatibility.
pub(super) const TARGET_INFO: Metric =
    Metric::gauge(TARGET, "{target}", "what is measured: the resource, by its labels");

/// The metrics of the recorder itself. It knows them without being told.
pub const METRICS: &[Metric] = &[
    Metric::gauge(SERIES, "{series}", "series that are kept"),
    Metric::counter(
        REJECTED,
        "{measurement}",
        "what was not recorded: values that are not finite (`not_finite`), metrics that are there with another kind (`kind`), \
         metrics beyond the limit (`families`), and metrics that are not shown because another one has the name (`collision`)",
    )
    .with_labels(&["reason"]),
    Metric::counter(EXPIRED, "{series}", "series that were forgotten because nothing used them"),
    TARGET_INFO,
    source::DURATION,
    source::FAILURES,
    source::REJECTED,
];

#[derive(Debug)]
pub(crate) struct Own {
    series: Gauge,
    expired: Counter,
    not_finite: Counter,
    kind: Counter,
    families: Counter,
    collision: Counter,
    /// Held, so that it does not expire.
    _target: Option<Gauge>,
}

impl Own {
    pub(crate) fn register(recorder: &MetricRecorder) -> Self {
        let metadata = Metadata::new(module_path!(), Level::INFO, None);
        let rejected = |reason| {
            let labels = vec![Label::from_static_parts("reason", reason)];
            recorder.register_counter(&Key::from_parts(REJECTED, labels), &metadata)
        };
        for metric in METRICS {
            let (name, help) = (metric.name.into(), metric.help.into());
            recorder.describe_gauge(name, Some(metric.facade_unit()), help);
        }
        Self {
            series: recorder.register_gauge(&Key::from_static_name(SERIES), &metadata),
            expired: recorder.register_counter(&Key::from_static_name(EXPIRED), &metadata),
            not_finite: rejected("not_finite"),
            kind: rejected("kind"),
            families: rejected("families"),
            collision: rejected("collision"),
            _target: recorder.resource().map(|resource| target(recorder, resource)),
        }
    }

    pub(crate) fn reject(&self, reason: &str) {
        match reason {
            "kind" => self.kind.increment(1),
            "families" => self.families.increment(1),
            _ => self.collision.increment(1),
        }
    }

    pub(crate) fn expired(&self, series: usize) {
        self.expired.increment(series as u64);
    }

    pub(crate) fn update(&self, recorder: &MetricRecorder) {
        self.series.set(recorder.series() as f64);
        self.not_finite.absolute(recorder.not_finite());
    }
}

/// Says what is measured.
pub(super) fn target(recorder: &impl Recorder, resource: &Resource) -> Gauge {
    let labels = resource.iter();
    let labels = labels.map(|(name, value)| Label::new(name.to_owned(), value.to_owned()));
    let key = Key::from_parts(TARGET, labels.collect::<Vec<_>>());
    let metadata = Metadata::new(module_path!(), Level::INFO, None);
    let target = recorder.register_gauge(&key, &metadata);
    target.set(1);
    target
}

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod check;

use metrics::Unit;

/// What a library says of one metric that it gives to the [`metrics`] facade.
///
/// ```
/// use metric_table::{Metric, MetricKind};
///
/// const DURATION: Metric = Metric::histogram("db.client.operation.duration", "s", "how long operations took")
///     .with_labels(&["db.operation.name", "error.type"])
///     .with_buckets(&[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0]);
/// assert_eq!(DURATION.kind, MetricKind::Histogram);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name, in the style of OpenTelemetry's conventions: lower-case words joined by dots.
    pub name: &'static str,
    /// What it does.
    pub kind: MetricKind,
    /// Its unit as UCUM writes it: `s`, `By`, `1`, or what is counted in braces, as `{request}`.
    pub unit: &'static str,
    /// What it says.
    pub help: &'static str,
    /// The labels that it carries, all of them of bounded sets.
    pub labels: &'static [&'static str],
    /// The upper bounds of a histogram's buckets, without the last one, which has no bound; none of
    /// its own if this is empty.
    pub buckets: &'static [f64],
}

/// What a metric does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It is a distribution.
    Histogram,
}

impl Metric {
    /// A metric that only grows.
    ///
    /// # Panics
    /// As [`gauge`](Self::gauge) does.
    #[must_use]
    pub const fn counter(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        Self::new(MetricKind::Counter, name, unit, help)
    }

    /// A metric that goes up and down.
    ///
    /// # Panics
    /// When the name is none of lower-case letters, digits, `_` and `.`, each word beginning with a
    /// letter, or the help is empty: in a constant, where it belongs, that is an error of the compiler.
    #[must_use]
    pub const fn gauge(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        Self::new(MetricKind::Gauge, name, unit, help)
    }

    /// A distribution.
    ///
    /// # Panics
    /// As [`gauge`](Self::gauge) does.
    #[must_use]
    pub const fn histogram(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        Self::new(MetricKind::Histogram, name, unit, help)
    }

    const fn new(
        kind: MetricKind,
        name: &'static str,
        unit: &'static str,
        help: &'static str,
    ) -> Self {
        check::name(name);
        check::unit(unit);
        check::help(help);
        Self { name, kind, unit, help, labels: &[], buckets: &[] }
    }

    /// With these labels.
    ///
    /// # Panics
    /// When one of them is no name as metrics have it, or stands there twice.
    #[must_use]
    pub const fn with_labels(mut self, labels: &'static [&'static str]) -> Self {
        check::labels(labels);
        self.labels = labels;
        self
    }

    /// With buckets of these upper bounds.
    ///
    /// # Panics
    /// When it is no histogram, or the bounds are not finite numbers that rise.
    #[must_use]
    pub const fn with_buckets(mut self, bounds: &'static [f64]) -> Self {
        check::buckets(self.kind, bounds);
        self.buckets = bounds;
        self
    }

    /// Its unit as the facade knows it; a count where the facade has no name for it.
    #[must_use]
    pub fn facade_unit(&self) -> Unit {
        match self.unit {
            "s" => Unit::Seconds,
            "ms" => Unit::Milliseconds,
            "us" => Unit::Microseconds,
            "ns" => Unit::Nanoseconds,
            "By" => Unit::Bytes,
            "KiBy" => Unit::Kibibytes,
            "MiBy" => Unit::Mebibytes,
            "GiBy" => Unit::Gibibytes,
            "%" => Unit::Percent,
            _ => Unit::Count,
        }
    }
}

/// Tells the installed recorder what the metrics of a table are.
pub fn describe(table: &[Metric]) {
    for metric in table {
        let unit = metric.facade_unit();
        match metric.kind {
            MetricKind::Counter => metrics::describe_counter!(metric.name, unit, metric.help),
            MetricKind::Gauge => metrics::describe_gauge!(metric.name, unit, metric.help),
            MetricKind::Histogram => metrics::describe_histogram!(metric.name, unit, metric.help),
        }
    }
}

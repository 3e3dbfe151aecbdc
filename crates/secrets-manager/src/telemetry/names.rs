use metrics::Unit;

/// A metric that the manager gives to the [`metrics`] facade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name, in the style of OpenTelemetry's conventions.
    pub name: &'static str,
    /// What it does.
    pub kind: MetricKind,
    /// Its unit, as UCUM writes it.
    pub unit: &'static str,
    /// What it says.
    pub help: &'static str,
    /// The labels that it carries, all of them of closed sets.
    pub labels: &'static [&'static str],
}

/// What a metric does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It is a distribution.
    Histogram,
}

/// Names of labels.
pub(crate) mod label {
    /// What a manager is called in its process: [`SecretManagerBuilder::label`](crate::SecretManagerBuilder::label).
    pub(crate) const MANAGER: &str = "secrets.manager";
    /// The kind of a provider, as `aws` or `file`.
    pub(crate) const PROVIDER: &str = "secrets.provider.kind";
    /// The operation of a provider.
    pub(crate) const OPERATION: &str = "secrets.operation";
    /// `ok`, the kind of the error, or `cancelled`.
    pub(crate) const OUTCOME: &str = "outcome";
    /// The state of a handle, or of an entry.
    pub(crate) const STATE: &str = "state";
}

/// Names of metrics.
pub(crate) mod name {
    pub(crate) const CALL_DURATION: &str = "secrets.provider.call.duration";
    pub(crate) const CALLS_ACTIVE: &str = "secrets.provider.call.active";
    pub(crate) const HANDLES: &str = "secrets.handle.count";
    pub(crate) const HANDLE_LOADS: &str = "secrets.handle.loads";
    pub(crate) const ENTRIES: &str = "secrets.cache.entries";
    pub(crate) const STALENESS: &str = "secrets.handle.staleness";
    pub(crate) const RUNNING: &str = "secrets.manager.running";
    pub(crate) const AUDIT_LOST: &str = "secrets.audit.lost";
}

use self::label::{MANAGER, OPERATION, OUTCOME, PROVIDER, STATE};

const CALL: &[&str] = &[MANAGER, PROVIDER, OPERATION];

/// All metrics of this crate. Hits of the cache are not among them: nothing is counted that readers
/// share.
pub const METRICS: &[Metric] = &[
    Metric {
        name: name::CALL_DURATION,
        kind: MetricKind::Histogram,
        unit: "s",
        help: "how long calls of a provider took, by what came of them",
        labels: &[MANAGER, PROVIDER, OPERATION, OUTCOME],
    },
    Metric {
        name: name::CALLS_ACTIVE,
        kind: MetricKind::Gauge,
        unit: "{call}",
        help: "calls of a provider that are under way",
        labels: CALL,
    },
    Metric {
        name: name::HANDLES,
        kind: MetricKind::Gauge,
        unit: "{secret}",
        help: "secrets that handles hold, each name for itself, by state",
        labels: &[MANAGER, STATE],
    },
    Metric {
        name: name::HANDLE_LOADS,
        kind: MetricKind::Counter,
        unit: "{load}",
        help: "loads by handle",
        labels: &[MANAGER, PROVIDER],
    },
    Metric {
        name: name::ENTRIES,
        kind: MetricKind::Gauge,
        unit: "{secret}",
        help: "values in the cache (`held`), and remembered failures (`absent`)",
        labels: &[MANAGER, STATE],
    },
    Metric {
        name: name::STALENESS,
        kind: MetricKind::Gauge,
        unit: "s",
        help: "for how long the one of the held secrets that has been stale longest has been so",
        labels: &[MANAGER],
    },
    Metric {
        name: name::RUNNING,
        kind: MetricKind::Gauge,
        unit: "1",
        help: "1 while the run future is alive, else 0",
        labels: &[MANAGER],
    },
    Metric {
        name: name::AUDIT_LOST,
        kind: MetricKind::Counter,
        unit: "{event}",
        help: "audit events that were not taken",
        labels: &[MANAGER],
    },
];

/// Tells the recorder what each metric is.
pub(crate) fn describe() {
    for metric in METRICS {
        let unit = if metric.unit == "s" { Unit::Seconds } else { Unit::Count };
        match metric.kind {
            MetricKind::Counter => metrics::describe_counter!(metric.name, unit, metric.help),
            MetricKind::Gauge => metrics::describe_gauge!(metric.name, unit, metric.help),
            MetricKind::Histogram => metrics::describe_histogram!(metric.name, unit, metric.help),
        }
    }
}

use metric_table::Metric;

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
    Metric::histogram(
        name::CALL_DURATION,
        "s",
        "how long calls of a provider took, by what came of them",
    )
    .with_labels(&[MANAGER, PROVIDER, OPERATION, OUTCOME])
    .with_buckets(&[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]),
    Metric::gauge(name::CALLS_ACTIVE, "{call}", "calls of a provider that are under way")
        .with_labels(CALL),
    Metric::gauge(
        name::HANDLES,
        "{secret}",
        "secrets that handles hold, each name for itself, by state",
    )
    .with_labels(&[MANAGER, STATE]),
    Metric::counter(name::HANDLE_LOADS, "{load}", "loads by handle")
        .with_labels(&[MANAGER, PROVIDER]),
    Metric::gauge(
        name::ENTRIES,
        "{secret}",
        "values in the cache (`held`), and remembered failures (`absent`)",
    )
    .with_labels(&[MANAGER, STATE]),
    Metric::gauge(
        name::STALENESS,
        "s",
        "for how long the one of the held secrets that has been stale longest has been so",
    )
    .with_labels(&[MANAGER]),
    Metric::gauge(name::RUNNING, "{manager}", "1 while the run future is alive, else 0")
        .with_labels(&[MANAGER]),
    Metric::counter(name::AUDIT_LOST, "{event}", "audit events that were not taken")
        .with_labels(&[MANAGER]),
];

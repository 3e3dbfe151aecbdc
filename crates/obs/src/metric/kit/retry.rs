use metric_table::Metric;
use metrics::{Counter, Histogram, SharedString, counter, histogram};

const RETRY: &str = "retry.name";

pub(super) const CALLS: Metric = Metric::counter(
    "retry.calls",
    "{call}",
    "calls that are tried more than once: `ok` at the first attempt, `recovered` at a later one, or `given_up`",
)
.with_labels(&[RETRY, "outcome"]);
pub(super) const ATTEMPTS: Metric =
    Metric::histogram("retry.attempts", "{attempt}", "attempts that a call took")
        .with_labels(&[RETRY])
        .with_buckets(&[1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0]);

/// Metrics of calls that are tried more than once.
///
/// ```
/// use obs::metric::kit::RetryMetrics;
///
/// let payments = RetryMetrics::new("payments");
/// payments.succeeded(2);
/// payments.gave_up(5);
/// ```
#[derive(Debug, Clone)]
pub struct RetryMetrics {
    ok: Counter,
    recovered: Counter,
    given_up: Counter,
    attempts: Histogram,
}

impl RetryMetrics {
    /// Those of the calls of this name, one of few that the program knows.
    #[must_use]
    pub fn new(name: impl Into<SharedString>) -> Self {
        let name = name.into();
        let calls = |outcome| counter!(CALLS.name, RETRY => name.clone(), "outcome" => outcome);
        Self {
            ok: calls("ok"),
            recovered: calls("recovered"),
            given_up: calls("given_up"),
            attempts: histogram!(ATTEMPTS.name, RETRY => name.clone()),
        }
    }

    /// A call succeeded at this attempt, the first of which is 1.
    pub fn succeeded(&self, attempts: u32) {
        if attempts > 1 {
            self.recovered.increment(1)
        } else {
            self.ok.increment(1)
        }
        self.attempts.record(attempts);
    }

    /// A call was given up after so many attempts.
    pub fn gave_up(&self, attempts: u32) {
        self.given_up.increment(1);
        self.attempts.record(attempts);
    }
}

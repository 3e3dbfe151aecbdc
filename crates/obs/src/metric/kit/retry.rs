use metric_table::Metric;
use metrics::{Counter, Histogram, SharedString, counter, histogram};

const RETRY: &str = "retry.name";

pub(super) const CALLS: Metric = Metric::counter(
    "retry.calls",
    "{call}",
    "calls that are tried more than once: `ok` at the first attempt, `recovered` at a later one, `given_up`, or `cancelled`",
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
/// let mut call = payments.begin();
/// let paid = loop {
///     match pay(call.attempt()) {
///         Ok(paid) => {
///             call.succeeded();
///             break Some(paid);
///         }
///         Err(()) if call.attempts() < 5 => {}
///         Err(()) => {
///             call.gave_up();
///             break None;
///         }
///     }
/// };
/// # assert_eq!(paid, Some(3));
/// # fn pay(attempt: u32) -> Result<u32, ()> { if attempt < 3 { Err(()) } else { Ok(attempt) } }
/// ```
#[derive(Debug, Clone)]
pub struct RetryMetrics {
    ok: Counter,
    recovered: Counter,
    given_up: Counter,
    cancelled: Counter,
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
            cancelled: calls("cancelled"),
            attempts: histogram!(ATTEMPTS.name, RETRY => name.clone()),
        }
    }

    /// A call begins.
    pub fn begin(&self) -> RetriedCall<'_> {
        RetriedCall { metrics: self, attempts: 0, outcome: &self.cancelled }
    }
}

/// A call that is tried more than once. If it is dropped before its end is told, it was cancelled.
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub struct RetriedCall<'a> {
    metrics: &'a RetryMetrics,
    attempts: u32,
    outcome: &'a Counter,
}

impl RetriedCall<'_> {
    /// It is tried now; the number of the attempt, the first of which is 1.
    pub const fn attempt(&mut self) -> u32 {
        self.attempts = self.attempts.saturating_add(1);
        self.attempts
    }

    /// How often it was tried so far.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The last attempt succeeded.
    pub fn succeeded(mut self) {
        let RetryMetrics { ok, recovered, .. } = self.metrics;
        self.outcome = if self.attempts > 1 { recovered } else { ok };
    }

    /// It is not tried again.
    pub fn gave_up(mut self) {
        self.outcome = &self.metrics.given_up;
    }
}

impl Drop for RetriedCall<'_> {
    fn drop(&mut self) {
        self.outcome.increment(1);
        self.metrics.attempts.record(self.attempts);
    }
}

//! What is said of sources.

use metric_table::Metric;

use super::samples::Samples;

pub(crate) const FAILURES: Metric = Metric::counter(
    "obs.metric.source.failures",
    "{failure}",
    "how often a source could not say everything (`failed`), panicked, or did not come back when another page asked (`late`)",
)
.with_labels(&["source", "reason"]);

pub(crate) const REJECTED: Metric = Metric::counter(
    "obs.metric.source.rejected",
    "{sample}",
    "samples of sources that were not shown: not declared, no numbers, said twice, or beyond the limit of series",
)
.with_labels(&["source"]);

pub(crate) const DURATION: Metric = Metric::gauge(
    "obs.metric.source.duration",
    "s",
    "how long it took to ask a source when it was last asked",
)
.with_labels(&["source"]);

/// The metrics of this file.
pub(crate) const TABLE: &[Metric] = &[FAILURES, REJECTED, DURATION];

/// What became of a source, or of all of one name.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) failed: u64,
    pub(crate) panicked: u64,
    pub(crate) late: u64,
    pub(crate) rejected: u64,
    pub(crate) seconds: f64,
}

impl Totals {
    pub(crate) fn add(&mut self, other: &Self) {
        self.failed += other.failed;
        self.panicked += other.panicked;
        self.late += other.late;
        self.rejected += other.rejected;
        self.seconds += other.seconds;
    }

    pub(crate) fn say(&self, source: &str, samples: &mut Samples<'_>) {
        let reasons = [("failed", self.failed), ("panicked", self.panicked), ("late", self.late)];
        for (reason, count) in reasons {
            samples.sample(&FAILURES, &[("source", source), ("reason", reason)], count as f64);
        }
        samples.sample(&REJECTED, &[("source", source)], self.rejected as f64);
        samples.sample(&DURATION, &[("source", source)], self.seconds);
    }
}

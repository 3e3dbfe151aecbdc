use metric_table::Metric;

use crate::log::left_out::LeftOut;
use crate::log::writer::{Dropped, Totals};

pub(crate) mod name {
    pub(crate) const OUTPUT_RECORDS: &str = "log.output.records";
    pub(crate) const RECORDS: &str = "log.records";
    pub(crate) const PANICS: &str = "process.panics";
}

/// The metrics that logs have of themselves.
pub const METRICS: &[Metric] = &[
    Metric::counter(name::RECORDS, "{record}", "log records, whatever outputs made of them")
        .with_labels(&["level"]),
    Metric::counter(
        name::OUTPUT_RECORDS,
        "{record}",
        "log records that an output was done with: written, left out by sampling or rate limit, or dropped because it was full, failed or closed",
    )
    .with_labels(&["output", "outcome"]),
    Metric::counter(name::PANICS, "{panic}", "panics that were recorded"),
];

/// What became of a record at an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Full,
    Io,
    Closed,
}

/// Totals are given, not steps: a recorder that is installed later knows the whole, too.
pub(crate) fn publish(output: &str, totals: &Totals) {
    absolute(output, "written", totals.written);
    for outcome in [Outcome::Full, Outcome::Io, Outcome::Closed] {
        publish_dropped(output, outcome, &totals.dropped);
    }
}

/// Drops are told by who is dropped: the thread of the writer may be the one that is stuck.
pub(crate) fn publish_dropped(output: &str, outcome: Outcome, dropped: &Dropped) {
    match outcome {
        Outcome::Full => absolute(output, "full", dropped.full),
        Outcome::Io => absolute(output, "io", dropped.io),
        Outcome::Closed => absolute(output, "closed", dropped.closed),
    }
}

/// What an output left out because it was told to.
pub(crate) fn publish_left_out(output: &str, left_out: &LeftOut) {
    absolute(output, "sampled", left_out.sampled);
    absolute(output, "limited", left_out.limited);
}

pub(crate) fn publish_volume(level: &'static str, total: u64) {
    metrics::counter!(name::RECORDS, "level" => level).absolute(total);
}

pub(crate) fn count_panic() {
    metrics::counter!(name::PANICS).increment(1);
}

fn absolute(output: &str, outcome: &'static str, total: u64) {
    metrics::counter!(name::OUTPUT_RECORDS, "output" => output.to_owned(), "outcome" => outcome)
        .absolute(total);
}

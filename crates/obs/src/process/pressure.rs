//! Pressure: for which share of the time work was stalled for want of a resource (the kernel's
//! `Documentation/accounting/psi.rst`).

use metric_table::Metric;

use super::look::number;
use crate::metric::Samples;

pub(super) const LABELS: &[&str] = &["pressure.resource", "pressure.kind"];
pub(super) const WINDOW_LABELS: &[&str] =
    &["pressure.resource", "pressure.kind", "pressure.window"];

/// What is asked for. Interrupts are told of on some systems only.
pub(super) const RESOURCES: [&str; 4] = ["cpu", "memory", "io", "irq"];

/// A line of a file of pressure.
#[derive(Debug, PartialEq)]
pub(super) struct Stall {
    /// `some` of the work was stalled, or all of it (`full`).
    pub(super) kind: &'static str,
    /// Shares of the last 10, 60 and 300 seconds, from 0 to 1.
    pub(super) shares: [f64; 3],
    pub(super) seconds: f64,
}

const WINDOWS: [(&str, &str); 3] = [("avg10=", "10s"), ("avg60=", "60s"), ("avg300=", "300s")];

/// All lines of such a file. Kinds that are not known are passed over.
pub(super) fn parse(text: &str) -> Option<Vec<Stall>> {
    let kind = |line: &str| match line.split_ascii_whitespace().next() {
        Some("some") => Some("some"),
        Some("full") => Some("full"),
        _ => None,
    };
    text.lines().filter_map(|line| kind(line).map(|kind| stall(kind, line))).collect()
}

fn stall(kind: &'static str, line: &str) -> Option<Stall> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let mut shares = [0.0; 3];
    for (share, (name, _)) in shares.iter_mut().zip(WINDOWS) {
        *share = percent(words.next()?.strip_prefix(name)?)? / 100.0;
    }
    let microseconds = number(words.next()?.strip_prefix("total=")?)?;
    Some(Stall { kind, shares, seconds: microseconds / 1e6 })
}

/// `12.34`; there is no more than all of the time.
fn percent(text: &str) -> Option<f64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| is_plain).map(|percent: f64| percent.min(100.0))
}

/// Says what a file tells of one resource.
pub(super) fn say(
    stalls: &[Stall],
    resource: &str,
    (time, share): (&Metric, &Metric),
    samples: &mut Samples<'_>,
) {
    for stall in stalls {
        let labels = [("pressure.resource", resource), ("pressure.kind", stall.kind)];
        samples.sample(time, &labels, stall.seconds);
        for (value, (_, window)) in stall.shares.into_iter().zip(WINDOWS) {
            let [resource, kind] = labels;
            samples.sample(share, &[resource, kind, ("pressure.window", window)], value);
        }
    }
}

//! `/proc/net/dev` (proc(5)).

use metric_table::Metric;

use super::is_shown;
use crate::metric::Samples;
use crate::process::look::{Look, number};

const LABELS: &[&str] = &["network.interface.name", "network.io.direction"];
const FILE: &str = "/proc/self/net/dev";

pub(super) const BYTES: Metric =
    Metric::counter("system.network.io", "By", "bytes that were received and sent")
        .with_labels(LABELS);
pub(super) const PACKETS: Metric = Metric::counter(
    "system.network.packet.count",
    "{packet}",
    "packets that were received and sent",
)
.with_labels(LABELS);
pub(super) const ERRORS: Metric =
    Metric::counter("system.network.errors", "{error}", "packets that were broken")
        .with_labels(LABELS);
pub(super) const DROPPED: Metric = Metric::counter(
    "system.network.packet.dropped",
    "{packet}",
    "packets that were dropped although nothing was wrong with them",
)
.with_labels(LABELS);

pub(super) fn say(chosen: &[String], look: &mut Look<'_>, samples: &mut Samples<'_>) {
    let Some(text) = look.read(FILE) else { return };
    // Two lines of headings.
    let interfaces: Option<Vec<_>> = text.lines().skip(2).map(Interface::parse).collect();
    let Some(interfaces) = interfaces else { return look.fail_to_understand(FILE) };
    let mut shown = 0;
    for interface in interfaces {
        if is_shown(chosen, interface.name, shown, interface.name != "lo") {
            interface.say(samples);
            shown += 1;
        }
    }
}

struct Interface<'a> {
    name: &'a str,
    received: Passed,
    sent: Passed,
}

#[derive(Clone, Copy)]
struct Passed {
    bytes: f64,
    packets: f64,
    errors: f64,
    dropped: f64,
}

impl<'a> Interface<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (name, numbers) = line.rsplit_once(':')?;
        let numbers: Option<Vec<f64>> = numbers.split_ascii_whitespace().map(number).collect();
        let numbers = numbers?;
        let passed = |first: usize| match numbers.get(first..first + 4) {
            Some(&[bytes, packets, errors, dropped]) => {
                Some(Passed { bytes, packets, errors, dropped })
            }
            _ => None,
        };
        Some(Self { name: name.trim_start(), received: passed(0)?, sent: passed(8)? })
    }

    fn say(&self, samples: &mut Samples<'_>) {
        for (direction, passed) in [("receive", self.received), ("transmit", self.sent)] {
            let labels =
                [("network.interface.name", self.name), ("network.io.direction", direction)];
            samples.sample(&BYTES, &labels, passed.bytes);
            samples.sample(&PACKETS, &labels, passed.packets);
            samples.sample(&ERRORS, &labels, passed.errors);
            samples.sample(&DROPPED, &labels, passed.dropped);
        }
    }
}

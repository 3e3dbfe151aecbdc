//! `/proc/net/netstat`, `/proc/net/snmp` (the kernel's `Documentation/networking/snmp_counter.rst`) and
//! `/proc/net/sockstat`.

use metric_table::Metric;

use crate::metric::Samples;
use crate::process::look::{Look, number};
use crate::process::system::page_size;

pub(super) const OVERFLOWS: Metric = Metric::counter(
    "system.network.listen.overflows",
    "{connection}",
    "connections that a listener did not get because its queue was full",
);
pub(super) const DROPS: Metric = Metric::counter(
    "system.network.listen.drops",
    "{connection}",
    "connections that a listener did not get for any reason, overflows among them",
);
pub(super) const SENT: Metric =
    Metric::counter("system.network.tcp.segments", "{segment}", "segments that were sent");
pub(super) const RETRANSMITTED: Metric = Metric::counter(
    "system.network.tcp.retransmissions",
    "{segment}",
    "segments that were sent again, in addition to those that were sent",
);
pub(super) const RESETS: Metric = Metric::counter(
    "system.network.tcp.resets",
    "{connection}",
    "connections that were established and then reset",
);
pub(super) const ORPHANS: Metric = Metric::gauge(
    "system.network.tcp.orphans",
    "{socket}",
    "sockets that no process has and that are not closed yet",
);
pub(super) const MEMORY: Metric =
    Metric::gauge("system.network.tcp.memory", "By", "memory of all sockets of the host");

pub(super) fn say(look: &mut Look<'_>, samples: &mut Samples<'_>) {
    let extended = look.read("/proc/self/net/netstat").unwrap_or_default();
    let basic = look.read("/proc/self/net/snmp").unwrap_or_default();
    let told = [
        (&OVERFLOWS, below(&extended, "TcpExt:", "ListenOverflows")),
        (&DROPS, below(&extended, "TcpExt:", "ListenDrops")),
        (&SENT, below(&basic, "Tcp:", "OutSegs")),
        (&RETRANSMITTED, below(&basic, "Tcp:", "RetransSegs")),
        (&RESETS, below(&basic, "Tcp:", "EstabResets")),
    ];
    for (metric, value) in told {
        if let Some(value) = value {
            samples.sample(metric, &[], value);
        }
    }
    let sockets = look.read("/proc/self/net/sockstat").unwrap_or_default();
    if let Some(orphans) = behind(&sockets, "orphan") {
        samples.sample(&ORPHANS, &[], orphans);
    }
    if let Some(pages) = behind(&sockets, "mem") {
        samples.sample(&MEMORY, &[], pages * page_size());
    }
}

/// The number below a name: of each kind there is a line of names and then one of numbers.
fn below(text: &str, kind: &str, name: &str) -> Option<f64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(kind));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let place = names.split_ascii_whitespace().position(|known| known == name)?;
    number(numbers.split_ascii_whitespace().nth(place)?)
}

/// The number behind a name in the line of TCP.
fn behind(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    let mut words = line.split_ascii_whitespace().skip_while(|word| *word != name).skip(1);
    number(words.next()?)
}

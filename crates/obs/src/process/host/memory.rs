//! `/proc/meminfo` (proc(5)).

use metric_table::Metric;

use crate::metric::Samples;
use crate::process::look::{Look, named};

pub(super) const LIMIT: Metric = Metric::gauge("system.memory.limit", "By", "memory of the host");
pub(super) const AVAILABLE: Metric = Metric::gauge(
    "system.memory.linux.available",
    "By",
    "memory that is there for programs without swapping, as the kernel estimates it",
);
pub(super) const SWAP: Metric =
    Metric::gauge("system.paging.usage", "By", "room for memory that is swapped out")
        .with_labels(&["system.paging.state"]);

pub(super) fn say(look: &mut Look<'_>, samples: &mut Samples<'_>) {
    let Some(text) = look.read("/proc/meminfo") else { return };
    let bytes = |name| named(&text, name).map(|kibibytes| kibibytes * 1024.0);
    for (metric, name) in [(&LIMIT, "MemTotal:"), (&AVAILABLE, "MemAvailable:")] {
        if let Some(bytes) = bytes(name) {
            samples.sample(metric, &[], bytes);
        }
    }
    if let (Some(all), Some(free)) = (bytes("SwapTotal:"), bytes("SwapFree:")) {
        for (state, bytes) in [("used", (all - free).max(0.0)), ("free", free)] {
            samples.sample(&SWAP, &[("system.paging.state", state)], bytes);
        }
    }
}

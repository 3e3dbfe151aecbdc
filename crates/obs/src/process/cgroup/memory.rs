//! Memory, and how it is limited.

use std::path::Path;

use metric_table::Metric;

use super::place::{Groups, Hierarchy};
use super::{least, limit};
use crate::metric::Samples;
use crate::process::look::{Look, named};

pub(super) const USAGE: Metric = Metric::gauge(
    "cgroup.memory.usage",
    "By",
    "memory of the control group, with files that were read or written",
);
pub(super) const WORKING_SET: Metric = Metric::gauge(
    "cgroup.memory.working_set",
    "By",
    "memory of the control group without files that are not in use: what cannot be given back at once",
);
pub(super) const LIMIT: Metric = Metric::gauge(
    "cgroup.memory.limit",
    "By",
    "the most memory that the control group may have; none if that is not less than the host has",
);
pub(super) const PEAK: Metric =
    Metric::gauge("cgroup.memory.peak", "By", "the most memory that the control group had so far");
pub(super) const EVENTS: Metric = Metric::counter(
    "cgroup.memory.events",
    "{event}",
    "how often the control group came to a limit (`low`, `high`, `max`), had no memory left (`oom`), and lost processes for it (`oom_kill`)",
)
.with_labels(&["cgroup.memory.event"]);

pub(super) fn say(groups: &Groups, look: &mut Look<'_>, samples: &mut Samples<'_>) {
    let unified = groups.unified.as_ref().and_then(|group| group.with("memory.current", look));
    let usage =
        unified.as_ref().and_then(|group| look.number(group.folder().join("memory.current")));
    let limit = match (usage, &unified, &groups.memory) {
        (Some(usage), Some(group), _) => say_unified(usage, group, look, samples),
        (_, _, Some(group)) => say_old(group, look, samples),
        // The root of a hierarchy has no such files.
        _ => None,
    };
    let host = look.parse("/proc/meminfo", |text| named(text, "MemTotal:"));
    let host = host.map(|kibibytes| kibibytes * 1024.0);
    if let Some(limit) = limit.filter(|limit| host.is_none_or(|host| *limit < host)) {
        samples.sample(&LIMIT, &[], limit);
    }
}

/// The least limit.
fn say_unified(
    usage: f64,
    group: &Hierarchy,
    look: &mut Look<'_>,
    samples: &mut Samples<'_>,
) -> Option<f64> {
    let file = |name| group.folder().join(name);
    let idle = look.parse(file("memory.stat"), |text| named(text, "inactive_file"));
    say_usage(usage, idle, samples);
    if let Some(peak) = look.number(file("memory.peak")) {
        samples.sample(&PEAK, &[], peak);
    }
    let events = look.read(file("memory.events")).unwrap_or_default();
    for event in ["low", "high", "max", "oom", "oom_kill"] {
        say_event(event, named(&events, event), samples);
    }
    let least = least(group, look, |look, folder| look.parse(folder.join("memory.max"), limit)?);
    least.map(|(limit, _)| limit)
}

/// The least limit; without one the kernel writes a number that no host has the memory for.
fn say_old(group: &Hierarchy, look: &mut Look<'_>, samples: &mut Samples<'_>) -> Option<f64> {
    let file = |name| group.folder().join(name);
    if let Some(usage) = look.number(file("memory.usage_in_bytes")) {
        let idle = look.parse(file("memory.stat"), |text| named(text, "total_inactive_file"));
        say_usage(usage, idle, samples);
    }
    if let Some(peak) = look.number(file("memory.max_usage_in_bytes")) {
        samples.sample(&PEAK, &[], peak);
    }
    let kills = look.read(file("memory.oom_control")).unwrap_or_default();
    say_event("oom_kill", named(&kills, "oom_kill"), samples);
    let limit =
        |look: &mut Look<'_>, folder: &Path| look.number(folder.join("memory.limit_in_bytes"));
    least(group, look, limit).map(|(limit, _)| limit)
}

/// The two numbers are not read at one moment.
fn say_usage(usage: f64, idle: Option<f64>, samples: &mut Samples<'_>) {
    samples.sample(&USAGE, &[], usage);
    if let Some(idle) = idle {
        samples.sample(&WORKING_SET, &[], (usage - idle).max(0.0));
    }
}

fn say_event(event: &str, count: Option<f64>, samples: &mut Samples<'_>) {
    if let Some(count) = count {
        samples.sample(&EVENTS, &[("cgroup.memory.event", event)], count);
    }
}

//! Processor time, and how it is limited.

use std::path::Path;

use metric_table::Metric;

use super::least;
use super::place::Groups;
use crate::metric::Samples;
use crate::process::list;
use crate::process::look::{Look, named, number};

const STAT: &str = "cpu.stat";

pub(super) const TIME: Metric = Metric::counter(
    "cgroup.cpu.time",
    "s",
    "time of processors that the control group took, of programs and of the kernel for them",
)
.with_labels(&["cpu.mode"]);
pub(super) const PERIODS: Metric = Metric::counter(
    "cgroup.cpu.periods",
    "{period}",
    "periods in which the control group wanted to run, of those in which its time is limited",
);
pub(super) const THROTTLED: Metric = Metric::counter(
    "cgroup.cpu.throttled_periods",
    "{period}",
    "periods in which the control group was stopped because its time was used up",
);
pub(super) const THROTTLED_TIME: Metric = Metric::counter(
    "cgroup.cpu.throttled_time",
    "s",
    "for how long the control group was stopped, summed over processors",
);
pub(super) const LIMIT: Metric = Metric::gauge(
    "cgroup.cpu.limit",
    "{cpu}",
    "how many processors' time the control group may take; none if there is no limit",
);
pub(super) const USABLE: Metric = Metric::gauge(
    "process.cpu.usable",
    "{cpu}",
    "how many processors' time the process may take, by its affinity and by the limit of its control group",
);

pub(super) fn say(groups: &Groups, look: &mut Look<'_>, samples: &mut Samples<'_>) {
    let unified = groups.unified.as_ref().map(|group| (group, least(group, look, unified_limit)));
    let old = groups.cpu.as_ref().map(|group| (group, least(group, look, old_limit)));
    let own = unified.and_then(|(group, _)| look.read(group.folder().join(STAT)));
    if let Some(stat) = &own {
        time(["user_usec", "system_usec"].map(|name| seconds(stat, name, 1e6)), samples);
    } else if let Some(group) = &groups.cpuacct {
        let files = ["cpuacct.usage_user", "cpuacct.usage_sys"];
        let spent = files.map(|file| look.number(group.folder().join(file)));
        time(spent.map(|nanoseconds| nanoseconds.map(|it| it / 1e9)), samples);
    }
    // Where the controller is of version 1, version 2 has the file but not this in it.
    for (limited, unit) in [(unified, ("throttled_usec", 1e6)), (old, ("throttled_time", 1e9))] {
        let Some((group, limit)) = limited else { continue };
        let limiting = limit.map_or(group.folder(), |(_, folder)| folder);
        if let Some(stat) = look.read(limiting.join(STAT)) {
            throttling(&stat, unit, samples);
        }
    }
    let limits = [unified, old].into_iter().flatten();
    let limit = limits.filter_map(|(_, limit)| Some(limit?.0)).next();
    say_limit(limit, look, samples);
}

fn say_limit(limit: Option<f64>, look: &mut Look<'_>, samples: &mut Samples<'_>) {
    let online = look.parse("/sys/devices/system/cpu/online", list::count);
    let limit = limit.filter(|limit| online.is_none_or(|online| *limit < online));
    if let Some(limit) = limit {
        samples.sample(&LIMIT, &[], limit);
    }
    let allowed = look.parse("/proc/self/status", |status| {
        let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        list::count(line)
    });
    if let Some(allowed) = allowed.into_iter().chain(limit).reduce(f64::min) {
        samples.sample(&USABLE, &[], allowed);
    }
}

fn time([user, system]: [Option<f64>; 2], samples: &mut Samples<'_>) {
    for (mode, seconds) in [("user", user), ("system", system)] {
        if let Some(seconds) = seconds {
            samples.sample(&TIME, &[("cpu.mode", mode)], seconds);
        }
    }
}

fn throttling(stat: &str, (time, per_second): (&str, f64), samples: &mut Samples<'_>) {
    let told = [
        (&PERIODS, named(stat, "nr_periods")),
        (&THROTTLED, named(stat, "nr_throttled")),
        (&THROTTLED_TIME, seconds(stat, time, per_second)),
    ];
    for (metric, value) in told {
        if let Some(value) = value {
            samples.sample(metric, &[], value);
        }
    }
}

fn seconds(stat: &str, name: &str, per_second: f64) -> Option<f64> {
    named(stat, name).map(|time| time / per_second)
}

/// `max 100000`, or microseconds of time and of a period.
fn unified_limit(look: &mut Look<'_>, folder: &Path) -> Option<f64> {
    look.parse(folder.join("cpu.max"), |text| {
        let mut words = text.split_ascii_whitespace();
        let (quota, period) = (words.next()?, number(words.next()?)?);
        match quota {
            "max" => Some(None),
            quota if period > 0.0 => Some(Some(number(quota)? / period)),
            _ => None,
        }
    })?
}

/// Microseconds of time, -1 if there is no limit, and of a period, each in a file.
fn old_limit(look: &mut Look<'_>, folder: &Path) -> Option<f64> {
    let quota = look.parse(folder.join("cpu.cfs_quota_us"), |text| match text.trim_end() {
        "-1" => Some(None),
        quota => number(quota).map(Some),
    })??;
    let period = look.number(folder.join("cpu.cfs_period_us"))?;
    (period > 0.0).then_some(quota / period)
}

//! The control group of this process.

mod cpu;
mod memory;
mod place;
mod tasks;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use metric_table::Metric;

use self::place::{Groups, Hierarchy};
use super::look::Look;
use super::pressure;
use crate::metric::{MetricSource, Samples, SourceError};

const STALL_TIME: Metric = Metric::counter(
    "cgroup.pressure.stall.time",
    "s",
    "for how long work of the control group was stalled for want of a resource: some of it, or all (`full`)",
)
.with_labels(pressure::LABELS);
const STALL: Metric = Metric::gauge(
    "cgroup.pressure.stall",
    "1",
    "share of the time for which work of the control group was stalled",
)
.with_labels(pressure::WINDOW_LABELS);

pub(super) const TABLE: &[Metric] = &[
    cpu::TIME,
    cpu::PERIODS,
    cpu::THROTTLED,
    cpu::THROTTLED_TIME,
    cpu::LIMIT,
    cpu::USABLE,
    memory::USAGE,
    memory::WORKING_SET,
    memory::LIMIT,
    memory::PEAK,
    memory::EVENTS,
    tasks::USAGE,
    tasks::LIMIT,
    STALL_TIME,
    STALL,
];

/// What the kernel knows of the control group of this process (a container, mostly): processor time and
/// throttling, memory against its limit, kills for want of memory, tasks, pressure.
///
/// The group is found by `/proc/self/cgroup` and `/proc/self/mountinfo`, within namespaces and below mounts of a part of
/// the hierarchy. Both versions are read: 2 (`Documentation/admin-guide/cgroup-v2.rst`) where it has the file that is
/// looked for, 1 (`admin-guide/cgroup-v1`) otherwise. Limits are the least of the group's own and those of the groups above it
/// that can be seen; one that the host has not the memory or processors for is none. Throttling is that of the group
/// whose limit is the least. Where a controller is not turned on for the group itself, the group above for which it is counts.
#[derive(Debug)]
#[must_use = "a source says nothing before it is given to a recorder"]
pub struct CgroupMetrics {
    root: PathBuf,
    /// The text that says which groups, and where they are.
    found: Mutex<Option<(String, Groups)>>,
}

impl CgroupMetrics {
    /// Of the group of this process.
    pub fn new() -> Self {
        Self { root: "/".into(), found: Mutex::new(None) }
    }

    /// With `/proc` and `/sys` in a folder that is not `/`.
    pub fn at(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = root.into();
        self
    }

    /// Where the group is. Mounts are looked at again only when the process is in another group.
    fn groups(&self, look: &mut Look<'_>) -> Option<Groups> {
        let told = look.read("/proc/self/cgroup")?;
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, groups)) = found.as_ref()
            && *known == told
        {
            return Some(groups.clone());
        }
        let mounts = look.read("/proc/self/mountinfo")?;
        let groups = Groups::find(&told, &mounts, look);
        *found = Some((told, groups.clone()));
        Some(groups)
    }
}

impl Default for CgroupMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl MetricSource for CgroupMetrics {
    fn name(&self) -> &'static str {
        "cgroup"
    }

    fn metrics(&self) -> &'static [Metric] {
        TABLE
    }

    fn collect(&self, samples: &mut Samples<'_>) -> Result<(), SourceError> {
        let mut look = Look::at(&self.root);
        let groups = self.groups(&mut look).unwrap_or_default();
        cpu::say(&groups, &mut look, samples);
        memory::say(&groups, &mut look, samples);
        tasks::say(&groups, &mut look, samples);
        if let Some(group) = &groups.unified {
            for resource in pressure::RESOURCES {
                let file = group.folder().join(format!("{resource}.pressure"));
                let stalls = look.parse(file, pressure::parse).unwrap_or_default();
                pressure::say(&stalls, resource, (&STALL_TIME, &STALL), samples);
            }
        }
        look.finish()
    }
}

/// The least of what a file says in a group and those above it, and which of them it is, the nearest of equals; `read`
/// gives nothing where there is no limit.
fn least<'g>(
    group: &'g Hierarchy,
    look: &mut Look<'_>,
    mut read: impl FnMut(&mut Look<'_>, &Path) -> Option<f64>,
) -> Option<(f64, &'g Path)> {
    let limits = group.upwards().filter_map(|folder| Some((read(look, folder)?, folder)));
    limits.min_by(|(one, _), (other, _)| one.total_cmp(other))
}

/// A limit of version 2: a number, or `max`.
fn limit(text: &str) -> Option<Option<f64>> {
    match text.trim_end() {
        "max" => Some(None),
        limit => super::look::number(limit).map(Some),
    }
}

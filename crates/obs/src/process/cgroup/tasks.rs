//! Processes and threads, and how many there may be.

use metric_table::Metric;

use super::place::Groups;
use super::{least, limit};
use crate::metric::Samples;
use crate::process::look::Look;

pub(super) const USAGE: Metric =
    Metric::gauge("cgroup.tasks", "{task}", "processes and threads of the control group");
pub(super) const LIMIT: Metric = Metric::gauge(
    "cgroup.tasks.limit",
    "{task}",
    "the most processes and threads that the control group may have; none if there is no limit",
);

/// Both versions have the same files.
pub(super) fn say(groups: &Groups, look: &mut Look<'_>, samples: &mut Samples<'_>) {
    for group in [&groups.unified, &groups.pids].into_iter().flatten() {
        let Some(group) = group.with("pids.current", look) else { continue };
        let Some(tasks) = look.number(group.folder().join("pids.current")) else { continue };
        samples.sample(&USAGE, &[], tasks);
        let least =
            least(&group, look, |look, folder| look.parse(folder.join("pids.max"), limit)?);
        if let Some((least, _)) = least {
            samples.sample(&LIMIT, &[], least);
        }
        return;
    }
}

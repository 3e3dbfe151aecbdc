//! Room on file systems (statvfs(3)).

use std::path::PathBuf;

use metric_table::Metric;

use crate::metric::Samples;
use crate::process::look::Look;

const LABELS: &[&str] = &["path", "system.filesystem.state"];

pub(super) const USAGE: Metric = Metric::gauge(
    "system.filesystem.usage",
    "By",
    "room on the file system of a path; what is `reserved` is free for the system alone",
)
.with_labels(LABELS);
pub(super) const LIMIT: Metric =
    Metric::gauge("system.filesystem.limit", "By", "all room on the file system of a path")
        .with_labels(&["path"]);
pub(super) const INODES: Metric = Metric::gauge(
    "system.filesystem.inodes",
    "{inode}",
    "files that are on the file system of a path (`used`), and that may still be made",
)
.with_labels(LABELS);

pub(super) fn say(paths: &[PathBuf], look: &mut Look<'_>, samples: &mut Samples<'_>) {
    for path in paths {
        let Some(space) = look.space(path) else { continue };
        let path = path.to_string_lossy();
        let path = ("path", &*path);
        let state = |state| [path, ("system.filesystem.state", state)];
        let [all, free, available] = space.bytes;
        samples.sample(&LIMIT, &[path], all);
        samples.sample(&USAGE, &state("used"), (all - free).max(0.0));
        samples.sample(&USAGE, &state("free"), available);
        samples.sample(&USAGE, &state("reserved"), (free - available).max(0.0));
        let [inodes, free] = space.inodes;
        if inodes > 0.0 {
            samples.sample(&INODES, &state("used"), (inodes - free).max(0.0));
            samples.sample(&INODES, &state("free"), free);
        }
    }
}

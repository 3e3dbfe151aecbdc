//! Where the control group of a process is (cgroups(7), "/proc files"; proc(5), "mountinfo").

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use crate::process::look::Look;

/// How far up limits are looked for.
const HIGHEST: usize = 32;

/// A folder of a group, and where the hierarchy begins that can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchy {
    folder: PathBuf,
    mount: PathBuf,
}

impl Hierarchy {
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The group's folder, and those above it.
    pub(super) fn upwards(&self) -> impl Iterator<Item = &Path> {
        self.folder.ancestors().take_while(|folder| folder.starts_with(&self.mount)).take(HIGHEST)
    }

    /// The group that a controller counts this one's processes in: itself or, where the controller is not turned on for it, the
    /// nearest above that has such a file (cgroup-v2.rst, "Enabling and Disabling").
    pub(super) fn with(&self, file: &str, look: &Look<'_>) -> Option<Self> {
        let folder = self.upwards().find(|folder| look.has(&folder.join(file)))?;
        Some(Self { folder: folder.to_path_buf(), mount: self.mount.clone() })
    }
}

/// The groups that a process is in: one of version 2, and one for each controller that is of version 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Groups {
    pub(super) unified: Option<Hierarchy>,
    pub(super) cpu: Option<Hierarchy>,
    pub(super) cpuacct: Option<Hierarchy>,
    pub(super) memory: Option<Hierarchy>,
    pub(super) pids: Option<Hierarchy>,
}

impl Groups {
    /// By the texts of `/proc/self/cgroup` and `/proc/self/mountinfo`. The root of a whole hierarchy is none: what
    /// it says is of the host. Of version 2 it alone has no `cgroup.events`, of version 1 it alone has a
    /// `release_agent`.
    pub(super) fn find(told: &str, mounts: &str, look: &Look<'_>) -> Self {
        let mounts: Vec<Mount<'_>> = mounts.lines().filter_map(Mount::parse).collect();
        let mut groups = Self::default();
        for line in told.lines() {
            let mut fields = line.splitn(3, ':');
            let (Some(id), Some(controllers), Some(path)) =
                (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let path = Path::new(path);
            if controllers.is_empty() && id == "0" {
                let found = find(&mounts, path, look, |mount| mount.kind == "cgroup2");
                groups.unified = found.filter(|it| look.has(&it.folder.join("cgroup.events")));
                continue;
            }
            for controller in controllers.split(',') {
                let place = match controller {
                    "cpu" => &mut groups.cpu,
                    "cpuacct" => &mut groups.cpuacct,
                    "memory" => &mut groups.memory,
                    "pids" => &mut groups.pids,
                    _ => continue,
                };
                let found = find(&mounts, path, look, |mount| {
                    mount.kind == "cgroup" && mount.options.split(',').any(|it| it == controller)
                });
                *place = found.filter(|it| !look.has(&it.folder.join("release_agent")));
            }
        }
        groups
    }
}

/// The folder of a group, by the mount that shows the most of the way to it. A mount may show a part of the hierarchy
/// alone, and a path that leads out of a namespace (`/..`) is nowhere.
fn find(
    mounts: &[Mount<'_>],
    path: &Path,
    look: &Look<'_>,
    is_of: impl Fn(&Mount<'_>) -> bool,
) -> Option<Hierarchy> {
    let is_plain = |path: &Path| {
        path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
    };
    let folders = mounts.iter().filter(|mount| is_of(mount)).filter_map(|mount| {
        let below = path.strip_prefix(&mount.root).ok()?;
        // Joining with nothing would leave a slash at the end.
        let folder = mount.point.components().chain(below.components()).collect::<PathBuf>();
        let found = Hierarchy { folder, mount: mount.point.clone() };
        (is_plain(path) && look.has(&found.folder)).then_some((mount, found))
    });
    let shallowest = folders.min_by_key(|(mount, _)| mount.root.components().count());
    shallowest.map(|(_, found)| found)
}

/// A line of mountinfo.
#[derive(Debug)]
struct Mount<'a> {
    /// What of the file system is shown.
    root: PathBuf,
    point: PathBuf,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (place, file_system) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let mut file_system = file_system.split(' ');
        let (root, point) = (place.next()?, place.next()?);
        let (kind, _, options) = (file_system.next()?, file_system.next()?, file_system.next()?);
        if !matches!(kind, "cgroup" | "cgroup2") {
            return None;
        }
        Some(Self { root: unescaped(root), point: unescaped(point), kind, options })
    }
}

/// Spaces, tabs, line feeds and backslashes are written as `\040` and so on.
fn unescaped(path: &str) -> PathBuf {
    let mut parts = path.split('\\');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (code, part.get(3..)) {
            (Some(code), Some(rest)) => text.extend([char::from(code).to_string().as_str(), rest]),
            _ => text.extend(["\\", part]),
        }
    }
    OsString::from(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read_with_what_is_escaped() {
        let line = r"31 23 0:28 /a\040b /sys/fs/\134x ro,nosuid shared:9 master:1 - cgroup2 none rw,memory";
        let mount = Mount::parse(line).unwrap();
        assert_eq!(mount.root, Path::new("/a b"));
        assert_eq!(mount.point, Path::new(r"/sys/fs/\x"));
        assert_eq!((mount.kind, mount.options), ("cgroup2", "rw,memory"));
        for line in
            ["", " - ", "1 2 3 4 5 6", "31 23 0:28 / /sys - cgroup2", "1 2 3 / /x - proc a b"]
        {
            assert!(Mount::parse(line).is_none(), "{line}");
        }
    }
}

//! The host, as far as this process can see it.

mod disk;
mod memory;
mod network;
mod room;

use std::path::PathBuf;

use metric_table::Metric;

use super::list;
use super::look::Look;
use super::pressure;
use crate::metric::{MetricSource, Samples, SourceError};

const CPUS: Metric = Metric::gauge("system.cpu.logical", "{cpu}", "processors that are in use");
const LOAD: Metric = Metric::gauge(
    "system.cpu.load_average",
    "{thread}",
    "threads that run, want to run or wait for a disk, averaged",
)
.with_labels(&["window"]);
const STALL_TIME: Metric = Metric::counter(
    "system.pressure.stall.time",
    "s",
    "for how long work was stalled for want of a resource: some of it, or all (`full`)",
)
.with_labels(pressure::LABELS);
const STALL: Metric =
    Metric::gauge("system.pressure.stall", "1", "share of the time for which work was stalled")
        .with_labels(pressure::WINDOW_LABELS);

pub(super) const TABLE: &[Metric] = &[
    CPUS,
    LOAD,
    STALL_TIME,
    STALL,
    memory::LIMIT,
    memory::AVAILABLE,
    memory::SWAP,
    room::USAGE,
    room::LIMIT,
    room::INODES,
    disk::BYTES,
    disk::OPERATIONS,
    disk::OPERATION_TIME,
    disk::TIME,
    network::BYTES,
    network::PACKETS,
    network::ERRORS,
    network::DROPPED,
];

/// What the kernel knows of the host: load, memory, pressure, room on file systems, disks, network interfaces.
///
/// Within a container load, memory and disks are mostly those of the host, and interfaces those of the container.
#[derive(Debug)]
#[must_use = "a source says nothing before it is given to a recorder"]
pub struct HostMetrics {
    root: PathBuf,
    file_systems: Vec<PathBuf>,
    disks: Vec<String>,
    interfaces: Vec<String>,
}

impl HostMetrics {
    /// Of no file system, of the first 32 disks that did anything (no partitions), and of the first 32 interfaces but `lo`.
    pub fn new() -> Self {
        let (file_systems, disks, interfaces) = Default::default();
        Self { root: "/".into(), file_systems, disks, interfaces }
    }

    /// Shows the room of the file system that this path is on, too. A file system of another machine that does not
    /// answer keeps whoever asks for metrics waiting: choose local ones.
    pub fn file_system(mut self, path: impl Into<PathBuf>) -> Self {
        self.file_systems.push(path.into());
        self
    }

    /// Shows this disk, as `sda` or `nvme0n1p1`, and others only if they are named, too.
    pub fn disk(mut self, name: impl Into<String>) -> Self {
        self.disks.push(name.into());
        self
    }

    /// Shows this network interface, as `eth0`, and others only if they are named, too.
    pub fn interface(mut self, name: impl Into<String>) -> Self {
        self.interfaces.push(name.into());
        self
    }

    /// With `/proc`, `/sys` and file systems in a folder that is not `/`.
    pub fn at(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = root.into();
        self
    }
}

impl Default for HostMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl MetricSource for HostMetrics {
    fn name(&self) -> &'static str {
        "host"
    }

    fn metrics(&self) -> &'static [Metric] {
        TABLE
    }

    fn collect(&self, samples: &mut Samples<'_>) -> Result<(), SourceError> {
        let mut look = Look::at(&self.root);
        if let Some(online) = look.parse("/sys/devices/system/cpu/online", list::count) {
            samples.sample(&CPUS, &[], online);
        }
        if let Some(load) = look.parse("/proc/loadavg", load_average) {
            for (window, load) in ["1m", "5m", "15m"].into_iter().zip(load) {
                samples.sample(&LOAD, &[("window", window)], load);
            }
        }
        for resource in pressure::RESOURCES {
            let file = format!("/proc/pressure/{resource}");
            let stalls = look.parse(file, pressure::parse).unwrap_or_default();
            pressure::say(&stalls, resource, (&STALL_TIME, &STALL), samples);
        }
        memory::say(&mut look, samples);
        room::say(&self.file_systems, &mut look, samples);
        disk::say(&self.disks, &mut look, samples);
        network::say(&self.interfaces, &mut look, samples);
        look.finish()
    }
}

/// Three numbers of `/proc/loadavg` (proc(5)).
fn load_average(text: &str) -> Option<[f64; 3]> {
    let mut words = text.split_ascii_whitespace();
    let mut load = [0.0; 3];
    for load in &mut load {
        *load = words.next()?.parse().ok().filter(|load: &f64| load.is_finite() && *load >= 0.0)?;
    }
    Some(load)
}

/// How many of something that nobody chose are shown.
const MOST: usize = 32;

/// Whether one of this name is shown: one that was chosen, or any that is worth it and for which there is room.
fn is_shown(chosen: &[String], name: &str, shown: usize, is_worth_it: bool) -> bool {
    if chosen.is_empty() { is_worth_it && shown < MOST } else { chosen.iter().any(|it| it == name) }
}

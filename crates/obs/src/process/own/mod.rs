//! This process, or another one.

mod files;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use metric_table::Metric;

use self::files::{Io, Stat, Status};
use super::look::{Entries, Look, named};
use super::system::ticks_per_second;
use crate::metric::{MetricSource, Samples, SourceError};

const CPU: Metric = Metric::counter(
    "process.cpu",
    "s",
    "time of processors, of the program and of the kernel for it",
);
const RESIDENT: Metric =
    Metric::gauge("process.resident_memory", "By", "memory that is not swapped out");
const RESIDENT_PEAK: Metric =
    Metric::gauge("process.resident_memory_peak", "By", "the most resident memory so far");
const VIRTUAL: Metric = Metric::gauge("process.virtual_memory", "By", "addresses that are mapped");
const SWAPPED: Metric = Metric::gauge("process.swapped_memory", "By", "memory that is swapped out");
const START: Metric =
    Metric::gauge("process.start_time", "s", "when it started, in seconds since 1970");
const THREADS: Metric = Metric::gauge("process.threads", "{thread}", "threads");
const OPEN_FDS: Metric =
    Metric::gauge("process.open_fds", "{file_descriptor}", "file descriptors that are open");
const MAX_FDS: Metric = Metric::gauge(
    "process.max_fds",
    "{file_descriptor}",
    "the most file descriptors that may be open; none if there is no limit",
);
const SWITCHES: Metric = Metric::counter(
    "process.context_switches",
    "{context_switch}",
    "how often threads gave their processors away (`voluntary`) or had to (`involuntary`); of this process alone",
)
.with_labels(&["process.context_switch.type"]);
const FAULTS: Metric = Metric::counter(
    "process.paging.faults",
    "{fault}",
    "accesses to memory that was not there: `major` ones waited for a disk",
)
.with_labels(&["system.paging.fault.type"]);
const DISK: Metric = Metric::counter(
    "process.disk.io",
    "By",
    "bytes that were read from disks, and that are to be written there",
)
.with_labels(&["disk.io.direction"]);

pub(super) const TABLE: &[Metric] = &[
    CPU,
    RESIDENT,
    RESIDENT_PEAK,
    VIRTUAL,
    SWAPPED,
    START,
    THREADS,
    OPEN_FDS,
    MAX_FDS,
    SWITCHES,
    FAULTS,
    DISK,
];

/// This process, in `/proc`.
const SELF: &str = "self";

/// What the kernel knows of this process: processor time, memory, file descriptors, threads, disk.
#[derive(Debug)]
#[must_use = "a source says nothing before it is given to a recorder"]
pub struct ProcessMetrics {
    root: PathBuf,
    /// `self`, or a number.
    process: String,
    /// What was seen of it first.
    seen: Mutex<Option<Seen>>,
}

/// When a process started. Its number may be that of another one later.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// Clock ticks since the system was booted.
    ticks: f64,
    /// Seconds since 1970: it does not change when the clock is set.
    start: Option<f64>,
}

impl ProcessMetrics {
    /// Of this process.
    pub fn new() -> Self {
        Self { root: "/".into(), process: SELF.to_owned(), seen: Mutex::default() }
    }

    /// Of another process, by its number. Nothing is shown once there is none, also if the number is another one's then, and less of
    /// one that belongs to somebody else.
    pub fn of_process(mut self, process: u32) -> Self {
        self.process = process.to_string();
        self
    }

    /// With `/proc` in a folder that is not `/`.
    pub fn at(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = root.into();
        self
    }

    /// Whether it is still the one that was seen first; this process may have become two of one, each of which is itself.
    fn see(&self, stat: &Stat, look: &mut Look<'_>) -> Option<Seen> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match *seen {
            Some(known) if known.ticks == stat.start && known.start.is_some() => {
                return Some(known);
            }
            Some(known) if known.ticks != stat.start && self.process != SELF => return None,
            _ => {}
        }
        let booted = look.parse("/proc/stat", |text| named(text, "btime"));
        let start = booted.map(|booted| booted + stat.start / ticks_per_second());
        Some(*seen.insert(Seen { ticks: stat.start, start }))
    }

    fn stat(&self, stat: &Stat, start: Option<f64>, samples: &mut Samples<'_>) {
        let ticks = ticks_per_second();
        samples.sample(&CPU, &[], (stat.user + stat.system) / ticks);
        let kinds = [("minor", stat.minor_faults), ("major", stat.major_faults)];
        for (kind, faults) in kinds {
            samples.sample(&FAULTS, &[("system.paging.fault.type", kind)], faults);
        }
        if let Some(start) = start {
            samples.sample(&START, &[], start);
        }
    }

    /// Descriptors of this process: less the one by which they are listed.
    fn descriptors(&self, look: &mut Look<'_>, samples: &mut Samples<'_>, folder: &Path) {
        let own = u64::from(self.process == SELF);
        if let Some(entries) = look.entries(folder.join("fd")) {
            let open = match entries {
                Entries::Told(count) => count,
                Entries::Listed(count) => count.saturating_sub(own),
            };
            samples.sample(&OPEN_FDS, &[], open as f64);
        }
        if let Some(Some(most)) = look.parse(folder.join("limits"), files::most_descriptors) {
            samples.sample(&MAX_FDS, &[], most);
        }
    }
}

impl Default for ProcessMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl MetricSource for ProcessMetrics {
    fn name(&self) -> &'static str {
        "process"
    }

    fn metrics(&self) -> &'static [Metric] {
        TABLE
    }

    fn collect(&self, samples: &mut Samples<'_>) -> Result<(), SourceError> {
        let mut look = Look::at(&self.root);
        let folder = Path::new("/proc").join(&self.process);
        if let Some(stat) = look.parse(folder.join("stat"), Stat::parse) {
            let Some(seen) = self.see(&stat, &mut look) else { return look.finish() };
            self.stat(&stat, seen.start, samples);
        }
        if let Some(status) = look.parse(folder.join("status"), Status::parse) {
            status.say(samples);
        }
        if self.process == SELF
            && let Some(switches) = look.context_switches()
        {
            for (kind, count) in ["voluntary", "involuntary"].into_iter().zip(switches) {
                samples.sample(&SWITCHES, &[("process.context_switch.type", kind)], count);
            }
        }
        self.descriptors(&mut look, samples, &folder);
        if let Some(io) = look.parse(folder.join("io"), Io::parse) {
            samples.sample(&DISK, &[("disk.io.direction", "read")], io.read);
            samples.sample(&DISK, &[("disk.io.direction", "write")], io.written);
        }
        look.finish()
    }
}

impl Status {
    fn say(&self, samples: &mut Samples<'_>) {
        // A process that ended and was not waited for has no memory.
        let memory = [
            (&RESIDENT, self.resident),
            (&RESIDENT_PEAK, self.resident_peak),
            (&VIRTUAL, self.mapped),
            (&SWAPPED, self.swapped),
        ];
        for (metric, bytes) in memory {
            if let Some(bytes) = bytes {
                samples.sample(metric, &[], bytes);
            }
        }
        samples.sample(&THREADS, &[], self.threads);
    }
}

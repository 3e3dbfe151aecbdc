//! `/proc/diskstats` (the kernel's `Documentation/admin-guide/iostats.rst`).

use metric_table::Metric;

use super::is_shown;
use crate::metric::Samples;
use crate::process::look::{Look, number};

const LABELS: &[&str] = &["system.device", "disk.io.direction"];

pub(super) const BYTES: Metric =
    Metric::counter("system.disk.io", "By", "bytes that were read and written").with_labels(LABELS);
pub(super) const OPERATIONS: Metric =
    Metric::counter("system.disk.operations", "{operation}", "reads and writes that were done")
        .with_labels(LABELS);
pub(super) const OPERATION_TIME: Metric = Metric::counter(
    "system.disk.operation_time",
    "s",
    "how long reads and writes took, summed over all of them",
)
.with_labels(LABELS);
pub(super) const TIME: Metric =
    Metric::counter("system.disk.io_time", "s", "for how long there was something to do")
        .with_labels(&["system.device"]);

const FILE: &str = "/proc/diskstats";

/// A sector, whatever those of the disk are.
const SECTOR: f64 = 512.0;

pub(super) fn say(chosen: &[String], look: &mut Look<'_>, samples: &mut Samples<'_>) {
    let Some(text) = look.read(FILE) else { return };
    let Some(disks) = disks(&text) else { return look.fail_to_understand(FILE) };
    // Only whole disks are there; a slash in a name is written as `!`.
    let whole = look.names("/sys/block").unwrap_or_default();
    let is_whole = |name: &str| whole.is_empty() || whole.contains(&name.replace('/', "!"));
    let mut shown = 0;
    for disk in disks {
        let did_anything = disk.reads.operations + disk.writes.operations > 0.0;
        if is_shown(chosen, disk.name, shown, did_anything && is_whole(disk.name)) {
            disk.say(samples);
            shown += 1;
        }
    }
}

struct Disk<'a> {
    name: &'a str,
    reads: Done,
    writes: Done,
    seconds: f64,
}

#[derive(Clone, Copy)]
struct Done {
    operations: f64,
    bytes: f64,
    seconds: f64,
}

fn disks(text: &str) -> Option<Vec<Disk<'_>>> {
    text.lines().map(Disk::parse).collect()
}

impl<'a> Disk<'a> {
    /// The fields of iostats.rst, numbered as there, after two numbers and the name.
    fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace().skip(2);
        let name = words.next()?;
        let fields: Vec<&str> = words.collect();
        let field = |place: usize| number(fields.get(place - 1)?);
        let done = |first: usize| {
            Some(Done {
                operations: field(first)?,
                bytes: field(first + 2)? * SECTOR,
                seconds: field(first + 3)? / 1e3,
            })
        };
        Some(Self { name, reads: done(1)?, writes: done(5)?, seconds: field(10)? / 1e3 })
    }

    fn say(&self, samples: &mut Samples<'_>) {
        let device = ("system.device", self.name);
        for (direction, done) in [("read", self.reads), ("write", self.writes)] {
            let labels = [device, ("disk.io.direction", direction)];
            samples.sample(&BYTES, &labels, done.bytes);
            samples.sample(&OPERATIONS, &labels, done.operations);
            samples.sample(&OPERATION_TIME, &labels, done.seconds);
        }
        samples.sample(&TIME, &[device], self.seconds);
    }
}

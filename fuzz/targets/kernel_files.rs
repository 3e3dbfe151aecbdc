//! Whatever the files of the kernel hold, sources of metrics do not panic, and what they show is well-formed. The
//! input is a number of a file and then its text, other files after a zero byte.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use obs::metric::{Exposition, MetricRecorder};
use obs::process::{CgroupMetrics, HostMetrics, ProcessMetrics, TcpMetrics};

const FILES: [&str; 32] = [
    "proc/self/stat",
    "proc/stat",
    "proc/self/status",
    "proc/self/limits",
    "proc/self/io",
    "proc/self/cgroup",
    "proc/self/mountinfo",
    "cg/a/cpu.stat",
    "cg/a/cpu.max",
    "cg/a/memory.current",
    "cg/a/memory.max",
    "cg/a/memory.stat",
    "cg/a/memory.events",
    "cg/a/memory.peak",
    "cg/a/cpu.pressure",
    "cg/a/pids.current",
    "cg/a/pids.max",
    "v1/a/cpu.stat",
    "v1/a/cpu.cfs_quota_us",
    "v1/a/cpu.cfs_period_us",
    "v1/a/memory.usage_in_bytes",
    "v1/a/memory.limit_in_bytes",
    "proc/loadavg",
    "proc/meminfo",
    "proc/pressure/memory",
    "proc/diskstats",
    "proc/self/net/dev",
    "proc/self/net/tcp",
    "proc/self/net/tcp6",
    "proc/self/net/netstat",
    "proc/self/net/sockstat",
    "sys/devices/system/cpu/online",
];

/// Groups of both versions, found by these unless the input has others.
const PLACE: [(&str, &str); 3] = [
    ("proc/self/cgroup", "0::/a\n4:memory,cpu:/a\n"),
    (
        "proc/self/mountinfo",
        "31 23 0:28 / /cg rw - cgroup2 cgroup rw\n32 23 0:29 / /v1 rw - cgroup cgroup rw,memory,cpu\n",
    ),
    ("cg/a/cgroup.events", "populated 1\n"),
];

static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = std::env::temp_dir().join(format!("kernel_files-{}", std::process::id()));
    for file in FILES.iter().chain([&PLACE[2].0]) {
        let folder = root.join(file);
        fs::create_dir_all(folder.parent().expect("it has one")).expect("a folder is made");
    }
    root
});

fuzz_target!(|input: &[u8]| {
    for (file, text) in PLACE {
        fs::write(ROOT.join(file), text).expect("a file is written");
    }
    let mut written = Vec::new();
    for part in input.split(|byte| *byte == 0) {
        let Some((number, text)) = part.split_first() else { continue };
        let file = FILES[usize::from(*number) % FILES.len()];
        fs::write(ROOT.join(file), text).expect("a file is written");
        written.push(file);
    }
    let recorder = MetricRecorder::builder()
        .source(ProcessMetrics::new().at(&*ROOT))
        .source(CgroupMetrics::new().at(&*ROOT))
        .source(HostMetrics::new().at(&*ROOT))
        .source(TcpMetrics::new().every(Duration::ZERO).at(&*ROOT))
        .build();
    let mut page = Vec::new();
    recorder.render(Exposition::Text, &mut page).expect("a page is written");
    let page = String::from_utf8(page).expect("a page is UTF-8");
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
        let value: f64 = value.parse().expect("a value is a number");
        assert!(value.is_finite() && value >= 0.0, "{line}");
        assert!(series.starts_with(|first: char| first.is_ascii_lowercase()), "{line}");
        assert!(!series.contains("reason=\"panicked\"") || value == 0.0, "{line}");
        assert!(!series.starts_with("obs_metric_source_rejected") || value == 0.0, "{line}");
    }
    for file in written {
        fs::remove_file(ROOT.join(file))
            .or_else(|error| match error.kind() {
                // It stood there twice.
                std::io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })
            .expect("a file is removed");
    }
});

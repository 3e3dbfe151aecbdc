//! Files that are cut, huge or nonsense: nothing panics, what is shown is well-formed, and the rest is counted.

use obs::metric::{Exposition, MetricRecorder};
use obs::process::{CgroupMetrics, HostMetrics, ProcessMetrics, TcpMetrics};
use proptest::prelude::*;

use super::tree::{Page, Tree, check};
use crate::metrics::text;

const FILES: &[(&str, &str)] = &[
    (
        "proc/self/stat",
        "7 (a b) R 1 7 7 0 -1 4194304 103 0 4 0 250 50 0 0 20 0 1 0 5000 3133440 394 1\n",
    ),
    ("proc/stat", "cpu  1 2 3\nbtime 1700000000\n"),
    (
        "proc/self/status",
        "Name:\ta\nVmRSS:\t 1784 kB\nThreads:\t1\nCpus_allowed_list:\t0-1\nvoluntary_ctxt_switches:\t4\n",
    ),
    (
        "proc/self/limits",
        "Max open files            1024                 4096                files\n",
    ),
    ("proc/self/io", "read_bytes: 4096\nwrite_bytes: 0\n"),
    ("proc/self/cgroup", "0::/a\n4:memory:/a\n"),
    (
        "proc/self/mountinfo",
        "31 23 0:28 / /cg rw - cgroup2 cgroup rw\n32 23 0:29 / /cg rw - cgroup cgroup rw,memory\n",
    ),
    ("cg/a/cgroup.events", "populated 1\n"),
    (
        "cg/a/cpu.stat",
        "usage_usec 3\nuser_usec 2\nsystem_usec 1\nnr_periods 1\nnr_throttled 1\nthrottled_usec 1\n",
    ),
    ("cg/a/cpu.max", "150000 100000\n"),
    ("cg/a/memory.current", "1048576\n"),
    ("cg/a/memory.max", "2097152\n"),
    ("cg/a/memory.stat", "inactive_file 4096\n"),
    ("cg/a/memory.events", "max 7\noom_kill 2\n"),
    ("cg/a/cpu.pressure", "some avg10=12.50 avg60=1.00 avg300=0.10 total=2500000\n"),
    ("cg/a/pids.current", "12\n"),
    ("proc/loadavg", "0.95 0.67 0.31 9/169 7502\n"),
    (
        "proc/meminfo",
        "MemTotal:       100000 kB\nMemAvailable:    400 kB\nSwapTotal: 2 kB\nSwapFree: 1 kB\n",
    ),
    ("proc/pressure/memory", "some avg10=0.25 avg60=0.30 avg300=0.38 total=1136099278\n"),
    (
        "proc/diskstats",
        " 254       0 vda 100 244810 200 3000 50 2613266 400 8000 0 1500 36849120\n",
    ),
    ("proc/self/net/dev", "x\ny\n  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"),
    (
        "proc/self/net/tcp",
        "  sl  local_address\n   0: 00000000:1F90 00000000:0000 0A 00000000:00000003 00\n",
    ),
    ("proc/self/net/netstat", "TcpExt: A ListenOverflows\nTcpExt: 1 247\n"),
    ("proc/self/net/snmp", "Tcp: OutSegs\nTcp: 100\n"),
    ("proc/self/net/sockstat", "TCP: inuse 1 orphan 6 tw 0 alloc 1 mem 2\n"),
    ("sys/devices/system/cpu/online", "0-7\n"),
];

fn page(tree: &Tree) -> Page {
    let recorder = MetricRecorder::builder()
        .source(ProcessMetrics::new().at(tree.path()))
        .source(CgroupMetrics::new().at(tree.path()))
        .source(HostMetrics::new().at(tree.path()))
        .source(TcpMetrics::new().at(tree.path()))
        .build();
    Page(text(&recorder, Exposition::Text))
}

fn failures(page: &Page) -> f64 {
    ["process", "cgroup", "host", "tcp"].iter().map(|source| page.failed(source)).sum()
}

/// Samples by name, labels and number.
fn assert_well_formed(page: &Page) {
    for sample in page.samples() {
        let (series, value) = sample.rsplit_once(' ').unwrap();
        let value = value.parse::<f64>().unwrap();
        assert!(value.is_finite() && value >= 0.0, "{sample}");
        let name = series.split('{').next().unwrap();
        assert!(name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_'), "{sample}");
    }
}

#[test]
fn each_file_may_be_missing() {
    let whole = Tree::new(FILES);
    let (all, failed) = (page(&whole).samples().len(), failures(&page(&whole)));
    assert_eq!(failed, 0.0, "{}", page(&whole).0);
    for (file, text) in FILES {
        whole.remove(file);
        let page = page(&whole);
        assert!(page.samples().len() <= all);
        assert_eq!(failures(&page), 0.0, "{file}");
        whole.write(file, text);
    }
    let nothing = Tree::new(&[]);
    assert!(page(&nothing).samples().is_empty());
}

#[test]
fn each_file_may_be_cut_anywhere() {
    let tree = Tree::new(FILES);
    for (file, text) in FILES {
        for length in (0..text.len()).step_by(3) {
            tree.write(file, &text[..length]);
            assert_well_formed(&page(&tree));
        }
        tree.write(file, text);
    }
}

#[test]
fn a_file_that_makes_no_sense_is_counted_and_harms_no_other() {
    let tree = Tree::new(FILES);
    let nonsense: [&[u8]; 4] = [b"\n", b"\xff\x00garbage", b"-1\n", b"99999999999999999999999\n"];
    for (file, sample) in [
        ("proc/self/stat", "process_cpu_seconds_total"),
        ("proc/self/status", "process_threads"),
        ("cg/a/memory.current", "cgroup_memory_usage_bytes"),
        ("cg/a/memory.max", "cgroup_memory_limit_bytes"),
        ("cg/a/cpu.max", "cgroup_cpu_limit"),
        ("proc/loadavg", "system_cpu_load_average{window=\"1m\"}"),
        ("proc/diskstats", "system_disk_io_time_seconds_total{system_device=\"vda\"}"),
    ] {
        let whole = page(&tree);
        assert!(whole.get(sample).is_some(), "{sample}\n{}", whole.0);
        for nonsense in nonsense {
            tree.write(file, nonsense);
            let page = page(&tree);
            assert_eq!(page.get(sample), None, "{file} {nonsense:?}");
            assert!(failures(&page) >= 1.0, "{file} {nonsense:?}");
            assert!(page.samples().len() > 30, "{}", page.0);
        }
        tree.write(file, FILES.iter().find(|(known, _)| *known == file).unwrap().1);
    }
}

#[test]
fn a_file_that_does_not_end_is_not_read_to_its_end() {
    let tree = Tree::new(FILES);
    std::os::unix::fs::symlink("/dev/zero", tree.path().join("endless")).unwrap();
    for file in ["proc/self/status", "proc/meminfo", "cg/a/memory.stat", "proc/self/net/tcp"] {
        tree.remove(file);
        std::os::unix::fs::symlink("/dev/zero", tree.path().join(file)).unwrap();
    }
    let page = page(&tree);
    assert_eq!(page.get("process_threads"), None);
    assert!(failures(&page) >= 4.0, "{}", page.0);
}

#[test]
fn counters_that_go_back_are_shown_as_they_are() {
    let tree = Tree::new(FILES);
    let recorder = MetricRecorder::builder().source(CgroupMetrics::new().at(tree.path())).build();
    let sample = "cgroup_cpu_throttled_periods_total";
    for periods in ["nr_throttled 9\n", "nr_throttled 2\n"] {
        tree.write("cg/a/cpu.stat", periods);
        let page = Page(text(&recorder, Exposition::Text));
        let expected = periods.trim().rsplit(' ').next().unwrap().parse().unwrap();
        check(&page, &[(sample, expected)]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_panics_whatever_a_file_is(
        file in 0..FILES.len(),
        place in any::<prop::sample::Index>(),
        with in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            "[0-9 :.(){}/\\-\n]{0,40}".prop_map(String::into_bytes),
            Just(b"18446744073709551616".to_vec()),
        ],
    ) {
        let tree = Tree::new(FILES);
        let (path, text) = FILES[file];
        let mut bytes = text.as_bytes().to_vec();
        let place = place.index(bytes.len());
        bytes.splice(place..(place + with.len() / 2).min(bytes.len()), with);
        tree.write(path, bytes);
        assert_well_formed(&page(&tree));
        failures(&page(&tree));
    }
}

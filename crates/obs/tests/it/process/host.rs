//! The host: this one, and one that was recorded.

use obs::metric::{Exposition, MetricRecorder};
use obs::process::{BuildInfo, CgroupMetrics, HostMetrics, ProcessMetrics, TcpMetrics};
use peers::{PrometheusClient, promtool_check_metrics};

use super::tree::{Page, Tree, check};
use crate::metrics::text;

const NET_DEV: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1 1 1 1 0 0 0 0 1 1 1 1 0 0 0 0
  eth0:3751683049  137987    3    4    0     0          0         0  9304246   78919    5    6    0     0       0          0
 wlan0: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
";
const DISKSTATS: &str = "   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0
 254       0 vda 100 244810 200 3000 50 2613266 400 8000 0 1500 36849120 4753125 18469 1125445296 745797 2118383 312548
 254       1 vda1 90 0 180 2000 40 0 300 7000 0 1000 36849120
 253       0 cciss/c0d0 1 0 2 3 4 5 6 7 8 9 10
";

pub(super) fn recorded() -> Tree {
    Tree::new(&[
        ("proc/loadavg", "6.95 5.67 3.31 9/169 7502\n"),
        (
            "proc/pressure/io",
            "some avg10=0.25 avg60=0.30 avg300=0.38 total=1136099278\nfull avg10=0.00 avg60=0.00 avg300=0.05 total=248634413\n",
        ),
        (
            "proc/meminfo",
            "MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    400 kB\nSwapTotal:      100 kB\nSwapFree:       30 kB\n",
        ),
        ("proc/diskstats", DISKSTATS),
        ("proc/self/net/dev", NET_DEV),
        ("sys/block/vda/x", ""),
        ("sys/block/cciss!c0d0/x", ""),
        ("sys/block/loop0/x", ""),
        ("sys/devices/system/cpu/online", "0-3,6\n"),
    ])
}

#[test]
fn a_host_is_read() {
    let tree = recorded();
    let page = Page::of(HostMetrics::new().at(tree.path()));
    let io = |device, direction| {
        format!("{{disk_io_direction=\"{direction}\",system_device=\"{device}\"}}")
    };
    let net = |direction| {
        format!("{{network_interface_name=\"eth0\",network_io_direction=\"{direction}\"}}")
    };
    let samples = [
        (format!("system_disk_io_bytes_total{}", io("vda", "read")), 200.0 * 512.0),
        (format!("system_disk_io_bytes_total{}", io("vda", "write")), 400.0 * 512.0),
        (format!("system_disk_operations_total{}", io("vda", "write")), 50.0),
        (format!("system_disk_operation_time_seconds_total{}", io("vda", "read")), 3.0),
        (format!("system_disk_operations_total{}", io("cciss/c0d0", "read")), 1.0),
        ("system_disk_io_time_seconds_total{system_device=\"vda\"}".into(), 1.5),
        (format!("system_network_io_bytes_total{}", net("receive")), 3_751_683_049.0),
        (format!("system_network_packet_count_total{}", net("transmit")), 78919.0),
        (format!("system_network_errors_total{}", net("receive")), 3.0),
        (format!("system_network_packet_dropped_total{}", net("transmit")), 6.0),
    ];
    for (sample, value) in samples {
        check(&page, &[(&sample, value)]);
    }
    check(
        &page,
        &[
            ("system_cpu_logical", 5.0),
            ("system_cpu_load_average{window=\"1m\"}", 6.95),
            ("system_cpu_load_average{window=\"15m\"}", 3.31),
            ("system_memory_limit_bytes", 1_024_000.0),
            ("system_memory_linux_available_bytes", 409_600.0),
            ("system_paging_usage_bytes{system_paging_state=\"used\"}", 71_680.0),
            (
                "system_pressure_stall_time_seconds_total{pressure_kind=\"some\",pressure_resource=\"io\"}",
                1_136.099_278,
            ),
        ],
    );
    // Parts of disks, disks that did nothing and the loop are not there.
    for name in ["vda1", "loop0", "\"lo\""] {
        assert!(!page.0.contains(name), "{name}");
    }
    assert_eq!(page.failed("host"), 0.0);
}

#[test]
fn what_was_chosen_is_shown_and_nothing_else() {
    let tree = recorded();
    let source = HostMetrics::new().disk("vda1").interface("lo").interface("no");
    let page = Page::of(source.at(tree.path()));
    assert!(page.0.contains("\"vda1\"") && page.0.contains("\"lo\""));
    assert!(!page.0.contains("\"vda\"") && !page.0.contains("eth0"), "{}", page.0);
}

#[test]
fn no_more_is_shown_than_there_may_be() {
    let tree = recorded();
    let interfaces: String = (0..10_000)
        .map(|number| format!("veth{number}: 1 1 1 1 0 0 0 0 1 1 1 1 0 0 0 0\n"))
        .collect();
    tree.write("proc/self/net/dev", format!("x\ny\n{interfaces}"));
    let disks: String =
        (0..10_000).map(|number| format!("1 1 d{number} 1 1 1 1 1 1 1 1 1 1 1\n")).collect();
    tree.write("proc/diskstats", disks);
    (0..40).for_each(|number| tree.write(&format!("sys/block/d{number}/x"), ""));
    let page = Page::of(HostMetrics::new().at(tree.path()));
    assert_eq!(page.0.matches("system_network_io_bytes_total{").count(), 64);
    assert_eq!(page.0.matches("system_disk_io_time_seconds_total{").count(), 32);
}

#[test]
fn the_room_of_a_file_system_is_that_of_df() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let page = Page::of(HostMetrics::new().file_system(path).file_system("/no/such/path"));
    let command = std::process::Command::new("df")
        .args(["--block-size=1", "--output=size,itotal", path])
        .output()
        .unwrap();
    let told = String::from_utf8(command.stdout).unwrap();
    let mut numbers =
        told.lines().nth(1).unwrap().split_whitespace().map(|it| it.parse::<f64>().unwrap());
    assert_eq!(
        page.get(&format!("system_filesystem_limit_bytes{{path=\"{path}\"}}")),
        numbers.next()
    );
    let sum = |metric: &str, states: &[&str]| -> f64 {
        let labels =
            |state| format!("{metric}{{path=\"{path}\",system_filesystem_state=\"{state}\"}}");
        states.iter().map(|state| page.get(&labels(state)).unwrap()).sum()
    };
    let limit = page.get(&format!("system_filesystem_limit_bytes{{path=\"{path}\"}}")).unwrap();
    assert_eq!(sum("system_filesystem_usage_bytes", &["used", "free", "reserved"]), limit);
    assert_eq!(Some(sum("system_filesystem_inodes", &["used", "free"])), numbers.next());
    assert!(!page.0.contains("/no/such/path"));
    assert_eq!(page.failed("host"), 0.0);
}

/// All of it, on this machine.
pub(super) fn everything() -> MetricRecorder {
    MetricRecorder::builder()
        .source(ProcessMetrics::new())
        .source(CgroupMetrics::new())
        .source(HostMetrics::new().file_system("/").file_system("/tmp"))
        .source(TcpMetrics::new())
        .source(
            BuildInfo::new("1.4.2")
                .with_revision("4f\"2")
                .with_rustc("1.95.0")
                .with_profile("release"),
        )
        .build()
}

#[test]
fn this_machine_is_read_and_collectors_read_that() {
    let recorder = everything();
    let page = Page(text(&recorder, Exposition::Text));
    for source in ["process", "cgroup", "host", "tcp", "build"] {
        assert_eq!(page.failed(source), 0.0, "{source}");
    }
    assert!(page.0.contains(
        "build_info{profile=\"release\",revision=\"4f\\\"2\",rustc=\"1.95.0\",version=\"1.4.2\"} 1\n"
    ));
    assert_eq!(promtool_check_metrics(&page.0).unwrap(), "");
    let total = std::fs::read_to_string("/proc/meminfo").unwrap();
    let total = total.lines().next().unwrap().split_whitespace().nth(1).unwrap();
    assert_eq!(page.get("system_memory_limit_bytes"), Some(total.parse::<f64>().unwrap() * 1024.0));

    let client = PrometheusClient::start().unwrap();
    let families = client.open_metrics(&text(&recorder, Exposition::OpenMetrics)).unwrap();
    let has = |name: &str| families.as_array().unwrap().iter().any(|family| family["name"] == name);
    for name in
        ["process_cpu_seconds", "system_memory_limit_bytes", "process_cpu_usable", "build_info"]
    {
        assert!(has(name), "{name}");
    }
}

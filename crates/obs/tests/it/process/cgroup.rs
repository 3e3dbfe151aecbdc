//! Control groups: recorded ones of both versions, and where they are found.

use obs::process::CgroupMetrics;

use super::tree::{Page, Tree, check};

const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:        8000000 kB\nMemFree: 1 kB\n");
const MOUNT: &str = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw,nsdelegate\n";

fn page(tree: &Tree) -> Page {
    Page::of(CgroupMetrics::new().at(tree.path()))
}

/// A group of version 2 as in a container.
fn container() -> Tree {
    Tree::new(&[
        MEMINFO,
        ("proc/self/cgroup", "0::/\n"),
        ("proc/self/mountinfo", MOUNT),
        ("proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-5\n"),
        ("sys/devices/system/cpu/online", "0-7\n"),
        ("sys/fs/cgroup/cgroup.events", "populated 1\nfrozen 0\n"),
        (
            "sys/fs/cgroup/cpu.stat",
            "usage_usec 3500000\nuser_usec 2500000\nsystem_usec 1000000\nnr_periods 100\nnr_throttled 25\nthrottled_usec 1250000\nnr_bursts 0\nburst_usec 0\n",
        ),
        ("sys/fs/cgroup/cpu.max", "150000 100000\n"),
        ("sys/fs/cgroup/memory.current", "104857600\n"),
        ("sys/fs/cgroup/memory.stat", "anon 1\nfile 2\ninactive_file 4857600\nactive_file 3\n"),
        ("sys/fs/cgroup/memory.max", "209715200\n"),
        ("sys/fs/cgroup/memory.peak", "150000000\n"),
        (
            "sys/fs/cgroup/memory.events",
            "low 0\nhigh 1\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n",
        ),
        ("sys/fs/cgroup/pids.current", "12\n"),
        ("sys/fs/cgroup/pids.max", "max\n"),
        (
            "sys/fs/cgroup/memory.pressure",
            "some avg10=12.50 avg60=1.00 avg300=0.10 total=2500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1000\n",
        ),
    ])
}

const THROTTLED: &[(&str, f64)] = &[
    ("cgroup_cpu_time_seconds_total{cpu_mode=\"user\"}", 2.5),
    ("cgroup_cpu_time_seconds_total{cpu_mode=\"system\"}", 1.0),
    ("cgroup_cpu_periods_total", 100.0),
    ("cgroup_cpu_throttled_periods_total", 25.0),
    ("cgroup_cpu_throttled_time_seconds_total", 1.25),
    ("cgroup_cpu_limit", 1.5),
    ("process_cpu_usable", 1.5),
];

#[test]
fn a_container_is_read() {
    let page = page(&container());
    check(&page, THROTTLED);
    let event = |event| format!("cgroup_memory_events_total{{cgroup_memory_event=\"{event}\"}}");
    let (max, kills) = (event("max"), event("oom_kill"));
    let ten = "cgroup_pressure_stall_ratio{pressure_kind=\"some\",pressure_resource=\"memory\",pressure_window=\"10s\"}";
    let full = "cgroup_pressure_stall_time_seconds_total{pressure_kind=\"full\",pressure_resource=\"memory\"}";
    check(
        &page,
        &[
            ("cgroup_memory_usage_bytes", 104_857_600.0),
            ("cgroup_memory_working_set_bytes", 100_000_000.0),
            ("cgroup_memory_limit_bytes", 209_715_200.0),
            ("cgroup_memory_peak_bytes", 150_000_000.0),
            (&max, 7.0),
            (&kills, 2.0),
            ("cgroup_tasks", 12.0),
            (ten, 0.125),
            (full, 0.001),
        ],
    );
    assert_eq!(page.get("cgroup_tasks_limit"), None);
    assert_eq!(page.failed("cgroup"), 0.0);
}

#[test]
fn what_is_no_limit_to_this_host_is_none() {
    let tree = container();
    tree.write("sys/fs/cgroup/memory.max", "99999999999999\n");
    tree.write("sys/fs/cgroup/cpu.max", "1600000 100000\n");
    let above = page(&tree);
    assert_eq!(above.get("cgroup_memory_limit_bytes"), None);
    assert_eq!(above.get("cgroup_cpu_limit"), None);
    // What is left is the affinity.
    assert_eq!(above.get("process_cpu_usable"), Some(6.0));
    tree.write("sys/fs/cgroup/memory.max", "max\n");
    tree.write("sys/fs/cgroup/cpu.max", "max 100000\n");
    let none = page(&tree);
    assert_eq!(none.get("cgroup_memory_limit_bytes"), None);
    assert_eq!((none.get("cgroup_cpu_limit"), none.failed("cgroup")), (None, 0.0));
}

#[test]
fn the_least_limit_of_the_groups_above_counts() {
    let tree = Tree::new(&[
        MEMINFO,
        ("proc/self/cgroup", "0::/pod/app/worker\n"),
        ("proc/self/mountinfo", MOUNT),
        ("sys/fs/cgroup/pod/memory.max", "4000\n"),
        ("sys/fs/cgroup/pod/cpu.max", "200000 100000\n"),
        ("sys/fs/cgroup/pod/pids.max", "max\n"),
        ("sys/fs/cgroup/pod/app/memory.max", "max\n"),
        ("sys/fs/cgroup/pod/app/cpu.max", "50000 100000\n"),
        ("sys/fs/cgroup/pod/app/pids.max", "50\n"),
        ("sys/fs/cgroup/pod/app/worker/memory.max", "5000\n"),
        ("sys/fs/cgroup/pod/app/worker/memory.current", "100\n"),
        ("sys/fs/cgroup/pod/app/worker/pids.current", "1\n"),
        ("sys/fs/cgroup/pod/app/worker/cgroup.events", "populated 1\n"),
        // Above the mount: it is not looked at.
        ("sys/fs/memory.max", "1\n"),
    ]);
    let page = page(&tree);
    check(
        &page,
        &[
            ("cgroup_memory_limit_bytes", 4000.0),
            ("cgroup_cpu_limit", 0.5),
            ("cgroup_tasks_limit", 50.0),
        ],
    );
    assert_eq!(page.failed("cgroup"), 0.0);
}

/// What limits a group may be above it, and then that is where it is stopped.
#[test]
fn throttling_is_that_of_the_group_whose_limit_is_the_least() {
    let throttled = |share: &str, own: &str| {
        let own_stat = format!("user_usec 7000000\nsystem_usec 0\n{own}");
        let tree = Tree::new(&[
            ("proc/self/cgroup", "0::/pod/app\n"),
            ("proc/self/mountinfo", MOUNT),
            ("sys/fs/cgroup/pod/cpu.max", "50000 100000\n"),
            (
                "sys/fs/cgroup/pod/cpu.stat",
                "user_usec 9\nsystem_usec 9\nnr_periods 40\nnr_throttled 30\nthrottled_usec 2000000\n",
            ),
            ("sys/fs/cgroup/pod/app/cpu.max", share),
            ("sys/fs/cgroup/pod/app/cpu.stat", &own_stat),
            ("sys/fs/cgroup/pod/app/cgroup.events", "populated 1\n"),
        ]);
        let page = page(&tree);
        check(&page, &[("cgroup_cpu_time_seconds_total{cpu_mode=\"user\"}", 7.0)]);
        assert_eq!(page.failed("cgroup"), 0.0);
        page
    };
    let pod = [
        ("cgroup_cpu_limit", 0.5),
        ("cgroup_cpu_periods_total", 40.0),
        ("cgroup_cpu_throttled_periods_total", 30.0),
        ("cgroup_cpu_throttled_time_seconds_total", 2.0),
    ];
    let own = "nr_periods 3\nnr_throttled 1\nthrottled_usec 5000\n";
    for share in ["max 100000\n", "200000 100000\n"] {
        check(&throttled(share, own), &pod);
        // The controller is not turned on for the group.
        check(&throttled(share, ""), &pod);
    }
    // The nearest of equals.
    let itself = [("cgroup_cpu_limit", 0.5), ("cgroup_cpu_throttled_periods_total", 1.0)];
    check(&throttled("50000 100000\n", own), &itself);
}

/// A group without the controllers of memory and tasks, as every one below that a service manager makes without being told to:
/// the kernel counts its processes in the group above.
#[test]
fn a_controller_that_is_not_turned_on_counts_above() {
    let tree = Tree::new(&[
        MEMINFO,
        ("proc/self/cgroup", "0::/pod/app/worker\n"),
        ("proc/self/mountinfo", MOUNT),
        ("sys/fs/cgroup/memory.stat", "inactive_file 1\n"),
        ("sys/fs/cgroup/pod/memory.max", "4000\n"),
        ("sys/fs/cgroup/pod/memory.current", "3000\n"),
        ("sys/fs/cgroup/pod/app/memory.max", "9000\n"),
        ("sys/fs/cgroup/pod/app/memory.current", "1000\n"),
        ("sys/fs/cgroup/pod/app/memory.stat", "inactive_file 100\n"),
        ("sys/fs/cgroup/pod/app/memory.events", "oom_kill 3\n"),
        ("sys/fs/cgroup/pod/pids.current", "5\n"),
        ("sys/fs/cgroup/pod/pids.max", "50\n"),
        ("sys/fs/cgroup/pod/app/worker/cgroup.events", "populated 1\n"),
        ("sys/fs/cgroup/pod/app/worker/cpu.stat", "user_usec 1000000\nsystem_usec 0\n"),
    ]);
    let page = page(&tree);
    check(
        &page,
        &[
            ("cgroup_memory_usage_bytes", 1000.0),
            ("cgroup_memory_working_set_bytes", 900.0),
            ("cgroup_memory_limit_bytes", 4000.0),
            ("cgroup_memory_events_total{cgroup_memory_event=\"oom_kill\"}", 3.0),
            ("cgroup_tasks", 5.0),
            ("cgroup_tasks_limit", 50.0),
            ("cgroup_cpu_time_seconds_total{cpu_mode=\"user\"}", 1.0),
        ],
    );
    assert_eq!(page.failed("cgroup"), 0.0);
}

/// Docker without a namespace: the path is that of the host, and the mount shows a part of it.
#[test]
fn a_mount_of_a_part_of_the_hierarchy_is_seen_through() {
    let mounts = "50 40 0:28 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n\
                  51 40 0:28 /docker/other /mnt/other ro - cgroup2 cgroup rw\n";
    let tree = Tree::new(&[
        ("proc/self/cgroup", "0::/docker/abc/inner\n"),
        ("proc/self/mountinfo", mounts),
        ("sys/fs/cgroup/inner/pids.current", "3\n"),
        ("sys/fs/cgroup/inner/cgroup.events", "populated 1\n"),
        ("mnt/other/inner/pids.current", "4\n"),
    ]);
    assert_eq!(page(&tree).get("cgroup_tasks"), Some(3.0));
}

#[test]
fn a_hierarchy_that_is_mounted_elsewhere_is_found() {
    let mounts = "50 40 0:28 / /a\\040b rw - cgroup2 cgroup rw\n";
    let tree = Tree::new(&[
        ("proc/self/cgroup", "0::/x:y\n"),
        ("proc/self/mountinfo", mounts),
        ("a b/x:y/pids.current", "3\n"),
        ("a b/x:y/cgroup.events", "populated 1\n"),
    ]);
    assert_eq!(page(&tree).get("cgroup_tasks"), Some(3.0));
}

#[test]
fn without_a_group_nothing_is_said_of_it() {
    let outside = container();
    outside.write("proc/self/cgroup", "0::/../../other\n");
    let root = container();
    root.remove("sys/fs/cgroup/cgroup.events");
    let unmounted = container();
    unmounted.write("proc/self/mountinfo", "22 27 0:21 / /proc rw - proc proc rw\n");
    let none = container();
    none.remove("proc/self/cgroup");
    for tree in [outside, root, unmounted, none] {
        let page = page(&tree);
        // The affinity.
        assert_eq!(page.samples(), ["process_cpu_usable 6"]);
        assert_eq!(page.failed("cgroup"), 0.0);
    }
}

/// Version 1, with several controllers in one hierarchy, and version 2 beside it that has none.
#[test]
fn version_1_is_read_too() {
    let mounts = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                  35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                  39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
                  41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    let tree = Tree::new(&[
        MEMINFO,
        (
            "proc/self/cgroup",
            "8:pids:/a\n4:memory:/a/b\n2:cpu,cpuacct:/a\n1:name=systemd:/a\n0::/a\n",
        ),
        ("proc/self/mountinfo", mounts),
        ("sys/devices/system/cpu/online", "0-7\n"),
        ("proc/self/status", "Cpus_allowed_list:\t0-7\n"),
        ("sys/fs/cgroup/cpu,cpuacct/a/cpuacct.usage_user", "2500000000\n"),
        ("sys/fs/cgroup/cpu,cpuacct/a/cpuacct.usage_sys", "1000000000\n"),
        (
            "sys/fs/cgroup/cpu,cpuacct/a/cpu.stat",
            "nr_periods 100\nnr_throttled 25\nthrottled_time 1250000000\n",
        ),
        ("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "150000\n"),
        ("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"),
        ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"),
        ("sys/fs/cgroup/cpu,cpuacct/release_agent", ""),
        ("sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", "1000\n"),
        ("sys/fs/cgroup/memory/a/b/memory.max_usage_in_bytes", "1500\n"),
        ("sys/fs/cgroup/memory/a/b/memory.stat", "inactive_file 1\ntotal_inactive_file 400\n"),
        ("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n"),
        (
            "sys/fs/cgroup/memory/a/b/memory.oom_control",
            "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n",
        ),
        ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "2000\n"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ("sys/fs/cgroup/pids/a/pids.current", "5\n"),
        ("sys/fs/cgroup/pids/a/pids.max", "100\n"),
        ("sys/fs/cgroup/unified/a/cgroup.events", "populated 1\n"),
    ]);
    let page = page(&tree);
    check(&page, THROTTLED);
    check(
        &page,
        &[
            ("cgroup_memory_usage_bytes", 1000.0),
            ("cgroup_memory_working_set_bytes", 600.0),
            ("cgroup_memory_limit_bytes", 2000.0),
            ("cgroup_memory_peak_bytes", 1500.0),
            ("cgroup_memory_events_total{cgroup_memory_event=\"oom_kill\"}", 4.0),
            ("cgroup_tasks", 5.0),
            ("cgroup_tasks_limit", 100.0),
        ],
    );
    assert_eq!(page.failed("cgroup"), 0.0);
}

/// A process may be moved, and counters of another group may be lower.
#[test]
fn the_group_is_looked_for_again_when_it_changes() {
    let tree = Tree::new(&[
        ("proc/self/cgroup", "0::/a\n"),
        ("proc/self/mountinfo", MOUNT),
        ("sys/fs/cgroup/a/cgroup.events", "populated 1\n"),
        ("sys/fs/cgroup/a/cpu.stat", "user_usec 9000000\nsystem_usec 0\n"),
        ("sys/fs/cgroup/b/cgroup.events", "populated 1\n"),
        ("sys/fs/cgroup/b/cpu.stat", "user_usec 1000000\nsystem_usec 0\n"),
    ]);
    let recorder =
        obs::metric::MetricRecorder::builder().source(CgroupMetrics::new().at(tree.path())).build();
    let user =
        || crate::metrics::value(&recorder, "cgroup_cpu_time_seconds_total{cpu_mode=\"user\"}");
    assert_eq!(user(), Some(9.0));
    tree.write("proc/self/cgroup", "0::/b\n");
    assert_eq!(user(), Some(1.0));
}

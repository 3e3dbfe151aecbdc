//! Processes: a child of which everything is known, by our reader and by that of `prometheus_client`.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use obs::process::ProcessMetrics;
use peers::PrometheusClient;

use super::tree::{Page, Tree, check};
use crate::child;

/// With 20 files, 5 threads, a limit, 64 MiB that are touched and 0.3 seconds of work, and a name that is hard to read.
const PROGRAM: &str = r#"
import os, resource, sys, threading, time
os.closerange(3, 1000)  # what whoever runs tests left open
open("/proc/self/comm", "w").write("a) S (b\n c")
resource.setrlimit(resource.RLIMIT_NOFILE, (321, 321))
files = [open("/dev/null") for _ in range(20)]
memory = bytearray(b"x") * (64 << 20)
stop = threading.Event()
for _ in range(5):
    threading.Thread(target=stop.wait, daemon=True).start()
while time.process_time() < 0.3:
    pass
print("ready", flush=True)
sys.stdin.read()
"#;

struct Known(Child);

impl Known {
    fn start() -> Self {
        let mut child = Command::new("python3")
            .args(["-c", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self(child)
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn range(page: &Page, sample: &str, from: f64, to: f64) {
    let value = page.get(sample).unwrap();
    assert!((from..=to).contains(&value), "{sample} is {value}");
}

#[test]
fn a_child_is_as_it_was_made() {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let child = Known::start();
    let source = ProcessMetrics::new().of_process(child.0.id());
    let page = Page::of(source);
    assert_eq!(page.failed("process"), 0.0);
    // Its pipe for the output was closed by us alone.
    check(
        &page,
        &[("process_open_fds", 23.0), ("process_max_fds", 321.0), ("process_threads", 6.0)],
    );
    range(&page, "process_cpu_seconds_total", 0.29, 30.0);
    range(&page, "process_resident_memory_bytes", 64e6, 300e6);
    range(&page, "process_resident_memory_peak_bytes", 64e6, 600e6);
    range(&page, "process_start_time_seconds", started - 2.0, started + 30.0);
    range(&page, "process_paging_faults_total{system_paging_fault_type=\"minor\"}", 1000.0, 1e9);

    // It does nothing any more: both readers find the same.
    let families = PrometheusClient::start().unwrap().process(child.0.id()).unwrap();
    let families = families.as_array().unwrap();
    assert_eq!(families.len(), 6);
    for family in families {
        let sample = &family["samples"][0];
        let ours = page.get(sample["name"].as_str().unwrap()).unwrap();
        let theirs = sample["value"].as_f64().unwrap();
        // The kernel counts pages of memory for each processor, and sums them up now and then.
        let off = if family["name"] == "process_resident_memory_bytes" { 2e6 } else { 1e-9 };
        assert!((ours - theirs).abs() <= off, "{ours} {sample}");
    }
    drop(child);
}

#[test]
fn nothing_is_said_of_a_process_that_is_gone() {
    let child = Known::start();
    let source = ProcessMetrics::new().of_process(child.0.id());
    drop(child);
    let page = Page::of(source);
    assert_eq!((page.samples(), page.failed("process")), (Vec::new(), 0.0));
}

#[test]
fn descriptors_of_this_process_are_counted_without_the_one_that_counts() {
    child::alone(
        "process::own::descriptors_of_this_process_are_counted_without_the_one_that_counts",
        || {
            let open = |page: Page| page.get("process_open_fds").unwrap();
            let before = open(Page::of(ProcessMetrics::new()));
            let files: Vec<File> = (0..10).map(|_| File::open("/dev/null").unwrap()).collect();
            assert_eq!(open(Page::of(ProcessMetrics::new())), before + 10.0);
            // Where the kernel does not say how many there are, they are listed.
            let listed = open(Page::of(ProcessMetrics::new().at("/..")));
            assert_eq!(listed, before + 10.0);
            drop(files);
        },
    );
}

/// Threads that have ended too: who counts those that live counts less then.
#[test]
fn context_switches_are_those_of_all_threads() {
    const TEST: &str = "process::own::context_switches_are_those_of_all_threads";
    child::alone(TEST, || {
        let switches = |kind: &str| {
            let name = "process_context_switches_total";
            let sample = format!("{name}{{process_context_switch_type=\"{kind}\"}}");
            Page::of(ProcessMetrics::new()).get(&sample).unwrap()
        };
        let (before, had_to) = (switches("voluntary"), switches("involuntary"));
        let threads = (0..4).map(|_| {
            std::thread::spawn(|| {
                (0..50).for_each(|_| std::thread::sleep(std::time::Duration::from_millis(1)));
            })
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let after = switches("voluntary");
        assert!(after - before >= 200.0, "{before} {after}");
        assert!(switches("involuntary") >= had_to);
    });
}

#[test]
fn a_number_that_another_process_has_now_shows_nothing_of_that() {
    let stat = |start: u32| {
        format!("7 (a) R 1 7 7 0 -1 4194304 103 0 4 0 250 50 0 0 20 0 1 0 {start} 3133440 394 1\n")
    };
    let tree = Tree::new(&[
        ("proc/7/stat", &stat(5000)),
        ("proc/self/stat", &stat(5000)),
        ("proc/7/status", "Name:\ta\nThreads:\t1\n"),
        ("proc/stat", "btime 1700000000\n"),
    ]);
    let pages = |source: ProcessMetrics| {
        let recorder = obs::metric::MetricRecorder::builder().source(source).build();
        move || Page(crate::metrics::text(&recorder, obs::metric::Exposition::Text))
    };
    let other = pages(ProcessMetrics::new().of_process(7).at(tree.path()));
    let own = pages(ProcessMetrics::new().at(tree.path()));
    let start = "process_start_time_seconds";
    for page in [other(), own()] {
        check(&page, &[(start, 1_700_000_050.0)]);
    }
    // The clock is set.
    tree.write("proc/stat", "btime 1800000000\n");
    check(&other(), &[(start, 1_700_000_050.0), ("process_threads", 1.0)]);
    tree.write("proc/7/stat", stat(9000));
    tree.write("proc/self/stat", stat(9000));
    assert!(other().samples().is_empty(), "{}", other().0);
    // A fork of this process is this process.
    check(&own(), &[(start, 1_800_000_090.0)]);
}

/// Another one's process, of which the kernel tells some of it only.
#[test]
fn what_may_not_be_read_is_missing_and_counted() {
    const TEST: &str = "process::own::what_may_not_be_read_is_missing_and_counted";
    if child::folder().is_some() {
        let page = Page::of(ProcessMetrics::new().of_process(1));
        assert!(page.get("process_cpu_seconds_total").is_some(), "{}", page.0);
        assert!(page.get("process_threads").is_some());
        // How many descriptors there are anybody may know, but nobody may list them.
        assert!(page.get("process_open_fds").is_some());
        let listed = Page::of(ProcessMetrics::new().of_process(1).at("/.."));
        assert_eq!(listed.get("process_open_fds"), None);
        assert_eq!(page.get("process_disk_io_bytes_total{disk_io_direction=\"read\"}"), None);
        assert_eq!(page.failed("process"), 1.0);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let test = child::command(TEST, folder.path());
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    command.arg(copy_of(test.get_program().as_ref(), folder.path())).args(test.get_args());
    command.env("OBS_TEST_FOLDER", folder.path()).stdin(Stdio::null());
    assert!(child::run(command).contains("1 passed"));
}

/// Where anybody may run it.
fn copy_of(program: &Path, folder: &Path) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;

    let copy = folder.join("test");
    std::fs::copy(program, &copy).unwrap();
    for path in [folder, &copy] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    copy
}

const STAT: &str =
    "7 (a) S (b) R 1 7 7 0 -1 4194304 103 0 4 0 250 50 0 0 20 0 1 0 5000 3133440 394 1 1 1\n";

/// As a kernel without everything shows it.
#[test]
fn what_a_kernel_does_not_have_is_missing() {
    let tree = Tree::new(&[
        ("proc/self/stat", STAT),
        ("proc/stat", "cpu  1 2 3\nbtime 1700000000\n"),
        ("proc/self/status", "Name:\ta\nThreads:\t1\n"),
        (
            "proc/self/limits",
            "Limit Soft Hard\nMax open files            unlimited            unlimited files\n",
        ),
    ]);
    let page = Page::of(ProcessMetrics::new().at(tree.path()));
    check(
        &page,
        &[
            ("process_cpu_seconds_total", 3.0),
            ("process_start_time_seconds", 1_700_000_050.0),
            ("process_paging_faults_total{system_paging_fault_type=\"minor\"}", 103.0),
            ("process_paging_faults_total{system_paging_fault_type=\"major\"}", 4.0),
            ("process_threads", 1.0),
        ],
    );
    assert_eq!((page.samples().len(), page.failed("process")), (5, 0.0), "{}", page.0);
}

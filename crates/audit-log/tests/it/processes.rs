//! Processes of their own: killed, beside each other, and on a disk that is full.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use audit_log::{AuditSink, Entries, ErrorKind, FileTrail, Report, Verifier};

use crate::support::*;

/// The task of a child, and the folder of its trail.
const TASK: &str = "AUDIT_LOG_TEST_TASK";
const FOLDER: &str = "AUDIT_LOG_TEST_FOLDER";
const TEST: &str = "processes::a_child_does_its_task";
/// How many files a child opens and writes first, on the thread that writes the trail. The n-th call is
/// counted by each thread for itself: like this no other thread gets as far.
const WARM_UP: usize = 16;

/// In a child this does what its parent asks. By itself it checks that there is nothing to do.
#[test]
fn a_child_does_its_task() {
    let Ok(task) = std::env::var(TASK) else {
        return assert!(std::env::var(FOLDER).is_err());
    };
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    // One thread for the files, see `WARM_UP`.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(1).build().unwrap();
    match task.split_once(' ').unwrap() {
        ("write", rest) => runtime.block_on(write_and_say(&folder, rest)),
        ("verify", faults) => {
            assert_eq!(verify(&folder).writers[0].faults.to_string(), faults);
        }
        ("fill", name) => runtime.block_on(fill_the_disk(&folder, name)),
        (other, _) => panic!("no task is named {other}"),
    }
}

fn child(program: &mut Command, folder: &Path, task: &str) -> Child {
    program.env(TASK, task).env(FOLDER, folder).stdout(Stdio::piped()).stderr(Stdio::null());
    program.spawn().unwrap_or_else(|error| panic!("{program:?}: {error}"))
}

fn this_program() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", TEST, "--nocapture", "--test-threads=1"]);
    command
}

fn trail_of(folder: &Path, name: &str) -> audit_log::FileTrailBuilder {
    FileTrail::at(folder, writer(name), PRODUCT, key()).max_segment(3_000)
}

/// Writes so many events, and says of each when it was acknowledged.
async fn write_and_say(folder: &Path, task: &str) {
    let (name, count) = task.split_once(' ').unwrap();
    let warm_up = || (0..WARM_UP).try_for_each(|_| fs::write("/dev/null", "x"));
    tokio::task::spawn_blocking(warm_up).await.unwrap().unwrap();
    let trail = trail_of(folder, name).open().await.unwrap();
    for number in 0..count.parse().unwrap() {
        let id = format!("{name}-{}-{number}", std::process::id());
        trail.append_durable(&event(&id)).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "acknowledged {id}").and_then(|()| out.flush()).unwrap();
    }
}

/// What a child says, as it says it.
fn acknowledgements(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    lines.filter_map(|line| {
        let (_, id) = line.split_once("acknowledged ")?;
        Some(id.to_owned())
    })
}

/// What a child said, until it ended.
fn acknowledged(child: &mut Child) -> Vec<String> {
    acknowledgements(child).collect()
}

fn written(folder: &Path) -> BTreeSet<String> {
    let entries = Entries::read(folder).unwrap().map(Result::unwrap);
    let ids = entries.filter_map(|entry| {
        let json: serde_json::Value = serde_json::from_str(&entry.json).unwrap();
        json["entity"]["uid"].as_str().map(str::to_owned)
    });
    ids.collect()
}

fn intact(folder: &Path) -> Report {
    let report = verify(folder);
    assert!(report.is_intact(), "{report:?}");
    report
}

/// A service that is killed at some moment, another that is not, and a command now and then.
#[test]
fn killed_beside_others_nothing_acknowledged_is_lost() {
    let (_parent, folder) = folder();
    fs::create_dir(&folder).unwrap();
    let mut steady = child(&mut this_program(), &folder, "write service-2 400");
    let mut expected = Vec::new();
    for round in 0..12 {
        let mut killed = child(&mut this_program(), &folder, "write service-1 100000");
        let begun = Instant::now();
        // From the time when it opens the trail until it is well at it, however long that takes.
        let mut said = acknowledgements(&mut killed);
        expected.extend(said.by_ref().take(4 * round));
        std::thread::sleep(Duration::from_millis(7 * round as u64));
        killed.kill().unwrap();
        killed.wait().unwrap();
        expected.extend(said);
        let mut command = child(&mut this_program(), &folder, "write command 2");
        let said = acknowledged(&mut command);
        assert!(command.wait().unwrap().success() && said.len() == 2);
        expected.extend(said);
        intact(&folder);
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
    expected.extend(acknowledged(&mut steady));
    assert!(steady.wait().unwrap().success());
    let found = written(&folder);
    let lost: Vec<_> = expected.iter().filter(|id| !found.contains(*id)).collect();
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), expected.len());
    assert!(expected.len() > 424 + 4 * 66, "{}: the killed ones wrote, too", expected.len());
    assert_eq!(intact(&folder).writers.len(), 3);
}

/// Each system call that changes something is the last one once.
#[test]
fn killed_at_each_system_call_nothing_acknowledged_is_lost() {
    let (mut kills, after) = (0, WARM_UP + 1);
    for (call, first) in [
        ("openat", after),
        ("write", after),
        ("mkdir", 1),
        ("flock", 1),
        ("fdatasync", 1),
        ("fsync", 1),
    ] {
        let (_parent, folder) = folder();
        let mut expected = Vec::new();
        // What a start calls grows with what those before it left.
        for number in first..first + 12 {
            let mut strace = Command::new("strace");
            let trace = format!("trace={call}");
            let inject = format!("inject={call}:signal=SIGKILL:when={number}");
            strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject, "--"]);
            strace.arg(std::env::current_exe().unwrap());
            strace.args(["--exact", TEST, "--nocapture", "--test-threads=1"]);
            // Where cargo says that libraries may lie, the loader looks with calls of its own.
            strace.env_remove("LD_LIBRARY_PATH");
            let mut traced = child(&mut strace, &folder, "write w 3");
            expected.extend(acknowledged(&mut traced));
            if traced.wait().unwrap().success() {
                break;
            }
            kills += 1;
            if folder.exists() {
                intact(&folder);
                let found = written(&folder);
                assert!(expected.iter().all(|id| found.contains(id)), "{call} {number}");
            }
        }
        let mut last = child(&mut this_program(), &folder, "write w 3");
        expected.extend(acknowledged(&mut last));
        assert!(last.wait().unwrap().success() && expected.len() >= 3);
        let found = written(&folder);
        assert!(expected.iter().all(|id| found.contains(id)), "{call}");
    }
    assert!(kills > 20, "{kills} kills: is strace at work?");
}

/// Whoever can write to the folder must not be able to take the verifier's memory.
#[test]
fn endless_lines_take_no_memory_without_bound() {
    let (_parent, folder) = folder();
    fs::create_dir(&folder).unwrap();
    fs::write(segment(&folder, 1), vec![b'\n'; 3_000_000]).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -v 250000 && exec \"$@\"", "sh"]);
    shell.arg(std::env::current_exe().unwrap());
    shell.args(["--exact", TEST, "--nocapture", "--test-threads=1"]);
    let mut verifying = child(&mut shell, &folder, "verify 3000000");
    assert!(acknowledged(&mut verifying).is_empty());
    assert!(verifying.wait().unwrap().success());
}

/// A power failure must not take the folder that was just made, with all that is in it.
#[test]
fn a_folder_that_is_made_is_on_the_disk_before_anything_is_acknowledged() {
    let (parent, folder) = folder();
    let calls = parent.path().join("calls");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-y", "-e", "trace=fsync,fdatasync", "-o"]).arg(&calls).arg("--");
    strace.arg(std::env::current_exe().unwrap());
    strace.args(["--exact", TEST, "--nocapture", "--test-threads=1"]);
    let mut traced = child(&mut strace, &folder, "write w 1");
    assert_eq!(acknowledged(&mut traced).len(), 1);
    assert!(traced.wait().unwrap().success());
    let calls = fs::read_to_string(calls).unwrap();
    let parent = format!("<{}>", parent.path().canonicalize().unwrap().display());
    let of_parent = calls.find(&parent);
    let of_events = calls.find("fdatasync");
    assert!(of_parent.is_some() && of_parent < of_events, "{calls}");
}

/// Fills the disk, is refused, makes room and goes on.
async fn fill_the_disk(folder: &Path, name: &str) {
    let ballast = folder.join("ballast");
    fs::write(&ballast, vec![1; 16 << 10]).unwrap();
    let trail = trail_of(&folder.join("audit"), name).open().await.unwrap();
    let mut last = 0;
    let error = loop {
        match trail.append_durable(&event(&format!("e{last}"))).await {
            Ok(()) => last += 1,
            Err(error) => break error,
        }
        assert!(last < 10_000, "the disk is never full");
    };
    assert_eq!(error.kind(), ErrorKind::StorageFull, "{error:?}");
    assert!(last > 10, "{last}");
    for _ in 0..3 {
        trail.append(&event("lost")).unwrap();
        assert_eq!(trail.flush().await.unwrap_err().kind(), ErrorKind::StorageFull);
    }
    assert_eq!(trail.dropped(), 3);
    fs::remove_file(ballast).unwrap();
    trail.append_durable(&event("after")).await.unwrap();
    assert_eq!(trail.dropped(), 0);
    drop(trail);
    let folder = folder.join("audit");
    let report = Verifier::new([key()]).verify(&folder).unwrap();
    assert!(report.is_intact(), "{report:?}");
    let found = written(&folder);
    assert!((0..last).all(|number| found.contains(&format!("e{number}"))));
    assert!(found.contains("after") && !found.contains("lost"));
    let entries = Entries::read(&folder).unwrap().map(Result::unwrap);
    let told = entries.filter(|entry| entry.json.contains(r#""activity_name":"Drop""#)).count();
    assert_eq!(told, 1);
}

#[test]
fn a_full_disk_refuses_and_loses_nothing_that_was_acknowledged() {
    let (parent, _) = folder();
    let mut unshare = Command::new("unshare");
    // SAFETY of the script: the folder is ours and empty, the mount goes with the namespace.
    let script = "mount -t tmpfs -o size=128k none \"$AUDIT_LOG_TEST_FOLDER\" && exec \"$@\"";
    if !fs::metadata("/proc/self").is_ok_and(|this| std::os::unix::fs::MetadataExt::uid(&this) == 0)
    {
        unshare.args(["--map-root-user", "--user"]);
    }
    unshare.args(["--mount", "sh", "-c", script, "sh"]);
    unshare.arg(std::env::current_exe().unwrap());
    unshare.args(["--exact", TEST, "--nocapture", "--test-threads=1"]);
    unshare.env(TASK, "fill w").env(FOLDER, parent.path());
    let output = unshare.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stdout));
}

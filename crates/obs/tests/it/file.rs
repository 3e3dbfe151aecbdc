//! Logs in files: moved aside, taken away, full.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use obs::log::{FileTarget, Health, Period, Writer, WriterGuard};

use crate::child;

const LONG: Duration = Duration::from_secs(60);

fn started(target: FileTarget) -> (Writer, WriterGuard) {
    Writer::builder("file").room(1 << 20).start(target).unwrap()
}

/// What every file of the folder holds, by name.
fn files(folder: &Path) -> BTreeMap<String, String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .map(|(name, path)| (name, fs::read_to_string(path).unwrap_or_default()))
        .collect()
}

/// All lines in their order: what was moved aside first, then the file itself.
fn all_lines(folder: &Path) -> String {
    let mut files = files(folder);
    let last = files.remove("app.log").unwrap();
    files.into_values().chain([last]).collect()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < LONG, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_file_is_moved_aside_before_it_is_too_long_and_between_records() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let (writer, guard) = started(FileTarget::builder(&path).rotate_at(1_000).open().unwrap());
    let mut expected = String::new();
    for n in 0..500 {
        let record = format!("{n} first\n  {n} {}\n", "x".repeat(n % 50));
        assert!(writer.append(record.as_bytes()));
        expected += &record;
        if n % 100 == 0 {
            assert!(writer.flush(LONG));
        }
    }
    let long = format!("500 {}\n", "y".repeat(3_000));
    assert!(writer.append(long.as_bytes()) && writer.append(b"501 last\n"));
    assert_eq!(guard.shutdown(LONG).written, 502);
    assert_eq!(all_lines(folder.path()), expected + &long + "501 last\n");
    let files = files(folder.path());
    assert!(files.len() > 20, "{}", files.len());
    for (name, text) in &files {
        assert!(text.len() <= 1_000 || *text == long, "{name}: {}", text.len());
        assert!(text.ends_with('\n') && !text.starts_with(' '), "{name}: a record was cut");
    }
}

static HOURS: AtomicU64 = AtomicU64::new(0);

fn by_hours() -> SystemTime {
    // 2026-11-23T00:00:00Z
    UNIX_EPOCH + Duration::from_secs(1_795_392_000 + HOURS.load(Ordering::SeqCst) * 3_600)
}

#[test]
fn a_file_is_moved_aside_at_each_midnight_and_steps_of_the_clock_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let target = FileTarget::builder(&path).rotate_every(Period::Day).clock(by_hours);
    let (writer, guard) = started(target.open().unwrap());
    // Two in a day; the next; back; on; a year ahead; back from there; the day after.
    for (n, hours) in [1, 23, 24, 20, 25, 9_000, 26, 49].into_iter().enumerate() {
        HOURS.store(hours, Ordering::SeqCst);
        assert!(writer.append(format!("{n}\n").as_bytes()));
        assert!(writer.flush(LONG));
    }
    guard.shutdown(LONG);
    let files: Vec<_> = files(folder.path()).into_iter().collect();
    let named = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    assert_eq!(
        files,
        [
            named("app.log", "7\n"),
            named("app.log.20261124T000000.000000Z", "0\n1\n"),
            named("app.log.20261124T010000.000000Z", "2\n3\n"),
            named("app.log.20261125T010000.000000Z", "5\n6\n"),
            named("app.log.20271203T000000.000000Z", "4\n"),
        ]
    );
}

#[test]
fn only_so_many_files_are_kept_and_others_are_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let others = [
        "app.log.1",
        "app.log.20261123T174311.123456Z.gz",
        "app.log.20261123T17431a.123456Z",
        "other.log",
    ];
    for other in others {
        fs::write(folder.path().join(other), "others").unwrap();
    }
    let (old, older) = ("app.log.20200101T000000.000000Z", "app.log.20190101T000000.000000Z");
    fs::write(folder.path().join(old), "old").unwrap();
    fs::create_dir(folder.path().join(older)).unwrap();
    let target = FileTarget::builder(&path).rotate_at(10).keep_files(3);
    let (writer, guard) = started(target.open().unwrap());
    for n in 0..10 {
        assert!(writer.append(format!("line {n:03}\n").as_bytes()));
    }
    guard.shutdown(LONG);
    let mut left = files(folder.path());
    for other in others {
        assert_eq!(left.remove(other).unwrap(), "others");
    }
    assert!(left.remove(older).is_some() && !left.contains_key(old));
    let texts: Vec<_> = left.into_values().collect();
    assert_eq!(texts, ["line 009\n", "line 006\n", "line 007\n", "line 008\n"]);
}

#[test]
fn files_are_kept_for_so_long() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let names = ["app.log.20200101T000000.000000Z", "app.log.29990101T000000.000000Z"];
    for name in names {
        fs::write(folder.path().join(name), "kept?").unwrap();
    }
    drop(FileTarget::builder(&path).keep_for(Duration::from_secs(86_400)).open().unwrap());
    assert_eq!(files(folder.path()).into_keys().collect::<Vec<_>>(), ["app.log", names[1]]);
}

#[test]
fn a_file_that_others_move_or_delete_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let (writer, guard) = started(FileTarget::builder(&path).open().unwrap());
    let log = |line: &str| assert!(writer.append(line.as_bytes()) && writer.flush(LONG));
    log("one\n");
    fs::rename(&path, folder.path().join("app.log.1")).unwrap();
    log("two\n");
    fs::rename(&path, folder.path().join("app.log.2")).unwrap();
    fs::write(&path, "made by logrotate\n").unwrap();
    log("three\n");
    fs::remove_file(&path).unwrap();
    log("four\n");
    // `copytruncate`.
    fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    log("five\n");
    guard.shutdown(LONG);
    let files: Vec<_> = files(folder.path()).into_values().collect();
    assert_eq!(files, ["five\n", "one\n", "two\n"]);
}

#[test]
fn a_line_that_somebody_did_not_end_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    fs::write(&path, "was killed he").unwrap();
    let (writer, guard) = started(FileTarget::builder(&path).open().unwrap());
    assert!(writer.append(b"next\n"));
    guard.shutdown(LONG);
    assert_eq!(fs::read_to_string(&path).unwrap(), "was killed he\nnext\n");
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("victim"), "").unwrap();
    std::os::unix::fs::symlink(at("victim"), at("link")).unwrap();
    std::os::unix::fs::symlink(at("nowhere"), at("dangling")).unwrap();
    let fifo = std::process::Command::new("mkfifo").arg(at("fifo")).status().unwrap();
    assert!(fifo.success());
    fs::create_dir(at("folder")).unwrap();
    for name in ["link", "dangling", "fifo", "folder"] {
        let error = FileTarget::builder(at(name)).open().unwrap_err();
        assert!(error.to_string().ends_with("` is no regular file"), "{name}: {error}");
    }
    assert!(!at("nowhere").exists());
    assert!(FileTarget::builder(at("none").join("app.log")).open().is_err());
    // The same for what is put there later.
    let (writer, guard) = started(FileTarget::builder(at("app.log")).open().unwrap());
    fs::remove_file(at("app.log")).unwrap();
    std::os::unix::fs::symlink(at("victim"), at("app.log")).unwrap();
    assert!(writer.append(b"a line\n"));
    wait_until("no error", || writer.status().errors > 0);
    assert_eq!(guard.shutdown(Duration::ZERO).written, 0);
    assert_eq!(fs::read_to_string(at("victim")).unwrap(), "");
}

#[test]
fn others_may_not_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let path = folder.path().join("app.log");
    drop(FileTarget::builder(&path).open().unwrap());
    assert_eq!(mode(&path) & !0o640, 0, "{:o}", mode(&path));
    let path = folder.path().join("mine.log");
    drop(FileTarget::builder(&path).mode(0o600).open().unwrap());
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_folder_that_goes_and_comes_back_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let path = logs.join("app.log");
    let (writer, guard) = started(FileTarget::builder(&path).open().unwrap());
    assert!(writer.append(b"before\n") && writer.flush(LONG));
    fs::rename(&logs, folder.path().join("gone")).unwrap();
    assert!(writer.append(b"meanwhile\n"));
    wait_until("it does not say so", || matches!(writer.status().health, Health::Failing(_)));
    fs::create_dir(&logs).unwrap();
    assert!(writer.flush(LONG));
    assert_eq!(writer.status().health, Health::Working);
    assert_eq!(fs::read_to_string(&path).unwrap(), "meanwhile\n");
    assert_eq!(guard.shutdown(LONG).written, 2);
}

#[test]
fn a_rotation_that_fails_is_told_and_the_log_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    // With what is put behind it, this name is too long.
    let path = folder.path().join("a".repeat(250));
    let (writer, guard) = started(FileTarget::builder(&path).rotate_at(10).open().unwrap());
    for n in 0..10 {
        assert!(writer.append(format!("line {n}\n").as_bytes()) && writer.flush(LONG));
    }
    let status = writer.status();
    assert_eq!((status.errors, status.health), (1, Health::Working), "{status:?}");
    assert_eq!(guard.shutdown(LONG).written, 10);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 10);
}

#[test]
fn a_disk_that_is_full_costs_nothing_that_there_is_room_for_later() {
    if let Some(folder) = child::folder() {
        return inside_a_small_disk(&folder.join("disk"));
    }
    let folder = tempfile::tempdir().unwrap();
    let mounts = "mkdir \"$OBS_TEST_FOLDER/disk\"; mount -t tmpfs -o size=64k none \"$OBS_TEST_FOLDER/disk\"";
    let test = "file::a_disk_that_is_full_costs_nothing_that_there_is_room_for_later";
    child::run(child::command_with_mounts(test, folder.path(), mounts));
    assert!(folder.path().join("disk").exists(), "the child did not run");
}

fn inside_a_small_disk(disk: &Path) {
    fs::write(disk.join("hog"), vec![7; 48 << 10]).unwrap();
    let path = disk.join("app.log");
    let (writer, guard) = started(FileTarget::builder(&path).open().unwrap());
    let line = |n: u32| format!("line {n} {}\n", "x".repeat(990));
    for n in 0..40 {
        assert!(writer.append(line(n).as_bytes()));
    }
    wait_until("it does not fail", || matches!(writer.status().health, Health::Failing(_)));
    let status = writer.status();
    assert_eq!(status.last_error.unwrap().kind, std::io::ErrorKind::StorageFull);
    assert!(status.totals.written > 5 && status.totals.waiting > 20, "{:?}", status.totals);
    fs::remove_file(disk.join("hog")).unwrap();
    assert!(writer.flush(LONG), "{:?}", writer.status());
    let totals = guard.shutdown(LONG);
    assert_eq!((totals.written, totals.dropped.sum()), (40, 0));
    let expected: String = (0..40).map(line).collect();
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
}

/// Processes that write one file, and each moves it aside.
#[test]
fn processes_share_a_file_and_lines_stay_whole() {
    let test = "file::processes_share_a_file_and_lines_stay_whole";
    if let Some(folder) = child::folder() {
        let target = FileTarget::builder(folder.join("app.log")).rotate_at(200_000);
        let (writer, guard) = started(target.open().unwrap());
        for n in 0..5_000 {
            let line = format!("{} {n} {}\n", std::process::id(), "x".repeat(n % 100));
            assert!(writer.append(line.as_bytes()));
            if n % 50 == 0 {
                assert!(writer.flush(LONG));
            }
        }
        assert_eq!(guard.shutdown(LONG).written, 5_000);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = || child::command(test, folder.path()).stdout(std::process::Stdio::null()).spawn();
    let children: Vec<_> = (0..3).map(|_| run().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let mut counts = BTreeMap::new();
    let text = all_lines(folder.path());
    for line in text.lines() {
        let [process, number, filled] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("`{line}` is not whole")
        };
        assert_eq!(filled.len(), number.parse::<usize>().unwrap() % 100, "{line}");
        *counts.entry(process.to_owned()).or_insert(0) += 1;
    }
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [5_000; 3]);
    assert!(files(folder.path()).len() > 3);
}

/// What a process logged is there although it exits by itself, and the rest was counted.
#[test]
fn what_main_leaves_behind_is_written_by_the_guard() {
    let test = "file::what_main_leaves_behind_is_written_by_the_guard";
    if let Some(folder) = child::folder() {
        let (writer, _guard) = started(FileTarget::builder(folder.join("app.log")).open().unwrap());
        for n in 0..1_000 {
            assert!(writer.append(format!("line {n}\n").as_bytes()));
        }
        std::io::stderr().flush().unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    child::run(child::command(test, folder.path()));
    let expected: String = (0..1_000).map(|n| format!("line {n}\n")).collect();
    assert_eq!(fs::read_to_string(folder.path().join("app.log")).unwrap(), expected);
}

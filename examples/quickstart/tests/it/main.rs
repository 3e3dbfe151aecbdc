//! The demonstration as a stranger runs it: one command, its output, its exit code.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests fail by panicking"
)]

#[cfg(feature = "aws")]
mod aws;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn quickstart(args: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_quickstart")).args(args).output().unwrap()
}

#[test]
fn the_handle_fails_nothing_while_the_other_service_fails() {
    let start = Instant::now();
    let output = quickstart(&["--json"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(start.elapsed() < Duration::from_secs(60), "took {:?}", start.elapsed());

    shows_it(output.stdout);
}

/// The one object that says that nothing failed but what had to.
fn shows_it(output: Vec<u8>) {
    let text = String::from_utf8(output).unwrap();
    assert_eq!(text.lines().count(), 1, "one object: {text}");
    let outcome: serde_json::Value = serde_json::from_str(&text).unwrap();
    let number = |field: &str| outcome[field].as_u64().unwrap_or_else(|| panic!("no {field}"));
    assert!(number("requests") > 100, "{outcome}");
    assert_eq!(number("failures"), 0, "{outcome}");
    assert_eq!(number("refused"), 0, "{outcome}");
    assert_eq!(number("rotations"), 5, "{outcome}");
    assert!(number("reload_max_ms") < number("grace_ms"), "{outcome}");
    // The control: what reads once fails under the very same load, and the resource saw it.
    assert!(number("read_once_failures") > 0, "{outcome}");
    assert!(number("read_once_refused") > 0, "{outcome}");
    // What it says of itself is what the load generator saw.
    assert_eq!(number("measured"), number("requests"), "{outcome}");
    assert_eq!(number("measured_failures"), 0, "{outcome}");
    assert_eq!(number("logged"), number("requests"), "{outcome}");
    assert_eq!(outcome["secrets_in_logs"], false, "{outcome}");
    // At least what the rotator wrote, promoted, and read for it, and each process its start.
    assert!(number("audit_records") > 3 + 5 * 3, "{outcome}");
    // Each request loads the password once.
    assert!(number("audit_loads") >= number("requests"), "{outcome}");
    assert_eq!(outcome["audit_verified"], true, "{outcome}");
    assert_eq!(outcome["audit_tampering_found"], true, "{outcome}");
}

/// Whoever interrupts it finds no secret left behind, no process, and no panic on the terminal.
#[test]
fn an_interrupt_cleans_up() {
    for signal in ["INT", "TERM", "HUP"] {
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_quickstart"))
            .env("TMPDIR", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Until its parts have begun, too.
        let start = Instant::now();
        while children_of(folder.path()) == 0 {
            assert!(start.elapsed() < Duration::from_secs(60), "{signal}: nothing has begun");
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "one folder");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert!(errors.contains("interrupted") && !errors.contains("panicked"), "{errors}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{signal}");
        // They were told to end and may be at it.
        let start = Instant::now();
        while children_of(folder.path()) > 0 {
            assert!(start.elapsed() < Duration::from_secs(60), "{signal}: a process is left");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// How many processes work below this folder, though it may be gone.
fn children_of(folder: &std::path::Path) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let places =
        processes.filter_map(|process| std::fs::read_link(process.path().join("cwd")).ok());
    places.filter(|place| place.starts_with(folder)).count()
}

#[test]
fn nonsense_is_answered_with_usage() {
    let output = quickstart(&["--jsn"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("usage: quickstart"));
    assert!(output.stdout.is_empty());
}

#[test]
fn parts_refuse_addresses_that_are_not_loopback() {
    let output = quickstart(&["load", "192.0.2.1:80", "127.0.0.1:80"]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("loopback"));
}

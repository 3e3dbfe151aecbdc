//! Tests that run a part of themselves in a process of its own: with other mounts, or one that dies.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const FOLDER: &str = "OBS_TEST_FOLDER";

/// The folder that the parent gave, if this is a child.
pub(crate) fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// This program again, as a child that runs `test` alone.
pub(crate) fn command(test: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--include-ignored", "--nocapture"]).env(FOLDER, folder);
    command.env("RUST_BACKTRACE", "0");
    command
}

/// Runs `work` in a process of its own, and gives what that says.
pub(crate) fn alone(test: &str, work: impl FnOnce()) -> String {
    if folder().is_some() {
        work();
        return String::new();
    }
    let folder = tempfile::tempdir().unwrap();
    let output = command(test, folder.path()).stdin(Stdio::null()).output().unwrap();
    let output_of_child = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", said(&output));
    assert!(output_of_child.contains("1 passed"), "{output_of_child}");
    output_of_child
}

/// The same, after `mounts` in a mount namespace of its own.
pub(crate) fn command_with_mounts(test: &str, folder: &Path, mounts: &str) -> Command {
    let inner = command(test, folder);
    let mut command = Command::new("unshare");
    if !is_root() {
        command.args(["--map-root-user", "--user"]);
    }
    command.args(["--mount", "sh", "-c", &format!("set -e; {mounts}; exec \"$@\""), "sh"]);
    command.arg(inner.get_program()).args(inner.get_args()).env(FOLDER, folder);
    command
}

/// Runs it; what it says if it went well.
pub(crate) fn run(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0\t")
}

/// Whether this is a child that runs `test` alone; if not, it is run as one. For what `tracing` keeps once a
/// process: while others make subscribers, what it knows of a filter may be what that was before.
pub(crate) fn is_alone(test: &str) -> bool {
    if folder().is_some() {
        return true;
    }
    run(command(test, Path::new(".")));
    false
}

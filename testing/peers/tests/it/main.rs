//! Real peers: installed, started, asked, ended.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod boto3;
mod moto;

/// The process id of a client.
fn pid(boto3: &peers::Boto3) -> String {
    let shown = format!("{boto3:?}");
    let (_, rest) = shown.split_once("pid: ").unwrap();
    rest.split(' ').next().unwrap().to_owned()
}

/// Waits for the end of a process. One that has ended has no command line, whether or not somebody has waited for it.
fn ends(pid: &str) {
    let start = std::time::Instant::now();
    while std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty()) {
        assert!(start.elapsed() < std::time::Duration::from_secs(30), "{pid} goes on");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

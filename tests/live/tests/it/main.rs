//! The program as somebody with an account runs it, on a double.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use aws_double::{AwsDouble, Fault, FaultRule};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_live-conformance");

fn double() -> AwsDouble {
    let builder = AwsDouble::builder().region("eu-west-1").strong();
    builder.deletion_takes(Duration::from_millis(5)).start_blocking().unwrap()
}

/// With credentials where the default chain finds them, and nothing else of this machine.
fn run(double: &AwsDouble, more: &[&str]) -> Output {
    command(double, more).output().unwrap()
}

fn command(double: &AwsDouble, more: &[&str]) -> Command {
    assert!(double.url().starts_with("http://127.0.0.1:"));
    let keys = double.credentials();
    let mut command = Command::new(PROGRAM);
    command
        .args(["--region", "eu-west-1", "--prefix", "mainstay/live", "--endpoint", double.url()])
        .args(more)
        .env_clear()
        .env("AWS_ACCESS_KEY_ID", keys.access_key())
        .env("AWS_SECRET_ACCESS_KEY", keys.secret_key())
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

#[test]
fn the_results_are_recorded_and_nothing_is_left() {
    let double = double();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("results.json");
    let output = run(&double, &["--live", "aws", "--out", &out.display().to_string()]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}\n{errors}");

    let record: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    assert_eq!((&record["region"], &record["conformant"]), (&"eu-west-1".into(), &true.into()));
    assert!(record["date"].as_str().unwrap().starts_with("20"), "{}", record["date"]);
    let results = record["results"].as_array().unwrap();
    assert!(results.iter().filter(|result| result["outcome"] == "passed").count() > 50);
    assert!(results.iter().all(|result| result["outcome"] != "failed"));

    // Whatever was made is under the prefix, and deleted as often as it was made.
    let root = record["names"].as_str().unwrap();
    assert!(root.starts_with("mainstay/live/"), "{root}");
    let made = double.calls().of("CreateSecret");
    let made: Vec<_> = made.iter().filter(|call| call.status == 200).collect();
    assert!(!made.is_empty());
    for call in &made {
        let name = call.subject.as_deref().unwrap();
        assert!(name.starts_with(root), "{name}");
    }
    assert_eq!(record["not_deleted"], Value::Array(Vec::new()));
    assert!(!format!("{told}{errors}{record}").contains(double.credentials().secret_key()));
}

/// Nobody is let in: that is said once, and nothing is tried.
#[test]
fn who_is_not_let_in_is_told_at_once() {
    let double = double();
    double.faults().add(FaultRule::new(Fault::Refuse {
        status: 400,
        code: "UnrecognizedClientException".into(),
        message: "The security token included in the request is invalid.".into(),
    }));
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("results.json");
    let output = run(&double, &["--live", "aws", "--out", &out.display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("access key") && errors.lines().count() == 1, "{errors}");
    assert_eq!((double.calls().total(), out.exists()), (1, false));
}

/// Who stops it in the middle is left without what it wrote.
#[test]
fn an_interrupt_clears_what_was_written() {
    let double = double();
    let child = command(&double, &["--live", "aws"]).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    let is_waited_for = || begun.elapsed() < Duration::from_secs(60);
    let has_written = || double.calls().of("CreateSecret").iter().any(|call| call.status == 200);
    while !has_written() && is_waited_for() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains("is deleted"), "{errors}");
    let made = double.calls().of("CreateSecret").into_iter().filter(|call| call.status == 200);
    let made: Vec<_> = made.filter_map(|call| call.subject).collect();
    assert!(!made.is_empty());
    let deleted = double.calls().of("DeleteSecret");
    for name in made {
        assert!(deleted.iter().any(|call| call.subject.as_deref() == Some(&*name)), "{name}");
    }
}

#[test]
fn without_an_explicit_word_nothing_is_asked() {
    let double = double();
    let output = run(&double, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("say `--live aws`"));
    assert_eq!(double.calls().total(), 0);
}

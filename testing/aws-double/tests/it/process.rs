//! The double as a process of its own.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

#[test]
fn it_says_where_it_is_and_ends_with_its_input() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_aws-double"))
        .args([
            "--port",
            "0",
            "--region",
            "eu-west-1",
            "--key",
            "AKIAMINE",
            "mine",
            "--strong",
            "--events",
            "hints",
            "--with-stdin",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    let address = said["url"].as_str().unwrap().strip_prefix("http://").unwrap();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    let queue = format!("{}/111122223333/hints", said["url"].as_str().unwrap());
    assert_eq!(said["queue_url"], queue.as_str());
    assert_eq!((&said["region"], &said["access_key"]), (&"eu-west-1".into(), &"AKIAMINE".into()));
    std::net::TcpStream::connect(address).unwrap();
    drop(child.stdin.take());
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(child.wait().unwrap().success());
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let first = aws_double::AwsDouble::builder().start_blocking().unwrap();
    let port: u16 = first.url().rsplit(':').next().unwrap().parse().unwrap();
    assert!(aws_double::AwsDouble::builder().port(port).start_blocking().is_err());
    drop(first);
    let again = aws_double::AwsDouble::builder().port(port).start_blocking().unwrap();
    assert!(again.url().ends_with(&format!(":{port}")), "a port is free at once");
}

#[test]
fn what_it_does_not_understand_it_refuses() {
    for args in [["--port", "many"], ["--nonsense", ""]] {
        let output = Command::new(env!("CARGO_BIN_EXE_aws-double")).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("usage: aws-double"));
    }
}

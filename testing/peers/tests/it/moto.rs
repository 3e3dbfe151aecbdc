//! The server: its own port, its end, what it leaves.

use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use peers::{Boto3, Credentials, Moto};
use serde_json::json;

fn client(moto: &Moto) -> Boto3 {
    Boto3::start(moto.url(), "eu-west-1", &Credentials::new("AKIATEST", "secret")).unwrap()
}

fn address(url: &str) -> SocketAddr {
    url.strip_prefix("http://").unwrap().parse().unwrap()
}

/// True once nobody listens there any more.
fn ends(address: SocketAddr) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(30) {
        if TcpStream::connect(address).is_err() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

#[tokio::test]
async fn servers_are_apart_and_forget_when_told() {
    let (one, other) = (Moto::start().unwrap(), Moto::start().unwrap());
    assert_ne!(one.url(), other.url());
    let secret = json!({ "Name": "billing/password", "SecretString": "opens" });
    let (first, second) = (client(&one), client(&other));
    first.call("secretsmanager", "CreateSecret", secret).await.unwrap();
    let asked = json!({ "SecretId": "billing/password" });
    let read = first.call("secretsmanager", "GetSecretValue", asked.clone()).await.unwrap();
    assert_eq!(read["SecretString"], "opens");
    let missing = second.call("secretsmanager", "GetSecretValue", asked.clone()).await;
    assert_eq!(missing.unwrap_err().code, "ResourceNotFoundException");
    one.reset().unwrap();
    let forgotten = first.call("secretsmanager", "GetSecretValue", asked).await;
    assert_eq!(forgotten.unwrap_err().code, "ResourceNotFoundException");
    assert!(one.log().contains("POST / HTTP/1.1"), "{}", one.log());
}

#[test]
fn a_dropped_server_is_gone() {
    let moto = Moto::start().unwrap();
    let address = address(moto.url());
    assert!(TcpStream::connect(address).is_ok());
    drop(moto);
    assert!(ends(address));
}

/// Set for the process that is killed in [`a_killed_test_leaves_nothing`].
const VICTIM: &str = "PEERS_TESTS_VICTIM";

#[test]
fn a_killed_test_leaves_nothing() {
    let files = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    let mut victim = Command::new(program)
        .args(["--exact", "moto::waits_to_be_killed", "--nocapture", "--include-ignored"])
        .env(VICTIM, "1")
        .env("TMPDIR", files.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = std::io::BufReader::new(victim.stdout.take().unwrap());
    let line = std::io::BufRead::lines(output)
        .map(Result::unwrap)
        .find_map(|line| line.split_once("url=").map(|(_, rest)| rest.to_owned()))
        .expect("the victim prints where its server is, and its client");
    let (url, pid) = line.split_once(' ').unwrap();
    assert!(!std::fs::read(format!("/proc/{pid}/cmdline")).unwrap().is_empty());
    assert!(TcpStream::connect(address(url)).is_ok());
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(ends(address(url)), "{url} still listens");
    crate::ends(pid);
    assert_eq!(std::fs::read_dir(files.path()).unwrap().count(), 0, "files are left");
}

#[test]
fn waits_to_be_killed() {
    if std::env::var_os(VICTIM).is_none() {
        // By itself it is a test that a server starts and stops.
        assert!(Moto::start().unwrap().url().starts_with("http://127.0.0.1:"));
        return;
    }
    let moto = Moto::start().unwrap();
    let boto3 = client(&moto);
    let line = format!("url={} {}\n", moto.url(), crate::pid(&boto3));
    std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_secs(120));
}

//! The same against a real Redis server with ACL users: its own log of refusals is the oracle.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use secrets_manager::{Attempt, FailureClass, classify, repeatable, with_secret};

use crate::resource::Vault;
use crate::support::{NAME, Running, build_with, policy, secs};

const START: Duration = Duration::from_secs(20);

/// A server of its own, on a port of its own, that keeps nothing.
struct Server {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Free now; if another takes it meanwhile the server ends and the test fails loudly.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        assert!(address.ip().is_loopback());
        let mut child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no", "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("`redis-server` is installed (Debian package `redis-server`)");
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(child.try_wait().unwrap().is_none(), "redis-server ended at its start");
            assert!(begun.elapsed() < START, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, address, _folder: folder }
    }

    fn admin(&self) -> Client {
        Client::connect(self.address).unwrap()
    }

    /// Only these passwords are the account's.
    fn set_passwords(&self, passwords: &[&str]) {
        let mut words = vec!["ACL", "SETUSER", "app", "reset", "on", "~*", "+ping"];
        let passwords: Vec<_> = passwords.iter().map(|password| format!(">{password}")).collect();
        words.extend(passwords.iter().map(String::as_str));
        assert_eq!(self.admin().call(&words).unwrap(), Ok("OK".to_owned()));
    }

    /// How many logins it refused, as it counts itself.
    fn refusals(&self) -> u64 {
        let stats = self.admin().call(&["INFO", "commandstats"]).unwrap().unwrap();
        let auth = stats.lines().find_map(|line| line.strip_prefix("cmdstat_auth:"));
        let auth = auth.expect("the server counts logins");
        let failed = auth.split(',').find_map(|field| field.strip_prefix("failed_calls="));
        failed.unwrap().trim().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Enough of RESP2 for this: commands as arrays of bulk strings, simple answers.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(START))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The answer, or the error line of the server.
    fn call(&mut self, words: &[&str]) -> io::Result<Result<String, String>> {
        let mut command = format!("*{}\r\n", words.len());
        for word in words {
            command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.0.get_mut().write_all(command.as_bytes())?;
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let line = line.trim_end();
        if let Some(error) = line.strip_prefix('-') {
            return Ok(Err(error.to_owned()));
        }
        let Some(len) = line.strip_prefix('$') else {
            return Ok(Ok(line.trim_start_matches(['+', ':']).to_owned()));
        };
        let mut bulk = vec![0; len.parse::<usize>().unwrap() + 2];
        self.0.read_exact(&mut bulk)?;
        Ok(Ok(String::from_utf8(bulk).unwrap()))
    }
}

#[derive(Debug)]
enum RedisError {
    Server(String),
    Io,
}

fn class(error: &RedisError) -> FailureClass {
    match error {
        RedisError::Server(line) => classify::redis(line),
        RedisError::Io => FailureClass::Other,
    }
}

/// A new connection that logs in and asks something.
async fn ping(address: SocketAddr, attempt: Attempt) -> Result<String, RedisError> {
    let call = move || {
        let password = attempt.value().expose_secret_text().unwrap();
        let mut client = Client::connect(address)?;
        let login = client.call(&["AUTH", "app", password])?;
        if login.is_err() { Ok(login) } else { client.call(&["PING"]) }
    };
    let answer = tokio::task::spawn_blocking(call).await.unwrap();
    answer.map_err(|_: io::Error| RedisError::Io)?.map_err(RedisError::Server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_sees_one_refusal_for_each_version_that_it_does_not_know() {
    let server = Arc::new(Server::start());
    let address = server.address;
    let vault = Vault::holding("pw-1");
    let manager = build_with(vault.provider(), policy().with_ttl(secs(100_000)));
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    let ping = async || {
        let work = repeatable(move |attempt| ping(address, attempt));
        with_secret(&handle, class, work).await
    };

    server.set_passwords(&["pw-1"]);
    assert_eq!(ping().await.unwrap(), "PONG");

    // Rotated elsewhere, the old one revoked: this process finds out by a refusal.
    vault.rotate("pw-2");
    server.set_passwords(&["pw-2"]);
    assert_eq!(ping().await.unwrap(), "PONG");
    assert!(join_all((0..50).map(|_| ping())).await.iter().all(Result::is_ok));
    assert_eq!((server.refusals(), vault.calls("current")), (1, 2));

    // Promoted before the server knows it: the previous one goes on.
    vault.rotate("pw-3");
    manager.invalidate(handle.reference());
    while handle.load().secret().unwrap().version.id.as_str() != "pw-3" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(join_all((0..50).map(|_| ping())).await.iter().all(Result::is_ok));
    assert_eq!(server.refusals(), 2);

    // Nothing is right: two more, however many ask.
    server.set_passwords(&["something else"]);
    handle.forget_refusals();
    assert!(join_all((0..50).map(|_| ping())).await.iter().all(Result::is_err));
    assert!(join_all((0..50).map(|_| ping())).await.iter().all(Result::is_err));
    let refusals = server.refusals();
    assert!((3..=4).contains(&refusals), "{refusals} refusals");
}

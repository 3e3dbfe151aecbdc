//! The same against a real PostgreSQL server, whose passwords are changed under load: its own log of
//! logins is the oracle.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use secrets_manager::{Attempt, FailureClass, SecretHandle, classify, repeatable, with_secret};
use tokio_postgres::config::Config;
use tokio_postgres::{Error, NoTls};

use crate::resource::Vault;
use crate::support::{NAME, Running, build_with, millis, policy, secs};

const START: Duration = Duration::from_secs(60);

/// Whoever fails so often in a row is locked out, where accounts are.
const LOCK_OUT: u64 = 10;

/// Connections at a time.
const WORKERS: u64 = 4;

/// Who nobody is on Debian: the server refuses to be root.
const NOBODY: u32 = 65_534;

const ADMIN: &str = "admin";
const ADMIN_PASSWORD: &str = "admin-1";

/// A server of its own, on a port and in a folder of its own, that nobody else runs.
struct Server {
    child: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

/// Where Debian keeps the programs of the newest release.
fn programs() -> PathBuf {
    let releases = std::fs::read_dir("/usr/lib/postgresql");
    let releases = releases.expect("PostgreSQL is installed (Debian package `postgresql`)");
    let programs = releases.map(|release| release.unwrap().path().join("bin"));
    let programs = programs.filter(|folder| folder.join("initdb").exists()).max();
    programs.expect("there is an `initdb` (Debian package `postgresql`)")
}

/// A program that runs as nobody if this is root, and ends with this process.
fn unprivileged(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]);
    if rustix::process::geteuid().is_root() {
        let id = NOBODY.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
    }
    command.arg("--").arg(programs().join(program)).env("LC_ALL", "C").stdin(Stdio::null());
    command
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
        let password = folder.path().join("password");
        std::fs::File::create(&password).unwrap().write_all(ADMIN_PASSWORD.as_bytes()).unwrap();
        if rustix::process::geteuid().is_root() {
            for path in [folder.path(), &password] {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        let data = folder.path().join("data");
        let made = unprivileged("initdb")
            .args([
                "--auth",
                "scram-sha-256",
                "--username",
                ADMIN,
                "--no-sync",
                "--encoding",
                "UTF8",
            ])
            .arg("--pwfile")
            .arg(&password)
            .arg("--pgdata")
            .arg(&data)
            .current_dir(folder.path())
            .output()
            .expect("`setpriv` is installed (Debian package `util-linux`)");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

        // Free now; if another takes it meanwhile the server ends and the test fails loudly.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        assert!(address.ip().is_loopback());
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = unprivileged("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-p", &address.port().to_string(), "-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories=", "-c", "fsync=off"])
            .args([
                "-c",
                "log_connections=on",
                "-c",
                "log_line_prefix=",
                "-c",
                "max_connections=50",
            ])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Self { child, address, folder };
        let begun = Instant::now();
        while !(TcpStream::connect(address).is_ok() && server.log().contains("ready to accept")) {
            assert!(server.child.try_wait().unwrap().is_none(), "it ended: {}", server.log());
            assert!(begun.elapsed() < START, "it does not answer: {}", server.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn log(&self) -> String {
        let mut log = String::new();
        let path: &Path = &self.folder.path().join("log");
        std::fs::File::open(path).unwrap().read_to_string(&mut log).unwrap();
        log
    }

    /// How many logins of the application's roles it refused, the most of them between two that it did
    /// not, and how many it accepted.
    fn logins(&self) -> (u64, u64, u64) {
        let (mut refused, mut in_a_row, mut most, mut accepted) = (0, 0, 0, 0);
        for line in self.log().lines().filter(|line| line.contains("app")) {
            if line.contains("password authentication failed for user") {
                (refused, in_a_row) = (refused + 1, in_a_row + 1);
                most = most.max(in_a_row);
            } else if line.contains("connection authorized: user=") {
                (accepted, in_a_row) = (accepted + 1, 0);
            }
        }
        (refused, most, accepted)
    }

    async fn administer(&self, statement: &str) {
        let client = connect(self.address, ADMIN, ADMIN_PASSWORD).await.unwrap();
        client.batch_execute(statement).await.unwrap();
    }
}

/// By its process id, in the way that ends its sessions as well.
impl Drop for Server {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if pid.is_none_or(|pid| kill_process(pid, Signal::INT).is_err()) {
            let _ = self.child.kill();
        }
        let begun = Instant::now();
        while begun.elapsed() < secs(20) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn connect(
    address: SocketAddr,
    user: &str,
    password: &str,
) -> Result<tokio_postgres::Client, Error> {
    let mut config = Config::new();
    config.hostaddr(address.ip()).port(address.port()).dbname("postgres");
    config.user(user).password(password).connect_timeout(secs(20));
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn class(error: &Error) -> FailureClass {
    error.code().map_or(FailureClass::Other, |code| classify::postgres(code.code()))
}

/// A new connection that logs in and asks something. The secret is `user.password`.
async fn ask(address: SocketAddr, attempt: Attempt) -> Result<(), Error> {
    let secret = attempt.value().expose_secret_text().unwrap();
    let (user, password) = secret.split_once('.').unwrap();
    let client = connect(address, user, password).await?;
    attempt.accepted();
    client.simple_query("SELECT 1").await.map(drop)
}

/// Workers that connect anew all the time.
struct Load {
    workers: Vec<tokio::task::JoinHandle<()>>,
    is_over: Arc<AtomicBool>,
    good: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
}

impl Load {
    fn begin(address: SocketAddr, handle: &SecretHandle) -> Self {
        let (is_over, good, failed) = (
            Arc::<AtomicBool>::default(),
            Arc::<AtomicU64>::default(),
            Arc::<AtomicU64>::default(),
        );
        let worker = |_| {
            let (is_over, good, failed) =
                (Arc::clone(&is_over), Arc::clone(&good), Arc::clone(&failed));
            let handle = handle.clone();
            tokio::spawn(async move {
                while !is_over.load(Ordering::SeqCst) {
                    let work = repeatable(move |attempt| ask(address, attempt));
                    let count = match with_secret(&handle, class, work).await {
                        Ok(()) => &good,
                        Err(_) => &failed,
                    };
                    count.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(millis(2)).await;
                }
            })
        };
        let workers = (0..WORKERS).map(worker).collect();
        Self { workers, is_over, good, failed }
    }

    /// Waits until each worker has likely been served anew.
    async fn goes_on(&self) {
        let (begun, before) = (Instant::now(), self.good.load(Ordering::SeqCst));
        while self.good.load(Ordering::SeqCst) < before + 4 * WORKERS {
            assert!(begun.elapsed() < secs(30), "it does not go on");
            tokio::time::sleep(millis(5)).await;
        }
    }

    /// How many failed.
    async fn end(self) -> u64 {
        self.is_over.store(true, Ordering::SeqCst);
        for worker in self.workers {
            worker.await.unwrap();
        }
        self.failed.load(Ordering::SeqCst)
    }
}

/// Two roles take turns: the one that nobody uses gets a new password before it is the current one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_refuses_nobody_while_two_roles_take_turns() {
    let server = Server::start();
    server.administer("CREATE ROLE app_a LOGIN PASSWORD 'pw-0'; CREATE ROLE app_b LOGIN").await;
    let vault = Vault::holding("app_a.pw-0");
    let manager = build_with(vault.provider(), policy().with_ttl(secs(100_000)));
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    let load = Load::begin(server.address, &handle);
    load.goes_on().await;
    for turn in 1..=6 {
        let role = if turn % 2 == 1 { "app_b" } else { "app_a" };
        server.administer(&format!("ALTER ROLE {role} PASSWORD 'pw-{turn}'")).await;
        let current = format!("{role}.pw-{turn}");
        vault.rotate(&current);
        manager.invalidate(handle.reference());
        while handle.load().secret().unwrap().version.id.as_str() != current {
            tokio::time::sleep(millis(2)).await;
        }
        // Until nobody uses the one before, whose role is the next to get a password.
        load.goes_on().await;
    }
    assert_eq!(load.end().await, 0, "failed requests");
    let (refused, _, accepted) = server.logins();
    assert_eq!(refused, 0, "{}", server.log());
    assert!(accepted >= 7 * 4 * WORKERS, "{accepted} logins");
}

/// One role: between the password that is changed and the version that is promoted nothing is right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_not_sent_what_it_refused_while_one_role_is_changed() {
    const TURNS: u64 = 4;
    let server = Server::start();
    server.administer("CREATE ROLE app LOGIN PASSWORD 'pw-0'").await;
    let vault = Vault::holding("app.pw-0");
    let manager = build_with(vault.provider(), policy().with_ttl(secs(100_000)));
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    let load = Load::begin(server.address, &handle);
    load.goes_on().await;
    for turn in 1..=TURNS {
        let (before, ..) = server.logins();
        server.administer(&format!("ALTER ROLE app PASSWORD 'pw-{turn}'")).await;
        // Long enough for hundreds of logins with what is wrong.
        tokio::time::sleep(millis(700)).await;
        let (refused, most, _) = server.logins();
        assert!(refused > before, "the window was there");
        assert!(most < LOCK_OUT, "{most} refusals in a row: {}", server.log());
        vault.rotate(&format!("app.pw-{turn}"));
        manager.invalidate(handle.reference());
        load.goes_on().await;
    }
    let failed = load.end().await;
    assert!(failed > 0, "in the window requests fail, and at once");
    let (refused, most, _) = server.logins();
    assert!(most < LOCK_OUT, "{most} refusals in a row");
    // One of each version that was tried, and what was under way when the password was changed.
    assert!(refused <= TURNS * (WORKERS + 2), "{refused} refusals");
}

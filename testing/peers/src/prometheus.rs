use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::endpoint::loopback;
use crate::error::PeerError;
use crate::http;
use crate::python::{START_LIMIT, contents};

/// A running Prometheus (Debian's `prometheus`), which collects from one address every second and
/// keeps exemplars. Stopped when dropped, and also when the test's thread ends.
pub struct Prometheus {
    address: SocketAddr,
    child: Child,
    log: File,
    /// Its configuration and what it stored.
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one that collects `http://ADDRESS/metrics`, and waits until it is ready.
    ///
    /// # Errors
    /// When the address is not on loopback, or Prometheus is not installed or does not come up.
    pub fn start(target: SocketAddr) -> Result<Self, PeerError> {
        loopback(&format!("http://{target}"))?;
        let failed =
            |error: std::io::Error| PeerError::new(format!("cannot start prometheus: {error}"));
        let folder = tempfile::tempdir().map_err(failed)?;
        let config = folder.path().join("prometheus.yml");
        let settings = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs: [{{job_name: test, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        std::fs::write(&config, settings).map_err(failed)?;
        let log = tempfile::tempfile().map_err(failed)?;
        let errors = log.try_clone().map_err(failed)?;
        // `setpriv` has the system end it with this thread, however that ends.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "prometheus", "--web.listen-address=127.0.0.1:0"])
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg("--enable-feature=exemplar-storage")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .map_err(failed)?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut started = Self { address: nowhere, child, log, _folder: folder };
        started.address = started.ready()?;
        Ok(started)
    }

    /// The answer of its API to a query such as `/api/v1/query?query=up`, with everything in the path encoded.
    ///
    /// # Errors
    /// When it does not answer, or answers that it failed.
    pub fn ask(&self, path: &str) -> Result<Value, PeerError> {
        let body = http::get(self.address, path)?;
        let answer: Value = serde_json::from_str(&body).unwrap_or_default();
        match answer.get("data") {
            Some(data) => Ok(data.clone()),
            None => Err(PeerError::new(format!("GET {path}: {body}")).with_output(&self.log())),
        }
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        contents(&self.log)
    }

    /// The system chose the port; the log says which.
    fn ready(&mut self) -> Result<SocketAddr, PeerError> {
        let start = Instant::now();
        loop {
            let log = self.log();
            let told = log.lines().find_map(|line| line.split_once("\"Listening on\" address="));
            let address = told.and_then(|(_, address)| address.trim().parse().ok());
            // It listens before it has opened what it stored.
            if let Some(address) = address.filter(|it| http::get(*it, "/-/ready").is_ok()) {
                return Ok(address);
            }
            if start.elapsed() > START_LIMIT || self.child.try_wait().ok().flatten().is_some() {
                let failed = "prometheus did not come up (Debian package `prometheus`)";
                return Err(PeerError::new(failed).with_output(&log));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // If it ended by itself, there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl fmt::Debug for Prometheus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prometheus").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What `promtool check metrics` finds in Prometheus' text format, one finding a line; empty if it is flawless.
///
/// # Errors
/// When promtool (Debian's `prometheus`) is not installed, or cannot read the text at all.
pub fn promtool_check_metrics(text: &str) -> Result<String, PeerError> {
    let failed = |error: std::io::Error| PeerError::new(format!("cannot start promtool: {error}"));
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut input = child.stdin.take();
    std::thread::scope(|scope| {
        // It answers while it reads: one thread for each direction.
        scope.spawn(move || input.as_mut().map(|input| input.write_all(text.as_bytes())));
        let output = child.wait_with_output().map_err(failed)?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        match output.status.code() {
            // 3: it is valid, with findings.
            Some(0 | 3) => Ok(said),
            _ => Err(PeerError::new("promtool cannot read it").with_output(&said)),
        }
    })
}

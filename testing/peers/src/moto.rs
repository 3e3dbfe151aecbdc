use std::net::SocketAddr;

use crate::endpoint::loopback;
use crate::error::PeerError;
use crate::http;
use crate::python::{Pipes, Python};
use serde_json::json;

/// A running moto: AWS as its users' tests know it. Stopped when dropped, and also when the test
/// process is killed.
///
/// It takes any credentials and keeps accounts and regions apart. Where it differs from AWS is
/// listed in the README.
pub struct Moto {
    url: String,
    address: SocketAddr,
    python: Python,
    /// Closing it ends the server.
    _pipes: Pipes,
}

impl Moto {
    /// Starts a server on a free port of its own, and waits until it answers (the first one
    /// of a process one or two seconds, and where it is missing also for the installation). It blocks the thread.
    ///
    /// # Errors
    /// When it cannot be installed or does not come up.
    pub fn start() -> Result<Self, PeerError> {
        let (python, pipes, ready) = Python::start("moto", json!({}))?;
        let url = ready.get("url").and_then(|url| url.as_str()).unwrap_or_default().to_owned();
        let address = loopback(&url)?;
        http::ask(address, "GET", "/moto-api/data.json")?;
        Ok(Self { url, address, python, _pipes: pipes })
    }

    /// Where it listens, such as `http://127.0.0.1:40123`: the endpoint of every service.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Forgets everything, in all accounts.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn reset(&self) -> Result<(), PeerError> {
        http::ask(self.address, "POST", "/moto-api/reset")
    }

    /// What it wrote so far: requests, and tracebacks of what it could not do.
    pub fn log(&self) -> String {
        self.python.log()
    }
}

impl std::fmt::Debug for Moto {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Moto").field("url", &self.url).field("python", &self.python).finish()
    }
}

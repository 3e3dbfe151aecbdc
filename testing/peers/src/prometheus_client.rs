use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::error::PeerError;
use crate::python::{Pipes, Python};

/// The parsers of `prometheus_client`, Prometheus' own library for Python: the one for OpenMetrics
/// refuses what the specification forbids. Stopped when dropped, and also when the test process is killed.
pub struct PrometheusClient {
    pipes: Mutex<Pipes>,
    python: Python,
}

impl PrometheusClient {
    /// Starts one. It blocks the thread, the first time also for the installation.
    ///
    /// # Errors
    /// When it cannot be installed or does not come up.
    pub fn start() -> Result<Self, PeerError> {
        let (python, pipes, _) = Python::start("prometheus_client", json!({}))?;
        Ok(Self { pipes: Mutex::new(pipes), python })
    }

    /// What is in a text of OpenMetrics: a list of families with `name`, `type`, `unit`, `help` and
    /// `samples`, those with `name`, `labels`, `value` and, if there is one, `exemplar` (`labels`, `value`, `time`).
    ///
    /// # Errors
    /// What the parser says of a text that is none.
    pub fn open_metrics(&self, text: &str) -> Result<Value, PeerError> {
        self.ask("openmetrics", text)
    }

    /// The same of Prometheus' text format, which this parser reads more leniently.
    ///
    /// # Errors
    /// What the parser says of a text that is none.
    pub fn text(&self, text: &str) -> Result<Value, PeerError> {
        self.ask("text", text)
    }

    /// What its collector of process metrics says of a process, in the same form.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn process(&self, process: u32) -> Result<Value, PeerError> {
        self.answer(&json!({ "process": process }))
    }

    fn ask(&self, format: &str, text: &str) -> Result<Value, PeerError> {
        self.answer(&json!({ "format": format, "text": text }))
    }

    fn answer(&self, request: &Value) -> Result<Value, PeerError> {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = pipes.write(request).and_then(|()| pipes.read()).map_err(|error| {
            let failed = PeerError::new(format!("prometheus_client does not answer: {error}"));
            failed.with_output(&self.python.log())
        })?;
        let mut answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        match answer.get_mut("families") {
            Some(families) => Ok(families.take()),
            None => Err(PeerError::new(format!("prometheus_client refuses it: {answer}"))),
        }
    }
}

impl fmt::Debug for PrometheusClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrometheusClient").field("python", &self.python).finish_non_exhaustive()
    }
}

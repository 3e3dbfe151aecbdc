use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use crate::log::{LogOutput, WriterGuard};
use crate::record::RecordSink;
use crate::setup::complaint::Complaint;
use crate::setup::{Observability, OutputStatus, SelfTestFailure};

/// Ends logs and metrics, so that nothing is lost that could be written. Keep it in `main`.
///
/// It waits on no runtime: it does the same within an asynchronous function, after the runtime is gone, and where
/// there never was one.
#[derive(Debug)]
#[must_use = "when it is dropped, logs end"]
pub struct Guard {
    observability: Observability,
    /// Each with what writes through it.
    writers: Vec<(Arc<LogOutput>, WriterGuard)>,
    sinks: Vec<Arc<dyn RecordSink>>,
    within: Duration,
    self_test: Result<(), SelfTestFailure>,
    complaint: Option<Complaint>,
}

/// What became of everything that was logged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The log outputs, in the order in which they were given.
    pub outputs: Vec<OutputStatus>,
    /// Sinks that did not say in time that all is where it goes.
    pub sinks_left: usize,
}

impl ShutdownReport {
    /// Whether nothing was dropped, ever, and nothing waits any more.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let is_written = |output: &OutputStatus| {
            output.status.totals.dropped.sum() == 0 && output.status.totals.waiting == 0
        };
        self.sinks_left == 0 && self.outputs.iter().all(is_written)
    }
}

impl Guard {
    pub(super) const fn new(
        observability: Observability,
        writers: Vec<(Arc<LogOutput>, WriterGuard)>,
        sinks: Vec<Arc<dyn RecordSink>>,
        within: Duration,
        self_test: Result<(), SelfTestFailure>,
        complaint: Option<Complaint>,
    ) -> Self {
        Self { observability, writers, sinks, within, self_test, complaint }
    }

    /// What is set up. It stays usable after the end; only nothing is written any more.
    #[must_use]
    pub const fn observability(&self) -> &Observability {
        &self.observability
    }

    /// Whether the probe at the start came through; also `Ok` if none was sent.
    ///
    /// # Errors
    /// What became of it.
    pub const fn self_test(&self) -> Result<(), SelfTestFailure> {
        self.self_test
    }

    /// Ends all of it, at the same time and within so long in all, and says what became of it.
    pub fn shutdown(mut self, within: Duration) -> ShutdownReport {
        self.end(within)
    }

    fn end(&mut self, within: Duration) -> ShutdownReport {
        let until = Instant::now() + within.min(LONGEST);
        self.observability.0.keeper.end();
        let (done, sign) = mpsc::channel();
        let sinks = std::mem::take(&mut self.sinks);
        let mut sinks_left = sinks.len();
        for sink in sinks {
            apart(&done, move || sink.flush(within));
        }
        for (output, writer) in std::mem::take(&mut self.writers) {
            // Records that came before the end may not be written: the report tells.
            apart(&done, move || {
                // What a limit suppressed is said now, or never.
                output.flush(Duration::ZERO);
                writer.shutdown(within);
                false
            });
        }
        // What no thread could be started for is gone as well, and its sender with it.
        drop(done);
        while let Ok(is_flushed) =
            sign.recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            sinks_left -= usize::from(is_flushed);
        }
        if let Some(complaint) = self.complaint.take() {
            complaint.wait(until.saturating_duration_since(Instant::now()));
        }
        ShutdownReport { outputs: self.observability.outputs(), sinks_left }
    }
}

/// Longer than anybody waits, and short enough to be counted.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Does `work` where it keeps nobody waiting.
fn apart(done: &Sender<bool>, work: impl FnOnce() -> bool + Send + 'static) {
    let done = done.clone();
    let run = move || {
        let _ = done.send(work());
    };
    // Without a thread, `work` is dropped: a writer's guard ends it then.
    let _ = std::thread::Builder::new().name("obs-shutdown".to_owned()).spawn(run);
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.writers.is_empty() || !self.sinks.is_empty() || self.complaint.is_some() {
            let _ = self.end(self.within);
        }
        self.observability.0.keeper.end();
    }
}

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metric_table::Metric;

use crate::metric::{Exposition, MetricBackend};
use crate::record::{RecordHandle, current_span};

/// What a probe is logged by.
pub(super) const TARGET: &str = "obs::setup";
const COUNTER: &str = "obs.setup.probes";
const COUNTER_LINE: &str = "\nobs_setup_probes_total ";

/// The metrics that the set-up has of itself.
pub const METRICS: &[Metric] =
    &[Metric::counter(COUNTER, "{probe}", "probes that were sent through logs and metrics")];

/// What is done with a probe at the start: a span, an event in it, which is a line in the log, and a
/// counter, which go the way that all others will go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "settings", derive(serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum SelfTest {
    /// If it does not come through, that is logged, written to the standard error and kept in
    /// [`Guard::self_test`](super::Guard::self_test). The service starts.
    #[default]
    Report,
    /// If it does not come through, the set-up fails.
    Require,
    /// There is no probe.
    Skip,
}

/// What became of a probe that did not come through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SelfTestFailure {
    /// The span is not known: spans and events go somewhere else.
    NotRecorded,
    /// The event did not reach the first output in time.
    NotWritten,
    /// The line in the first output has not the ids of trace and span.
    WithoutIds,
    /// The counter does not show.
    NotMeasured,
    /// The metrics were not there in time: a source of them hangs, or takes long.
    MeasuredLate,
    /// No thread could be started for it.
    NoThread,
}

impl fmt::Display for SelfTestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRecorded => "the probe's span is not known: spans go somewhere else",
            Self::NotWritten => "the probe's event did not reach the first log output in time",
            Self::WithoutIds => "the probe's line has no ids of trace and span",
            Self::NotMeasured => "the probe's counter does not show in the metrics",
            Self::MeasuredLate => "the metrics did not come in time: one of their sources may hang",
            Self::NoThread => "no thread could be started for the probe",
        })
    }
}

impl std::error::Error for SelfTestFailure {}

/// How long the first output has, and then the metrics with all of their sources.
const WITHIN: Duration = Duration::from_secs(2);
const MOST_HEARD: usize = 64 << 10;

/// Hears what is written to the first output while a probe is on its way.
#[derive(Debug, Default)]
pub(super) struct Tap {
    is_open: AtomicBool,
    heard: Mutex<Vec<u8>>,
}

impl Tap {
    pub(super) fn hear(&self, bytes: &[u8]) {
        if self.is_open.load(Ordering::Acquire) {
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            let room = MOST_HEARD.saturating_sub(heard.len());
            heard.extend(bytes.iter().take(room));
        }
    }

    fn open(&self) {
        self.is_open.store(true, Ordering::Release);
    }

    fn close(&self) -> Vec<u8> {
        self.is_open.store(false, Ordering::Release);
        std::mem::take(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a probe goes through.
pub(super) struct Path<'a> {
    pub(super) records: &'a RecordHandle,
    pub(super) metrics: &'a Arc<dyn MetricBackend>,
    /// Of the first output, if lines with ids come there.
    pub(super) tap: Option<&'a Tap>,
    /// What is said of the service.
    pub(super) profile: &'static str,
    pub(super) outputs: usize,
}

/// Sends a probe from a thread of its own: the one that calls may have a subscriber or a recorder of its
/// own for a while.
pub(super) fn send(path: &Path<'_>) -> Result<(), SelfTestFailure> {
    if let Some(tap) = path.tap {
        tap.open();
    }
    let ids = std::thread::scope(|scope| {
        let probe = std::thread::Builder::new().name("obs-probe".to_owned());
        let probe = probe.spawn_scoped(scope, || probe_global(path)).ok()?;
        Some(probe.join().ok().flatten())
    });
    let is_flushed = path.records.flush(WITHIN);
    let heard = path.tap.map(Tap::close);
    let ids = ids.ok_or(SelfTestFailure::NoThread)?.ok_or(SelfTestFailure::NotRecorded)?;
    if !is_flushed {
        return Err(SelfTestFailure::NotWritten);
    }
    if let Some(heard) = heard {
        check(&String::from_utf8_lossy(&heard), &ids)?;
    }
    counted_in_time(path.metrics)
}

/// Logs and counts; the ids of trace and span as they should be in the line.
fn probe_global(path: &Path<'_>) -> Option<[String; 2]> {
    metrics::counter!(COUNTER).increment(1);
    let span = tracing::info_span!(target: TARGET, "obs_start").entered();
    let known = current_span(None)?;
    tracing::info!(
        target: TARGET,
        profile = path.profile,
        outputs = path.outputs,
        "observability is set up"
    );
    drop(span);
    let ids = known.ids();
    Some([ids.trace_id?.to_string(), ids.span_id?.to_string()])
}

/// The message may be cut; the ids are not.
fn check(heard: &str, ids: &[String; 2]) -> Result<(), SelfTestFailure> {
    let has_ids = |line: &str| ids.iter().all(|id| line.contains(id.as_str()));
    if heard.lines().any(has_ids) {
        Ok(())
    } else if heard.is_empty() {
        Err(SelfTestFailure::NotWritten)
    } else {
        Err(SelfTestFailure::WithoutIds)
    }
}

/// A source that hangs keeps its own thread, not the one that starts the service.
fn counted_in_time(metrics: &Arc<dyn MetricBackend>) -> Result<(), SelfTestFailure> {
    let (answer, answered) = mpsc::channel();
    let metrics = Arc::clone(metrics);
    let look = move || {
        // Nobody listens any more if it comes late.
        let _ = answer.send(counted(&*metrics));
    };
    let look = std::thread::Builder::new().name("obs-probe".to_owned()).spawn(look);
    look.map_err(|_| SelfTestFailure::NoThread)?;
    match answered.recv_timeout(WITHIN) {
        Ok(true) => Ok(()),
        // Without an answer it panicked.
        Ok(false) | Err(RecvTimeoutError::Disconnected) => Err(SelfTestFailure::NotMeasured),
        Err(RecvTimeoutError::Timeout) => Err(SelfTestFailure::MeasuredLate),
    }
}

fn counted(recorder: &dyn MetricBackend) -> bool {
    let mut page = b"\n".to_vec();
    let is_written = recorder.render(Exposition::Text, &mut page).is_ok();
    let page = String::from_utf8_lossy(&page);
    let count = page.split(COUNTER_LINE).nth(1).and_then(|rest| rest.lines().next());
    is_written && count.is_some_and(|count| count != "0")
}

use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_core::dispatcher;
use tracing_core::subscriber::NoSubscriber;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer, Registry};

use crate::log::PanicHook;
use crate::metric::MetricBackend;
use crate::record::{RecordHandle, RecordLayer};
use crate::setup::{Panics, SetupError, SetupErrorKind};

/// A layer of others, which sees what is logged before anything is redacted.
pub(super) type Unredacted = Box<dyn Layer<Registry> + Send + Sync>;

/// Held while a set-up changes the process: another one that comes meanwhile waits, and then finds what this one left.
pub(super) fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether somebody was here before. It is found out in a thread of its own: the one that calls may have
/// a subscriber or a recorder of its own for a while.
pub(super) fn check_free(needs_logger: bool) -> Result<(), SetupError> {
    let look =
        std::thread::Builder::new().name("obs-probe".to_owned()).spawn(move || found(needs_logger));
    let look = look.map_err(|error| SetupError::new(SetupErrorKind::Thread, "").because(error))?;
    match look.join().unwrap_or(None) {
        Some(kind) => Err(SetupError::new(kind, "")),
        None => Ok(()),
    }
}

fn found(needs_logger: bool) -> Option<SetupErrorKind> {
    let subscriber = dispatcher::get_default(|dispatch| {
        if dispatch.downcast_ref::<RecordLayer>().is_some() {
            Some(SetupErrorKind::AlreadySetUp)
        } else if dispatch.is::<NoSubscriber>() {
            None
        } else {
            Some(SetupErrorKind::ForeignSubscriber)
        }
    });
    // The recorder that stands for none has no size; nothing else tells them apart.
    let has_recorder = metrics::with_recorder(|recorder| size_of_val(recorder) > 0);
    let recorder = has_recorder.then_some(SetupErrorKind::ForeignRecorder);
    let logger = (needs_logger && has_logger()).then_some(SetupErrorKind::ForeignLogger);
    subscriber.or(recorder).or(logger)
}

/// Installs the recorder, then the subscriber. If somebody else does this at once, one has the recorder; the other one
/// fails before it has changed anything.
pub(super) fn install(
    metrics: &dyn MetricBackend,
    layer: RecordLayer,
    others: Vec<Unredacted>,
) -> Result<(), SetupError> {
    let kind = SetupErrorKind::ForeignRecorder;
    metrics.install().map_err(|error| SetupError::new(kind, "").because(error))?;
    let registry = tracing_subscriber::registry();
    let installed = if others.is_empty() {
        tracing::subscriber::set_global_default(registry.with(layer))
    } else {
        tracing::subscriber::set_global_default(registry.with(layer.beside(others)))
    };
    let kind = SetupErrorKind::ForeignSubscriber;
    installed.map_err(|error| SetupError::new(kind, "").because(error))
}

#[cfg(feature = "log-bridge")]
fn has_logger() -> bool {
    // As with recorders.
    size_of_val(log::logger()) > 0
}

#[cfg(not(feature = "log-bridge"))]
const fn has_logger() -> bool {
    false
}

/// Takes what libraries log by the facade `log`. This comes before all else: a logger of others that has no size
/// is found here only.
#[cfg(feature = "log-bridge")]
pub(super) fn join_log(records: &RecordHandle) -> Result<(), SetupError> {
    let kind = SetupErrorKind::ForeignLogger;
    let installed = crate::record::LogBridge::new(records.clone()).install();
    installed.map_err(|error| SetupError::new(kind, "").because(error))
}

/// Takes panics.
pub(super) fn join_panics(records: &RecordHandle, panics: Panics) {
    let hook = PanicHook::new(records.clone());
    // A hook of ours that was there before logs all panics where it was told to; it says so itself.
    let _ = match panics {
        Panics::Log => hook.install(),
        Panics::LogWithBacktraces => hook.with_backtraces().install(),
        Panics::LogThenPrevious => hook.then_previous().install(),
        Panics::Leave => Ok(()),
    };
}

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::fmt;
use std::io::{self, Write as _};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use request_context::Context;
use tracing_core::{Dispatch, Level, dispatcher, span};

use crate::log::metrics;
use crate::record::{Note, RecordHandle, Value};

/// What records of panics have as their target.
const TARGET: &str = "panic";

/// How long a panic waits for its record; and how much of that is for its span to be found, and
/// for outputs to write it: who panics next may be the process.
const WITHIN: Duration = Duration::from_secs(1);
const SPAN_WITHIN: Duration = Duration::from_millis(250);
const FLUSH_WITHIN: Duration = Duration::from_millis(250);

/// How much of a payload is looked at. Of what is looked at, records show less.
const LONGEST_PAYLOAD: usize = 64 << 10;

/// Makes a record of each panic: its message, redacted as any other, where it was and in which thread, `panic` as
/// its `exception.type`, and the ids of the span and request that it was in. It is counted as `process.panics`.
///
/// It takes the place of the hook that was there: the one that Rust begins with writes the message to the standard
/// error as it is, whatever is in it. [`then_previous`](Self::then_previous) keeps it.
///
/// Within a hook another panic ends the process. So the record is made by a thread of its own, and
/// the panic waits for it a second at most: outputs, sinks of others, locks that the panic
/// left locked can fail, panic or block as they like. Of a panic whose record was not written by then, a panic of
/// that thread too, the standard error tells where it was, and nothing of its message.
///
/// ```no_run
/// use obs::log::PanicHook;
/// use obs::record::RecordLayer;
///
/// let layer = RecordLayer::builder().build();
/// PanicHook::new(layer.handle()).with_backtraces().install()?;
/// # Ok::<(), obs::log::AlreadyInstalled>(())
/// ```
#[derive(Debug)]
#[must_use = "it does nothing until it is installed"]
pub struct PanicHook {
    handle: RecordHandle,
    has_backtraces: bool,
    calls_previous: bool,
}

/// There is a [`PanicHook`] in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlreadyInstalled;

impl PanicHook {
    /// Gives records to the sinks of this handle's layer.
    pub const fn new(handle: RecordHandle) -> Self {
        Self { handle, has_backtraces: false, calls_previous: false }
    }

    /// With a backtrace, as the field `exception.stacktrace`. Names of functions are read from the
    /// program's file: that takes milliseconds, and much memory the first time.
    pub const fn with_backtraces(mut self) -> Self {
        self.has_backtraces = true;
        self
    }

    /// Calls the hook that was there, afterwards: one that reports panics elsewhere, say. It sees the panic as it is,
    /// and Rust's own writes it to the standard error so: nothing of that is redacted.
    pub const fn then_previous(mut self) -> Self {
        self.calls_previous = true;
        self
    }

    /// Installs the hook for the life of the process.
    ///
    /// # Errors
    /// There is one already. It stays, and this is said in the log, too.
    pub fn install(self) -> Result<(), AlreadyInstalled> {
        static IS_INSTALLED: AtomicBool = AtomicBool::new(false);
        if IS_INSTALLED.swap(true, Ordering::AcqRel) {
            self.handle.record(&Note::new(Level::WARN, "obs::log"), &AlreadyInstalled);
            return Err(AlreadyInstalled);
        }
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let is_logged = self.report(info);
            if self.calls_previous {
                previous(info);
            } else if !is_logged {
                tell_place(info);
            }
        }));
        Ok(())
    }

    /// Whether there is a record of it, written by now. Nothing here may panic, nor wait for what the panic may
    /// have locked.
    fn report(&self, info: &PanicHookInfo<'_>) -> bool {
        if is_reporter() {
            return false;
        }
        let panic = Panic::of(info, self.has_backtraces);
        let handle = self.handle.clone();
        let is_written = aside(WITHIN, move || {
            panic.record(&handle);
            handle.flush(FLUSH_WITHIN)
        });
        is_written == Some(true)
    }
}

/// Says on the standard error where a panic was that the log may not have.
fn tell_place(info: &PanicHookInfo<'_>) {
    let place = info.location().map_or_else(String::new, |at| format!(" at {at}"));
    let thread = thread::current().name().unwrap_or("without a name").to_owned();
    let line = format!("obs: thread `{thread}` panicked{place}; its record is not written yet\n");
    // The panic may hold the lock of the standard error.
    aside(FLUSH_WITHIN, move || io::stderr().write_all(line.as_bytes()));
}

/// Runs `work` in a thread of its own, and waits for it so long at most; nothing if it is not done by
/// then, panics, or there are no more threads.
fn aside<T: Send + 'static>(
    within: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, done) = mpsc::sync_channel(1);
    let reporter = thread::Builder::new().name("obs-panic".to_owned()).spawn(move || {
        IS_REPORTER.set(true);
        // Whoever panics drops the sender.
        let _ = sender.send(work());
    });
    reporter.ok().and_then(|_| done.recv_timeout(within).ok())
}

thread_local! {
    static IS_REPORTER: Cell<bool> = const { Cell::new(false) };
}

fn is_reporter() -> bool {
    IS_REPORTER.get()
}

/// What is known of a panic where it happens.
struct Panic {
    message: String,
    location: Option<(String, u32, u32)>,
    thread: Option<String>,
    backtrace: Option<Backtrace>,
    dispatch: Dispatch,
    span: Option<span::Id>,
    context: Option<Context>,
}

impl Panic {
    fn of(info: &PanicHookInfo<'_>, has_backtrace: bool) -> Self {
        let payload = info.payload_as_str().unwrap_or("something that is no text");
        let payload = payload.get(..payload.floor_char_boundary(LONGEST_PAYLOAD));
        let location = info.location();
        let (dispatch, span) = dispatcher::get_default(|dispatch| {
            (dispatch.clone(), dispatch.current_span().id().cloned())
        });
        Self {
            message: format!("panicked: {}", payload.unwrap_or_default()),
            location: location.map(|at| (at.file().to_owned(), at.line(), at.column())),
            thread: thread::current().name().map(str::to_owned),
            backtrace: has_backtrace.then(Backtrace::force_capture),
            dispatch,
            span,
            context: Context::current(),
        }
    }

    /// From the thread that reports.
    fn record(self, handle: &RecordHandle) {
        // The panic may hold a lock on it, until it has been waited for; and leaves it poisoned.
        let (dispatch, span, layer) = (self.dispatch, self.span, handle.clone());
        let span =
            span.and_then(|id| aside(SPAN_WITHIN, move || layer.span_of(&dispatch, &id))).flatten();
        let place =
            self.location.as_ref().map(|(file, line, column)| format!("{file}:{line}:{column}"));
        let backtrace = self.backtrace.as_ref().map(ToString::to_string);
        let fields = [
            ("thread.name", self.thread.as_deref()),
            ("panic.location", place.as_deref()),
            ("exception.type", Some("panic")),
            ("exception.stacktrace", backtrace.as_deref()),
        ];
        let fields: Vec<_> = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name, Value::Text(value?))))
            .collect();
        let mut note = Note::new(Level::ERROR, TARGET).with_fields(&fields);
        if let Some((file, line, _)) = &self.location {
            note = note.at(file, *line);
        }
        let record = || handle.record_in(&note, &self.message, span.as_deref());
        match self.context {
            Some(context) => context.sync_scope(record),
            None => record(),
        }
        metrics::count_panic();
    }
}

impl fmt::Display for AlreadyInstalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a panic hook of `obs` is installed already")
    }
}

impl std::error::Error for AlreadyInstalled {}

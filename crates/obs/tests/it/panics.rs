//! Panics in the log, each in a process of its own: the hook is the process's.

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use obs::log::{FileTarget, JsonFlat, LogOutput, PanicHook, Writer, WriterGuard};
use obs::record::{Record, RecordLayer, RecordSink};
use request_context::{Context, Id};
use serde_json::{Value, json};
use tracing_subscriber::layer::{Context as LayerContext, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::child;
use crate::support::wait_for;

/// The log of a child: in a file, with the hook installed.
fn logging(folder: &Path, hook: impl FnOnce(PanicHook) -> PanicHook) -> WriterGuard {
    logging_with(folder, hook, None)
}

fn logging_with(
    folder: &Path,
    hook: impl FnOnce(PanicHook) -> PanicHook,
    sink: Option<Arc<dyn RecordSink>>,
) -> WriterGuard {
    let target = FileTarget::builder(folder.join("app.log")).open().unwrap();
    let (writer, guard) = Writer::builder("file").start(target).unwrap();
    let mut layer =
        RecordLayer::builder().sink(LogOutput::builder(JsonFlat::new(), &writer).build());
    if let Some(sink) = sink {
        layer = layer.sink(sink);
    }
    let layer = layer.build();
    hook(PanicHook::new(layer.handle())).install().unwrap();
    let subscriber = tracing_subscriber::registry().with(LocksAndPanics).with(layer);
    tracing::subscriber::set_global_default(subscriber).unwrap();
    guard
}

/// Runs `test` as a child; its output and what it logged.
fn ran(test: &str) -> (Output, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let mut command: Command = child::command(&format!("panics::{test}"), folder.path());
    let output = command.output().unwrap();
    let text = fs::read_to_string(folder.path().join("app.log")).unwrap();
    (output, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn panics(lines: &[Value]) -> Vec<&Value> {
    lines.iter().filter(|line| line["target"] == "panic").collect()
}

fn caught(work: impl FnOnce()) {
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err());
}

#[test]
fn a_panic_is_a_record_with_its_ids_and_without_secrets() {
    if let Some(folder) = child::folder() {
        std::panic::set_hook(Box::new(|_| {
            std::io::stderr().write_all(b"the hook that was there\n").unwrap();
        }));
        let guard = logging(&folder, |hook| hook.with_backtraces().then_previous());
        let context = Context::new().with_request_id(Id::new("r-1").unwrap());
        let work = || {
            context.sync_scope(|| {
                let _span = tracing::info_span!("job", number = 7).entered();
                tracing::info!("before");
                caught(|| panic!("no connection: password=hunter2-canary"));
                caught(|| std::panic::panic_any(7));
                tracing::info!("after");
            });
        };
        std::thread::Builder::new().name("worker".into()).spawn(work).unwrap().join().unwrap();
        assert_eq!(guard.shutdown(Duration::from_secs(60)).written, 4);
        return;
    }
    let (output, lines) = ran("a_panic_is_a_record_with_its_ids_and_without_secrets");
    assert!(output.status.success(), "{}", stderr(&output));
    let [before, first, second, after] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(first["message"], "panicked: no connection: password=[REDACTED]");
    assert_eq!(second["message"], "panicked: something that is no text");
    for line in [first, second] {
        assert_eq!((&line["level"], &line["target"]), (&json!("ERROR"), &json!("panic")));
        assert_eq!((&line["thread.name"], &line["span"]), (&json!("worker"), &json!("job")));
        assert_eq!((&line["number"], &line["request_id"]), (&json!(7), &json!("r-1")));
        assert_eq!(
            (&line["trace_id"], &line["span_id"]),
            (&before["trace_id"], &before["span_id"])
        );
        assert!(line["panic.location"].as_str().unwrap().contains("tests/it/panics.rs:"), "{line}");
        assert_eq!(line["exception.type"], "panic");
        assert!(line["exception.stacktrace"].as_str().unwrap().contains("0:"), "{line}");
    }
    assert_eq!(after["message"], "after");
    assert_eq!(stderr(&output).matches("the hook that was there").count(), 2);
}

#[test]
fn nothing_of_a_panic_but_its_record_is_shown_and_two_hooks_of_ours_are_not_installed() {
    if let Some(folder) = child::folder() {
        let guard = logging(&folder, |hook| hook);
        let layer = RecordLayer::builder().build();
        let again = PanicHook::new(layer.handle()).install();
        assert!(again.unwrap_err().to_string().contains("installed already"));
        caught(|| panic!("token=hunter2-canary"));
        drop(guard);
        return;
    }
    let test = "nothing_of_a_panic_but_its_record_is_shown_and_two_hooks_of_ours_are_not_installed";
    let (output, lines) = ran(test);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(panics(&lines).len(), 1);
    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
}

/// How many threads of this process have that name.
fn threads(name: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|found| found.trim_end() == name).count()
}

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("the second");
    }
}

/// That process ends with or without us. What it had to say is there.
#[test]
fn a_panic_while_panicking_is_in_the_log_before_the_process_ends() {
    if let Some(folder) = child::folder() {
        let _guard = logging(&folder, |hook| hook);
        let _panics = PanicsInDrop;
        panic!("the first");
    }
    let (output, lines) = ran("a_panic_while_panicking_is_in_the_log_before_the_process_ends");
    assert!(!output.status.success());
    let messages: Vec<_> = panics(&lines).iter().map(|line| line["message"].clone()).collect();
    assert_eq!(messages[..2], ["panicked: the first", "panicked: the second"]);
}

#[derive(Debug, Default)]
struct PanicsOnPanics(AtomicU32);

impl RecordSink for PanicsOnPanics {
    fn record(&self, record: &Record<'_>) {
        if record.target == "panic" {
            self.0.fetch_add(1, Ordering::SeqCst);
            panic!("the sink: hunter2-canary");
        }
    }
}

#[test]
fn a_sink_that_panics_over_a_panic_ends_nothing() {
    if let Some(folder) = child::folder() {
        let sink = Arc::new(PanicsOnPanics::default());
        let guard = logging_with(&folder, |hook| hook, Some(Arc::<PanicsOnPanics>::clone(&sink)));
        (0..3).for_each(|_| caught(|| panic!("a panic")));
        assert_eq!(sink.0.load(Ordering::SeqCst), 3);
        drop(guard);
        return;
    }
    let (output, lines) = ran("a_sink_that_panics_over_a_panic_ends_nothing");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(panics(&lines).len(), 3);
    // Of each panic there is a record; of what that led to: where it was, and nothing else.
    let said = stderr(&output);
    assert_eq!(said.matches("` panicked at crates/obs/tests/it/panics.rs:").count(), 3, "{said}");
    assert_eq!(said.matches("obs: thread `obs-panic` panicked at ").count(), 3, "{said}");
    assert!(!said.contains("canary"), "{said}");
}

#[test]
fn a_panic_that_holds_the_standard_error_is_told_there_after_a_moment() {
    if let Some(folder) = child::folder() {
        let guard = logging_with(&folder, |hook| hook, Some(Arc::new(Blocks)));
        caught(|| {
            let _held = std::io::stderr().lock();
            panic!("hunter2-canary");
        });
        // One does not come back from the sink; the other one has the standard error now.
        wait_for(|| threads("obs-panic") == 1);
        drop(guard);
        return;
    }
    let (output, lines) = ran("a_panic_that_holds_the_standard_error_is_told_there_after_a_moment");
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert_eq!(panics(&lines).len(), 1);
    assert_eq!(said.matches("its record is not written yet").count(), 1, "{said}");
    assert!(!said.contains("canary"), "{said}");
}

#[derive(Debug)]
struct Blocks;

impl RecordSink for Blocks {
    fn record(&self, record: &Record<'_>) {
        if record.target == "panic" {
            std::thread::sleep(Duration::from_secs(600));
        }
    }
}

#[test]
fn a_sink_that_blocks_keeps_a_panic_for_a_moment_only() {
    if let Some(folder) = child::folder() {
        let guard = logging_with(&folder, |hook| hook, Some(Arc::new(Blocks)));
        let begun = Instant::now();
        caught(|| panic!("a panic"));
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
        drop(guard);
        return;
    }
    let (output, lines) = ran("a_sink_that_blocks_keeps_a_panic_for_a_moment_only");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(panics(&lines).len(), 1);
}

struct PanickingDebug;

impl fmt::Debug for PanickingDebug {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in Debug")
    }
}

/// A layer of somebody else's that formats values while it holds the lock of a span.
struct LocksAndPanics;

impl<S> Layer<S> for LocksAndPanics
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_record(
        &self,
        id: &tracing::span::Id,
        _: &tracing::span::Record<'_>,
        context: LayerContext<'_, S>,
    ) {
        let span = context.span(id).unwrap();
        let _held = span.extensions_mut();
        panic!("with a span locked");
    }
}

#[test]
fn panics_within_logging_are_in_the_log_and_nothing_hangs() {
    if let Some(folder) = child::folder() {
        let guard = logging(&folder, |hook| hook);
        tracing::info!(value = ?PanickingDebug, "goes on");
        let span = tracing::info_span!("locked", late = tracing::field::Empty).entered();
        caught(|| {
            span.record("late", 1);
        });
        drop(guard);
        return;
    }
    let (output, lines) = ran("panics_within_logging_are_in_the_log_and_nothing_hangs");
    assert!(output.status.success(), "{}", stderr(&output));
    let messages: Vec<_> = panics(&lines).iter().map(|line| line["message"].clone()).collect();
    assert_eq!(messages, ["panicked: in Debug", "panicked: with a span locked"]);
    let goes_on = lines.iter().find(|line| line["message"] == "goes on").unwrap();
    assert_eq!(goes_on["value"], "[PANICKED]");
}

//! The set-up of a whole process: each test is a process of its own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use metric_table::Metric;
use obs::log::{FileTarget, Target};
use obs::metric::{Exposition, MetricRecorder, MetricSource, Samples, SourceError};
use obs::record::{Filter, Record, RecordLayer, RecordSink, Resource};
use obs::setup::{
    Expiry, Format, Guard, Observability, ObservabilityBuilder, Output, Panics, Profile, SelfTest,
    SelfTestFailure, SetupErrorKind,
};
use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt;

use crate::child;
use crate::support::wait_for;

const SECOND: Duration = Duration::from_secs(1);

fn alone(test: &str, work: impl FnOnce()) -> String {
    child::alone(&format!("setup::{test}"), work)
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn to_file(builder: ObservabilityBuilder) -> ObservabilityBuilder {
    let path = child::folder().unwrap().join("log");
    // What fails here is seen.
    let panics = Panics::LogThenPrevious;
    builder.panics(panics).output(Output::file("file", FileTarget::builder(path)))
}

fn lines() -> Vec<Value> {
    let text = std::fs::read_to_string(child::folder().unwrap().join("log")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn with_message<'a>(lines: &'a [Value], message: &str) -> &'a Value {
    lines.iter().find(|line| line["message"] == message).unwrap_or_else(|| panic!("{lines:?}"))
}

#[test]
fn one_call_sets_up_logs_and_metrics() {
    let said = alone("one_call_sets_up_logs_and_metrics", || {
        let resource = Resource::new("orders").with_version("1.4.2");
        let guard = Observability::builder().resource(resource).install().unwrap();
        guard.self_test().unwrap();
        tracing::info!(password = "hunter2", "listening");
        metrics::counter!("app.starts").increment(1);
        let mut page = Vec::new();
        guard.observability().metrics().render(Exposition::Text, &mut page).unwrap();
        assert!(String::from_utf8(page).unwrap().contains("\napp_starts_total 1\n"));
        let report = guard.shutdown(SECOND);
        assert!(report.is_complete() && report.outputs[0].status.totals.written == 2);
    });
    if child::folder().is_none() {
        let lines: Vec<Value> =
            said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let line = with_message(&lines, "listening");
        assert_eq!(
            (&line["password"], &line["service.name"]),
            (&"[REDACTED]".into(), &"orders".into())
        );
        let start = with_message(&lines, "observability is set up");
        assert_eq!(start["profile"], "production");
        assert_eq!(start["trace_id"].as_str().unwrap().len(), 32);
    }
}

#[test]
fn in_development_lines_are_for_people() {
    let said = alone("in_development_lines_are_for_people", || {
        let guard = Observability::builder().profile(Profile::Development).install().unwrap();
        tracing::info!(port = 8080, "listening");
        assert_eq!(guard.self_test(), Ok(()));
    });
    if child::folder().is_none() {
        assert!(
            said.lines().any(|line| line.ends_with("it::setup: listening port=8080")),
            "{said}"
        );
    }
}

#[test]
fn every_format_with_ids_passes_its_own_test() {
    let formats = [
        Format::Console,
        Format::Json,
        Format::Ecs,
        Format::EcsNested,
        Format::Datadog,
        Format::GoogleCloud,
        Format::NewRelic,
        Format::Logfmt,
    ];
    alone("every_format_with_ids_passes_its_own_test", || {
        let first = std::env::var("OBS_TEST_FORMAT").map_or(1, |at| at.parse().unwrap());
        let path = child::folder().unwrap().join("log");
        let output = Output::file("file", FileTarget::builder(path)).format(formats[first]);
        let builder = Observability::builder().output(output).self_test(SelfTest::Require);
        builder.install().unwrap().self_test().unwrap();
    });
    if child::folder().is_none() {
        for at in 0..formats.len() {
            let folder = tempfile::tempdir().unwrap();
            let mut command =
                child::command("setup::every_format_with_ids_passes_its_own_test", folder.path());
            command.env("OBS_TEST_FORMAT", at.to_string());
            child::run(command);
        }
    }
}

#[test]
fn a_second_set_up_is_refused_and_changes_nothing() {
    alone("a_second_set_up_is_refused_and_changes_nothing", || {
        let guard = to_file(Observability::builder()).install().unwrap();
        let again = Observability::builder().filter("trace".parse().unwrap()).install();
        assert_eq!(again.unwrap_err().kind(), SetupErrorKind::AlreadySetUp);
        assert_eq!(*guard.observability().filter(), Filter::default());
        tracing::info!("still here");
        assert!(guard.shutdown(SECOND).is_complete());
        with_message(&lines(), "still here");
    });
}

#[test]
fn a_subscriber_of_others_is_told_and_no_recorder_installed() {
    alone("a_subscriber_of_others_is_told_and_no_recorder_installed", || {
        tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
        let error = to_file(Observability::builder()).install().unwrap_err();
        assert_eq!(error.kind(), SetupErrorKind::ForeignSubscriber);
        assert!(error.to_string().contains("fmt::init()"));
        // Whoever comes next finds the place of the recorder free, and no file.
        assert!(!child::folder().unwrap().join("log").exists());
        MetricRecorder::builder().build().install().unwrap();
    });
}

#[test]
fn a_recorder_of_others_is_told_and_no_subscriber_installed() {
    alone("a_recorder_of_others_is_told_and_no_subscriber_installed", || {
        MetricRecorder::builder().build().install().unwrap();
        let error = to_file(Observability::builder()).install().unwrap_err();
        assert_eq!(error.kind(), SetupErrorKind::ForeignRecorder);
        tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
    });
}

#[test]
fn a_subscriber_for_a_while_is_nobody() {
    alone("a_subscriber_for_a_while_is_nobody", || {
        let scoped = tracing_subscriber::registry().with(RecordLayer::builder().build());
        let guard = tracing::subscriber::with_default(scoped, || {
            to_file(Observability::builder()).self_test(SelfTest::Require).install().unwrap()
        });
        tracing::info!("after it");
        assert!(guard.shutdown(SECOND).is_complete());
        with_message(&lines(), "after it");
    });
}

#[test]
fn an_output_that_cannot_be_opened_installs_nothing() {
    alone("an_output_that_cannot_be_opened_installs_nothing", || {
        let file = FileTarget::builder("/nowhere/at/all/log");
        let error = Observability::builder().output(Output::file("audit", file)).install();
        let error = error.unwrap_err();
        assert_eq!(error.kind(), SetupErrorKind::Output);
        assert_eq!(error.to_string(), "output `audit` cannot be opened");
        let twice = Observability::builder().output(Output::stdout()).output(Output::stdout());
        assert_eq!(twice.install().unwrap_err().kind(), SetupErrorKind::Output);
        to_file(Observability::builder()).install().unwrap().self_test().unwrap();
    });
}

#[test]
fn the_environment_says_what_the_program_does_not() {
    alone("the_environment_says_what_the_program_does_not", || {
        let environment = variables(&[
            ("OTEL_SERVICE_NAME", "from-environment"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,service.version=9,team=a%2Cb%3D"),
            ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "200"),
            ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "-1"),
            ("OTEL_SDK_DISABLED", ""),
            ("OTEL_LOG_LEVEL", "s3cr3t"),
            ("RUST_LOG", "warn,app=debug"),
        ]);
        let builder = to_file(Observability::builder().environment(environment));
        let guard = builder.resource(Resource::default().with_version("1")).install().unwrap();
        let resource = guard.observability().resource();
        assert_eq!(resource.get(Resource::SERVICE_NAME), Some("from-environment"));
        assert_eq!(resource.get(Resource::SERVICE_VERSION), Some("1"));
        assert_eq!(resource.get("team"), Some("a,b="));
        assert_eq!(resource.get(Resource::ENVIRONMENT), Some("production"));
        assert_eq!(guard.observability().filter().to_string(), "app=debug,warn");
        tracing::warn!(long = "0123456789".repeat(21), "long");
        assert!(guard.shutdown(SECOND).is_complete());
        let lines = lines();
        let cut = "0123456789".repeat(20) + "… [CUT]";
        assert_eq!(with_message(&lines, "long")["long"], cut);
        let forms = [
            ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "a whole number from 1 to 2147483647"),
            ("OTEL_LOG_LEVEL", "`none`, `error`, `warn`, `info`, `debug` or `trace`"),
        ];
        for (name, form) in forms {
            let warning = format!("`{name}` is left out: it should be {form}");
            assert_eq!(with_message(&lines, &warning)["level"], "WARN");
        }
        assert!(!format!("{lines:?}").contains("s3cr3t"));
    });
}

#[test]
fn attributes_that_are_wrong_are_left_out_together() {
    alone("attributes_that_are_wrong_are_left_out_together", || {
        let environment = variables(&[
            ("OTEL_RESOURCE_ATTRIBUTES", "team=a,b%zz=1"),
            ("RUST_LOG", "app[span]=debug"),
        ]);
        let guard = to_file(Observability::builder().environment(environment)).install().unwrap();
        let resource = guard.observability().resource();
        assert_eq!(resource.get("team"), None);
        assert_eq!(resource.get(Resource::SERVICE_NAME), Some("unknown_service"));
        assert!(guard.shutdown(SECOND).is_complete());
        let forms = [
            ("OTEL_RESOURCE_ATTRIBUTES", "`key=value,key=value`, with `%2C` for a comma in them"),
            (
                "RUST_LOG",
                "levels and targets as `info,hyper=warn,app::store=debug`, without spans and fields",
            ),
        ];
        for (name, form) in forms {
            with_message(&lines(), &format!("`{name}` is left out: it should be {form}"));
        }
    });
}

static LATER: AtomicU64 = AtomicU64::new(0);

fn set_clock() -> Instant {
    static BEGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *BEGIN.get_or_init(Instant::now) + Duration::from_secs(LATER.load(Ordering::SeqCst))
}

#[test]
fn a_filter_for_a_time_gives_way_to_the_one_before() {
    alone("a_filter_for_a_time_gives_way_to_the_one_before", || {
        let builder = to_file(Observability::builder()).steady_clock(set_clock);
        let guard = builder.install().unwrap();
        let observability = guard.observability();
        observability.set_filter("trace".parse().unwrap(), Expiry::After(60 * SECOND));
        tracing::trace!("seen");
        assert_eq!(observability.filter_expires_in(), Some(60 * SECOND));
        // Settings that change meanwhile hold later.
        observability.reload_filter("warn".parse().unwrap());
        assert_eq!(observability.filter().to_string(), "trace");
        LATER.store(59, Ordering::SeqCst);
        std::thread::sleep(SECOND + SECOND / 2);
        assert_eq!(observability.filter().to_string(), "trace");
        LATER.store(60, Ordering::SeqCst);
        wait_for(|| observability.filter().to_string() == "warn");
        assert_eq!(observability.filter_expires_in(), None);
        tracing::info!("not seen");
        observability.set_filter("info".parse().unwrap(), Expiry::Never);
        tracing::info!("seen again");
        assert!(guard.shutdown(SECOND).is_complete());
        let lines = lines();
        with_message(&lines, "seen");
        with_message(&lines, "seen again");
        assert!(!format!("{lines:?}").contains("not seen"));
        // That the log changes is there, whatever is taken.
        let ended = with_message(&lines, "the filter of logs that held for a while has ended");
        assert_eq!(ended["filter"], "warn");
        assert_eq!(ended["level"], "WARN");
    });
}

#[test]
fn the_end_of_a_filter_is_said_though_nothing_else_is() {
    alone("the_end_of_a_filter_is_said_though_nothing_else_is", || {
        let builder = to_file(Observability::builder().filter("off".parse().unwrap()));
        let guard = builder.steady_clock(set_clock).install().unwrap();
        let observability = guard.observability();
        observability.set_filter("trace".parse().unwrap(), Expiry::After(60 * SECOND));
        LATER.store(60, Ordering::SeqCst);
        wait_for(|| observability.filter().to_string() == "off");
        tracing::error!("not seen");
        assert!(guard.shutdown(SECOND).is_complete());
        let ended = "the filter of logs that held for a while has ended";
        assert_eq!(with_message(&lines(), ended)["filter"], "off");
        assert!(!format!("{:?}", lines()).contains("not seen"));
    });
}

/// Does not come back.
#[derive(Debug)]
struct Stuck;

impl Target for Stuck {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        loop {
            std::thread::park();
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct StuckSink;

impl RecordSink for StuckSink {
    fn record(&self, _: &Record<'_>) {}

    fn flush(&self, _: Duration) -> bool {
        loop {
            std::thread::park();
        }
    }
}

fn ends_in_time(guard: Guard) {
    tracing::info!("the last one");
    let begin = Instant::now();
    let report = guard.shutdown(SECOND / 2);
    assert!(begin.elapsed() < 10 * SECOND, "{:?}", begin.elapsed());
    assert!(!report.is_complete());
    assert_eq!(report.sinks_left, 1);
    assert_eq!(report.outputs[0].status.totals.written, 0);
    // What hangs does not take the time of the others.
    assert_eq!(report.outputs[1].status.totals.dropped.sum(), 0);
    with_message(&lines(), "the last one");
}

fn with_stuck() -> ObservabilityBuilder {
    let stuck = Observability::builder().output(Output::target("stuck", Stuck));
    to_file(stuck).sink(Arc::new(StuckSink)).self_test(SelfTest::Skip)
}

#[test]
fn what_hangs_keeps_no_end_waiting() {
    alone("what_hangs_keeps_no_end_waiting", || ends_in_time(with_stuck().install().unwrap()));
}

#[test]
fn what_hangs_keeps_no_end_waiting_on_the_only_thread_of_a_runtime() {
    alone("what_hangs_keeps_no_end_waiting_on_the_only_thread_of_a_runtime", || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { ends_in_time(with_stuck().install().unwrap()) });
    });
}

#[test]
fn a_guard_that_is_dropped_writes_what_waits() {
    alone("a_guard_that_is_dropped_writes_what_waits", || {
        let guard = to_file(Observability::builder()).install().unwrap();
        for number in 0..1_000 {
            tracing::info!(number, "counted");
        }
        drop(guard);
        assert_eq!(lines().iter().filter(|line| line["message"] == "counted").count(), 1_000);
    });
}

#[test]
fn a_probe_that_does_not_come_through_is_told() {
    alone("a_probe_that_does_not_come_through_is_told", || {
        let stuck = Output::target("stuck", Stuck);
        let guard = to_file(Observability::builder().output(stuck)).install().unwrap();
        assert_eq!(guard.self_test(), Err(SelfTestFailure::NotWritten));
        let _ = guard.shutdown(SECOND / 10);
        let told = "the probe's event did not reach the first log output in time";
        assert_eq!(with_message(&lines(), told)["level"], "ERROR");
    });
}

/// Hangs when it is asked.
#[derive(Debug)]
struct Hanging;

impl MetricSource for Hanging {
    fn name(&self) -> &'static str {
        "arenas"
    }

    fn metrics(&self) -> &'static [Metric] {
        const METRICS: &[Metric] = &[Metric::gauge("app.arenas", "{arena}", "arenas")];
        METRICS
    }

    fn collect(&self, _: &mut Samples<'_>) -> Result<(), SourceError> {
        loop {
            std::thread::park();
        }
    }
}

#[test]
fn a_source_that_hangs_at_the_start_is_told_and_keeps_nobody_waiting() {
    alone("a_source_that_hangs_at_the_start_is_told_and_keeps_nobody_waiting", || {
        let guard = to_file(Observability::builder()).metric_source(Hanging).install().unwrap();
        assert_eq!(guard.self_test(), Err(SelfTestFailure::MeasuredLate));
        tracing::info!("serving");
        let _ = guard.shutdown(SECOND);
        let told = "the metrics did not come in time: one of their sources may hang";
        assert_eq!(with_message(&lines(), told)["level"], "ERROR");
        with_message(&lines(), "serving");
    });
}

#[test]
fn a_first_output_that_does_not_take_the_probe_fails_no_test() {
    alone("a_first_output_that_does_not_take_the_probe_fails_no_test", || {
        let quiet = child::folder().unwrap().join("quiet");
        let quiet =
            Output::file("quiet", FileTarget::builder(quiet)).filter("error".parse().unwrap());
        let builder = to_file(Observability::builder().output(quiet));
        let guard = builder.self_test(SelfTest::Require).install().unwrap();
        assert!(guard.shutdown(SECOND).is_complete());
        with_message(&lines(), "observability is set up");
    });
}

#[test]
fn of_many_set_ups_at_once_one_works_and_the_others_are_told_so() {
    alone("of_many_set_ups_at_once_one_works_and_the_others_are_told_so", || {
        let start = std::sync::Barrier::new(8);
        let install = || {
            start.wait();
            to_file(Observability::builder()).install()
        };
        let (guards, errors) = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(install)).collect();
            let done = threads.into_iter().map(|thread| thread.join().unwrap());
            done.partition::<Vec<_>, _>(Result::is_ok)
        });
        assert_eq!((guards.len(), errors.len()), (1, 7));
        for error in errors {
            assert_eq!(error.unwrap_err().kind(), SetupErrorKind::AlreadySetUp);
        }
        let guard = guards.into_iter().next().unwrap().unwrap();
        guard.self_test().unwrap();
        tracing::info!("from the one");
        assert!(guard.shutdown(SECOND).is_complete());
        with_message(&lines(), "from the one");
    });
}

#[test]
fn a_probe_that_is_required_ends_the_set_up() {
    alone("a_probe_that_is_required_ends_the_set_up", || {
        let stuck = Observability::builder().output(Output::target("stuck", Stuck));
        let stuck = stuck.self_test(SelfTest::Require).drop_within(SECOND / 10);
        assert_eq!(stuck.install().unwrap_err().kind(), SetupErrorKind::SelfTest);
    });
}

#[test]
fn the_probe_comes_through_whatever_the_filter_says() {
    alone("the_probe_comes_through_whatever_the_filter_says", || {
        let builder = to_file(Observability::builder()).filter("off".parse().unwrap());
        let guard = builder.self_test(SelfTest::Require).install().unwrap();
        assert_eq!(guard.observability().filter().to_string(), "off");
        tracing::error!("not seen");
        let report = guard.shutdown(SECOND);
        assert_eq!(report.outputs[0].status.totals.taken, 1);
    });
}

#[test]
fn a_layer_of_others_sees_what_is_logged() {
    #[derive(Debug)]
    struct Counting(Arc<AtomicU64>);

    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Counting {
        fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    alone("a_layer_of_others_sees_what_is_logged", || {
        let count = Arc::new(AtomicU64::new(0));
        let layer = Counting(Arc::clone(&count));
        let builder =
            to_file(Observability::builder()).with_unredacted_layer(layer, Filter::default());
        let guard = builder.self_test(SelfTest::Require).install().unwrap();
        let before = count.load(Ordering::SeqCst);
        tracing::info!("both");
        assert!(guard.shutdown(SECOND).is_complete());
        assert_eq!(count.load(Ordering::SeqCst), before + 1);
        with_message(&lines(), "both");
    });
}

#[test]
fn panics_and_the_volume_are_seen() {
    alone("panics_and_the_volume_are_seen", || {
        let guard = to_file(Observability::builder()).install().unwrap();
        std::thread::spawn(|| panic!("no such password=hunter2")).join().unwrap_err();
        let page = || {
            let mut page = Vec::new();
            guard.observability().metrics().render(Exposition::Text, &mut page).unwrap();
            String::from_utf8(page).unwrap()
        };
        wait_for(|| page().contains("\nlog_records_total{level=\"error\"} 1\n"));
        assert!(page().contains("\nprocess_panics_total 1\n"), "{}", page());
        assert!(guard.shutdown(SECOND).is_complete());
        let text = format!("{:?}", lines());
        assert!(text.contains("no such password=[REDACTED]"), "{text}");
    });
}

#[test]
fn what_a_panic_says_is_not_on_the_standard_error_unless_asked_for() {
    const TEST: &str = "setup::what_a_panic_says_is_not_on_the_standard_error_unless_asked_for";
    const PANICS: &str = "OBS_TEST_PANICS";
    if child::folder().is_some() {
        let panics = match std::env::var(PANICS).unwrap().as_str() {
            "then previous" => Panics::LogThenPrevious,
            "backtraces" => Panics::LogWithBacktraces,
            _ => Panics::Log,
        };
        let guard = to_file(Observability::builder()).panics(panics).install().unwrap();
        std::thread::spawn(|| panic!("hunter2-canary")).join().unwrap_err();
        assert!(guard.shutdown(SECOND).is_complete());
        assert!(format!("{:?}", lines()).contains("panicked: hunter2-canary"));
        return;
    }
    for (panics, is_shown) in [("log", false), ("backtraces", false), ("then previous", true)] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = child::command(TEST, folder.path());
        command.env(PANICS, panics);
        let said = child::run(command);
        assert_eq!(said.contains("hunter2-canary"), is_shown, "{panics}: {said}");
    }
}

/// A panic that nobody hears of is worse than one that is not redacted.
#[test]
fn where_a_panic_was_after_the_end_is_on_the_standard_error() {
    const TEST: &str = "setup::where_a_panic_was_after_the_end_is_on_the_standard_error";
    if child::folder().is_some() {
        let guard = to_file(Observability::builder()).panics(Panics::Log).install().unwrap();
        assert!(guard.shutdown(SECOND).is_complete());
        std::thread::Builder::new()
            .name("late".to_owned())
            .spawn(|| panic!("hunter2-canary"))
            .unwrap()
            .join()
            .unwrap_err();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let said = child::run(child::command(TEST, folder.path()));
    assert!(said.contains("obs: thread `late` panicked at "), "{said}");
    assert!(said.contains("setup.rs:") && !said.contains("hunter2-canary"), "{said}");
}

#[test]
fn a_probe_that_does_not_come_through_is_on_the_standard_error() {
    const TEST: &str = "setup::a_probe_that_does_not_come_through_is_on_the_standard_error";
    if child::folder().is_some() {
        let stuck = Observability::builder().output(Output::target("stuck", Stuck));
        let guard = stuck.install().unwrap();
        // Whoever ends at once is told all the same.
        let _ = guard.shutdown(SECOND / 10);
        std::process::exit(0);
    }
    let folder = tempfile::tempdir().unwrap();
    let said = child::run(child::command(TEST, folder.path()));
    assert!(said.contains("\nobservability: the probe's event did not reach"), "{said}");
}

/// Nobody reads the standard error, and a probe that failed is said there.
#[test]
fn a_standard_error_that_blocks_lets_filters_expire() {
    use std::io::Write as _;
    use std::process::Stdio;

    const TEST: &str = "setup::a_standard_error_that_blocks_lets_filters_expire";
    if child::folder().is_some() {
        // More than a pipe holds, not by Rust's handle, whose lock would be held for ever.
        std::thread::spawn(|| {
            let stderr = std::fs::OpenOptions::new().write(true).open("/proc/self/fd/2");
            stderr.unwrap().write_all(&[b'x'; 1 << 20])
        });
        let builder = Observability::builder().output(Output::target("stuck", Stuck));
        let guard = to_file(builder).install().unwrap();
        assert_eq!(guard.self_test(), Err(SelfTestFailure::NotWritten));
        let observability = guard.observability();
        observability.set_filter("trace".parse().unwrap(), Expiry::After(SECOND / 10));
        wait_for(|| observability.filter().to_string() == "info");
        let begin = Instant::now();
        let _ = guard.shutdown(SECOND);
        assert!(begin.elapsed() < 5 * SECOND);
        // Nothing is left to be said on the standard error, which would wait.
        std::fs::write(child::folder().unwrap().join("expired"), "").unwrap();
        std::process::exit(0);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = child::command(TEST, folder.path());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let unread = child.stderr.take();
    let wait_for_it =
        std::panic::catch_unwind(|| wait_for(|| folder.path().join("expired").exists()));
    child.kill().unwrap();
    child.wait().unwrap();
    drop(unread);
    wait_for_it.unwrap();
}

#[test]
fn what_an_output_says_itself_goes_by_the_clock_too() {
    use std::num::NonZeroU32;
    use std::time::SystemTime;

    use obs::log::{Quota, RateLimit};

    fn clock() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(86_400)
    }

    alone("what_an_output_says_itself_goes_by_the_clock_too", || {
        let path = child::folder().unwrap().join("log");
        let once = Quota::new(NonZeroU32::MIN, 3_600 * SECOND);
        let output = Output::file("file", FileTarget::builder(path));
        let output = output.rate_limit(RateLimit::new(once));
        let guard = Observability::builder().output(output).clock(clock).install().unwrap();
        (0..3).for_each(|_| tracing::info!("again"));
        assert!(guard.shutdown(SECOND).is_complete());
        let lines = lines();
        let suppressed = with_message(&lines, "2 log records suppressed");
        assert_eq!(suppressed["timestamp"], "1970-01-02T00:00:00.000000Z");
        assert_eq!(with_message(&lines, "again")["timestamp"], suppressed["timestamp"]);
    });
}

/// As the documentation of `log` shows loggers: without a size.
#[cfg(feature = "log-bridge")]
#[test]
fn a_logger_without_a_size_is_told_and_nothing_installed() {
    struct Unit;

    impl log::Log for Unit {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            false
        }

        fn log(&self, _: &log::Record<'_>) {}

        fn flush(&self) {}
    }

    alone("a_logger_without_a_size_is_told_and_nothing_installed", || {
        log::set_logger(&Unit).unwrap();
        let error = to_file(Observability::builder()).with_log_bridge().install().unwrap_err();
        assert_eq!(error.kind(), SetupErrorKind::ForeignLogger);
        MetricRecorder::builder().build().install().unwrap();
        tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
    });
}

#[cfg(feature = "log-bridge")]
#[test]
fn the_facade_log_is_taken_too_unless_somebody_has_it() {
    #[derive(Debug)]
    struct Other(#[allow(dead_code, reason = "it has a size, as loggers have")] u8);

    impl log::Log for Other {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            false
        }

        fn log(&self, _: &log::Record<'_>) {}

        fn flush(&self) {}
    }

    alone("the_facade_log_is_taken_too_unless_somebody_has_it", || {
        if std::env::var_os("OBS_TEST_LOGGER").is_some() {
            log::set_boxed_logger(Box::new(Other(1))).unwrap();
            let error = to_file(Observability::builder()).with_log_bridge().install().unwrap_err();
            assert_eq!(error.kind(), SetupErrorKind::ForeignLogger);
            MetricRecorder::builder().build().install().unwrap();
            return;
        }
        let guard = to_file(Observability::builder()).with_log_bridge().install().unwrap();
        log::info!("by the facade");
        assert!(guard.shutdown(SECOND).is_complete());
        with_message(&lines(), "by the facade");
    });
    if child::folder().is_none() {
        let folder = tempfile::tempdir().unwrap();
        let test = "setup::the_facade_log_is_taken_too_unless_somebody_has_it";
        let mut command = child::command(test, folder.path());
        command.env("OBS_TEST_LOGGER", "1");
        child::run(command);
    }
}

#[cfg(feature = "process")]
#[test]
fn the_kernel_is_asked_too() {
    alone("the_kernel_is_asked_too", || {
        let guard = Observability::builder().with_process_metrics().install().unwrap();
        let observability = guard.observability();
        assert!(observability.catalog().get("process.cpu").is_some());
        let mut page = Vec::new();
        observability.metrics().render(Exposition::Text, &mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        assert!(page.contains("\nprocess_cpu_seconds_total "), "{page}");
        assert!(page.contains("\nsystem_memory_limit_bytes "), "{page}");
    });
}

#[cfg(feature = "process")]
#[test]
fn a_source_that_disagrees_with_the_catalog_is_an_error() {
    use metric_table::Metric;
    use obs::catalog::Catalog;

    const OTHER: &[Metric] = &[Metric::gauge("process.cpu", "s", "another one")];
    alone("a_source_that_disagrees_with_the_catalog_is_an_error", || {
        let catalog = Catalog::new().with(OTHER).unwrap();
        let builder = Observability::builder().catalog(catalog).with_process_metrics();
        assert_eq!(builder.install().unwrap_err().kind(), SetupErrorKind::Catalog);
    });
}

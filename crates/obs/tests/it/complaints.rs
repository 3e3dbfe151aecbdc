//! What users of other crates complain of, and of which no other test speaks.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use log::Log as _;
use obs::log::{Console, Datadog, Ecs, GoogleCloud, JsonFlat, Layout, Logfmt, NewRelic};
use obs::record::{Note, Record, RecordHandle, RecordLayer, RecordSink, Resource};
use serde_json::{Value, json};
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing_core::Level;
use tracing_subscriber::layer::SubscriberExt;

use crate::child;
use crate::support::{Lines, logged, logged_by};

/// tracing-opentelemetry's ids are absent until a span is entered or its context is built.
#[test]
fn ids_are_there_before_a_span_is_entered() {
    let lines = logged(|| {
        let outer = tracing::info_span!(parent: None, "outer");
        let inner = tracing::info_span!(parent: &outer, "inner");
        tracing::info!(parent: &inner, "never entered");
        inner.in_scope(|| tracing::info!("entered"));
        tracing::info!(parent: &outer, "outer");
    });
    let all = lines.all();
    assert_eq!(all[0]["span"], "inner");
    for id in ["trace_id", "span_id"] {
        assert!(all[0][id].as_str().is_some_and(|id| id.len() >= 16), "{}", all[0]);
        assert_eq!(all[0][id], all[1][id]);
    }
    assert_eq!(all[0]["trace_id"], all[2]["trace_id"]);
    assert_ne!(all[0]["span_id"], all[2]["span_id"]);
}

/// `fmt`'s JSON keeps fields as text, reads them again, and gives up on what it does not find to be JSON (`field_error`).
#[test]
fn fields_of_spans_come_through_whatever_is_in_them() {
    let values = [
        "",
        "\"",
        "{\"a\":",
        "}",
        "a=\u{1b}[3mb\u{1b}[0m",
        "\\",
        "\u{0}\n",
        "field_error",
        "ä… 🦀",
    ];
    for value in values {
        let lines = logged(|| {
            let span =
                tracing::info_span!("s", early = value, debug = ?value, late = Empty).entered();
            span.record("late", value);
            span.record("early", format!("{value}{value}"));
            tracing::info!("m");
        });
        let line = lines.last();
        assert_eq!(line["early"], format!("{value}{value}"));
        assert_eq!((&line["late"], &line["debug"]), (&json!(value), &json!(format!("{value:?}"))));
        assert!(line.get("field_error").is_none());
    }
}

/// `EnvFilter` is asked at each span and event; a place that is not taken costs more than that it is not.
#[test]
fn what_is_not_taken_is_not_even_made() {
    static MADE: AtomicU32 = AtomicU32::new(0);
    fn made() -> u32 {
        MADE.fetch_add(1, Ordering::SeqCst)
    }
    let filter = "info,it::complaints=warn".parse().unwrap();
    let lines = logged_by(
        |builder| builder.filter(filter),
        || {
            let log = || {
                let _span = tracing::info_span!("s", made = made()).entered();
                tracing::info!(made = made(), "made {}", made());
            };
            log();
            let (_, counts) = crate::PROBE.count(|| (0..1_000).for_each(|_| log()));
            assert_eq!(counts.allocations, 0, "{counts:?}");
            tracing::warn!(made = made(), "taken");
        },
    );
    assert_eq!((MADE.load(Ordering::SeqCst), lines.all().len()), (1, 1));
}

/// The most memory that this process ever used, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

#[derive(Debug)]
struct Nowhere;

impl RecordSink for Nowhere {
    fn record(&self, _: &Record<'_>) {}
}

/// A connection's span, as `h2` and materialize have them, that is open for as long as the process.
#[test]
fn a_span_that_is_open_for_long_takes_no_more_memory() {
    child::alone("complaints::a_span_that_is_open_for_long_takes_no_more_memory", || {
        let layer = RecordLayer::builder().sink(Arc::new(Nowhere)).build();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("connection", state = Empty, frames = 0_u64).entered();
            let work = |number: u64| {
                tracing::info!(number, "frame");
                span.record("frames", number);
                span.record("state", format!("{number}{}", "x".repeat(1_000)));
                let _child = tracing::info_span!("stream", number).entered();
                span.follows_from(&tracing::info_span!("other"));
            };
            (0..1_000).for_each(work);
            let before = peak();
            (0..50_000).for_each(work);
            let added = peak() - before;
            assert!(added < 1024, "{added} KiB");
        });
    });
}

/// An exporter that logs about each record that it exports, in every way that there is, makes no more of them.
#[derive(Debug, Default)]
struct Logs {
    handle: Mutex<Option<RecordHandle>>,
    taken: AtomicU64,
}

impl RecordSink for Logs {
    fn record(&self, record: &Record<'_>) {
        self.taken.fetch_add(1, Ordering::SeqCst);
        let _span = tracing::error_span!("export", message = record.message).entered();
        tracing::error!("exporting {}", record.message);
        let handle = self.handle.lock().unwrap().clone().unwrap();
        handle.record(&Note::new(Level::ERROR, "exporter"), &"exporting");
        let bridge = obs::record::LogBridge::new(handle);
        bridge
            .log(&log::Record::builder().level(log::Level::Error).args(format_args!("x")).build());
    }
}

#[test]
fn what_a_sink_logs_does_not_come_back() {
    let (sink, lines) = (Arc::new(Logs::default()), Arc::new(Lines::default()));
    let layer = RecordLayer::builder()
        .filter(obs::record::Filter::up_to(LevelFilter::TRACE))
        .sink(Arc::<Logs>::clone(&sink))
        .sink(Arc::<Lines>::clone(&lines))
        .build();
    *sink.handle.lock().unwrap() = Some(layer.handle());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        (0..3).for_each(|number| tracing::info!(number, "m"));
    });
    assert_eq!((sink.taken.load(Ordering::SeqCst), lines.all().len()), (3, 3));
    assert!(lines.all().iter().all(|line| line["message"] == "m"));
}

static SECONDS: AtomicU64 = AtomicU64::new(0);
const LAST: u64 = 253_402_300_799;

/// From 1 second before 1970 on.
fn clock() -> SystemTime {
    match SECONDS.load(Ordering::SeqCst) {
        0 => UNIX_EPOCH - Duration::from_secs(1),
        seconds => UNIX_EPOCH + Duration::from_secs(seconds),
    }
}

#[test]
fn a_clock_that_goes_wrong_makes_no_line_wrong() {
    #[derive(Debug)]
    struct One(Box<dyn Layout>, Mutex<Vec<u8>>);
    impl RecordSink for One {
        fn record(&self, record: &Record<'_>) {
            self.0.write(record, &mut self.1.lock().unwrap());
        }
    }
    let of = Resource::new("s");
    let layouts: [Box<dyn Layout>; 8] = [
        Box::new(JsonFlat::new()),
        Box::new(Ecs::new(&of)),
        Box::new(Ecs::nested(&of)),
        Box::new(Datadog::new(&of)),
        Box::new(GoogleCloud::new(&of)),
        Box::new(NewRelic::new(&of)),
        Box::new(Logfmt::new()),
        Box::new(Console::new()),
    ];
    let sinks = layouts.map(|layout| Arc::new(One(layout, Mutex::default())));
    let layer = RecordLayer::builder().clock(clock);
    let layer = sinks.iter().fold(layer, |layer, sink| layer.sink(Arc::<One>::clone(sink)));
    let handle = layer.build().handle();
    let times = [
        (1_795_456_991, "2026-11-23T18:03:11"),
        (0, "1970-01-01T00:00:00"),
        (1, "1970-01-01T00:00:01"),
        (LAST, "9999-12-31T23:59:59"),
        (LAST + 1, "9999-12-31T23:59:59"),
        (400_000_000_000_000, "9999-12-31T23:59:59"),
        (1_795_456_991, "2026-11-23T18:03:11"),
    ];
    for (seconds, _) in times {
        SECONDS.store(seconds, Ordering::SeqCst);
        handle.record(&Note::new(Level::INFO, "t"), &"m");
    }
    for (at, sink) in sinks.iter().enumerate() {
        let text = String::from_utf8(sink.1.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), times.len());
        for (line, (_, time)) in text.lines().zip(times) {
            if at < 6 {
                let _: Value = serde_json::from_str(line).unwrap();
            }
            // New Relic counts milliseconds.
            assert!(at == 5 || line.contains(time), "{time}: {line}");
        }
    }
}

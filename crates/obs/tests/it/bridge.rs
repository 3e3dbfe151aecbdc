//! Records of the `log` facade.

use std::sync::{Arc, Mutex};

use log::kv::Value as Given;
use log::{Level, Log, Record};
use obs::log::{JsonFlat, Layout};
use obs::record::{
    CUT, LogBridge, Note, REDACTED, RecordHandle, RecordLayer, RecordLayerBuilder, RecordSink,
};
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt;

use crate::support::Lines;

/// What becomes of what `work` logs by the bridge, or by `tracing`.
fn bridged(
    change: impl FnOnce(RecordLayerBuilder) -> RecordLayerBuilder,
    work: impl FnOnce(&LogBridge, &RecordHandle),
) -> Arc<Lines> {
    let lines = Arc::new(Lines::default());
    let layer = change(RecordLayer::builder().sink(Arc::<Lines>::clone(&lines))).build();
    let handle = layer.handle();
    let bridge = LogBridge::new(handle.clone());
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || work(&bridge, &handle));
    lines
}

#[test]
fn a_record_keeps_what_it_brings_and_is_redacted() {
    let lines = bridged(
        |builder| builder,
        |bridge, _| {
            let _span = tracing::info_span!("request", path = "/a").entered();
            let pairs = [
                ("n", Given::from(7_u64)),
                ("i", Given::from(-7_i64)),
                ("f", Given::from(0.5)),
                ("yes", Given::from(true)),
                ("text", Given::from("a\nb")),
                ("api_key", Given::from("hunter2")),
                ("pin", Given::from(1234_u64)),
                ("debug", Given::from_debug(&Some("password=hunter2"))),
            ];
            let pairs: &[(&str, Given<'_>)] = &pairs;
            bridge.log(
                &Record::builder()
                    .level(Level::Warn)
                    .target("sqlx::query")
                    .module_path(Some("sqlx_core::logger"))
                    .file(Some("src/logger.rs"))
                    .line(Some(42))
                    .key_values(&pairs)
                    .args(format_args!(
                        "SELECT * FROM users WHERE password = 'hunter2' AND id = {}",
                        7
                    ))
                    .build(),
            );
        },
    );
    let line = lines.last();
    assert_eq!(line["message"], "SELECT * FROM users WHERE password = [REDACTED] AND id = 7");
    assert_eq!((&line["level"], &line["target"]), (&json!("WARN"), &json!("sqlx::query")));
    assert_eq!((&line["span"], &line["path"]), (&json!("request"), &json!("/a")));
    assert_eq!(line["module_path"], "sqlx_core::logger");
    let shown = ["n", "i", "f", "yes", "text", "api_key", "pin"].map(|name| line[name].clone());
    let expected = [
        json!(7),
        json!(-7),
        json!(0.5),
        json!(true),
        json!("a\nb"),
        json!(REDACTED),
        json!(REDACTED),
    ];
    assert_eq!(shown, expected);
    assert!(!lines.text().contains("hunter2"), "{}", lines.text());
    assert_eq!(line["trace_id"].as_str().unwrap().len(), 32);
}

/// Lines that say where they come from.
#[derive(Debug, Default)]
struct Sourced(Arc<Mutex<Vec<u8>>>);

impl RecordSink for Sourced {
    fn record(&self, record: &obs::record::Record<'_>) {
        JsonFlat::new().with_source().write(record, &mut self.0.lock().unwrap());
    }
}

#[test]
fn targets_and_files_are_bounded_and_what_is_cut_is_redacted() {
    let secret = "hunter2".repeat(40);
    let targets = ["é".repeat(1 << 20), format!("{}password={secret}", "x".repeat(200))];
    let file = "f".repeat(1 << 20);
    let kept = Arc::new(Mutex::new(Vec::new()));
    let of_sink = Arc::clone(&kept);
    bridged(
        |builder| builder.sink(Arc::new(Sourced(of_sink))),
        |bridge, handle| {
            for target in &targets {
                let record =
                    Record::builder().target(target).file(Some(&file)).line(Some(1)).build();
                bridge.log(&record);
                handle.record(&Note::new(tracing::Level::INFO, target).at(&file, 1), &"note");
            }
        },
    );
    let text = String::from_utf8(kept.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (at, line) in lines.iter().enumerate() {
        let (target, source) = (line["target"].as_str().unwrap(), line["source"].as_str().unwrap());
        assert_eq!((target.len(), source.len()), ([265, 228][at / 2], 1026), "{target}");
        assert!(target.ends_with(CUT) && !target.contains("hunter"), "{target}");
    }
    assert_eq!(lines.len(), 4);
}

#[test]
fn the_filter_is_that_of_events_and_may_change() {
    let filter = "info,noisy=error".parse().unwrap();
    let lines = bridged(
        |builder| builder.filter(filter),
        |bridge, handle| {
            let say = |level, target: &str, text: &str| {
                bridge.log(
                    &Record::builder()
                        .level(level)
                        .target(target)
                        .args(format_args!("{text}"))
                        .build(),
                );
            };
            say(Level::Debug, "app", "not taken");
            say(Level::Warn, "noisy::inner", "not taken");
            say(Level::Info, "app", "one");
            handle.set_filter("debug".parse().unwrap());
            say(Level::Debug, "app", "two");
            tracing::debug!("three");
            handle.set_filter("off".parse().unwrap());
            say(Level::Error, "app", "not taken");
            tracing::error!("not taken");
        },
    );
    let messages: Vec<_> = lines.all().iter().map(|line| line["message"].clone()).collect();
    assert_eq!(messages, ["one", "two", "three"]);
}

/// `tracing` with its feature `log-always` tells `log` each event right after it, without a static file.
#[test]
fn an_event_that_is_told_to_log_too_is_one_record() {
    let lines = bridged(
        |builder| builder,
        |bridge, _| {
            tracing::info!("an event");
            let line = line!() - 1;
            let again = |line| {
                let mut record = Record::builder();
                record.target(module_path!()).file(Some(file!())).line(Some(line));
                record.level(Level::Info);
                record
            };
            bridge.log(&again(line).args(format_args!("an event")).build());
            // Another place, and a macro of `log` in the same line.
            bridge.log(&again(line + 1).args(format_args!("another")).build());
            bridge
                .log(&again(line).file_static(Some(file!())).args(format_args!("by log")).build());
            bridge.log(
                &Record::builder().target("tracing::span").args(format_args!("s; a=1")).build(),
            );
        },
    );
    let messages: Vec<_> = lines.all().iter().map(|line| line["message"].clone()).collect();
    assert_eq!(messages, ["an event", "another", "by log"]);
}

#[derive(Debug, Default)]
struct Logs(Mutex<u32>);

impl RecordSink for Logs {
    fn record(&self, _: &obs::record::Record<'_>) {
        // Held as a sink holds what it writes to.
        *self.0.lock().unwrap() += 1;
        let guard = self.0.lock().unwrap();
        tracing::info!("from a sink");
        log::info!("from a sink");
        drop(guard);
    }
}

#[test]
fn what_a_sink_logs_does_not_come_back_to_it() {
    let sink = Arc::new(Logs::default());
    let layer = RecordLayer::builder().sink(Arc::<Logs>::clone(&sink)).build();
    LogBridge::new(layer.handle()).install().unwrap();
    assert_eq!(
        LogBridge::new(layer.handle()).install().unwrap_err().to_string(),
        "another logger of the `log` facade is installed already"
    );
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        log::info!("by log");
        tracing::info!("by tracing");
    });
    assert_eq!(*sink.0.lock().unwrap(), 2);
}

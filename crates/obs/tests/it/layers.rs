//! Layers beside each other, sinks that fail, and contexts that begin within spans.

use std::sync::Arc;

use obs::record::{Note, Record, RecordLayer, RecordSink, RedactedKeys};
use request_context::{Context, Id};
use serde_json::json;
use tracing_core::Level;
use tracing_subscriber::layer::SubscriberExt;

use crate::support::{Lines, logged, logged_by};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn request(id: &str) -> Context {
    Context::new()
        .with_request_id(Id::new(id).unwrap())
        .with_correlation_id(Id::new("c-1").unwrap())
        .with_trace(format!("00-{TRACE}-00f067aa0ba902b7-01").parse().unwrap())
}

#[test]
fn two_layers_of_one_registry_each_redact_for_themselves() {
    let (ours, theirs) = (Arc::new(Lines::default()), Arc::new(Lines::default()));
    for is_first in [true, false] {
        let none = RedactedKeys::insecure_none();
        let layer = RecordLayer::builder().sink(Arc::<Lines>::clone(&ours)).build();
        let open = RecordLayer::builder().redacted_keys(none);
        let open = open.sink(Arc::<Lines>::clone(&theirs)).build();
        let handles = [layer.handle(), open.handle()];
        let log = || {
            let span = tracing::info_span!("s", password = "hunter2", late = tracing::field::Empty);
            let _span = span.enter();
            span.record("late", "token=hunter2");
            let _inner = tracing::info_span!("inner").entered();
            tracing::info!("event");
            handles.iter().for_each(|handle| handle.record(&Note::new(Level::INFO, "t"), &"note"));
        };
        let registry = tracing_subscriber::registry();
        if is_first {
            tracing::subscriber::with_default(registry.with(layer).with(open), log);
        } else {
            tracing::subscriber::with_default(registry.with(open).with(layer), log);
        }
    }
    assert!(!ours.text().contains("hunter2"), "{}", ours.text());
    for (ours, theirs) in ours.all().iter().zip(theirs.all()) {
        for name in ["trace_id", "span_id", "message", "span"] {
            assert_eq!(ours[name], theirs[name], "{name}");
        }
    }
    let events: Vec<_> =
        theirs.all().into_iter().filter(|line| line["message"] == "event").collect();
    assert_eq!(events.len(), 2);
    for event in events {
        assert_eq!(
            (&event["password"], &event["late"]),
            (&json!("hunter2"), &json!("token=hunter2"))
        );
    }
}

#[derive(Debug)]
struct Panics;

impl RecordSink for Panics {
    fn record(&self, _: &Record<'_>) {
        panic!("a sink that panics");
    }

    fn flush(&self, _: std::time::Duration) -> bool {
        panic!("a sink that panics");
    }
}

#[test]
fn a_sink_that_panics_takes_nothing_from_others_nor_from_who_logs() {
    let lines = Arc::new(Lines::default());
    let layer =
        RecordLayer::builder().sink(Arc::new(Panics)).sink(Arc::<Lines>::clone(&lines)).build();
    let handle = layer.handle();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        tracing::info!("one");
        tracing::info!("two");
    });
    let is_flushed = handle.flush(std::time::Duration::from_secs(1));
    std::panic::set_hook(hook);
    assert_eq!(lines.all().len(), 2);
    assert!(!is_flushed);
}

#[test]
fn a_request_within_the_span_of_a_worker_keeps_its_ids() {
    let lines = logged(|| {
        let worker = tracing::info_span!("worker").entered();
        tracing::info!("idle");
        for id in ["r-1", "r-2"] {
            request(id).sync_scope(|| {
                tracing::info!("taken");
                let job = tracing::info_span!("job").entered();
                tracing::info!("done");
                let _inner = tracing::info_span!("inner").entered();
                tracing::info!("within");
                drop(job);
            });
        }
        drop(worker);
    });
    let all = lines.all();
    assert!(all[0].get("request_id").is_none() && all[0]["trace_id"] != TRACE);
    for (lines, id) in [(&all[1..4], "r-1"), (&all[4..7], "r-2")] {
        for line in lines {
            assert_eq!((&line["request_id"], &line["correlation_id"]), (&json!(id), &json!("c-1")));
        }
        // What is logged in the span of the worker has the ids of that; the job is of the request's trace.
        assert_eq!(lines[0]["span_id"], all[0]["span_id"]);
        assert_eq!((&lines[1]["trace_id"], &lines[2]["trace_id"]), (&json!(TRACE), &json!(TRACE)));
    }
}

#[test]
fn a_span_whose_parent_is_named_keeps_the_ids_of_that() {
    let lines = logged_by(
        |builder| builder,
        || {
            let of_request = request("r-1").sync_scope(|| tracing::info_span!("request"));
            let other = Context::new().with_request_id(Id::new("batch").unwrap());
            other.sync_scope(|| {
                let _child = tracing::info_span!(parent: &of_request, "child").entered();
                tracing::info!("of the request");
            });
        },
    );
    assert_eq!(
        (&lines.last()["request_id"], &lines.last()["trace_id"]),
        (&json!("r-1"), &json!(TRACE))
    );
}

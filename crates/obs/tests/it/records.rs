//! What an event becomes.

use std::fmt;

use obs::record::{CUT, Limits};
use request_context::{Context, Id};
use serde_json::json;
use tracing_subscriber::layer::SubscriberExt;

use crate::support::{logged, logged_by};

#[test]
fn an_event_in_two_spans_is_one_flat_object() {
    let lines = logged(|| {
        let request = tracing::info_span!("http_request", method = "GET", path = "/a", size = 7);
        let _request = request.enter();
        let authz = tracing::info_span!("authz", user_id = 42_u64, size = 8);
        let _authz = authz.enter();
        tracing::info!(status = 200, hit = true, ratio = 0.5, nan = f64::NAN, "request {}", "done");
    });
    let line = lines.last();
    let expected = json!({"level": "INFO", "target": "it::records", "message": "request done",
        "span": "authz", "method": "GET", "path": "/a", "size": 8, "user_id": 42,
        "status": 200, "hit": true, "ratio": 0.5, "nan": "NaN"});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&line[key], value, "{key} of {line}");
    }
    assert_eq!(line["trace_id"].as_str().unwrap().len(), 32);
    assert_eq!(line["span_id"].as_str().unwrap().len(), 16);
    let text = lines.text();
    assert_eq!(text.matches("\"size\"").count(), 1, "{text}");
}

#[test]
fn names_that_stand_twice_and_names_of_the_layout_stand_once() {
    let lines = logged(|| {
        let span = tracing::info_span!("s", a = 1, level = "mine");
        let _span = span.enter();
        span.record("a", 2);
        tracing::info!(a = 3, a = 4, timestamp = "mine", "m");
        tracing::info!("m");
    });
    let (all, text) = (lines.all(), lines.text());
    assert_eq!((&all[0]["a"], &all[1]["a"]), (&json!(4), &json!(2)), "{text}");
    assert_eq!(all[0]["field.timestamp"], "mine");
    assert_eq!((&all[0]["level"], &all[0]["field.level"]), (&json!("INFO"), &json!("mine")));
    assert_eq!(text.matches("\"a\":").count(), 2, "{text}");
}

#[test]
fn fields_that_are_called_message_are_lost_nowhere() {
    let lines = logged(|| {
        let span = tracing::info_span!("s", "order {}", 7);
        let _span = span.enter();
        tracing::info!("m");
        tracing::info!(message = "a field", "the text");
        tracing::info!(message = "alone");
        span.record("message", "another order");
        tracing::info!("m");
    });
    let shown = lines.all();
    let shown =
        shown.iter().map(|line| [&line["message"], &line["field.message"]].map(|v| v.as_str()));
    let expected =
        [["m", "order 7"], ["the text", "a field"], ["alone", "order 7"], ["m", "another order"]];
    assert_eq!(shown.collect::<Vec<_>>(), expected.map(|line| line.map(Some)), "{}", lines.text());
}

#[test]
fn what_is_recorded_late_is_there_from_then_on() {
    let lines = logged(|| {
        let span = tracing::info_span!("s", user = tracing::field::Empty, n = 1);
        let inner = span.in_scope(|| tracing::info_span!("inner"));
        inner.in_scope(|| tracing::info!("before"));
        span.record("user", "alice");
        inner.in_scope(|| tracing::info!("after"));
        for n in 0..10_000 {
            span.record("n", n);
        }
        inner.in_scope(|| tracing::info!("long after"));
    });
    let all = lines.all();
    assert!(all[0].get("user").is_none());
    assert_eq!((&all[1]["user"], &all[1]["n"]), (&json!("alice"), &json!(1)));
    assert_eq!((&all[2]["user"], &all[2]["n"]), (&json!("alice"), &json!(9_999)));
}

#[test]
fn a_span_has_nothing_of_those_that_ended_before_it() {
    let lines = logged(|| {
        {
            let outer = tracing::info_span!("outer", tenant = "acme").entered();
            let inner = tracing::info_span!("inner", user = tracing::field::Empty, role = "admin");
            inner.record("user", "alice");
            inner.in_scope(|| tracing::info!("first"));
            drop(outer);
        }
        for n in 0..3 {
            let span = tracing::info_span!("next", n).entered();
            span.in_scope(|| tracing::info!("then"));
        }
    });
    let all = lines.all();
    let names = |line: &serde_json::Value| -> Vec<String> {
        let own = ["timestamp", "level", "target", "message", "trace_id", "span_id", "span"];
        line.as_object().unwrap().keys().filter(|key| !own.contains(&&***key)).cloned().collect()
    };
    assert_eq!(names(&all[0]), ["role", "tenant", "user"], "{}", lines.text());
    for then in &all[1..] {
        assert_eq!(names(then), ["n"], "{}", lines.text());
        assert_ne!(then["trace_id"], all[0]["trace_id"]);
    }
}

#[test]
fn ids_come_from_the_context_and_children_keep_the_trace() {
    let context = Context::new()
        .with_request_id(Id::new("r-1").unwrap())
        .with_correlation_id(Id::new("c-1").unwrap())
        .with_trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap());
    let lines = logged(|| {
        context.sync_scope(|| {
            tracing::info!("outside");
            let outer = tracing::info_span!("outer").entered();
            tracing::info!("outer");
            let _inner = tracing::info_span!("inner").entered();
            tracing::info!("inner");
            drop(outer);
        });
        tracing::info!("nowhere");
    });
    let all = lines.all();
    for line in &all[..3] {
        assert_eq!(line["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736", "{line}");
        assert_eq!((&line["request_id"], &line["correlation_id"]), (&json!("r-1"), &json!("c-1")));
    }
    assert_eq!(all[0]["span_id"], "00f067aa0ba902b7");
    let spans: Vec<_> = all[..3].iter().map(|line| line["span_id"].as_str().unwrap()).collect();
    assert!(spans[0] != spans[1] && spans[1] != spans[2], "{spans:?}");
    assert!(all[3].get("trace_id").is_none());
}

struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("so far ")?;
        panic!("in the middle")
    }
}

struct Logs(u32);

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tracing::info!(depth = self.0, again = ?Logs(self.0 + 1), "from within");
        f.write_str("itself")
    }
}

struct Endless;

impl fmt::Debug for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        loop {
            f.write_str("and on ")?;
        }
    }
}

struct Opens;

impl fmt::Debug for Opens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _span = tracing::info_span!("opened", again = ?Opens).entered();
        f.write_str("opened")
    }
}

#[test]
fn a_value_that_opens_a_span_of_itself_comes_to_an_end() {
    let lines = logged(|| tracing::info!(value = ?Opens, "opens"));
    assert_eq!(lines.last()["value"], "opened");
}

#[test]
fn values_that_panic_log_or_do_not_end_harm_nobody() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let lines = logged(|| {
        tracing::info!(value = ?Panics, after = 1, "panics");
        tracing::info!(value = ?Logs(0), "logs");
        tracing::info!(value = ?Endless, after = 2, "does not end");
    });
    std::panic::set_hook(hook);
    let all = lines.all();
    let named = |message: &str| all.iter().find(|line| line["message"] == message).unwrap();
    assert_eq!(
        (&named("panics")["value"], &named("panics")["after"]),
        (&json!("so far [PANICKED]"), &json!(1))
    );
    assert_eq!(named("logs")["value"], "itself");
    assert!(all.iter().filter(|line| line["message"] == "from within").count() <= 4);
    let endless = named("does not end")["value"].as_str().unwrap().len();
    assert!(endless < 5_000, "{endless}");
    assert_eq!(named("does not end")["after"], 2);
}

#[test]
fn a_record_is_bounded_and_says_so() {
    let limits = Limits::default();
    let lines = logged(|| {
        let huge = "ä".repeat(1 << 20);
        tracing::info!(a = huge, b = huge, c = huge, d = huge, e = 1, "{huge}");
    });
    let line = lines.last();
    assert!(line["a"].as_str().unwrap().ends_with(CUT));
    assert!(lines.text().len() < limits.total_bytes + 1_000, "{}", lines.text().len());
    assert_eq!(line["e"], 1);
    assert!(!lines.text().contains('\u{fffd}'));
    let mut few = limits;
    few.fields = 2;
    let lines =
        logged_by(|builder| builder.limits(few), || tracing::info!(a = 1, b = 2, c = 3, "m"));
    assert!(lines.last().get("c").is_none());
    assert_eq!(lines.last()["fields_left_out"], 1);
}

#[test]
fn control_characters_stay_in_their_line() {
    let lines = logged(|| {
        tracing::info!("key \u{1b}[31m\n\r\t\"\\" = 1, text = "a\nb\u{0}\u{1b}[2J\"\\", "m\nn")
    });
    assert_eq!(lines.text().lines().count(), 1);
    assert!(!lines.text().contains('\u{1b}'));
    let line = lines.last();
    assert_eq!(
        (&line["text"], &line["message"]),
        (&json!("a\nb\u{0}\u{1b}[2J\"\\"), &json!("m\nn"))
    );
    assert_eq!(line["key \u{1b}[31m\n\r\t\"\\"], 1);
}

#[derive(Debug)]
struct Chain(u32);

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "level {}", self.0)
    }
}

impl std::error::Error for Chain {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        static NEXT: [Chain; 3] = [Chain(1), Chain(2), Chain(2)];
        NEXT.get(self.0 as usize).map(|next| next as _)
    }
}

#[test]
fn errors_tell_their_sources_and_those_that_go_in_circles_end() {
    let error: &(dyn std::error::Error + 'static) = &Chain(0);
    let lines = logged(|| tracing::error!(error, "failed"));
    let text = lines.last()["error"].as_str().unwrap().to_owned();
    assert!(text.starts_with("level 0: level 1: level 2: level 2"), "{text}");
    assert_eq!(text.matches(": ").count(), Limits::default().error_sources);
}

/// Keeps the memory of its line, as an output does.
#[derive(Debug, Default)]
struct Line(std::sync::Mutex<Vec<u8>>, obs::log::JsonFlat);

impl obs::record::RecordSink for Line {
    fn record(&self, record: &obs::record::Record<'_>) {
        let mut line = self.0.lock().unwrap();
        line.clear();
        obs::log::Layout::write(&self.1, record, &mut line);
    }
}

#[test]
fn a_record_takes_no_memory_of_its_own_and_a_span_what_the_registry_asks_for() {
    let sink = std::sync::Arc::new(Line::default());
    let layer = obs::record::RecordLayer::builder().sink(sink).build();
    let event = || tracing::info!(status = 200, hit = true, key = "abc", "request completed");
    let outer = || tracing::info_span!("http_request", method = "GET", path = "/a").entered();
    let inner = || tracing::info_span!("authz", user = 12_345, tenant = "acme").entered();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let both = || {
            let _outer = outer();
            let _inner = inner();
            event();
        };
        (0..100).for_each(|_| both());
        let (_, spans) = crate::PROBE.count(|| (0..100).for_each(|_| both()));
        // The span itself and its place among the extensions of the registry.
        assert!(spans.allocations <= 4 * 100, "{spans:?}");
        let _outer = outer();
        let _inner = inner();
        let (_, events) = crate::PROBE.count(|| (0..100).for_each(|_| event()));
        assert_eq!(events.allocations, 0, "{events:?}");
    });
}

#[test]
fn the_filter_changes_while_other_threads_log() {
    if !crate::child::is_alone("records::the_filter_changes_while_other_threads_log") {
        return;
    }
    let lines = std::sync::Arc::new(crate::support::Lines::default());
    let sink = std::sync::Arc::<crate::support::Lines>::clone(&lines);
    let layer = obs::record::RecordLayer::builder().sink(sink).build();
    let handle = layer.handle();
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
    let say = |text: &str| {
        tracing::dispatcher::with_default(&dispatch, || tracing::debug!("{text}"));
    };
    say("not taken");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..100).for_each(|_| say("perhaps")));
        }
        for filter in ["debug", "off", "info,it=trace", "debug"] {
            handle.set_filter(filter.parse().unwrap());
            assert_eq!(
                handle.filter().to_string(),
                filter.parse::<obs::record::Filter>().unwrap().to_string()
            );
        }
    });
    // As whoever keeps the outputs does each second: a place that was asked for the first time while the
    // filter changed may have the older answer. This thread has no subscriber of its own.
    assert!(!handle.end_expired(std::time::Instant::now()));
    say("taken");
    handle.set_filter("it::records=off,debug".parse().unwrap());
    say("not taken");
    let last: Vec<_> =
        lines.all().into_iter().filter(|line| line["message"] != "perhaps").collect();
    assert_eq!(last.len(), 1, "{last:?}");
    assert_eq!(last[0]["message"], "taken");
}

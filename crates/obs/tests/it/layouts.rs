//! Records as lines.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use obs::log::{Console, Datadog, Ecs, GoogleCloud, JsonFlat, Layout, Logfmt, NewRelic};
use obs::record::{Note, Record, RecordHandle, RecordLayer, RecordSink, Resource, Value};
use proptest::prelude::*;
use request_context::{Context, Id};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::json;
use tracing_core::Level;
use tracing_subscriber::layer::SubscriberExt;

#[derive(Debug)]
struct Lines<L>(L, Mutex<Vec<u8>>);

impl<L: Layout> RecordSink for Lines<L> {
    fn record(&self, record: &Record<'_>) {
        self.0.write(record, &mut self.1.lock().unwrap());
    }
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::new(1_795_456_991, 123_456_789)
}

/// What a layout makes of what is logged in `work`.
fn written<L: Layout>(layout: L, work: impl FnOnce(&RecordHandle)) -> String {
    let lines = Arc::new(Lines(layout, Mutex::default()));
    let sink = Arc::<Lines<L>>::clone(&lines);
    let layer = RecordLayer::builder().clock(now).sink(sink).build();
    let handle = layer.handle();
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || context().sync_scope(|| work(&handle)));
    let bytes = lines.1.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn context() -> Context {
    Context::new()
        .with_request_id(Id::new("r-1").unwrap())
        .with_trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap())
}

fn resource() -> Resource {
    Resource::new("orders")
        .with_version("1.4.2")
        .with_environment("production")
        .with("region", "a\"b")
}

/// An error as every layout has to show it: with fields that are called like their own.
fn fail(handle: &RecordHandle) {
    let fields = [
        ("http.route", Value::Text("/orders")),
        ("status", Value::U64(200)),
        ("error", Value::Text("refused:\n  by \u{1b}[31mpeer")),
        ("level", Value::Text("mine")),
        ("password", Value::Text("hunter2")),
        ("ratio", Value::F64(0.5)),
    ];
    let note = Note::new(Level::ERROR, "app::orders").at("src/orders.rs", 42).with_fields(&fields);
    handle.record(&note, &"order \"7\" failed\nfor good");
}

fn parsed(line: &str) -> serde_json::Value {
    assert!(line.ends_with("}\n") && line.matches('\n').count() == 1, "{line}");
    let _unique: Unique =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    serde_json::from_str(line).unwrap()
}

#[test]
fn json_has_its_own_names_and_the_services() {
    let layout = JsonFlat::new().with_resource(&resource()).with_span_list().with_source();
    let expected = json!({"timestamp": "2026-11-23T18:03:11.123456Z", "level": "ERROR",
        "target": "app::orders", "message": "order \"7\" failed\nfor good",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7",
        "request_id": "r-1", "spans": [], "source": "src/orders.rs:42", "service.name": "orders",
        "service.version": "1.4.2", "deployment.environment.name": "production", "region": "a\"b",
        "http.route": "/orders", "status": 200, "error": "refused:\n  by \u{1b}[31mpeer",
        "field.level": "mine", "password": "[REDACTED]", "ratio": 0.5});
    assert_eq!(parsed(&written(layout, fail)), expected);
}

#[test]
fn no_two_names_become_one() {
    let log = |handle: &RecordHandle| {
        let names = ["level", "field.level", "field.field.level", "field", "field.x", "x"];
        let fields = names.map(|name| (name, Value::Text(name)));
        handle.record(&Note::new(Level::INFO, "t").with_fields(&fields), &"m");
    };
    for line in [written(JsonFlat::new(), log), written(Datadog::new(&resource()), log)] {
        let line = parsed(&line);
        for name in [
            "field",
            "x",
            "field.level",
            "field.field.level",
            "field.field.field.level",
            "field.field.x",
        ] {
            let short = name.strip_prefix("field.").unwrap_or(name);
            assert_eq!(line[name].as_str(), Some(short), "{line}");
        }
    }
}

#[test]
fn json_lists_spans_from_the_outermost() {
    let line = written(JsonFlat::new().with_span_list(), |_| {
        let _outer = tracing::info_span!("outer").entered();
        let _inner = tracing::info_span!("inner").entered();
        tracing::info!("m");
    });
    assert_eq!(parsed(&line)["spans"], json!(["outer", "inner"]));
}

#[test]
fn spans_without_end_make_no_line_without_end() {
    fn go(depth: u32) {
        let _span = tracing::info_span!("again", depth).entered();
        match depth {
            0 => tracing::info!("m"),
            _ => go(depth - 1),
        }
    }
    let line = parsed(&written(JsonFlat::new().with_span_list(), |_| go(500)));
    let spans = line["spans"].as_array().unwrap();
    assert_eq!((spans.len(), &spans[0], &spans[1]), (33, &json!("…"), &json!("again")));
    assert_eq!(line["depth"], 0);
    let text = written(Console::new(), |_| go(500));
    assert_eq!(text.matches("again").count(), 32, "{text}");
}

#[test]
fn fields_of_spans_without_end_are_those_of_the_nearest_and_of_the_request() {
    let line = written(JsonFlat::new(), |_| {
        let mut spans = vec![tracing::info_span!("request", path = "/orders")];
        for number in 0..40 {
            let parent = spans.last().unwrap();
            spans.push(match number {
                0 => tracing::info_span!(parent: parent, "far", far = number),
                39 => tracing::info_span!(parent: parent, "near", near = number),
                _ => tracing::info_span!(parent: parent, "between"),
            });
        }
        spans.last().unwrap().in_scope(|| tracing::info!("m"));
    });
    let line = parsed(&line);
    assert_eq!((&line["path"], &line["near"]), (&json!("/orders"), &json!(39)));
    assert!(line.get("far").is_none(), "{line}");
}

#[test]
fn a_note_does_not_show_what_nothing_has_looked_at() {
    let fields = [("password", Value::Text("hunter2"))];
    let note = Note::new(Level::INFO, "t").at("a.rs", 1).with_fields(&fields);
    assert!(!format!("{note:?}").contains("hunter2") && format!("{note:?}").contains("a.rs"));
}

#[test]
fn ecs_begins_as_its_specification_asks() {
    let line = written(Ecs::new(&resource()), fail);
    let expected = json!({"@timestamp": "2026-11-23T18:03:11.123456Z", "log.level": "ERROR",
        "message": "order \"7\" failed\nfor good", "ecs.version": "8.11.0", "log.logger": "app::orders",
        "log.origin.file.name": "src/orders.rs", "log.origin.file.line": 42,
        "trace.id": "4bf92f3577b34da6a3ce929d0e0e4736", "span.id": "00f067aa0ba902b7",
        "http.request.id": "r-1", "service.name": "orders", "service.version": "1.4.2",
        "service.environment": "production", "region": "a\"b", "http.route": "/orders", "status": 200,
        "error.message": "refused:\n  by \u{1b}[31mpeer", "level": "mine", "password": "[REDACTED]",
        "ratio": 0.5});
    assert_eq!(parsed(&line), expected);
    let places = ["@timestamp", "log.level", "message", "ecs.version"]
        .map(|name| line.find(&format!("\"{name}\"")).unwrap());
    assert!(places.is_sorted(), "{line}");
}

#[test]
fn ecs_takes_names_apart_where_that_is_asked_for() {
    let line = written(Ecs::nested(&resource()), fail);
    let expected = json!({"@timestamp": "2026-11-23T18:03:11.123456Z",
        "message": "order \"7\" failed\nfor good", "ecs": {"version": "8.11.0"},
        "log": {"level": "ERROR", "logger": "app::orders",
            "origin": {"file": {"name": "src/orders.rs", "line": 42}}},
        "trace": {"id": "4bf92f3577b34da6a3ce929d0e0e4736"}, "span": {"id": "00f067aa0ba902b7"},
        "http": {"request": {"id": "r-1"}, "route": "/orders"}, "region": "a\"b",
        "service": {"name": "orders", "version": "1.4.2", "environment": "production"},
        "status": 200, "error": {"message": "refused:\n  by \u{1b}[31mpeer"}, "level": "mine",
        "password": "[REDACTED]", "ratio": 0.5});
    assert_eq!(parsed(&line), expected);
}

#[test]
fn ecs_keeps_names_of_objects_for_objects() {
    let log = |handle: &RecordHandle| {
        let fields = [
            ("user", Value::Text("alice")),
            ("user.id", Value::U64(7)),
            ("a", Value::U64(1)),
            ("a.b", Value::U64(2)),
            ("a.b.c", Value::U64(3)),
            ("error", Value::Text("one")),
            ("error.message", Value::Text("two")),
        ];
        handle.record(&Note::new(Level::INFO, "t").with_fields(&fields), &"m");
    };
    let flat = parsed(&written(Ecs::new(&resource()), log));
    let nested = parsed(&written(Ecs::nested(&resource()), log));
    assert_eq!((&flat["field.user"], &flat["user.id"]), (&json!("alice"), &json!(7)));
    assert_eq!((&nested["field"]["user"], &nested["user"]), (&json!("alice"), &json!({"id": 7})));
    assert_eq!((&flat["field.error"], &flat["error.message"]), (&json!("one"), &json!("two")));
    assert_eq!((&nested["a"], &nested["a.b"], &nested["a.b.c"]), (&json!(1), &json!(2), &json!(3)));
}

/// An error by OpenTelemetry's names, with its type in `named`, too.
fn exception(handle: &RecordHandle, named: &str) {
    let fields = [
        ("exception.type", Value::Text("panic")),
        ("exception.message", Value::Text("refused")),
        ("exception.stacktrace", Value::Text("0: main\n1: start")),
        (named, Value::Text("mine")),
    ];
    handle.record(&Note::new(Level::ERROR, "t").with_fields(&fields), &"m");
}

#[test]
fn errors_have_the_names_that_each_vendor_looks_for() {
    type Write<'a> = &'a dyn Fn(&str) -> String;
    let of = resource();
    let all: [(&str, Write<'_>, [&str; 3]); 4] = [
        (
            "datadog",
            &|named| written(Datadog::new(&of), |handle| exception(handle, named)),
            ["error.kind", "error.message", "error.stack"],
        ),
        (
            "ecs",
            &|named| written(Ecs::new(&of), |handle| exception(handle, named)),
            ["error.type", "error.message", "error.stack_trace"],
        ),
        (
            "new relic",
            &|named| written(NewRelic::new(&of), |handle| exception(handle, named)),
            ["error.class", "error.message", "error.stack"],
        ),
        (
            "google cloud",
            &|named| written(GoogleCloud::new(&of), |handle| exception(handle, named)),
            ["exception.type", "exception.message", "exception.stacktrace"],
        ),
    ];
    for (vendor, write, [kind, message, stack]) in all {
        let line = parsed(&write("x"));
        let parts = [&line[kind], &line[message], &line[stack]];
        assert_eq!(parts, ["panic", "refused", "0: main\n1: start"], "{vendor}: {line}");
        let is_left = line.get("exception.type").is_some();
        assert_eq!(is_left, kind == "exception.type", "{vendor}: {line}");
        // A field that is called so already stays what it is.
        if kind != "exception.type" {
            let line = parsed(&write(kind));
            assert_eq!((&line[kind], &line["exception.type"]), (&json!("mine"), &json!("panic")));
        }
    }
    let nested = parsed(&written(Ecs::nested(&of), |handle| exception(handle, "error")));
    let error = json!({"type": "panic", "message": "refused", "stack_trace": "0: main\n1: start"});
    assert_eq!((&nested["error"], &nested["field"]["error"]), (&error, &json!("mine")));
}

/// What a span gets later lies behind a lock, while it is visited, too.
#[test]
fn errors_of_spans_and_what_a_service_says_keep_their_names() {
    let of = resource().with("error.message", "the service's");
    let log = |handle: &RecordHandle| {
        let span = tracing::info_span!("s", exception.type = tracing::field::Empty);
        let _span = span.enter();
        span.record("exception.type", "late");
        tracing::info!(exception.message = "mine", "m");
        exception(handle, "error");
    };
    for text in [
        written(Datadog::new(&of), log),
        written(Ecs::new(&of), log),
        written(NewRelic::new(&of), log),
    ] {
        let lines: Vec<_> = text.split_inclusive('\n').map(parsed).collect();
        assert_eq!(
            (&lines[0]["exception.type"], &lines[0]["exception.message"]),
            (&json!("late"), &json!("mine"))
        );
        for line in &lines {
            assert_eq!(line["error.message"], "the service's", "{line}");
        }
    }
}

#[test]
fn numbers_that_no_index_takes_do_not_cost_elastic_the_line() {
    let log = |handle: &RecordHandle| {
        let fields = [
            ("none", Value::F64(f64::NAN)),
            ("endless", Value::F64(f64::NEG_INFINITY)),
            ("large", Value::U64(u64::MAX)),
            ("larger", Value::U128(u128::MAX)),
            ("low", Value::I128(i128::MIN)),
            ("most", Value::U64(i64::MAX as u64)),
            ("least", Value::I128(i64::MIN.into())),
            ("ratio", Value::F64(0.5)),
        ];
        handle.record(&Note::new(Level::INFO, "t").with_fields(&fields), &"m");
    };
    let flat = parsed(&written(Ecs::new(&resource()), log));
    let nested = parsed(&written(Ecs::nested(&resource()), log));
    for (name, text) in [
        ("none", "NaN".to_owned()),
        ("endless", "-inf".to_owned()),
        ("large", u64::MAX.to_string()),
        ("larger", u128::MAX.to_string()),
        ("low", i128::MIN.to_string()),
    ] {
        assert_eq!((&flat[format!("field.{name}")], flat.get(name)), (&json!(text), None));
        assert_eq!((&nested["field"][name], nested.get(name)), (&json!(text), None));
    }
    for line in [&flat, &nested] {
        assert_eq!((&line["most"], &line["least"]), (&json!(i64::MAX), &json!(i64::MIN)));
        assert_eq!(line["ratio"], 0.5);
    }
}

#[test]
fn numbers_beyond_64_bits_keep_their_digits() {
    let log = |handle: &RecordHandle| {
        let fields = [
            ("high", Value::U128(u128::from(u64::MAX) + 1)),
            ("most", Value::U128(u64::MAX.into())),
            ("low", Value::I128(i128::from(i64::MIN) - 1)),
            ("least", Value::I128(i64::MIN.into())),
        ];
        handle.record(&Note::new(Level::INFO, "t").with_fields(&fields), &"m");
    };
    let lines = [
        written(JsonFlat::new(), log),
        written(Datadog::new(&resource()), log),
        written(GoogleCloud::new(&resource()), log),
        written(NewRelic::new(&resource()), log),
    ];
    for line in lines.iter().map(|line| parsed(line)) {
        assert_eq!(
            (&line["high"], &line["most"]),
            (&json!("18446744073709551616"), &json!(u64::MAX))
        );
        assert_eq!(
            (&line["low"], &line["least"]),
            (&json!("-9223372036854775809"), &json!(i64::MIN))
        );
    }
}

#[test]
fn datadog_has_its_reserved_attributes_to_itself() {
    let expected = json!({"timestamp": "2026-11-23T18:03:11.123456Z", "status": "error",
        "logger.name": "app::orders", "message": "order \"7\" failed\nfor good",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7",
        "request_id": "r-1", "service": "orders", "version": "1.4.2", "env": "production",
        "region": "a\"b", "http.route": "/orders", "field.status": 200,
        "error": "refused:\n  by \u{1b}[31mpeer", "field.level": "mine", "password": "[REDACTED]",
        "ratio": 0.5});
    assert_eq!(parsed(&written(Datadog::new(&resource()), fail)), expected);
    let decimal = parsed(&written(Datadog::new(&resource()).with_decimal_ids(), fail));
    // 0xa3ce929d0e0e4736 and 0x00f067aa0ba902b7.
    assert_eq!(decimal["dd.trace_id"], "11803532876627986230");
    assert_eq!(decimal["dd.span_id"], "67667974448284343");
    assert!(decimal.get("trace_id").is_none() && decimal.get("span_id").is_none());
}

#[test]
fn google_has_its_special_fields_and_errors_are_reported() {
    let layout = GoogleCloud::new(&resource()).with_project("p-1");
    let line = parsed(&written(layout, fail));
    let expected = json!({"severity": "ERROR", "time": "2026-11-23T18:03:11.123456Z",
        "message": "order \"7\" failed\nfor good", "target": "app::orders",
        "logging.googleapis.com/trace": "projects/p-1/traces/4bf92f3577b34da6a3ce929d0e0e4736",
        "logging.googleapis.com/trace_sampled": true,
        "logging.googleapis.com/spanId": "00f067aa0ba902b7",
        "logging.googleapis.com/sourceLocation": {"file": "src/orders.rs", "line": "42"},
        "request_id": "r-1", "serviceContext": {"service": "orders", "version": "1.4.2"},
        "@type": "type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent",
        "context": {"reportLocation": {"filePath": "src/orders.rs", "lineNumber": 42,
            "functionName": "app::orders"}},
        "deployment.environment.name": "production", "region": "a\"b", "http.route": "/orders",
        "status": 200, "error": "refused:\n  by \u{1b}[31mpeer", "level": "mine",
        "password": "[REDACTED]", "ratio": 0.5});
    assert_eq!(line, expected);
    let severities = [Level::WARN, Level::INFO].map(|level| {
        let log = |handle: &RecordHandle| handle.record(&Note::new(level, "t"), &"m");
        let line = parsed(&written(GoogleCloud::new(&resource()), log));
        assert!(line.get("@type").is_none() && line.get("context").is_none());
        assert_eq!(line["logging.googleapis.com/trace"], "4bf92f3577b34da6a3ce929d0e0e4736");
        line["severity"].clone()
    });
    assert_eq!(severities, ["WARNING", "INFO"]);
}

#[test]
fn new_relic_counts_milliseconds() {
    let layout =
        NewRelic::new(&resource().with(Resource::HOST_NAME, "h-1")).with_entity_guid("g-1");
    let expected = json!({"timestamp": 1_795_456_991_123_u64, "level": "ERROR",
        "logger.name": "app::orders", "message": "order \"7\" failed\nfor good",
        "trace.id": "4bf92f3577b34da6a3ce929d0e0e4736", "span.id": "00f067aa0ba902b7",
        "request_id": "r-1", "service.name": "orders", "service.version": "1.4.2",
        "deployment.environment.name": "production", "region": "a\"b", "hostname": "h-1",
        "entity.name": "orders", "entity.guid": "g-1", "http.route": "/orders", "status": 200,
        "error": "refused:\n  by \u{1b}[31mpeer", "field.level": "mine", "password": "[REDACTED]",
        "ratio": 0.5});
    assert_eq!(parsed(&written(layout, fail)), expected);
}

#[test]
fn logfmt_is_one_line_of_pairs() {
    let expected = concat!(
        "ts=2026-11-23T18:03:11.123456Z level=error target=app::orders ",
        r#"msg="order \"7\" failed\nfor good" trace_id=4bf92f3577b34da6a3ce929d0e0e4736 "#,
        r#"span_id=00f067aa0ba902b7 request_id=r-1 service.name=orders service.version=1.4.2 "#,
        r#"deployment.environment.name=production region="a\"b" http.route=/orders status=200 "#,
        r#"error="refused:\n  by \u001b[31mpeer" field.level=mine password=[REDACTED] ratio=0.5"#,
        "\n"
    );
    assert_eq!(written(Logfmt::new().with_resource(&resource()), fail), expected);
}

#[test]
fn a_console_shows_several_lines_behind_a_bar() {
    let expected = "2026-11-23T18:03:11.123456Z ERROR app::orders: order \"7\" failed \
        http.route=/orders status=200 level=mine password=[REDACTED] ratio=0.5\n    | for good\n    \
        | error: refused:\n    |   by \\u{1b}[31mpeer\n";
    assert_eq!(written(Console::new(), fail), expected);
    let coloured = written(Console::new().with_colours(), fail);
    assert!(coloured.contains("\u{1b}[31m ERROR \u{1b}[0m"), "{coloured:?}");
    assert!(!coloured.contains("by \u{1b}"), "{coloured:?}");
    // A file is no terminal.
    let file = std::fs::File::open("Cargo.toml").unwrap();
    assert_eq!(written(Console::new().with_colours_on(&file), fail), expected);
    let ids = written(Console::new().with_ids(), fail);
    assert!(ids.contains(" trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id="), "{ids}");
}

#[test]
fn a_resource_stands_for_nothing_that_a_layout_writes() {
    let hostile =
        Resource::new("s").with("message", "m").with("resource.message", "r").with("trace_id", "t");
    let log = |handle: &RecordHandle| {
        let fields = [("resource.message", Value::U64(1)), ("service.name", Value::U64(2))];
        handle.record(&Note::new(Level::INFO, "t").with_fields(&fields), &"said");
    };
    let line = parsed(&written(JsonFlat::new().with_resource(&hostile), log));
    assert_eq!((&line["message"], &line["service.name"]), (&json!("said"), &json!("s")));
    assert_eq!(line["field.service.name"], 2);
    for line in [
        written(Datadog::new(&hostile), log),
        written(NewRelic::new(&hostile), log),
        written(GoogleCloud::new(&hostile), log),
        written(Ecs::new(&hostile), log),
        written(Ecs::nested(&hostile), log),
    ] {
        parsed(&line);
    }
}

/// JSON in which no name stands twice in one object.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without a name that stands twice")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut names = BTreeSet::new();
        while let Some((name, _)) = map.next_entry::<String, Self>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format!("{name:?} stands twice")));
            }
        }
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }
}

#[derive(Debug, Clone)]
enum Any {
    Text(String),
    Plain(Value<'static>),
}

fn name() -> impl Strategy<Value = String> {
    let own = [
        "level",
        "message",
        "field.level",
        "field.field.level",
        "error",
        "error.message",
        "log",
        "log.level",
        "user",
        "user.id",
        "a",
        "a.b",
        "a.b.c",
        "a..b",
        ".",
        "",
        "status",
        "@timestamp",
        "trace_id",
        "field",
        "ts",
        "msg",
        "a b",
        "a=b",
        "a%20b",
        "service.name",
        "resource.message",
        "1.2.3.4.5.6.7.8.9",
        "1.2.3.4.5.6.7.8",
        "1.2.3.4.5.6.7",
    ];
    prop_oneof![
        prop::sample::select(own.to_vec()).prop_map(str::to_owned),
        "[ab.]{0,5}",
        any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = Any> {
    prop_oneof![
        any::<String>().prop_map(Any::Text),
        "[\\n\\r\\t \"=\\\\\u{1b}\u{202e}\u{85}\u{2028}a]{0,12}".prop_map(Any::Text),
        "\n2026-11-23T18:03:11.123456Z  INFO t: (x|\ny)".prop_map(Any::Text),
        any::<f64>().prop_map(|number| Any::Plain(Value::F64(number))),
        any::<i64>().prop_map(|number| Any::Plain(Value::I64(number))),
        any::<i128>().prop_map(|number| Any::Plain(Value::I128(number))),
        any::<u128>().prop_map(|number| Any::Plain(Value::U128(number))),
        any::<bool>().prop_map(|yes| Any::Plain(Value::Bool(yes))),
    ]
}

/// The pairs of a line of logfmt.
fn pairs(line: &str) -> Vec<(String, String)> {
    let mut rest = line.strip_suffix('\n').unwrap();
    let mut pairs = Vec::new();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').unwrap();
        let is_fit = |c: char| !c.is_whitespace() && !c.is_control() && c != '"';
        assert!(!name.is_empty() && name.chars().all(is_fit), "{name:?} of {line:?}");
        let (value, after) = if after.starts_with('"') {
            let mut texts = serde_json::Deserializer::from_str(after).into_iter::<String>();
            let text = texts.next().unwrap().unwrap();
            (text, &after[texts.byte_offset()..])
        } else {
            let end = after.find(' ').unwrap_or(after.len());
            assert!(after[..end].chars().all(is_fit) && end > 0, "{after:?} of {line:?}");
            (after[..end].to_owned(), &after[end..])
        };
        pairs.push((name.to_owned(), value));
        rest = match after.strip_prefix(' ') {
            Some(rest) => rest,
            None => {
                assert_eq!(after, "", "{line:?}");
                after
            }
        };
    }
    pairs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever names and values there are.
    #[test]
    fn lines_cannot_be_forged(
        fields in prop::collection::vec((name(), value()), 0..12),
        message in any::<String>(),
        target in name(),
    ) {
        let values = fields.iter().map(|(name, value)| (name.as_str(), match value {
            Any::Text(text) => Value::Text(text),
            Any::Plain(value) => *value,
        }));
        let values: Vec<_> = values.collect();
        let log = |handle: &RecordHandle| {
            handle.record(&Note::new(Level::INFO, &target).with_fields(&values), &message);
        };
        let resource = resource();
        let json = [
            written(JsonFlat::new().with_resource(&resource), log),
            written(Ecs::new(&resource), log),
            written(Ecs::nested(&resource), log),
            written(Datadog::new(&resource), log),
            written(GoogleCloud::new(&resource), log),
            written(NewRelic::new(&resource), log),
        ];
        let names: BTreeSet<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        for line in &json {
            let object = parsed(line);
            prop_assert!(!line.trim_end_matches('\n').chars().any(|c| c.is_control() || is_bidi(c)), "{line:?}");
            prop_assert_eq!(object["severity"].as_str().unwrap_or("INFO"), "INFO");
        }
        // Every name is there, whatever it is called.
        let flat = parsed(&json[0]);
        let own = ["timestamp", "level", "target", "message", "trace_id", "span_id", "request_id",
            "service.name", "service.version", "deployment.environment.name", "region"];
        prop_assert_eq!(flat.as_object().unwrap().len(), own.len() + names.len());
        prop_assert_eq!(flat["target"].as_str(), Some(target.as_str()));

        let line = written(Logfmt::new(), log);
        let pairs = pairs(&line);
        let unique: BTreeSet<_> = pairs.iter().map(|(name, _)| name).collect();
        prop_assert_eq!((unique.len(), pairs.len()), (pairs.len(), 7 + names.len()));
        prop_assert_eq!(&pairs[1], &("level".to_owned(), "info".to_owned()));

        let text = written(Console::new(), log);
        let safe = |c: char| matches!(c, '\n' | '\t') || !c.is_control() && !is_bidi(c);
        prop_assert!(text.chars().all(safe), "{text:?}");
        prop_assert!(text.starts_with("2026-11-23T18:03:11.123456Z  INFO "));
        prop_assert!(text.trim_end_matches('\n').split('\n').skip(1).all(|line| line.starts_with("    | ")), "{text:?}");
    }
}

fn is_bidi(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

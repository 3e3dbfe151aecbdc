//! What captures see, and what those who read a failed assertion are told.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::time::Duration;

use obs::metric::{Exposition, MetricRecorder};
use obs::record::{Carried, REDACTED, RecordLayer, RedactedKeys};
use obs::testing::{Canary, Capture, FieldValue, Records, watch_strays};
use request_context::{Context, Id};
use tracing::Level;
use tracing::instrument::WithSubscriber;

use crate::child;

/// What an assertion that fails says.
fn said(work: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(work)).expect_err("it did not fail");
    *panic.downcast::<String>().unwrap()
}

fn messages(records: &Records) -> Vec<&str> {
    records.iter().map(|record| record.message.as_str()).collect()
}

#[test]
fn a_record_is_as_an_output_gets_it() {
    let capture = Capture::new();
    let context = Context::new().with_request_id(Id::new("r-1").unwrap());
    capture.run(|| {
        context.sync_scope(|| {
            let _outer = tracing::info_span!("http_request", path = "/a", token = "x1").entered();
            let inner = tracing::info_span!("job", n = 1, late = tracing::field::Empty).entered();
            inner.record("late", "z");
            inner.record("n", 2);
            tracing::warn!(password = "hunter2", code = 7_u8, rest = -0.5, ok = true, "token=abc");
        });
    });
    let record = capture.records().expect_one();
    assert_eq!((record.level, &*record.target), (Level::WARN, "it::capture"));
    assert_eq!(record.message, format!("token={REDACTED}"));
    assert!(record.source.as_ref().unwrap().0.ends_with("capture.rs"));
    assert_eq!(record.field("password"), Some(&FieldValue::Redacted));
    assert_eq!(record.field("code"), Some(&7.into()));
    assert_eq!(record.field("rest"), Some(&(-0.5).into()));
    assert_eq!(record.field("ok"), Some(&true.into()));
    assert_eq!(record.field("path").unwrap().as_str(), Some("/a"));
    assert_eq!(record.field("none"), None);
    let names: Vec<_> = record.spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["job", "http_request"]);
    let job = record.span("job").unwrap();
    assert_eq!((job.field("n"), job.field("late")), (Some(&2.into()), Some(&"z".into())));
    assert_eq!(job.fields.len(), 2, "each name once");
    assert_eq!(record.ids.request_id.as_ref().unwrap().as_str(), "r-1");
    assert_eq!(record.ids.span_id, job.ids.span_id);
    assert!(record.ids.trace_id.is_some() && record.thread.is_some());
}

#[test]
fn records_are_asked_for_what_they_are() {
    let capture = Capture::new();
    capture.run(|| {
        tracing::trace!(target: "app::store", "read");
        tracing::error!(target: "app::store::disk", n = 1, "read failed");
        let _span = tracing::info_span!("job", n = 2).entered();
        tracing::warn!(target: "application", "slow");
    });
    let all = || capture.records();
    assert_eq!(messages(&all()), ["read", "read failed", "slow"]);
    assert_eq!(messages(&all().of_target("app")), ["read", "read failed"]);
    assert_eq!(messages(&all().at_least(Level::WARN)), ["read failed", "slow"]);
    assert_eq!(messages(&all().at(Level::WARN).in_span("job")), ["slow"]);
    assert_eq!(all().with_field("n", 2_u128).expect_one().message, "slow");
    assert_eq!(all().with_message("read").expect_count(2).len(), 2);
    assert!(all().with_field("n", "1").is_empty() && all().in_span("other").is_empty());
    all().of_target("other").expect_none();
}

#[test]
fn what_fails_says_what_was_there() {
    let capture = Capture::new();
    let empty = said(|| drop(capture.records().expect_one()));
    assert!(
        empty.starts_with("expected one record, found none\nnothing was captured\n"),
        "{empty}"
    );
    assert!(empty.contains("started without `Carried::here()`"), "{empty}");
    capture.run(|| {
        let _span = tracing::info_span!("http_request").entered();
        let _span = tracing::info_span!("job").entered();
        tracing::info!(order = 7, password = "hunter2", "order taken");
        tracing::debug!("other");
    });
    let asked = || capture.records().at_least(Level::INFO);
    let none = said(|| drop(asked().with_field("order", 8).expect_one()));
    let begin = "expected one record at INFO or above with `order`=8, found none\nleft before it was asked \
                 for those with `order`=8, 1 of 2:\n    INFO it::capture: \"order taken\" order=7 \
                 password=[REDACTED] in http_request > job (";
    assert!(none.starts_with(begin), "{none}");
    let some = said(|| asked().expect_none());
    assert!(
        some.starts_with("expected no record at INFO or above, found 1:\n    INFO it::"),
        "{some}"
    );
    let many = said(|| drop(capture.records().expect_count(3)));
    assert!(many.starts_with("expected 3 records, found 2:\n"), "{many}");
    capture.run(|| (0..40).for_each(|n| tracing::info!("number {n}")));
    let many = said(|| capture.records().expect_none());
    assert!(many.ends_with("\n    and 22 more"), "{many}");
}

#[test]
fn rules_of_the_service_are_those_of_its_tests() {
    let layer = RecordLayer::builder().redacted_keys(RedactedKeys::default().and("patient id"));
    let recorder = MetricRecorder::builder().series_limit(1).build();
    let capture = Capture::builder().records(layer).metrics(recorder).build();
    capture.run(|| {
        tracing::info!(patient_id = 7, "m");
        tracing::debug!("below the filter");
        (0..3).for_each(|n| metrics::counter!("c", "n" => n.to_string()).increment(1));
    });
    let record = capture.records().expect_one();
    assert_eq!(record.field("patient_id"), Some(&FieldValue::Redacted));
    assert_eq!(capture.metrics().counter("c", &[("otel_metric_overflow", "true")]), 2);
    assert_eq!(capture.metrics().counter_sum("c"), 3);
}

#[test]
fn captures_that_work_at_the_same_time_do_not_mix() {
    let begin = Barrier::new(8);
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let begin = &begin;
            scope.spawn(move || {
                begin.wait();
                for _ in 0..20 {
                    let capture = Capture::new();
                    capture.run(|| {
                        let _span = tracing::info_span!("work", thread).entered();
                        (0..10).for_each(|n| tracing::info!(n, "at work"));
                        metrics::counter!("capture.parallel").increment(thread);
                        metrics::histogram!("capture.parallel.size").record(1.0);
                    });
                    // Outside: nobody's.
                    tracing::info!("outside");
                    metrics::counter!("capture.parallel").increment(100);
                    capture.records().with_field("thread", thread).expect_count(10);
                    assert_eq!(capture.records().len(), 10);
                    assert_eq!(capture.metrics().counter("capture.parallel", &[]), thread);
                    assert_eq!(capture.metrics().histogram("capture.parallel.size", &[]).count, 1);
                }
            });
        }
    });
}

/// One place that logs, for captures and for whoever has none.
fn place() {
    tracing::info!("a place");
}

/// `tracing-core` would decide by the first thread that gets there.
#[test]
fn a_place_that_a_test_without_a_capture_reaches_first_is_heard_by_others() {
    child::alone(
        "capture::a_place_that_a_test_without_a_capture_reaches_first_is_heard_by_others",
        || {
            let capture = Capture::new();
            std::thread::spawn(place).join().unwrap();
            capture.run(place);
            assert_eq!(messages(&capture.records()), ["a place"]);
        },
    );
}

fn runtime() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_time().build().unwrap()
}

#[test]
fn what_is_carried_is_captured_on_any_thread() {
    let work = |name: &'static str| {
        tracing::info!(name, "carried");
        metrics::counter!("carried", "name" => name).increment(1);
    };
    let captures = [Capture::new(), Capture::new()];
    let one = |capture: &Capture| {
        capture.scope(async move {
            let span = tracing::info_span!("request").entered();
            let carried = || Carried::here();
            let task = tokio::spawn(carried().scope(async move {
                for _ in 0..20 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    work("task");
                }
                // What is carried is carried on.
                tokio::spawn(Carried::here().scope(async move { work("inner") })).await
            }));
            let blocking = tokio::task::spawn_blocking(carried().wrap(move || work("blocking")));
            let thread = std::thread::spawn(carried().wrap(move || work("thread")));
            let lost = tokio::spawn(async move { work("lost") });
            drop(span);
            task.await.unwrap().unwrap();
            blocking.await.unwrap();
            lost.await.unwrap();
            thread.join().unwrap();
            work("after");
        })
    };
    runtime().block_on(async {
        let (first, second) = (one(&captures[0]), one(&captures[1]));
        tokio::join!(first, second);
    });
    for capture in captures {
        let named = |name: &str| capture.records().with_field("name", name);
        named("task").in_span("request").expect_count(20);
        for name in ["inner", "blocking", "thread"] {
            named(name).in_span("request").expect_one();
            assert_eq!(capture.metrics().counter("carried", &[("name", name)]), 1);
        }
        named("lost").expect_none();
        assert!(named("after").expect_one().spans.is_empty());
        assert_eq!(capture.metrics().counter_sum("carried"), 24);
    }
}

/// Says that it went away.
struct Leaves;

impl Drop for Leaves {
    fn drop(&mut self) {
        tracing::warn!("left");
        metrics::counter!("left").increment(1);
    }
}

async fn stays() {
    let _leaves = Leaves;
    std::future::pending::<()>().await;
}

#[test]
fn what_is_cancelled_is_captured_too() {
    let capture = Capture::new();
    runtime().block_on(async {
        let context = Context::new().with_request_id(Id::new("r-1").unwrap());
        let carrying = capture.scope(context.scope(async {
            let span = tracing::info_span!("request").entered();
            let task = tokio::spawn(Carried::here().scope(stays()));
            drop(span);
            tokio::time::sleep(Duration::from_millis(10)).await;
            task.abort();
            task.await.unwrap_err();
        }));
        carrying.await;
        let record = capture.records().in_span("request").expect_one();
        assert_eq!(record.ids.request_id.unwrap().as_str(), "r-1");
        // Outside of it, where nothing is captured.
        let stays = capture.scope(stays());
        tokio::time::timeout(Duration::from_millis(10), stays).await.unwrap_err();
    });
    assert_eq!(messages(&capture.records()), ["left", "left"]);
    assert_eq!(capture.metrics().counter("left", &[]), 2);
}

#[test]
fn nothing_is_asserted_of_records_that_were_not_kept() {
    let capture = Capture::new();
    let secret = Canary::named("left out");
    capture.run(|| {
        tracing::info!("first");
        (1..100_000).for_each(|_| tracing::trace!("kept"));
        capture.expect_no_secret(&secret);
        tracing::error!("{}", secret.text());
    });
    let at = |level| capture.records().at(level);
    assert_eq!((at(Level::ERROR).len(), at(Level::ERROR).left_out()), (0, 1));
    for text in [
        said(|| at(Level::ERROR).expect_none()),
        said(|| drop(at(Level::INFO).expect_one())),
        said(|| drop(at(Level::TRACE).expect_count(99_999))),
    ] {
        assert!(text.contains("1 records more were logged than are kept"), "{text}");
    }
    let text = said(|| capture.expect_no_secret(&secret));
    assert!(text.starts_with("nobody looked for the secret in 1 records"), "{text}");
}

#[test]
fn its_subscriber_may_be_given_on() {
    let capture = Capture::new();
    let logs = |name: &'static str| async move { tracing::info!(name, "m") };
    runtime().block_on(async {
        tokio::spawn(logs("with").with_subscriber(capture.dispatch())).await.unwrap();
        tokio::spawn(logs("without")).await.unwrap();
    });
    assert_eq!(capture.records().expect_one().field("name"), Some(&"with".into()));
    assert_eq!(capture.strays(), None, "nobody watches");
}

#[test]
fn what_is_logged_where_no_capture_is_is_told_if_it_is_watched() {
    child::alone("capture::what_is_logged_where_no_capture_is_is_told_if_it_is_watched", || {
        watch_strays().unwrap();
        watch_strays().unwrap();
        tracing::info!("before");
        let capture = Capture::new();
        capture.run(|| {
            tracing::info!("seen");
            let lost = || tracing::warn!(secret = "hunter2", "lost");
            std::thread::Builder::new().name("stray".into()).spawn(lost).unwrap().join().unwrap();
        });
        let strays = capture.strays().unwrap();
        assert_eq!((strays.len(), &*strays[0].message), (1, "lost"));
        let text = said(|| drop(capture.records().with_message("lost").expect_one()));
        let stray = "\nnot captured, logged by threads that no capture was on, 1:\n    WARN it::capture: \
                     \"lost\" secret=[REDACTED] (";
        assert!(text.contains(stray) && text.ends_with("on thread \"stray\""), "{text}");
        assert!(!text.contains("hunter2"));
    });
}

#[test]
fn a_subscriber_of_others_is_not_watched() {
    child::alone("capture::a_subscriber_of_others_is_not_watched", || {
        tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
        for _ in 0..2 {
            let error = watch_strays().unwrap_err();
            assert!(error.to_string().starts_with("another subscriber is installed"), "{error}");
        }
        assert_eq!(Capture::new().strays(), None);
    });
}

#[test]
fn metrics_are_read_by_name_and_labels_and_stay() {
    let capture = Capture::new();
    capture.run(|| {
        metrics::counter!("jobs.done", "queue.name" => "mail", "a" => "1").increment(2);
        metrics::counter!("jobs.done", "queue.name" => "sms", "a" => "1").increment(3);
        metrics::counter!("logins", "password" => "hunter2").increment(1);
        metrics::gauge!("jobs.waiting").set(-1.5);
        let duration = metrics::histogram!("job.duration");
        [0.004, 0.25, 99.0].into_iter().for_each(|value| duration.record(value));
    });
    let metrics = capture.metrics();
    for _ in 0..2 {
        assert_eq!(metrics.counter("jobs.done", &[("a", "1"), ("queue.name", "mail")]), 2);
        assert_eq!(metrics.counter("jobs.done", &[("queue_name", "sms"), ("a", "1")]), 3);
        assert_eq!(metrics.counter_sum("jobs.done"), 5);
        assert_eq!(metrics.counter_sum("jobs.lost"), 0);
        assert_eq!(metrics.counter("logins", &[("password", REDACTED)]), 1);
        assert!((metrics.gauge("jobs.waiting", &[]) + 1.5).abs() < f64::EPSILON);
        let duration = metrics.histogram("job.duration", &[]);
        assert_eq!((duration.count, duration.sum), (3, 99.254));
        assert_eq!(duration.buckets[1], (5.0, 2), "{duration:?}");
        assert_eq!(duration.buckets.last(), Some(&(f64::INFINITY, 0)));
        assert!((duration.mean().unwrap() - 33.084_666).abs() < 1e-3);
    }
    assert!(metrics.page(Exposition::Text).contains("jobs_waiting -1.5\n"));
}

#[test]
fn a_metric_that_is_missing_is_told_with_what_is_like_it() {
    let capture = Capture::new();
    let metrics = capture.metrics();
    capture.run(|| {
        metrics::counter!("jobs.done", "queue" => "mail").increment(2);
        metrics::gauge!("jobs.waiting").set(1.0);
    });
    let name = said(|| assert_eq!(metrics.counter("jobs.dne", &[]), 0));
    let begin = "expected a counter `jobs.dne{}`, found:\n    jobs.done{queue=\"mail\"} 2\n";
    assert!(name.starts_with(begin) && name.contains("jobs.waiting{} 1.0"), "{name}");
    let label = said(|| assert_eq!(metrics.counter("jobs.done", &[("queue", "sms")]), 0));
    let all =
        "expected a counter `jobs.done{queue=\"sms\"}`, found:\n    jobs.done{queue=\"mail\"} 2";
    assert_eq!(label, all);
    let kind = said(|| assert!(metrics.gauge("jobs.done", &[("queue", "mail")]) > 0.0));
    assert_eq!(kind, "expected a gauge `jobs.done`, found a counter");
    let some = said(|| metrics.expect_none("jobs.done"));
    assert_eq!(some, "expected no metric `jobs.done`, found:\n    jobs.done{queue=\"mail\"} 2");
    metrics.expect_none("jobs.lost");
}

#[test]
fn a_secret_is_found_wherever_it_got_to() {
    let secret = Canary::named("wherever");
    let plant = |work: &dyn Fn(&str)| {
        let capture = Capture::new();
        capture.run(|| work(secret.text()));
        said(|| capture.expect_no_secret(&secret))
    };
    let text = plant(&|secret| tracing::info!(name = secret, "m"));
    let begin = "the secret was found in 1 places:\n    as it is, in the field `name` of a record at INFO (";
    assert!(text.starts_with(begin), "{text}");
    let hex = |secret: &str| secret.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert!(
        plant(&|secret| tracing::info!("{}", hex(secret))).contains("hexadecimal, in the message")
    );
    let span = plant(&|secret| {
        let span = tracing::info_span!("s", late = tracing::field::Empty).entered();
        span.record("late", format!("{:?}", secret.as_bytes()));
        tracing::info!("m");
    });
    assert!(span.contains("a list of numbers, in the field `late` of a record"), "{span}");
    let label = plant(&|secret| metrics::counter!("c", "who" => secret.to_owned()).increment(1));
    assert!(label.contains("as it is, in the metric `c_total`"), "{label}");
    let name = plant(&|secret| metrics::gauge!(format!("g.{secret}")).set(1.0));
    assert!(name.contains("in the metric `…`"), "{name}");
    let help = plant(&|secret| {
        metrics::describe_gauge!("g", secret.to_owned());
        metrics::gauge!("g").set(1.0);
    });
    assert!(help.contains("in the metric `g`"), "{help}");
    let many = plant(&|secret| (0..25).for_each(|_| tracing::info!("{secret}")));
    assert!(
        many.starts_with("the secret was found in 25 places:\n") && many.ends_with("and 5 more")
    );
    for text in [text, span, label, name, help, many] {
        assert_eq!(secret.find(text.as_bytes()), None, "{text}");
    }
    let capture = Capture::new();
    capture.run(|| tracing::info!(password = secret.text(), "token={}", secret.text()));
    capture.expect_no_secret(&secret);
}

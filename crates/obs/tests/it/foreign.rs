//! Layers of others beside ours, and filters that change.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use obs::record::{Filter, Note, RecordHandle, RecordLayer};
use tracing::{Dispatch, Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Filter as LayerFilter, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::{EnvFilter, reload};

use crate::child;
use crate::support::Lines;

fn filter(text: &str) -> Filter {
    text.parse().unwrap()
}

/// A layer of somebody else's: it keeps the names of spans and the fields of events, as they are.
#[derive(Clone, Default)]
struct Theirs(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for Theirs {
    fn on_new_span(
        &self,
        attributes: &tracing::span::Attributes<'_>,
        _: &tracing::span::Id,
        _: Context<'_, S>,
    ) {
        self.0.lock().unwrap().push(attributes.metadata().name().to_owned());
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut seen = String::new();
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            seen += &format!("{}={value:?} ", field.name());
        });
        self.0.lock().unwrap().push(seen.trim_end().to_owned());
    }
}

impl Theirs {
    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Our layer with `ours` as its filter, and one of theirs with `theirs`.
fn beside(
    ours: &str,
    theirs: impl LayerFilter<Registry> + Send + Sync + 'static,
) -> (Dispatch, Arc<Lines>, Theirs, RecordHandle) {
    let (lines, layer) = (Arc::new(Lines::default()), Theirs::default());
    let layers = RecordLayer::builder()
        .filter(filter(ours))
        .sink(Arc::<Lines>::clone(&lines))
        .build()
        .with_unredacted_layer(layer.clone(), theirs);
    let handle = layers.handle();
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layers.into_layers()));
    (dispatch, lines, layer, handle)
}

fn messages(lines: &Lines) -> Vec<String> {
    lines.all().iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

fn log_all() {
    let _span = tracing::info_span!("span").entered();
    tracing::debug!("debug");
    tracing::info!("info");
    tracing::warn!("warn");
}

#[test]
fn a_filter_of_the_log_takes_no_spans_from_traces() {
    let (dispatch, lines, theirs, _) = beside("warn", filter("info"));
    tracing::dispatcher::with_default(&dispatch, log_all);
    assert_eq!(theirs.taken(), ["span", "message=info", "message=warn"]);
    assert_eq!(messages(&lines), ["warn"]);
    assert!(lines.last().get("span").is_none(), "to the log that span is not there");
}

#[test]
fn a_filter_of_theirs_takes_nothing_from_the_log() {
    let silent: [Box<dyn LayerFilter<Registry> + Send + Sync>; 3] = [
        Box::new(filter("off")),
        Box::new(EnvFilter::new("error")),
        Box::new(EnvFilter::new("[span{never=1}]=trace")),
    ];
    for theirs_filter in silent {
        let (dispatch, lines, theirs, _) = beside("debug", theirs_filter);
        tracing::dispatcher::with_default(&dispatch, log_all);
        assert_eq!(messages(&lines), ["debug", "info", "warn"]);
        assert_eq!(lines.last()["span"], "span");
        assert!(theirs.taken().is_empty());
    }
}

#[test]
fn what_is_theirs_is_not_redacted_as_the_name_of_the_call_says() {
    let (dispatch, lines, theirs, _) = beside("info", filter("info"));
    tracing::dispatcher::with_default(&dispatch, || tracing::info!(password = "hunter2", "m"));
    assert!(!lines.text().contains("hunter2"));
    assert_eq!(theirs.taken(), ["message=m password=\"hunter2\""]);
}

#[test]
fn filters_change_while_they_are_used() {
    if !child::is_alone("foreign::filters_change_while_they_are_used") {
        return;
    }
    let (theirs_filter, theirs_handle) = reload::Layer::new(EnvFilter::new("warn"));
    let (dispatch, lines, theirs, handle) = beside("warn", theirs_filter);
    tracing::dispatcher::with_default(&dispatch, || {
        let log = |step: u32| {
            let _span = tracing::info_span!("span").entered();
            tracing::debug!("debug {step}");
            tracing::info!("info {step}");
        };
        log(0);
        handle.set_filter(filter("debug"));
        log(1);
        theirs_handle.reload(EnvFilter::new("info")).unwrap();
        log(2);
        handle.set_filter(filter("off"));
        log(3);
    });
    assert_eq!(messages(&lines), ["debug 1", "info 1", "debug 2", "info 2"]);
    assert_eq!(theirs.taken(), ["span", "message=info 2", "span", "message=info 3"]);
}

#[test]
fn what_is_noted_in_a_span_of_theirs_has_the_ids_of_ours_around_it() {
    let (dispatch, lines, _, handle) = beside("info", filter("trace"));
    tracing::dispatcher::with_default(&dispatch, || {
        let _ours = tracing::info_span!("ours").entered();
        tracing::info!("event");
        let _theirs = tracing::trace_span!("theirs").entered();
        handle.record(&Note::new(Level::WARN, "it"), &"note");
        tracing::info!("event within");
    });
    let all = lines.all();
    for line in &all {
        assert_eq!(line["span"], "ours");
        assert_eq!(
            (&line["trace_id"], &line["span_id"]),
            (&all[0]["trace_id"], &all[0]["span_id"])
        );
    }
    assert_eq!(all.len(), 3);
}

#[test]
fn their_layers_are_found_from_outside() {
    let (dispatch, ..) = beside("info", filter("info"));
    assert!(
        dispatch.downcast_ref::<Theirs>().is_some(),
        "as tracing-opentelemetry looks for its own"
    );
    assert!(dispatch.downcast_ref::<Registry>().is_some());
}

#[test]
fn several_of_theirs_stand_beside_each_other() {
    let (first, second) = (Theirs::default(), Theirs::default());
    let layers = RecordLayer::builder()
        .build()
        .with_unredacted_layer(first.clone(), filter("error"))
        .with_unredacted_layer(second.clone(), filter("trace"));
    let subscriber = tracing_subscriber::registry().with(layers.into_layers());
    tracing::subscriber::with_default(subscriber, log_all);
    assert!(first.taken().is_empty());
    assert_eq!(second.taken().len(), 4);
}

#[test]
fn a_filter_for_a_while_goes_back_to_what_was_set_for_good() {
    if !child::is_alone("foreign::a_filter_for_a_while_goes_back_to_what_was_set_for_good") {
        return;
    }
    let lines = Arc::new(Lines::default());
    let layer = RecordLayer::builder().sink(Arc::<Lines>::clone(&lines)).build();
    let handle = layer.handle();
    let now = Instant::now();
    let minutes = |n: u64| now + Duration::from_secs(60 * n);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let log = |step: u32| tracing::debug!("debug {step}");
        log(0);
        handle.set_filter_until(filter("debug"), minutes(10));
        log(1);
        assert!(!handle.end_expired(minutes(9)));
        log(2);
        // Longer, and more: what comes back is what was set for good.
        handle.set_filter_until(filter("trace"), minutes(20));
        assert!(!handle.end_expired(minutes(19)));
        assert_eq!(handle.filter_expires(), Some(minutes(20)));
        log(3);
        assert!(handle.end_expired(minutes(20)));
        log(4);
        assert_eq!((handle.filter_expires(), handle.filter().to_string()), (None, "info".into()));
        // What is set for good ends what was set for a while.
        handle.set_filter_until(filter("trace"), minutes(30));
        handle.set_filter(filter("debug"));
        assert!(!handle.end_expired(minutes(40)));
        log(5);
    });
    assert_eq!(messages(&lines), ["debug 1", "debug 2", "debug 3", "debug 5"]);
}

#[test]
fn a_filter_set_for_good_may_come_after_one_for_a_while() {
    if !child::is_alone("foreign::a_filter_set_for_good_may_come_after_one_for_a_while") {
        return;
    }
    let lines = Arc::new(Lines::default());
    let layer = RecordLayer::builder().sink(Arc::<Lines>::clone(&lines)).build();
    let handle = layer.handle();
    let later = Instant::now() + Duration::from_secs(600);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let log = |step: u32| {
            tracing::debug!("debug {step}");
            tracing::info!("info {step}");
        };
        // Nothing holds for a while: it holds at once.
        handle.set_lasting_filter(filter("debug"));
        log(0);
        handle.set_filter_until(filter("info"), later);
        handle.set_lasting_filter(filter("trace"));
        handle.set_lasting_filter(filter("off"));
        assert_eq!(
            (handle.filter().to_string(), handle.filter_expires()),
            ("info".into(), Some(later))
        );
        log(1);
        assert!(handle.end_expired(later));
        assert_eq!((handle.filter().to_string(), handle.filter_expires()), ("off".into(), None));
        log(2);
    });
    assert_eq!(messages(&lines), ["debug 0", "info 0", "info 1"]);
}

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Key, Label, Level, Metadata, counter, histogram, with_local_recorder};
use request_context::{Context, TraceContext, TraceFlags};

use super::{STOCK, Subject};
use crate::harness::{Case, Peer, Row};
use crate::names::names;

static METADATA: Metadata<'static> =
    Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

const HISTOGRAM_WITHIN: Duration = Duration::from_nanos(20);

/// Makes a case of what is recorded into.
type Recording = fn(Subject) -> Case;

pub(super) fn rows() -> Vec<Row> {
    let by_handle: [(_, Recording); 3] = [
        ("obs/counter by handle", counted),
        ("obs/gauge by handle", gauged),
        ("obs/histogram by handle", observed),
    ];
    let by_handle = by_handle
        .into_iter()
        .flat_map(|(path, case)| [1, 2].map(|threads| row(path, threads, case)));
    let by_macro = [
        row("obs/counter by macro, a constant label", 1, counted_by_constant),
        row("obs/counter by macro, a label made for it", 1, counted_by_made),
        row("obs/histogram by macro, a constant label", 1, observed_by_constant),
    ];
    by_handle.chain([in_trace(1), in_trace(2)]).chain(by_macro).chain([overflow()]).collect()
}

fn row(path: &'static str, threads: usize, case: Recording) -> Row {
    let peers = vec![Peer::new(STOCK, case(Subject::stock())).counted()];
    let ours = case(Subject::ours());
    Row { path, threads, size: 1, unit: "series", ours, within: None, peers }
}

/// Within a request of a sampled trace, as an exemplar needs it; beside one that is not sampled.
fn in_trace(threads: usize) -> Row {
    let unsampled = sampled().with_flags(TraceFlags::NONE);
    let of = |subject, trace| observed_in(subject, Context::new().with_trace(trace));
    let ours = of(Subject::ours(), sampled()).at_most_allocations(0.0);
    let peers = vec![
        Peer::new("ours, trace not sampled", of(Subject::ours(), unsampled)),
        Peer::new(STOCK, of(Subject::stock(), sampled())),
    ];
    let within = (threads == 1).then_some(HISTOGRAM_WITHIN);
    let path = "obs/histogram by handle, in a sampled trace";
    Row { path, threads, size: 1, unit: "series", ours, within, peers }
}

/// A trace that somebody records.
pub(super) fn sampled() -> TraceContext {
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().expect("a traceparent")
}

/// `operation` again and again, with values that spread over the buckets.
fn again(subject: Subject, operation: impl Fn(f64) + Clone + Send + Sync + 'static) -> Case {
    Case::new(move || {
        subject.look_after();
        let operation = operation.clone();
        let mut state = 1_u64;
        move |operations| {
            for _ in 0..operations {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // From 0 to 16, in steps that a float has.
                operation((state >> 40) as f64 / f64::from(1 << 20));
            }
        }
    })
}

fn counted(subject: Subject) -> Case {
    let counter = subject.recorder.register_counter(&Key::from_static_name("events"), &METADATA);
    again(subject, move |_| counter.increment(1))
}

fn gauged(subject: Subject) -> Case {
    let gauge = subject.recorder.register_gauge(&Key::from_static_name("depth"), &METADATA);
    again(subject, move |value| gauge.set(value))
}

fn observed(subject: Subject) -> Case {
    let key = Key::from_static_name("wait_seconds");
    let histogram = subject.recorder.register_histogram(&key, &METADATA);
    again(subject, move |value| histogram.record(value))
}

fn observed_in(subject: Subject, context: Context) -> Case {
    within(observed(subject), move |work| context.clone().sync_scope(work))
}

/// With the recorder as the thread's.
fn recording(subject: Subject, operation: impl Fn(f64) + Clone + Send + Sync + 'static) -> Case {
    let recorder = Arc::clone(&subject.recorder);
    within(again(subject, operation), move |work| with_local_recorder(&*recorder, work))
}

/// A case whose operations run in something, all together.
fn within(case: Case, around: impl Fn(&mut dyn FnMut()) + Clone + Send + Sync + 'static) -> Case {
    case.map(move |mut work| {
        let around = around.clone();
        move |operations| around(&mut || work(operations))
    })
}

fn counted_by_constant(subject: Subject) -> Case {
    recording(subject, |_| counter!("events", "outcome" => "done").increment(1))
}

fn counted_by_made(subject: Subject) -> Case {
    recording(subject, |_| {
        counter!("events", "outcome" => black_box("done").to_owned()).increment(1)
    })
}

fn observed_by_constant(subject: Subject) -> Case {
    recording(subject, |value| histogram!("wait_seconds", "outcome" => "done").record(value))
}

/// A label of so many values that most of them have no series any more, beside one that has few.
fn overflow() -> Row {
    const MANY: usize = 20_000;
    let ours = labelled(Subject::ours(), MANY);
    let peers = vec![
        Peer::new("ours, 1,000 values", labelled(Subject::ours(), 1_000)),
        Peer::new("the stock exporter, without limit", labelled(Subject::stock(), MANY)).counted(),
    ];
    let path = "obs/counter by key, beyond the limit of 2,000 series";
    Row { path, threads: 1, size: MANY, unit: "values", ours, within: None, peers }
}

/// Counts by each of these values in turn.
fn labelled(subject: Subject, values: usize) -> Case {
    let key = |value: String| Key::from_parts("events", vec![Label::new("user", value)]);
    let keys: Arc<[Key]> = names(values).into_iter().map(key).collect();
    Case::new(move || {
        let (subject, keys) = (subject.clone(), Arc::clone(&keys));
        let mut next = 0;
        move |operations| {
            for _ in 0..operations {
                let counter = subject.recorder.register_counter(&keys[next], &METADATA);
                counter.increment(1);
                next = (next + 1) % keys.len();
            }
        }
    })
}

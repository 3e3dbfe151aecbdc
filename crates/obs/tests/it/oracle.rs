//! The same operations on our recorder and on the exporter of others show the same.

use std::collections::BTreeMap;

use metrics::{Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::PrometheusBuilder;
use obs::metric::{Exposition, MetricRecorder};
use obs::record::RedactedKeys;
use proptest::prelude::*;

const BOUNDS: &[f64] = &[-1.0, 0.0, 0.25, 1.0, 1000.0];

#[derive(Debug, Clone)]
enum Operation {
    Increment(u64),
    Absolute(u64),
    Set(f64),
    Add(f64),
    Subtract(f64),
    Record(f64),
    RecordMany(f64, usize),
}

#[derive(Debug, Clone)]
struct Step {
    name: String,
    labels: Vec<(String, String)>,
    operation: Operation,
}

fn apply(recorder: &dyn Recorder, step: &Step) {
    let labels: Vec<Label> =
        step.labels.iter().map(|(name, value)| Label::new(name.clone(), value.clone())).collect();
    let metadata = Metadata::new("test", Level::INFO, None);
    // Kinds have names of their own.
    let key = |kind: &str| Key::from_parts(format!("{kind}.{}", step.name), labels.clone());
    let counter = || recorder.register_counter(&key("counter"), &metadata);
    let gauge = || recorder.register_gauge(&key("gauge"), &metadata);
    let histogram = || recorder.register_histogram(&key("histogram"), &metadata);
    match step.operation {
        Operation::Increment(by) => counter().increment(by),
        Operation::Absolute(to) => counter().absolute(to),
        Operation::Set(to) => gauge().set(to),
        Operation::Add(by) => gauge().increment(by),
        Operation::Subtract(by) => gauge().decrement(by),
        Operation::Record(value) => histogram().record(value),
        Operation::RecordMany(value, count) => histogram().record_many(value, count),
    }
}

/// Samples by name and labels, in order; bounds as numbers, since one writes `1` and the other `1.0`.
fn samples(text: &str) -> BTreeMap<(String, Vec<String>), f64> {
    let mut samples = BTreeMap::new();
    for line in text.split('\n').filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        if name.starts_with("obs_metric_") {
            continue;
        }
        let mut labels = pairs(labels.strip_suffix('}').unwrap());
        labels.sort();
        let known = samples.insert((name.to_owned(), labels), value.parse().unwrap());
        assert_eq!(known, None, "{series} stands twice");
    }
    samples
}

/// Takes `a="x",b="y"` apart; a quote within a value stands behind a backslash.
fn pairs(labels: &str) -> Vec<String> {
    let (mut pairs, mut pair, mut quoted, mut escaped) = (vec![], String::new(), false, false);
    for character in labels.chars() {
        if character == ',' && !quoted {
            pairs.push(std::mem::take(&mut pair));
            continue;
        }
        quoted ^= character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        pair.push(character);
    }
    pairs.extend((!pair.is_empty()).then_some(pair));
    let bound = |pair: String| match pair.strip_prefix("le=\"").and_then(|it| it.strip_suffix('"'))
    {
        Some(bound) => format!("le={}", bound.parse::<f64>().unwrap()),
        None => pair,
    };
    pairs.into_iter().map(bound).collect()
}

/// Whatever a label may hold. Two backslashes in a row, and one before a quote, are left out: the
/// exporter takes them for escaped already, and shows two values as one.
fn label_value() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("\"".to_owned()),
        Just("\n".to_owned()),
        Just("\\-".to_owned()),
        Just("{},= #".to_owned()),
        Just("\r\t\0\u{1b}[31m\u{202e}".to_owned()),
        "[a-z0-9/äß語🦀]{0,4}",
    ];
    proptest::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Powers of two: sums of them do not depend on the order in which they are added.
    let number = (-40..40_i32).prop_map(|number| f64::from(number) / 4.0);
    let operation = prop_oneof![
        (0..1000_u64).prop_map(Operation::Increment),
        (0..1000_u64).prop_map(Operation::Absolute),
        number.clone().prop_map(Operation::Set),
        number.clone().prop_map(Operation::Add),
        number.clone().prop_map(Operation::Subtract),
        number.clone().prop_map(Operation::Record),
        (number, 0..5_usize).prop_map(|(value, count)| Operation::RecordMany(value, count)),
    ];
    let labels = proptest::collection::btree_map("[a-c]([.-][a-c])?", label_value(), 0..3);
    let step = ("[a-c]([.][a-c])?", labels, operation).prop_map(|(name, labels, operation)| Step {
        name,
        // Names that become one are joined by us, and shown twice by the exporter.
        labels: labels.into_iter().filter(|(name, _)| !name.contains('-')).collect(),
        operation,
    });
    proptest::collection::vec(step, 1..40)
}

#[cfg(feature = "stock-prometheus")]
#[test]
fn both_backends_call_what_a_catalog_declares_alike() {
    use metric_table::Metric;
    use obs::catalog::Catalog;
    use obs::metric::{MetricBackend, StockPrometheus};

    const TABLE: &[Metric] = &[
        Metric::counter("jobs.done", "{job}", "jobs that were done"),
        Metric::gauge("heap.usage", "By", "memory in use"),
        Metric::histogram("job.duration", "s", "how long").with_buckets(&[1.0, 2.0]),
    ];
    let name = "oracle::both_backends_call_what_a_catalog_declares_alike";
    crate::child::alone(name, || {
        let catalog = Catalog::new().with(TABLE).unwrap();
        let ours = MetricRecorder::builder().catalog(catalog.clone()).build();
        let theirs = StockPrometheus::new(&catalog);
        let work = || {
            metrics::counter!("jobs.done").increment(1);
            metrics::gauge!("heap.usage").set(2);
            metrics::histogram!("job.duration").record(1.5);
        };
        metrics::with_local_recorder(&ours, work);
        theirs.install().unwrap();
        work();
        let page = |backend: &dyn MetricBackend| {
            let mut text = Vec::new();
            backend.render(Exposition::Text, &mut text).unwrap();
            String::from_utf8(text).unwrap()
        };
        let (ours, theirs) = (page(&ours), page(&theirs));
        assert_eq!(samples(&ours), samples(&theirs), "\n{ours}\n{theirs}");
        assert!(theirs.contains("# HELP job_duration_seconds how long\n"), "{theirs}");
    });
}

proptest! {
    #[test]
    fn ours_and_theirs_show_the_same(steps in steps()) {
        let ours = MetricRecorder::builder().redacted_keys(RedactedKeys::insecure_none());
        let ours = ["a", "b", "c"].iter().fold(ours, |builder, first| {
            let names = ["", ".a", ".b", ".c"].map(|rest| format!("histogram.{first}{rest}"));
            names.iter().fold(builder, |builder, name| builder.buckets(name, BOUNDS))
        });
        let ours = ours.build();
        let theirs = PrometheusBuilder::new()
            .with_recommended_naming(true)
            .set_buckets(BOUNDS)
            .unwrap()
            .build_recorder();
        for step in &steps {
            apply(&ours, step);
            apply(&theirs, step);
        }
        let mut text = Vec::new();
        ours.render(Exposition::Text, &mut text).unwrap();
        let (ours, theirs) = (String::from_utf8(text).unwrap(), theirs.handle().render());
        prop_assert_eq!(samples(&ours), samples(&theirs), "\n{}\n{}", ours, theirs);
    }
}

//! The table of metrics in the documentation is that of the code.

use std::fmt::Write as _;

use metric_table::{Metric, MetricKind};
use metrics::with_local_recorder;
use obs::catalog::Catalog;
use obs::metric::{Exposition, MetricRecorder};
use obs::process::METRICS;

use crate::metrics::text;

const DOCUMENTED: &str = include_str!("../../../src/process/METRICS.md");

/// What it is called in an exposition.
fn exposed(metric: &'static Metric) -> String {
    let catalog = Catalog::new().with(std::slice::from_ref(metric)).unwrap();
    let recorder = MetricRecorder::builder().catalog(catalog).build();
    with_local_recorder(&recorder, || match metric.kind {
        MetricKind::Counter => metrics::counter!(metric.name).increment(1),
        _ => metrics::gauge!(metric.name).set(1),
    });
    let page = text(&recorder, Exposition::Text);
    let mut names = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let name = names.find(|name| !name.starts_with("obs_")).unwrap();
    name.split(' ').next().unwrap().to_owned()
}

#[test]
fn the_documented_metrics_are_those_that_there_are() {
    let mut table = "\n| metric | labels | what |\n|---|---|---|\n".to_owned();
    for metric in METRICS {
        let labels: Vec<String> =
            metric.labels.iter().map(|label| format!("`{}`", label.replace('.', "_"))).collect();
        let (name, labels) = (exposed(metric), labels.join(", "));
        writeln!(table, "| `{name}` | {labels} | {} |", metric.help).unwrap();
    }
    assert_eq!(DOCUMENTED, table, "METRICS.md is to be this:\n{table}");
}

#[test]
fn the_table_agrees_with_those_of_the_rest() {
    let catalog = Catalog::new().with(METRICS).unwrap();
    let catalog =
        catalog.with(obs::metric::METRICS).unwrap().with(obs::metric::kit::METRICS).unwrap();
    assert!(catalog.with(obs::log::METRICS).unwrap().len() > METRICS.len());
}

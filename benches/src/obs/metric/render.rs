use std::hint::black_box;
use std::sync::Arc;

use metrics::{Recorder, counter, histogram, with_local_recorder};
use obs::metric::{Exposition, MetricRecorder};
use request_context::Context;

use super::record::sampled;
use super::{STOCK, Subject, own};
use crate::harness::{Case, Peer, Row};

/// Metrics, series of each, and values of each series.
const COUNTERS: (usize, usize) = (100, 1_000);
const HISTOGRAMS: (usize, usize) = (10, 1_000);
const VALUES: u32 = 20;

pub(super) fn rows() -> Vec<Row> {
    let counters = rows_of("obs/render counters", COUNTERS, fill_counters, 20.0);
    let histograms =
        rows_of("obs/render histograms of 14 buckets", HISTOGRAMS, fill_histograms, 5.0);
    [counters, histograms].into()
}

fn rows_of(
    path: &'static str,
    (metrics, series): (usize, usize),
    fill: fn(&dyn Recorder, (usize, usize)),
    times: f64,
) -> Row {
    let recorder = own();
    // So that each bucket of ours has its exemplar.
    Context::new().with_trace(sampled()).sync_scope(|| fill(&recorder, (metrics, series)));
    let stock = Subject::stock();
    fill(&*stock.recorder, (metrics, series));
    stock.look_after();
    let handle = stock.handle.expect("the exporter has one");
    let stock = Case::new(move || {
        let handle = handle.clone();
        move |operations| {
            for _ in 0..operations {
                black_box(handle.render());
            }
        }
    });
    let open_metrics = rendered(&recorder, Exposition::OpenMetrics);
    let peers = vec![
        Peer::new(STOCK, stock).at_most(1.0 / times).counted(),
        Peer::new("ours as OpenMetrics, with exemplars", open_metrics).counted(),
    ];
    let ours = rendered(&recorder, Exposition::Text);
    Row { path, threads: 1, size: metrics * series, unit: "series", ours, within: None, peers }
}

fn rendered(recorder: &MetricRecorder, format: Exposition) -> Case {
    let recorder = Arc::new(recorder.clone());
    Case::new(move || {
        let recorder = Arc::clone(&recorder);
        move |operations| {
            for _ in 0..operations {
                let mut page = Vec::new();
                recorder.render(format, &mut page).expect("memory takes it");
                black_box(page);
            }
        }
    })
}

fn fill_counters(recorder: &dyn Recorder, (metrics, series): (usize, usize)) {
    with_local_recorder(recorder, || {
        for metric in 0..metrics {
            for number in 0..series {
                let path = format!("/path/{number}");
                let counter =
                    counter!(format!("family_{metric}"), "path" => path, "method" => "GET");
                counter.increment(number as u64);
            }
        }
    });
}

fn fill_histograms(recorder: &dyn Recorder, (metrics, series): (usize, usize)) {
    with_local_recorder(recorder, || {
        for metric in 0..metrics {
            for number in 0..series {
                let name = format!("family_{metric}_seconds");
                let path = format!("/path/{number}");
                let histogram = histogram!(name, "path" => path, "method" => "GET");
                (0..VALUES).for_each(|value| histogram.record(f64::from(value) * 0.3));
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::{Exposition, Subject, fill_counters, fill_histograms, own};

    fn series(text: &str) -> usize {
        text.lines().filter(|line| line.starts_with("family")).count()
    }

    #[test]
    fn both_show_as_many_series() {
        for (fill, lines) in [(fill_counters as fn(&_, _), 6), (fill_histograms, 6 * 17)] {
            let (ours, theirs) = (own(), Subject::stock());
            fill(&ours, (2, 3));
            fill(&*theirs.recorder, (2, 3));
            let mut page = Vec::new();
            ours.render(Exposition::Text, &mut page).unwrap();
            assert_eq!(series(&String::from_utf8(page).unwrap()), lines);
            assert_eq!(series(&theirs.handle.unwrap().render()), lines);
        }
    }
}

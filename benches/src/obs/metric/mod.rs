//! Metrics: recorded, and rendered.

mod record;
mod render;

use std::sync::Arc;

use metrics::Recorder;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use obs::metric::MetricRecorder;

use crate::harness::Row;

const STOCK: &str = "metrics-exporter-prometheus 0.18";

/// Bounds of buckets: those that OpenTelemetry's conventions advise for seconds.
const BOUNDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

pub(super) fn rows() -> Vec<Row> {
    record::rows().into_iter().chain(render::rows()).collect()
}

/// What is recorded into.
#[derive(Clone)]
pub(super) struct Subject {
    pub(super) recorder: Arc<dyn Recorder + Send + Sync>,
    /// Of the stock exporter, which keeps each value of a histogram until it is asked or looked after.
    handle: Option<PrometheusHandle>,
}

impl Subject {
    /// Ours, as it comes.
    pub(super) fn ours() -> Self {
        Self::of(&own())
    }

    fn of(recorder: &MetricRecorder) -> Self {
        Self { recorder: Arc::new(recorder.clone()), handle: None }
    }

    /// The one to compare with, with buckets like ours.
    pub(super) fn stock() -> Self {
        let recorder = PrometheusBuilder::new().set_buckets(&BOUNDS).expect("bounds");
        let recorder = recorder.build_recorder();
        let handle = Some(recorder.handle());
        Self { recorder: Arc::new(recorder), handle }
    }

    /// What the exporter's own thread would do now and then.
    pub(super) fn look_after(&self) {
        self.handle.iter().for_each(PrometheusHandle::run_upkeep);
    }
}

fn own() -> MetricRecorder {
    MetricRecorder::builder().build()
}

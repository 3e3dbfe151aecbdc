use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use metric_table::{Metric, MetricKind};
use metrics::Recorder as _;
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use super::builder::{SECONDS, SERIES_LIMIT};
use super::labels::LabelRules;
use super::own::{self, TARGET_INFO};
use super::source::Sources;
use super::{Exposition, InstallError, MetricBackend, MetricSource, render};
use crate::catalog::Catalog;
use crate::record::Resource;

/// The exporter `metrics-exporter-prometheus` as a backend, for who knows it and needs nothing that
/// it lacks: exemplars, OpenMetrics, a limit to series, redaction of labels.
///
/// ```
/// use obs::catalog::Catalog;
/// use obs::metric::{Exposition, MetricBackend, StockPrometheus};
///
/// let backend = StockPrometheus::new(&Catalog::new());
/// backend.install()?;
/// metrics::counter!("queue.jobs").increment(1);
/// let mut page = Vec::new();
/// backend.render(Exposition::Text, &mut page)?;
/// assert!(String::from_utf8(page)?.contains("queue_jobs_total 1\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct StockPrometheus {
    /// Until it is installed.
    recorder: Mutex<Option<PrometheusRecorder>>,
    handle: PrometheusHandle,
    catalog: Catalog,
    asked: Vec<Arc<dyn MetricSource>>,
    sources: Sources,
    labels: LabelRules,
}

impl StockPrometheus {
    /// With the descriptions, units and buckets that the catalog declares, the buckets of OpenTelemetry's HTTP conventions for
    /// other histograms, and names with `_total` and with units, as far as the facade `metrics` has a word for them.
    #[must_use]
    pub fn new(catalog: &Catalog) -> Self {
        let builder = PrometheusBuilder::new().with_recommended_naming(true);
        let builder = with_buckets(builder, None, SECONDS);
        let builder = catalog.iter().fold(builder, |builder, metric| {
            with_buckets(builder, Some(metric.name), metric.buckets)
        });
        let recorder = builder.build_recorder();
        catalog.iter().for_each(|metric| describe(&recorder, metric));
        Self {
            handle: recorder.handle(),
            recorder: Mutex::new(Some(recorder)),
            catalog: catalog.clone(),
            asked: Vec::new(),
            sources: Sources::default(),
            labels: LabelRules::default(),
        }
    }

    /// What is measured, in `target_info` as [`MetricRecorderBuilder::resource`](super::MetricRecorderBuilder::resource)
    /// has it.
    #[must_use]
    pub fn with_resource(self, resource: &Resource) -> Self {
        let recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(recorder) = &*recorder {
            describe(recorder, &TARGET_INFO);
            // The recorder keeps it.
            drop(own::target(recorder, resource));
        }
        drop(recorder);
        self
    }

    /// The same, which asks all of these sources whenever it is shown what there is: for
    /// [`metric_backend`](crate::setup::ObservabilityBuilder::metric_backend).
    #[must_use]
    pub fn with_sources(catalog: &Catalog, sources: Vec<Arc<dyn MetricSource>>) -> Self {
        let mut backend = Self::new(catalog);
        backend.sources = Sources::new(sources.clone(), &mut backend.catalog.clone());
        backend.asked = sources;
        backend
    }

    /// Asks there, too, whenever it is shown what there is. What sources say is written behind what the exporter
    /// writes, with the limits that [`MetricRecorder`](super::MetricRecorder) has; that nothing is recorded under one of their names
    /// is not checked.
    #[must_use]
    pub fn with_source(mut self, source: impl MetricSource) -> Self {
        self.asked.push(Arc::new(source));
        self.sources = Sources::new(self.asked.clone(), &mut self.catalog.clone());
        self
    }
}

fn describe(recorder: &PrometheusRecorder, metric: &Metric) {
    let (name, unit, help) = (metric.name.into(), Some(metric.facade_unit()), metric.help.into());
    match metric.kind {
        MetricKind::Counter => recorder.describe_counter(name, unit, help),
        MetricKind::Histogram => recorder.describe_histogram(name, unit, help),
        _ => recorder.describe_gauge(name, unit, help),
    }
}

fn with_buckets(
    builder: PrometheusBuilder,
    name: Option<&str>,
    bounds: &[f64],
) -> PrometheusBuilder {
    if bounds.is_empty() {
        return builder;
    }
    let changed = match name {
        Some(name) => builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), bounds),
        None => builder.set_buckets(bounds),
    };
    // It refuses an empty list only.
    changed.unwrap_or_else(|_| PrometheusBuilder::new().with_recommended_naming(true))
}

impl MetricBackend for StockPrometheus {
    fn install(&self) -> Result<(), InstallError> {
        let recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner).take();
        let recorder = recorder.ok_or_else(InstallError::new)?;
        metrics::set_global_recorder(recorder).map_err(|_| InstallError::new())
    }

    fn has(&self, format: Exposition) -> bool {
        format == Exposition::Text
    }

    fn render(&self, _: Exposition, mut out: &mut dyn Write) -> io::Result<()> {
        self.handle.render_to_write(&mut out)?;
        let said = self.sources.ask(Instant::now, &self.labels, SERIES_LIMIT);
        let sourced = self.sources.families(&said, SERIES_LIMIT);
        render::families(Exposition::Text, &[], |_| None, sourced, out)
    }

    fn upkeep(&self, _: Instant) {
        self.handle.run_upkeep();
    }
}

impl fmt::Debug for StockPrometheus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StockPrometheus").finish_non_exhaustive()
    }
}

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use metric_table::Metric;
use tracing_core::{Level, LevelFilter};
use tracing_subscriber::layer::Filter as LayerFilter;
use tracing_subscriber::{Layer, Registry};

use crate::catalog::{Catalog, CatalogError};
use crate::log::LogVolume;
use crate::metric::{MetricRecorder, MetricRecorderBuilder, MetricSource};
#[cfg(feature = "redact-patterns")]
use crate::record::RedactedShapes;
use crate::record::{
    Filter, Limits, Note, RecordLayer, RecordLayerBuilder, RecordSink, RedactedKeys, Resource,
    SharedFilter, Value,
};
#[cfg(feature = "settings")]
use crate::settings::{Reloading, Told};
use crate::setup::environment::Environment;
use crate::setup::handle::Inner;
use crate::setup::install::{Unredacted, check_free, install, join_others};
use crate::setup::keeper::{Keeper, keep};
use crate::setup::output::{Output, Started};
use crate::setup::probe::{self, Path, SelfTest, SelfTestFailure, TARGET, Tap};
use crate::setup::{Format, Guard, Observability, Profile, SetupError, SetupErrorKind};

/// What is done with panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "settings", derive(serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Panics {
    /// They are logged and counted, instead of what the hook did that was there ([`PanicHook`](crate::log::PanicHook)).
    Log,
    /// The same, with a backtrace.
    LogWithBacktraces,
    /// They are logged and counted; then the hook that was there is called. It sees them as they are: Rust's own
    /// writes them to the standard error without any redaction.
    LogThenPrevious,
    /// The hook is left as it is.
    Leave,
}

/// Sets up logs and metrics of the process.
#[must_use = "nothing is set up before `install`"]
pub struct ObservabilityBuilder {
    pub(crate) profile: Profile,
    pub(crate) format: Option<Format>,
    pub(crate) resource: Resource,
    pub(crate) filter: Filter,
    pub(crate) trace_filter: Filter,
    pub(crate) keys: RedactedKeys,
    #[cfg(feature = "redact-patterns")]
    shapes: Option<RedactedShapes>,
    pub(crate) limits: Limits,
    outputs: Vec<Output>,
    sinks: Vec<Arc<dyn RecordSink>>,
    unredacted: Vec<Unredacted>,
    traces: Vec<Unredacted>,
    catalog: Catalog,
    sources: Vec<Arc<dyn MetricSource>>,
    metrics: Box<dyn FnOnce(MetricRecorderBuilder) -> MetricRecorderBuilder + Send>,
    environment: Environment,
    #[cfg(feature = "settings")]
    pub(crate) settings: Option<Told>,
    self_test: SelfTest,
    panics: Option<Panics>,
    #[cfg(feature = "log-bridge")]
    has_bridge: bool,
    within: Duration,
    now: fn() -> SystemTime,
    clock: fn() -> Instant,
}

impl ObservabilityBuilder {
    pub(super) fn new() -> Self {
        Self {
            profile: Profile::default(),
            format: None,
            resource: Resource::default(),
            filter: Filter::default(),
            trace_filter: Filter::default(),
            keys: RedactedKeys::default(),
            #[cfg(feature = "redact-patterns")]
            shapes: None,
            limits: Limits::default(),
            outputs: Vec::new(),
            sinks: Vec::new(),
            unredacted: Vec::new(),
            traces: Vec::new(),
            catalog: Catalog::new(),
            sources: Vec::new(),
            metrics: Box::new(|builder| builder),
            environment: Environment::default(),
            #[cfg(feature = "settings")]
            settings: None,
            self_test: SelfTest::default(),
            panics: None,
            #[cfg(feature = "log-bridge")]
            has_bridge: false,
            within: Duration::from_secs(5),
            now: SystemTime::now,
            clock: Instant::now,
        }
    }

    /// What sort of place it runs in: instead of [`Profile::Production`].
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// How outputs write that say nothing else: instead of the format of the profile.
    pub const fn format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// What the service says of itself. The environment where it is deployed is the profile's name unless it says.
    pub fn resource(mut self, resource: Resource) -> Self {
        self.resource = resource;
        self
    }

    /// What variables of the environment say: `OTEL_…` and `RUST_LOG`, as the table in the crate's
    /// documentation has them. `std::env::vars_os()` gives them; without this none is looked at.
    pub fn environment(
        mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        self.environment = Environment::of(variables);
        self
    }

    /// Which levels of which targets are logged: instead of everything up to `info`. `RUST_LOG` comes first,
    /// if the environment is given.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Whose values are not shown, in logs and in labels of metrics: instead of the names that
    /// [`RedactedKeys::default`] has.
    pub fn redacted_keys(mut self, keys: RedactedKeys) -> Self {
        self.keys = keys;
        self
    }

    /// What is not shown wherever it stands, whatever its name: instead of nothing.
    #[cfg(feature = "redact-patterns")]
    pub fn redacted_shapes(mut self, shapes: RedactedShapes) -> Self {
        self.shapes = Some(shapes);
        self
    }

    /// How much of a record is taken.
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Logs there, too; if this is not called, to the standard output alone.
    pub fn output(mut self, output: Output) -> Self {
        self.outputs.push(output);
        self
    }

    /// Gives every record there, too.
    pub fn sink(mut self, sink: Arc<dyn RecordSink>) -> Self {
        self.sinks.push(sink);
        self
    }

    /// Gives events and spans that `filter` takes to a layer of others, as they are: nothing of what it sees is redacted
    /// or bounded. What the filter of logs leaves out is not left out for it.
    pub fn with_unredacted_layer(
        mut self,
        layer: impl Layer<Registry> + Send + Sync,
        filter: impl LayerFilter<Registry> + Send + Sync + 'static,
    ) -> Self {
        self.unredacted.push(layer.with_filter(filter).boxed());
        self
    }

    /// The same for a layer that makes traces: it is given what the filter of traces takes, which may change while
    /// the service runs.
    pub fn with_unredacted_traces(mut self, layer: impl Layer<Registry> + Send + Sync) -> Self {
        self.traces.push(layer.boxed());
        self
    }

    /// Which levels of which targets layers are given that make traces: instead of everything up to `info`.
    pub fn trace_filter(mut self, filter: Filter) -> Self {
        self.trace_filter = filter;
        self
    }

    /// The metrics that are declared.
    pub fn catalog(mut self, catalog: Catalog) -> Self {
        self.catalog = catalog;
        self
    }

    /// Changes what the recorder of metrics goes by: limits, buckets, how long unused series are kept.
    pub fn metrics(
        mut self,
        change: impl FnOnce(MetricRecorderBuilder) -> MetricRecorderBuilder + Send + 'static,
    ) -> Self {
        let before = self.metrics;
        self.metrics = Box::new(|builder| change(before(builder)));
        self
    }

    /// Asks there, too, whenever metrics are shown. A table that disagrees with others is an error of
    /// [`install`](Self::install).
    pub fn metric_source(mut self, source: impl MetricSource) -> Self {
        self.sources.push(Arc::new(source));
        self
    }

    /// Asks the kernel for what it knows of this process, its control group, its host and TCP, too
    /// ([`process`](crate::process)). Who wants to choose file systems, ports or disks gives the sources themselves.
    #[cfg(feature = "process")]
    pub fn with_process_metrics(self) -> Self {
        use crate::process::{CgroupMetrics, HostMetrics, ProcessMetrics, TcpMetrics};

        self.metric_source(ProcessMetrics::new())
            .metric_source(CgroupMetrics::new())
            .metric_source(HostMetrics::new())
            .metric_source(TcpMetrics::new())
    }

    /// What is done with a probe at the start: instead of [`SelfTest::Report`].
    pub const fn self_test(mut self, self_test: SelfTest) -> Self {
        self.self_test = self_test;
        self
    }

    /// What is done with panics: instead of what the [profile](Profile::panics) has.
    pub const fn panics(mut self, panics: Panics) -> Self {
        self.panics = Some(panics);
        self
    }

    /// Takes what libraries log by the facade `log`, too.
    #[cfg(feature = "log-bridge")]
    pub const fn with_log_bridge(mut self) -> Self {
        self.has_bridge = true;
        self
    }

    /// How long the guard waits when it is dropped: instead of 5 seconds.
    pub const fn drop_within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// What says what time it is: instead of [`SystemTime::now`].
    pub fn clock(mut self, now: fn() -> SystemTime) -> Self {
        self.now = now;
        self
    }

    /// What says how long a filter still holds: instead of [`Instant::now`]. It is looked at once a second.
    pub fn steady_clock(mut self, clock: fn() -> Instant) -> Self {
        self.clock = clock;
        self
    }

    /// Makes this the subscriber of `tracing` and the recorder of `metrics` of the process. It needs no
    /// runtime, and starts a thread for each output and one more.
    ///
    /// # Errors
    /// [`SetupError`]. Unless its kind is [`SelfTest`](SetupErrorKind::SelfTest), nothing of this is installed then;
    /// what the program had stays.
    pub fn install(mut self) -> Result<Guard, SetupError> {
        let needs_logger = self.needs_logger();
        check_free(needs_logger)?;
        self.leave_environment();
        let sources = std::mem::take(&mut self.sources);
        let catalog = joined(std::mem::take(&mut self.catalog))
            .and_then(|known| sources.iter().map(|it| it.metrics()).try_fold(known, Catalog::with))
            .map_err(|error| SetupError::new(SetupErrorKind::Catalog, "").because(error))?;
        let own = std::mem::take(&mut self.resource);
        let resource = with_environment(self.environment.resource(own), self.profile);
        let resource = resource.redacted(&self.keys);
        let mut outputs = std::mem::take(&mut self.outputs);
        if outputs.is_empty() {
            outputs.push(Output::stdout());
        }
        let format = self.format.unwrap_or(self.profile.format());
        let shows_probes = outputs.first().is_some_and(|first| first.shows_probes(format));
        let tap = Arc::new(Tap::default());
        let started = start(outputs, format, &resource, &tap)?;

        let filter = self.environment.filter.clone().unwrap_or_else(|| self.filter.clone());
        let filter = self.environment.filter(filter);
        let volume = Arc::new(LogVolume::new());
        let layer = self.layer(&started, filter.clone()).sink(Arc::clone(&volume) as _).build();
        let records = layer.handle();
        let recorder = MetricRecorder::builder().redacted_keys(self.keys).clock(self.now);
        let recorder = recorder.catalog(catalog.clone()).steady_clock(self.clock);
        let recorder = recorder.resource(resource.clone()).sources(sources);
        let metrics = (self.metrics)(recorder).build();
        let keeper = Arc::new(Keeper::new(records.clone(), self.clock));
        keep(&keeper, &metrics, &volume)
            .map_err(|error| SetupError::new(SetupErrorKind::Thread, "").because(error))?;
        let trace_filter = SharedFilter::new(self.trace_filter);
        let others = self.unredacted.into_iter();
        let traces = self.traces.into_iter();
        let others =
            others.chain(traces.map(|layer| layer.with_filter(trace_filter.clone()).boxed()));
        if let Err(error) = install(&metrics, layer, others.collect()) {
            keeper.end();
            return Err(error);
        }
        let panics = self.panics.unwrap_or_else(|| self.profile.panics());
        if let Err(error) = join_others(&records, panics, needs_logger) {
            keeper.end();
            return Err(error);
        }
        #[cfg(feature = "settings")]
        let sinks =
            started.iter().map(|output| (output.name.clone(), Arc::clone(&output.sink))).collect();
        let (writers, guards) = started
            .into_iter()
            .map(|output| ((output.name, output.writer), (output.sink, output.guard)))
            .unzip();
        let profile = self.profile;
        let inner = Inner {
            records,
            trace_filter,
            metrics,
            catalog,
            keeper,
            writers,
            resource,
            profile,
            #[cfg(feature = "settings")]
            environment: self.environment.clone(),
            #[cfg(feature = "settings")]
            reloading: Reloading::new(self.settings, sinks),
        };
        let tested = inner.tested(self.self_test, filter, shows_probes.then_some(&*tap));
        inner.warn(&self.environment.warnings, tested);
        let observability = Observability(Arc::new(inner));
        let guard = Guard::new(observability, guards, self.sinks, self.within, tested);
        match (self.self_test, tested) {
            (SelfTest::Require, Err(failure)) => {
                Err(SetupError::new(SetupErrorKind::SelfTest, "").because(failure))
            }
            _ => Ok(guard),
        }
    }

    /// Forgets the environment if the settings say so, whenever it was given.
    fn leave_environment(&mut self) {
        #[cfg(feature = "settings")]
        if self.settings.as_ref().is_some_and(|told| !told.settings.reads_environment()) {
            self.environment = Environment::default();
        }
    }

    const fn needs_logger(&self) -> bool {
        #[cfg(feature = "log-bridge")]
        return self.has_bridge;
        #[cfg(not(feature = "log-bridge"))]
        return false;
    }

    fn layer(&self, started: &[Started], filter: Filter) -> RecordLayerBuilder {
        let layer = RecordLayer::builder()
            .filter(filter)
            .redacted_keys(self.keys.clone())
            .limits(self.environment.limits(self.limits))
            .clock(self.now);
        #[cfg(feature = "redact-patterns")]
        let layer = match &self.shapes {
            Some(shapes) => layer.redacted_shapes(shapes.clone()),
            None => layer,
        };
        let outputs = started.iter().map(|output| Arc::clone(&output.sink) as Arc<dyn RecordSink>);
        let sinks = self.sinks.iter().cloned().chain(outputs);
        sinks.fold(layer, |layer, sink| layer.sink(sink))
    }
}

/// The tables of this crate are known without being told.
fn joined(catalog: Catalog) -> Result<Catalog, CatalogError> {
    let own: [&'static [Metric]; 3] = [crate::log::METRICS, crate::metric::METRICS, probe::METRICS];
    let catalog = own.into_iter().try_fold(catalog, Catalog::with)?;
    #[cfg(feature = "http")]
    let catalog = catalog.with(crate::http::METRICS)?;
    #[cfg(feature = "settings")]
    let catalog = catalog.with(crate::settings::METRICS)?;
    #[cfg(feature = "admin")]
    let catalog = catalog.with(crate::admin::METRICS)?;
    Ok(catalog)
}

/// With a name, as OpenTelemetry's semantic conventions ask for ("Service": `unknown_service`), and with
/// where it is deployed.
fn with_environment(resource: Resource, profile: Profile) -> Resource {
    let or = |resource: Resource, name: &str, value: &str| match resource.get(name) {
        Some(_) => resource,
        None => resource.with(name, value),
    };
    let resource = or(resource, Resource::SERVICE_NAME, "unknown_service");
    or(resource, Resource::ENVIRONMENT, profile.name())
}

fn start(
    outputs: Vec<Output>,
    format: Format,
    resource: &Resource,
    tap: &Arc<Tap>,
) -> Result<Vec<Started>, SetupError> {
    let mut names = HashSet::new();
    for output in &outputs {
        if !names.insert(output.name.clone()) {
            let error = SetupError::new(SetupErrorKind::Output, &output.name);
            return Err(error.because("another output has this name"));
        }
    }
    let mut tap = Some(Arc::clone(tap));
    outputs.into_iter().map(|output| output.start(format, resource, tap.take())).collect()
}

impl Inner {
    fn tested(
        &self,
        self_test: SelfTest,
        filter: Filter,
        tap: Option<&Tap>,
    ) -> Result<(), SelfTestFailure> {
        if self_test == SelfTest::Skip {
            return Ok(());
        }
        let (records, metrics) = (&self.records, &self.metrics);
        let (profile, outputs) = (self.profile.name(), self.writers.len());
        // The probe is let through whatever the filter says.
        records.set_filter(filter.clone().with_target(TARGET, LevelFilter::INFO));
        let tested = probe::send(&Path { records, metrics, tap, profile, outputs });
        records.set_filter(filter);
        tested
    }

    /// Says loudly what was not as it should be: a log that does not work cannot be the only place.
    fn warn(&self, warnings: &[String], tested: Result<(), SelfTestFailure>) {
        for warning in warnings {
            self.records.record(&Note::new(Level::WARN, TARGET), warning);
        }
        if let Err(failure) = tested {
            let fields = [("self_test", Value::Text("failed"))];
            let note = Note::new(Level::ERROR, TARGET).with_fields(&fields);
            self.records.record(&note, &failure);
            self.keeper.complain(format!("observability: {failure}"));
        }
    }
}

impl fmt::Debug for ObservabilityBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservabilityBuilder")
            .field("profile", &self.profile)
            .field("resource", &self.resource)
            .field("filter", &self.filter)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}

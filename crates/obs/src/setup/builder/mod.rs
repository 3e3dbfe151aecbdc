mod assemble;

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tracing_subscriber::layer::Filter as LayerFilter;
use tracing_subscriber::{Layer, Registry};

use crate::catalog::Catalog;
use crate::metric::{MetricBackend, MetricRecorderBuilder, MetricSource};
#[cfg(feature = "redact-patterns")]
use crate::record::RedactedShapes;
use crate::record::{Filter, Limits, RecordSink, RedactedKeys, Resource};
#[cfg(feature = "settings")]
use crate::settings::Told;
use crate::setup::environment::Environment;
use crate::setup::install::Unredacted;
use crate::setup::output::Output;
use crate::setup::probe::SelfTest;
use crate::setup::{Format, Panics, Profile};

/// Makes a backend of what is declared and what is asked.
type MakeBackend =
    Box<dyn FnOnce(&Catalog, Vec<Arc<dyn MetricSource>>) -> Arc<dyn MetricBackend> + Send>;

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
    /// Whether the program or its settings said how long a value is, and how many fields there are.
    pub(crate) are_limits_told: [bool; 2],
    outputs: Vec<Output>,
    /// Somebody said which outputs there are, if only that there are none.
    pub(crate) are_outputs_told: bool,
    sinks: Vec<Arc<dyn RecordSink>>,
    unredacted: Vec<Unredacted>,
    traces: Vec<Unredacted>,
    catalog: Catalog,
    sources: Vec<Arc<dyn MetricSource>>,
    metrics: Box<dyn FnOnce(MetricRecorderBuilder) -> MetricRecorderBuilder + Send>,
    has_recorder_rules: bool,
    backend: Option<MakeBackend>,
    environment: Environment,
    #[cfg(feature = "settings")]
    pub(crate) settings: Option<Told>,
    self_test: SelfTest,
    panics: Option<Panics>,
    #[cfg(feature = "log-bridge")]
    pub(crate) has_bridge: bool,
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
            are_limits_told: [false; 2],
            outputs: Vec::new(),
            are_outputs_told: false,
            sinks: Vec::new(),
            unredacted: Vec::new(),
            traces: Vec::new(),
            catalog: Catalog::new(),
            sources: Vec::new(),
            metrics: Box::new(|builder| builder),
            has_recorder_rules: false,
            backend: None,
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
        #[cfg(feature = "settings")]
        if let Some(told) = &mut self.settings {
            told.is_log_overruled = true;
        }
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

    /// How much of a record is taken: instead of what the environment says, or the default.
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self.are_limits_told = [true; 2];
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
        #[cfg(feature = "settings")]
        if let Some(told) = &mut self.settings {
            told.are_traces_overruled = true;
        }
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
        self.has_recorder_rules = true;
        let before = self.metrics;
        self.metrics = Box::new(|builder| change(before(builder)));
        self
    }

    /// Keeps and shows metrics by what `make` makes of all that is declared and all sources that are asked, instead of by
    /// this crate's [`MetricRecorder`](crate::metric::MetricRecorder): the exporter that others know, say. Limits, redaction of labels and exemplars are
    /// that backend's affair.
    ///
    /// ```
    /// # #[cfg(feature = "stock-prometheus")] {
    /// use obs::metric::StockPrometheus;
    /// use obs::setup::Observability;
    ///
    /// let builder = Observability::builder().metric_backend(StockPrometheus::with_sources);
    /// # drop(builder); }
    /// ```
    pub fn metric_backend<B: MetricBackend + 'static>(
        mut self,
        make: impl FnOnce(&Catalog, Vec<Arc<dyn MetricSource>>) -> B + Send + 'static,
    ) -> Self {
        self.backend = Some(Box::new(move |catalog, sources| Arc::new(make(catalog, sources))));
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

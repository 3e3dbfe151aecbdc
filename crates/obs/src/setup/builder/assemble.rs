//! From what a builder was told to what the process has.

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;

use metric_table::Metric;
use tracing_core::{Level, LevelFilter};
use tracing_subscriber::Layer as _;

use super::ObservabilityBuilder;
use crate::catalog::{Catalog, CatalogError};
use crate::log::LogVolume;
use crate::metric::{MetricBackend, MetricRecorder};
use crate::record::{
    Filter, Note, RecordHandle, RecordLayer, RecordSink, Resource, SharedFilter, Value,
};
#[cfg(feature = "settings")]
use crate::settings::Reloading;
use crate::setup::complaint::Complaint;
#[cfg(feature = "settings")]
use crate::setup::environment::Environment;
use crate::setup::handle::Inner;
#[cfg(feature = "log-bridge")]
use crate::setup::install::join_log;
use crate::setup::install::{alone, check_free, install, join_panics};
use crate::setup::keeper::{Keeper, keep};
use crate::setup::output::{Output, Started};
use crate::setup::probe::{self, Path, SelfTest, SelfTestFailure, TARGET, Tap};
use crate::setup::{Guard, Observability, Profile, SetupError, SetupErrorKind};

impl ObservabilityBuilder {
    /// Makes this the subscriber of `tracing` and the recorder of `metrics` of the process. It needs no
    /// runtime, and starts a thread for each output and one more.
    ///
    /// # Errors
    /// [`SetupError`]. Unless its kind is [`SelfTest`](SetupErrorKind::SelfTest), nothing of this is installed then;
    /// what the program had stays.
    pub fn install(mut self) -> Result<Guard, SetupError> {
        let alone = alone();
        check_free(self.needs_logger())?;
        self.leave_environment();
        let catalog = self.known_metrics()?;
        let resource = self.described();
        let (started, tap) = self.started(&resource)?;
        let filter = self.log_filter();
        let volume = Arc::new(LogVolume::new());
        let layer = self.layer(&started, filter.clone(), &volume);
        let records = layer.handle();
        let metrics = self.backend(catalog.clone(), resource.clone());
        let keeper = Arc::new(Keeper::new(records.clone(), self.clock));
        keep(&keeper, &metrics, &volume)
            .map_err(|error| SetupError::new(SetupErrorKind::Thread, "").because(error))?;
        let trace_filter = SharedFilter::new(mem::take(&mut self.trace_filter));
        #[cfg(feature = "settings")]
        let makes_traces = !self.traces.is_empty();
        if let Err(error) = self.put_in_place(&*metrics, layer, &records, &trace_filter) {
            keeper.end();
            return Err(error);
        }
        drop(alone);
        #[cfg(feature = "settings")]
        let sinks =
            started.iter().map(|output| (output.name.clone(), Arc::clone(&output.sink))).collect();
        let (writers, guards) = started
            .into_iter()
            .map(|output| ((output.name, output.writer), (output.sink, output.guard)))
            .unzip();
        let inner = Inner {
            records,
            trace_filter,
            metrics,
            catalog,
            keeper,
            writers,
            resource,
            profile: self.profile,
            #[cfg(feature = "settings")]
            environment: self.environment.clone(),
            #[cfg(feature = "settings")]
            reloading: Reloading::new(self.settings, sinks, makes_traces),
        };
        let tested = inner.tested(self.self_test, filter, tap.as_deref());
        let complaint = inner.warn(&self.environment.warnings, tested);
        let observability = Observability(Arc::new(inner));
        let guard = Guard::new(observability, guards, self.sinks, self.within, tested, complaint);
        match (self.self_test, tested) {
            (SelfTest::Require, Err(failure)) => {
                Err(SetupError::new(SetupErrorKind::SelfTest, "").because(failure))
            }
            _ => Ok(guard),
        }
    }

    /// All tables that are known: the application's, those of this crate and of its sources.
    fn known_metrics(&mut self) -> Result<Catalog, SetupError> {
        let mut of_sources = self.sources.iter().map(|source| source.metrics());
        joined(mem::take(&mut self.catalog))
            .and_then(|known| of_sources.try_fold(known, Catalog::with))
            .map_err(|error| SetupError::new(SetupErrorKind::Catalog, "").because(error))
    }

    /// What the service says of itself, and what is said where it does not.
    fn described(&mut self) -> Resource {
        let own = mem::take(&mut self.resource);
        with_defaults(self.environment.resource(own), self.profile).redacted(&self.keys)
    }

    /// Opens the outputs; with what hears a probe at the first one, if that shows it.
    fn started(
        &mut self,
        resource: &Resource,
    ) -> Result<(Vec<Started>, Option<Arc<Tap>>), SetupError> {
        let mut outputs = mem::take(&mut self.outputs);
        if outputs.is_empty() && !self.are_outputs_told {
            outputs.push(Output::stdout());
        }
        let mut names = HashSet::new();
        for output in &outputs {
            if !names.insert(output.name.clone()) {
                let error = SetupError::new(SetupErrorKind::Output, &output.name);
                return Err(error.because("another output has this name"));
            }
        }
        let format = self.format.unwrap_or(self.profile.format());
        let shows_probes = outputs.first().is_some_and(|first| first.shows_probes(format));
        let tap = shows_probes.then(|| Arc::new(Tap::default()));
        let mut first = tap.clone();
        let started =
            outputs.into_iter().map(|it| it.start(format, resource, self.now, first.take()));
        Ok((started.collect::<Result<_, _>>()?, tap))
    }

    fn log_filter(&mut self) -> Filter {
        let told = mem::take(&mut self.filter);
        let filter = self.environment.filter.clone().unwrap_or(told);
        self.environment.filter(filter)
    }

    fn layer(&self, started: &[Started], filter: Filter, volume: &Arc<LogVolume>) -> RecordLayer {
        let layer = RecordLayer::builder()
            .filter(filter)
            .redacted_keys(self.keys.clone())
            .limits(self.environment.limits(self.limits, self.are_limits_told))
            .clock(self.now);
        #[cfg(feature = "redact-patterns")]
        let layer = match &self.shapes {
            Some(shapes) => layer.redacted_shapes(shapes.clone()),
            None => layer,
        };
        let outputs = started.iter().map(|output| Arc::clone(&output.sink) as Arc<dyn RecordSink>);
        let sinks = self.sinks.iter().cloned().chain(outputs);
        let layer = sinks.fold(layer, |layer, sink| layer.sink(sink));
        layer.sink(Arc::clone(volume) as _).build()
    }

    fn backend(&mut self, catalog: Catalog, resource: Resource) -> Arc<dyn MetricBackend> {
        if let Some(make) = self.backend.take() {
            if self.has_recorder_rules {
                let warning = "what is set of metrics has no effect: another backend keeps them";
                self.environment.warnings.push(warning.to_owned());
            }
            return make(&catalog, mem::take(&mut self.sources));
        }
        let recorder = MetricRecorder::builder()
            .redacted_keys(self.keys.clone())
            .clock(self.now)
            .steady_clock(self.clock)
            .catalog(catalog)
            .resource(resource)
            .sources(mem::take(&mut self.sources));
        Arc::new(mem::replace(&mut self.metrics, Box::new(|builder| builder))(recorder).build())
    }

    /// Makes all of it the process's.
    fn put_in_place(
        &mut self,
        metrics: &dyn MetricBackend,
        layer: RecordLayer,
        records: &RecordHandle,
        trace_filter: &SharedFilter,
    ) -> Result<(), SetupError> {
        #[cfg(feature = "settings")]
        if self.traces.is_empty()
            && self.settings.as_ref().is_some_and(|told| told.settings.filters_traces())
        {
            let warning =
                "`traces` in the settings has no effect: no layer is here that takes them";
            self.environment.warnings.push(warning.to_owned());
        }
        #[cfg(all(feature = "settings", feature = "redact-patterns"))]
        if self.shapes.is_some()
            && self.settings.as_ref().is_some_and(|told| told.settings.shows_shapes())
        {
            let warning =
                "`redaction.shapes` in the settings has no effect: the program looks for shapes";
            self.environment.warnings.push(warning.to_owned());
        }
        let traces = mem::take(&mut self.traces).into_iter();
        let traces = traces.map(|layer| layer.with_filter(trace_filter.clone()).boxed());
        let others = mem::take(&mut self.unredacted).into_iter().chain(traces).collect();
        #[cfg(feature = "log-bridge")]
        if self.has_bridge {
            join_log(records)?;
        }
        install(metrics, layer, others)?;
        join_panics(records, self.panics.unwrap_or_else(|| self.profile.panics()));
        Ok(())
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
fn with_defaults(resource: Resource, profile: Profile) -> Resource {
    let or = |resource: Resource, name: &str, value: &str| match resource.get(name) {
        Some(_) => resource,
        None => resource.with(name, value),
    };
    let resource = or(resource, Resource::SERVICE_NAME, "unknown_service");
    or(resource, Resource::ENVIRONMENT, profile.name())
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
    fn warn(&self, warnings: &[String], tested: Result<(), SelfTestFailure>) -> Option<Complaint> {
        for warning in warnings {
            self.records.record(&Note::new(Level::WARN, TARGET), warning);
        }
        let failure = tested.err()?;
        let fields = [("self_test", Value::Text("failed"))];
        let note = Note::new(Level::ERROR, TARGET).with_fields(&fields);
        self.records.record(&note, &failure);
        Some(Complaint::say(format!("observability: {failure}")))
    }
}

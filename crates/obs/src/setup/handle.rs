use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::catalog::Catalog;
use crate::log::{Status, Writer};
use crate::metric::MetricBackend;
use crate::record::{Filter, RecordHandle, Resource, SharedFilter};
#[cfg(feature = "settings")]
use crate::settings::Reloading;
#[cfg(feature = "settings")]
use crate::setup::environment::Environment;
use crate::setup::keeper::{Expiry, Keeper};
use crate::setup::{ObservabilityBuilder, Profile};

/// The logs and metrics of this process, once they are set up. A clone is another handle on the same.
///
/// ```
/// use std::time::Duration;
///
/// use obs::metric::Exposition;
/// use obs::record::Resource;
/// use obs::setup::{Expiry, Observability, Profile};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let guard = Observability::builder()
///     .profile(Profile::Production)
///     .resource(Resource::new("orders").with_version(env!("CARGO_PKG_VERSION")))
///     .environment(std::env::vars_os())
///     .install()?;
/// let observability = guard.observability().clone();
///
/// // For an hour, everything that the store says; then what was there before.
/// observability.set_filter("info,app::store=trace".parse()?, Expiry::After(Duration::from_secs(3_600)));
/// tracing::info!(port = 8080, "listening");
///
/// let mut page = Vec::new();
/// observability.metrics().render(Exposition::Text, &mut page)?;
/// let report = guard.shutdown(Duration::from_secs(5));
/// assert!(report.is_complete());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Observability(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) records: RecordHandle,
    pub(super) trace_filter: SharedFilter,
    pub(super) metrics: Arc<dyn MetricBackend>,
    pub(super) catalog: Catalog,
    pub(super) keeper: Arc<Keeper>,
    pub(super) writers: Vec<(Box<str>, Writer)>,
    pub(super) resource: Resource,
    pub(super) profile: Profile,
    #[cfg(feature = "settings")]
    pub(super) environment: Environment,
    #[cfg(feature = "settings")]
    pub(super) reloading: Reloading,
}

/// How a log output is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutputStatus {
    /// What it is called.
    pub name: Box<str>,
    /// How it is, and what became of the records that it took.
    pub status: Status,
}

impl Observability {
    /// Sets up logs and metrics of the process.
    pub fn builder() -> ObservabilityBuilder {
        ObservabilityBuilder::new()
    }

    /// Which levels of which targets are logged now.
    #[must_use]
    pub fn filter(&self) -> Arc<Filter> {
        self.0.records.filter()
    }

    /// For how long that filter holds, if it was set for a time.
    #[must_use]
    pub fn filter_expires_in(&self) -> Option<Duration> {
        self.0.keeper.remaining()
    }

    /// Logs by another filter from now on, or for a time.
    pub fn set_filter(&self, filter: Filter, expiry: Expiry) {
        self.0.keeper.set_filter(filter, expiry);
    }

    /// Logs by another filter from now on; if one holds that was set for a time, after it. For settings
    /// that changed.
    pub fn reload_filter(&self, filter: Filter) {
        self.0.records.set_lasting_filter(filter);
    }

    /// Which levels of which targets layers are given now that make traces.
    #[must_use]
    pub fn trace_filter(&self) -> Arc<Filter> {
        self.0.trace_filter.load()
    }

    /// Gives other events and spans to layers that make traces from now on. Logs stay as they are.
    pub fn set_trace_filter(&self, filter: Filter) {
        self.0.trace_filter.store(filter);
        self.0.records.ask_again();
    }

    /// What logs a panic, or anything else that no macro of `tracing` logs.
    #[must_use]
    pub fn records(&self) -> &RecordHandle {
        &self.0.records
    }

    /// What is measured: by this crate's recorder, unless another backend was given.
    #[must_use]
    pub fn metrics(&self) -> &dyn MetricBackend {
        &*self.0.metrics
    }

    /// What is declared of what is measured.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    /// What the service says of itself.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.0.resource
    }

    /// What sort of place it runs in.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.0.profile
    }

    #[cfg(feature = "settings")]
    pub(crate) fn reloading(&self) -> &Reloading {
        &self.0.reloading
    }

    /// The filter of logs that a filter of the settings makes with the environment; none if that has its own.
    #[cfg(feature = "settings")]
    pub(crate) fn with_environment(&self, filter: Filter) -> Option<Filter> {
        let environment = &self.0.environment;
        environment.filter.is_none().then(|| environment.filter(filter))
    }

    /// How the log outputs are, in the order in which they were given.
    #[must_use]
    pub fn outputs(&self) -> Vec<OutputStatus> {
        let each = self.0.writers.iter();
        each.map(|(name, writer)| OutputStatus { name: name.clone(), status: writer.status() })
            .collect()
    }
}

impl fmt::Debug for Observability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observability")
            .field("profile", &self.0.profile)
            .field("resource", &self.0.resource)
            .field("filter", &self.filter())
            .field("outputs", &self.0.writers)
            .finish_non_exhaustive()
    }
}

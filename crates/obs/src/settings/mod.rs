//! The whole from the settings of a service: what a file and variables say of logs, metrics and the admin listener, and
//! what of it may change while the service runs.

mod admin;
mod apply;
mod file;
mod filter;
mod follow;
mod layout;
mod limits;
mod metrics;
mod output;
mod redaction;
mod reload;
mod restart;
mod service;
mod size;
mod thin;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use service_settings::{DurationSetting, Placed, Problem, Rules};

use crate::setup::{Format, Panics, Profile, SelfTest};
use admin::AdminSettings;
use filter::FilterSettings;
use limits::LimitsSettings;
use metrics::MetricsSettings;
use output::OutputSettings;
use redaction::RedactionSettings;
use service::ServiceSettings;

pub use reload::{METRICS, ReloadError, ReloadErrorKind, Reloaded};
pub(crate) use reload::{Reloading, Told};

/// What the settings of a service say of its logs and metrics, usually in a table `[observability]`. The crate's
/// documentation has a table of all of them.
///
/// ```
/// use obs::settings::ObservabilitySettings;
/// use obs::setup::Observability;
/// use service_settings::{Format, Layers, Problem, Rules};
///
/// #[derive(serde::Deserialize)]
/// struct Settings {
///     observability: ObservabilitySettings,
/// }
///
/// impl Rules for Settings {
///     fn problems(&self) -> Vec<Problem> {
///         self.observability.problems()
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let text = "
///     [observability]
///     profile = 'production'
///
///     [observability.service]
///     name = 'orders'
///
///     [observability.log]
///     level = 'info'
///     targets = { hyper = 'warn' }
///
///     [observability.outputs.stdout]
///     to = 'stdout'
/// ";
/// let settings = Layers::<Settings>::new()
///     .defaults(Format::Toml, text)
///     .variables("APP", std::env::vars_os())
///     .load()?
///     .settings;
/// let guard = Observability::builder().settings(&settings.observability)?.install()?;
/// tracing::info!("listening");
/// # drop(guard);
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct ObservabilitySettings {
    outline: Placed<Outline>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Outline {
    profile: Option<Profile>,
    format: Option<Format>,
    read_environment: Option<bool>,
    self_test: Option<SelfTest>,
    panics: Option<Panics>,
    log_bridge: Option<bool>,
    shutdown_timeout: Option<DurationSetting>,
    service: ServiceSettings,
    log: FilterSettings,
    traces: FilterSettings,
    outputs: BTreeMap<String, OutputSettings>,
    redaction: RedactionSettings,
    limits: LimitsSettings,
    metrics: MetricsSettings,
    admin: Option<AdminSettings>,
}

/// Who waits longer for the last lines is killed before they are written.
const LONGEST_SHUTDOWN: Duration = Duration::from_secs(10 * 60);

impl ObservabilitySettings {
    /// Whether what the environment says counts, if the program gives it.
    pub(crate) fn reads_environment(&self) -> bool {
        self.outline.value.read_environment.unwrap_or(true)
    }

    /// Whether it is said that nothing is to be known by its shape.
    #[cfg(feature = "redact-patterns")]
    pub(crate) fn shows_shapes(&self) -> bool {
        self.outline.value.redaction.are_shapes_shown()
    }

    /// Whether something is said of which spans and events traces take.
    pub(crate) fn filters_traces(&self) -> bool {
        !self.outline.value.traces.is_empty()
    }
}

impl Rules for Outline {
    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        if let Some(message) = self
            .shutdown_timeout
            .and_then(|time| time.outside(Duration::from_millis(1), LONGEST_SHUTDOWN))
        {
            found.push(Problem::invalid("shutdown_timeout", message));
        }
        if self.log_bridge == Some(true) && cfg!(not(feature = "log-bridge")) {
            found.push(not_compiled_in("log_bridge", "log-bridge"));
        }
        let parts: [(&str, &dyn Rules); 6] = [
            ("service", &self.service),
            ("log", &self.log),
            ("traces", &self.traces),
            ("redaction", &self.redaction),
            ("limits", &self.limits),
            ("metrics", &self.metrics),
        ];
        found.extend(parts.into_iter().flat_map(|(name, part)| below(name, part.problems())));
        let format = self.format.unwrap_or(self.profile.unwrap_or_default().format());
        found.extend(below("outputs", output::problems(&self.outputs, format)));
        found.extend(self.admin.iter().flat_map(|admin| below("admin", admin.problems())));
        found
    }
}

/// Problems of a part, as those of the whole.
fn below(name: &str, problems: Vec<Problem>) -> impl Iterator<Item = Problem> {
    // A name that holds dots stands in quotation marks, as everywhere in paths.
    let is_plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-' || c == ':';
    let name = if !name.is_empty() && name.chars().all(is_plain) {
        name.to_owned()
    } else {
        format!("{name:?}")
    };
    problems.into_iter().map(move |problem| {
        let path = match problem.path.as_str() {
            "" => name.clone(),
            path => format!("{name}.{path}"),
        };
        Problem::invalid(path, problem.message)
    })
}

fn not_compiled_in(path: &str, feature: &str) -> Problem {
    Problem::invalid(path, format!("is not compiled in; turn on the feature `{feature}` of obs"))
}

impl<'de> Deserialize<'de> for ObservabilitySettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Placed::deserialize(deserializer).map(|outline| Self { outline })
    }
}

/// All that makes no sense, with its place. Nothing is touched but the settings: that an output cannot be opened is
/// found when it is.
impl Rules for ObservabilitySettings {
    fn problems(&self) -> Vec<Problem> {
        self.outline.problems()
    }
}

/// Shows what the settings say; there is nothing secret among them.
impl fmt::Debug for ObservabilitySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outline.value.fmt(f)
    }
}

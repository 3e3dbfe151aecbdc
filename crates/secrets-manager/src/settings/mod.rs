//! From settings to a running manager: which providers there are, which are asked, and what the
//! application calls its secrets.

mod aliases;
mod audit;
#[cfg(feature = "aws")]
mod aws;
mod cache;
mod chain;
mod circle;
mod connect;
mod credentials;
mod error;
mod health;
#[cfg(feature = "local")]
mod local;
mod network;
mod plan;
mod providers;
mod registry;
mod restart;
mod secret;
mod snapshot;
mod start;

pub use audit::{AuditFailureSetting, AuditSettings};
pub use error::{ProviderFailure, StartError, StartErrorKind};
pub use network::{InvalidProxy, NetworkOptions, ProxyUrl};
pub use plan::{Connected, ProviderPlan};
pub use registry::{ProviderFactory, Registry};
pub use secret::SecretConfig;
pub use start::{StartWarning, Started};

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use secrets_core::SecretName;
use serde::de::{Deserialize, Deserializer};
use service_settings::{DurationSetting, Placed, Problem, Rules, Subtree};

use crate::cache::policy::CachePolicy;
use crate::rules::SecretRules;
use cache::CacheSettings;
use health::HealthSettings;
use secret::AppName;
use snapshot::SnapshotSettings;

/// What a manager is made of, as the settings of the service say: named providers, the one that is
/// asked and those that stand in for it, the cache, and the application's names for secrets.
///
/// ```
/// use secrets_manager::{Registry, SecretManagerSettings};
/// use service_settings::{Format, Layers, Problem, Rules};
///
/// #[derive(serde::Deserialize)]
/// struct Settings {
///     secrets: SecretManagerSettings,
/// }
///
/// impl Rules for Settings {
///     fn problems(&self) -> Vec<Problem> {
///         self.secrets.problems() // or `check(&registry)`, if there are providers of your own
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # std::fs::write(folder.path().join("billing-db"), r#"{"user": "app", "password": "correct horse"}"#)?;
/// # let root = folder.path().display();
/// let text = format!(r#"
///     [secrets]
///     provider = "mount"
///
///     [secrets.providers.mount]
///     type = "directory"
///     root = "{root}"
///
///     [secrets.secret.db-password]
///     reference = "billing-db"
///     field = "password"
///     required = true
/// "#);
/// let loaded = Layers::<Settings>::new().defaults(Format::Toml, &text).load()?;
///
/// let started = loaded.settings.secrets.start(&Registry::new()).await?;
/// tokio::spawn(started.run());
/// let password = started.manager.handle("db-password").await?;
/// # assert_eq!(password.load().secret().unwrap().value.expose_secret(), b"correct horse");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SecretManagerSettings {
    outline: Placed<Outline>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Outline {
    /// The provider that is asked first.
    provider: String,
    /// Those that are asked for what it does not have, in turn.
    #[serde(default)]
    fallback: Vec<String>,
    #[serde(default)]
    fall_back_on_unavailable: bool,
    /// How long each provider may take to be ready.
    start_timeout: Option<DurationSetting>,
    #[serde(default)]
    providers: BTreeMap<String, Subtree>,
    #[serde(default)]
    cache: Placed<CacheSettings>,
    #[serde(default)]
    secret: BTreeMap<AppName, Placed<SecretConfig>>,
    audit: Option<Placed<AuditSettings>>,
    snapshot: Option<Placed<SnapshotSettings>>,
    #[serde(default)]
    health: Placed<HealthSettings>,
    /// How often loads by handle are summed up for the audit log.
    access_period: Option<DurationSetting>,
}

/// Argon2id at its highest cost takes some ten seconds.
const START_TIMEOUT: Duration = Duration::from_secs(60);

impl SecretManagerSettings {
    /// All that is wrong with the settings, the options of every provider whose type the registry has
    /// among them, whether it is used or not. Nothing is touched but the settings.
    #[must_use]
    pub fn check(&self, registry: &Registry) -> Vec<Problem> {
        self.examine(registry).0
    }

    /// What the settings say of the secrets that they name, by the application's names.
    pub fn secrets(&self) -> impl Iterator<Item = (&SecretName, &SecretConfig)> {
        self.outline.value.secret.iter().map(|(AppName(name), config)| (name, &config.value))
    }

    /// The required secrets and what their values are held to, for
    /// [`SecretManager::check_required`](crate::SecretManager::check_required).
    #[must_use]
    pub fn required(&self) -> Vec<(SecretName, SecretRules)> {
        let required = self.secrets().filter(|(_, config)| config.required);
        let rules = |config: &SecretConfig| config.rules.clone().unwrap_or_default();
        required.map(|(name, config)| (name.clone(), rules(config))).collect()
    }

    /// The cache's times and bounds.
    #[must_use]
    pub fn cache_policy(&self) -> CachePolicy {
        self.outline.value.cache.value.policy()
    }

    /// Where the audit trail is written, if the settings name one.
    #[must_use]
    pub fn audit(&self) -> Option<&AuditSettings> {
        self.outline.value.audit.as_ref().map(|audit| &audit.value)
    }

    fn examine(&self, registry: &Registry) -> (Vec<Problem>, BTreeMap<String, providers::Planned>) {
        let outline = &self.outline;
        let (mut problems, planned) = providers::plan(outline, registry);
        problems.extend(chain::problems(outline));
        problems.extend(aliases::problems(outline));
        problems.extend(outline.value.cache.problems());
        problems.extend(outline.value.health.problems());
        problems.extend(audit::problems(outline));
        problems.extend(snapshot::problems(outline));
        let (hour, day) = (Duration::from_secs(60 * 60), Duration::from_secs(24 * 60 * 60));
        let spans = [
            ("start_timeout", outline.value.start_timeout, Duration::from_millis(100), hour),
            ("access_period", outline.value.access_period, Duration::from_secs(1), day),
        ];
        for (path, span, least, most) in spans {
            let outside = span.and_then(|span| span.outside(least, most));
            problems.extend(outside.map(|message| outline.problem(path, message)));
        }
        (problems, planned)
    }
}

impl<'de> Deserialize<'de> for SecretManagerSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Placed::deserialize(deserializer).map(|outline| Self { outline })
    }
}

/// [`check`](SecretManagerSettings::check) with the types that are compiled in.
impl Rules for SecretManagerSettings {
    fn problems(&self) -> Vec<Problem> {
        self.check(&Registry::new())
    }
}

/// Shows which providers are asked, and which secrets have names.
impl fmt::Debug for SecretManagerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outline = &self.outline.value;
        let secrets: Vec<_> = self.secrets().map(|(name, _)| name).collect();
        f.debug_struct("SecretManagerSettings")
            .field("provider", &outline.provider)
            .field("fallback", &outline.fallback)
            .field("providers", &outline.providers.keys().collect::<Vec<_>>())
            .field("secrets", &secrets)
            .finish_non_exhaustive()
    }
}

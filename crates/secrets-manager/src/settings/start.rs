use std::fmt;
use std::sync::Arc;

use secrets_core::SecretProvider;
use service_settings::{DurationSetting, Problems};

use super::connect::{Providers, connect};
use super::error::{StartError, Why};
use super::registry::Registry;
use super::{START_TIMEOUT, SecretManagerSettings};
use crate::builder::SecretManagerBuilder;
use crate::fallback::{Fallback, OnUnavailable};
use crate::manager::SecretManager;

/// A manager whose providers answered and that has all that the service needs.
#[derive(Debug)]
#[non_exhaustive]
pub struct Started {
    /// The manager. Its [`run`](SecretManager::run) is for the application to spawn.
    pub manager: SecretManager,
    /// What works, and deserves attention.
    pub warnings: Vec<StartWarning>,
}

/// Something about a provider that works and deserves attention.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StartWarning {
    /// Its name, and where it stands, as `` app.toml:12: `secrets.providers.main` ``.
    pub provider: String,
    /// What it is.
    pub message: String,
}

impl fmt::Display for StartWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.provider, self.message)
    }
}

impl SecretManagerSettings {
    /// Builds the providers that are used, those that have the credentials of others first, and the
    /// manager over them; and [checks](SecretManager::check_required) all secrets that are required.
    ///
    /// # Errors
    /// [`StartError`]: all problems of the settings, before anything is touched; or all providers
    /// that could not be connected; or all required secrets that cannot be read or break their
    /// rules.
    pub async fn start(&self, registry: &Registry) -> Result<Started, StartError> {
        self.start_with(registry, |builder| builder).await
    }

    /// [`start`](Self::start) with what settings cannot say: an audit log, a clock, what is told of
    /// bounds of validity.
    ///
    /// # Errors
    /// As [`start`](Self::start); and [`BuildError`](crate::BuildError).
    pub async fn start_with(
        &self,
        registry: &Registry,
        customize: impl FnOnce(SecretManagerBuilder) -> SecretManagerBuilder,
    ) -> Result<Started, StartError> {
        let (problems, planned) = self.examine(registry);
        Problems::none_or(problems).map_err(Why::Settings)?;
        let limit = self.outline.value.start_timeout.map_or(START_TIMEOUT, DurationSetting::get);
        let (providers, warnings) = connect(planned, limit).await.map_err(Why::Providers)?;
        let builder = SecretManager::builder(self.stack(&providers)?).policy(self.cache_policy());
        let aliases = self.secrets().filter_map(|(name, config)| Some((name, config.alias()?)));
        let builder =
            aliases.fold(builder, |builder, (name, alias)| builder.alias(name.clone(), alias));
        let manager = customize(builder).build().map_err(Why::Build)?;
        manager.check_required(&self.required()).await.map_err(Why::Required)?;
        Ok(Started { manager, warnings })
    }

    /// The provider, or the chain.
    fn stack(&self, providers: &Providers) -> Result<Arc<dyn SecretProvider>, StartError> {
        let outline = &self.outline;
        let find = |name: &String| {
            // All that are named were connected.
            let problem = || outline.problem("provider", "is not connected");
            providers.get(name).cloned().ok_or_else(|| Why::Settings(problem().into()))
        };
        let primary = find(&outline.value.provider)?;
        if outline.value.fallback.is_empty() {
            return Ok(primary);
        }
        let on_unavailable = match outline.value.fall_back_on_unavailable {
            true => OnUnavailable::Fall,
            false => OnUnavailable::Fail,
        };
        let mut chain = Fallback::new(primary).on_unavailable(on_unavailable);
        for name in &outline.value.fallback {
            chain = chain.then(find(name)?);
        }
        Ok(Arc::new(chain))
    }
}

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use audit_log::{AuditSink, FileTrail};
use futures_util::future::{Either, select};
use secrets_core::{SecretProvider, SecretResolver};
use service_settings::{DurationSetting, Problems};

use super::audit::Opened;
use super::connect::{Providers, connect};
use super::credentials::resolver;
use super::error::{StartError, Why};
use super::registry::Registry;
use super::{START_TIMEOUT, SecretManagerSettings};
use crate::builder::SecretManagerBuilder;
use crate::cache::runner::AlreadyRunning;
use crate::fallback::{Fallback, OnUnavailable};
use crate::manager::SecretManager;

/// A manager whose providers answered and that has all that the service needs.
#[derive(Debug)]
#[non_exhaustive]
pub struct Started {
    /// The manager. What keeps it going is [`run`](Self::run), for the application to spawn.
    pub manager: SecretManager,
    /// What works, and deserves attention.
    pub warnings: Vec<StartWarning>,
    /// The audit trail, if the settings name one: for events of the application's own, and to be
    /// [flushed](audit_log::AuditSink::flush) when the service ends, after [`run`](Self::run) was dropped:
    /// then it tells the loads by handle that are not told yet.
    pub trail: Option<FileTrail>,
    flush_interval: Duration,
}

impl Started {
    /// What keeps the secrets fresh and writes the trail, for the application to spawn. See
    /// [`SecretManager::run`] and [`FileTrail::run`]; when it ends the trail was written.
    ///
    /// # Errors
    /// [`AlreadyRunning`] when the manager runs already.
    pub fn run(&self) -> impl Future<Output = Result<(), AlreadyRunning>> + Send + 'static + use<> {
        let manager = self.manager.run();
        let trail = self.trail.clone();
        let interval = self.flush_interval;
        async move {
            let Some(trail) = trail else { return manager.await };
            let (manager, writing) = (pin!(manager), pin!(trail.run(interval)));
            // The trail is held here, so writing it does not end before.
            let ended = match select(manager, writing).await {
                Either::Left((ended, _)) => ended,
                Either::Right(((), manager)) => manager.await,
            };
            // Whoever runs the manager already writes the trail, too. What cannot be written was
            // counted.
            let _ = trail.flush().await;
            ended
        }
    }
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
    /// that could not be connected; or that the audit trail cannot be opened, or the key of the snapshot
    /// be read; or all required secrets that cannot be read or break their rules.
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
        let (providers, warnings) = connect(planned, self.start_timeout()).await;
        let made = match providers {
            Ok(providers) => self.over(&providers, registry, customize).await,
            Err(failures) => Err(Why::Providers(failures).into()),
        };
        match made {
            Ok((manager, trail)) => {
                let flush_interval =
                    self.audit().map_or(Duration::ZERO, |audit| audit.flush_interval.get());
                Ok(Started { manager, warnings, trail, flush_interval })
            }
            Err(error) => Err(error.with_warnings(warnings)),
        }
    }

    /// The manager over providers that are connected, and its trail.
    async fn over(
        &self,
        providers: &Providers,
        registry: &Registry,
        customize: impl FnOnce(SecretManagerBuilder) -> SecretManagerBuilder,
    ) -> Result<(SecretManager, Option<FileTrail>), StartError> {
        let stack = self.stack(providers)?;
        let mut builder = self.builder(Arc::clone(&stack));
        if let Some(period) = self.outline.value.access_period {
            builder = builder.access_period(period.get());
        }
        #[cfg(feature = "snapshot")]
        if let Some(snapshot) = self.snapshot(providers).await? {
            builder = builder.snapshot(snapshot);
        }
        let trail = match self.trail(registry, providers, stack).await? {
            Some(Opened { trail, log }) => {
                builder = builder.audit(log);
                Some(trail)
            }
            None => None,
        };
        let made = self.checked(customize(builder)).await;
        if made.is_err()
            && let Some(trail) = &trail
        {
            // Nobody else will write what was read until then. What cannot be written was counted.
            let _ = trail.flush().await;
        }
        Ok((made?, trail))
    }

    async fn checked(&self, builder: SecretManagerBuilder) -> Result<SecretManager, StartError> {
        let manager = builder.build().map_err(Why::Build)?;
        manager.check_required(&self.required()).await.map_err(Why::Required)?;
        Ok(manager)
    }

    /// The audit trail. Its key may be a secret, and then has to be read before there is one.
    async fn trail(
        &self,
        registry: &Registry,
        providers: &Providers,
        stack: Arc<dyn SecretProvider>,
    ) -> Result<Option<Opened>, StartError> {
        let Some(audit) = &self.outline.value.audit else { return Ok(None) };
        let keys: Arc<dyn SecretResolver> = match &audit.value.credentials_from {
            Some(from) => resolver(providers.get(from), self.start_timeout()),
            None => Arc::new(self.builder(stack).build().map_err(Why::Build)?),
        };
        let opened = audit.value.open(registry.product(), &*keys).await;
        Ok(Some(opened.map_err(|failure| Why::Audit(audit.place(), failure))?))
    }

    fn start_timeout(&self) -> Duration {
        self.outline.value.start_timeout.map_or(START_TIMEOUT, DurationSetting::get)
    }

    fn builder(&self, stack: Arc<dyn SecretProvider>) -> SecretManagerBuilder {
        let builder = SecretManager::builder(stack).policy(self.cache_policy());
        let builder = builder.health(self.outline.value.health.value.policy());
        let aliases = self.secrets().filter_map(|(name, config)| Some((name, config.alias()?)));
        aliases.fold(builder, |builder, (name, alias)| builder.alias(name.clone(), alias))
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

#[cfg(feature = "snapshot")]
impl SecretManagerSettings {
    async fn snapshot(
        &self,
        providers: &Providers,
    ) -> Result<Option<crate::snapshot::Snapshot>, StartError> {
        let Some(settings) = &self.outline.value.snapshot else { return Ok(None) };
        let from = settings.value.credentials_from.as_deref().and_then(|from| providers.get(from));
        let secrets = resolver(from, self.start_timeout());
        let required = self.required().into_iter();
        let required = required.filter_map(|(name, _)| super::aliases::end(&self.outline, &name));
        let snapshot = settings.value.snapshot(&*secrets, required).await;
        Ok(Some(snapshot.map_err(|error| Why::Snapshot(settings.place(), error))?))
    }
}

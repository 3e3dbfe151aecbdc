use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::memory::fault::{Faults, Schedule};
use crate::memory::personality::Personality;
use crate::memory::provider::MemoryProvider;
use crate::memory::session::Client;
use crate::memory::settings::{MemoryConfigError, Settings};
use crate::memory::sleep::Sleep;

/// Builds a [`MemoryProvider`] that differs from the usual one.
///
/// ```
/// use std::{sync::Arc, time::{Duration, SystemTime}};
/// use secrets_core::ManualClock;
/// use secrets_core::memory::{MemoryProvider, Personality};
///
/// let clock = ManualClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
/// let provider = MemoryProvider::builder(Personality::Azure)
///     .clock(Arc::new(clock.clone()))
///     .sleeper(Arc::new(clock))
///     .deleting_for(Duration::from_secs(6))
///     .recovering_for(Duration::from_secs(4))
///     .build()?;
/// # let _ = provider;
/// # Ok::<(), secrets_core::memory::MemoryConfigError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "call `build`"]
pub struct MemoryBuilder {
    settings: Settings,
    clock: Arc<dyn Clock>,
    sleeper: Option<Arc<dyn Sleep>>,
    faults: Faults,
    scope: Box<str>,
    identity: Box<str>,
}

impl MemoryBuilder {
    pub(crate) fn new(personality: Personality) -> Self {
        Self {
            settings: Settings::new(personality),
            clock: Arc::new(SystemClock),
            sleeper: None,
            faults: Faults::none(),
            scope: personality.as_str().into(),
            identity: Box::default(),
        }
    }

    /// Where the time comes from; the operating system unless set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What to wait with; without it delays cannot be injected, and a deletion for good that has
    /// to wait asks its caller to come back.
    pub fn sleeper(mut self, sleeper: Arc<dyn Sleep>) -> Self {
        self.sleeper = Some(sleeper);
        self
    }

    /// What the ids of versions are drawn from; 0 unless set.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// The scope in the provider's id; the personality's name unless set. Providers that one cache
    /// reads need different scopes.
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = scope.into();
        self
    }

    /// The identity in the provider's id; empty unless set.
    pub fn identity(mut self, identity: &str) -> Self {
        self.identity = identity.into();
        self
    }

    /// Faults from the first call on.
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Values may be this long at most, in bytes (Azure: characters); never more than the cloud
    /// takes.
    pub fn max_value_len(mut self, len: usize) -> Self {
        self.settings.max_value_len = Some(len);
        self
    }

    /// Lists come in pages of so many entries; 100 unless set.
    pub fn page_size(mut self, size: NonZeroU32) -> Self {
        self.settings.page_size = size;
        self
    }

    /// For how long deleted secrets are kept: AWS's default when a call names none (30 days unless
    /// set), Azure's setting of the vault (90 days unless set).
    pub fn recovery_window(mut self, window: Duration) -> Self {
        self.settings.recovery_window = Some(window);
        self
    }

    /// The delay that [`Capabilities::consistency`](crate::Capabilities) declares: 5 minutes on AWS
    /// and Google, 10 seconds on Azure unless set. Reads lag only where
    /// [`propagation`](Self::propagation) or a fault makes them.
    pub fn declared_delay(mut self, within: Duration) -> Self {
        self.settings.within = Some(within);
        self
    }

    /// Every read that the cloud does not promise to be up to date sees the state of so long ago;
    /// what a write looks up on its way is up to date.
    pub fn propagation(mut self, lag: Duration) -> Self {
        self.settings.propagation = lag;
        self
    }

    /// How long a deletion takes: Azure's first phase, in which the deleted secret is in neither
    /// place (recorded: 6 seconds), AWS's forced deletion. At once unless set.
    pub fn deleting_for(mut self, duration: Duration) -> Self {
        self.settings.deleting = duration;
        self
    }

    /// How long Azure takes to bring a secret back (recorded: 4 seconds). At once unless set.
    pub fn recovering_for(mut self, duration: Duration) -> Self {
        self.settings.recovering = duration;
        self
    }

    /// Google's `version_destroy_ttl`: a destroyed version is disabled first and destroyed after
    /// this time, 24 hours at least. At once unless set.
    pub fn destroy_delay(mut self, delay: Duration) -> Self {
        self.settings.destroy_delay = Some(delay);
        self
    }

    /// Azure's purge protection: deleted secrets cannot be purged.
    pub fn purge_protection(mut self) -> Self {
        self.settings.purge_protection = true;
        self
    }

    /// Gives hints at changes by [`changes`](crate::SecretProvider::changes), as a provider with a
    /// subscription to the cloud's events would. None of the clouds does so by itself.
    pub fn announce_changes(mut self) -> Self {
        self.settings.announces = true;
        self
    }

    pub(crate) fn into_plain_parts(self) -> (Settings, Client) {
        let client = Client::new(self.clock, self.sleeper, self.settings.propagation);
        (self.settings, client)
    }

    /// The provider, with an empty store.
    ///
    /// # Errors
    /// [`MemoryConfigError`] when the personality cannot be like that.
    pub fn build(self) -> Result<MemoryProvider, MemoryConfigError> {
        self.settings.check()?;
        self.settings.check_faults(&self.faults, self.sleeper.is_some())?;
        let client = Client::new(self.clock, self.sleeper, self.settings.propagation);
        client.install(Schedule::new(self.faults));
        Ok(MemoryProvider::assemble(self.settings, client, &self.scope, &self.identity))
    }
}

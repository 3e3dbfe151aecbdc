use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use audit_log::{AuditLog, Code};
use secrets_core::{Clock, Error, ProviderId, SecretName, SecretProvider, SystemClock};

use crate::access::Ledger;
use crate::alias::{Alias, Aliases, Path};
use crate::audit::Witness;
use crate::cache::cached::CachedProvider;
use crate::cache::held::Terms;
use crate::cache::inner::{Setting, Tenancy};
use crate::cache::jitter::Jitter;
use crate::cache::last_known::LastKnown;
use crate::cache::policy::CachePolicy;
use crate::cache::pulse::Pulse;
use crate::cache::source::Source;
use crate::manager::SecretManager;
use crate::report::{HealthPolicy, Probes};
use crate::validity::{ValidityPolicy, ValidityRule};

/// Builds a [`SecretManager`].
#[must_use = "call `build`"]
pub struct SecretManagerBuilder {
    main: Arc<dyn SecretProvider>,
    others: Vec<Arc<dyn SecretProvider>>,
    aliases: Vec<(SecretName, Alias)>,
    policy: CachePolicy,
    validity: ValidityPolicy,
    clock: Arc<dyn Clock>,
    jitter: Jitter,
    audit: Option<AuditLog>,
    access_period: Duration,
    #[cfg(feature = "snapshot")]
    snapshot: Option<crate::snapshot::Snapshot>,
    health: HealthPolicy,
    label: Code,
}

impl SecretManagerBuilder {
    pub(crate) fn new(main: Arc<dyn SecretProvider>) -> Self {
        Self {
            main,
            others: Vec::new(),
            aliases: Vec::new(),
            policy: CachePolicy::new(),
            validity: ValidityPolicy::Deny,
            clock: Arc::new(SystemClock),
            jitter: Jitter::random(),
            audit: None,
            access_period: Duration::from_secs(60),
            #[cfg(feature = "snapshot")]
            snapshot: None,
            health: HealthPolicy::new(),
            label: const { Code::new("main") },
        }
    }

    /// Adds a provider; [`SecretManager::provider`] finds it by its identity. Two of one identity
    /// are refused: they would share what they cache.
    pub fn provider(mut self, provider: impl SecretProvider) -> Self {
        self.others.push(Arc::new(provider));
        self
    }

    /// Gives a secret of the main provider, or a part of it, a name of the application's own. It goes
    /// before a secret of the same name, which can then be reached by its native id alone.
    pub fn alias(mut self, name: SecretName, alias: Alias) -> Self {
        self.aliases.push((name, alias));
        self
    }

    /// Times and bounds; [`CachePolicy::new`] unless set.
    pub fn policy(mut self, policy: CachePolicy) -> Self {
        self.policy = policy;
        self
    }

    /// What is done about versions outside their bounds of validity; they are refused unless set.
    pub fn validity(mut self, validity: ValidityPolicy) -> Self {
        self.validity = validity;
        self
    }

    /// The wall clock: for bounds of validity, and for since when a value is stale. Times to live
    /// and pauses go by tokio's clock, which cannot be set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What spreads refreshes and pauses; random unless set.
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Where it is recorded who reads, fetches and changes which secret; nowhere unless set. The log
    /// says whether what cannot be recorded is refused.
    pub fn audit(mut self, log: AuditLog) -> Self {
        self.audit = Some(log);
        self
    }

    /// What [`SecretManager::report`] looks at; [`HealthPolicy::new`] unless set.
    pub fn health(mut self, policy: HealthPolicy) -> Self {
        self.health = policy;
        self
    }

    /// What the manager is called in spans and metrics, where a process has more than one. `main`.
    pub fn label(mut self, label: Code) -> Self {
        self.label = label;
        self
    }

    /// How often loads by handle are summed up for the audit log, and how closely it is known when
    /// they took place; each second at the most, once a day at the least. 60 seconds.
    pub fn access_period(mut self, period: Duration) -> Self {
        self.access_period = period.min(Duration::from_secs(24 * 60 * 60));
        self
    }

    /// Keeps an encrypted copy of values, from which the manager serves when it starts while a
    /// provider cannot be reached. See [`snapshot`](crate::snapshot).
    #[cfg(feature = "snapshot")]
    pub fn snapshot(mut self, snapshot: crate::snapshot::Snapshot) -> Self {
        self.snapshot = Some(snapshot);
        self
    }

    /// The manager. Nothing is read, and nothing runs yet.
    ///
    /// # Errors
    /// [`BuildError`] when the policy has problems, two providers have one identity, or aliases do not
    /// lead to a secret.
    pub fn build(self) -> Result<SecretManager, BuildError> {
        let problems = self.policy.problems();
        if !problems.is_empty() {
            return Err(BuildError::Policy { problems });
        }
        let aliases = Aliases::new(&self.aliases)?;
        let mut sources: Vec<Arc<Source>> = Vec::new();
        let main = self.source(0, Arc::clone(&self.main))?;
        sources.push(Arc::clone(&main));
        for provider in &self.others {
            if sources.iter().any(|other| other.provider.id() == provider.id()) {
                return Err(BuildError::SameIdentity { id: provider.id().clone() });
            }
            sources.push(self.source(sources.len(), Arc::clone(provider))?);
        }
        let ledger = Ledger::new(Arc::clone(&self.clock), self.audit.is_some());
        let ids = sources.iter().map(|source| source.provider.id().clone()).collect();
        let last_known = self.last_known(ids);
        let setting = Setting {
            sources,
            ledger,
            health: self.health,
            probes: Probes::default(),
            label: self.label,
            access_period: self.access_period,
            terms: Terms { policy: self.policy, jitter: self.jitter },
            pulse: Arc::new(Pulse::new()),
            last_known,
            rule: ValidityRule { clock: self.clock, policy: self.validity },
            aliases,
        };
        let tenancy = Tenancy::new(setting);
        Ok(SecretManager::new(CachedProvider { tenancy, source: main }))
    }

    #[cfg(feature = "snapshot")]
    fn last_known(&self, ids: Vec<ProviderId>) -> Option<Arc<dyn LastKnown>> {
        let snapshot = self.snapshot.clone()?;
        Some(Arc::new(crate::snapshot::Keeper::new(snapshot, ids, Arc::clone(&self.clock))))
    }

    #[cfg(not(feature = "snapshot"))]
    fn last_known(&self, _ids: Vec<ProviderId>) -> Option<Arc<dyn LastKnown>> {
        None
    }

    fn source(
        &self,
        number: usize,
        provider: Arc<dyn SecretProvider>,
    ) -> Result<Arc<Source>, BuildError> {
        let limit = self.policy.call_timeout;
        let witness = |log: &AuditLog| {
            Witness::new(log.clone(), Arc::clone(&self.clock), provider.id(), limit)
        };
        let witness = self.audit.as_ref().map(witness);
        let aliases = if number == Aliases::SOURCE { self.aliases.len() } else { 0 };
        let source = Source::new(number, provider, (&self.policy, aliases), self.label, witness);
        source.map(Arc::new).map_err(|error| BuildError::Index { error })
    }
}

/// Shows the providers and the policy.
impl fmt::Debug for SecretManagerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let providers: Vec<_> =
            std::iter::once(&self.main).chain(&self.others).map(|provider| provider.id()).collect();
        f.debug_struct("SecretManagerBuilder")
            .field("providers", &providers)
            .field("aliases", &self.aliases)
            .field("policy", &self.policy)
            .field("validity", &self.validity)
            .finish_non_exhaustive()
    }
}

/// Why a manager cannot be built.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The policy is not usable.
    #[error("the cache policy is not usable: {}", problems.join("; "))]
    Policy {
        /// All that is wrong with it.
        problems: Vec<&'static str>,
    },
    /// Two providers have one identity.
    #[error("two providers are `{id}`")]
    SameIdentity {
        /// The identity.
        id: ProviderId,
    },
    /// Two aliases have one name.
    #[error("two aliases are called `{name}`")]
    SameAlias {
        /// The name.
        name: SecretName,
    },
    /// An alias stands for itself in the end.
    #[error("aliases lead back to where they were: {}", Path(names))]
    AliasCycle {
        /// The aliases, in the order in which one stands for the next; the last was there before.
        names: Vec<SecretName>,
    },
    /// An alias stands for another one, and each for another version.
    #[error("the alias `{name}` and what it stands for name different versions")]
    AliasVersions {
        /// The name.
        name: SecretName,
    },
    /// The index of names cannot be made.
    #[error("the index of names cannot be made")]
    Index {
        /// Why.
        #[source]
        error: Error,
    },
}

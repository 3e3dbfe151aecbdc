use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use secrets_core::{ErrorKind, HealthStatus, ProviderId, SecretRef, VersionId};

use crate::cache::held::Kind;
use crate::cache::usage::Usage;

/// How a manager is, in all that can be told without reading a value. Holds none.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthReport {
    /// In one word: the worst of the reasons.
    pub status: ManagerStatus,
    /// Why; empty when all is well. Each once.
    pub reasons: Vec<HealthReason>,
    /// When this was found, by the manager's clock.
    pub at: SystemTime,
    /// What the providers say of themselves, in the order in which they were given.
    pub providers: Vec<ProviderHealth>,
    /// Whether anybody keeps values fresh.
    pub run: RunState,
    /// How much is in the cache.
    pub usage: Usage,
    /// What handles show: one count for each name that is held.
    pub handles: StateCounts,
    /// What handles show that is not fresh, the worst first: as many as the policy lets be listed.
    pub not_fresh: Vec<HeldSecret>,
    /// Versions in the cache that expire within the horizon, or have expired, the earliest first: as
    /// many as the policy lets be listed.
    pub near_expiry: Vec<NearExpiry>,
    /// How many those are in all.
    pub near_expiry_count: usize,
    /// How far the one of the held secrets that is furthest past its time to live is past it.
    pub oldest_staleness: Option<Duration>,
    /// How many audit events were lost since the log began; `None` without one.
    pub audit_events_lost: Option<u64>,
}

/// A manager in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ManagerStatus {
    /// Every handle shows a fresh value.
    Healthy,
    /// Every handle has a value that may be used, but something needs attention.
    Degraded,
    /// Some handle has no value that may be used, or nobody can tell.
    Unhealthy,
}

/// Declares reasons with their names and what follows from them.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal => $status:ident,)+) => {
        /// Why a manager is not healthy.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum HealthReason { $($(#[$doc])* $variant,)+ }

        impl HealthReason {
            /// All of them, the worst first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it makes of the manager.
            #[must_use]
            pub const fn status(self) -> ManagerStatus {
                match self { $(Self::$variant => ManagerStatus::$status,)+ }
            }
        }
    };
}

reasons! {
    /// The run future is late: its executor is blocked.
    RunStalled = "run_stalled" => Unhealthy,
    /// A secret that a handle holds is gone.
    SecretGone = "secret_gone" => Unhealthy,
    /// A secret that a handle holds has expired, or is not valid yet.
    SecretInvalid = "secret_invalid" => Unhealthy,
    /// A secret that a handle holds was not confirmed for longer than it may be used.
    SecretTooStale = "secret_too_stale" => Unhealthy,
    /// A secret that a handle holds is past its time to live.
    SecretStale = "secret_stale" => Degraded,
    /// There are handles, and nobody keeps them fresh.
    NotRunning = "not_running" => Degraded,
    /// Values come from a snapshot, and were not confirmed yet.
    FromSnapshot = "from_snapshot" => Degraded,
    /// A provider says that it does not serve.
    ProviderUnhealthy = "provider_unhealthy" => Degraded,
    /// A provider did not say how it is.
    ProviderFailing = "provider_failing" => Degraded,
    /// A provider says that something needs attention.
    ProviderDegraded = "provider_degraded" => Degraded,
    /// A version expires within the horizon.
    ExpiresSoon = "expires_soon" => Degraded,
    /// Audit events were lost.
    AuditLost = "audit_lost" => Degraded,
}

/// Whether anybody keeps values fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunState {
    /// The run future keeps its promises.
    Running,
    /// It is later than it promised.
    Stalled,
    /// There is none.
    NotRunning,
}

/// What a handle shows, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HandleState {
    /// The provider says that it no longer exists, is disabled or destroyed.
    Gone,
    /// It has expired, or is not valid yet.
    Invalid,
    /// Nobody refreshes it.
    Orphaned,
    /// Past its time to live.
    Stale,
    /// Within its time to live.
    Fresh,
}

/// How many names are held, by what their handles show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StateCounts {
    /// Within their time to live.
    pub fresh: usize,
    /// Past it.
    pub stale: usize,
    /// No longer there.
    pub gone: usize,
    /// Outside their bounds of validity.
    pub invalid: usize,
    /// Refreshed by nobody.
    pub orphaned: usize,
}

/// What one provider says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProviderHealth {
    /// Which.
    pub id: ProviderId,
    /// In one word; `Unknown` also where it failed to say.
    pub status: HealthStatus,
    /// Why, in its own words: 16 findings of 256 characters at most, each on one line, with what is
    /// not printable escaped.
    pub findings: Vec<Cow<'static, str>>,
    /// Why it did not say.
    pub error: Option<ErrorKind>,
    /// How long it took to say.
    pub took: Duration,
}

/// A secret whose handles show something else than a fresh value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldSecret {
    /// Its provider.
    pub provider: ProviderId,
    /// The secret, or the alias by which it is held.
    pub reference: SecretRef,
    /// The version that the handles show.
    pub version: VersionId,
    /// What they show.
    pub state: HandleState,
    /// Whether a checked load gives the value.
    pub is_usable: bool,
    /// How far it is past its time to live; of a field that the newest version does not have, for how
    /// long it has been missed.
    pub staleness: Duration,
    /// What the provider said last, where it was an error.
    pub error: Option<ErrorKind>,
}

/// A version that expires soon, or has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NearExpiry {
    /// Its provider.
    pub provider: ProviderId,
    /// The secret.
    pub reference: SecretRef,
    /// The version.
    pub version: VersionId,
    /// When.
    pub expires: SystemTime,
    /// Whether a handle holds it.
    pub is_held: bool,
}

impl ManagerStatus {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

impl RunState {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stalled => "stalled",
            Self::NotRunning => "not running",
        }
    }
}

impl HandleState {
    /// The same as [`SecretState::as_str`](secrets_core::SecretState::as_str).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => Kind::Fresh.as_str(),
            Self::Stale => Kind::Stale.as_str(),
            Self::Gone => Kind::Gone.as_str(),
            Self::Invalid => Kind::Invalid.as_str(),
            Self::Orphaned => Kind::Orphaned.as_str(),
        }
    }
}

impl From<Kind> for HandleState {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Fresh => Self::Fresh,
            Kind::Stale => Self::Stale,
            Kind::Gone => Self::Gone,
            Kind::Invalid => Self::Invalid,
            Kind::Orphaned => Self::Orphaned,
        }
    }
}

impl StateCounts {
    pub(crate) fn count(&mut self, kind: Kind) {
        *match kind {
            Kind::Fresh => &mut self.fresh,
            Kind::Stale => &mut self.stale,
            Kind::Gone => &mut self.gone,
            Kind::Invalid => &mut self.invalid,
            Kind::Orphaned => &mut self.orphaned,
        } += 1;
    }

    /// All of them.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.fresh + self.stale + self.gone + self.invalid + self.orphaned
    }
}

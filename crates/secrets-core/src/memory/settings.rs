use std::num::NonZeroU32;
use std::time::Duration;

use crate::capability::{Capabilities, Consistency, Support};
use crate::memory::fault::{Fault, Faults};
use crate::memory::personality::Personality;
use crate::memory::shelf::{KEPT_STATES, Lag};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How a store behaves, where its cloud leaves a choice.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) personality: Personality,
    pub(crate) seed: u64,
    pub(crate) page_size: NonZeroU32,
    pub(crate) max_value_len: Option<usize>,
    pub(crate) recovery_window: Option<Duration>,
    pub(crate) within: Option<Duration>,
    pub(crate) propagation: Duration,
    pub(crate) deleting: Duration,
    pub(crate) recovering: Duration,
    pub(crate) destroy_delay: Option<Duration>,
    pub(crate) purge_protection: bool,
    pub(crate) announces: bool,
}

impl Settings {
    pub(crate) fn new(personality: Personality) -> Self {
        Self {
            personality,
            seed: 0,
            page_size: NonZeroU32::MIN.saturating_add(99),
            max_value_len: None,
            recovery_window: None,
            within: None,
            propagation: Duration::ZERO,
            deleting: Duration::ZERO,
            recovering: Duration::ZERO,
            destroy_delay: None,
            purge_protection: false,
            announces: false,
        }
    }

    /// The declared delay within which reads see a change.
    pub(crate) fn within(&self) -> Duration {
        self.within.unwrap_or(self.personality.usual_delay())
    }

    /// The time for which a deleted secret is kept when nobody asks for another.
    pub(crate) fn recovery_window(&self) -> Duration {
        self.recovery_window.unwrap_or(self.personality.usual_window())
    }

    /// Puts what was chosen into what the personality can do.
    pub(crate) fn adjust(&self, mut capabilities: Capabilities) -> Capabilities {
        let within = self.within();
        capabilities.consistency = match capabilities.consistency {
            Consistency::Strong => Consistency::Strong,
            Consistency::ExactVersion { .. } => Consistency::ExactVersion { others_within: within },
            Consistency::Eventual { .. } => Consistency::Eventual { within },
        };
        if let Some(len) = self.max_value_len {
            capabilities.limits.value_len = capabilities.limits.value_len.min(len);
        }
        if self.purge_protection {
            capabilities.delete = Support::No;
        }
        if self.announces {
            capabilities.changes = Support::Native;
        }
        capabilities
    }

    pub(crate) fn check(&self) -> Result<(), MemoryConfigError> {
        let whole_days = |d: Duration| d.as_nanos().is_multiple_of(DAY.as_nanos());
        let window = self.recovery_window();
        let window_fits = match self.personality {
            Personality::Aws => whole_days(window) && (7 * DAY..=30 * DAY).contains(&window),
            Personality::Azure => whole_days(window) && (7 * DAY..=90 * DAY).contains(&window),
            Personality::Google => self.recovery_window.is_none(),
        };
        if !window_fits {
            return Err(MemoryConfigError::RecoveryWindow);
        }
        if self.purge_protection && self.personality != Personality::Azure {
            return Err(MemoryConfigError::PurgeProtection);
        }
        if self.destroy_delay.is_some_and(|d| self.personality != Personality::Google || d < DAY) {
            return Err(MemoryConfigError::DestroyDelay);
        }
        if self.deleting > DAY || self.recovering > DAY {
            return Err(MemoryConfigError::Phase);
        }
        if self.propagation > self.within() {
            return Err(MemoryConfigError::StalerThanDeclared { within: self.within() });
        }
        Ok(())
    }

    pub(crate) fn check_faults(
        &self,
        faults: &Faults,
        has_sleeper: bool,
    ) -> Result<(), MemoryConfigError> {
        for fault in faults.faults() {
            match fault {
                Fault::Delay { min, max } if min > max => {
                    return Err(MemoryConfigError::DelayBounds);
                }
                Fault::Delay { .. } if !has_sleeper => return Err(MemoryConfigError::NoSleeper),
                Fault::Stale(Lag::Time(lag)) if *lag > self.within() => {
                    return Err(MemoryConfigError::StalerThanDeclared { within: self.within() });
                }
                Fault::Stale(Lag::Changes(changes)) if *changes as usize > KEPT_STATES => {
                    return Err(MemoryConfigError::TooManyChanges);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Why a [`MemoryProvider`](super::MemoryProvider) cannot be built, or faults cannot be injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryConfigError {
    /// A delay was asked for, and nothing to wait with was given.
    #[error("a delay needs a sleeper: this crate has no runtime")]
    NoSleeper,
    /// A delay's shortest time is above its longest.
    #[error("the shortest delay is longer than the longest")]
    DelayBounds,
    /// Reads would lag more than the provider declares.
    #[error("reads may lag {within:?} at most: declare more to have them lag more")]
    StalerThanDeclared {
        /// What is declared.
        within: Duration,
    },
    /// A stale read would go further back than states are kept.
    #[error("at most {KEPT_STATES} earlier states of a secret are kept")]
    TooManyChanges,
    /// The personality does not have this window for deleted secrets.
    #[error(
        "aws keeps deleted secrets for 7 to 30 whole days, azure for 7 to 90, google not at all"
    )]
    RecoveryWindow,
    /// A deletion or a recovery would take longer than a day.
    #[error("a deletion or a recovery takes a day at most")]
    Phase,
    /// Only Azure has purge protection.
    #[error("only the azure personality has purge protection")]
    PurgeProtection,
    /// Only Google delays the destruction of versions, by a day at least.
    #[error("only the google personality delays destruction, by 24 hours at least")]
    DestroyDelay,
}

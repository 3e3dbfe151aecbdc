use std::time::Duration;

use secrets_core::{Error, Retry};

use crate::cache::jitter::Jitter;
use crate::cache::policy::Backoff;

/// A source cannot ask for a longer pause than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// When credentials are renewed, and what is done when that fails.
#[derive(Debug, Clone, PartialEq)]
pub struct RenewalPolicy {
    pub(crate) at: f64,
    pub(crate) jitter: f64,
    pub(crate) backoff: Backoff,
    pub(crate) call_timeout: Duration,
}

impl Default for RenewalPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl RenewalPolicy {
    /// The defaults, which stand at each setting.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            at: 2.0 / 3.0,
            jitter: 0.1,
            backoff: Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(60) },
            call_timeout: Duration::from_secs(30),
        }
    }

    /// At which part of its life a credential is renewed, between 0 and 1, and by which part of that
    /// time it may happen earlier at random. Two thirds and 0.1.
    #[must_use]
    pub const fn with_renewal_at(mut self, part: f64, jitter: f64) -> Self {
        (self.at, self.jitter) = (part.clamp(0.0, 1.0), jitter.clamp(0.0, 1.0));
        self
    }

    /// Pauses after failures; the first one is also the least time between two renewals, however
    /// short the life is. 1 second to a minute.
    #[must_use]
    pub const fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// How long the source may take. 30 seconds.
    #[must_use]
    pub const fn with_call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// How long after it was issued a credential of this life is renewed.
    pub(crate) fn renew_after(&self, life: Duration, jitter: &Jitter) -> Duration {
        let at = jitter.shorten(life.mul_f64(self.at), self.jitter);
        at.max(self.backoff.first)
    }

    /// How long to leave the source alone after so many failures in a row.
    pub(crate) fn pause(&self, failures: u32, error: &Error, jitter: &Jitter) -> Duration {
        let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let longest = self.backoff.first.saturating_mul(factor).min(self.backoff.longest);
        let own = jitter.shorten(longest, 0.5);
        match error.retry() {
            Retry::After(asked) => {
                // Later at random, so that a fleet does not come back in step.
                own.max(asked.min(LONGEST_PAUSE) + jitter.shorten(self.backoff.first, 1.0))
            }
            _ => own,
        }
    }
}

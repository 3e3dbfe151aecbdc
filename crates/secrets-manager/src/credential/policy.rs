use std::num::NonZeroU32;
use std::time::Duration;

use crate::credential::moments::doubled;

/// How far [`with_secret`](crate::with_secret) goes when a resource refuses a credential.
///
/// ```
/// use secrets_manager::UsePolicy;
/// use std::time::Duration;
///
/// let policy = UsePolicy::new().with_budget(Duration::from_secs(10)).with_pending();
/// # let _ = policy;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsePolicy {
    pub(crate) budget: Duration,
    pub(crate) tries_pending: bool,
    pub(crate) cool_down: Duration,
    pub(crate) refusals: NonZeroU32,
    pub(crate) patience: Duration,
    pub(crate) trust: Duration,
}

impl Default for UsePolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl UsePolicy {
    /// The defaults, which stand at each setting.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            budget: Duration::from_secs(30),
            tries_pending: false,
            cool_down: Duration::from_secs(60),
            refusals: NonZeroU32::MIN.saturating_add(2),
            patience: Duration::from_secs(5),
            trust: Duration::from_secs(10),
        }
    }

    /// For how long after the first refusal, or the first wait, another attempt may begin and the
    /// provider is waited for. An attempt that has begun is not cut off: how long it may take only
    /// its closure knows. 30 seconds.
    #[must_use]
    pub const fn with_budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }

    /// Also tries the pending version, when the current and the previous one are refused: a rotation
    /// may have set it at the resource and not promoted it yet. It sends a value that nobody has
    /// tested, and needs a right that applications seldom have; where reading it fails it is left
    /// out. Not tried unless set.
    #[must_use]
    pub const fn with_pending(mut self) -> Self {
        self.tries_pending = true;
        self
    }

    /// How long a version that was refused is left alone; twice as long after each further
    /// refusal, up to 32 times. A minute.
    #[must_use]
    pub const fn with_cool_down(mut self, cool_down: Duration) -> Self {
        self.cool_down = cool_down;
        self
    }

    /// How often the resource may refuse in a row, whatever versions it is sent, before this process
    /// sends it nothing again that it refused, unless it is told to
    /// [`forget`](crate::SecretHandle::forget_refusals). Set it below the number at which the resource
    /// locks the account, by the number of processes that use it. 3.
    ///
    /// On top comes what was never refused: each version is tried once, so the current, the
    /// previous and the pending one may be refused once each even where this is 1. When so many
    /// refusals, and three at least, came in a row, another new version waits until the cool-down
    /// has passed since the last one: once, twice, four times, up to 32 times.
    #[must_use]
    pub const fn with_refusals(mut self, refusals: NonZeroU32) -> Self {
        self.refusals = refusals;
        self
    }

    /// How long others wait for the one who tries a version first, before one more tries it: longer
    /// than a login takes. 5 seconds.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How long it counts that somebody was accepted with a version. When nobody was for longer, one
    /// goes first again and the others wait for what comes of it, for `patience` at most: a pool that
    /// connects anew after a while sends a password that was revoked meanwhile once, and not once for
    /// each connection. Where the work takes longer than this, [`Attempt::accepted`] ends the wait.
    /// 10 seconds.
    ///
    /// [`Attempt::accepted`]: crate::Attempt::accepted
    #[must_use]
    pub const fn with_trust(mut self, trust: Duration) -> Self {
        self.trust = trust;
        self
    }

    /// How long a version is left alone after so many refusals in a row; `None` for good.
    pub(crate) fn rest(&self, refusals: u32) -> Option<Duration> {
        (refusals < self.refusals.get())
            .then(|| doubled(self.cool_down, refusals.saturating_sub(1)))
    }
}

use std::time::SystemTime;

use crate::value::Secret;

/// What a handle holds: the last value that was read, and what is known of it now.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SecretState {
    /// Read or confirmed within its time to live.
    Fresh(Secret),
    /// Past its time to live and not confirmed since: the provider fails, or has not been asked.
    Stale {
        /// The last value.
        secret: Secret,
        /// Since when it has been stale.
        since: SystemTime,
    },
    /// The provider says that it no longer exists, is disabled or destroyed.
    Gone {
        /// The last value, where there was one.
        last: Option<Secret>,
    },
    /// Outside its bounds of validity: expired, or not valid yet.
    Invalid {
        /// The last value.
        secret: Secret,
    },
    /// Nobody refreshes it: the manager's run future was dropped, or has not started yet.
    Orphaned {
        /// The last value.
        secret: Secret,
    },
}

impl SecretState {
    /// The last value, whatever its state.
    pub fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Fresh(secret)
            | Self::Stale { secret, .. }
            | Self::Invalid { secret }
            | Self::Orphaned { secret } => Some(secret),
            Self::Gone { last } => last.as_ref(),
        }
    }

    /// True while the value is within its time to live.
    pub fn is_fresh(&self) -> bool {
        matches!(self, Self::Fresh(_))
    }

    /// The state in one word, for logs and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Fresh(_) => "fresh",
            Self::Stale { .. } => "stale",
            Self::Gone { .. } => "gone",
            Self::Invalid { .. } => "invalid",
            Self::Orphaned { .. } => "orphaned",
        }
    }
}

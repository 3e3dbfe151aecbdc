//! How time passes where the secrets are.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrets_core::{Capabilities, Consistency};

/// So long is waited for a server on this machine, whatever the suite would wait.
const A_MOMENT: Duration = Duration::from_millis(20);

/// How time passes, and how late writes show.
#[derive(Clone)]
#[non_exhaustive]
pub enum Passing {
    /// As on an account: in real time, with AWS's delays, which have no bound. A check may take half an hour.
    Account,
    /// In real time, and every write shows at once or in a moment: the suite asks as often, without its pauses. A check may
    /// take five minutes.
    AtOnce,
    /// When it is moved, by this function: a double's clock. Lists are five minutes behind. A check may take five minutes.
    Clock(Arc<dyn Fn(Duration) + Send + Sync>),
}

impl Passing {
    pub(crate) async fn sleep(&self, time: Duration) {
        match self {
            Self::Account => tokio::time::sleep(time).await,
            Self::AtOnce => tokio::time::sleep(time.min(A_MOMENT)).await,
            Self::Clock(advance) => {
                advance(time);
                // Others of the same runtime get their turn.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    /// What bounds a hang, not what a check takes: a slow machine must not come near it.
    pub(crate) fn limit(&self) -> Duration {
        let minutes = if matches!(self, Self::Account) { 30 } else { 5 };
        Duration::from_secs(minutes * 60)
    }

    pub(crate) fn patience(&self, capabilities: &Capabilities) -> Duration {
        match (self, capabilities.consistency) {
            (Self::Clock(_), _) => Duration::from_secs(15 * 60),
            (_, Consistency::Eventual { within }) => within.saturating_mul(3),
            _ => Duration::from_secs(30),
        }
    }

    pub(crate) fn lateness(&self) -> Duration {
        match self {
            Self::AtOnce => A_MOMENT,
            // The most that the suite waits unless it is told.
            _ => Duration::from_secs(5),
        }
    }

    /// A hint takes real time, however fast a clock is moved: the suite's steps through this take some real time each, which
    /// together have to last.
    pub(crate) fn hints_within(&self) -> Duration {
        Duration::from_secs(if self.can_be_moved() { 60 * 60 } else { 60 })
    }

    pub(crate) fn can_be_moved(&self) -> bool {
        matches!(self, Self::Clock(_))
    }

    pub(crate) fn advance(&self, by: Duration) {
        if let Self::Clock(advance) = self {
            advance(by);
        }
    }
}

impl fmt::Debug for Passing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account => "Account",
            Self::AtOnce => "AtOnce",
            Self::Clock(_) => "Clock",
        })
    }
}

use std::collections::hash_map::RandomState;
use std::fmt;
use std::future::pending;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::capability::{Capabilities, Consistency};
use crate::error::Result;
use crate::name::{InvalidName, SecretName};
use crate::provider::SecretProvider;
use crate::value::SecretValue;

/// What the author of a provider writes to run the suite: the provider, names that it may use, a
/// way to wait, and hooks that reach the backend past the provider.
///
/// [`provider`](Self::provider), [`run_id`](Self::run_id) and [`sleep`](Self::sleep) are required.
/// A check that needs a hook which is missing is reported as not run, and a report with such a
/// check is not conformant: give the hook, or say in [`waives`](Self::waives) why there is none.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The provider under test. The account behind it may hold other secrets.
    fn provider(&self) -> Arc<dyn SecretProvider>;

    /// What makes this run's names its own.
    fn run_id(&self) -> &RunId;

    /// Waits. The suite never sleeps for a fixed time where it can ask again instead. On a backend
    /// with a clock of its own this moves that clock.
    async fn sleep(&self, time: Duration);

    /// Ends when one check has taken too long; it then fails, and the next one starts. Called
    /// anew for each check and for its clean-up. Never ends unless it is implemented, so that a provider that hangs hangs the suite.
    async fn time_limit(&self) {
        pending().await
    }

    /// How long to ask again before a read that should have changed counts as wrong. Three times the
    /// delay that the provider declares; a strongly consistent one is asked once.
    fn patience(&self, capabilities: &Capabilities) -> Duration {
        match capabilities.consistency {
            Consistency::Strong => Duration::ZERO,
            Consistency::ExactVersion { others_within } => others_within.saturating_mul(3),
            Consistency::Eventual { within } => within.saturating_mul(3),
        }
    }

    /// How long to wait before a change that must not happen counts as not having happened. The delay
    /// that the provider declares, five seconds at most; not at all where it is strongly consistent.
    fn lateness(&self, capabilities: &Capabilities) -> Duration {
        const MOST: Duration = Duration::from_secs(5);
        match capabilities.consistency {
            Consistency::Strong => Duration::ZERO,
            Consistency::ExactVersion { others_within } => others_within.min(MOST),
            Consistency::Eventual { within } => within.min(MOST),
        }
    }

    /// How long to wait for a hint at a change: ten seconds.
    fn hints_within(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// A name that the suite may write, from a label of `[a-z0-9.-]`. Different labels must give
    /// different names, and a label that starts another one a name that starts the other.
    ///
    /// # Errors
    /// When the label makes no name.
    fn name(&self, label: &str) -> Result<SecretName, InvalidName> {
        SecretName::new(&format!("conformance/{}/{label}", self.run_id()))
    }

    /// Reads as a foreign client of the backend does, which knows nothing of this library.
    fn plain_reader(&self) -> Option<&dyn PlainReader> {
        None
    }

    /// Writes as a foreign client of the backend does. A provider that only reads needs it for all
    /// checks that read something.
    fn plain_writer(&self) -> Option<&dyn PlainWriter> {
        None
    }

    /// Moves the backend's clock.
    fn clock(&self) -> Option<&dyn ClockHand> {
        None
    }

    /// Whether the backend takes such values. What it does not take must be refused as
    /// `InvalidValue`, not changed.
    fn takes(&self, class: ValueClass) -> bool {
        let _ = class;
        true
    }

    /// Whether the backend can hold entries that the provider would list under a native id: those
    /// that are no name's form. Only where the rules cannot tell is there a reason to say no;
    /// the suite then sees that the provider takes none.
    fn holds_foreign(&self) -> bool {
        true
    }

    /// The largest value that the suite should write, in bytes, where the provider declares more.
    fn largest_value(&self) -> usize {
        4 * 1024 * 1024
    }

    /// Credentials of the provider itself (pass phrases, tokens): they must not show either.
    fn credentials(&self) -> Vec<SecretValue> {
        Vec::new()
    }

    /// Why a hook is missing, where that is known and accepted.
    fn waives(&self, hook: Hook) -> Option<&'static str> {
        let _ = hook;
        None
    }
}

/// A foreign client that reads.
#[async_trait]
pub trait PlainReader: Send + Sync {
    /// What a read gives that names no version, by the backend's own name; `None` where there is
    /// nothing.
    ///
    /// # Errors
    /// When the backend cannot be read.
    async fn read(&self, native: &str) -> Result<Option<SecretValue>>;
}

/// A foreign client that writes.
#[async_trait]
pub trait PlainWriter: Send + Sync {
    /// Writes a value that plain reads then see, by the backend's own name.
    ///
    /// # Errors
    /// `InvalidValue` for a value that the backend cannot hold, or what went wrong.
    async fn write(&self, native: &str, value: SecretValue) -> Result<()>;

    /// Takes an entry away, to clean up. Absent entries are no error.
    ///
    /// # Errors
    /// What went wrong.
    async fn remove(&self, native: &str) -> Result<()>;
}

/// The hand that moves a backend's clock.
#[async_trait]
pub trait ClockHand: Send + Sync {
    /// Moves the clock forward.
    async fn advance(&self, by: Duration);
}

/// What a harness may leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hook {
    /// [`Harness::plain_reader`].
    PlainReader,
    /// [`Harness::plain_writer`].
    PlainWriter,
    /// [`Harness::clock`].
    Clock,
    /// [`KeyHarness::rotator`](super::KeyHarness::rotator).
    KeyRotator,
}

impl Hook {
    /// The method of [`Harness`] or [`KeyHarness`](super::KeyHarness) that gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PlainReader => "plain_reader",
            Self::PlainWriter => "plain_writer",
            Self::Clock => "clock",
            Self::KeyRotator => "rotator",
        }
    }
}

/// Sorts of values that not every backend takes. Plain text has to work everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueClass {
    /// No bytes at all.
    Empty,
    /// Bytes with `0x00` among them.
    ZeroBytes,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// Text with line ends, tabs and a byte-order mark.
    Whitespace,
}

/// What makes the names of one run its own: 1 to 24 of `[a-z0-9]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunId(Box<str>);

impl RunId {
    /// An id that two runs do not share: 48 bits from the hash keys that the standard library draws
    /// at random.
    pub fn random() -> Self {
        Self(format!("{:012x}", RandomState::new().hash_one(()) >> 16).into())
    }

    /// An id of choice, to make a run repeatable on an account of its own.
    ///
    /// # Errors
    /// [`InvalidName`] when it is not 1 to 24 of `[a-z0-9]`.
    pub fn new(id: &str) -> Result<Self, InvalidName> {
        let sound = (1..=24).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !sound {
            return Err(InvalidName::NotUsable { reason: "a run id is 1 to 24 of a-z and 0-9" });
        }
        Ok(Self(id.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

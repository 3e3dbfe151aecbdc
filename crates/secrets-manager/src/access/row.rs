use std::fmt;
use std::time::SystemTime;

use audit_log::{Actor, Code, Context};
use secrets_core::{ProviderId, SecretRef, VersionSelector};

/// In whose name a handle is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reader {
    /// A part of the program, by the label that it gave.
    Label(Code),
    /// Who acted in the task that took the handle.
    Actor(Actor),
    /// The service itself: there was neither label nor actor.
    Service,
    /// Readers of long ago, of whom there were too many to tell apart.
    Others,
}

impl Reader {
    /// Who acts in the running task.
    pub(crate) fn of_task() -> Self {
        Context::current().and_then(|context| context.actor).map_or(Self::Service, Self::Actor)
    }

    pub(crate) fn actor(&self) -> Option<Actor> {
        match self {
            Self::Label(label) => Some(Actor::service((*label).into())),
            Self::Actor(actor) => Some(actor.clone()),
            Self::Service | Self::Others => None,
        }
    }

    /// The context of what it did in sum.
    pub(crate) fn context(&self) -> Context {
        self.actor().map_or_else(Context::new, |actor| Context::new().with_actor(actor))
    }
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(label) => label.fmt(f),
            Self::Actor(actor) => actor.id.fmt(f),
            Self::Service => f.write_str("the service"),
            Self::Others => f.write_str("others"),
        }
    }
}

/// What one reader did with handles on one secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessRow {
    /// The provider of the secret.
    pub provider: ProviderId,
    /// The secret.
    pub reference: SecretRef,
    /// Which version the handles follow.
    pub selector: VersionSelector,
    /// Who.
    pub reader: Reader,
    /// How often the value was loaded.
    pub loads: u64,
    /// When the first handle was taken.
    pub issued: SystemTime,
    /// When loads were first seen: up to a period of counting after the first.
    pub first_used: Option<SystemTime>,
    /// When loads were last seen: up to a period of counting after the last.
    pub last_used: Option<SystemTime>,
    /// Whether a handle is still held.
    pub is_held: bool,
    /// Whether values were derived from a handle, or followed: their loads are not counted.
    pub is_followed: bool,
}

impl AccessRow {
    /// Whether nobody ever used what was taken.
    #[must_use]
    pub const fn is_unused(&self) -> bool {
        self.loads == 0 && !self.is_followed
    }
}

/// One line, without times.
impl fmt::Display for AccessRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { provider, reference, reader, loads, .. } = self;
        write!(f, "{reference} of {provider}, by {reader}: {loads} loads")?;
        if self.is_followed {
            f.write_str(", and followed")?;
        }
        if self.is_unused() {
            f.write_str(", never used")?;
        }
        Ok(())
    }
}

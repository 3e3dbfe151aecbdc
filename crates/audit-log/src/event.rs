use std::num::NonZeroU64;
use std::time::SystemTime;

use crate::action::{Action, Class};
use request_context::{Code, Context, Id};

/// Something that happened: who did what to what, with which outcome, when and in which request.
///
/// There is no field for free text, for a value, or for a body: its parts are words of the program
/// ([`Code`]), identifiers ([`Id`](crate::Id)), numbers and addresses.
///
/// ```
/// use audit_log::{Action, Code, Entity, EntityActivity, Event, Id, Outcome};
///
/// let secret = Entity::new(Code::new("secret"), Id::new("billing/db-password")?);
/// let read = Event::new(Action::entity(EntityActivity::Read, secret), std::time::SystemTime::now())
///     .with_outcome(Outcome::Failure(Code::new("permission_denied")));
/// assert_eq!(read.class().uid(), 3004);
/// # Ok::<(), audit_log::InvalidId>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What was done.
    pub action: Action,
    /// Whether it succeeded.
    pub outcome: Outcome,
    /// How much it matters.
    pub severity: Severity,
    /// When it happened.
    pub time: SystemTime,
    /// In which request, and by whom.
    pub context: Context,
    /// What the program itself calls it, where the activity does not tell enough apart.
    pub code: Option<Code>,
    /// Set when it stands for many of its kind.
    pub aggregate: Option<Aggregate>,
    /// The requests that it took elsewhere, by the ids that were given there: what joins this trail
    /// with that of a cloud.
    pub store_requests: Vec<Id>,
    /// How many more there were, whose ids are not told.
    pub store_requests_left_off: u64,
}

impl Event {
    /// Something that succeeded, of no particular weight, in the context of the running task.
    #[must_use]
    pub fn new(action: Action, time: SystemTime) -> Self {
        Self {
            action,
            outcome: Outcome::Success,
            severity: Severity::Informational,
            time,
            context: Context::current().unwrap_or_default(),
            code: None,
            aggregate: None,
            store_requests: Vec::new(),
            store_requests_left_off: 0,
        }
    }

    /// With this outcome.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// With this weight.
    #[must_use]
    pub fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// In this context, whatever that of the task is.
    #[must_use]
    pub fn with_context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// Called this by the program (OCSF `metadata.event_code`).
    #[must_use]
    pub fn with_code(mut self, code: Code) -> Self {
        self.code = Some(code);
        self
    }

    /// Standing for many.
    #[must_use]
    pub fn with_aggregate(mut self, aggregate: Aggregate) -> Self {
        self.aggregate = Some(aggregate);
        self
    }

    /// With the requests that it took elsewhere (`unmapped.store_requests`).
    #[must_use]
    pub fn with_store_requests(mut self, ids: impl IntoIterator<Item = Id>) -> Self {
        self.store_requests.extend(ids);
        self
    }

    /// With so many more requests, whose ids are too many to tell
    /// (`unmapped.store_requests_left_off`).
    #[must_use]
    pub fn with_store_requests_left_off(mut self, count: u64) -> Self {
        self.store_requests_left_off = count;
        self
    }

    /// The class of what was done.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.action.class()
    }
}

/// Whether it succeeded (OCSF `status_id`), and why not (`status_code`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was not done, for this reason.
    Failure(Code),
    /// Whether it was done is not known: the answer was lost.
    Unknown(Code),
}

impl Outcome {
    pub(crate) const fn status_id(self) -> u8 {
        match self {
            Self::Success => 1,
            Self::Failure(_) => 2,
            Self::Unknown(_) => 0,
        }
    }

    pub(crate) const fn status(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::Failure(_) => "Failure",
            Self::Unknown(_) => "Unknown",
        }
    }

    /// Why it failed, or why it is not known.
    #[must_use]
    pub const fn reason(self) -> Option<Code> {
        match self {
            Self::Success => None,
            Self::Failure(reason) | Self::Unknown(reason) => Some(reason),
        }
    }
}

/// How much it matters (OCSF `severity_id`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// Nobody need do anything.
    Informational,
    /// Somebody may want to look.
    Low,
    /// Somebody should act, not at once.
    Medium,
    /// Somebody should act at once.
    High,
    /// Something has to be done now, and much is affected.
    Critical,
}

impl Severity {
    pub(crate) const fn id(self) -> u8 {
        match self {
            Self::Informational => 1,
            Self::Low => 2,
            Self::Medium => 3,
            Self::High => 4,
            Self::Critical => 5,
        }
    }
}

/// How often it happened, and from when to when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Aggregate {
    /// How often.
    pub count: NonZeroU64,
    /// When the first of them happened, or counting began.
    pub start: SystemTime,
    /// When the last of them happened, or counting ended.
    pub end: SystemTime,
}

impl Aggregate {
    /// So many between two times.
    #[must_use]
    pub const fn new(count: NonZeroU64, start: SystemTime, end: SystemTime) -> Self {
        Self { count, start, end }
    }
}

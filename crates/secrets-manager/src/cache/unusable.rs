use std::error::Error as StdError;
use std::fmt;

use secrets_core::{Error, ErrorKind, Operation};

/// Why a checked load gives no value. The last value still is in
/// [`SecretHandle::load`](crate::SecretHandle::load).
#[derive(Debug, Clone)]
pub struct Unusable {
    kind: UnusableKind,
    last_error: Option<Error>,
}

/// What keeps a value from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnusableKind {
    /// The provider says that it no longer exists, is disabled or destroyed.
    Gone,
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// It was not confirmed for longer than `stale_if_error` past its time to live.
    TooStale,
    /// The same, and nobody refreshes it: no run future is alive.
    Orphaned,
    /// The run future is late by more than `stall_after`: its executor is blocked.
    Stalled,
}

impl UnusableKind {
    /// The stable name, for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Expired => "expired",
            Self::NotYetValid => "not yet valid",
            Self::TooStale => "too stale",
            Self::Orphaned => "orphaned",
            Self::Stalled => "stalled",
        }
    }
}

impl Unusable {
    pub(crate) fn new(kind: UnusableKind, last_error: Option<Error>) -> Self {
        Self { kind, last_error }
    }

    pub(crate) fn gone() -> Self {
        Self::new(UnusableKind::Gone, None)
    }

    /// What keeps the value from being used.
    #[must_use]
    pub const fn kind(&self) -> UnusableKind {
        self.kind
    }

    /// What the provider said last, where it was an error.
    #[must_use]
    pub const fn last_error(&self) -> Option<&Error> {
        self.last_error.as_ref()
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            UnusableKind::Gone => "the secret is gone",
            UnusableKind::Expired => "the secret has expired",
            UnusableKind::NotYetValid => "the secret is not valid yet",
            UnusableKind::TooStale => "the secret was not confirmed for too long",
            UnusableKind::Orphaned => "nobody refreshes the secret: run the manager",
            UnusableKind::Stalled => "the manager's run future is stalled",
        })
    }
}

impl StdError for Unusable {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.last_error.as_ref().map(|error| error as &(dyn StdError + 'static))
    }
}

/// A secret that is gone keeps the provider's kind; where nobody asks, the kind is `Unavailable`.
impl From<Unusable> for Error {
    fn from(unusable: Unusable) -> Self {
        let kind = match (unusable.kind, &unusable.last_error) {
            (UnusableKind::Gone, Some(error)) => error.kind(),
            (UnusableKind::Gone, None) => ErrorKind::NotFound,
            (UnusableKind::Expired, _) => ErrorKind::Expired,
            (UnusableKind::NotYetValid, _) => ErrorKind::NotYetValid,
            (UnusableKind::TooStale | UnusableKind::Orphaned | UnusableKind::Stalled, _) => {
                ErrorKind::Unavailable
            }
        };
        let error = Self::new(kind, unusable.to_string()).with_operation(Operation::GetSecret);
        match unusable.last_error {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

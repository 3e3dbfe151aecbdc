use std::fmt;
use std::time::Duration;

use audit_log::Error as AuditError;
use secrets_core::{Effect, Error, ErrorKind, Operation};

/// Why something was refused: the audit trail did not take the event, and is set to fail closed.
///
/// It is the source of an `Unavailable` error of [`secrets_core`]:
///
/// ```
/// use secrets_manager::{NotRecorded, secrets_core::Error};
/// use std::error::Error as _;
///
/// fn is_for_want_of_a_record(error: &Error) -> bool {
///     error.source().is_some_and(|source| source.is::<NotRecorded>())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct NotRecorded(Why);

#[derive(Debug, Clone)]
enum Why {
    Failed(AuditError),
    Late(Duration),
}

impl NotRecorded {
    pub(crate) fn failed(error: AuditError) -> Self {
        Self(Why::Failed(error))
    }

    pub(crate) fn late(limit: Duration) -> Self {
        Self(Why::Late(limit))
    }

    /// What the trail said; `None` when it did not answer in time.
    #[must_use]
    pub const fn audit_error(&self) -> Option<&AuditError> {
        match &self.0 {
            Why::Failed(error) => Some(error),
            Why::Late(_) => None,
        }
    }

    /// The error for the caller, to whom nothing was given and for whom nothing was changed.
    pub(crate) fn refuse(self, operation: Operation) -> Error {
        Error::new(ErrorKind::Unavailable, "refused, for it cannot be recorded")
            .with_operation(operation)
            .with_effect(Effect::NotApplied)
            .with_source(self)
    }
}

impl fmt::Display for NotRecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Why::Failed(_) => f.write_str("the audit trail did not take the event"),
            Why::Late(limit) => write!(f, "the audit trail did not answer within {limit:?}"),
        }
    }
}

impl std::error::Error for NotRecorded {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.audit_error().map(|error| error as &(dyn std::error::Error + 'static))
    }
}

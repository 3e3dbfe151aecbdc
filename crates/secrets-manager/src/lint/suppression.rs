use serde::Deserialize;

use crate::lint::code::LintCode;
use crate::lint::finding::Finding;

/// A finding that is known and meant to be so: by code, name and reason.
///
/// ```
/// use secrets_manager::lint::{LintCode, Suppression};
///
/// let known = Suppression::new(LintCode::Duplicate, "billing/db", "shared until the move is over")?;
/// assert_eq!(known.reason(), "shared until the move is over");
/// assert!(Suppression::new(LintCode::Duplicate, "billing/db", " ").is_err());
/// # Ok::<(), secrets_manager::lint::InvalidSuppression>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Suppression {
    code: LintCode,
    name: String,
    reason: String,
}

/// As it stands in settings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    code: LintCode,
    name: String,
    reason: String,
}

/// Why something is no [`Suppression`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSuppression {
    /// It names nothing.
    #[error("a suppression needs the name of what it is about")]
    NoName,
    /// Nobody could tell later why it is there.
    #[error("a suppression needs a reason")]
    NoReason,
}

impl Suppression {
    /// Suppresses findings of one code about one secret, file (by its path as it was given) or
    /// setting.
    ///
    /// # Errors
    /// [`InvalidSuppression`] when the name or the reason is blank.
    pub fn new(code: LintCode, name: &str, reason: &str) -> Result<Self, InvalidSuppression> {
        match (name.trim(), reason.trim()) {
            ("", _) => Err(InvalidSuppression::NoName),
            (_, "") => Err(InvalidSuppression::NoReason),
            _ => Ok(Self { code, name: name.to_owned(), reason: reason.to_owned() }),
        }
    }

    /// What sort of finding.
    #[must_use]
    pub const fn code(&self) -> LintCode {
        self.code
    }

    /// What it is about.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why it is meant to be so.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    pub(super) fn covers(&self, finding: &Finding) -> bool {
        finding.code == self.code && finding.subject.name() == self.name
    }
}

impl TryFrom<Written> for Suppression {
    type Error = InvalidSuppression;

    fn try_from(written: Written) -> Result<Self, InvalidSuppression> {
        Self::new(written.code, &written.name, &written.reason)
    }
}

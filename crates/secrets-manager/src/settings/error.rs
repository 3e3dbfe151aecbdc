use std::fmt;

use secrets_core::Error;
use service_settings::Problems;

use super::start::StartWarning;
use crate::builder::BuildError;
use crate::required::RequiredReport;

/// Why a manager could not be started: all of it that could be found out.
#[derive(Debug)]
pub struct StartError {
    why: Box<Why>,
    warnings: Vec<StartWarning>,
}

#[derive(Debug)]
pub(super) enum Why {
    Settings(Problems),
    Providers(Vec<ProviderFailure>),
    Build(BuildError),
    Audit(String, AuditFailure),
    #[cfg_attr(not(feature = "snapshot"), expect(dead_code, reason = "there are no snapshots"))]
    Snapshot(String, Error),
    Required(RequiredReport),
}

/// Why there is no audit trail.
#[derive(Debug)]
pub(super) enum AuditFailure {
    /// A key of it, at this path, cannot be read.
    Key { path: String, error: Error },
    /// What stands there is none.
    KeyForm { path: String, error: audit_log::Error },
    /// It cannot be opened.
    Trail(audit_log::Error),
}

impl fmt::Display for AuditFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { path, .. } => write!(f, "`{path}` cannot be read"),
            Self::KeyForm { path, .. } => write!(f, "`{path}` is no key"),
            Self::Trail(_) => f.write_str("it cannot be opened"),
        }
    }
}

/// How far the start came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StartErrorKind {
    /// The settings have problems; nothing was touched.
    Settings,
    /// Providers could not be connected.
    Providers,
    /// The manager could not be built over them.
    Build,
    /// The audit trail cannot be opened, or its key cannot be read.
    Audit,
    /// The key of the snapshot cannot be read.
    Snapshot,
    /// Required secrets cannot be read, or break their rules.
    Required,
}

/// A provider that could not be connected.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProviderFailure {
    /// Its name, and where it stands, as `` app.toml:12: `secrets.providers.main` ``.
    pub provider: String,
    /// Why.
    pub error: Error,
}

impl StartError {
    /// How far the start came.
    #[must_use]
    pub fn kind(&self) -> StartErrorKind {
        match &*self.why {
            Why::Settings(_) => StartErrorKind::Settings,
            Why::Providers(_) => StartErrorKind::Providers,
            Why::Build(_) => StartErrorKind::Build,
            Why::Audit(..) => StartErrorKind::Audit,
            Why::Snapshot(..) => StartErrorKind::Snapshot,
            Why::Required(_) => StartErrorKind::Required,
        }
    }

    /// What is wrong with the settings, if that is why.
    #[must_use]
    pub fn problems(&self) -> Option<&Problems> {
        match &*self.why {
            Why::Settings(problems) => Some(problems),
            _ => None,
        }
    }

    /// Which providers could not be connected, if that is why; otherwise none.
    #[must_use]
    pub fn providers(&self) -> &[ProviderFailure] {
        match &*self.why {
            Why::Providers(failures) => failures,
            _ => &[],
        }
    }

    /// What works, and deserves attention, of the providers that were connected all the same.
    #[must_use]
    pub fn warnings(&self) -> &[StartWarning] {
        &self.warnings
    }

    pub(super) fn with_warnings(self, warnings: Vec<StartWarning>) -> Self {
        Self { warnings, ..self }
    }

    /// Which required secrets are not usable, if that is why.
    #[must_use]
    pub fn required(&self) -> Option<&RequiredReport> {
        match &*self.why {
            Why::Required(report) => Some(report),
            _ => None,
        }
    }
}

impl From<Why> for StartError {
    fn from(why: Why) -> Self {
        Self { why: Box::new(why), warnings: Vec::new() }
    }
}

/// One on a line.
impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.why {
            Why::Settings(problems) => problems.fmt(f),
            Why::Required(report) => report.fmt(f),
            Why::Build(_) => f.write_str("the manager cannot be built"),
            Why::Snapshot(place, _) => write!(f, "the key of the snapshot cannot be read: {place}"),
            Why::Audit(place, failure) => write!(f, "there is no audit trail: {place}: {failure}"),
            Why::Providers(failures) => {
                f.write_str("providers of secrets cannot be connected:")?;
                failures.iter().try_for_each(|failure| write!(f, "\n  {failure}"))
            }
        }
    }
}

/// With all its causes: of several errors no one can be the source.
impl fmt::Display for ProviderFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.provider, self.error)?;
        let mut source = std::error::Error::source(&self.error);
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.why {
            Why::Build(error) => Some(error),
            Why::Audit(_, AuditFailure::Key { error, .. }) | Why::Snapshot(_, error) => Some(error),
            Why::Audit(_, AuditFailure::KeyForm { error, .. } | AuditFailure::Trail(error)) => {
                Some(error)
            }
            _ => None,
        }
    }
}

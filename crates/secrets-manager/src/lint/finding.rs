use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::lint::code::{LintCode, Severity};

/// What was found. It names what it is about, and holds nothing of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is where it was found.
    pub severity: Severity,
    /// What sort of finding.
    pub code: LintCode,
    /// What it is about.
    pub subject: Subject,
    /// What else it is about: the others that have the same value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Subject>,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Subject {
    /// A secret.
    Secret {
        /// Its name, or its native id.
        name: String,
        /// The part of its value: `#field` of a JSON object (`a field` where its name is long or
        /// odd), `password` of a URL. Empty for the whole.
        part: String,
    },
    /// A file or folder.
    File {
        /// Where it is.
        path: PathBuf,
    },
    /// A setting that was read.
    Value {
        /// Its name, as `database.password`.
        key: String,
    },
    /// A line of a settings file.
    Setting {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The name of the setting, as far as the line tells; empty where it may be a part of a
        /// value.
        key: String,
    },
}

impl Subject {
    pub(super) fn secret(name: impl ToString) -> Self {
        Self::Secret { name: name.to_string(), part: String::new() }
    }

    /// What a suppression names: the secret whatever its part, the path, or the setting's name.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Secret { name, .. } => name.clone(),
            Self::File { path } => path.display().to_string(),
            Self::Value { key } | Self::Setting { key, .. } => key.clone(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret { name, part } if part.is_empty() => {
                write!(f, "`{}`", name.escape_debug())
            }
            Self::Secret { name, part } => {
                write!(f, "`{}` ({})", name.escape_debug(), part.escape_debug())
            }
            Self::Value { key } => write!(f, "the setting `{}`", key.escape_debug()),
            Self::File { path } => write!(f, "`{}`", path.display().to_string().escape_debug()),
            Self::Setting { path, line, key } => {
                let path = path.display().to_string();
                write!(f, "`{}:{line}` (`{}`)", path.escape_debug(), key.escape_debug())
            }
        }
    }
}

/// One line: `error[default]: `billing/db` is a default that many know`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]: {} {}", self.severity, self.code, self.subject, self.code.says())?;
        for (at, other) in self.others.iter().enumerate() {
            write!(f, "{} {other}", if at == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

/// All that was found, the worst first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct LintReport {
    pub(super) findings: Vec<Finding>,
    pub(super) suppressed: usize,
    pub(super) looked_at: usize,
}

impl LintReport {
    /// What was found and not suppressed: the worst first, then by code and name.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many findings were suppressed.
    #[must_use]
    pub const fn suppressed(&self) -> usize {
        self.suppressed
    }

    /// How many secrets and files were looked at.
    #[must_use]
    pub const fn looked_at(&self) -> usize {
        self.looked_at
    }

    /// The worst that was found, if anything was.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}

/// One finding on a line, and a line that sums up.
impl fmt::Display for LintReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))?;
        let of = |severity| self.findings.iter().filter(|f| f.severity == severity).count();
        let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
        let (notes, looked_at, suppressed) = (of(Severity::Note), self.looked_at, self.suppressed);
        write!(
            f,
            "looked at {looked_at}: errors {errors}, warnings {warnings}, notes {notes}, suppressed {suppressed}"
        )
    }
}

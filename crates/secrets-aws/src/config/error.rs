use std::fmt;

/// What is wrong with the configuration: everything at once, not the first thing.
///
/// It is found before any call; what goes wrong later is a [`secrets_core::Error`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<String>,
}

impl ConfigError {
    /// An error unless there are no problems.
    pub(crate) fn unless_empty(problems: Vec<String>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }

    pub(crate) fn one(problem: impl Into<String>) -> Self {
        Self { problems: vec![problem.into()] }
    }

    /// What is wrong, a line each. No value of a secret is among it.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration of AWS: {}", self.problems.join("; "))
    }
}

impl std::error::Error for ConfigError {}

/// One thing that is wrong with the configuration, and the setting that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    setting: String,
    message: String,
}

impl ConfigProblem {
    pub(super) fn new(setting: &str, message: String) -> Self {
        Self { setting: setting.to_owned(), message }
    }

    /// The path of the setting, as `region` or `endpoints.kms`; of what is in a list or another table
    /// that of the whole, as `assume_role`.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.setting
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<ConfigError> for secrets_core::Error {
    fn from(error: ConfigError) -> Self {
        Self::new(secrets_core::ErrorKind::InvalidValue, error.to_string())
    }
}

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

impl From<ConfigError> for secrets_core::Error {
    fn from(error: ConfigError) -> Self {
        Self::new(secrets_core::ErrorKind::InvalidValue, error.to_string())
    }
}

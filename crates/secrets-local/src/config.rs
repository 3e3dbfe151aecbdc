use std::fmt;

/// What is wrong with the configuration of a provider: everything at once, not the first thing.
///
/// It is found when a provider is built; what goes wrong later is a [`secrets_core::Error`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    provider: &'static str,
    problems: Vec<String>,
}

impl ConfigError {
    /// An error unless there are no problems.
    pub(crate) fn unless_empty(
        provider: &'static str,
        problems: Vec<String>,
    ) -> Result<(), ConfigError> {
        if problems.is_empty() { Ok(()) } else { Err(Self { provider, problems }) }
    }

    pub(crate) fn one(provider: &'static str, problem: impl Into<String>) -> Self {
        Self { provider, problems: vec![problem.into()] }
    }

    /// What is wrong, a line each. No value of a secret is among it.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration of the {} provider: ", self.provider)?;
        f.write_str(&self.problems.join("; "))
    }
}

impl std::error::Error for ConfigError {}

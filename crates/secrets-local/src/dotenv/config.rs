use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use secrets_core::SecretName;

/// How the `.env` provider finds and reads its file.
///
/// ```
/// use secrets_local::dotenv::{DotenvConfig, Substitution};
///
/// let config = DotenvConfig::new("/srv/billing/.env").with_substitution(Substitution::Never);
/// assert!(config.problems().is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct DotenvConfig {
    /// The file. It need not exist: it then holds no secrets, and the first write creates it.
    pub path: PathBuf,
    /// What stands before the code of a name, and before a native id. Without a mapping no other
    /// key is read, written or listed.
    #[cfg_attr(feature = "serde", serde(default))]
    pub prefix: String,
    /// The variables of single secrets; they win over the prefix and the code.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "crate::deserialize::mapping")
    )]
    pub mapping: BTreeMap<SecretName, String>,
    /// What a dollar sign means.
    #[cfg_attr(feature = "serde", serde(default))]
    pub substitution: Substitution,
    /// How long a writer waits for another one; 5 seconds by default.
    #[cfg_attr(
        feature = "serde",
        serde(default = "default_lock_timeout", deserialize_with = "crate::deserialize::time")
    )]
    pub lock_timeout: Duration,
    /// How often `changes` looks at the file; 500 milliseconds by default.
    #[cfg_attr(
        feature = "serde",
        serde(
            default = "crate::watch::default_pause",
            deserialize_with = "crate::deserialize::time"
        )
    )]
    pub poll_interval: Duration,
}

/// What a dollar sign means that stands outside single quotes and has no backslash before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Substitution {
    /// `$NAME` and `${NAME}` stand for an entry above in the same file, never for a variable of the
    /// process. Where no such entry is, the value cannot be read: other readers of such files put
    /// nothing there, and a password with a dollar sign is cut short without a word.
    #[default]
    WithinFile,
    /// It stands for itself.
    Never,
}

fn default_lock_timeout() -> Duration {
    Duration::from_secs(5)
}

impl DotenvConfig {
    /// The file at `path`, without prefix and mapping.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            prefix: String::new(),
            mapping: BTreeMap::new(),
            substitution: Substitution::default(),
            lock_timeout: default_lock_timeout(),
            poll_interval: crate::watch::default_pause(),
        }
    }

    /// Sets what stands before the code of a name and before a native id.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Names the variable of a secret.
    #[must_use]
    pub fn map(mut self, name: SecretName, variable: impl Into<String>) -> Self {
        self.mapping.insert(name, variable.into());
        self
    }

    /// Sets what a dollar sign means.
    #[must_use]
    pub fn with_substitution(mut self, substitution: Substitution) -> Self {
        self.substitution = substitution;
        self
    }

    /// Sets how long a writer waits for another one.
    #[must_use]
    pub fn with_lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// Sets how often `changes` looks at the file.
    #[must_use]
    pub fn with_poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// What makes this configuration unusable; empty when it is sound.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.path.file_name().is_none() {
            problems.push(format!("`{}` names no file", self.path.display()));
        }
        if !self.prefix.is_empty() && !is_key(&self.prefix) {
            problems.push(format!("`{}` cannot begin a key of a .env file", self.prefix));
        }
        for (name, key) in &self.mapping {
            if !is_key(key) {
                problems.push(format!("`{name}` is mapped to `{key}`, which is no key"));
            }
        }
        if self.poll_interval.is_zero() {
            problems.push("a poll interval of zero never rests".to_owned());
        }
        problems
    }
}

/// A key that dotenvy reads: a letter or an underscore, then also digits and dots.
pub(super) fn is_key(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')
}

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::ConfigError;
use crate::newline::TrailingNewline;

use super::provider::KIND;

/// Which folder the directory provider reads, and how.
///
/// ```
/// use secrets_local::{TrailingNewline, directory::DirectoryConfig};
///
/// let config = DirectoryConfig::new("/run/secrets").with_trailing_newline(TrailingNewline::Trim);
/// assert!(config.problems().is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct DirectoryConfig {
    /// The folder. It may be a link itself.
    pub root: PathBuf,
    /// What becomes of a line end at the end of a file.
    #[cfg_attr(feature = "serde", serde(default))]
    pub trailing_newline: TrailingNewline,
    /// The longest file in bytes; 1 MiB by default, which is also the most that Kubernetes keeps
    /// (<https://kubernetes.io/docs/concepts/configuration/secret/#restriction-data-size>).
    #[cfg_attr(feature = "serde", serde(default = "default_value_limit"))]
    pub value_limit: usize,
    /// How often `changes` looks at the folder; 500 milliseconds by default.
    #[cfg_attr(
        feature = "serde",
        serde(
            default = "crate::watch::default_pause",
            deserialize_with = "crate::deserialize::time"
        )
    )]
    pub poll_interval: Duration,
}

fn default_value_limit() -> usize {
    1 << 20
}

impl DirectoryConfig {
    /// The files of `root` as they are.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            trailing_newline: TrailingNewline::default(),
            value_limit: default_value_limit(),
            poll_interval: crate::watch::default_pause(),
        }
    }

    /// The credentials that systemd passes to a service
    /// (<https://systemd.io/CREDENTIALS/>), from the value of `CREDENTIALS_DIRECTORY`:
    ///
    /// ```
    /// use secrets_local::directory::DirectoryConfig;
    ///
    /// let config = DirectoryConfig::systemd(std::env::var_os("CREDENTIALS_DIRECTORY"));
    /// # let _ = config;
    /// ```
    ///
    /// # Errors
    /// When the variable is not set: the unit has no `LoadCredential=` and its like.
    pub fn systemd(credentials_directory: Option<OsString>) -> Result<Self, ConfigError> {
        let problem = "`CREDENTIALS_DIRECTORY` is not set; does the unit load credentials?";
        let root = credentials_directory.filter(|root| !root.is_empty());
        root.map(Self::new).ok_or_else(|| ConfigError::one(KIND, problem))
    }

    /// Sets what becomes of a line end at the end of a file.
    #[must_use]
    pub fn with_trailing_newline(mut self, trailing_newline: TrailingNewline) -> Self {
        self.trailing_newline = trailing_newline;
        self
    }

    /// Sets the longest file in bytes.
    #[must_use]
    pub fn with_value_limit(mut self, bytes: usize) -> Self {
        self.value_limit = bytes;
        self
    }

    /// Sets how often `changes` looks at the folder.
    #[must_use]
    pub fn with_poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// What makes this configuration unusable; empty when it is sound.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.root.as_os_str().is_empty() {
            problems.push("the path of the folder is empty".to_owned());
        }
        if self.value_limit == 0 {
            problems.push("a value limit of 0 bytes lets nothing through".to_owned());
        }
        if self.poll_interval.is_zero() {
            problems.push("a poll interval of zero never rests".to_owned());
        }
        problems
    }
}

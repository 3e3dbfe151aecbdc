use std::collections::BTreeMap;

use secrets_core::SecretName;

use crate::newline::TrailingNewline;

/// How the environment provider finds variables.
///
/// ```
/// use secrets_core::SecretName;
/// use secrets_local::{TrailingNewline, env::EnvConfig};
///
/// let config = EnvConfig::new()
///     .with_prefix("BILLING_")
///     .map(SecretName::new("db/password")?, "PGPASSWORD")
///     .with_trailing_newline(TrailingNewline::Trim);
/// assert!(config.problems().is_empty());
/// # Ok::<(), secrets_core::InvalidName>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct EnvConfig {
    /// What stands before the code of a name, and before a native id. Without a mapping nothing
    /// else is read.
    pub prefix: String,
    /// The variables of single secrets; they win over the prefix and the code.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "crate::deserialize::mapping"))]
    pub mapping: BTreeMap<SecretName, String>,
    /// Whether `NAME_FILE` names a file that holds the secret `NAME`.
    pub file_variables: FileVariables,
    /// What becomes of a line end at the end of such a file.
    pub trailing_newline: TrailingNewline,
    /// The longest file in bytes; 1 MiB by default.
    pub value_limit: usize,
    /// Which variables are listed.
    pub listing: EnvListing,
}

/// Whether `NAME_FILE` names a file that holds the secret `NAME`, as the official container images
/// have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum FileVariables {
    /// It does. When both variables are set reading is an error, since nobody can tell which counts.
    #[default]
    Follow,
    /// It is a variable like any other.
    Ignore,
}

/// Which variables `list_secrets` gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum EnvListing {
    /// Those that are mapped, and those under the prefix. Without both, none.
    #[default]
    Named,
    /// All variables of the process, whether secret or not; not to be had together with a prefix.
    WholeEnvironment,
}

impl Default for EnvConfig {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            mapping: BTreeMap::new(),
            file_variables: FileVariables::default(),
            trailing_newline: TrailingNewline::default(),
            value_limit: 1 << 20,
            listing: EnvListing::default(),
        }
    }
}

impl EnvConfig {
    /// No prefix and no mapping: the variable is the code of a name, or the native id.
    pub fn new() -> Self {
        Self::default()
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

    /// Sets whether `NAME_FILE` is followed.
    #[must_use]
    pub fn with_file_variables(mut self, file_variables: FileVariables) -> Self {
        self.file_variables = file_variables;
        self
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

    /// Sets which variables are listed.
    #[must_use]
    pub fn with_listing(mut self, listing: EnvListing) -> Self {
        self.listing = listing;
        self
    }

    /// What makes this configuration unusable; empty when it is sound.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.prefix.is_empty() && !is_variable_name(&self.prefix) {
            problems.push(format!("`{}` cannot begin the name of a variable", self.prefix));
        }
        for (name, variable) in &self.mapping {
            if !is_variable_name(variable) {
                problems.push(format!("`{name}` is mapped to `{variable}`, which is no variable"));
            }
        }
        if !self.prefix.is_empty() && self.listing == EnvListing::WholeEnvironment {
            problems
                .push("a prefix and a listing of the whole environment exclude each other".into());
        }
        if self.value_limit == 0 {
            problems.push("a value limit of 0 bytes lets nothing through".to_owned());
        }
        problems
    }
}

/// What the name of a variable cannot have: `=` ends it, 0x00 ends its string.
pub(super) fn is_variable_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(['=', '\0'])
}

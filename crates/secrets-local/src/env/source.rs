use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use secrets_core::{Result, SecretValue};

/// Where variables come from. The provider asks at each read and keeps nothing.
pub trait Variables: fmt::Debug + Send + Sync + 'static {
    /// The value of a variable, where it is set.
    ///
    /// # Errors
    /// `InvalidValue` when the value has no form as bytes (unpaired surrogates on Windows).
    fn get(&self, name: &str) -> Result<Option<SecretValue>>;

    /// The names of all variables, in any order. Names that are not UTF-8 are left out.
    fn names(&self) -> Vec<String>;
}

/// The variables of this process, as they are at each read.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessVariables;

impl Variables for ProcessVariables {
    fn get(&self, name: &str) -> Result<Option<SecretValue>> {
        std::env::var_os(name).map(platform::into_value).transpose()
    }

    fn names(&self) -> Vec<String> {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            // There is no list of names alone; this copy of the value is wiped.
            drop(platform::into_value(value));
            name.into_string().ok()
        });
        variables.collect()
    }
}

/// Variables that were given, not read from the process: for tests, and for taking the environment
/// once at start-up.
///
/// ```
/// use secrets_local::env::{FixedVariables, Variables};
///
/// let variables = FixedVariables::from_iter([("DB_PASSWORD", "correct horse")]);
/// assert!(variables.get("DB_PASSWORD")?.is_some());
/// assert_eq!(format!("{variables:?}"), r#"FixedVariables(["DB_PASSWORD"])"#);
/// # Ok::<(), secrets_core::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct FixedVariables(BTreeMap<String, SecretValue>);

impl FixedVariables {
    /// Adds or replaces a variable whose value need not be text.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: SecretValue) -> Self {
        self.0.insert(name.into(), value);
        self
    }
}

impl<N: Into<String>, V: Into<OsString>> FromIterator<(N, V)> for FixedVariables {
    /// Values that have no form as bytes are left out.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variables = variables.into_iter().filter_map(|(name, value)| {
            platform::into_value(value.into()).ok().map(|value| (name.into(), value))
        });
        Self(variables.collect())
    }
}

impl Variables for FixedVariables {
    fn get(&self, name: &str) -> Result<Option<SecretValue>> {
        Ok(self.0.get(name).cloned())
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

impl fmt::Debug for FixedVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FixedVariables").field(&self.0.keys().collect::<Vec<_>>()).finish()
    }
}

/// The path that the value of a variable is.
pub(super) fn to_path(value: &SecretValue) -> Result<std::path::PathBuf> {
    platform::to_path(value)
}

#[cfg(unix)]
mod platform {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::PathBuf;

    use secrets_core::{Result, SecretValue};

    pub(super) fn into_value(value: OsString) -> Result<SecretValue> {
        Ok(SecretValue::from_vec(value.into_vec()))
    }

    pub(super) fn to_path(value: &SecretValue) -> Result<PathBuf> {
        Ok(PathBuf::from(OsStr::from_bytes(value.expose_secret())))
    }
}

#[cfg(not(unix))]
mod platform {
    use std::ffi::OsString;
    use std::path::PathBuf;

    use secrets_core::{Error, ErrorKind, Result, SecretValue};

    pub(super) fn into_value(value: OsString) -> Result<SecretValue> {
        let text = value.into_string().map_err(|_| {
            Error::new(ErrorKind::InvalidValue, "the variable's value is not Unicode")
        })?;
        Ok(SecretValue::from_string(text))
    }

    pub(super) fn to_path(value: &SecretValue) -> Result<PathBuf> {
        Ok(PathBuf::from(value.expose_secret_text()?))
    }
}

use std::fmt;

/// The process has a recorder already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallError {
    _private: (),
}

impl InstallError {
    pub(crate) const fn new() -> Self {
        Self { _private: () }
    }
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a recorder of metrics is installed already; install one, and only in `main`")
    }
}

impl std::error::Error for InstallError {}

use std::error::Error;
use std::fmt;

/// Why a source could not measure everything.
#[derive(Debug)]
pub struct SourceError {
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl SourceError {
    /// `what` says what could not be done, as "cannot read `/proc/self/stat`".
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }

    /// With the reason.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for SourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

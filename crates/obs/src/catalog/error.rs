use std::fmt;

/// Tables that cannot be joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogError {
    kind: CatalogErrorKind,
    name: &'static str,
    other: Option<&'static str>,
}

/// What is wrong with tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CatalogErrorKind {
    /// One name stands for two different metrics.
    Disagree,
    /// Two names become one in Prometheus' form.
    SameExposition,
}

impl CatalogError {
    pub(crate) const fn new(
        kind: CatalogErrorKind,
        name: &'static str,
        other: Option<&'static str>,
    ) -> Self {
        Self { kind, name, other }
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> CatalogErrorKind {
        self.kind
    }

    /// The metric that was refused.
    #[must_use]
    pub const fn metric(&self) -> &'static str {
        self.name
    }
}

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match (self.kind, self.other) {
            (CatalogErrorKind::SameExposition, Some(other)) => {
                write!(f, "`{name}` and `{other}` have series of the same name in Prometheus' form")
            }
            _ => write!(f, "`{name}` is declared twice, and not in the same way"),
        }
    }
}

impl std::error::Error for CatalogError {}

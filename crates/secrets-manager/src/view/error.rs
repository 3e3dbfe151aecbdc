use crate::rules::{PemFault, UrlFault};

/// Why a version of a secret is not what a view reads. It quotes nothing of the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret {fault}")]
pub struct ViewError {
    fault: ViewFault,
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewFault {
    /// There is no value.
    #[error("is not there")]
    Absent,
    /// It is not UTF-8.
    #[error("is no text")]
    NotText,
    /// It is no JSON, or not of the shape that is asked for.
    #[error("is not the JSON that is asked for (line {line}, column {column})")]
    Json {
        /// In which line that shows, from 1.
        line: usize,
        /// At which byte of it.
        column: usize,
    },
    /// A field that is asked for cannot be had.
    #[error("has no single field `{name}` with a value")]
    Field {
        /// The name that was asked for.
        name: Box<str>,
    },
    /// It is no URL.
    #[error("{0}")]
    Url(UrlFault),
    /// It is no PEM.
    #[error("{0}")]
    Pem(PemFault),
    /// There is no private key in it.
    #[error("holds no private key")]
    NoKey,
    /// There is more than one private key in it.
    #[error("holds more than one private key")]
    SeveralKeys,
    /// There is no certificate in it.
    #[error("holds no certificate")]
    NoCertificate,
}

impl ViewError {
    pub(crate) fn new(fault: ViewFault) -> Self {
        Self { fault }
    }

    /// What is wrong.
    #[must_use]
    pub const fn fault(&self) -> &ViewFault {
        &self.fault
    }
}

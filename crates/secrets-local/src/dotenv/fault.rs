use std::path::Path;

use secrets_core::{Error, ErrorKind};

/// What is wrong with a `.env` text, and in which line. Nothing of the line itself is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// The first line of the entry, counted from 1.
    line: usize,
    what: What,
}

/// The ways to be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// It has a byte that is not part of UTF-8 text.
    NotUtf8,
    /// It is no entry, or one whose quotes do not end.
    Malformed,
    /// A dollar sign refers to nothing.
    UnknownReference,
    /// Substitution makes too much of it.
    TooMuch,
    /// It cannot be changed without changing the entries behind it.
    Entangled,
}

impl Fault {
    pub(super) fn new(line: usize, what: What) -> Self {
        Self { line, what }
    }

    /// The error for the file at `path`.
    pub(super) fn at(self, path: &Path) -> Error {
        let (kind, text) = match self.what {
            What::NotUtf8 => (ErrorKind::Integrity, "is not UTF-8"),
            What::Malformed => (ErrorKind::Integrity, "begins an entry that is not well formed"),
            What::UnknownReference => (
                ErrorKind::Integrity,
                "has a dollar sign that refers to no readable entry above it: put the value \
                 between single quotes if the sign is part of it",
            ),
            What::TooMuch => (ErrorKind::TooLarge, "grows beyond 10 MiB by substitution"),
            What::Entangled => (
                ErrorKind::Integrity,
                "cannot be changed without changing entries behind it: its comment holds a quote",
            ),
        };
        Error::new(kind, format!("line {} of `{}` {text}", self.line, path.display()))
    }
}

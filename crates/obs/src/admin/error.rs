use std::error::Error;
use std::{fmt, io};

/// Why the listener does not listen.
#[derive(Debug)]
pub struct AdminError {
    kind: AdminErrorKind,
    what: Box<str>,
    source: Option<io::Error>,
}

/// What sort of reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AdminErrorKind {
    /// Others than this machine could reach the address.
    NotLoopback,
    /// The address is taken, or is none of this machine.
    Address,
    /// Two routes have one path, or a path does not begin with `/`.
    Route,
    /// The operating system gives no thread or no means to wait for connections.
    Thread,
}

impl AdminError {
    pub(super) fn new(kind: AdminErrorKind, what: impl fmt::Display) -> Self {
        Self { kind, what: what.to_string().into(), source: None }
    }

    pub(super) fn because(mut self, source: io::Error) -> Self {
        self.source = Some(source);
        self
    }

    /// What sort of reason.
    #[must_use]
    pub const fn kind(&self) -> AdminErrorKind {
        self.kind
    }
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = &self.what;
        match self.kind {
            AdminErrorKind::NotLoopback => write!(
                f,
                "`{what}` is not an address of loopback; `reachable_from_outside` takes others"
            ),
            AdminErrorKind::Address => write!(f, "cannot listen at `{what}`"),
            AdminErrorKind::Route => {
                write!(f, "`{what}` is the path of two routes, or does not begin with `/`")
            }
            AdminErrorKind::Thread => f.write_str("no thread for the admin listener"),
        }
    }
}

impl Error for AdminError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

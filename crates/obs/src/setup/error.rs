use std::error::Error;
use std::fmt;

/// Why nothing was set up.
#[derive(Debug)]
pub struct SetupError {
    kind: SetupErrorKind,
    what: Box<str>,
    /// Where it stands in the settings, if it does.
    place: Box<str>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What sort of reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SetupErrorKind {
    /// This was done before in this process.
    AlreadySetUp,
    /// Somebody else's subscriber of `tracing` is installed.
    ForeignSubscriber,
    /// Somebody else's recorder of `metrics` is installed.
    ForeignRecorder,
    /// Somebody else's logger of `log` is installed.
    ForeignLogger,
    /// An output cannot be opened, or two have one name.
    Output,
    /// Tables of metrics do not go together.
    Catalog,
    /// The operating system starts no more threads.
    Thread,
    /// The probe did not come through, and [`SelfTest::Require`](super::SelfTest::Require) was asked for.
    SelfTest,
}

impl SetupError {
    pub(super) fn new(kind: SetupErrorKind, what: &str) -> Self {
        Self { kind, what: what.into(), place: Box::default(), source: None }
    }

    /// Of an output that may stand in the settings.
    pub(super) fn output(name: &str, place: &str) -> Self {
        Self { place: place.into(), ..Self::new(SetupErrorKind::Output, name) }
    }

    pub(super) fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What sort of reason.
    #[must_use]
    pub const fn kind(&self) -> SetupErrorKind {
        self.kind
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(match self.kind {
            SetupErrorKind::AlreadySetUp => "observability was set up before; do it once, in `main`",
            SetupErrorKind::ForeignSubscriber => {
                "another subscriber of `tracing` is installed; take out what installs it, as `fmt::init()`, and give its \
                 layers to the builder"
            }
            SetupErrorKind::ForeignRecorder => {
                "another recorder of `metrics` is installed; take out what installs it"
            }
            SetupErrorKind::ForeignLogger => {
                "another logger of `log` is installed; take out what installs it, as `env_logger::init()`"
            }
            SetupErrorKind::Output => return write!(f, "output `{}` cannot be opened", self.what),
            SetupErrorKind::Catalog => "tables of metrics do not go together",
            SetupErrorKind::Thread => "no thread could be started",
            SetupErrorKind::SelfTest => "the self-test failed",
        })
    }
}

impl Error for SetupError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

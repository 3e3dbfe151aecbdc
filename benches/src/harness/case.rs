use std::fmt;
use std::time::Duration;

/// Runs a number of operations.
pub(super) type Work = Box<dyn FnMut(u64)>;

/// What is measured.
pub(crate) struct Case {
    pub(super) prepare: Box<dyn Fn() -> Work + Send + Sync>,
    pub(super) background: Option<Background>,
    /// Whether what counts is how long it takes, and not how long it computes: it waits for a disk.
    pub(super) is_timed_by_wall: bool,
}

/// What another thread does meanwhile, again and again.
pub(super) struct Background {
    pub(super) period: Duration,
    pub(super) work: Box<dyn Fn() + Send + Sync>,
}

impl Case {
    /// `prepare` runs in each measured thread, untimed, and makes the closure that is timed.
    pub(crate) fn new<W>(prepare: impl Fn() -> W + Send + Sync + 'static) -> Self
    where
        W: FnMut(u64) + 'static,
    {
        let prepare: Box<dyn Fn() -> Work + Send + Sync> = Box::new(move || Box::new(prepare()));
        Self { prepare, background: None, is_timed_by_wall: false }
    }

    /// Counts the time that passes instead of that in which the thread computes, on any CPU.
    pub(crate) fn by_wall(self) -> Self {
        Self { is_timed_by_wall: true, ..self }
    }

    /// Another thread runs `work` once per `period` while this is measured.
    pub(crate) fn beside(
        mut self,
        period: Duration,
        work: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        self.background = Some(Background { period, work: Box::new(work) });
        self
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").finish_non_exhaustive()
    }
}

/// Cases that do the same in several ways.
#[derive(Debug)]
pub(crate) struct Row {
    /// What is done: `suite/operation`.
    pub(crate) path: &'static str,
    /// How many threads do it at the same time.
    pub(crate) threads: usize,
    /// How large it is.
    pub(crate) size: usize,
    /// What `size` counts: `bytes`, `secrets`.
    pub(crate) unit: &'static str,
    pub(crate) ours: Case,
    /// The longest that an operation of ours may take, if there is a bound.
    pub(crate) within: Option<Duration>,
    pub(crate) peers: Vec<Peer>,
}

/// What ours is compared with.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) case: Case,
    /// The ratio of ours to it that we want to reach, if there is one.
    pub(crate) at_most: Option<f64>,
}

impl Peer {
    /// A peer that is shown for information.
    pub(crate) fn new(name: &'static str, case: Case) -> Self {
        Self { name, case, at_most: None }
    }

    /// Ours is to take at most this part of the peer's time.
    pub(crate) fn at_most(self, ratio: f64) -> Self {
        Self { at_most: Some(ratio), ..self }
    }
}

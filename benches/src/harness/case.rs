use std::fmt;
use std::time::Duration;

/// Runs a number of operations.
pub(super) type Work = Box<dyn FnMut(u64)>;

/// What is measured.
pub(crate) struct Case {
    pub(super) prepare: Box<dyn Fn() -> Work + Send + Sync>,
    pub(super) background: Option<Background>,
    pub(super) clock: Clock,
    /// How many samples of it a run takes at most.
    pub(super) most_samples: usize,
    /// Whether a part of the operations runs untimed before each sample.
    pub(super) is_warmed_up: bool,
    pub(super) calls: Option<Calls>,
    /// How many allocations an operation is to make at most.
    pub(super) most_allocations: Option<f64>,
}

/// What counts of the time that an operation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// That in which its thread computes; it has no reason to wait.
    Busy,
    /// That in which its thread computes, and not that in which it waits.
    Computing,
    /// All of it.
    Wall,
}

/// What an operation asks of somebody else, counted where it is answered.
pub(super) struct Calls {
    /// How many there were so far.
    pub(super) so_far: Box<dyn Fn() -> usize + Send + Sync>,
    /// How many an operation is to make at most.
    pub(super) at_most: Option<f64>,
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
        Self {
            prepare,
            background: None,
            clock: Clock::Busy,
            most_samples: usize::MAX,
            is_warmed_up: true,
            calls: None,
            most_allocations: None,
        }
    }

    /// An operation is to make so many allocations at most.
    pub(crate) fn at_most_allocations(self, bound: f64) -> Self {
        Self { most_allocations: Some(bound), ..self }
    }

    /// With `change` made to what each thread runs.
    pub(crate) fn map<W>(
        self,
        change: impl Fn(Box<dyn FnMut(u64)>) -> W + Send + Sync + 'static,
    ) -> Self
    where
        W: FnMut(u64) + 'static,
    {
        let prepare = self.prepare;
        let prepare: Box<dyn Fn() -> Work + Send + Sync> =
            Box::new(move || Box::new(change(prepare())));
        Self { prepare, ..self }
    }

    /// Counts the time that passes instead of that in which the thread computes, on any CPU.
    pub(crate) fn by_wall(self) -> Self {
        Self { clock: Clock::Wall, ..self }
    }

    /// Counts the time in which the thread computes, as usual, of what waits for others in between.
    pub(crate) fn by_computing(self) -> Self {
        Self { clock: Clock::Computing, ..self }
    }

    /// Takes so many samples a run at most, without warming up: it takes seconds, and waits for most
    /// of them.
    pub(crate) fn rarely(self, samples: usize) -> Self {
        Self { most_samples: samples, is_warmed_up: false, ..self }
    }

    /// Counts calls beside the time, by the difference that the operations make to `so_far`. For one
    /// thread.
    pub(crate) fn counting(self, so_far: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        Self { calls: Some(Calls { so_far: Box::new(so_far), at_most: None }), ..self }
    }

    /// An operation is to make so many of the calls that are counted at most.
    pub(crate) fn at_most_calls(mut self, bound: f64) -> Self {
        self.calls.iter_mut().for_each(|calls| calls.at_most = Some(bound));
        self
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
    /// How much longer than it ours may take, if there is a bound: what ours adds to it.
    pub(crate) margin: Option<Duration>,
    /// Whether its allocations are shown.
    pub(crate) is_counted: bool,
}

impl Peer {
    /// A peer that is shown for information.
    pub(crate) fn new(name: &'static str, case: Case) -> Self {
        Self { name, case, at_most: None, margin: None, is_counted: false }
    }

    /// Ours is to take at most this part of the peer's time.
    pub(crate) fn at_most(self, ratio: f64) -> Self {
        Self { at_most: Some(ratio), ..self }
    }

    /// Ours contains it, and is to take at most so much longer.
    pub(crate) fn plus_at_most(self, margin: Duration) -> Self {
        Self { margin: Some(margin), ..self }
    }

    /// Its allocations are shown, too.
    pub(crate) fn counted(self) -> Self {
        Self { is_counted: true, ..self }
    }
}

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::own::Totals;
use super::samples::{Sample, Samples};
use super::{MetricSource, SourceError};

/// How long a page waits for another one that is asking the same source.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// A source, and what it said last.
#[derive(Debug)]
pub(crate) struct Slot {
    name: &'static str,
    source: Arc<dyn MetricSource>,
    state: Mutex<State>,
    answered: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_asked: bool,
    kept: Option<(Instant, Arc<[Sample]>)>,
    totals: Totals,
    /// Whether it was said that it does not work.
    is_said: bool,
}

impl Slot {
    pub(crate) fn new(source: Arc<dyn MetricSource>) -> Self {
        Self { name: source.name(), source, state: Mutex::default(), answered: Condvar::new() }
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it says, or said a short time ago.
    pub(crate) fn ask(&self, clock: fn() -> Instant, samples: Samples<'_>) -> Arc<[Sample]> {
        // Before anything is locked: it is somebody else's work.
        let keep_for = catch_unwind(AssertUnwindSafe(|| self.source.keep_for())).ok();
        let state = self.state();
        let must_wait = state.is_asked;
        let (mut state, _) = self
            .answered
            .wait_timeout_while(state, LONGEST_WAIT, |state| state.is_asked)
            .unwrap_or_else(PoisonError::into_inner);
        if state.is_asked {
            state.totals.late += 1;
            return Arc::default();
        }
        let began = clock();
        let is_new = |(at, _): &&(Instant, _)| {
            must_wait || began.saturating_duration_since(*at) < keep_for.unwrap_or_default()
        };
        if let Some((_, kept)) = state.kept.as_ref().filter(is_new) {
            return Arc::clone(kept);
        }
        state.is_asked = true;
        drop(state);
        let (asked, samples, rejected) = match keep_for {
            Some(_) => self.collect(samples),
            None => (Asked::Panicked, Arc::default(), 0),
        };
        let took = clock().saturating_duration_since(began);
        let mut state = self.state();
        state.is_asked = false;
        state.kept = Some((began, Arc::clone(&samples)));
        state.totals.rejected += rejected;
        state.totals.seconds = took.as_secs_f64();
        let is_to_say = state.note(&asked);
        drop(state);
        self.answered.notify_all();
        if is_to_say {
            self.warn(&asked);
        }
        samples
    }

    /// What was said of a panic is not known to be true.
    fn collect(&self, mut samples: Samples<'_>) -> (Asked, Arc<[Sample]>, u64) {
        let collected = catch_unwind(AssertUnwindSafe(|| {
            let result = self.source.collect(&mut samples);
            (result, samples.into_taken())
        }));
        match collected {
            Ok((Ok(()), (taken, rejected))) => (Asked::Well, taken.into(), rejected),
            Ok((Err(error), (taken, rejected))) => (Asked::Failed(error), taken.into(), rejected),
            Err(_) => (Asked::Panicked, Arc::default(), 0),
        }
    }

    fn warn(&self, asked: &Asked) {
        let source = self.name;
        match asked {
            Asked::Failed(error) => {
                let error = error as &dyn std::error::Error;
                tracing::warn!(source, error, "a source of metrics does not say everything");
            }
            // The panic itself was told by whoever watches them.
            _ => tracing::warn!(source, "a source of metrics panicked"),
        }
    }

    /// Counts what was not shown of what it said.
    pub(crate) fn reject(&self, samples: u64) {
        self.state().totals.rejected += samples;
    }

    pub(crate) fn totals(&self) -> Totals {
        self.state().totals
    }
}

impl State {
    /// Counts it; whether it is to be said.
    fn note(&mut self, asked: &Asked) -> bool {
        match asked {
            Asked::Well => {
                self.is_said = false;
                return false;
            }
            Asked::Failed(_) => self.totals.failed += 1,
            Asked::Panicked => self.totals.panicked += 1,
        }
        !std::mem::replace(&mut self.is_said, true)
    }
}

/// How it went.
#[derive(Debug)]
enum Asked {
    Well,
    Failed(SourceError),
    Panicked,
}

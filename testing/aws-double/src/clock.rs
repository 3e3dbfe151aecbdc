//! The double's time.

use crate::stamp;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

/// As far as the clock goes, some 6,000 years: what is due comes before the end of all times.
const FARTHEST: Duration = Duration::from_secs(200_000_000_000);

/// The time of a double: the real one, plus what a test has advanced it by.
///
/// Everything that AWS decides by time follows it: deletion windows, when a write is seen, the expiry of credentials. Signatures
/// alone do not, since clients sign with a clock of their own: they are held against the real time, or that time off by a
/// [`Skew`].
///
/// Clones are the same clock.
#[derive(Debug, Clone)]
pub struct Clock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    started: Instant,
    base: SystemTime,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    advanced: Duration,
    skew: Skew,
}

/// How far the double's idea of the real time is off, for signatures and the `Date` of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Skew {
    /// Not at all.
    None,
    /// The double is ahead: clients sign in its past.
    Ahead(Duration),
    /// The double is behind: clients sign in its future.
    Behind(Duration),
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                started: Instant::now(),
                base: SystemTime::now(),
                state: Mutex::new(State { advanced: Duration::ZERO, skew: Skew::None }),
            }),
        }
    }

    /// The double's time.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        let advanced = self.state().advanced.min(FARTHEST);
        stamp::later(self.real(), advanced)
    }

    /// Lets this much time pass at once.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        state.advanced = state.advanced.saturating_add(by);
    }

    /// Puts the time by which signatures are judged off, as a client's wrong clock does.
    pub fn set_skew(&self, skew: Skew) {
        self.state().skew = skew;
    }

    /// The time by which signatures are judged and that answers carry in `Date`.
    pub(crate) fn signing_time(&self) -> SystemTime {
        let skew = self.state().skew;
        match skew {
            Skew::None => self.real(),
            Skew::Ahead(by) => stamp::later(self.real(), by),
            Skew::Behind(by) => stamp::earlier(self.real(), by),
        }
    }

    /// Never goes back, unlike the machine's clock.
    fn real(&self) -> SystemTime {
        self.shared.base + self.shared.started.elapsed()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

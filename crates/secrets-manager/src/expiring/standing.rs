//! What a resource said of the credentials that were issued, and who may send it one.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::credential::{UsePolicy, after, doubled};

/// What is known of them. Serial numbers only grow, so one number tells of all before it.
#[derive(Debug, Default)]
pub(super) struct Standing {
    state: Mutex<State>,
    /// Something was found out.
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// This one, and all before it, were refused.
    refused: u64,
    /// This one was accepted, and when last.
    accepted: Option<(u64, Instant)>,
    /// How many were refused since one was accepted.
    row: u32,
    /// When the last one was refused.
    refused_at: Option<Instant>,
    /// The one that somebody tries, and since when.
    tried: Option<(u64, Instant)>,
    /// How many of those who tried one gave up, since one was accepted: nobody knows what came of it.
    doubts: u32,
    /// As that was often so nobody tries one before this.
    hold: Option<Instant>,
}

/// A credential that one caller sends while the others wait. Dropped before anything was told of it
/// the resource may have refused it.
pub(super) struct Trial<'a> {
    standing: &'a Standing,
    policy: &'a UsePolicy,
    serial: u64,
    since: Instant,
    is_told: bool,
}

impl<'a> Trial<'a> {
    pub(super) fn new(
        standing: &'a Standing,
        policy: &'a UsePolicy,
        serial: u64,
        since: Instant,
    ) -> Self {
        Self { standing, policy, serial, since, is_told: false }
    }

    pub(super) fn told(mut self) {
        self.is_told = true;
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if !self.is_told {
            self.standing.doubt((self.serial, self.since), self.policy, Instant::now());
        }
    }
}

/// What may be done with a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may be sent.
    Go,
    /// It may be sent by this one caller, as a [`Trial`].
    Try,
    /// Somebody else tries it.
    Wait,
    /// It was refused: another one is needed.
    Replace,
    /// The last two were refused: none is sent before its time.
    Barred,
}

impl Standing {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn admit(&self, serial: u64, policy: &UsePolicy, now: Instant) -> Admission {
        let mut state = self.state();
        let rest = state.rest(policy).zip(state.refused_at);
        if rest.is_some_and(|(rest, at)| now < after(at, rest)) {
            return Admission::Barred;
        }
        if serial <= state.refused {
            return Admission::Replace;
        }
        let is_trusted =
            |(accepted, at): (u64, Instant)| accepted == serial && now < after(at, policy.trust);
        if state.accepted.is_some_and(is_trusted) {
            return Admission::Go;
        }
        if state.turn(policy, now).is_some() {
            return Admission::Wait;
        }
        state.tried = Some((serial, now));
        Admission::Try
    }

    pub(super) fn accept(&self, serial: u64, now: Instant) {
        {
            let mut state = self.state();
            if serial > state.refused {
                // A longer piece of work with an older one says nothing of the one that came after.
                if state.accepted.is_none_or(|(accepted, _)| accepted <= serial) {
                    state.accepted = Some((serial, now));
                }
                (state.row, state.doubts, state.hold) = (0, 0, None);
                state.end_trial(serial);
            }
        }
        self.news.notify_waiters();
    }

    /// Several may have sent the same one: it counts once.
    pub(super) fn refuse(&self, serial: u64, now: Instant) {
        {
            let mut state = self.state();
            if serial > state.refused {
                state.refused = serial;
                state.row = state.row.saturating_add(1);
                (state.refused_at, state.hold) = (Some(now), None);
            }
            state.end_trial(serial);
        }
        self.news.notify_waiters();
    }

    /// What failed had nothing to do with the credential: the next one may try it.
    pub(super) fn leave(&self, serial: u64) {
        self.state().end_trial(serial);
        self.news.notify_waiters();
    }

    /// Who tried this one has given up: it may have been refused. If that was often so nobody follows
    /// for a while, as after refusals.
    fn doubt(&self, (serial, since): (u64, Instant), policy: &UsePolicy, now: Instant) {
        let mut state = self.state();
        let was_accepted = state.accepted.is_some_and(|(by, at)| by >= serial && at >= since);
        if serial <= state.refused || was_accepted {
            return;
        }
        state.doubts = state.doubts.saturating_add(1);
        if let Some(beyond) = state.doubts.checked_sub(policy.refusals.get()) {
            let longest = policy.cool_down.max(policy.patience);
            let hold = after(now, doubled(policy.patience, beyond).min(longest));
            state.hold = state.hold.max(Some(hold));
        }
    }

    /// Waits for a turn to try one until something is found out, but no longer than until then.
    pub(super) async fn wait(&self, policy: &UsePolicy, until: Instant) {
        let mut news = std::pin::pin!(self.news.notified());
        news.as_mut().enable();
        // It may have been found out between the look and the wait.
        let turn = self.state().turn(policy, Instant::now());
        if let Some(turn) = turn {
            drop(tokio::time::timeout_at(turn.min(until), news).await);
        }
    }
}

impl State {
    /// When the next one may try, if not now.
    fn turn(&self, policy: &UsePolicy, now: Instant) -> Option<Instant> {
        // Who was dropped has told nothing, so his time is kept as well.
        let trial = self.tried.map(|(_, since)| after(since, policy.patience));
        trial.max(self.hold).filter(|turn| now < *turn)
    }

    fn end_trial(&mut self, serial: u64) {
        self.tried.take_if(|(tried, _)| *tried <= serial);
    }

    /// How long nothing is sent after so many refusals. The first one may be that of a credential that
    /// was revoked ahead of its end, so another one is issued at once.
    fn rest(&self, policy: &UsePolicy) -> Option<Duration> {
        self.row.checked_sub(2).map(|times| doubled(policy.cool_down, times))
    }
}

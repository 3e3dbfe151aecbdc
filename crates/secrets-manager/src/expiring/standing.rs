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
}

/// What may be done with a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may be sent.
    Go,
    /// Somebody else tries it: until he is done, or until then.
    Wait(Instant),
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
        match state.tried {
            // Who was dropped has told nothing, so his time is kept as well.
            Some((tried, since)) if tried == serial && now < after(since, policy.patience) => {
                Admission::Wait(after(since, policy.patience))
            }
            _ => {
                state.tried = Some((serial, now));
                Admission::Go
            }
        }
    }

    pub(super) fn accept(&self, serial: u64, now: Instant) {
        {
            let mut state = self.state();
            if serial > state.refused {
                (state.accepted, state.row) = (Some((serial, now)), 0);
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
                state.refused_at = Some(now);
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

    /// Waits until something is found out, or until then.
    pub(super) async fn wait(&self, until: Instant, is_over: impl Fn() -> bool) {
        let mut news = std::pin::pin!(self.news.notified());
        news.as_mut().enable();
        // It may have been between the look and the wait.
        if !is_over() {
            drop(tokio::time::timeout_at(until, news).await);
        }
    }

    /// Whether this one is being tried.
    pub(super) fn is_tried(&self, serial: u64) -> bool {
        self.state().tried.is_some_and(|(tried, _)| tried == serial)
    }
}

impl State {
    fn end_trial(&mut self, serial: u64) {
        self.tried.take_if(|(tried, _)| *tried <= serial);
    }

    /// How long nothing is sent after so many refusals. The first one may be that of a credential that
    /// was revoked ahead of its end, so another one is issued at once.
    fn rest(&self, policy: &UsePolicy) -> Option<Duration> {
        self.row.checked_sub(2).map(|times| doubled(policy.cool_down, times))
    }
}

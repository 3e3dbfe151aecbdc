//! Leave to try a version or to ask the provider, and what comes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use secrets_core::{Result, Secret, VersionId};
use tokio::time::Instant;

use crate::credential::mark::Streak;
use crate::credential::moments::after;
use crate::credential::policy::UsePolicy;
use crate::credential::trial::{Fallback, State, Step, Ticket, Trial};

/// After so long a provider that failed is asked again whether there is another version.
const PROVIDER_PAUSE: Duration = Duration::from_secs(5);

/// Leave to try a version, or to ask the provider. Given back when it is dropped by the one it was
/// given to, whatever came of it.
#[derive(Debug)]
pub(crate) struct Permit {
    pub(super) trial: Arc<Trial>,
    pub(super) ticket: Ticket,
    pub(super) role: Role,
    pub(super) policy: UsePolicy,
    /// Something was reported.
    pub(super) is_told: AtomicBool,
}

#[derive(Debug)]
pub(super) enum Role {
    /// Uses a version as everybody may.
    User { version: VersionId },
    /// Tries a version in place of another.
    Tester { of: VersionId, candidate: Secret, fallback: Fallback },
    /// Asks the provider.
    Clerk { of: VersionId },
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted,
    /// Accepted, by the word of one whose work goes on.
    Vouched,
    Refused,
    /// Neither is known.
    Other,
}

impl Permit {
    /// Says what came of an attempt; may be said more than once, for it may come out by and by.
    pub(crate) fn report(&self, outcome: Outcome, now: Instant) {
        self.is_told.store(true, Ordering::Relaxed);
        let mut state = self.trial.lock();
        match &self.role {
            Role::User { version } => {
                if outcome == Outcome::Accepted && state.is_settled(version) {
                    return state.mark(version).renew(now);
                }
                self.report_use(&mut state, version, outcome, now);
            }
            Role::Tester { of, candidate, fallback } => {
                let id = &candidate.version.id;
                self.judge(&mut state, id, outcome, now);
                if let Some(recovery) = state.worked_at(of, self.ticket) {
                    match outcome {
                        Outcome::Accepted | Outcome::Vouched => {
                            recovery.stand_in = Some(candidate.clone());
                            recovery.step = Step::Over;
                        }
                        Outcome::Refused => recovery.step = fallback.next(),
                        Outcome::Other => {}
                    }
                } else if outcome == Outcome::Refused {
                    // It was accepted first, by its own word.
                    state.lose_stand_in(id, now);
                }
            }
            Role::Clerk { .. } => {}
        }
        drop(state);
        self.trial.news.notify_waiters();
    }

    fn report_use(&self, state: &mut State, version: &VersionId, outcome: Outcome, now: Instant) {
        if !self.judge(state, version, outcome, now) {
            return;
        }
        match outcome {
            Outcome::Accepted | Outcome::Vouched => {
                state.recovery.take_if(|recovery| recovery.of == *version);
            }
            Outcome::Refused => state.lose_stand_in(version, now),
            Outcome::Other => {}
        }
    }

    /// Notes what came of an attempt with a version; false when it says nothing any more.
    fn judge(
        &self,
        state: &mut State,
        version: &VersionId,
        outcome: Outcome,
        now: Instant,
    ) -> bool {
        let last = state.last_ticket;
        let mark = state.mark(version);
        mark.leave(self.ticket);
        if self.ticket <= mark.floor {
            return false;
        }
        match outcome {
            Outcome::Accepted => mark.accept(now),
            Outcome::Vouched => mark.vouch(now),
            Outcome::Refused => mark.refuse(last, &self.policy, now),
            Outcome::Other => mark.widen(),
        }
        match outcome {
            Outcome::Accepted | Outcome::Vouched => state.streak = Streak::default(),
            Outcome::Refused => state.streak.add(now),
            Outcome::Other => {}
        }
        true
    }

    /// The version that was to be used instead of the current one is outside its validity.
    pub(crate) fn is_outdated(&self, now: Instant) {
        self.is_told.store(true, Ordering::Relaxed);
        let mut state = self.trial.lock();
        match &self.role {
            Role::User { version } => state.lose_stand_in(version, now),
            Role::Tester { of, fallback, .. } => {
                if let Some(recovery) = state.worked_at(of, self.ticket) {
                    recovery.step = fallback.next();
                }
            }
            Role::Clerk { .. } => {}
        }
        drop(state);
        self.trial.news.notify_waiters();
    }

    /// The provider was asked for a newer version, which a handle shows by now if there is one.
    pub(crate) fn refreshed(&self, answer: &Result<Secret>, now: Instant) {
        let Role::Clerk { of } = &self.role else { return };
        self.is_told.store(true, Ordering::Relaxed);
        let mut state = self.trial.lock();
        let is_due = state.is_due(of, &self.policy, now);
        if let Some(recovery) = state.worked_at(of, self.ticket) {
            match answer {
                Ok(_) => recovery.look_back(),
                Err(_) => {
                    recovery.step = Step::Over;
                    recovery.refresh_at = Some(after(now, PROVIDER_PAUSE));
                }
            }
            if is_due && answer.is_ok() {
                state.mark(of).reopen();
            }
        }
        drop(state);
        self.trial.news.notify_waiters();
    }

    /// The provider was asked for another version.
    pub(crate) fn fetched(&self, fallback: Fallback, answer: &Result<Secret>, now: Instant) {
        let Role::Clerk { of } = &self.role else { return };
        self.is_told.store(true, Ordering::Relaxed);
        let mut state = self.trial.lock();
        let answer = answer.as_ref().map(|secret| {
            let id = &secret.version.id;
            let is_of_use = id != of && state.is_of_use(id, &self.policy, now);
            is_of_use.then(|| secret.clone())
        });
        if let Some(recovery) = state.worked_at(of, self.ticket) {
            recovery.step = match answer {
                Ok(Some(candidate)) => Step::Test(candidate, fallback),
                Ok(None) => fallback.next(),
                Err(error) => {
                    if fallback == Fallback::Previous && error.is_transient() {
                        recovery.refresh_at = Some(after(now, PROVIDER_PAUSE));
                    }
                    fallback.next()
                }
            };
        }
        drop(state);
        self.trial.news.notify_waiters();
    }

    /// Gives it back. Who reported nothing was dropped, or panicked: the resource may have refused
    /// what it was sent.
    fn give_back(&self, now: Instant) {
        if self.is_told.load(Ordering::Relaxed) {
            return;
        }
        let (ticket, policy) = (self.ticket, &self.policy);
        let mut state = self.trial.lock();
        match &self.role {
            Role::User { version } => {
                let mark = state.mark(version);
                mark.leave(ticket);
                if let Some(until) = mark.doubt(ticket, policy, now) {
                    mark.linger(ticket, until);
                }
            }
            Role::Tester { of, candidate, .. } => {
                let until = state.mark(&candidate.version.id).doubt(ticket, policy, now);
                if let Some(recovery) = state.worked_at(of, ticket) {
                    recovery.worker = until.map(|until| (ticket, until));
                }
            }
            Role::Clerk { of } => drop(state.worked_at(of, ticket)),
        }
        drop(state);
        self.trial.news.notify_waiters();
    }
}

/// Gives a permit back when its holder is done with it, or is dropped in the middle.
#[derive(Debug)]
pub(crate) struct Holder(pub(crate) Arc<Permit>);

impl Drop for Holder {
    fn drop(&mut self) {
        self.0.give_back(Instant::now());
    }
}

//! What a resource said of the versions of one secret, and who may try which of them next.
//!
//! Nothing here waits or calls anybody: the driver in `using` does.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrets_core::{Result, Secret, VersionId, VersionSelector};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::credential::mark::{Mark, Standing, Streak};
use crate::credential::moments::after;
use crate::credential::permit::{Permit, Role};
use crate::credential::policy::UsePolicy;

/// So many versions of a secret are remembered.
const MOST_MARKS: usize = 8;

/// Attempts and duties in the order in which they were given out.
pub(super) type Ticket = u64;

/// One secret of one manager, at whatever it is used for.
#[derive(Debug)]
pub(crate) struct Trial {
    state: Mutex<State>,
    /// Wakes who waits for what others find out.
    pub(crate) news: Notify,
    /// How many groups of handles there are.
    stakes: AtomicUsize,
}

/// Held by each group of handles that are clones of one another. The last one takes the values along
/// that stood in for refused ones.
#[derive(Debug)]
pub(crate) struct Stake(Arc<Trial>);

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) last_ticket: Ticket,
    pub(super) marks: HashMap<VersionId, Mark>,
    pub(super) streak: Streak,
    pub(super) recovery: Option<Recovery>,
}

/// What is done about a current version that is refused.
#[derive(Debug)]
pub(super) struct Recovery {
    pub(super) of: VersionId,
    pub(super) step: Step,
    /// Who is at it, and for how long the others wait for that.
    pub(super) worker: Option<(Ticket, Instant)>,
    /// A version that is accepted in its place.
    pub(super) stand_in: Option<Secret>,
    /// When to ask a provider again that failed.
    pub(super) refresh_at: Option<Instant>,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    Refresh,
    Fetch(Fallback),
    Test(Secret, Fallback),
    Over,
}

/// What is tried when the current version is refused, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fallback {
    Previous,
    Pending,
}

impl Fallback {
    pub(crate) fn selector(self) -> VersionSelector {
        match self {
            Self::Previous => VersionSelector::Previous,
            Self::Pending => VersionSelector::Pending,
        }
    }

    pub(super) fn next(self) -> Step {
        match self {
            Self::Previous => Step::Fetch(Self::Pending),
            Self::Pending => Step::Over,
        }
    }
}

/// What one who wants to use the secret is to do.
#[derive(Debug)]
pub(crate) enum Admission {
    /// Use this.
    Try(Secret, Arc<Permit>),
    /// Ask the provider for a newer version, for all who wait.
    Refresh(Arc<Permit>),
    /// Ask it for this one.
    Fetch(Fallback, Arc<Permit>),
    /// Wait for news, until then at the longest.
    Wait(Instant),
    /// Look again: another version is current by now.
    Again,
    /// There is nothing to try.
    Barred,
}

/// How long things take, and now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) policy: &'a UsePolicy,
    /// For how long the others wait for one who asks the provider.
    pub(crate) call: Duration,
    pub(crate) now: Instant,
}

impl Trial {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), news: Notify::new(), stakes: AtomicUsize::new(0) }
    }

    pub(crate) fn stake(self: &Arc<Self>) -> Stake {
        self.stakes.fetch_add(1, Ordering::Relaxed);
        Stake(Arc::clone(self))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn has_refusals(&self) -> bool {
        self.lock().marks.values().any(|mark| mark.standing == Standing::Refused)
    }

    /// Lets go of the values that it holds: nobody uses the secret any more. What was done about a
    /// refusal is not done once more for that.
    fn let_go(&self) {
        let mut state = self.lock();
        let Some(recovery) = &mut state.recovery else { return };
        recovery.worker = None;
        if recovery.stand_in.take().is_some() {
            recovery.step = Step::Fetch(Fallback::Previous);
        } else if let Step::Test(_, fallback) = recovery.step {
            recovery.step = Step::Fetch(fallback);
        }
    }

    /// What was refused may be tried again.
    pub(crate) fn forget_refusals(&self) {
        let mut state = self.lock();
        state.recovery = None;
        state.streak = Streak::default();
        let last = state.last_ticket;
        state.marks.values_mut().for_each(|mark| mark.forget(last));
        drop(state);
        self.news.notify_waiters();
    }

    /// What to do for one who wants to use the secret whose current version is `current`.
    /// `is_latest` must neither lock nor call anybody.
    pub(crate) fn admit(
        self: &Arc<Self>,
        current: &Secret,
        is_latest: impl FnOnce() -> bool,
        terms: Terms<'_>,
    ) -> Admission {
        let mut state = self.lock();
        // Under the lock: what one has seen all later ones see, so nothing that is over is begun anew.
        if !is_latest() {
            return Admission::Again;
        }
        let of = &current.version.id;
        state.recovery.take_if(|recovery| recovery.of != *of);
        let ticket = state.next_ticket();
        let mark = state.mark(of);
        mark.lapse(terms.policy, terms.now);
        let standing = mark.standing;
        let user = |secret: &Secret| {
            let role = Role::User { version: secret.version.id.clone() };
            Admission::Try(secret.clone(), self.permit(ticket, role, terms))
        };
        if standing == Standing::Accepted {
            return user(current);
        }
        if standing == Standing::Untested {
            if !state.lets_begin(of, terms.policy, terms.now) {
                return state.stand_in().map_or(Admission::Barred, user);
            }
            let room = state.streak.room(terms.policy);
            let Err(wait) = state.mark(of).enter(ticket, room, terms) else {
                return user(current);
            };
            // Others need not wait for the one who looks whether the current version works by now.
            return state.stand_in().map_or(Admission::Wait(wait), user);
        }
        let step = match state.next_step(of, ticket, terms) {
            Ok(step) => step,
            Err(wait) => {
                let wait = wait.map_or(Admission::Barred, Admission::Wait);
                return state.stand_in().map_or(wait, user);
            }
        };
        let of = of.clone();
        let permit = |role| self.permit(ticket, role, terms);
        match step {
            Step::Refresh => Admission::Refresh(permit(Role::Clerk { of })),
            Step::Fetch(fallback) => Admission::Fetch(fallback, permit(Role::Clerk { of })),
            Step::Test(candidate, fallback) => {
                let role = Role::Tester { of, candidate: candidate.clone(), fallback };
                Admission::Try(candidate, permit(role))
            }
            Step::Over => Admission::Barred,
        }
    }

    fn permit(self: &Arc<Self>, ticket: Ticket, role: Role, terms: Terms<'_>) -> Arc<Permit> {
        let (policy, is_told) = (terms.policy.clone(), AtomicBool::new(false));
        Arc::new(Permit { trial: Arc::clone(self), ticket, role, policy, is_told })
    }
}

impl State {
    fn next_ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        self.last_ticket
    }

    /// Whether one more acceptance of a version is no news.
    pub(super) fn is_settled(&self, version: &VersionId) -> bool {
        self.recovery.is_none()
            && self.streak.is_none()
            && self.marks.get(version).is_some_and(Mark::is_settled)
    }

    fn stand_in(&self) -> Option<&Secret> {
        self.recovery.as_ref()?.stand_in.as_ref()
    }

    /// What is known of a version; a new one is untested.
    pub(super) fn mark(&mut self, version: &VersionId) -> &mut Mark {
        if self.marks.len() >= MOST_MARKS && !self.marks.contains_key(version) {
            let oldest = self.marks.iter().min_by_key(|(_, mark)| mark.seen);
            if let Some(oldest) = oldest.map(|(version, _)| version.clone()) {
                self.marks.remove(&oldest);
            }
        }
        let mark = self.marks.entry(version.clone()).or_insert_with(Mark::new);
        mark.seen = self.last_ticket;
        mark
    }

    /// Whether a version may be sent to the resource that is not known to accept it.
    fn lets_begin(&mut self, version: &VersionId, policy: &UsePolicy, now: Instant) -> bool {
        !self.mark(version).is_fresh() || self.streak.lets_begin(policy, now)
    }

    /// Whether a version that is refused may be sent once more by now.
    pub(super) fn is_due(&mut self, version: &VersionId, policy: &UsePolicy, now: Instant) -> bool {
        self.mark(version).is_due(now) && self.streak.lets_retry(policy)
    }

    /// Whether there is any use in trying a version in place of another.
    pub(super) fn is_of_use(
        &mut self,
        version: &VersionId,
        policy: &UsePolicy,
        now: Instant,
    ) -> bool {
        match self.mark(version).standing {
            Standing::Accepted => true,
            Standing::Untested => self.lets_begin(version, policy, now),
            Standing::Refused => self.is_due(version, policy, now),
        }
    }

    /// What the holder of this ticket is to do about a version that is refused; otherwise until when
    /// to wait for who is at it, if anybody is.
    fn next_step(
        &mut self,
        of: &VersionId,
        ticket: Ticket,
        terms: Terms<'_>,
    ) -> Result<Step, Option<Instant>> {
        let Terms { policy, call, now } = terms;
        let is_retried = self.is_due(of, policy, now);
        let recovery = self.recovery.get_or_insert_with(|| Recovery::new(of.clone()));
        if let Some((_, until)) = recovery.worker.filter(|(_, until)| *until > now) {
            return Err(Some(until));
        }
        let is_due = is_retried || recovery.refresh_at.is_some_and(|at| at <= now);
        match &recovery.step {
            Step::Over if is_due => {
                recovery.refresh_at = None;
                recovery.step = Step::Refresh;
            }
            Step::Fetch(Fallback::Pending) if !policy.tries_pending => recovery.step = Step::Over,
            _ => {}
        }
        let lease = match recovery.step {
            Step::Over => return Err(None),
            Step::Refresh | Step::Fetch(_) => call,
            Step::Test(..) => policy.patience,
        };
        recovery.worker = Some((ticket, after(now, lease)));
        Ok(recovery.step.clone())
    }

    /// The recovery that this ticket works at; it does so no longer.
    pub(super) fn worked_at(&mut self, of: &VersionId, ticket: Ticket) -> Option<&mut Recovery> {
        let recovery = self.recovery.as_mut().filter(|recovery| recovery.of == *of)?;
        recovery.worker.take_if(|(worker, _)| *worker == ticket)?;
        Some(recovery)
    }

    /// A stand-in is of no use any more: the version that it stands for is looked at once more,
    /// ahead of its time.
    pub(super) fn lose_stand_in(&mut self, version: &VersionId, now: Instant) {
        let Some(recovery) = &mut self.recovery else { return };
        let lost = recovery.stand_in.take_if(|secret| secret.version.id == *version);
        if lost.is_none() {
            return;
        }
        recovery.step = Step::Refresh;
        let of = recovery.of.clone();
        self.mark(&of).hasten(now);
    }
}

impl Recovery {
    fn new(of: VersionId) -> Self {
        Self { of, step: Step::Refresh, worker: None, stand_in: None, refresh_at: None }
    }

    /// After the provider said that there is nothing newer.
    pub(super) fn look_back(&mut self) {
        self.step = match self.stand_in {
            Some(_) => Step::Over,
            None => Step::Fetch(Fallback::Previous),
        };
    }
}

impl Stake {
    pub(crate) fn trial(&self) -> &Arc<Trial> {
        &self.0
    }
}

impl Drop for Stake {
    fn drop(&mut self) {
        if self.0.stakes.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.let_go();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use secrets_core::{SecretValue, VersionInfo};

    use super::*;

    /// Who loaded a version before it was replaced, and looks after all is settled, begins nothing.
    #[test]
    fn what_is_over_is_not_begun_anew() {
        let trial = Arc::new(Trial::new());
        let id = VersionId::new("v1").unwrap();
        let info = VersionInfo::new(id, SystemTime::UNIX_EPOCH);
        let old = Secret::new(SecretValue::copy_from_slice(b"old"), info);
        let policy = UsePolicy::new();
        let terms = Terms { policy: &policy, call: Duration::ZERO, now: Instant::now() };
        assert!(matches!(trial.admit(&old, || false, terms), Admission::Again));
        assert!(trial.lock().marks.is_empty() && trial.lock().recovery.is_none());
        assert!(matches!(trial.admit(&old, || true, terms), Admission::Try(..)));
    }
}

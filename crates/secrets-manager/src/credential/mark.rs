//! What a resource said of one version, and of whatever it was shown in a row.

use tokio::time::Instant;

use crate::credential::moments::{after, doubled};
use crate::credential::policy::UsePolicy;
use crate::credential::trial::{Terms, Ticket};

/// The current version, the previous one and the pending one: so many are tried for one another.
const GENERATION: u32 = 3;

/// What is known of a version.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) standing: Standing,
    /// When it was last looked at.
    pub(super) seen: Ticket,
    /// Attempts up to this one were begun before the last refusal.
    pub(super) floor: Ticket,
    /// In a row.
    refusals: u32,
    /// As many had there been when somebody said that it is accepted, ahead of the end of the work.
    vouched: u32,
    /// Attempts in a row that were given up before anything was known.
    doubts: u32,
    /// When somebody was accepted with it last.
    accepted: Option<Instant>,
    /// While it is refused: when it may be tried once more, if ever.
    pub(super) retry_at: Option<Instant>,
    /// While it is untested: how many may try it at a time.
    allowance: usize,
    /// While it is untested: who does, and for how long the others wait for that.
    running: Vec<(Ticket, Instant)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Untested,
    Accepted,
    Refused,
}

impl Mark {
    pub(super) fn new() -> Self {
        Self {
            standing: Standing::Untested,
            seen: 0,
            floor: 0,
            refusals: 0,
            vouched: 0,
            doubts: 0,
            accepted: None,
            retry_at: None,
            allowance: 1,
            running: Vec::new(),
        }
    }

    /// One may try it.
    pub(super) fn reopen(&mut self) {
        self.standing = Standing::Untested;
        self.retry_at = None;
        self.allowance = 1;
        self.running.clear();
    }

    /// As if it had never been refused; what is under way says nothing.
    pub(super) fn forget(&mut self, last: Ticket) {
        self.doubts = 0;
        if self.standing == Standing::Refused {
            self.reopen();
            (self.refusals, self.vouched) = (0, 0);
            self.floor = last;
        }
    }

    /// Lets one more try an untested version, of whom there is room for so many, or says until when
    /// to wait for who does. One who takes longer than a login does not hold the others up.
    pub(super) fn enter(
        &mut self,
        ticket: Ticket,
        room: usize,
        terms: Terms<'_>,
    ) -> Result<(), Instant> {
        self.running.retain(|(_, until)| *until > terms.now);
        if self.running.len() < self.allowance.min(room) {
            self.running.push((ticket, after(terms.now, terms.policy.patience)));
            return Ok(());
        }
        let first = self.running.iter().map(|(_, until)| *until).min();
        Err(first.unwrap_or(terms.now))
    }

    pub(super) fn leave(&mut self, ticket: Ticket) {
        self.running.retain(|(running, _)| *running != ticket);
    }

    /// An attempt was given up, and the resource may have refused it: until when nobody follows, if
    /// that was often so.
    pub(super) fn doubt(
        &mut self,
        ticket: Ticket,
        policy: &UsePolicy,
        now: Instant,
    ) -> Option<Instant> {
        if self.standing != Standing::Untested || ticket <= self.floor {
            return None;
        }
        self.doubts = self.doubts.saturating_add(1);
        let beyond = self.doubts.checked_sub(policy.refusals.get())?;
        let longest = policy.cool_down.max(policy.patience);
        Some(after(now, doubled(policy.patience, beyond).min(longest)))
    }

    /// Keeps others from following for so long.
    pub(super) fn linger(&mut self, ticket: Ticket, until: Instant) {
        self.running.push((ticket, until));
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.retry_at.is_some_and(|at| at <= now)
    }

    /// Nobody was refused with it.
    pub(super) fn is_fresh(&self) -> bool {
        self.standing == Standing::Untested && self.refusals == 0
    }

    /// Accepted, and nothing is held against it.
    pub(super) fn is_settled(&self) -> bool {
        self.standing == Standing::Accepted && (self.vouched, self.doubts) == (0, 0)
    }

    /// So was one more.
    pub(super) fn renew(&mut self, now: Instant) {
        self.accepted = Some(now);
    }

    /// Nobody was accepted with it for so long that one has to go first again: it may have been
    /// revoked meanwhile, and all who come at once would be refused.
    pub(super) fn lapse(&mut self, policy: &UsePolicy, now: Instant) {
        let until = self.accepted.map(|at| after(at, policy.trust));
        if self.standing == Standing::Accepted && until.is_none_or(|until| until <= now) {
            self.reopen();
        }
    }

    pub(super) fn accept(&mut self, now: Instant) {
        self.vouch(now);
        self.vouched = 0;
    }

    /// It is accepted by the word of one whose work goes on.
    pub(super) fn vouch(&mut self, now: Instant) {
        self.standing = Standing::Accepted;
        self.accepted = Some(now);
        self.vouched = self.vouched.max(self.refusals);
        (self.refusals, self.doubts) = (0, 0);
        self.retry_at = None;
        self.running.clear();
    }

    /// Of many who are refused at a time the first one counts, and who was accepted before says
    /// nothing any more. A word that it was accepted, and no more than that, counts for nothing.
    pub(super) fn refuse(&mut self, last: Ticket, policy: &UsePolicy, now: Instant) {
        self.floor = last;
        self.standing = Standing::Refused;
        self.refusals = self.refusals.max(self.vouched).saturating_add(1);
        self.retry_at = policy.rest(self.refusals).map(|rest| after(now, rest));
        self.running.clear();
    }

    /// A failure that is not the credential's locks nothing: more may try.
    pub(super) fn widen(&mut self) {
        self.allowance = self.allowance.saturating_mul(2);
    }

    /// What stood in for it is of no use any more: it is due at once.
    pub(super) fn hasten(&mut self, now: Instant) {
        self.retry_at = self.retry_at.map(|at| at.min(now));
    }
}

/// Refusals since the resource accepted anything: that is what locks an account, whatever versions
/// they were of.
#[derive(Debug, Default)]
pub(super) struct Streak {
    refusals: u32,
    last: Option<Instant>,
}

impl Streak {
    pub(super) fn add(&mut self, now: Instant) {
        self.refusals = self.refusals.saturating_add(1);
        self.last = Some(now);
    }

    pub(super) fn is_none(&self) -> bool {
        self.refusals == 0
    }

    /// Whether what was refused may be sent once more.
    pub(super) fn lets_retry(&self, policy: &UsePolicy) -> bool {
        self.refusals < policy.refusals.get()
    }

    /// Whether what was never refused may be sent: always once, but not version after version.
    pub(super) fn lets_begin(&self, policy: &UsePolicy, now: Instant) -> bool {
        let beyond = self.refusals.checked_sub(policy.refusals.get().max(GENERATION));
        let (Some(beyond), Some(last)) = (beyond, self.last) else { return true };
        now >= after(last, doubled(policy.cool_down, beyond))
    }

    /// How many may be under way with what is not known to be accepted.
    pub(super) fn room(&self, policy: &UsePolicy) -> usize {
        let left = policy.refusals.get().saturating_sub(self.refusals);
        usize::try_from(left).unwrap_or(usize::MAX).max(1)
    }
}

//! What is known of a value, and what follows from it: the state machine of one entry.
//!
//! Nothing here reads a clock, takes a lock or calls a provider: time comes in as a [`Moment`].

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secrets_core::{Error, ErrorKind, Retry, Secret, SecretValue, VersionInfo};
use tokio::time::Instant;

use crate::cache::jitter::Jitter;
use crate::cache::last_known::Recalled;
use crate::cache::line::Absent;
use crate::cache::moment::Moment;
use crate::cache::policy::CachePolicy;
use crate::validity::{ValidityRule, next_bound};

/// A provider cannot ask for a longer pause than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// The wall clock is looked at again after this time at the latest, for it may be set.
const LONGEST_WATCH: Duration = Duration::from_secs(24 * 60 * 60);

/// What decides over times: the policy, and the randomness that spreads them.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) policy: CachePolicy,
    pub(crate) jitter: Jitter,
}

/// A value and what is known of it.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) secret: Arc<Secret>,
    /// Counts the values: one more for each that differs from the one before.
    pub(crate) revision: u64,
    /// Nobody looks after it: no run future was alive when it was last dealt with.
    pub(crate) is_orphaned: bool,
    /// Somebody read it while it was stale.
    pub(crate) is_wanted: bool,
    confirmed: SystemTime,
    fresh_until: Instant,
    serve_until: Instant,
    pub(crate) usable_until: Instant,
    refresh_at: Instant,
    /// Not to be asked for before this time.
    gate: Instant,
    failures: u32,
    gone: Option<Error>,
    trouble: Option<Error>,
    /// The provider has denied it since it gave it last.
    is_denied: bool,
    /// It is known or assumed to have changed.
    is_distrusted: bool,
    /// It comes from before this process, and no provider has confirmed it since.
    pub(crate) is_restored: bool,
    /// Until when that may be used, by the clock on the wall.
    restored_until: Option<SystemTime>,
    stale_since: Option<SystemTime>,
}

/// The state in one word; [`SecretState`](secrets_core::SecretState) with nothing in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Fresh,
    Stale,
    Gone,
    Invalid,
    Orphaned,
}

/// What a reader is given.
#[derive(Debug)]
pub(crate) enum Offer {
    /// The value.
    Serve,
    /// The value, and it is to be asked for in the background.
    ServeStale,
    /// This error, without asking.
    Refuse(Error),
    /// What the provider answers.
    Ask,
}

/// Errors that say that the provider has no value to give, rather than that it failed.
pub(crate) fn is_absence(kind: ErrorKind) -> bool {
    use ErrorKind::{Destroyed, Disabled, NotFound, PendingDeletion};
    matches!(kind, NotFound | Disabled | Destroyed | PendingDeletion)
}

/// Errors that say that the provider has a value, perhaps, and does not give it to this process.
pub(crate) fn is_denial(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::PermissionDenied | ErrorKind::Unauthenticated)
}

impl Kind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Fresh, Self::Stale, Self::Gone, Self::Invalid, Self::Orphaned];

    /// As [`SecretState::as_str`] has it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Gone => "gone",
            Self::Invalid => "invalid",
            Self::Orphaned => "orphaned",
        }
    }
}

impl Terms {
    /// How long to leave a provider alone after so many failures in a row, the last being `error`.
    pub(crate) fn pause(&self, failures: u32, error: &Error) -> Duration {
        let backoff = self.policy.backoff;
        let own =
            || self.jitter.shorten(doubled(backoff.first, failures).min(backoff.longest), 0.5);
        if let Retry::After(asked) = error.retry() {
            // Never earlier than asked; later at random, so that a fleet does not come back in step.
            let asked = asked.min(LONGEST_PAUSE) + self.jitter.shorten(backoff.first, 1.0);
            return asked.max(own());
        }
        if is_absence(error.kind()) {
            let doubled = doubled(self.policy.negative_ttl, failures);
            return doubled.min(self.policy.ttl.max(self.policy.negative_ttl));
        }
        own()
    }
}

/// When the validity of a version has to be looked at again.
pub(crate) fn next_validity(version: &VersionInfo, moment: &Moment) -> Option<Instant> {
    let at = next_bound(version, moment.wall)?;
    let left = at.duration_since(moment.wall).unwrap_or_default();
    Some(moment.now + left.min(LONGEST_WATCH))
}

fn doubled(first: Duration, times: u32) -> Duration {
    let factor = 1_u32.checked_shl(times.saturating_sub(1)).unwrap_or(u32::MAX);
    first.saturating_mul(factor)
}

/// Small values are copied, so that value and bytes lie together in memory wherever the provider had
/// them: readers of a large cache wait for memory more than for anything else.
fn gathered(secret: Secret) -> Arc<Secret> {
    const SMALL: usize = 1024;
    let Secret { value, version } = secret;
    if value.len() > SMALL {
        return Arc::new(Secret::new(value, version));
    }
    let copy = SecretValue::copy_from_slice(value.expose_secret());
    let copy = match value.content_type() {
        Some(content_type) => copy.with_content_type(content_type),
        None => copy,
    };
    Arc::new(Secret::new(copy, version))
}

impl Held {
    /// A value as its provider just gave it.
    pub(crate) fn new(secret: Secret, moment: &Moment, terms: &Terms) -> Self {
        let mut held = Self {
            secret: gathered(secret),
            revision: 1,
            is_orphaned: true,
            is_wanted: false,
            confirmed: moment.wall,
            fresh_until: moment.now,
            serve_until: moment.now,
            usable_until: moment.now,
            refresh_at: moment.now,
            gate: moment.now,
            failures: 0,
            gone: None,
            trouble: None,
            is_denied: false,
            is_distrusted: false,
            is_restored: false,
            restored_until: None,
            stale_since: None,
        };
        held.confirm(true, moment, terms);
        held
    }

    /// A value from before this process, while its provider fails: not to be asked for before the
    /// gate, after so many failures.
    pub(crate) fn restored(
        recalled: Recalled,
        error: Error,
        (gate, failures): (Instant, u32),
        moment: &Moment,
        terms: &Terms,
    ) -> Self {
        let mut held = Self::new(recalled.secret, moment, terms);
        held.is_restored = true;
        held.restored_until = moment.wall.checked_add(recalled.left);
        held.confirmed = recalled.confirmed;
        held.stale_since = Some(recalled.confirmed);
        held.fresh_until = moment.now;
        held.usable_until = moment.now + recalled.left;
        held.serve_until = (gate + terms.policy.stale_while_revalidate).min(held.usable_until);
        held.wait_until(gate);
        held.failures = failures;
        held.trouble = Some(error);
        held
    }

    /// The provider gave this value.
    pub(crate) fn renew(&mut self, secret: Secret, moment: &Moment, terms: &Terms) {
        let (new, old) = (&secret, &self.secret);
        let is_same = new.version == old.version
            && new.value.content_type() == old.value.content_type()
            && new.value.ct_eq(&old.value);
        if !is_same {
            self.secret = gathered(secret);
            self.revision += 1;
        }
        self.confirm(!is_same, moment, terms);
    }

    fn confirm(&mut self, is_new: bool, moment: &Moment, terms: &Terms) {
        let policy = &terms.policy;
        self.confirmed = moment.wall;
        self.fresh_until = moment.now + policy.ttl;
        self.serve_until = self.fresh_until + policy.stale_while_revalidate;
        self.usable_until = self.fresh_until + policy.stale_if_error;
        self.refresh_at = moment.now + self.refresh_after(is_new, moment, terms);
        self.gate = moment.now;
        self.failures = 0;
        self.gone = None;
        self.trouble = None;
        self.is_denied = false;
        self.is_distrusted = false;
        self.is_restored = false;
        self.restored_until = None;
        self.is_wanted = false;
        self.stale_since = None;
    }

    /// At a part of the time to live; earlier when the value expires, at two thirds of what is left.
    fn refresh_after(&self, is_new: bool, moment: &Moment, terms: &Terms) -> Duration {
        let ttl = terms.policy.ttl;
        let usual = ttl.mul_f64(terms.policy.refresh_at);
        let left = self.secret.version.expires.and_then(|at| at.duration_since(moment.wall).ok());
        // Of one that is known already not so close to its expiry that asking early would be asking
        // again and again.
        let lead = if is_new { Duration::ZERO } else { ttl.saturating_sub(usual) };
        let soonest = lead.max(ttl / 100);
        let early = left.map(|left| left / 3 * 2).filter(|early| *early > soonest);
        let longest = early.map_or(usual, |early| usual.min(early));
        terms.jitter.shorten(longest, terms.policy.jitter)
    }

    /// The provider failed.
    pub(crate) fn fail(&mut self, error: Error, moment: &Moment, terms: &Terms) {
        self.failures = self.failures.saturating_add(1);
        if self.is_restored && !error.is_transient() {
            // The provider can be reached, and does not give it.
            self.usable_until = self.usable_until.min(moment.now);
        }
        self.wait(terms.pause(self.failures, &error), moment, terms);
        self.is_denied |= is_denial(error.kind());
        self.trouble = Some(error);
    }

    /// The provider has no value any more. `asked` is false when this is known without asking.
    pub(crate) fn lose(&mut self, error: Error, asked: bool, moment: &Moment, terms: &Terms) {
        self.failures = if self.gone.is_some() { self.failures.saturating_add(1) } else { 1 };
        // A handle is asked for by the run future alone: without a pause that would be at once.
        let pause = || terms.pause(self.failures, &error).max(terms.policy.backoff.first);
        let pause = if asked { pause() } else { Duration::ZERO };
        self.wait(pause, moment, terms);
        self.trouble = None;
        self.gone = Some(error);
    }

    fn wait(&mut self, pause: Duration, moment: &Moment, terms: &Terms) {
        self.wait_until(moment.now + pause);
        // While it may not be asked for, it is served from the cache rather than by the slow path.
        let served = self.gate + terms.policy.stale_while_revalidate;
        self.serve_until = self.serve_until.max(served).min(self.usable_until);
        self.is_wanted = false;
    }

    fn wait_until(&mut self, gate: Instant) {
        self.gate = gate;
        self.refresh_at = gate;
    }

    /// The value is known or assumed to have changed: the next reader asks, and so does the run
    /// future for what it keeps up. How long it may be used does not get longer by this.
    pub(crate) fn distrust(&mut self, moment: &Moment, terms: &Terms) {
        self.is_distrusted = true;
        self.fresh_until = self.fresh_until.min(moment.now);
        self.serve_until = self.serve_until.min(moment.now);
        self.usable_until = self.usable_until.min(moment.now + terms.policy.stale_if_error);
        self.refresh_at = moment.now;
        self.gate = moment.now;
        self.is_wanted = false;
    }

    /// Something may have been missed. The next reader asks, unless the provider is left alone for
    /// now; if asking fails the value still serves.
    pub(crate) fn suspect(&mut self, moment: &Moment, terms: &Terms) {
        let gate = self.gate;
        self.distrust(moment, terms);
        if self.trouble.is_some() {
            self.wait_until(gate);
        }
    }

    /// Somebody read it while it was stale.
    pub(crate) fn want(&mut self, moment: &Moment) {
        self.is_wanted = true;
        self.refresh_at = self.refresh_at.min(moment.now);
    }

    /// Word came that it may have changed: what is gone may be there again.
    pub(crate) fn heed(&mut self, moment: &Moment) {
        self.want(moment);
        if self.gone.is_some() {
            self.gate = moment.now;
        }
    }

    /// The clock on the wall may have gone on while the other one stood still: a value from before
    /// this process gets older meanwhile.
    pub(crate) fn heed_wall(&mut self, moment: &Moment) {
        let Some(until) = self.restored_until else { return };
        let left = until.duration_since(moment.wall).unwrap_or_default();
        self.usable_until = self.usable_until.min(moment.now + left);
        self.serve_until = self.serve_until.min(self.usable_until);
    }

    pub(crate) fn kind(&self, moment: &Moment, rule: &ValidityRule) -> Kind {
        if self.gone.is_some() {
            return Kind::Gone;
        }
        if rule.refuses(&self.secret.version, moment.wall).is_some() {
            return Kind::Invalid;
        }
        if self.is_orphaned {
            return Kind::Orphaned;
        }
        if self.is_fresh(moment) { Kind::Fresh } else { Kind::Stale }
    }

    pub(crate) fn is_fresh(&self, moment: &Moment) -> bool {
        !self.is_distrusted && moment.now < self.fresh_until
    }

    /// Whether the provider would give it, by what it said last of that.
    #[cfg(feature = "snapshot")]
    pub(crate) fn is_there(&self) -> bool {
        self.gone.is_none() && !self.is_denied
    }

    /// When its provider last gave it.
    #[cfg(feature = "snapshot")]
    pub(crate) fn confirmed(&self) -> SystemTime {
        self.confirmed
    }

    /// Since when; the first time it is asked for is remembered.
    pub(crate) fn stale_since(&mut self, moment: &Moment) -> SystemTime {
        *self.stale_since.get_or_insert(moment.wall)
    }

    pub(crate) fn fresh_until(&self) -> Instant {
        self.fresh_until
    }

    /// Until when readers by name are served without asking; `None` when they are not.
    pub(crate) fn served_until(&self, kind: Kind, is_kept_up: bool) -> Option<Instant> {
        match kind {
            Kind::Fresh | Kind::Stale if self.is_distrusted => None,
            Kind::Fresh | Kind::Stale if is_kept_up => Some(self.usable_until),
            Kind::Fresh | Kind::Stale => Some(self.serve_until),
            Kind::Gone | Kind::Invalid | Kind::Orphaned => None,
        }
    }

    /// What a reader gets who reads the clock. Bounds of validity are looked at by the caller.
    pub(crate) fn offer(&self, moment: &Moment, is_kept_up: bool) -> Offer {
        let is_gated = self.is_gated(moment);
        if let Some(gone) = &self.gone {
            return if is_gated { Offer::Refuse(gone.clone()) } else { Offer::Ask };
        }
        let is_trusted = !self.is_distrusted && !self.expired_since_confirmed(moment);
        if is_trusted && moment.now < self.fresh_until {
            return Offer::Serve;
        }
        let served_until = if is_kept_up { self.usable_until } else { self.serve_until };
        if is_trusted && moment.is_beating && moment.now < served_until {
            return Offer::ServeStale;
        }
        match &self.trouble {
            Some(_) if is_gated && moment.now < self.usable_until => Offer::Serve,
            Some(error) if is_gated => Offer::Refuse(error.clone()),
            _ => Offer::Ask,
        }
    }

    /// Whether the provider is to be left alone for now.
    pub(crate) fn is_gated(&self, moment: &Moment) -> bool {
        moment.now < self.gate
    }

    /// Whether a reader may have it although asking failed.
    pub(crate) fn is_usable(&self, moment: &Moment) -> bool {
        self.gone.is_none() && moment.now < self.usable_until
    }

    /// It was valid when it was last confirmed and is not now: there may be a newer one.
    fn expired_since_confirmed(&self, moment: &Moment) -> bool {
        let expires = self.secret.version.expires;
        expires.is_some_and(|at| self.confirmed < at && at <= moment.wall)
    }

    /// Whether the run future should ask now.
    pub(crate) fn is_due(&self, moment: &Moment, is_kept_up: bool) -> bool {
        self.asks_at(moment, is_kept_up).is_some_and(|at| at <= moment.now)
    }

    fn asks_at(&self, moment: &Moment, is_kept_up: bool) -> Option<Instant> {
        let has_expired = self.expired_since_confirmed(moment);
        let at = if has_expired { moment.now } else { self.refresh_at };
        (is_kept_up || self.is_wanted).then(|| at.max(self.gate))
    }

    /// Whether nobody can be served with it any more and nobody holds it.
    pub(crate) fn is_spent(&self, moment: &Moment, is_kept_up: bool) -> bool {
        !is_kept_up && (self.gone.is_some() || moment.now >= self.usable_until)
    }

    /// What is left to know when the value goes: that there is none, or that the provider fails, and
    /// until when it is left alone.
    pub(crate) fn absence(&self, moment: &Moment) -> Option<Absent> {
        let error = self.last_error().filter(|_| self.is_gated(moment))?.clone();
        Some(Absent { error, until: self.gate, failures: self.failures, since: moment.now })
    }

    /// When the run future has to look at it again; `is_asked_for` while an answer is awaited.
    pub(crate) fn next_look(
        &self,
        moment: &Moment,
        is_kept_up: bool,
        is_asked_for: bool,
    ) -> Option<Instant> {
        let asks = if is_asked_for { None } else { self.asks_at(moment, is_kept_up) };
        let changes = [self.fresh_until, self.serve_until, self.usable_until];
        let changes = changes.into_iter().filter(|at| *at > moment.now);
        changes.chain(asks).chain(next_validity(&self.secret.version, moment)).min()
    }

    pub(crate) const fn failures(&self) -> u32 {
        self.failures
    }

    /// Why it is not fresh, where a provider said so.
    pub(crate) fn last_error(&self) -> Option<&Error> {
        self.gone.as_ref().or(self.trouble.as_ref())
    }

    /// Something may have been missed of a value that is kept up: it is stale, and served, until it
    /// is confirmed.
    pub(crate) fn recheck(&mut self, moment: &Moment) {
        self.fresh_until = self.fresh_until.min(moment.now);
        self.refresh_at = self.refresh_at.min(moment.now);
    }
}

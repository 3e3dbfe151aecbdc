//! Where the value of a line is given out: under its own name, and under each of its aliases.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secrets_core::{Error, Secret, SecretName, SecretState, VersionInfo};
use tokio::time::Instant;

use crate::alias::Target;
use crate::cache::held::{Held, Kind};
use crate::cache::line::Face;
use crate::cache::moment::Moment;
use crate::validity::ValidityRule;

/// One name of a value: its place in the index and its handles.
#[derive(Debug)]
pub(crate) struct Outlet {
    /// The name under which readers by name find it.
    pub(crate) name: Option<SecretName>,
    /// Whether that is an alias.
    is_alias: bool,
    /// What handles see.
    pub(crate) face: Option<Face>,
    /// What readers by name are served: kind, revision, until when.
    pub(crate) listed: Option<(Kind, u64, Instant)>,
    /// All of the value unless set.
    part: Option<Part>,
}

/// A part of a value, taken out of it once when it came.
#[derive(Debug)]
struct Part {
    target: Arc<Target>,
    /// The revision of the value that was looked at last; they count from 1.
    revision: u64,
    /// The last one there was; kept for handles beyond a value that does not have it.
    last: Option<Last>,
    failure: Option<Failure>,
}

#[derive(Debug)]
struct Last {
    secret: Arc<Secret>,
    /// Of the value that it was taken from.
    revision: u64,
    fresh_until: Instant,
    usable_until: Instant,
}

/// The newest value does not have the part.
#[derive(Debug)]
struct Failure {
    error: Error,
    since: SystemTime,
}

/// What an outlet has to give.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Display<'a> {
    pub(crate) secret: &'a Arc<Secret>,
    pub(crate) kind: Kind,
    /// Of the value that it is, or was taken from.
    pub(crate) revision: u64,
    fresh_until: Instant,
    pub(crate) usable_until: Instant,
    /// It is of the newest value.
    pub(crate) is_newest: bool,
    pub(crate) error: Option<&'a Error>,
}

impl Display<'_> {
    /// For how long it has been stale.
    pub(crate) fn staleness(&self, moment: &Moment) -> Duration {
        moment.now.saturating_duration_since(self.fresh_until)
    }
}

impl Outlet {
    /// All of a value under its own name, if it is found by one.
    pub(crate) fn own(name: Option<SecretName>) -> Self {
        Self { name, is_alias: false, face: None, listed: None, part: None }
    }

    pub(crate) fn of_alias(target: &Arc<Target>) -> Self {
        let part = (!target.is_whole()).then(|| Part::new(Arc::clone(target)));
        Self { part, is_alias: true, ..Self::own(Some(target.alias.clone())) }
    }

    /// Of which alias it is.
    pub(crate) fn alias(&self) -> Option<&SecretName> {
        self.name.as_ref().filter(|_| self.is_alias)
    }

    pub(crate) fn has_readers(&self) -> bool {
        self.face.as_ref().is_some_and(|face| face.publisher.has_readers())
    }

    /// Looks for the part in a value that was not looked at yet.
    pub(crate) fn look(&mut self, held: &Held, moment: &Moment) {
        let has_readers = self.has_readers();
        let Some(part) = &mut self.part else { return };
        if part.revision != held.revision {
            part.revision = held.revision;
            match part.target.extract(&held.secret) {
                Ok(secret) => {
                    part.last = Some(Last::new(secret, held));
                    part.failure = None;
                }
                Err(error) => {
                    let begun = part.failure.take().map(|before| before.since);
                    part.failure = Some(Failure { error, since: begun.unwrap_or(moment.wall) });
                }
            }
        }
        match (&mut part.last, &part.failure) {
            // When the provider fails a value may be used for a time that is counted from when it was
            // last confirmed; so here.
            (Some(last), None) => last.confirm(held),
            (_, Some(_)) if !has_readers => part.last = None,
            // Stale since the first value without it.
            (Some(last), Some(_)) => last.fresh_until = last.fresh_until.min(moment.now),
            (None, _) => {}
        }
    }

    /// The value is gone from the cache.
    pub(crate) fn forget(&mut self) {
        if let Some(part) = &mut self.part {
            (part.revision, part.last, part.failure) = (0, None, None);
        }
    }

    /// Why the newest value has nothing for this outlet.
    pub(crate) fn failure(&self) -> Option<&Error> {
        self.part.as_ref()?.failure.as_ref().map(|failure| &failure.error)
    }

    /// What there is to show of a value of this kind.
    pub(crate) fn display<'a>(
        &'a self,
        held: &'a Held,
        kind: Kind,
        (moment, rule): (&Moment, &ValidityRule),
    ) -> Option<Display<'a>> {
        let (error, usable_until) = (held.last_error(), held.usable_until);
        let (revision, fresh_until, secret) = (held.revision, held.fresh_until(), &held.secret);
        let is_newest = true;
        let whole = Display { secret, kind, revision, fresh_until, usable_until, is_newest, error };
        let Some(part) = &self.part else { return Some(whole) };
        let Last { secret, revision, fresh_until, usable_until } = part.last.as_ref()?;
        let Some(failure) = &part.failure else { return Some(Display { secret, ..whole }) };
        let kind = if kind == Kind::Gone {
            Kind::Gone
        } else if rule.refuses(&secret.version, moment.wall).is_some() {
            Kind::Invalid
        } else if held.is_orphaned {
            Kind::Orphaned
        } else {
            Kind::Stale
        };
        let error = if kind == Kind::Gone { error } else { Some(&failure.error) };
        let (revision, fresh_until) = (*revision, *fresh_until);
        let usable_until = whole.usable_until.min(*usable_until);
        let is_newest = false;
        Some(Display { secret, kind, revision, fresh_until, usable_until, is_newest, error })
    }

    /// The version of a part that the newest value does not have: its bounds of validity are not those
    /// of the newest.
    pub(crate) fn older_version(&self) -> Option<&VersionInfo> {
        let part = self.part.as_ref().filter(|part| part.failure.is_some())?;
        part.last.as_ref().map(|last| &last.secret.version)
    }

    /// What handles show for this kind.
    pub(crate) fn state(
        &self,
        held: &mut Held,
        kind: Kind,
        moment: &Moment,
    ) -> Option<SecretState> {
        let (secret, since) = match &self.part {
            None => (Secret::clone(&held.secret), None),
            Some(part) => {
                let since = part.failure.as_ref().map(|failure| failure.since);
                (Secret::clone(&part.last.as_ref()?.secret), since)
            }
        };
        Some(match kind {
            Kind::Fresh => SecretState::Fresh(secret),
            Kind::Stale => {
                let since = since.unwrap_or_else(|| held.stale_since(moment));
                SecretState::Stale { secret, since }
            }
            Kind::Gone => SecretState::Gone { last: Some(secret) },
            Kind::Invalid => SecretState::Invalid { secret },
            Kind::Orphaned => SecretState::Orphaned { secret },
        })
    }
}

impl Last {
    fn new(secret: Secret, held: &Held) -> Self {
        Self {
            secret: Arc::new(secret),
            revision: held.revision,
            fresh_until: held.fresh_until(),
            usable_until: held.usable_until,
        }
    }

    fn confirm(&mut self, held: &Held) {
        (self.fresh_until, self.usable_until) = (held.fresh_until(), held.usable_until);
    }
}

impl Part {
    fn new(target: Arc<Target>) -> Self {
        Self { target, revision: 0, last: None, failure: None }
    }
}

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

use secrets_core::{
    Capabilities, Consistency, Error, ErrorKind, Operation, Result, Secret, SecretRef, VersionId,
    VersionInfo,
};
use tokio::time::Instant;

/// How many writes are remembered at most, and how many replaced versions of each.
const MOST_GUARDS: usize = 1024;
const MOST_REPLACED: usize = 8;

/// The usual delay that a provider declares, times this, is how long its answers may lag.
const PATIENCE: u32 = 2;

/// A longer delay than this is taken for a mistake, and would overflow the clock.
const LONGEST_DELAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How late a provider usually shows what was written.
pub(crate) fn delay(capabilities: &Capabilities) -> Duration {
    let delay = match capabilities.consistency {
        Consistency::ExactVersion { others_within: within } | Consistency::Eventual { within } => {
            within
        }
        _ => Duration::ZERO,
    };
    delay.min(LONGEST_DELAY)
}

/// For how long after a write a provider may still answer as before.
pub(crate) fn window(capabilities: &Capabilities) -> Duration {
    delay(capabilities) * PATIENCE
}

type GuardKey = (usize, SecretRef);

/// What this manager wrote lately, so that an answer of a replica that lags does not bring the
/// older version back.
#[derive(Debug, Default)]
pub(crate) struct WriteGuards {
    guards: HashMap<GuardKey, WriteGuard>,
    /// Oldest first; a key may stand here more than once.
    order: VecDeque<(Instant, GuardKey)>,
}

#[derive(Debug)]
struct WriteGuard {
    wrote: Wrote,
    /// Versions that were current before, oldest first.
    replaced: VecDeque<Seen>,
    until: Instant,
}

/// A version and when it was created, where that is known. Google counts from 1 again for a secret
/// that is created anew, so the id alone may mean two versions.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) id: VersionId,
    pub(crate) created: Option<SystemTime>,
}

impl Seen {
    pub(crate) fn version(info: &VersionInfo) -> Self {
        Self { id: info.id.clone(), created: Some(info.created) }
    }

    pub(crate) fn id(id: VersionId) -> Self {
        Self { id, created: None }
    }

    /// The same version, or one of the same id from before.
    fn covers(&self, version: &VersionInfo) -> bool {
        self.id == version.id && self.created.is_none_or(|created| version.created <= created)
    }
}

/// What became of the current version.
#[derive(Debug, Clone)]
pub(crate) enum Wrote {
    /// This version is it.
    Version(Seen),
    /// Somebody's write is it, it is not known whose.
    Something,
    /// There is none.
    Nothing,
}

impl WriteGuards {
    /// Remembers a write; `replaced` are the versions known to be older.
    pub(crate) fn note(
        &mut self,
        key: GuardKey,
        wrote: Wrote,
        replaced: impl IntoIterator<Item = Seen>,
        (now, window): (Instant, Duration),
    ) {
        self.forget_old(now);
        if window.is_zero() {
            return;
        }
        let until = now + window;
        self.order.push_back((until, key.clone()));
        let fresh = || WriteGuard { wrote: Wrote::Something, replaced: VecDeque::new(), until };
        let guard = self.guards.entry(key).or_insert_with(fresh);
        if let Wrote::Version(seen) = &guard.wrote {
            guard.replaced.push_back(seen.clone());
        }
        guard.replaced.extend(replaced);
        if let Wrote::Version(seen) = &wrote {
            guard.replaced.retain(|old| old.id != seen.id);
        }
        while guard.replaced.len() > MOST_REPLACED {
            guard.replaced.pop_front();
        }
        guard.wrote = wrote;
        guard.until = until;
    }

    /// Remembers that a version can be read no more, as a replica that lags does not know yet.
    pub(crate) fn close(&mut self, key: GuardKey, closed: Seen, term: (Instant, Duration)) {
        let guard = self.guards.get(&key).filter(|guard| term.0 < guard.until);
        let wrote = match guard.map(|guard| &guard.wrote) {
            Some(Wrote::Version(seen)) if seen.id != closed.id => Wrote::Version(seen.clone()),
            _ => Wrote::Something,
        };
        self.note(key, wrote, [closed], term);
    }

    /// What was written no longer says anything about what is current.
    pub(crate) fn lift(&mut self, key: &GuardKey) {
        self.guards.remove(key);
    }

    /// The version that is current by our own doing.
    pub(crate) fn expected(&self, key: &GuardKey, now: Instant) -> Option<&VersionId> {
        let guard = self.guards.get(key).filter(|guard| now < guard.until)?;
        match &guard.wrote {
            Wrote::Version(seen) => Some(&seen.id),
            _ => None,
        }
    }

    /// What to make of an answer from before our own write: an error to pass on in its place.
    pub(crate) fn lag(
        &self,
        key: &GuardKey,
        answer: &Result<Secret>,
        now: Instant,
    ) -> Option<Error> {
        let guard = self.guards.get(key).filter(|guard| now < guard.until)?;
        guard.is_before(answer).then(|| guard.error())
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some((until, _)) = self.order.front() {
            if *until > now && self.order.len() < MOST_GUARDS {
                return;
            }
            let Some((until, key)) = self.order.pop_front() else { return };
            if self.guards.get(&key).is_some_and(|guard| guard.until == until) {
                self.guards.remove(&key);
            }
        }
    }
}

impl WriteGuard {
    fn is_before(&self, answer: &Result<Secret>) -> bool {
        match (&self.wrote, answer) {
            (Wrote::Version(seen), Ok(Secret { version, .. })) => {
                let is_older = seen.created.is_some_and(|ours| version.created < ours);
                version.id != seen.id && (is_older || self.has_replaced(version))
            }
            (_, Ok(secret)) => self.has_replaced(&secret.version),
            (Wrote::Version(..), Err(error)) => error.kind() == ErrorKind::NotFound,
            (_, Err(_)) => false,
        }
    }

    fn has_replaced(&self, version: &VersionInfo) -> bool {
        self.replaced.iter().any(|seen| seen.covers(version))
    }

    fn error(&self) -> Error {
        let error = match self.wrote {
            Wrote::Nothing => Error::new(ErrorKind::NotFound, "the secret was deleted"),
            _ => {
                Error::new(ErrorKind::Unavailable, "the backend still answers as before the write")
            }
        };
        error.with_operation(Operation::GetSecret)
    }
}

//! One line of the cache: what is known under one key, and who waits for it.

use std::iter;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use live_value::Publisher;
use secrets_core::{
    Error, SecretName, SecretRef, SecretState, VersionId, VersionInfo, VersionSelector,
};
use tokio::time::Instant;

use crate::alias::Target;
use crate::cache::flight::WeakFlight;
use crate::cache::held::{Held, Kind};
use crate::cache::moment::Moment;
use crate::cache::outlet::{Display, Outlet};
use crate::cache::pulse::{Deadline, Stamp};
use crate::validity::{ValidityRule, has_bounds};

/// Names a line for as long as the manager lives; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LineId(pub(crate) u64);

impl LineId {
    /// No line.
    pub(crate) const NONE: Self = Self(0);
}

/// What a line is about. The provider stands for its identity: no two of a manager have the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) source: usize,
    pub(crate) reference: SecretRef,
    pub(crate) selector: VersionSelector,
}

impl Key {
    /// The name under which readers by name find it.
    pub(crate) fn listed_name(&self) -> Option<&SecretName> {
        match self.selector {
            VersionSelector::Current => self.reference.name(),
            _ => None,
        }
    }
}

/// Whether two references may be about one secret: only the provider knows what a native id means.
pub(crate) fn may_be_same(one: &SecretRef, other: &SecretRef) -> bool {
    one == other || one.name().is_none() || other.name().is_none()
}

#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) key: Key,
    pub(crate) content: Content,
    pub(crate) flight: Option<WeakFlight>,
    /// The number of the question whose answer was last taken, failures apart, or may have been: a line
    /// that was forgotten may be here anew.
    pub(crate) answered: u64,
    /// It waits for room among the refreshes.
    pub(crate) is_queued: bool,
    /// Word of a change came while an answer was awaited, which may be older.
    pub(crate) asks_again: bool,
    /// All of the value, as what it is.
    pub(crate) own: Outlet,
    /// The value under each of its aliases.
    pub(crate) aliases: Vec<Outlet>,
    /// Its place in the schedule.
    pub(crate) look_at: Option<Instant>,
    /// Its place in the order of eviction, or among those parked.
    pub(crate) turn: Option<u64>,
    /// Which revision the observer of validity was told of.
    pub(crate) warned: Option<u64>,
}

#[derive(Debug)]
pub(crate) enum Content {
    /// The first answer is awaited.
    Nothing,
    /// There is no value, and asking again is of no use before its time.
    Absent(Absent),
    Held(Box<Held>),
}

#[derive(Debug)]
pub(crate) struct Absent {
    pub(crate) error: Error,
    pub(crate) until: Instant,
    pub(crate) failures: u32,
    /// Its place in the order in which absences are forgotten.
    pub(crate) since: Instant,
}

/// What handles see. Held by the line alone, so that a handle says so when the manager is gone.
#[derive(Debug)]
pub(crate) struct Face {
    pub(crate) publisher: Arc<Publisher<SecretState>>,
    pub(crate) dial: Arc<Dial>,
    /// What should be published: kind and revision, and how often that changed.
    pub(crate) shown: (Kind, u64),
    /// Which version that is.
    pub(crate) version: VersionId,
    pub(crate) wanted: u64,
    /// How many of these changes are published.
    pub(crate) published: u64,
}

/// What a checked load needs beside the state.
#[derive(Debug)]
pub(crate) struct Dial {
    pub(crate) usable_until: Deadline,
    /// A state is being published: the deadline is still that of the one before.
    is_behind: AtomicBool,
    last_error: Mutex<Option<Error>>,
}

impl Dial {
    pub(crate) fn new(usable_until: Stamp) -> Self {
        let usable_until = Deadline::at(usable_until);
        Self { usable_until, is_behind: AtomicBool::new(false), last_error: Mutex::new(None) }
    }

    pub(crate) fn is_behind(&self) -> bool {
        self.is_behind.load(Ordering::Acquire)
    }

    pub(crate) fn set_behind(&self, is_behind: bool) {
        self.is_behind.store(is_behind, Ordering::Release);
    }

    pub(crate) fn set_error(&self, error: Option<&Error>) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = error.cloned();
    }

    pub(crate) fn error(&self) -> Option<Error> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Line {
    pub(crate) fn new(key: Key, answered: u64, aliases: &[Arc<Target>]) -> Self {
        Self {
            own: Outlet::own(key.listed_name().cloned()),
            aliases: aliases.iter().map(Outlet::of_alias).collect(),
            key,
            content: Content::Nothing,
            flight: None,
            answered,
            is_queued: false,
            asks_again: false,
            look_at: None,
            turn: None,
            warned: None,
        }
    }

    pub(crate) fn held(&self) -> Option<&Held> {
        match &self.content {
            Content::Held(held) => Some(held),
            _ => None,
        }
    }

    /// How often in a row its provider has failed.
    pub(crate) fn failures(&self) -> u32 {
        match &self.content {
            Content::Nothing => 0,
            Content::Absent(absent) => absent.failures,
            Content::Held(held) => held.failures(),
        }
    }

    pub(crate) fn held_mut(&mut self) -> Option<&mut Held> {
        match &mut self.content {
            Content::Held(held) => Some(held),
            _ => None,
        }
    }

    /// Whether a handle, or a value derived from one, can read it.
    pub(crate) fn is_pinned(&self) -> bool {
        self.own.has_readers() || self.aliases.iter().any(Outlet::has_readers)
    }

    /// What handles are shown, under each name by which there are any.
    pub(crate) fn shown<'a>(
        &'a self,
        held: &'a Held,
        by: (&'a Moment, &'a ValidityRule),
    ) -> impl Iterator<Item = (&'a Outlet, Display<'a>)> {
        let kind = held.kind(by.0, by.1);
        let outlets = iter::once(&self.own).chain(&self.aliases);
        let held_by = outlets.filter(|outlet| outlet.has_readers());
        held_by.filter_map(move |outlet| Some((outlet, outlet.display(held, kind, by)?)))
    }

    /// The one of this number; the line's own is the first.
    pub(crate) fn outlet(&self, number: usize) -> Option<&Outlet> {
        match number.checked_sub(1) {
            None => Some(&self.own),
            Some(alias) => self.aliases.get(alias),
        }
    }

    /// The names under which readers find it.
    pub(crate) fn names(&self) -> impl Iterator<Item = &SecretName> {
        iter::once(&self.own).chain(&self.aliases).filter_map(|outlet| outlet.name.as_ref())
    }

    /// Those that handles are shown because the newest does not have their part.
    pub(crate) fn older_versions(&self) -> impl Iterator<Item = &VersionInfo> {
        self.aliases.iter().filter_map(Outlet::older_version)
    }

    pub(crate) fn has_bounds(&self) -> bool {
        let newest = self.held().map(|held| &held.secret.version);
        newest.into_iter().chain(self.older_versions()).any(has_bounds)
    }

    /// Whether the answer of this flight is the one that counts.
    pub(crate) fn awaits(&self, number: u64) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.bound_for.number == number)
    }

    pub(crate) fn is_asked_for(&self) -> bool {
        self.flight.is_some() || self.is_queued
    }
}

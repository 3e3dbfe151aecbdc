//! One line of the cache: what is known under one key, and who waits for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use live_value::Publisher;
use secrets_core::{Error, SecretName, SecretRef, SecretState, VersionSelector};
use tokio::time::Instant;

use crate::cache::flight::WeakFlight;
use crate::cache::held::{Held, Kind};
use crate::cache::pulse::{Deadline, Stamp};

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
    /// The number of the question whose answer was last taken, or may have been: a line that was
    /// forgotten may be here anew.
    pub(crate) answered: u64,
    /// It waits for room among the refreshes.
    pub(crate) is_queued: bool,
    /// Word of a change came while an answer was awaited, which may be older.
    pub(crate) asks_again: bool,
    pub(crate) face: Option<Face>,
    /// What readers by name are served: kind, revision, until when.
    pub(crate) listed: Option<(Kind, u64, Instant)>,
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
    pub(crate) fn new(key: Key, answered: u64) -> Self {
        Self {
            key,
            content: Content::Nothing,
            flight: None,
            answered,
            is_queued: false,
            asks_again: false,
            face: None,
            listed: None,
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

    pub(crate) fn held_mut(&mut self) -> Option<&mut Held> {
        match &mut self.content {
            Content::Held(held) => Some(held),
            _ => None,
        }
    }

    /// Whether a handle, or a value derived from one, can read it.
    pub(crate) fn is_pinned(&self) -> bool {
        self.face.as_ref().is_some_and(|face| face.publisher.has_readers())
    }

    /// Whether the answer of this flight is the one that counts.
    pub(crate) fn awaits(&self, number: u64) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.bound_for.number == number)
    }

    pub(crate) fn is_asked_for(&self) -> bool {
        self.flight.is_some() || self.is_queued
    }
}

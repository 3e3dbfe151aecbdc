//! What a publisher, its readers and its derived values share.
//!
//! One lock guards everything but the value itself. No foreign code (closures, wakers, destructors)
//! runs while it is held, and no thread ever holds two of these locks, so neither can deadlock.

use std::collections::BTreeMap;
use std::mem;
use std::ops::Bound;
use std::sync::{Arc, Weak};
use std::task::Waker;

use crate::derive::{DeriveError, Follow, Origin};
use crate::panics::Panics;
use crate::sync::{Cell, Loaded, Mutex, MutexGuard, Step, left_out, lock};
use crate::version::Version;

/// A value and the version it was published as: one allocation, so that they are never torn; in this
/// order, so that the beginning of the value lies beside the counts, which a load touches anyway.
#[repr(C)]
pub(crate) struct Snapshot<T> {
    pub(crate) version: Version,
    pub(crate) value: T,
}

pub(crate) struct Shared<T> {
    cell: Cell<Snapshot<T>>,
    state: Mutex<State<T>>,
}

struct State<T> {
    closed: bool,
    turn: Turn,
    last_key: u64,
    wakers: BTreeMap<u64, Waker>,
    /// In order of registration, because keys only grow.
    followers: BTreeMap<u64, Weak<dyn Follow<T>>>,
    /// What a derived value is computed from; let go when that closes.
    origin: Option<Arc<dyn Origin>>,
    fault: Option<Arc<DeriveError>>,
}

/// Whether a thread is bringing the followers up to date.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Free,
    Taken,
    /// Taken, and something changed since: the holder does another round.
    Again,
}

/// The end of an attempt to wait for a newer value.
pub(crate) enum Wait<T> {
    Newer(Loaded<Snapshot<T>>),
    Closed,
    Registered(u64),
}

impl<T> Shared<T> {
    pub(crate) fn root(value: T) -> Self {
        Self::new(Version::FIRST, value, None)
    }

    pub(crate) fn derived(version: Version, value: T, origin: Arc<dyn Origin>) -> Self {
        Self::new(version, value, Some(origin))
    }

    fn new(version: Version, value: T, origin: Option<Arc<dyn Origin>>) -> Self {
        Self {
            cell: Cell::new(Snapshot { version, value }),
            state: Mutex::new(State {
                closed: false,
                turn: Turn::Free,
                last_key: 0,
                wakers: BTreeMap::new(),
                followers: BTreeMap::new(),
                origin,
                fault: None,
            }),
        }
    }

    #[inline]
    pub(crate) fn load(&self) -> Loaded<Snapshot<T>> {
        self.cell.load()
    }

    pub(crate) fn version(&self) -> Version {
        self.load().version
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    /// Publishes the value that follows the current one.
    pub(crate) fn publish(&self, value: T) -> Version {
        let state = lock(&self.state);
        let version = self.version().next();
        self.install(state, version, value);
        version
    }

    /// Publishes if the current version is `expected`; otherwise gives the value and the current
    /// version back.
    pub(crate) fn publish_over(
        &self,
        expected: Version,
        value: T,
    ) -> Result<Version, (Version, T)> {
        let state = lock(&self.state);
        let current = self.version();
        if current != expected {
            return Err((current, value));
        }
        let version = current.next();
        self.install(state, version, value);
        Ok(version)
    }

    /// Publishes a derived value under the version of its root.
    pub(crate) fn publish_as(&self, version: Version, value: T) {
        self.install(lock(&self.state), version, value);
    }

    fn install(&self, mut state: MutexGuard<'_, State<T>>, version: Version, value: T) {
        let replaced = self.cell.swap(Snapshot { version, value });
        let fault = state.fault.take();
        let wakers = mem::take(&mut state.wakers);
        drop(state);
        let mut panics = Panics::default();
        wake(wakers, &mut panics);
        // Before the followers run: what was replaced must not wait for a slow closure.
        panics.run(|| drop(replaced));
        panics.run(|| drop(fault));
        panics.run(|| self.propagate());
        panics.go_on();
    }

    /// Keeps the last value and says why there is no newer one.
    pub(crate) fn fail(&self, fault: DeriveError) {
        let replaced = lock(&self.state).fault.replace(Arc::new(fault));
        drop(replaced);
    }

    /// The last value is that of the newest version.
    pub(crate) fn mend(&self) {
        let fault = lock(&self.state).fault.take();
        drop(fault);
    }

    /// Why this value is behind its root: its own failure, or one further up.
    pub(crate) fn fault(&self) -> Option<Arc<DeriveError>> {
        let (own, origin) = {
            let state = lock(&self.state);
            (state.fault.clone(), state.origin.clone())
        };
        own.or_else(|| origin?.fault())
    }

    /// Says that no newer value will come.
    pub(crate) fn close(&self) {
        let fault = self.fault();
        let (wakers, origin) = {
            let mut state = lock(&self.state);
            state.closed = true;
            state.fault = fault;
            (mem::take(&mut state.wakers), state.origin.take())
        };
        let mut panics = Panics::default();
        wake(wakers, &mut panics);
        panics.run(|| drop(origin));
        panics.run(|| self.propagate());
        panics.go_on();
    }

    /// Looks for a value newer than `seen`; if there is none yet, `waker` is called for it.
    /// `key` is the registration that an earlier attempt returned.
    pub(crate) fn wait(&self, seen: Version, key: Option<u64>, waker: Waker) -> Wait<T> {
        let mut state = lock(&self.state);
        let key = key.unwrap_or_else(|| state.next_key());
        let replaced = state.wakers.insert(key, waker);
        // The publisher may have passed between the caller's look and our registration. It stores
        // before it takes the lock to collect wakers, so one more look under the lock is enough.
        let closed = state.closed;
        let current = self.load();
        let newer = current.version > seen && !left_out(Step::RecheckAfterWaker);
        let registered = if newer || closed { state.wakers.remove(&key) } else { None };
        drop(state);
        drop((replaced, registered));
        match (newer, closed) {
            (true, _) => Wait::Newer(current),
            (false, true) => Wait::Closed,
            (false, false) => Wait::Registered(key),
        }
    }

    pub(crate) fn forget_waker(&self, key: u64) {
        let waker = lock(&self.state).wakers.remove(&key);
        drop(waker);
    }

    pub(crate) fn reserve_key(&self) -> u64 {
        lock(&self.state).next_key()
    }

    /// Registers a follower that was computed from version `computed`.
    pub(crate) fn register(&self, key: u64, follower: Weak<dyn Follow<T>>, computed: Version) {
        let behind = {
            let mut state = lock(&self.state);
            state.followers.insert(key, follower);
            state.closed || self.version() != computed
        };
        if behind && !left_out(Step::RecheckAfterFollower) {
            self.propagate();
        }
    }

    pub(crate) fn unregister(&self, key: u64) {
        let follower = lock(&self.state).followers.remove(&key);
        drop(follower);
    }

    /// Brings every follower up to date, in order of registration. One thread at a time does this:
    /// who comes meanwhile, even from inside a closure, leaves a note and goes on.
    pub(crate) fn propagate(&self) {
        if !self.take_turn() {
            return;
        }
        let mut panics = Panics::default();
        loop {
            let mut last = 0;
            while let Some((key, follower)) = self.follower_after(last) {
                // Moved in: with the last reader gone, its closure is dropped here.
                panics.run(move || follower.follow(self));
                last = key;
            }
            if self.end_turn() {
                break;
            }
        }
        panics.go_on();
    }

    /// Takes the turn, or asks the thread that has it for one more round.
    fn take_turn(&self) -> bool {
        let mut state = lock(&self.state);
        let free = state.turn == Turn::Free;
        if free {
            state.turn = Turn::Taken;
        } else if !left_out(Step::AskForAnotherRound) {
            state.turn = Turn::Again;
        }
        free
    }

    /// Gives the turn back unless another round is due; looks and acts under one lock.
    fn end_turn(&self) -> bool {
        let mut state = lock(&self.state);
        let again = state.turn == Turn::Again;
        state.turn = if again { Turn::Taken } else { Turn::Free };
        !again
    }

    fn follower_after(&self, key: u64) -> Option<(u64, Arc<dyn Follow<T>>)> {
        let state = lock(&self.state);
        let mut rest = state.followers.range((Bound::Excluded(key), Bound::Unbounded));
        rest.find_map(|(key, follower)| Some((*key, follower.upgrade()?)))
    }
}

impl<T> State<T> {
    fn next_key(&mut self) -> u64 {
        self.last_key += 1;
        self.last_key
    }
}

fn wake(wakers: BTreeMap<u64, Waker>, panics: &mut Panics) {
    for waker in wakers.into_values() {
        panics.run(|| waker.wake());
    }
}

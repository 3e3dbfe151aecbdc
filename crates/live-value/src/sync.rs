//! The seam between this crate and what it synchronises with: `arc_swap` and `std` in ordinary
//! builds, a mock cell and loom's types under `cfg(all(loom, test))`.

use std::sync::PoisonError;

#[cfg(all(loom, test))]
pub(crate) use self::model::{AtomicU64, Cell, Loaded, Mutex, MutexGuard};
#[cfg(all(loom, test))]
pub(crate) use self::planted::{leave_out, left_out};
#[cfg(not(all(loom, test)))]
pub(crate) use self::real::{AtomicU64, Cell, Loaded, Mutex, MutexGuard};

/// Locks without regard to poison: no foreign code ever runs under one of our locks, so a panic
/// cannot leave the state half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The steps that a model run can leave out, to show that the models notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A waiter looks at the value again after its waker is in the list.
    RecheckAfterWaker,
    /// A new derivation looks at its parent again after it is in the list.
    RecheckAfterFollower,
    /// A publish that finds another thread deriving asks it for one more round.
    AskForAnotherRound,
    /// A derivation reads "closed" before it reads the value.
    ClosedBeforeValue,
}

#[cfg(not(all(loom, test)))]
pub(crate) const fn left_out(_: Step) -> bool {
    false
}

#[cfg(not(all(loom, test)))]
mod real {
    pub(crate) use std::sync::atomic::AtomicU64;
    pub(crate) use std::sync::{Arc, Mutex, MutexGuard};

    pub(crate) type Loaded<T> = arc_swap::Guard<Arc<T>>;

    /// A pointer that is replaced as a whole, read without a lock.
    pub(crate) struct Cell<T>(arc_swap::ArcSwap<T>);

    impl<T> Cell<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(arc_swap::ArcSwap::from_pointee(value))
        }

        #[inline]
        pub(crate) fn load(&self) -> Loaded<T> {
            self.0.load()
        }

        pub(crate) fn swap(&self, value: T) -> Arc<T> {
            self.0.swap(Arc::new(value))
        }
    }
}

#[cfg(all(loom, test))]
#[allow(clippy::indexing_slicing, reason = "a mock fails by panicking")]
mod model {
    use std::sync::atomic::Ordering;
    use std::sync::{Arc, PoisonError};

    pub(crate) use loom::sync::atomic::AtomicU64;
    use loom::sync::atomic::AtomicUsize;
    pub(crate) use loom::sync::{Mutex, MutexGuard};

    pub(crate) type Loaded<T> = Arc<T>;

    /// Stands in for `ArcSwap` and promises less: acquire on load, acquire and release on swap, and
    /// a load may see an older value wherever the memory model lets it. All values are kept, so an
    /// old index stays readable; loom does not see the list, only the index.
    pub(crate) struct Cell<T> {
        values: std::sync::Mutex<Vec<Arc<T>>>,
        current: AtomicUsize,
    }

    impl<T> Cell<T> {
        pub(crate) fn new(value: T) -> Self {
            Self {
                values: std::sync::Mutex::new(vec![Arc::new(value)]),
                current: AtomicUsize::new(0),
            }
        }

        pub(crate) fn load(&self) -> Loaded<T> {
            let index = self.current.load(Ordering::Acquire);
            self.at(index)
        }

        pub(crate) fn swap(&self, value: T) -> Arc<T> {
            let index = {
                let mut values = self.values();
                values.push(Arc::new(value));
                values.len() - 1
            };
            let old = self.current.swap(index, Ordering::AcqRel);
            self.at(old)
        }

        fn at(&self, index: usize) -> Arc<T> {
            Arc::clone(&self.values()[index])
        }

        fn values(&self) -> std::sync::MutexGuard<'_, Vec<Arc<T>>> {
            self.values.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

/// Defects on purpose.
#[cfg(all(loom, test))]
mod planted {
    use std::cell::Cell;

    use super::Step;

    thread_local! {
        // All threads of a loom model run on the OS thread of its test.
        static LEFT_OUT: Cell<Option<Step>> = const { Cell::new(None) };
    }

    /// Leaves `step` out in every model that the calling test runs from now on.
    pub(crate) fn leave_out(step: Step) {
        LEFT_OUT.set(Some(step));
    }

    pub(crate) fn left_out(step: Step) -> bool {
        LEFT_OUT.get() == Some(step)
    }
}

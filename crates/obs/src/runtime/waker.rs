use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

/// Notes when a task was woken, and wakes it.
#[derive(Debug)]
pub(super) struct Woken {
    began: Instant,
    /// Nanoseconds and one; 0 if it was not woken since it ran.
    at: AtomicU64,
    task: Mutex<Waker>,
}

impl Woken {
    pub(super) fn new() -> Self {
        let task = Mutex::new(Waker::noop().clone());
        Self { began: Instant::now(), at: AtomicU64::new(0), task }
    }

    /// Whom to wake from now on.
    pub(super) fn pass_to(&self, waker: &Waker) {
        self.task().clone_from(waker);
    }

    /// How long it is since it was woken; not if nobody did.
    pub(super) fn take(&self, now: Instant) -> Option<Duration> {
        let at = Duration::from_nanos(self.at.swap(0, Ordering::Relaxed).checked_sub(1)?);
        Some(now.saturating_duration_since(self.began).saturating_sub(at))
    }

    fn task(&self) -> MutexGuard<'_, Waker> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let at = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX - 1) + 1;
        // The first one counts.
        let _ = self.at.compare_exchange(0, at, Ordering::Relaxed, Ordering::Relaxed);
        // Not under the lock: a waker may do anything.
        let task = self.task().clone();
        task.wake();
    }
}

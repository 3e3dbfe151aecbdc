//! Waiting for a time on a thread of our own. A runtime may be built without timers, and tokio's
//! answer to waiting there is a panic.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use super::error::{Result, StoreError, StoreErrorKind};

/// How long the thread stays after the last one who waited.
const LINGER: Duration = Duration::from_secs(1);

/// Wakes futures. Clones share one thread, which is there while somebody waits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timer(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    alarms: BTreeMap<Key, Waker>,
    next_number: u64,
    has_thread: bool,
}

/// When, and a number to tell apart those who wait for the same moment.
type Key = (Instant, u64);

impl Timer {
    /// Waits until `deadline`.
    ///
    /// # Errors
    /// The future fails with [`Internal`](StoreErrorKind::Internal) when there can be no thread.
    pub(crate) fn at(&self, deadline: Instant) -> Alarm {
        Alarm { timer: self.clone(), deadline, key: None }
    }

    /// Sets who is woken, and sees to a thread that does it.
    fn set(&self, alarm: Option<Key>, deadline: Instant, waker: &Waker) -> Result<Key> {
        let mut state = self.0.lock();
        let key = alarm.unwrap_or_else(|| {
            state.next_number = state.next_number.wrapping_add(1);
            (deadline, state.next_number)
        });
        state.alarms.insert(key, waker.clone());
        if state.has_thread {
            if state.alarms.first_key_value().is_some_and(|(first, _)| *first == key) {
                self.0.changed.notify_one();
            }
            return Ok(key);
        }
        let shared = Arc::clone(&self.0);
        let spawned =
            thread::Builder::new().name("store-timer".to_owned()).spawn(|| shared.serve());
        match spawned {
            Ok(_) => state.has_thread = true,
            Err(error) => {
                state.alarms.remove(&key);
                let message = "there is no thread to wait with";
                return Err(StoreError::new(StoreErrorKind::Internal, message).with_source(error));
            }
        }
        Ok(key)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread: wakes who is due, and ends when nobody came for a while.
    fn serve(self: Arc<Self>) {
        let _gone = Gone(&self);
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let due = state.take_due(now);
            if !due.is_empty() {
                // Whoever is woken may set the next alarm right here.
                drop(state);
                due.into_iter().for_each(Waker::wake);
                state = self.lock();
                continue;
            }
            let first = state.alarms.first_key_value().map(|((at, _), _)| *at);
            let pause = first.map_or(LINGER, |at| at.saturating_duration_since(now));
            let waited = self.changed.wait_timeout(state, pause);
            let (now_held, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = now_held;
            if timeout.timed_out() && first.is_none() && state.alarms.is_empty() {
                // In one go with the look: whoever comes next starts another thread.
                state.has_thread = false;
                return;
            }
        }
    }
}

impl State {
    fn take_due(&mut self, now: Instant) -> Vec<Waker> {
        let mut due = Vec::new();
        while let Some(first) = self.alarms.first_entry()
            && first.key().0 <= now
        {
            due.push(first.remove());
        }
        due
    }
}

/// Says that the thread is gone, also when what it woke made it panic.
struct Gone<'a>(&'a Shared);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.lock().has_thread = false;
        }
    }
}

/// Waits until its deadline.
#[derive(Debug)]
#[must_use = "nothing waits until this is polled"]
pub(crate) struct Alarm {
    timer: Timer,
    deadline: Instant,
    key: Option<Key>,
}

impl Future for Alarm {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        if self.deadline <= Instant::now() {
            return Poll::Ready(Ok(()));
        }
        match self.timer.set(self.key, self.deadline, context.waker()) {
            Ok(key) => {
                self.key = Some(key);
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.timer.0.lock().alarms.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Wake;

    use super::*;

    struct Unpark(thread::Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    fn wait(alarm: Alarm) -> Result<()> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut alarm = pin!(alarm);
        loop {
            match alarm.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(answer) => return answer,
                Poll::Pending => thread::park_timeout(Duration::from_secs(30)),
            }
        }
    }

    fn in_millis(millis: u64) -> Instant {
        Instant::now() + Duration::from_millis(millis)
    }

    #[test]
    fn each_is_woken_at_its_time_and_not_before() {
        let timer = Timer::default();
        let far = timer.at(in_millis(60_000));
        let mut far = pin!(far);
        let waiting = far.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(waiting.is_pending());
        thread::scope(|scope| {
            for millis in [120, 40, 80, 40, 0] {
                let timer = timer.clone();
                scope.spawn(move || {
                    let deadline = in_millis(millis);
                    assert!(wait(timer.at(deadline)).is_ok());
                    let late = Instant::now().checked_duration_since(deadline);
                    assert!(late.is_some_and(|late| late < Duration::from_secs(10)), "{late:?}");
                });
            }
        });
        assert_eq!(timer.0.lock().alarms.len(), 1, "the far one");
    }

    #[test]
    fn the_thread_goes_when_nobody_waits_and_comes_again() {
        let timer = Timer::default();
        for _ in 0..2 {
            assert!(wait(timer.at(in_millis(5))).is_ok());
            let begun = Instant::now();
            while Arc::strong_count(&timer.0) > 1 {
                assert!(begun.elapsed() < 20 * LINGER, "the thread stays");
                thread::sleep(Duration::from_millis(20));
            }
            assert!(!timer.0.lock().has_thread);
        }
    }

    #[test]
    fn who_does_not_wait_any_more_is_forgotten() {
        let timer = Timer::default();
        let mut alarm = Box::pin(timer.at(in_millis(60_000)));
        for _ in 0..3 {
            assert!(alarm.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        assert_eq!(timer.0.lock().alarms.len(), 1);
        drop(alarm);
        assert!(timer.0.lock().alarms.is_empty());
    }
}

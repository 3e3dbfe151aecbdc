use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::live::{Guard, Live};
use crate::shared::{Shared, Wait};
use crate::version::Version;

/// A cursor over the versions of a [`Live`]: it remembers the last one it has seen.
///
/// ```
/// use live_value::Publisher;
/// # fn block_on<F: Future>(future: F) -> F::Output {
/// #     let mut future = std::pin::pin!(future);
/// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// #     loop {
/// #         if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
/// #             return output;
/// #         }
/// #     }
/// # }
///
/// let publisher = Publisher::new("one");
/// let mut watch = publisher.live().watch();
/// publisher.publish("two");
/// publisher.publish("three");
/// drop(publisher);
///
/// # block_on(async {
/// // What came in between is skipped; what was published last is always seen.
/// assert_eq!(*watch.changed().await.unwrap(), "three");
/// assert!(watch.changed().await.is_err());
/// # });
/// ```
pub struct Watch<T> {
    shared: Arc<Shared<T>>,
    seen: Version,
}

impl<T> Watch<T> {
    pub(crate) fn new(shared: Arc<Shared<T>>) -> Self {
        let seen = shared.version();
        Self { shared, seen }
    }

    /// The current value, which counts as seen from now on.
    #[must_use]
    pub fn load(&mut self) -> Guard<T> {
        let guard = Guard::new(self.shared.load());
        self.seen = guard.version();
        guard
    }

    /// The last version seen.
    #[must_use]
    pub const fn seen(&self) -> Version {
        self.seen
    }

    /// Waits for a value newer than the last one seen and returns it, at once if there is one.
    /// Of several publishes only the last is returned.
    ///
    /// Works on any executor. Cancel-safe: dropping the future removes its waker, and a value that
    /// was not returned still counts as unseen.
    ///
    /// # Errors
    ///
    /// [`Closed`] when the publisher is gone and its last value was seen.
    pub fn changed(&mut self) -> Changed<'_, T> {
        Changed { watch: self, key: None }
    }

    /// A reader of the same value.
    #[must_use]
    pub fn live(&self) -> Live<T> {
        Live::new(Arc::clone(&self.shared))
    }

    fn see(&mut self, guard: Guard<T>) -> Guard<T> {
        self.seen = guard.version();
        guard
    }
}

/// The clone has seen what the original has, and goes its own way from there.
impl<T> Clone for Watch<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), seen: self.seen }
    }
}

impl<T> fmt::Debug for Watch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("seen", &self.seen).finish_non_exhaustive()
    }
}

/// The future of [`Watch::changed`].
#[must_use = "futures do nothing unless polled"]
pub struct Changed<'a, T> {
    watch: &'a mut Watch<T>,
    /// Where our waker is, while it is registered.
    key: Option<u64>,
}

impl<T> Future for Changed<'_, T> {
    type Output = Result<Guard<T>, Closed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let current = Guard::new(self.watch.shared.load());
        if current.version() > self.watch.seen {
            return Poll::Ready(Ok(self.watch.see(current)));
        }
        // Cloned here because no foreign code may run under the lock.
        let waker = context.waker().clone();
        let key = self.key.take();
        match self.watch.shared.wait(self.watch.seen, key, waker) {
            Wait::Newer(snapshot) => Poll::Ready(Ok(self.watch.see(Guard::new(snapshot)))),
            Wait::Closed => Poll::Ready(Err(Closed)),
            Wait::Registered(key) => {
                self.key = Some(key);
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Changed<'_, T> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.watch.shared.forget_waker(key);
        }
    }
}

impl<T> fmt::Debug for Changed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changed").field("seen", &self.watch.seen).finish_non_exhaustive()
    }
}

/// The publisher is gone: there will be no newer value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the publisher is gone")
    }
}

impl Error for Closed {}

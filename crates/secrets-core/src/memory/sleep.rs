use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::clock::ManualClock;

/// What [`Sleep::sleep`] returns.
pub type SleepFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How to wait. This crate has no runtime, so whoever wants delays brings the timer.
///
/// ```
/// use std::time::Duration;
/// use secrets_core::memory::{Sleep, SleepFuture};
///
/// #[derive(Debug)]
/// struct TokioSleep;
///
/// impl Sleep for TokioSleep {
///     fn sleep(&self, duration: Duration) -> SleepFuture {
///         Box::pin(tokio::time::sleep(duration))
///     }
/// }
/// ```
pub trait Sleep: fmt::Debug + Send + Sync + 'static {
    /// A future that is ready after `duration`.
    fn sleep(&self, duration: Duration) -> SleepFuture;
}

/// Sleeping on a manual clock moves it forward and waits for nothing: a test with delays and
/// deadlines of days runs in no time.
impl Sleep for ManualClock {
    fn sleep(&self, duration: Duration) -> SleepFuture {
        self.advance(duration);
        Box::pin(std::future::ready(()))
    }
}

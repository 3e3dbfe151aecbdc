use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::error::{StoreError, StoreErrorKind};

/// Runs what blocks (files, locks, key derivation) on a thread of tokio's that may block. Where no
/// tokio runtime is entered, it runs right here: there is no other thread that this crate may take.
///
/// Dropping the future does not stop it: a write that has begun is finished. One that still waits
/// for others asks its [`Patience`].
pub(crate) async fn blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let Ok(runtime) = Handle::try_current() else { return work() };
    match runtime.spawn_blocking(work).await {
        Ok(answer) => answer,
        // The runtime is shutting down, or there is a fault in our code.
        Err(error) => {
            let broken = StoreError::new(StoreErrorKind::Internal, "the work was broken off");
            Err(broken.with_effect(secrets_core::Effect::Unknown).with_source(error).into())
        }
    }
}

/// How long a write waits for others, and whether anybody still waits for the write.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    /// `None` waits as long as it takes.
    deadline: Option<Instant>,
    given_up: Arc<AtomicBool>,
}

impl Patience {
    pub(crate) fn of(timeout: Duration) -> Self {
        Self { deadline: Instant::now().checked_add(timeout), given_up: Arc::default() }
    }

    /// Held by the future of a write: a write whose future is dropped does not begin any more.
    pub(crate) fn while_held(&self) -> GiveUpOnDrop {
        GiveUpOnDrop(Arc::clone(&self.given_up))
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(crate) fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// An error when nobody waits for the write any more.
    pub(crate) fn check_wanted(&self) -> Result<(), StoreError> {
        if !self.given_up.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(StoreError::new(StoreErrorKind::Busy, "the write was given up before it began"))
    }
}

/// Says that a write is not wanted any more when it is dropped.
#[derive(Debug)]
pub(crate) struct GiveUpOnDrop(Arc<AtomicBool>);

impl Drop for GiveUpOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

use tokio::runtime::Handle;

use super::error::{StoreError, StoreErrorKind};

/// Runs what blocks (files, locks, key derivation) on a thread of tokio's that may block. Where no
/// tokio runtime is entered, it runs right here: there is no other thread that this crate may take.
///
/// Dropping the future does not stop it: a write that has begun is finished.
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

//! Work with files, off the executor.

use secrets_core::{Error, ErrorKind, Result};
use tokio::runtime::Handle;

/// Runs `work` on a thread of tokio's that may block. Where no tokio runtime is entered, it runs
/// right here: there is no other thread that this crate may take.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let Ok(runtime) = Handle::try_current() else { return work() };
    runtime.spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Internal, "the work on a file was broken off"))
    })
}

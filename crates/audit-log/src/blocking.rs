//! Work that may block, away from the executor.

use crate::error::{Error, ErrorKind, Result};

/// Runs it on a thread that may block.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        let message = "a trail is written within a tokio runtime";
        return Err(Error::new(ErrorKind::Configuration, message));
    };
    let done = runtime.spawn_blocking(work).await;
    done.map_err(|_| Error::new(ErrorKind::Io, "the runtime was shut down meanwhile"))
}

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Builder;

/// Counts the threads of a runtime: tokio tells how many there are for blocking work only with
/// `--cfg tokio_unstable`.
///
/// ```
/// use obs::runtime::{ThreadCount, TokioRuntime};
///
/// let mut builder = tokio::runtime::Builder::new_multi_thread();
/// let threads = ThreadCount::watch(&mut builder);
/// let runtime = builder.worker_threads(2).enable_time().build()?;
/// let source = TokioRuntime::new("app", runtime.handle()).with_threads(threads);
/// # drop((source, runtime));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ThreadCount(Arc<AtomicUsize>);

impl ThreadCount {
    /// Counts the threads of the runtime that will be built. It takes `on_thread_start` and `on_thread_stop` of the builder:
    /// what was given to them before is not called, and what is given to them afterwards ends the count.
    pub fn watch(builder: &mut Builder) -> Self {
        let count = Arc::new(AtomicUsize::new(0));
        let (started, stopped) = (Arc::clone(&count), Arc::clone(&count));
        builder
            .on_thread_start(move || {
                started.fetch_add(1, Ordering::Relaxed);
            })
            .on_thread_stop(move || {
                stopped.fetch_sub(1, Ordering::Relaxed);
            });
        Self(count)
    }

    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

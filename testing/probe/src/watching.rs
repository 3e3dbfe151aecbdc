use std::sync::atomic::{AtomicUsize, Ordering};

/// Somebody counts or scans. While nobody does, the allocator stays out of the way, so that a
/// program that installs it can still be timed.
#[derive(Debug)]
pub(crate) struct Watching<'a>(&'a AtomicUsize);

impl<'a> Watching<'a> {
    pub(crate) fn begin(watchers: &'a AtomicUsize) -> Self {
        watchers.fetch_add(1, Ordering::SeqCst);
        Self(watchers)
    }

    /// Relaxed: whoever starts a thread, or hands work to one, after it began to watch is seen to
    /// watch there.
    pub(crate) fn any(watchers: &AtomicUsize) -> bool {
        watchers.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

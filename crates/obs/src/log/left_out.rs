use std::sync::atomic::{AtomicU64, Ordering};

/// Records that an output left out because it was told to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// By its [`Sampling`](crate::log::Sampling).
    pub sampled: u64,
    /// By its [`RateLimit`](crate::log::RateLimit).
    pub limited: u64,
}

#[derive(Debug, Default)]
pub(crate) struct LeftOutCounts {
    pub(crate) sampled: AtomicU64,
    pub(crate) limited: AtomicU64,
}

impl LeftOutCounts {
    pub(crate) fn read(&self) -> LeftOut {
        LeftOut {
            sampled: self.sampled.load(Ordering::Relaxed),
            limited: self.limited.load(Ordering::Relaxed),
        }
    }
}

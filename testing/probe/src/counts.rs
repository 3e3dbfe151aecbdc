use std::cell::Cell;
use std::ops::Sub;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often memory was asked for, and how much.
///
/// An `alloc`, an `alloc_zeroed` and a `realloc` count as one allocation each, of the new size in
/// bytes. Frees do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Number of allocations.
    pub allocations: u64,
    /// Sum of their sizes in bytes.
    pub bytes: u64,
}

impl Sub for Counts {
    type Output = Self;

    /// What was added since `earlier`.
    fn sub(self, earlier: Self) -> Self {
        Self {
            allocations: self.allocations - earlier.allocations,
            bytes: self.bytes - earlier.bytes,
        }
    }
}

thread_local! {
    // Const and without a destructor: reading it never allocates, not even as a thread ends.
    static THREAD: Cell<Counts> = const { Cell::new(Counts { allocations: 0, bytes: 0 }) };
}

/// The counts of all threads, while anybody counts.
#[derive(Debug)]
pub(crate) struct Totals {
    allocations: AtomicU64,
    bytes: AtomicU64,
}

impl Totals {
    pub(crate) const fn new() -> Self {
        Self { allocations: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    pub(crate) fn read(&self) -> Counts {
        Counts {
            allocations: self.allocations.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    /// Counts one allocation for the process and for this thread.
    pub(crate) fn add(&self, size: usize) {
        let size = size as u64;
        self.allocations.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(size, Ordering::Relaxed);
        // Fails never: there is no destructor that could have run.
        let _ = THREAD.try_with(|counts| {
            let Counts { allocations, bytes } = counts.get();
            counts.set(Counts { allocations: allocations + 1, bytes: bytes + size });
        });
    }
}

/// The counts of the calling thread, while anybody counts.
pub(crate) fn of_thread() -> Counts {
    THREAD.with(Cell::get)
}

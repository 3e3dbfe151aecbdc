use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::AtomicUsize;

use crate::counts::{self, Counts, Totals};
use crate::scan::{Scan, Scanner};
use crate::watching::Watching;

/// The system's allocator, watched. Install it with `#[global_allocator]`.
///
/// While nobody counts or scans, each call costs one relaxed load more than the system's.
#[derive(Debug)]
pub struct Probe {
    watchers: AtomicUsize,
    totals: Totals,
    scanner: Scanner,
}

impl Probe {
    /// For the `static` that `#[global_allocator]` needs.
    #[must_use]
    pub const fn new() -> Self {
        Self { watchers: AtomicUsize::new(0), totals: Totals::new(), scanner: Scanner::new() }
    }

    /// Runs `work` and counts what the calling thread allocates in it.
    ///
    /// # Panics
    ///
    /// If this probe is not the global allocator: it would count nothing and every test would pass.
    pub fn count<R>(&self, work: impl FnOnce() -> R) -> (R, Counts) {
        let _watching = self.watch();
        let before = counts::of_thread();
        let result = work();
        (result, counts::of_thread() - before)
    }

    /// Runs `work` and counts what all threads allocate meanwhile.
    ///
    /// # Panics
    ///
    /// If this probe is not the global allocator.
    pub fn count_everywhere<R>(&self, work: impl FnOnce() -> R) -> (R, Counts) {
        let _watching = self.watch();
        let before = self.totals.read();
        let result = work();
        (result, self.totals.read() - before)
    }

    /// From now until the scan ends, looks for `needle` in every block that any thread frees, just
    /// before it is freed. A block that is reallocated counts as freed, even where the system's
    /// allocator would have grown it in place.
    ///
    /// The needle itself must not be in memory that is freed meanwhile: use a constant.
    ///
    /// # Panics
    ///
    /// If the needle is shorter than 8 or longer than 64 bytes, or this probe is not the global
    /// allocator.
    pub fn scan_for(&self, needle: &[u8]) -> Scan<'_> {
        let watching = self.watch();
        self.scanner.arm(needle, watching)
    }

    fn watch(&self) -> Watching<'_> {
        let watching = Watching::begin(&self.watchers);
        let before = self.totals.read();
        drop(black_box(Box::new(0_u8)));
        let installed = self.totals.read().allocations > before.allocations;
        assert!(installed, "the probe is not the global allocator of this program");
        watching
    }

    fn note(&self, size: usize) {
        if Watching::any(&self.watchers) {
            self.totals.add(size);
        }
    }

    fn scans(&self) -> bool {
        Watching::any(&self.watchers) && self.scanner.is_armed()
    }

    /// # Safety
    ///
    /// `block` must point to a live allocation of `size` bytes that the caller owns, and that is
    /// not read as anything but bytes afterwards.
    #[allow(unsafe_code, reason = "reads the block that the allocator is about to free")]
    unsafe fn inspect(&self, block: *mut u8, size: usize) {
        // Padding and spare capacity may be uninitialised, and such bytes must not be read as u8.
        // SAFETY: the (empty) assembly is allowed to write to memory it has a pointer to, and the
        // caller owns this block; so for the compiler every byte is initialised afterwards, with
        // the value that the machine has there.
        unsafe { std::arch::asm!("/* {0} */", in(reg) block, options(nostack, preserves_flags)) };
        // SAFETY: the caller owns `size` bytes at `block`, a live allocation, so they are readable,
        // nobody else writes to them, and the size is at most `isize::MAX`.
        let bytes = unsafe { std::slice::from_raw_parts(block, size) };
        self.scanner.inspect(bytes);
    }
}

impl Default for Probe {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: every block comes from `System` with the caller's layout and goes back to it with the
// same layout. What is done beside that neither allocates nor unwinds: counting is arithmetic on
// atomics and on a thread-local without a destructor, scanning is reading.
#[allow(unsafe_code, reason = "an allocator is unsafe to implement")]
unsafe impl GlobalAlloc for Probe {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.note(layout.size());
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.note(layout.size());
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if self.scans() {
            // SAFETY: the caller gives up a block of this layout.
            unsafe { self.inspect(block, layout.size()) };
        }
        // SAFETY: the caller's promise, handed on: the block came from `System`.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        self.note(new_size);
        if !self.scans() {
            // SAFETY: the caller's promise, handed on.
            return unsafe { System.realloc(block, layout, new_size) };
        }
        // SAFETY: the caller promises that `new_size`, rounded up to the alignment, fits `isize`.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // SAFETY: the caller promises that `new_size` is not zero.
        let new_block = unsafe { System.alloc(new_layout) };
        if !new_block.is_null() {
            // SAFETY: both blocks are live, distinct, and at least that long.
            unsafe { new_block.copy_from_nonoverlapping(block, layout.size().min(new_size)) };
            // SAFETY: the old block is ours to free now that the new one takes its place.
            unsafe { self.dealloc(block, layout) };
        }
        new_block
    }
}

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::watching::Watching;

const SHORTEST: usize = 8;
const LONGEST: usize = 64;
const SIZES: usize = 16;

/// What the allocator looks for in blocks that are freed.
///
/// The hook neither allocates nor blocks. `inside` counts the hooks that are reading; who disarms
/// waits for them, so that a needle is never changed under a hook and a finding never lands in a
/// later scan. All of it is sequentially consistent: this is a test's tool, not a hot path.
#[derive(Debug)]
pub(crate) struct Scanner {
    one_at_a_time: Mutex<()>,
    armed: AtomicBool,
    inside: AtomicUsize,
    length: AtomicUsize,
    needle: [AtomicU8; LONGEST],
    blocks: AtomicUsize,
    sizes: [AtomicUsize; SIZES],
}

impl Scanner {
    pub(crate) const fn new() -> Self {
        Self {
            one_at_a_time: Mutex::new(()),
            armed: AtomicBool::new(false),
            inside: AtomicUsize::new(0),
            length: AtomicUsize::new(0),
            needle: [const { AtomicU8::new(0) }; LONGEST],
            blocks: AtomicUsize::new(0),
            sizes: [const { AtomicUsize::new(0) }; SIZES],
        }
    }

    pub(crate) fn is_armed(&self) -> bool {
        self.armed.load(Ordering::SeqCst)
    }

    /// Looks through a block that is about to be freed.
    pub(crate) fn inspect(&self, block: &[u8]) {
        self.inside.fetch_add(1, Ordering::SeqCst);
        if self.is_armed() && self.matches(block) {
            let found = self.blocks.fetch_add(1, Ordering::SeqCst);
            if let Some(size) = self.sizes.get(found) {
                size.store(block.len(), Ordering::SeqCst);
            }
        }
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    /// Compares in place: a copy of the needle on the stack would linger there, get into the padding
    /// of some boxed future, and be found when that is freed.
    fn matches(&self, block: &[u8]) -> bool {
        let length = self.length.load(Ordering::Relaxed);
        let needle = self.needle.get(..length).unwrap_or_default();
        contains(block, needle)
    }

    pub(crate) fn arm<'a>(&'a self, needle: &[u8], watching: Watching<'a>) -> Scan<'a> {
        assert!(
            (SHORTEST..=LONGEST).contains(&needle.len()),
            "a needle has {SHORTEST} to {LONGEST} bytes"
        );
        let turn = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        for (kept, byte) in self.needle.iter().zip(needle) {
            kept.store(*byte, Ordering::Relaxed);
        }
        self.length.store(needle.len(), Ordering::Relaxed);
        self.blocks.store(0, Ordering::SeqCst);
        self.armed.store(true, Ordering::SeqCst);
        Scan { scanner: self, _watching: watching, _turn: turn }
    }

    fn disarm(&self) {
        self.armed.store(false, Ordering::SeqCst);
        while self.inside.load(Ordering::SeqCst) > 0 {
            std::thread::yield_now();
        }
    }

    fn findings(&self) -> Findings {
        let blocks = self.blocks.load(Ordering::SeqCst);
        let sizes = self.sizes.iter().take(blocks).map(|size| size.load(Ordering::SeqCst));
        Findings { blocks, sizes: sizes.collect() }
    }
}

fn contains(block: &[u8], needle: &[AtomicU8]) -> bool {
    let Some((first, rest)) = needle.split_first() else { return false };
    let Some(starts) = block.len().checked_sub(rest.len()) else { return false };
    let first = first.load(Ordering::Relaxed);
    let same = |(byte, kept): (&u8, &AtomicU8)| *byte == kept.load(Ordering::Relaxed);
    block.iter().take(starts).enumerate().any(|(at, byte)| {
        let tail = block.get(at + 1..).unwrap_or_default();
        *byte == first && tail.len() >= rest.len() && tail.iter().zip(rest).all(same)
    })
}

/// A scan in progress, over all threads; it ends when dropped. One runs at a time: a second one
/// waits for the first, so a thread that starts two waits for ever.
#[must_use = "the scan ends when this is dropped"]
pub struct Scan<'a> {
    scanner: &'a Scanner,
    _watching: Watching<'a>,
    _turn: MutexGuard<'a, ()>,
}

impl Scan<'_> {
    /// Ends the scan and says what it found.
    pub fn finish(self) -> Findings {
        self.scanner.disarm();
        self.scanner.findings()
    }
}

impl Drop for Scan<'_> {
    fn drop(&mut self) {
        self.scanner.disarm();
    }
}

impl fmt::Debug for Scan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").finish_non_exhaustive()
    }
}

/// The freed blocks that held the needle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Findings {
    /// How many blocks.
    pub blocks: usize,
    /// The sizes in bytes of the first sixteen of them: usually enough to tell what they were.
    pub sizes: Vec<usize>,
}

impl Findings {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.blocks == 0
    }
}

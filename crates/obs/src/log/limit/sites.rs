use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_core::Level;

use crate::record::Record;

/// Places in the first segment; each segment that follows has twice as many.
const FIRST: usize = 256;

const SEGMENTS: usize = 8;

/// How many neighbours a place may lie at in each segment.
const WINDOW: usize = 8;

/// All places that were ever seen: found without a lock, never forgotten.
#[derive(Default)]
pub(crate) struct Sites {
    segments: [OnceLock<Box<[Site]>>; SEGMENTS],
    /// Those for which there is no room.
    rest: Site,
}

/// What is known of one place.
#[derive(Debug, Default)]
pub(crate) struct Site {
    /// The hash of where it is; 0 while nobody has this room.
    key: AtomicU64,
    /// When its quota is whole again, in nanoseconds from 1970.
    pub(crate) ahead_until: AtomicU64,
    suppressed: AtomicU64,
    about: OnceLock<Box<About>>,
}

/// Where a place is, for what is said of it when it is silent.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) level: Level,
    pub(crate) target: Box<str>,
    pub(crate) source: Option<(Box<str>, u32)>,
}

impl Sites {
    pub(crate) fn of(&self, record: &Record<'_>) -> &Site {
        let key = key_of(record);
        for (number, segment) in self.segments.iter().enumerate() {
            let sites = segment.get_or_init(|| {
                (0..FIRST << number).map(|_| Site::default()).collect::<Box<[Site]>>()
            });
            // The high half: places that share a window here do not share the next one.
            let at = usize::try_from(key >> 32).unwrap_or_default() % sites.len();
            let mut around = (at..at + WINDOW).filter_map(|place| sites.get(place % sites.len()));
            if let Some(site) = around.find(|site| site.is_of(key)) {
                return site;
            }
        }
        &self.rest
    }

    pub(crate) fn each(&self, mut visit: impl FnMut(&Site)) {
        let there = self.segments.iter().filter_map(OnceLock::get).flatten();
        there.filter(|site| site.has_suppressed()).for_each(&mut visit);
        visit(&self.rest);
    }
}

impl Site {
    /// Whether this room is that of `key`, or becomes it. Rooms are taken in order and never given back,
    /// so a place is always found where it was first put.
    fn is_of(&self, key: u64) -> bool {
        match self.key.load(Ordering::Relaxed) {
            0 => match self.key.compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => true,
                Err(taken) => taken == key,
            },
            taken => taken == key,
        }
    }

    pub(crate) fn suppress(&self, record: &Record<'_>) {
        self.about.get_or_init(|| {
            Box::new(About {
                level: record.level,
                target: record.target.into(),
                source: record.source.map(|(file, line)| (file.into(), line)),
            })
        });
        self.suppressed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn has_suppressed(&self) -> bool {
        self.suppressed.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn take_suppressed(&self) -> u64 {
        if self.has_suppressed() { self.suppressed.swap(0, Ordering::Relaxed) } else { 0 }
    }

    pub(crate) fn about(&self) -> Option<&About> {
        self.about.get().map(|about| &**about)
    }
}

/// File, line and level; the target, too, which is all there is of some records. By what they are
/// called, not where that lies in memory, which may be anywhere for records of `log`.
fn key_of(record: &Record<'_>) -> u64 {
    let (file, line) = record.source.unwrap_or_default();
    let level = match record.level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        _ => 5,
    };
    let start = mixed(level, line.into());
    let hash = mixed(hashed(hashed(start, file), record.target), 0);
    (hash ^ hash >> 29).max(1)
}

fn hashed(start: u64, text: &str) -> u64 {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let whole = words.iter().fold(start, |hash, word| mixed(hash, u64::from_le_bytes(*word)));
    let rest = rest.iter().fold(1, |word: u64, byte| word << 8 | u64::from(*byte));
    mixed(whole, rest)
}

/// A multiplication whose halves are laid over each other (as in wyhash).
fn mixed(hash: u64, word: u64) -> u64 {
    let product =
        u128::from(hash ^ 0x9e37_79b9_7f4a_7c15) * u128::from(word ^ 0xd6e8_feb8_6659_fd93);
    let (high, low) = (product >> 64, product & u128::from(u64::MAX));
    u64::try_from(high ^ low).unwrap_or_default()
}

impl fmt::Debug for Sites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let there = self.segments.iter().filter_map(OnceLock::get).flatten();
        let known = there.filter(|site| site.key.load(Ordering::Relaxed) != 0).count();
        f.debug_struct("Sites").field("known", &known).finish_non_exhaustive()
    }
}

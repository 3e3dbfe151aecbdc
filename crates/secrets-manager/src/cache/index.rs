//! The index behind reads by name: an open-addressed table of fixed size, read without a lock.
//!
//! A slot is the hash of a name and a cell with what is served under it. A reader probes from the
//! hash's place on and compares the name that it finds in the cell itself, so whatever a writer does
//! meanwhile, it serves the right secret or none. Writers hold the store's lock.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::SystemTime;

use arc_swap::{ArcSwap, Guard};
use foldhash::fast::RandomState;
use secrets_core::{Result, Secret, SecretName, SecretValue, VersionId, VersionInfo};

use crate::cache::line::LineId;
use crate::cache::pulse::Stamp;

/// Marks every hash in use, so that no name has the hash of an empty slot.
const IN_USE: u64 = 1 << 63;
const EMPTY: u64 = 0;

/// What is served under a name, replaced as a whole. What a hit needs stands first and together:
/// in a large cache each line of memory that is touched is fetched from afar.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Listed {
    name: ListedName,
    /// The same as in `secret`.
    pub(crate) value: SecretValue,
    pub(crate) stale_since: Option<SystemTime>,
    pub(crate) secret: Arc<Secret>,
    /// Until when it may be served without asking.
    pub(crate) good_until: Stamp,
    pub(crate) line: LineId,
}

/// A name that is compared without another trip to memory, unless it is long.
#[derive(Debug)]
enum ListedName {
    Short { len: u8, bytes: [u8; SHORT] },
    Long(SecretName),
}

/// With a tag and a length this makes 40 bytes.
const SHORT: usize = 38;

impl ListedName {
    /// In a vacant slot; no secret has an empty name.
    const VACANT: Self = Self::Short { len: 0, bytes: [0; SHORT] };

    fn new(name: &SecretName) -> Self {
        let text = name.as_str().as_bytes();
        let mut bytes = [0; SHORT];
        match (u8::try_from(text.len()), bytes.get_mut(..text.len())) {
            (Ok(len), Some(room)) => {
                room.copy_from_slice(text);
                Self::Short { len, bytes }
            }
            _ => Self::Long(name.clone()),
        }
    }

    #[inline]
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Long(name) => name.as_str().as_bytes(),
        }
    }
}

impl Listed {
    pub(crate) fn new(
        name: &SecretName,
        secret: Arc<Secret>,
        stale_since: Option<SystemTime>,
        good_until: Stamp,
        line: LineId,
    ) -> Self {
        let (name, value) = (ListedName::new(name), secret.value.clone());
        Self { name, value, stale_since, secret, good_until, line }
    }

    fn vacant() -> Result<Self> {
        let version = VersionInfo::new(VersionId::new("vacant")?, SystemTime::UNIX_EPOCH);
        let value = SecretValue::copy_from_slice(&[]);
        Ok(Self {
            name: ListedName::VACANT,
            value: value.clone(),
            stale_since: None,
            secret: Arc::new(Secret::new(value, version)),
            good_until: Stamp::ZERO,
            line: LineId::NONE,
        })
    }

    fn is_vacant(&self) -> bool {
        self.line == LineId::NONE
    }
}

/// A slot that was found.
pub(crate) struct Found {
    pub(crate) listed: Guard<Arc<Listed>>,
    position: usize,
}

struct Slot {
    hash: AtomicU64,
    cell: ArcSwap<Listed>,
}

pub(crate) struct NameIndex {
    hashing: RandomState,
    mask: usize,
    slots: Box<[Slot]>,
    /// One bit a slot: somebody read a stale value there, and it has not been asked for since.
    wanted: Box<[AtomicU64]>,
    /// Those of them that the run future does not know of yet.
    news: Box<[AtomicU64]>,
    has_news: AtomicBool,
    vacant: Arc<Listed>,
    /// Slots with a hash, vacant ones among them. Written under the store's lock.
    used: AtomicUsize,
    /// Those of them that are not vacant.
    live: AtomicUsize,
}

/// The index has no room; the name is served by the slow path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

impl NameIndex {
    /// Room for `entries` names at a load of at most three quarters.
    pub(crate) fn new(entries: usize) -> Result<Self> {
        let size = (entries.max(4).saturating_mul(4) / 3).next_power_of_two();
        let vacant = Arc::new(Listed::vacant()?);
        let slot = || Slot { hash: AtomicU64::new(EMPTY), cell: ArcSwap::new(Arc::clone(&vacant)) };
        Ok(Self {
            hashing: RandomState::default(),
            mask: size - 1,
            slots: std::iter::repeat_with(slot).take(size).collect(),
            wanted: bits(size),
            news: bits(size),
            has_news: AtomicBool::new(false),
            vacant,
            used: AtomicUsize::new(0),
            live: AtomicUsize::new(0),
        })
    }

    /// What is served under `name`. No lock, no allocation, no clock; one `arc_swap` load.
    #[inline]
    pub(crate) fn find(&self, name: &str) -> Option<Found> {
        let hash = self.hash(name.as_bytes());
        let mut position = self.place(hash);
        loop {
            let slot = self.slots.get(position)?;
            // Pairs with the release of `list`: who sees the hash sees what was put in the cell.
            match slot.hash.load(Ordering::Acquire) {
                EMPTY => return None,
                found if found == hash => {
                    let listed = slot.cell.load();
                    if listed.name.as_bytes() == name.as_bytes() {
                        return Some(Found { listed, position });
                    }
                }
                _ => {}
            }
            position = self.after(position);
        }
    }

    /// Notes that a stale value was read; true when nobody had noted it since it was last asked for,
    /// so that the run future is woken once and not by every reader.
    pub(crate) fn want(&self, found: &Found) -> bool {
        let (word, bit) = (found.position / 64, 1 << (found.position % 64));
        let (Some(wanted), Some(news)) = (self.wanted.get(word), self.news.get(word)) else {
            return false;
        };
        // Looked at first: many readers of one stale value must not fight for its word.
        let is_known = wanted.load(Ordering::Relaxed) & bit != 0
            || wanted.fetch_or(bit, Ordering::Relaxed) & bit != 0;
        if !is_known {
            news.fetch_or(bit, Ordering::Release);
            self.has_news.store(true, Ordering::Release);
        }
        !is_known
    }

    /// The lines whose stale value was read since this was last asked.
    pub(crate) fn take_news(&self) -> Vec<LineId> {
        let mut lines = Vec::new();
        if !self.has_news.swap(false, Ordering::AcqRel) {
            return lines;
        }
        for (number, word) in self.news.iter().enumerate() {
            if word.load(Ordering::Relaxed) == 0 {
                continue;
            }
            let bits = word.swap(0, Ordering::AcqRel);
            let positions = (0..64).filter(|bit| bits >> bit & 1 == 1).map(|bit| number * 64 + bit);
            lines.extend(positions.filter_map(|at| self.slots.get(at)).map(|s| s.cell.load().line));
        }
        lines
    }

    /// The value under `name` was asked for: the next stale read is news again.
    pub(crate) fn asked(&self, name: &SecretName) {
        if let Some((position, _)) = self.slot_of(self.hash(name.as_str().as_bytes()), name) {
            self.forget_wanted(position);
        }
    }

    fn forget_wanted(&self, position: usize) {
        if let Some(word) = self.wanted.get(position / 64) {
            word.fetch_and(!(1 << (position % 64)), Ordering::Relaxed);
        }
    }

    /// Serves `listed` under its name from now on.
    pub(crate) fn list(&self, name: &SecretName, listed: Listed) -> Result<(), Full> {
        let hash = self.hash(name.as_str().as_bytes());
        if let Some((position, slot)) = self.slot_of(hash, name) {
            let is_stale = listed.stale_since.is_some();
            slot.cell.store(Arc::new(listed));
            if !is_stale {
                self.forget_wanted(position);
            }
            return Ok(());
        }
        let listed = match self.place_new(hash, Arc::new(listed)) {
            Ok(()) => return Ok(()),
            Err(listed) => listed,
        };
        // Not for less: to rebuild for each name would take all the time there is.
        let vacant = self.used.load(Ordering::Relaxed) - self.live.load(Ordering::Relaxed);
        if vacant < self.slots.len() / 8 {
            return Err(Full);
        }
        self.rebuild();
        self.place_new(hash, listed).map_err(|_| Full)
    }

    /// Serves nothing under `name` any more.
    pub(crate) fn delist(&self, name: &SecretName) {
        if let Some((_, slot)) = self.slot_of(self.hash(name.as_str().as_bytes()), name) {
            slot.cell.store(Arc::clone(&self.vacant));
            self.live.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Drops the hashes of names that are gone. A reader may find nothing meanwhile and take the
    /// slow path, which waits for the store's lock.
    fn rebuild(&self) {
        let live: Vec<_> = self.slots.iter().map(|slot| slot.cell.load_full()).collect();
        self.clear();
        for listed in live {
            if !listed.is_vacant() {
                // There was room for it before.
                let _ = self.place_new(self.hash(listed.name.as_bytes()), listed);
            }
        }
    }

    fn clear(&self) {
        for slot in &self.slots {
            slot.hash.store(EMPTY, Ordering::Release);
            if !slot.cell.load().is_vacant() {
                slot.cell.store(Arc::clone(&self.vacant));
            }
        }
        // A stale read that is forgotten by this is noted again by the next one.
        for word in self.wanted.iter().chain(&self.news) {
            word.store(0, Ordering::Relaxed);
        }
        self.used.store(0, Ordering::Relaxed);
        self.live.store(0, Ordering::Relaxed);
    }

    /// Gives `listed` back when all that is left is the eighth that stays empty, so that every
    /// search ends.
    fn place_new(&self, hash: u64, listed: Arc<Listed>) -> Result<(), Arc<Listed>> {
        let mut position = self.place(hash);
        while let Some(slot) = self.slots.get(position) {
            let is_empty = slot.hash.load(Ordering::Relaxed) == EMPTY;
            if is_empty && self.used.load(Ordering::Relaxed) >= self.slots.len() / 8 * 7 {
                return Err(listed);
            }
            if is_empty || slot.cell.load().is_vacant() {
                self.forget_wanted(position);
                slot.cell.store(listed);
                slot.hash.store(hash, Ordering::Release);
                self.used.fetch_add(usize::from(is_empty), Ordering::Relaxed);
                self.live.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            position = self.after(position);
        }
        Err(listed)
    }

    /// The slot of a name that is listed; for writers.
    fn slot_of(&self, hash: u64, name: &SecretName) -> Option<(usize, &Slot)> {
        let mut position = self.place(hash);
        loop {
            let slot = self.slots.get(position)?;
            match slot.hash.load(Ordering::Relaxed) {
                EMPTY => return None,
                found if found == hash && is_of(slot, name) => {
                    return Some((position, slot));
                }
                _ => position = self.after(position),
            }
        }
    }

    #[inline]
    fn hash(&self, name: &[u8]) -> u64 {
        let mut hasher = self.hashing.build_hasher();
        hasher.write(name);
        hasher.finish() | IN_USE
    }

    #[inline]
    fn place(&self, hash: u64) -> usize {
        hash as usize & self.mask
    }

    #[inline]
    fn after(&self, position: usize) -> usize {
        (position + 1) & self.mask
    }
}

fn bits(number: usize) -> Box<[AtomicU64]> {
    std::iter::repeat_with(AtomicU64::default).take(number.div_ceil(64)).collect()
}

fn is_of(slot: &Slot, name: &SecretName) -> bool {
    slot.cell.load().name.as_bytes() == name.as_str().as_bytes()
}

impl std::fmt::Debug for NameIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NameIndex").field("slots", &self.slots.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(index: &NameIndex, number: u64) -> Result<(), Full> {
        let name = SecretName::new(&format!("name-{number}")).unwrap();
        let version = VersionInfo::new(VersionId::new("v1").unwrap(), SystemTime::UNIX_EPOCH);
        let secret = Arc::new(Secret::new(SecretValue::copy_from_slice(b"x"), version));
        index.list(&name, Listed::new(&name, secret, None, Stamp::ZERO, LineId(number + 1)))
    }

    fn delist(index: &NameIndex, number: u64) {
        index.delist(&SecretName::new(&format!("name-{number}")).unwrap());
    }

    fn finds(index: &NameIndex, number: u64) -> bool {
        let found = index.find(&format!("name-{number}"));
        found.is_some_and(|found| found.listed.line == LineId(number + 1))
    }

    #[test]
    fn finds_what_is_listed_whatever_came_and_went() {
        let index = NameIndex::new(48).unwrap();
        for number in 0..10_000 {
            list(&index, number).unwrap();
            if number >= 48 {
                delist(&index, number - 48);
                assert!(!finds(&index, number - 48));
            }
            assert!((number.saturating_sub(47)..=number).all(|listed| finds(&index, listed)));
        }
    }

    /// A rebuild takes as long as the index is large, so a full one must not try for each name.
    /// What was noted of stale reads shows whether it did.
    #[test]
    fn an_index_full_of_names_is_not_rebuilt_for_each_further_one() {
        let index = NameIndex::new(48).unwrap();
        let room = (0..64).take_while(|number| list(&index, *number).is_ok()).count() as u64;
        assert_eq!(room, 56, "seven eighths of 64");
        assert!(index.want(&index.find("name-0").unwrap()));
        for number in room..1_000 {
            assert_eq!(list(&index, number), Err(Full));
        }
        assert!(!index.want(&index.find("name-0").unwrap()), "it was rebuilt");
        assert!((0..room).all(|number| finds(&index, number)));

        (0..16).for_each(|number| delist(&index, number));
        assert!((1_000..1_008).all(|number| list(&index, number).is_ok()), "there is room again");
        assert!((16..room).chain(1_000..1_008).all(|number| finds(&index, number)));
    }
}

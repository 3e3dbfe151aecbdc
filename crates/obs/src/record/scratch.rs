use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use tracing_core::{Metadata, callsite};

use crate::record::fields::Fields;
use crate::record::redact::RedactedKeys;
use crate::record::site::Site;

/// How deep an event may lie within the logging of another: a `Debug` that logs.
const DEEPEST: u8 = 4;

/// The most layers for which a thread keeps what it uses again.
const MOST_LAYERS: usize = 4;

/// What a thread uses again for each record of a layer.
#[derive(Default)]
pub(crate) struct Scratch {
    core: u64,
    pub(crate) sites: Sites,
    pub(crate) fields: Fields,
}

/// Sites are known by thread: nothing is shared where something is logged.
#[derive(Default)]
pub(crate) struct Sites(HashMap<callsite::Identifier, Site, BuildHasherDefault<AddressHasher>>);

impl Sites {
    pub(crate) fn of(
        &mut self,
        metadata: &'static Metadata<'static>,
        keys: &RedactedKeys,
    ) -> &Site {
        self.0.entry(metadata.callsite()).or_insert_with(|| Site::new(metadata, keys))
    }
}

/// Sites are named by addresses in the program, which nobody outside chooses: one multiplication
/// spreads them.
#[derive(Debug, Default)]
pub(crate) struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    fn write_u64(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(u64::try_from(number).unwrap_or_default());
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<Scratch>> = const { RefCell::new(Vec::new()) };
    static DEPTH: Cell<u8> = const { Cell::new(0) };
    static IS_DELIVERING: Cell<bool> = const { Cell::new(false) };
}

#[cfg(feature = "log-bridge")]
thread_local! {
    static LAST_EVENT: Cell<Option<(&'static str, u32)>> = const { Cell::new(None) };
}

/// Remembers where the last event of this thread was.
#[cfg(feature = "log-bridge")]
pub(crate) fn set_last_event(place: Option<(&'static str, u32)>) {
    LAST_EVENT.set(place);
}

/// Where the last event of this thread was.
#[cfg(feature = "log-bridge")]
pub(crate) fn last_event() -> Option<(&'static str, u32)> {
    LAST_EVENT.get()
}

/// Runs what gives a record to the sinks. What these log meanwhile, in whatever way, becomes no record.
pub(crate) fn deliver(work: impl FnOnce()) {
    IS_DELIVERING.set(true);
    let _done = Delivered;
    work();
}

struct Delivered;

impl Drop for Delivered {
    fn drop(&mut self) {
        IS_DELIVERING.set(false);
    }
}

/// Runs `work` with what this thread uses again; with something new where a value that is being
/// logged logs itself; not at all where that goes on and on, or where a sink logs.
pub(crate) fn with_scratch<R>(core: u64, work: impl FnOnce(&mut Scratch) -> R) -> Option<R> {
    let depth = DEPTH.get();
    if depth >= DEEPEST || IS_DELIVERING.get() {
        return None;
    }
    DEPTH.set(depth + 1);
    let _left = Left;
    let mut work = Some(work);
    let done = SCRATCH.try_with(|scratch| {
        let mut known = scratch.try_borrow_mut().ok()?;
        let place = known.iter().position(|scratch| scratch.core == core);
        let place = place.unwrap_or_else(|| {
            known.truncate(MOST_LAYERS - 1);
            known.insert(0, Scratch { core, ..Scratch::default() });
            0
        });
        let scratch = known.get_mut(place)?;
        work.take().map(|work| work(scratch))
    });
    let again = || work.take().map(|work| work(&mut Scratch { core, ..Scratch::default() }));
    done.ok().flatten().or_else(again)
}

struct Left;

impl Drop for Left {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get().saturating_sub(1));
    }
}

//! A change of a store: collected in memory, then written as one new file.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use secrets_core::Effect;

use super::crypto::{NotAuthentic, StoreKeys, SymmetricKey, TAG_LEN, random_array};
use super::environment::Environment;
use super::error::{Result, StoreError, StoreErrorKind};
use super::file::{self, Output, Place, Target, Written};
use super::format::{Header, MAX_INDEX_LEN, MAX_SLOTS, StoreId, VersionKey};
use super::index::{Generation, Index, RecordRef};
use super::index_codec::{MAX_VALUE_LEN, RecordTable, Row, encode};
use super::passphrase::PassphraseCost;
use super::policy;
use super::record::{RecordKind, RecordPlace};
use super::slot::{Slot, SlotId};
use super::snapshot::{Snapshot, index_aad};

/// What a change starts from, and what was changed so far.
pub(crate) struct Transaction<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) base: &'a Snapshot,
    pub(crate) index: Index,
    pub(crate) slots: Vec<Slot>,
    pub(crate) now: SystemTime,
    /// Sealed records that are not in the base file, by serial.
    sealed: HashMap<u64, Vec<u8>>,
    /// The keys of the new file, where they are not those of the base.
    rekeyed: Option<Arc<StoreKeys>>,
    changed: bool,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(environment: &'a Environment, base: &'a Snapshot) -> Self {
        Self {
            environment,
            base,
            index: base.index.clone(),
            slots: base.header.slots.clone(),
            now: environment.clock.now(),
            sealed: HashMap::new(),
            rekeyed: None,
            changed: false,
        }
    }

    /// Notes that there is something to write.
    pub(crate) fn touch(&mut self) {
        self.changed = true;
    }

    pub(crate) fn is_changed(&self) -> bool {
        self.changed
    }

    pub(crate) fn random<const N: usize>(&self) -> Result<[u8; N]> {
        random_array(&*self.environment.entropy)
    }

    pub(crate) fn new_version(&self) -> Result<VersionKey> {
        self.random().map(VersionKey::from_bytes)
    }

    /// Seals a value as a new record.
    pub(crate) fn add_record(&mut self, place: RecordPlace<'_>, value: &[u8]) -> Result<RecordRef> {
        let too_long = || {
            let message = format!("a value takes {MAX_VALUE_LEN} bytes at most");
            StoreError::new(StoreErrorKind::OutOfBounds, message)
        };
        if value.len() > MAX_VALUE_LEN {
            return Err(too_long());
        }
        let value_len = u32::try_from(value.len()).map_err(|_| too_long())?;
        let cipher = self.base.keys.records();
        let sealed = cipher.seal_at(&*self.environment.entropy, place, value)?;
        let serial = self.index.next_serial;
        self.index.next_serial = next(serial)?;
        self.sealed.insert(serial, sealed);
        self.touch();
        Ok(RecordRef { serial, value_len })
    }

    pub(crate) fn free_slot(&self) -> Result<SlotId> {
        if self.slots.len() >= MAX_SLOTS {
            let message = format!("a store has {MAX_SLOTS} slots at most");
            return Err(StoreError::new(StoreErrorKind::Slot, message));
        }
        let highest = self.slots.iter().map(|slot| slot.id.number()).max();
        let number = highest.map_or(Some(1), |highest| highest.checked_add(1));
        number.map(SlotId::new).ok_or_else(|| {
            StoreError::new(StoreErrorKind::Slot, "the numbers of slots are used up")
        })
    }

    /// Writes under a new data key: every record is sealed anew.
    pub(crate) fn rekey(&mut self, data_key: SymmetricKey) -> Result<()> {
        self.rekeyed = Some(Arc::new(StoreKeys::derive(self.base.header.store, data_key)?));
        self.touch();
        Ok(())
    }

    pub(crate) fn set_generation(&mut self, generation: Generation) {
        self.index.generation = generation;
        self.touch();
    }

    /// Writes the new file over the old one.
    pub(crate) fn commit(self, target: &Target) -> Result<(Snapshot, Result<()>)> {
        let Self { environment, base, mut index, slots, now, sealed, rekeyed, .. } = self;
        if index.generation == base.index.generation {
            index.generation.writes = next(index.generation.writes)?;
        }
        index.written = now;
        index.secrets.retain(|_, entry| !policy::note_window(entry, now));
        PassphraseCost::check_total(slots.iter().filter_map(Slot::passphrase_cost))?;
        file::check_writable(&base.stat, target)?;
        let keys = rekeyed.clone().unwrap_or_else(|| Arc::clone(&base.keys));
        let plan = Plan::new(environment, keys, base.header.store, index, slots)?;
        let place = Place::Of(&base.stat);
        let written = file::write(environment, target, place, |output| {
            output.put(&plan.header_bytes)?;
            match &rekeyed {
                None => put_records(&plan, base, &sealed, output)?,
                Some(keys) => put_resealed(&plan, base, &sealed, environment, keys, output)?,
            }
            output.put(&plan.sealed_index)
        })?;
        plan.finish(target, written)
    }
}

/// A counter's next value. A store that counts from zero never gets to the end; one that was forged
/// by somebody who has its key may.
pub(crate) fn next(counter: u64) -> Result<u64> {
    counter.checked_add(1).ok_or_else(|| {
        StoreError::new(StoreErrorKind::OutOfBounds, "a counter of the store is used up")
    })
}

/// A new store: an index and slots, no records.
pub(crate) fn create(
    environment: &Environment,
    target: &Target,
    store: StoreId,
    keys: Arc<StoreKeys>,
    slots: Vec<Slot>,
) -> Result<(Snapshot, Result<()>)> {
    let lasting_key = SymmetricKey::random(&*environment.entropy)?;
    let mut index = Index::empty(lasting_key, environment.clock.now());
    index.generation.writes = 1;
    let plan = Plan::new(environment, keys, store, index, slots)?;
    let written = file::write(environment, target, Place::Empty, |output| {
        output.put(&plan.header_bytes)?;
        output.put(&plan.sealed_index)
    })?;
    plan.finish(target, written)
}

/// Everything about a new file but the bytes of its records.
struct Plan {
    header: Header,
    header_bytes: Vec<u8>,
    index: Index,
    sealed_index: Vec<u8>,
    keys: Arc<StoreKeys>,
    table: RecordTable,
}

impl Plan {
    fn new(
        environment: &Environment,
        keys: Arc<StoreKeys>,
        store: StoreId,
        index: Index,
        slots: Vec<Slot>,
    ) -> Result<Self> {
        let mut bytes = encode(&index, TAG_LEN);
        let mut header = Header {
            store,
            commitment: *keys.commitment(),
            records_len: 0,
            index_len: (bytes.len() + TAG_LEN) as u64,
            index_nonce: random_array(&*environment.entropy)?,
            slots,
        };
        if header.index_len > MAX_INDEX_LEN {
            let message = format!("the index would take more than {MAX_INDEX_LEN} bytes");
            return Err(StoreError::new(StoreErrorKind::OutOfBounds, message));
        }
        let start = header.len();
        let table = RecordTable::of(&index, start);
        header.records_len = table.end(start) - start;
        let header_bytes = header.encode();
        let aad = index_aad(&header_bytes);
        let tag = keys.index().seal_in_place(&header.index_nonce, &aad, &mut bytes)?;
        bytes.extend_from_slice(&tag);
        let sealed_index = std::mem::take(&mut *bytes);
        Ok(Self { header, header_bytes, index, sealed_index, keys, table })
    }

    fn finish(self, target: &Target, written: Written) -> Result<(Snapshot, Result<()>)> {
        // Of the file itself: what stands at its path may be another one by now.
        let stat = written.file.stat().map_err(|error| {
            StoreError::io("look at", target.path(), error).with_effect(Effect::Unknown)
        })?;
        let snapshot = Snapshot {
            header: self.header,
            keys: self.keys,
            index: self.index,
            table: self.table,
            file: written.file,
            stamp: stat.stamp,
            stat,
        };
        Ok((snapshot, written.durable))
    }
}

/// Copies the sealed bytes of kept records in runs, and writes the new ones behind them.
fn put_records(
    plan: &Plan,
    base: &Snapshot,
    sealed: &HashMap<u64, Vec<u8>>,
    output: &mut Output<'_>,
) -> Result<()> {
    let mut run: Option<Row> = None;
    for row in plan.table.rows() {
        if let Some(bytes) = sealed.get(&row.serial) {
            flush(run.take(), base, output)?;
            output.put(bytes)?;
            continue;
        }
        let kept = base.table.get(row.serial).ok_or_else(lost_record)?;
        match &mut run {
            Some(run) if run.offset + run.sealed_len == kept.offset => {
                run.sealed_len += kept.sealed_len;
            }
            _ => flush(run.replace(kept), base, output)?,
        }
    }
    flush(run, base, output)
}

fn flush(run: Option<Row>, base: &Snapshot, output: &mut Output<'_>) -> Result<()> {
    match run {
        Some(run) => output.copy(&*base.file, run.offset, run.sealed_len),
        None => Ok(()),
    }
}

fn lost_record() -> StoreError {
    StoreError::new(StoreErrorKind::Internal, "a record of the new state is in no file")
}

/// Opens every record under the old keys and seals it under the new ones.
fn put_resealed(
    plan: &Plan,
    base: &Snapshot,
    sealed: &HashMap<u64, Vec<u8>>,
    environment: &Environment,
    keys: &StoreKeys,
    output: &mut Output<'_>,
) -> Result<()> {
    let mut places: HashMap<u64, (RecordPlace<'_>, RecordRef)> = HashMap::new();
    for (place, record) in plan.index.records() {
        places.insert(record.serial, (place, record));
    }
    for row in plan.table.rows() {
        let (place, record) = places.get(&row.serial).copied().ok_or_else(lost_record)?;
        let plain = match sealed.get(&row.serial) {
            Some(sealed) => {
                let opened = base.keys.records().open_at(place, sealed);
                opened.map_err(|NotAuthentic| place.not_authentic())?
            }
            None => base.read(place, record)?,
        };
        output.put(&keys.records().seal_at(&*environment.entropy, place, &plain)?)?;
    }
    Ok(())
}

impl Index {
    /// Every record with what it belongs to.
    pub(crate) fn records(&self) -> impl Iterator<Item = (RecordPlace<'_>, RecordRef)> {
        let secrets =
            self.secrets.iter().map(|(name, entry)| (RecordKind::Secret, name.as_str(), entry));
        let keys =
            self.keys.iter().map(|(name, entry)| (RecordKind::WrappingKey, name.as_str(), entry));
        secrets.chain(keys).flat_map(|(kind, name, entry)| {
            entry.versions.iter().filter_map(move |version| {
                let place = RecordPlace::new(kind, name, version.id);
                Some((place, version.content.record()?))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_at_its_end_is_an_error() {
        assert_eq!(next(0).ok(), Some(1));
        assert_eq!(next(u64::MAX - 1).ok(), Some(u64::MAX));
        let over = next(u64::MAX).map_err(|error| error.kind());
        assert_eq!(over, Err(StoreErrorKind::OutOfBounds));
    }
}

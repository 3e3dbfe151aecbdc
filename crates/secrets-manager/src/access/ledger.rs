use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::SystemTime;

use audit_log::Aggregate;
use foldhash::fast::RandomState;
use secrets_core::{Clock, ProviderId};

use crate::access::meter::Meter;
use crate::access::row::{AccessRow, Reader};
use crate::access::tally::{Place, Reading};
use crate::cache::line::Key;

/// How many rows are kept that nobody holds a handle of; then the older half of them is summed up. As
/// many secrets are kept that have such sums; then the older half of these is forgotten, but for what is
/// still to be reported, for which there is room twice.
const MOST_IDLE: usize = 4_096;

/// Where nothing could be given up, so many more rows come before it is looked again.
const STEP: usize = MOST_IDLE / 32;

/// Names a row for as long as the manager lives; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RowId(u64);

/// The sums of one manager.
pub(crate) struct Ledger {
    clock: Arc<dyn Clock>,
    /// Whether sums are reported, so that none may be given to others before that.
    is_audited: bool,
    rows: Mutex<Rows>,
}

#[derive(Default)]
struct Rows {
    rows: HashMap<RowId, Row, RandomState>,
    /// Rows by secret.
    by_key: HashMap<Key, HashMap<Reader, RowId, RandomState>, RandomState>,
    /// How many of them nobody holds a handle of, but for those of `Others`.
    idle: usize,
    /// How many rows are of `Others`: one for each secret at most.
    others: usize,
    /// How many of both there have to be before some are given up again.
    thins_at: usize,
    last: u64,
    /// How much was counted that no metric tells yet, by provider.
    counted: HashMap<usize, u64, RandomState>,
    /// When it was last summed up.
    summed: Option<SystemTime>,
}

struct Row {
    key: Key,
    reader: Reader,
    meters: Vec<Running>,
    loads: u64,
    /// Those of them that no event tells yet, and since when.
    unreported: u64,
    since: SystemTime,
    issued: SystemTime,
    first_used: Option<SystemTime>,
    last_used: Option<SystemTime>,
    is_followed: bool,
}

/// A meter that handles hold, and how much of what it says is in the sums.
struct Running {
    meter: Weak<Meter>,
    place: Place,
    late: Arc<AtomicU64>,
    is_followed: Arc<AtomicBool>,
    seen: u64,
}

/// Loads that are to be reported.
#[derive(Debug)]
pub(crate) struct Dues {
    row: RowId,
    pub(crate) key: Key,
    pub(crate) reader: Reader,
    pub(crate) aggregate: Aggregate,
}

impl Ledger {
    pub(crate) fn new(clock: Arc<dyn Clock>, is_audited: bool) -> Arc<Self> {
        Arc::new(Self { clock, is_audited, rows: Mutex::default() })
    }

    /// The meter of a reader of a secret.
    pub(crate) fn meter(self: &Arc<Self>, key: &Key, reader: Reader) -> Arc<Meter> {
        let now = self.clock.now();
        let mut rows = self.lock();
        let id = rows.row(key, reader, now);
        let Some(row) = rows.rows.get_mut(&id) else { return self.run(id, key).1 };
        if let Some(meter) = row.meters.iter().find_map(|running| running.meter.upgrade()) {
            return meter;
        }
        let was_idle = row.meters.is_empty();
        let (running, meter) = self.run(id, key);
        row.meters.push(running);
        rows.idle -= usize::from(was_idle);
        let untold = rows.thin_out(self.is_audited);
        drop(rows);
        if untold > 0 {
            tell_of_untold(untold);
        }
        meter
    }

    fn run(self: &Arc<Self>, row: RowId, key: &Key) -> (Running, Arc<Meter>) {
        let (place, seen) = Place::take();
        let (late, is_followed) = (Arc::default(), Arc::default());
        let meter = Arc::new(Meter {
            ledger: Arc::clone(self),
            row,
            key: key.clone(),
            place,
            late: Arc::clone(&late),
            is_followed: Arc::clone(&is_followed),
        });
        (Running { meter: Arc::downgrade(&meter), place, late, is_followed, seen }, meter)
    }

    /// The last handle with this meter is gone.
    pub(crate) fn close(&self, id: RowId, place: Place) {
        let now = self.clock.now();
        let mut rows = self.lock();
        // Given back under this lock, so that no sum is taken of it meanwhile.
        let total = place.give_back();
        let summed = rows.summed;
        let Some(row) = rows.rows.get_mut(&id) else { return };
        let Some(at) = row.meters.iter().position(|running| running.place == place) else { return };
        let mut running = row.meters.swap_remove(at);
        let counted = running.take(total);
        row.take_in(counted, summed, now);
        let source = row.key.source;
        row.is_followed |= running.is_followed.load(Ordering::Relaxed);
        if row.meters.is_empty() {
            rows.idle += 1;
        }
        *rows.counted.entry(source).or_default() += counted;
    }

    /// What all readers did so far.
    pub(crate) fn report(&self, provider: impl Fn(usize) -> Option<ProviderId>) -> Vec<AccessRow> {
        let now = self.clock.now();
        let mut rows = self.lock();
        rows.sum_up(now);
        let mut ids: Vec<_> = rows.rows.keys().copied().collect();
        ids.sort_unstable();
        let rows = ids.iter().filter_map(|id| rows.rows.get(id));
        rows.filter_map(|row| row.shown(provider(row.key.source)?)).collect()
    }

    /// How much was counted since this was last asked, by provider.
    pub(crate) fn counted(&self) -> Vec<(usize, u64)> {
        let now = self.clock.now();
        let mut rows = self.lock();
        rows.sum_up(now);
        rows.counted.drain().collect()
    }

    /// Sums up, and gives out what no event tells yet, of `most` rows at most.
    pub(crate) fn dues(&self, most: usize) -> Vec<Dues> {
        let now = self.clock.now();
        let mut rows = self.lock();
        rows.sum_up(now);
        let due = rows.rows.iter_mut().filter(|(_, row)| row.unreported > 0);
        let mut dues: Vec<_> = due.take(most).filter_map(|(id, row)| row.due(*id, now)).collect();
        dues.sort_unstable_by_key(|dues| dues.row);
        dues
    }

    /// What could not be reported is due again.
    pub(crate) fn put_back(&self, dues: Dues) {
        let mut rows = self.lock();
        // It may have been summed up with others meanwhile.
        let id = if rows.rows.contains_key(&dues.row) {
            dues.row
        } else {
            rows.row(&dues.key, Reader::Others, dues.aggregate.start)
        };
        if let Some(row) = rows.rows.get_mut(&id) {
            row.unreported = row.unreported.saturating_add(dues.aggregate.count.get());
            row.since = row.since.min(dues.aggregate.start);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    fn row(&mut self, key: &Key, reader: Reader, now: SystemTime) -> RowId {
        let ids = self.by_key.entry(key.clone()).or_default();
        if let Some(id) = ids.get(&reader) {
            return *id;
        }
        self.last += 1;
        let id = RowId(self.last);
        ids.insert(reader.clone(), id);
        match reader {
            Reader::Others => self.others += 1,
            _ => self.idle += 1,
        }
        self.rows.insert(id, Row::new(key.clone(), reader, now));
        id
    }

    /// Takes in what was counted since the last time.
    fn sum_up(&mut self, now: SystemTime) {
        let reading = Reading::new();
        for row in self.rows.values_mut() {
            for at in 0..row.meters.len() {
                let Some(running) = row.meters.get_mut(at) else { break };
                let counted = running.take(reading.at(running.place));
                row.is_followed |= running.is_followed.load(Ordering::Relaxed);
                row.take_in(counted, self.summed, now);
                *self.counted.entry(row.key.source).or_default() += counted;
            }
        }
        self.summed = Some(now);
    }

    /// Gives the older half of what nobody holds to `Others`. What is still to be reported keeps its
    /// name for as long as there is room. Returns how many loads are forgotten that no event tells.
    fn thin_out(&mut self, is_audited: bool) -> u64 {
        if self.idle <= MOST_IDLE || self.idle + self.others < self.thins_at {
            return 0;
        }
        let is_full = self.idle > 2 * MOST_IDLE;
        let is_ripe = |row: &Row| is_full || !is_audited || row.unreported == 0;
        let idle = self.rows.iter().filter(|(_, row)| {
            row.meters.is_empty() && row.reader != Reader::Others && is_ripe(row)
        });
        let mut idle: Vec<_> = idle.map(|(id, row)| (row.last_used, *id)).collect();
        idle.sort_unstable();
        for (_, id) in idle.iter().take(MOST_IDLE / 2) {
            self.give_to_others(*id);
        }
        let untold = if self.others > MOST_IDLE { self.forget_others(is_audited) } else { 0 };
        self.thins_at = self.idle + self.others + STEP;
        untold
    }

    /// Forgets the older half of the sums of `Others`, but for what is still to be reported as long as
    /// there is room: a log that refuses for good must not take all the memory there is.
    fn forget_others(&mut self, is_audited: bool) -> u64 {
        let is_full = self.others > 2 * MOST_IDLE;
        let is_told = |row: &Row| is_full || !is_audited || row.unreported == 0;
        let told = self.rows.iter().filter(|(_, row)| row.reader == Reader::Others && is_told(row));
        let mut told: Vec<_> = told.map(|(id, row)| (row.last_used, *id)).collect();
        told.sort_unstable();
        let mut untold = 0_u64;
        for (_, id) in told.iter().take(MOST_IDLE / 2) {
            let Some(row) = self.rows.remove(id) else { continue };
            self.others -= 1;
            untold = untold.saturating_add(if is_audited { row.unreported } else { 0 });
            let Some(ids) = self.by_key.get_mut(&row.key) else { continue };
            ids.remove(&row.reader);
            if ids.is_empty() {
                self.by_key.remove(&row.key);
            }
        }
        untold
    }

    fn give_to_others(&mut self, id: RowId) {
        let Some(row) = self.rows.remove(&id) else { return };
        self.idle -= 1;
        if let Some(ids) = self.by_key.get_mut(&row.key) {
            ids.remove(&row.reader);
        }
        let others = self.row(&row.key, Reader::Others, row.issued);
        if let Some(others) = self.rows.get_mut(&others) {
            others.merge(&row);
        }
    }
}

impl Row {
    fn new(key: Key, reader: Reader, now: SystemTime) -> Self {
        Self {
            key,
            reader,
            meters: Vec::new(),
            loads: 0,
            unreported: 0,
            since: now,
            issued: now,
            first_used: None,
            last_used: None,
            is_followed: false,
        }
    }

    /// What was counted since it was last summed up.
    fn take_in(&mut self, counted: u64, summed: Option<SystemTime>, now: SystemTime) {
        if counted > 0 {
            if self.unreported == 0 {
                self.since = summed.map_or(self.issued, |summed| summed.max(self.issued));
            }
            self.loads = self.loads.saturating_add(counted);
            self.unreported = self.unreported.saturating_add(counted);
            self.first_used.get_or_insert(now);
            self.last_used = Some(now);
        }
    }

    fn due(&mut self, row: RowId, now: SystemTime) -> Option<Dues> {
        let count = NonZeroU64::new(std::mem::take(&mut self.unreported))?;
        // The clock may have been set back.
        let start = self.since.min(now);
        let aggregate = Aggregate::new(count, start, now);
        Some(Dues { row, key: self.key.clone(), reader: self.reader.clone(), aggregate })
    }

    fn merge(&mut self, row: &Self) {
        self.loads = self.loads.saturating_add(row.loads);
        self.unreported = self.unreported.saturating_add(row.unreported);
        self.since = self.since.min(row.since);
        self.issued = self.issued.min(row.issued);
        self.first_used = [self.first_used, row.first_used].into_iter().flatten().min();
        self.last_used = self.last_used.max(row.last_used);
        self.is_followed |= row.is_followed;
    }

    fn shown(&self, provider: ProviderId) -> Option<AccessRow> {
        Some(AccessRow {
            provider,
            reference: self.key.reference.clone(),
            selector: self.key.selector.clone(),
            reader: self.reader.clone(),
            loads: self.loads,
            issued: self.issued,
            first_used: self.first_used,
            last_used: self.last_used,
            is_held: !self.meters.is_empty(),
            is_followed: self.is_followed,
        })
    }
}

impl Running {
    /// What was counted since the last time, when `total` stands on the sheets.
    fn take(&mut self, total: u64) -> u64 {
        let total = total.wrapping_add(self.late.load(Ordering::Relaxed));
        total.wrapping_sub(std::mem::replace(&mut self.seen, total))
    }
}

/// Who listens may panic; the handle is given out all the same.
#[cold]
fn tell_of_untold(loads: u64) {
    drop(catch_unwind(AssertUnwindSafe(|| {
        tracing::warn!(loads, "loads by handle are forgotten that the audit log did not take");
    })));
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}

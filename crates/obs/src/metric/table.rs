//! The series of one metric: found by key, one for each text of labels, so many and no more.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use metrics::Key;

use super::cell::Cell;
use super::labels::LabelRules;

/// What stands for all series beyond the limit: the OpenTelemetry SDK's `otel.metric.overflow`
/// ("Cardinality limits" of its metrics SDK specification).
const OVERFLOW: &str = "otel_metric_overflow=\"true\"";

/// So that threads which look up different series do not wait for each other's counts of readers.
const SHARDS: usize = 4;

/// References of the table itself to a series, besides its keys: by labels and in order.
const OWN_REFERENCES: usize = 2;

/// One series: what a handle of the facade points to.
#[derive(Debug)]
pub(crate) struct Series<C> {
    labels: Arc<str>,
    cell: C,
    /// How many keys lead to it.
    keys: AtomicUsize,
    /// When it last was seen to have changed.
    active: Mutex<Option<Duration>>,
}

impl<C> Series<C> {
    fn new(labels: Arc<str>, cell: C) -> Arc<Self> {
        Arc::new(Self { labels, cell, keys: AtomicUsize::new(0), active: Mutex::new(None) })
    }

    /// As `a="x",b="y"`.
    pub(crate) fn labels(&self) -> &str {
        &self.labels
    }

    pub(crate) fn cell(&self) -> &C {
        &self.cell
    }
}

/// The facade hashed the key already.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

type Keys<C> = HashMap<Key, Arc<Series<C>>, BuildHasherDefault<Hashed>>;

#[derive(Debug)]
pub(crate) struct Table<C> {
    /// A cache over the store: at most two keys for each series that there may be.
    keys: [RwLock<Keys<C>>; SHARDS],
    store: RwLock<Store<C>>,
    limit: usize,
}

#[derive(Debug)]
struct Store<C> {
    by_labels: HashMap<Arc<str>, Arc<Series<C>>, foldhash::fast::RandomState>,
    ordered: Vec<Arc<Series<C>>>,
    overflow: Option<Arc<Series<C>>>,
}

impl<C: Cell> Table<C> {
    pub(crate) fn new(limit: usize) -> Self {
        let store = Store { by_labels: HashMap::default(), ordered: Vec::new(), overflow: None };
        Self { keys: std::array::from_fn(|_| RwLock::default()), store: RwLock::new(store), limit }
    }

    /// The series of a key; the overflow series once there are as many as there may be.
    #[inline]
    pub(crate) fn series(
        &self,
        key: &Key,
        rules: &LabelRules,
        cell: impl FnOnce() -> C,
    ) -> Arc<Series<C>> {
        // The lock is given back before the rest is looked up.
        let known = read(self.shard(key)).get(key).map(Arc::clone);
        known.unwrap_or_else(|| self.look_up(key, rules, cell))
    }

    fn shard(&self, key: &Key) -> &RwLock<Keys<C>> {
        let [first, second, third, fourth] = &self.keys;
        // The map itself uses the lowest and the highest bits.
        match (key.get_hash() >> 24) & 3 {
            0 => first,
            1 => second,
            2 => third,
            _ => fourth,
        }
    }

    #[cold]
    fn look_up(&self, key: &Key, rules: &LabelRules, cell: impl FnOnce() -> C) -> Arc<Series<C>> {
        let labels = rules.text(key.labels());
        let (series, is_overflow) = self.of_labels(&labels.text, cell);
        // What is held here does not expire meanwhile.
        if labels.is_faithful && !is_overflow {
            let mut keys = write(self.shard(key));
            if keys.len() < self.limit.div_ceil(SHARDS).saturating_mul(2) && !keys.contains_key(key)
            {
                series.keys.fetch_add(1, Ordering::Relaxed);
                keys.insert(key.to_retained(), Arc::clone(&series));
            }
        }
        series
    }

    /// The series, and whether it is the overflow.
    fn of_labels(&self, labels: &str, cell: impl FnOnce() -> C) -> (Arc<Series<C>>, bool) {
        // A label that is called so belongs to what is beyond the limit: no two series have one text.
        let is_overflow = labels == OVERFLOW;
        let find = |store: &Store<C>| {
            let known = store.by_labels.get(labels).map(|series| (Arc::clone(series), false));
            let is_full = is_overflow || store.ordered.len() >= self.limit;
            known.or_else(|| {
                let overflow = store.overflow.as_ref().filter(|_| is_full)?;
                Some((Arc::clone(overflow), true))
            })
        };
        // A flood of new labels asks for no lock that others would wait for.
        if let Some(found) = find(&read(&self.store)) {
            return found;
        }
        let mut store = write(&self.store);
        if let Some(found) = find(&store) {
            return found;
        }
        if is_overflow || store.ordered.len() >= self.limit {
            let series = Series::new(OVERFLOW.into(), cell());
            store.overflow = Some(Arc::clone(&series));
            return (series, true);
        }
        let labels: Arc<str> = labels.into();
        let series = Series::new(Arc::clone(&labels), cell());
        store.by_labels.insert(labels, Arc::clone(&series));
        store.ordered.push(Arc::clone(&series));
        (series, false)
    }

    /// All series, in the order of their registration, the overflow at the end.
    pub(crate) fn all(&self) -> Vec<Arc<Series<C>>> {
        let store = read(&self.store);
        store.ordered.iter().chain(&store.overflow).map(Arc::clone).collect()
    }

    pub(crate) fn len(&self) -> usize {
        let store = read(&self.store);
        store.ordered.len() + usize::from(store.overflow.is_some())
    }

    /// Whether something is beyond the limit.
    pub(crate) fn has_overflow(&self) -> bool {
        read(&self.store).overflow.is_some()
    }

    /// Takes out what nobody holds and what did not change for this long. `now` counts from any
    /// fixed moment.
    pub(crate) fn sweep(&self, now: Duration, window: Duration) -> usize {
        let is_idle = |series: &Series<C>| {
            let mut active = lock(&series.active);
            // Asked in any case: it notes what it saw.
            if series.cell.is_in_use() || active.is_none() {
                *active = Some(now);
            }
            active.is_some_and(|active| now.saturating_sub(active) >= window)
        };
        let idle = read(&self.store).ordered.iter().filter(|series| is_idle(series)).count();
        if idle == 0 { 0 } else { self.take_out(now, window) }
    }

    /// With all locks: nobody can come to hold a series, and whom it shows to be held by nobody has
    /// changed for the last time.
    fn take_out(&self, now: Duration, window: Duration) -> usize {
        let mut store = write(&self.store);
        let mut keys: Vec<_> = self.keys.iter().map(write).collect();
        let is_to_go = |series: &Arc<Series<C>>| {
            let held = OWN_REFERENCES + series.keys.load(Ordering::Relaxed);
            if Arc::strong_count(series) != held {
                return false;
            }
            // What the last holder recorded is seen after its reference is seen to be gone.
            fence(Ordering::Acquire);
            let mut active = lock(&series.active);
            if series.cell.is_in_use() {
                *active = Some(now);
            }
            active.is_some_and(|active| now.saturating_sub(active) >= window)
        };
        let before = store.ordered.len();
        let Store { by_labels, ordered, .. } = &mut *store;
        let mut gone = Vec::new();
        ordered.retain(|series| {
            let goes = is_to_go(series);
            if goes {
                gone.push(Arc::clone(series));
            }
            !goes
        });
        for series in &gone {
            by_labels.remove(&series.labels);
        }
        // Only what goes is in no other place than here and in `gone`.
        let goes = |series: &Series<C>| !by_labels.contains_key(&series.labels);
        keys.iter_mut().for_each(|keys| keys.retain(|_, series| !goes(series)));
        before - ordered.len()
    }
}

fn lock<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing_core::Level;

use crate::log::LogVolume;
use crate::metric::MetricBackend;
use crate::record::{Filter, Note, RecordHandle, Value};

/// How long a filter holds that is set while a service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expiry {
    /// Until another one is set.
    Never,
    /// For so long; then that one holds again that was there before, which the log says.
    After(Duration),
}

/// Does now and then what no request should wait for: lets filters expire, counts.
#[derive(Debug)]
pub(super) struct Keeper {
    records: RecordHandle,
    clock: fn() -> Instant,
    is_ended: Mutex<bool>,
    changed: Condvar,
}

/// How often it is looked at what is due.
const TICK: Duration = Duration::from_secs(1);
/// Every so many ticks unused series are looked for.
const TICKS_OF_UPKEEP: u32 = 10;

impl Keeper {
    pub(super) fn new(records: RecordHandle, clock: fn() -> Instant) -> Self {
        Self { records, clock, is_ended: Mutex::default(), changed: Condvar::new() }
    }

    fn is_ended(&self) -> MutexGuard<'_, bool> {
        self.is_ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_filter(&self, filter: Filter, expiry: Expiry) {
        let until = match expiry {
            // What cannot be counted does not end.
            Expiry::After(time) => (self.clock)().checked_add(time),
            Expiry::Never => None,
        };
        match until {
            Some(until) => self.records.set_filter_until(filter, until),
            None => self.records.set_filter(filter),
        }
    }

    /// For how long the filter that holds is still there, if it passes.
    pub(super) fn remaining(&self) -> Option<Duration> {
        let until = self.records.filter_expires()?;
        Some(until.saturating_duration_since((self.clock)()))
    }

    pub(super) fn end(&self) {
        *self.is_ended() = true;
        self.changed.notify_all();
    }

    /// Does what is due, and waits for what is due next. Whether it goes on.
    fn turn(&self) -> bool {
        if self.records.end_expired((self.clock)()) {
            self.tell_of_filter();
        }
        let waited = self.changed.wait_timeout_while(self.is_ended(), TICK, |is_ended| !*is_ended);
        let (is_ended, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !*is_ended
    }

    /// Whoever misses lines, or sees more of them, is to find why.
    fn tell_of_filter(&self) {
        let filter = self.records.filter().to_string();
        let fields = [("filter", Value::Text(&filter))];
        let note = Note::new(Level::WARN, "obs::setup").with_fields(&fields);
        self.records.record_anyway(&note, &"the filter of logs that held for a while has ended");
    }
}

/// Starts the thread that lets filters expire, counts what was logged and forgets unused series, until
/// the keeper ends.
pub(super) fn keep(
    keeper: &Arc<Keeper>,
    metrics: &Arc<dyn MetricBackend>,
    volume: &Arc<LogVolume>,
) -> io::Result<()> {
    let volume = Arc::clone(volume);
    let (keeper, metrics) = (Arc::clone(keeper), Arc::clone(metrics));
    let run = move || {
        let mut ticks = 0_u32;
        while keeper.turn() {
            volume.publish();
            ticks = ticks.wrapping_add(1);
            if ticks.is_multiple_of(TICKS_OF_UPKEEP) {
                metrics.upkeep((keeper.clock)());
            }
        }
        volume.publish();
    };
    std::thread::Builder::new().name("obs-keeper".to_owned()).spawn(run).map(drop)
}

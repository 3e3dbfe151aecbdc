use std::io::{self, Write as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::log::LogVolume;
use crate::metric::{MetricBackend as _, MetricRecorder};
use crate::record::{Filter, RecordHandle};

/// How long a filter holds that is set while a service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expiry {
    /// Until another one is set.
    Never,
    /// For so long; then that one holds again that was there before.
    After(Duration),
}

/// The filter that lasts, the one that passes, and what is done now and then.
#[derive(Debug)]
pub(super) struct Filters {
    records: RecordHandle,
    clock: fn() -> Instant,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    lasting: Filter,
    until: Option<Instant>,
    is_ended: bool,
    complaints: Vec<String>,
}

/// How often it is looked at what is due.
const TICK: Duration = Duration::from_secs(1);
/// Every so many ticks unused series are looked for.
const TICKS_OF_UPKEEP: u32 = 10;

impl Filters {
    pub(super) fn new(records: RecordHandle, lasting: Filter, clock: fn() -> Instant) -> Self {
        let state = State { lasting, until: None, is_ended: false, complaints: Vec::new() };
        Self { records, clock, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, filter: Filter, expiry: Expiry) {
        let mut state = self.state();
        state.until = match expiry {
            // What cannot be counted does not end.
            Expiry::After(time) => (self.clock)().checked_add(time),
            Expiry::Never => None,
        };
        if state.until.is_none() {
            state.lasting = filter.clone();
        }
        self.records.set_filter(filter);
        self.changed.notify_all();
    }

    /// The filter that lasts is another one; one that passes stays for its time.
    pub(super) fn set_lasting(&self, filter: Filter) {
        let mut state = self.state();
        state.lasting = filter.clone();
        if state.until.is_none() {
            self.records.set_filter(filter);
        }
    }

    /// For how long the filter that holds is still there, if it passes.
    pub(super) fn remaining(&self) -> Option<Duration> {
        let until = self.state().until?;
        Some(until.saturating_duration_since((self.clock)()))
    }

    /// Says something on the standard error, from a thread that may wait for it.
    pub(super) fn complain(&self, complaint: String) {
        self.state().complaints.push(complaint);
        self.changed.notify_all();
    }

    pub(super) fn end(&self) {
        self.state().is_ended = true;
        self.changed.notify_all();
    }

    fn expire(&self, state: &mut State) {
        let now = (self.clock)();
        if state.until.is_some_and(|until| until <= now) {
            state.until = None;
            self.records.set_filter(state.lasting.clone());
        }
    }

    /// Waits for what is due next. Whether it goes on.
    fn wait(&self) -> bool {
        let complaints = std::mem::take(&mut self.state().complaints);
        for complaint in complaints {
            let _ = writeln!(io::stderr(), "{complaint}");
        }
        self.records.end_expired((self.clock)());
        let mut state = self.state();
        self.expire(&mut state);
        if state.is_ended {
            return false;
        }
        if !state.complaints.is_empty() {
            return true;
        }
        let left = state.until.map(|until| until.saturating_duration_since((self.clock)()));
        let pause = left.map_or(TICK, |left| left.min(TICK));
        let waited = self.changed.wait_timeout(state, pause);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        self.expire(&mut state);
        !state.is_ended
    }
}

/// Starts the thread that lets filters expire, counts what was logged and forgets unused series, until
/// the filters end.
pub(super) fn keep(
    filters: &Arc<Filters>,
    metrics: &MetricRecorder,
    volume: &Arc<LogVolume>,
) -> io::Result<()> {
    let volume = Arc::clone(volume);
    let (filters, metrics) = (Arc::clone(filters), metrics.clone());
    let run = move || {
        let mut ticks = 0_u32;
        while filters.wait() {
            volume.publish();
            ticks = ticks.wrapping_add(1);
            if ticks.is_multiple_of(TICKS_OF_UPKEEP) {
                metrics.upkeep(Instant::now());
            }
        }
    };
    std::thread::Builder::new().name("obs-keeper".to_owned()).spawn(run).map(drop)
}

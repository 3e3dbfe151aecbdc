use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::log::left_out::LeftOutCounts;
use crate::log::metrics::{self, Outcome};
use crate::log::writer::batch::Batch;
use crate::log::writer::totals::{Dropped, Health, Status, TargetError, Totals};

/// How long the thread gathers records before it writes again, so that who logs much does not wake
/// it for each line.
const LINGER: Duration = Duration::from_millis(5);

/// How often a thread that has nothing to write looks after what depends on time.
pub(crate) const TICK: Duration = Duration::from_secs(1);

/// After how long a write that does not come back is said to be blocked.
const BLOCKED: Duration = Duration::from_secs(1);

/// What a writer shares with its thread.
pub(crate) struct Shared {
    pub(crate) name: Box<str>,
    state: Mutex<State>,
    /// The thread waits for work.
    wake: Condvar,
    /// Callers wait for the thread.
    done: Condvar,
    voice: OnceLock<Box<dyn Voice>>,
    /// What the outputs that write here left out.
    pub(crate) left_out: LeftOutCounts,
    ticks: Mutex<Vec<Tick>>,
}

/// What is to run about once a second.
pub(crate) type Tick = Arc<dyn Fn(Instant) + Send + Sync>;

/// Who can say something in the layout of the log.
pub(crate) trait Voice: Send + Sync {
    /// A line that says what was dropped.
    fn of_drops(&self, dropped: &Dropped, output: &str, line: &mut Vec<u8>);
}

#[derive(Debug)]
struct State {
    waiting: Batch,
    /// Records of the batch that the thread has, which are not written yet.
    in_flight: u64,
    totals: Totals,
    /// Records that found room, and of those the ones that the thread is done with, in this order.
    accepted: u64,
    finished: u64,
    /// Drops that no line has said yet.
    unsaid: Dropped,
    thread: Thread,
    phase: Phase,
    is_flush_wanted: bool,
    /// What is in flight is a line of the writer's own.
    is_own_in_flight: bool,
    failing_since: Option<SystemTime>,
    writing_since: Option<Instant>,
    errors: u64,
    last_error: Option<TargetError>,
}

/// What the thread is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thread {
    /// It looks again by itself, soon.
    Busy,
    /// It looks again by itself, unless much has gathered.
    Lingering,
    /// It has to be woken.
    Asleep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Open,
    /// Nothing is taken any more; what waits is written.
    Closing,
    /// What waited was given up.
    Abandoned,
    /// The thread is done.
    Ended,
}

/// What the thread does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Write,
    Tick,
    End,
}

impl Shared {
    pub(crate) fn new(name: Box<str>, room: usize) -> Self {
        let state = State {
            waiting: Batch::with_room(room),
            in_flight: 0,
            totals: Totals::default(),
            accepted: 0,
            finished: 0,
            unsaid: Dropped::default(),
            thread: Thread::Busy,
            phase: Phase::Open,
            is_flush_wanted: false,
            is_own_in_flight: false,
            failing_since: None,
            writing_since: None,
            errors: 0,
            last_error: None,
        };
        Self {
            name,
            state: Mutex::new(state),
            wake: Condvar::new(),
            done: Condvar::new(),
            voice: OnceLock::new(),
            left_out: LeftOutCounts::default(),
            ticks: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a record, or says that it was dropped. Under the lock bytes are copied, nothing else.
    pub(crate) fn append(&self, record: &[u8]) -> bool {
        let mut state = self.lock();
        let dropped = state.take(record);
        let must_wake = state.must_wake();
        let drops = state.totals.dropped;
        drop(state);
        if must_wake {
            self.wake.notify_one();
        }
        if let Some(outcome) = dropped {
            metrics::publish_dropped(&self.name, outcome, &drops);
        }
        dropped.is_none()
    }

    pub(crate) fn status(&self) -> Status {
        let state = self.lock();
        let blocked = state.writing_since.map(|since| since.elapsed()).filter(|d| *d >= BLOCKED);
        let health = match (state.phase, state.failing_since, blocked) {
            (Phase::Abandoned | Phase::Ended, _, _) => Health::Closed,
            (_, Some(since), _) => Health::Failing(since),
            (_, None, Some(since)) => Health::Blocked(since),
            (_, None, None) => Health::Working,
        };
        let (errors, last_error) = (state.errors, state.last_error.clone());
        Status { totals: state.totals(), health, errors, last_error }
    }

    /// Waits until what was taken before is written, for so long at most.
    pub(crate) fn flush(&self, within: Duration) -> bool {
        let mut state = self.lock();
        let until = state.accepted;
        state.is_flush_wanted = true;
        self.wake.notify_one();
        let is_open = |state: &mut State| state.finished < until && state.phase < Phase::Abandoned;
        state = self.wait(&self.done, state, within, is_open);
        // What came after the end, or was given up at it, is not written and never will be.
        state.finished >= until && state.totals.dropped.closed == 0
    }

    /// Takes nothing any more, and waits until the thread is done. What is not written by then is
    /// given up.
    pub(crate) fn close(&self, within: Duration) -> Totals {
        let mut state = self.lock();
        state.phase = state.phase.max(Phase::Closing);
        self.wake.notify_one();
        state = self.wait(&self.done, state, within, |state| state.phase < Phase::Abandoned);
        if state.phase < Phase::Abandoned {
            state.phase = Phase::Abandoned;
            let lost = state.totals().waiting;
            state.totals.dropped.closed += lost;
            state.finished = state.accepted;
            state.in_flight = 0;
            state.waiting.clear();
            self.wake.notify_one();
            self.done.notify_all();
        }
        let totals = state.totals();
        drop(state);
        metrics::publish(&self.name, &totals);
        metrics::publish_left_out(&self.name, &self.left_out.read());
        totals
    }

    fn wait<'a>(
        &self,
        on: &Condvar,
        state: MutexGuard<'a, State>,
        within: Duration,
        is_waiting: impl FnMut(&mut State) -> bool,
    ) -> MutexGuard<'a, State> {
        let waited = on.wait_timeout_while(state, within, is_waiting);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// What the thread calls.
impl Shared {
    /// Gathers for a moment, then gives what there is; sleeps while there is nothing.
    pub(crate) fn next(&self, batch: &mut Batch) -> Next {
        let mut state = self.lock();
        if state.phase == Phase::Open {
            state.thread = Thread::Lingering;
            state = self.wait(&self.wake, state, LINGER, |state| !state.is_urgent());
        }
        if state.waiting.is_empty() && state.phase == Phase::Open {
            state.is_flush_wanted = false;
            state.thread = Thread::Asleep;
            let has_nothing = |state: &mut State| {
                state.waiting.is_empty() && state.phase == Phase::Open && !state.is_flush_wanted
            };
            state = self.wait(&self.wake, state, TICK, has_nothing);
        }
        state.thread = Thread::Busy;
        state.is_flush_wanted = false;
        if state.phase == Phase::Abandoned {
            return Next::End;
        }
        if state.waiting.is_empty() {
            return if state.phase == Phase::Open { Next::Tick } else { Next::End };
        }
        std::mem::swap(&mut state.waiting, batch);
        state.in_flight = u64::try_from(batch.records()).unwrap_or(u64::MAX);
        state.is_own_in_flight = false;
        Next::Write
    }

    pub(crate) fn begin_write(&self) {
        self.lock().writing_since.get_or_insert_with(Instant::now);
    }

    /// So many more records are written. Whether they still count.
    pub(crate) fn wrote(&self, records: usize) -> bool {
        let records = u64::try_from(records).unwrap_or(u64::MAX);
        let mut state = self.lock();
        state.writing_since = None;
        if state.phase == Phase::Abandoned {
            return false;
        }
        state.failing_since = None;
        state.in_flight = state.in_flight.saturating_sub(records);
        if !state.is_own_in_flight {
            state.finished += records;
        }
        state.totals.written += records;
        self.done.notify_all();
        true
    }

    /// The target failed. Waits before it is tried again; whether it is to be.
    pub(crate) fn failed(&self, error: &io::Error, pause: Duration) -> bool {
        let mut state = self.lock();
        state.writing_since = None;
        state.note(error);
        state.failing_since.get_or_insert_with(SystemTime::now);
        let phase = state.phase;
        state = self.wait(&self.wake, state, pause, |state| state.phase == phase);
        state.phase != Phase::Abandoned
    }

    /// The target has no room now, which is no error. Whether it is to be tried again.
    pub(crate) fn pause(&self, pause: Duration) -> bool {
        let state = self.lock();
        let phase = state.phase;
        let state = self.wait(&self.wake, state, pause, |state| state.phase == phase);
        state.phase != Phase::Abandoned
    }

    /// Whether time is short.
    pub(crate) fn is_closing(&self) -> bool {
        self.lock().phase >= Phase::Closing
    }

    pub(crate) fn note(&self, error: &io::Error) {
        self.lock().note(error);
    }

    /// Fills `batch` with a line that says what was dropped since that was said last, if anything
    /// was and somebody can say it. It goes past what waits: where more comes than is written, there
    /// is never room behind the others.
    pub(crate) fn say_drops(&self, batch: &mut Batch, line: &mut Vec<u8>) -> bool {
        let unsaid = self.lock().unsaid;
        if unsaid.sum() == 0 {
            return false;
        }
        let Some(voice) = self.voice.get() else { return false };
        line.clear();
        // The layout may be somebody else's.
        let said = AssertUnwindSafe(|| voice.of_drops(&unsaid, &self.name, line));
        if catch_unwind(said).is_err() || line.is_empty() || !batch.push(line) {
            return false;
        }
        let mut state = self.lock();
        state.unsaid.full -= unsaid.full;
        state.unsaid.io -= unsaid.io;
        state.unsaid.closed -= unsaid.closed;
        state.totals.taken += 1;
        state.in_flight = 1;
        state.is_own_in_flight = true;
        true
    }

    /// Runs what is to run about once a second.
    pub(crate) fn tick(&self) {
        let ticks = self.ticks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = Instant::now();
        for tick in ticks {
            // A task of others that panics is not to end the log.
            let _ = catch_unwind(AssertUnwindSafe(|| tick(now)));
        }
        metrics::publish(&self.name, &self.status().totals);
        metrics::publish_left_out(&self.name, &self.left_out.read());
    }

    pub(crate) fn end(&self) {
        self.lock().phase = Phase::Ended;
        self.done.notify_all();
    }

    /// The first one stays.
    pub(crate) fn set_voice(&self, voice: Box<dyn Voice>) {
        let _ = self.voice.set(voice);
    }

    pub(crate) fn add_tick(&self, tick: Tick) {
        self.ticks.lock().unwrap_or_else(PoisonError::into_inner).push(tick);
    }
}

impl State {
    fn totals(&self) -> Totals {
        let waiting = u64::try_from(self.waiting.records()).unwrap_or(u64::MAX) + self.in_flight;
        Totals { waiting, ..self.totals }
    }

    /// Why it was not taken, if it was not.
    fn take(&mut self, record: &[u8]) -> Option<Outcome> {
        self.totals.taken += 1;
        let (dropped, unsaid) = (&mut self.totals.dropped, &mut self.unsaid);
        let (outcome, total, unsaid) = if self.phase != Phase::Open {
            (Outcome::Closed, &mut dropped.closed, &mut unsaid.closed)
        } else if self.waiting.push(record) {
            self.accepted += 1;
            return None;
        } else if self.failing_since.is_some() {
            (Outcome::Io, &mut dropped.io, &mut unsaid.io)
        } else {
            (Outcome::Full, &mut dropped.full, &mut unsaid.full)
        };
        *total += 1;
        *unsaid += 1;
        Some(outcome)
    }

    /// Whether the thread has to be told: once, not for each record.
    fn must_wake(&mut self) -> bool {
        let must = match self.thread {
            Thread::Busy => false,
            Thread::Lingering => self.waiting.is_half_full(),
            Thread::Asleep => true,
        };
        if must {
            self.thread = Thread::Busy;
        }
        must
    }

    fn is_urgent(&self) -> bool {
        self.is_flush_wanted || self.phase != Phase::Open || self.waiting.is_half_full()
    }

    fn note(&mut self, error: &io::Error) {
        self.errors += 1;
        self.last_error = Some(TargetError {
            kind: error.kind(),
            message: error.to_string().into(),
            at: SystemTime::now(),
        });
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status();
        f.debug_struct("Writer").field("name", &self.name).field("status", &status).finish()
    }
}

//! The run future: refreshes ahead of time, moves states on, follows hints.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::time::Instant;

use crate::cache::asker::Asker;
use crate::cache::flight::{Flight, WeakFlight};
use crate::cache::hints;
use crate::cache::inner::Inner;
use crate::cache::line::{Content, Line, LineId};
use crate::cache::store::{Desk, Trash};
use crate::telemetry;

/// The run future wakes at least so often: to look at the wall clock, and to show that it lives.
const TICK: Duration = Duration::from_secs(1);

/// So often it is told how the manager stands.
const GAUGES_EACH: Duration = Duration::from_secs(10);

/// So far the wall clock may drift from the monotonic one before it counts as set.
const DRIFT: Duration = Duration::from_millis(100);

/// So many lines are dealt with at a time, so that readers get at the store in between, and other tasks
/// at the executor.
const LINES_AT_A_TIME: usize = 256;

/// Another run future of this manager is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the manager is running already")]
pub struct AlreadyRunning;

/// Runs until nobody has a manager, a cached provider or a handle any more.
pub(crate) async fn run(inner: Arc<Inner>) -> Result<(), AlreadyRunning> {
    let mut shift = Shift::begin(inner)?;
    while let Some(Rest { until, is_short }) = shift.round() {
        let inner = Arc::clone(&shift.inner);
        let mut wake = pin!(inner.wake.notified());
        let mut alarm = pin!(tokio::time::sleep_until(until));
        poll_fn(|context| {
            // Hints first: who subscribes before it reads misses nothing.
            shift.poll_listeners(context);
            let is_called = is_short
                | shift.poll_errands(context)
                | wake.as_mut().poll(context).is_ready()
                | alarm.as_mut().poll(context).is_ready();
            if is_called { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        // However much there is to do, others on this executor have their turn.
        take_turns().await;
    }
    Ok(())
}

/// Lets others be polled once.
pub(crate) async fn take_turns() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The time during which one run future is in charge.
struct Shift {
    inner: Arc<Inner>,
    errands: FuturesUnordered<BoxFuture<'static, Call>>,
    listeners: FuturesUnordered<BoxFuture<'static, ()>>,
    /// How many of the errands are refreshes of our own, by provider.
    refreshes: Vec<usize>,
    /// When it is told next how the manager stands.
    gauges_at: Instant,
    /// When loads by handle are summed up next.
    sums_up_at: Instant,
    /// What both clocks said at first, or when they were last found to have parted.
    seen: (Instant, SystemTime),
}

/// Whose call it is that is seen through.
#[derive(Debug, Clone, Copy)]
enum Call {
    /// One that readers began.
    Adopted,
    /// A refresh of our own, of this provider.
    Refresh { source: usize },
}

/// What a round leaves to do.
struct Round {
    flights: Vec<(Flight, Call)>,
    /// `None` when nobody is left.
    rest: Option<Rest>,
}

/// For how long there is nothing to do, unless something happens.
struct Rest {
    until: Instant,
    /// There is more to do already.
    is_short: bool,
}

impl Shift {
    fn begin(inner: Arc<Inner>) -> Result<Self, AlreadyRunning> {
        let moment = inner.moment();
        let flights = inner.with(take_over)?;
        let mut shift = Self {
            errands: FuturesUnordered::new(),
            listeners: FuturesUnordered::new(),
            refreshes: vec![0; inner.setting.sources.len()],
            gauges_at: moment.now,
            sums_up_at: moment.now + inner.setting.access_period,
            seen: (moment.now, moment.wall),
            inner,
        };
        for flight in flights {
            shift.see_through(flight, Call::Adopted);
        }
        shift.inner.tell_that_it(true);
        for source in &shift.inner.setting.sources {
            let listener = hints::follow(Arc::clone(&shift.inner), Arc::clone(source));
            shift.listeners.push(listener.boxed());
        }
        if let Some(last_known) = &shift.inner.setting.last_known {
            let (last_known, inner) = (Arc::clone(last_known), Arc::clone(&shift.inner));
            shift.listeners.push(async move { last_known.keep(inner).await }.boxed());
        }
        Ok(shift)
    }

    /// Does some of what is due; returns when to come back, or `None` when nobody is left.
    fn round(&mut self) -> Option<Rest> {
        self.heed_clock();
        let has_more = self.sum_up();
        self.tell_gauges();
        let round = self.inner.with(|desk| round(&self.inner, desk, &self.refreshes));
        for (flight, call) in round.flights {
            self.see_through(flight, call);
        }
        round.rest.map(|rest| Rest { is_short: rest.is_short || has_more, ..rest })
    }

    fn tell_gauges(&mut self) {
        let now = Instant::now();
        if now >= self.gauges_at {
            self.gauges_at = now + GAUGES_EACH;
            self.inner.tell_gauges();
        }
    }

    /// Reports loads by handle once it is time; true when there is more to report.
    fn sum_up(&mut self) -> bool {
        let now = Instant::now();
        if now < self.sums_up_at {
            return false;
        }
        let has_more = self.inner.report_loads(LINES_AT_A_TIME);
        if !has_more {
            self.sums_up_at = now + self.inner.setting.access_period;
        }
        has_more
    }

    fn see_through(&mut self, flight: Flight, call: Call) {
        if let Some(count) = self.count(call) {
            *count += 1;
        }
        let inner = Arc::clone(&self.inner);
        let errand = async move {
            // Its answer is with the line.
            let _ = inner.sit_out(flight).await;
            call
        };
        self.errands.push(errand.boxed());
    }

    fn count(&mut self, call: Call) -> Option<&mut usize> {
        match call {
            Call::Adopted => None,
            Call::Refresh { source } => self.refreshes.get_mut(source),
        }
    }

    /// The wall clock was set, or the machine slept: bounds of validity are looked at again, and
    /// when it slept for long, so is everything.
    fn heed_clock(&mut self) {
        let moment = self.inner.moment();
        let (now, wall) = self.seen;
        let expected = wall + moment.now.saturating_duration_since(now);
        let ahead = moment.wall.duration_since(expected).unwrap_or_default();
        let behind = expected.duration_since(moment.wall).unwrap_or_default();
        if ahead.max(behind) <= DRIFT {
            // Not seen anew: what is set little by little is off by as much in the end.
            return;
        }
        self.seen = (moment.now, moment.wall);
        let has_slept = ahead >= self.inner.setting.terms.policy.ttl;
        self.inner.with(|desk| look_again(desk, has_slept));
    }

    fn poll_listeners(&mut self, context: &mut Context<'_>) {
        while let Poll::Ready(Some(())) = self.listeners.poll_next_unpin(context) {}
    }

    /// True when a call ended.
    fn poll_errands(&mut self, context: &mut Context<'_>) -> bool {
        let mut has_ended = false;
        while let Poll::Ready(Some(call)) = self.errands.poll_next_unpin(context) {
            if let Some(count) = self.count(call) {
                *count = count.saturating_sub(1);
            }
            has_ended = true;
        }
        has_ended
    }
}

impl Drop for Shift {
    fn drop(&mut self) {
        self.inner.with(|desk| {
            desk.store.is_running = false;
            let begun = desk.store.begun.drain();
            desk.after.trash.extend(begun.map(|(_, flight)| Trash::Flight(flight)));
            let ready: Vec<_> = desk.store.ready.iter_mut().flat_map(|q| q.drain(..)).collect();
            for id in ready {
                desk.line_mut(id).into_iter().for_each(|line| line.is_queued = false);
            }
            let lines: Vec<_> = desk.store.lines.keys().copied().collect();
            for id in lines {
                desk.held_mut(id).into_iter().for_each(|held| held.is_orphaned = true);
                desk.reconcile(id);
            }
        });
        // What was loaded last is not to be forgotten.
        self.inner.report_loads(usize::MAX);
        self.inner.tell_gauges();
        self.inner.tell_that_it(false);
        // Only now that all handles say orphaned: they would say stalled.
        self.inner.with(|desk| {
            if !desk.store.is_running {
                desk.setting.pulse.stop();
            }
        });
    }
}

/// Takes charge of the store, and of the calls that readers have begun.
fn take_over(desk: &mut Desk<'_>) -> Result<Vec<Flight>, AlreadyRunning> {
    if desk.store.is_running {
        return Err(AlreadyRunning);
    }
    let has_run = std::mem::replace(&mut desk.store.has_run, true);
    desk.store.is_running = true;
    desk.store.wakes_at = Some(desk.moment.now);
    let setting = desk.setting;
    setting.pulse.promise(desk.moment.now, setting.terms.policy.stall_after);
    let lines: Vec<_> = desk.store.lines.keys().copied().collect();
    let mut flights = Vec::new();
    for id in lines {
        let Some(line) = desk.line(id) else { continue };
        let source = setting.sources.get(line.key.source);
        let hints = source.is_some_and(|source| source.capabilities.changes.is_available());
        // While nobody listened, a hint may have been missed.
        let has_gap = has_run || hints;
        flights.extend(line.flight.as_ref().and_then(WeakFlight::upgrade));
        desk.held_mut(id).into_iter().for_each(|held| held.is_orphaned = false);
        if has_gap {
            desk.miss(id);
        } else {
            desk.reconcile(id);
        }
    }
    Ok(flights)
}

fn round(inner: &Arc<Inner>, desk: &mut Desk<'_>, refreshes: &[usize]) -> Round {
    let setting = desk.setting;
    for id in setting.sources.iter().flat_map(|source| source.names.take_news()) {
        want(desk, id);
    }
    let is_done = advance(desk);
    let begun = desk.store.begun.drain();
    let mut flights: Vec<_> = begun.map(|(_, flight)| (flight, Call::Adopted)).collect();
    for (source, under_way) in refreshes.iter().enumerate() {
        let room = setting.terms.policy.concurrent_refreshes.get().saturating_sub(*under_way);
        let started = refresh(inner, desk, source, room).into_iter();
        flights.extend(started.map(|flight| (flight, Call::Refresh { source })));
    }
    let soon = desk.moment.now + TICK;
    let next = desk.store.schedule.first().map_or(soon, |(at, _)| soon.min(*at));
    desk.store.wakes_at = Some(next);
    setting.pulse.promise(next, setting.terms.policy.stall_after);
    let is_over = !inner.has_tenants() && !desk.store.lines.values().any(|line| line.is_pinned());
    let rest = Rest { until: next, is_short: !is_done };
    Round { flights, rest: (!is_over).then_some(rest) }
}

/// Somebody read it while it was stale.
fn want(desk: &mut Desk<'_>, id: LineId) {
    let (moment, setting) = (desk.moment, desk.setting);
    let Some(line) = desk.line_mut(id) else { return };
    let Content::Held(held) = &mut line.content else { return };
    if !held.is_fresh(&moment) {
        held.want(&moment);
        desk.reconcile(id);
    } else if let Some(source) = setting.sources.get(line.key.source) {
        // An answer came first; what is noted here would keep the next stale read from being news.
        line.names().for_each(|name| source.names.asked(name));
    }
}

/// Deals with the lines whose time has come; true when it got to the end of them.
fn advance(desk: &mut Desk<'_>) -> bool {
    for _ in 0..LINES_AT_A_TIME {
        let Some((at, id)) = desk.store.schedule.first().copied() else { return true };
        if at > desk.moment.now {
            return true;
        }
        desk.store.schedule.remove(&(at, id));
        look_at(desk, id);
    }
    false
}

fn look_at(desk: &mut Desk<'_>, id: LineId) {
    let moment = desk.moment;
    let Some(line) = desk.line_mut(id) else { return };
    line.look_at = None;
    let Some(line) = desk.line(id) else { return };
    let is_kept_up = desk.is_kept_up(line);
    match line.held() {
        None if line.flight.is_none() => return desk.vacate(id),
        None => {}
        Some(held) if held.is_due(&moment, is_kept_up) && !line.is_asked_for() => {
            let source = line.key.source;
            if let Some(queue) = desk.store.ready.get_mut(source) {
                queue.push_back(id);
                desk.line_mut(id).into_iter().for_each(|line| line.is_queued = true);
            }
        }
        Some(_) => {}
    }
    desk.reconcile(id);
}

/// Starts refreshes of one provider as long as there is room.
fn refresh(inner: &Arc<Inner>, desk: &mut Desk<'_>, source: usize, room: usize) -> Vec<Flight> {
    let mut started = Vec::new();
    while started.len() < room {
        let Some(id) = desk.store.ready.get_mut(source).and_then(VecDeque::pop_front) else {
            break;
        };
        let Some(line) = desk.line_mut(id) else { continue };
        line.is_queued = false;
        let (key, is_asked_for) = (line.key.clone(), line.flight.is_some());
        let moment = desk.moment;
        let is_due = desk.line(id).is_some_and(|line| {
            line.held().is_some_and(|held| held.is_due(&moment, desk.is_kept_up(line)))
        });
        if is_due && !is_asked_for {
            started.push(inner.board(desk, id, &key, Asker::manager()));
        } else {
            desk.reconcile(id);
        }
    }
    started
}

impl Inner {
    /// Foreign code that panics must not take the run future with it.
    fn tell_gauges(&self) {
        let setting = &self.setting;
        let gauges = self.with(|desk| desk.gauges());
        let _ = catch_unwind(AssertUnwindSafe(|| {
            gauges.tell(setting.label);
            for (source, loads) in setting.ledger.counted() {
                if let Some(source) = setting.sources.get(source) {
                    telemetry::loaded(&source.route, loads);
                }
            }
            if let Some(witness) = setting.sources.first().and_then(|s| s.witness.as_ref()) {
                telemetry::lost(setting.label, witness.failures());
            }
        }));
    }

    /// That the run future has begun, or ended.
    fn tell_that_it(&self, is_running: bool) {
        let label = self.setting.label;
        let _ = catch_unwind(AssertUnwindSafe(|| {
            if is_running {
                metric_table::describe(telemetry::METRICS);
                telemetry::started(label);
            } else {
                telemetry::stopped(label);
            }
            telemetry::running(label, is_running);
        }));
    }

    /// Records the sums of loads by handle, of so many readers at most; what cannot be recorded is
    /// kept for the next time. True when there is more.
    fn report_loads(&self, most: usize) -> bool {
        let setting = &self.setting;
        let dues = setting.ledger.dues(most);
        let (mut is_all_taken, has_more) = (true, dues.len() == most);
        for dues in dues {
            let source = setting.sources.get(dues.key.source);
            let witness = source.and_then(|source| source.witness.as_ref());
            // Foreign code that panics must not take the run future with it.
            let record = || witness.is_none_or(|witness| witness.loads(&dues));
            if !catch_unwind(AssertUnwindSafe(record)).unwrap_or(false) {
                is_all_taken = false;
                setting.ledger.put_back(dues);
            }
        }
        has_more && is_all_taken
    }
}

fn look_again(desk: &mut Desk<'_>, has_slept: bool) {
    let lines: Vec<_> = desk.store.lines.keys().copied().collect();
    for id in lines {
        let moment = desk.moment;
        let Some(held) = desk.held_mut(id) else { continue };
        held.heed_wall(&moment);
        let is_restored = held.is_restored;
        if has_slept {
            desk.miss(id);
        } else if is_restored || desk.line(id).is_some_and(Line::has_bounds) {
            desk.reconcile(id);
        }
    }
}

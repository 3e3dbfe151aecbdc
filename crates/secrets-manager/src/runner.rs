//! The run future: refreshes ahead of time, moves states on, follows hints.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::flight::Flight;
use crate::hints;
use crate::inner::Inner;
use crate::line::LineId;
use crate::store::{Desk, Trash};

/// The run future wakes at least so often: to look at the wall clock, and to show that it lives.
const TICK: Duration = Duration::from_secs(1);

/// So far the wall clock may drift from the monotonic one before it counts as set.
const DRIFT: Duration = Duration::from_millis(100);

/// So many lines are dealt with at a time, so that readers get at the store in between.
const LINES_AT_A_TIME: usize = 256;

/// Another run future of this manager is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the manager is running already")]
pub struct AlreadyRunning;

/// Runs until nobody has a manager, a cached provider or a handle any more.
pub(crate) async fn run(inner: Arc<Inner>) -> Result<(), AlreadyRunning> {
    let mut shift = Shift::begin(inner)?;
    while let Some(wakes_at) = shift.round() {
        let inner = Arc::clone(&shift.inner);
        let mut wake = pin!(inner.wake.notified());
        let mut alarm = pin!(tokio::time::sleep_until(wakes_at));
        poll_fn(|context| {
            // Hints first: who subscribes before it reads misses nothing.
            shift.poll_listeners(context);
            let is_called = shift.poll_errands(context)
                | wake.as_mut().poll(context).is_ready()
                | alarm.as_mut().poll(context).is_ready();
            if is_called { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
    Ok(())
}

/// The time during which one run future is in charge.
struct Shift {
    inner: Arc<Inner>,
    errands: FuturesUnordered<Errand>,
    listeners: FuturesUnordered<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// How many of the errands are refreshes of our own.
    refreshes: usize,
    seen: (Instant, SystemTime),
}

/// A call that is seen through.
struct Errand {
    flight: Flight,
    is_refresh: bool,
}

impl Future for Errand {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        let is_refresh = self.is_refresh;
        Pin::new(&mut self.flight).poll(context).map(|_| is_refresh)
    }
}

/// What a round leaves to do.
struct Round {
    flights: Vec<Errand>,
    is_done: bool,
    wakes_at: Option<Instant>,
}

impl Shift {
    fn begin(inner: Arc<Inner>) -> Result<Self, AlreadyRunning> {
        let moment = inner.moment();
        let flights = inner.with(take_over)?;
        let shift = Self {
            errands: flights.into_iter().map(Errand::adopted).collect(),
            listeners: FuturesUnordered::new(),
            refreshes: 0,
            seen: (moment.now, moment.wall),
            inner,
        };
        for source in &shift.inner.setting.sources {
            let listener = hints::follow(Arc::clone(&shift.inner), Arc::clone(source));
            shift.listeners.push(Box::pin(listener));
        }
        Ok(shift)
    }

    /// Does all that is due; returns when to come back, or `None` when nobody is left.
    fn round(&mut self) -> Option<Instant> {
        self.heed_clock();
        loop {
            let policy = &self.inner.setting.terms.policy;
            let room = policy.concurrent_refreshes.get().saturating_sub(self.refreshes);
            let round = self.inner.with(|desk| round(&self.inner, desk, room));
            for errand in round.flights {
                self.refreshes += usize::from(errand.is_refresh);
                self.errands.push(errand);
            }
            if round.is_done {
                return round.wakes_at;
            }
        }
    }

    /// The wall clock was set, or the machine slept: bounds of validity are looked at again, and
    /// when it slept for long, so is what is kept up.
    fn heed_clock(&mut self) {
        let moment = self.inner.moment();
        let (now, wall) = std::mem::replace(&mut self.seen, (moment.now, moment.wall));
        let expected = wall + moment.now.saturating_duration_since(now);
        let ahead = moment.wall.duration_since(expected).unwrap_or_default();
        let behind = expected.duration_since(moment.wall).unwrap_or_default();
        if ahead.max(behind) <= DRIFT {
            return;
        }
        let has_slept = ahead >= self.inner.setting.terms.policy.ttl;
        self.inner.with(|desk| look_again(desk, has_slept));
    }

    fn poll_listeners(&mut self, context: &mut Context<'_>) {
        while let Poll::Ready(Some(())) = self.listeners.poll_next_unpin(context) {}
    }

    /// True when a call ended.
    fn poll_errands(&mut self, context: &mut Context<'_>) -> bool {
        let mut has_ended = false;
        while let Poll::Ready(Some(was_refresh)) = self.errands.poll_next_unpin(context) {
            self.refreshes -= usize::from(was_refresh);
            has_ended = true;
        }
        has_ended
    }
}

impl Drop for Shift {
    fn drop(&mut self) {
        self.inner.setting.pulse.stop();
        self.inner.with(|desk| {
            desk.store.is_running = false;
            let begun = std::mem::take(&mut desk.store.begun);
            desk.after.trash.push(Trash::Flights(begun));
            for id in std::mem::take(&mut desk.store.ready) {
                desk.line_mut(id).into_iter().for_each(|line| line.is_queued = false);
            }
            let lines: Vec<_> = desk.store.lines.keys().copied().collect();
            for id in lines {
                desk.held_mut(id).into_iter().for_each(|held| held.is_orphaned = true);
                desk.reconcile(id);
            }
        });
    }
}

impl Errand {
    fn adopted(flight: Flight) -> Self {
        Self { flight, is_refresh: false }
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
        flights.extend(line.flight.as_ref().and_then(|flight| flight.weak.upgrade()));
        let moment = desk.moment;
        if has_gap && line.held().is_some() && !desk.is_kept_up(line) {
            desk.vacate(id);
            continue;
        }
        desk.held_mut(id).into_iter().for_each(|held| held.adopt(has_gap, &moment));
        desk.reconcile(id);
    }
    Ok(flights)
}

fn round(inner: &Arc<Inner>, desk: &mut Desk<'_>, room: usize) -> Round {
    let setting = desk.setting;
    for id in setting.sources.iter().flat_map(|source| source.names.take_news()) {
        want(desk, id);
    }
    let is_done = advance(desk);
    let begun = std::mem::take(&mut desk.store.begun);
    let mut flights: Vec<_> = begun.into_iter().map(Errand::adopted).collect();
    flights.extend(refresh(inner, desk, room));
    let soon = desk.moment.now + TICK;
    let next = desk.store.schedule.first().map_or(soon, |(at, _)| soon.min(*at));
    desk.store.wakes_at = Some(next);
    setting.pulse.promise(next, setting.terms.policy.stall_after);
    let is_over = !inner.has_tenants() && !desk.store.lines.values().any(|line| line.is_pinned());
    Round { flights, is_done: is_done || is_over, wakes_at: (!is_over).then_some(next) }
}

/// Somebody read it while it was stale.
fn want(desk: &mut Desk<'_>, id: LineId) {
    let moment = desk.moment;
    if let Some(held) = desk.held_mut(id).filter(|held| !held.is_fresh(&moment)) {
        held.want(&moment);
        desk.reconcile(id);
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
            desk.line_mut(id).into_iter().for_each(|line| line.is_queued = true);
            desk.store.ready.push_back(id);
        }
        Some(_) => {}
    }
    desk.reconcile(id);
}

/// Starts refreshes as long as there is room.
fn refresh(inner: &Arc<Inner>, desk: &mut Desk<'_>, room: usize) -> Vec<Errand> {
    let mut started = Vec::new();
    while started.len() < room {
        let Some(id) = desk.store.ready.pop_front() else { break };
        let Some(line) = desk.line_mut(id) else { continue };
        line.is_queued = false;
        let (key, is_asked_for) = (line.key.clone(), line.flight.is_some());
        let moment = desk.moment;
        let is_due = desk.line(id).is_some_and(|line| {
            line.held().is_some_and(|held| held.is_due(&moment, desk.is_kept_up(line)))
        });
        if is_due && !is_asked_for {
            started.push(Errand { flight: inner.board(desk, id, &key), is_refresh: true });
        } else {
            desk.reconcile(id);
        }
    }
    started
}

fn look_again(desk: &mut Desk<'_>, has_slept: bool) {
    let moment = desk.moment;
    let lines: Vec<_> = desk.store.lines.keys().copied().collect();
    for id in lines {
        let Some(held) = desk.held_mut(id) else { continue };
        if has_slept {
            held.hurry(&moment);
        }
        if has_slept || held.has_bounds() {
            desk.reconcile(id);
        }
    }
}

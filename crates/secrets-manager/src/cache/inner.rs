//! What all faces of a manager share, and how a read goes that the index does not answer.

use std::future::{Future, poll_fn};
use std::iter;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use audit_log::Code;
use live_value::Publisher;
use secrets_core::{
    Error, ErrorKind, Operation, Result, Secret, SecretState, Stage, VersionSelector,
};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::access::Ledger;
use crate::alias::Aliases;
use crate::cache::asker::Asker;
use crate::cache::flight::{Flight, Landed, Place};
use crate::cache::held::{Offer, Terms, is_absence};
use crate::cache::last_known::LastKnown;
use crate::cache::line::{Content, Key, Line, LineId};
use crate::cache::moment::Moment;
use crate::cache::pulse::Pulse;
use crate::cache::source::{Source, late};
use crate::cache::store::{Aftermath, Desk, Store, Trash};
use crate::report::{HealthPolicy, Probes};
use crate::validity::ValidityRule;

/// What does not change as long as the manager lives.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) sources: Vec<Arc<Source>>,
    pub(crate) terms: Terms,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) rule: ValidityRule,
    /// Who loads what by handle.
    pub(crate) ledger: Arc<Ledger>,
    /// What reports look at.
    pub(crate) health: HealthPolicy,
    pub(crate) probes: Probes,
    /// What the manager is called in spans and metrics.
    pub(crate) label: Code,
    /// How often loads by handle are summed up.
    pub(crate) access_period: Duration,
    pub(crate) aliases: Aliases,
    pub(crate) last_known: Option<Arc<dyn LastKnown>>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) setting: Setting,
    store: Mutex<Store>,
    /// Wakes the run future.
    pub(crate) wake: Notify,
    /// Alive while the application has a manager or a cached provider.
    tenancy: Weak<Tenancy>,
}

/// Held by every face of a manager; the run future ends when it is gone and nobody holds a handle.
#[derive(Debug)]
pub(crate) struct Tenancy {
    pub(crate) inner: Arc<Inner>,
}

impl Tenancy {
    pub(crate) fn new(setting: Setting) -> Arc<Self> {
        Arc::new_cyclic(|tenancy| {
            let store = Mutex::new(Store::new(setting.sources.len()));
            let (wake, tenancy) = (Notify::new(), Weak::clone(tenancy));
            Self { inner: Arc::new(Inner { setting, store, wake, tenancy }) }
        })
    }
}

impl Drop for Tenancy {
    fn drop(&mut self) {
        self.inner.wake.notify_one();
    }
}

/// What a read comes to, before anybody is asked.
enum Step {
    Serve(Secret),
    Refuse(Error),
    Board(Flight),
    /// A flight that did not exist before.
    Start(Flight),
}

impl Inner {
    /// Whether the application still has a manager or a cached provider.
    pub(crate) fn has_tenants(&self) -> bool {
        self.tenancy.strong_count() > 0
    }

    pub(crate) fn moment(&self) -> Moment {
        let now = Instant::now();
        let is_beating = self.setting.pulse.is_beating(now);
        Moment { now, wall: self.setting.rule.clock.now(), is_beating }
    }

    /// Works on the store, then does what must not be done under its lock.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Desk<'_>) -> R) -> R {
        let moment = self.moment();
        let (result, after) = {
            let mut store = self.lock();
            let after = Aftermath::default();
            let setting = &self.setting;
            let mut desk = Desk { store: &mut store, setting, moment, after };
            let result = work(&mut desk);
            (result, desk.after)
        };
        self.finish(after);
        result
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        // A panic cannot leave the store half changed in a way that matters: no foreign code runs
        // under the lock.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Foreign code that panics must not take a reader, or the run future, with it, nor keep the
    /// rest from being done.
    fn finish(&self, after: Aftermath) {
        let contain = |work: &mut dyn FnMut()| drop(catch_unwind(AssertUnwindSafe(work)));
        for (id, outlet) in after.publish {
            contain(&mut || self.publish(id, outlet));
        }
        if after.wake {
            self.wake.notify_one();
        }
        for (reference, version, kind) in after.warnings {
            contain(&mut || self.setting.rule.warn(&reference, &version, kind));
        }
        let (mut woken, mut is_more) = (after.woken, true);
        while is_more {
            // Of one that panics the others must hear nothing.
            contain(&mut || is_more = woken.wake_one());
        }
        for turn in after.turns {
            contain(&mut || turn.tell(self.setting.label));
        }
        for trash in after.trash {
            let mut trash = Some(trash);
            contain(&mut || drop(trash.take()));
        }
    }

    /// Publishes what the store says until nothing newer is left to say. Publishing happens outside
    /// the lock; that two publishes are never swapped is owed to the compare.
    fn publish(&self, id: LineId, number: usize) {
        loop {
            let moment = self.moment();
            let (publisher, base, state, wanted) = {
                let mut store = self.lock();
                let Some(line) = store.lines.get_mut(&id) else { return };
                let Line { content: Content::Held(held), own, aliases, .. } = line else { return };
                let outlet = iter::once(&*own).chain(&*aliases).nth(number);
                let Some((outlet, face)) = outlet.and_then(|o| Some((o, o.face.as_ref()?))) else {
                    return;
                };
                if face.published >= face.wanted {
                    return;
                }
                let Some(state) = outlet.state(held, face.shown.0, &moment) else { return };
                let publisher = Arc::clone(&face.publisher);
                let base = publisher.version();
                (publisher, base, state, face.wanted)
            };
            let publish = || publisher.compare_and_publish(base, state).is_ok();
            // A panic is that of a waker, or of a destructor of what was replaced: it is published.
            if catch_unwind(AssertUnwindSafe(publish)).unwrap_or(true) {
                self.note_published((id, number), &publisher, wanted);
            }
        }
    }

    fn note_published(
        &self,
        (id, number): (LineId, usize),
        publisher: &Arc<Publisher<SecretState>>,
        wanted: u64,
    ) {
        let moment = self.moment();
        let mut store = self.lock();
        let Some(line) = store.lines.get_mut(&id) else { return };
        let Line { content: Content::Held(held), own, aliases, .. } = line else { return };
        let Some(outlet) = iter::once(own).chain(aliases).nth(number) else { return };
        let rule = &self.setting.rule;
        let display = outlet.display(held, held.kind(&moment, rule), (&moment, rule));
        let Some(usable_until) = display.map(|display| display.usable_until) else { return };
        let Some(face) = &mut outlet.face else { return };
        // The last reader may have gone meanwhile, and a new one have come.
        if !Arc::ptr_eq(&face.publisher, publisher) {
            return;
        }
        face.published = face.published.max(wanted);
        if face.published == face.wanted {
            // Only now: who sees the new deadline must not see the old value.
            face.dial.usable_until.set(self.setting.pulse.stamp(usable_until));
            face.dial.set_behind(false);
        }
    }

    /// A read that minds the clock: from the cache if it may, from the provider otherwise. Bounds
    /// of validity are the caller's business.
    pub(crate) async fn read(self: &Arc<Self>, key: &Key) -> Result<Secret> {
        let (begun, limit) = (Instant::now(), self.setting.terms.policy.call_timeout);
        let mut may_begin_again = true;
        let answer = loop {
            let landed = match self.with(|desk| self.approach(desk, key)) {
                Step::Serve(secret) => return Ok(secret),
                Step::Refuse(error) => return self.or_last_known(key, Err(error)).await,
                Step::Board(flight) => self.sit_out(flight).await,
                Step::Start(flight) => self.see_off(flight).await,
            };
            match landed {
                Some(Landed { answer, is_kept: true }) => break answer,
                // What others read next may be older than what was overtaken: asked again, but for
                // as long as a call may take, whoever writes or invalidates meanwhile.
                Some(_) if begun.elapsed() < limit => {}
                Some(Landed { answer, .. }) => break self.with(|desk| kept_or(desk, key, answer)),
                // A call that broke off, for it was begun on a runtime that is gone.
                None if may_begin_again => may_begin_again = false,
                None => break Err(broke_off()),
            }
        };
        match answer {
            Ok(secret) => Ok(secret),
            Err(error) => match self.with(|desk| fallback(desk, key)) {
                Some(secret) => Ok(secret),
                None => self.or_last_known(key, Err(error)).await,
            },
        }
    }

    fn approach(self: &Arc<Self>, desk: &mut Desk<'_>, key: &Key) -> Step {
        let id = desk.line_of(key);
        let moment = desk.moment;
        desk.held_mut(id).into_iter().for_each(|held| held.heed_wall(&moment));
        let Some(line) = desk.line(id) else { return Step::Refuse(lost_line()) };
        let is_kept_up = desk.is_kept_up(line);
        let offer = match &line.content {
            Content::Nothing => Offer::Ask,
            Content::Absent(absent) if moment.now < absent.until => {
                Offer::Refuse(absent.error.clone())
            }
            Content::Absent(_) => Offer::Ask,
            Content::Held(held) => held.offer(&moment, is_kept_up),
        };
        match (offer, desk.held_mut(id)) {
            (Offer::Refuse(error), _) => Step::Refuse(error),
            (Offer::Serve, Some(held)) => Step::Serve(Secret::clone(&held.secret)),
            (Offer::ServeStale, Some(held)) => {
                held.want(&moment);
                let secret = Secret::clone(&held.secret);
                desk.reconcile(id);
                Step::Serve(secret)
            }
            _ => match under_way(desk, id) {
                Some(flight) => Step::Board(flight),
                None => Step::Start(self.board(desk, id, key, self.caller(key))),
            },
        }
    }

    /// Waits for a flight that was just started. Unless it ends at once the run future is asked to
    /// see it through, so that it ends well though all its readers give up.
    async fn see_off(&self, mut flight: Flight) -> Option<Landed> {
        let first = poll_fn(|context| Poll::Ready(Pin::new(&mut flight).poll(context))).await;
        if let Poll::Ready(answer) = first {
            return answer;
        }
        let Place { line, number } = flight.bound_for;
        self.with(|desk| {
            if desk.store.is_running && desk.line(line).is_some_and(|line| line.awaits(number)) {
                desk.store.begun.insert(number, flight.clone());
                desk.after.wake = true;
            }
        });
        self.sit_out(flight).await
    }

    /// Waits for a flight no longer than a call may take. It measures that time by the clock of the
    /// runtime that began it, so on one that has stalled since it would never end.
    pub(crate) async fn sit_out(&self, flight: Flight) -> Option<Landed> {
        let (bound_for, limit) = (flight.bound_for, self.setting.terms.policy.call_timeout);
        match tokio::time::timeout(limit, flight).await {
            Ok(answer) => answer,
            Err(_) => Some(self.land(bound_for, Err(late(Operation::GetSecret)))),
        }
    }

    /// Asks the provider whatever the cache has, unless it is to be left alone for now. An answer
    /// that is on its way counts no more.
    pub(crate) async fn refresh(self: &Arc<Self>, key: &Key) -> Result<Secret> {
        let flight = self.with(|desk| {
            let id = desk.line_of(key);
            let moment = desk.moment;
            let resting = match desk.line(id).map(|line| &line.content) {
                Some(Content::Held(held)) if held.is_gated(&moment) => held.last_error().cloned(),
                Some(Content::Absent(absent)) if moment.now < absent.until => {
                    Some(absent.error.clone())
                }
                _ => None,
            };
            if let Some(error) = resting {
                return Err(error);
            }
            desk.overtake(id);
            Ok(self.board(desk, id, key, self.caller(key)))
        })?;
        self.see_off(flight).await.map_or_else(|| Err(broke_off()), |landed| landed.answer)
    }

    fn caller(&self, key: &Key) -> Asker {
        let source = self.setting.sources.get(key.source);
        source.map_or(Asker::manager(), |source| Asker::caller(source))
    }

    /// Starts a flight.
    pub(crate) fn board(
        self: &Arc<Self>,
        desk: &mut Desk<'_>,
        id: LineId,
        key: &Key,
        asker: Asker,
    ) -> Flight {
        let bound_for = Place { line: id, number: desk.store.next_number() };
        let failures = desk.line(id).map_or(0, Line::failures);
        let asker = asker.after(failures);
        let flight = Flight::new(Arc::clone(self), key.clone(), bound_for, asker);
        if let Some(line) = desk.line_mut(id) {
            line.flight = Some(flight.downgrade());
        }
        desk.reconcile(id);
        flight
    }

    /// Asks the provider.
    pub(crate) async fn ask(&self, key: &Key, asker: &Asker) -> Result<Secret> {
        let Some(source) = self.setting.sources.get(key.source) else { return Err(lost_line()) };
        let deadline = Instant::now() + self.setting.terms.policy.call_timeout;
        let answer = source.read(&key.reference, &key.selector, (deadline, asker)).await;
        self.catch_up(source, key, answer, (deadline, asker)).await
    }

    /// After a write of our own on a backend that lags, the written version is asked for by its id,
    /// and an answer from before the write is turned away.
    pub(crate) async fn catch_up(
        &self,
        source: &Source,
        key: &Key,
        answer: Result<Secret>,
        (deadline, asker): (Instant, &Asker),
    ) -> Result<Secret> {
        if source.lag.is_zero() || key.selector != VersionSelector::Current {
            return answer;
        }
        let guard = (key.source, key.reference.clone());
        let (lag, written) = self.with(|desk| {
            let lag = desk.store.guards.lag(&guard, &answer, desk.moment.now);
            let written = desk.store.guards.expected(&guard, desk.moment.now).cloned();
            (lag, written)
        });
        let Some(lag) = lag else { return answer };
        if let Some(id) = written.filter(|_| source.reads_versions()) {
            let selector = VersionSelector::Id(id);
            if let Ok(mut secret) = source.read(&key.reference, &selector, (deadline, asker)).await
            {
                secret.version.stages = secret.version.stages.with(Stage::Current);
                return Ok(secret);
            }
        }
        Err(lag)
    }

    /// An answer has come; it is kept unless something was written or invalidated since.
    pub(crate) fn land(&self, bound_for: Place, answer: Result<Secret>) -> Landed {
        let is_kept = self.with(|desk| {
            if !take_off(desk, bound_for) {
                return false;
            }
            // Unless a later question, one about many, was answered meanwhile.
            let is_newest =
                desk.line(bound_for.line).is_some_and(|line| line.answered < bound_for.number);
            if is_newest {
                desk.take(bound_for, &answer);
            }
            ask_again(desk, bound_for.line);
            desk.reconcile(bound_for.line);
            is_newest
        });
        Landed { answer, is_kept }
    }

    /// Everybody who waited for an answer has left.
    pub(crate) fn abandon(&self, bound_for: Place) {
        self.with(|desk| {
            if take_off(desk, bound_for) {
                desk.reconcile(bound_for.line);
            }
        });
    }
}

/// The flight that answers for a line, if somebody is on it.
fn under_way(desk: &Desk<'_>, id: LineId) -> Option<Flight> {
    desk.line(id)?.flight.as_ref()?.upgrade()
}

/// Ends a flight; false when it was overtaken and its answer counts no more.
fn take_off(desk: &mut Desk<'_>, Place { line: id, number }: Place) -> bool {
    let begun = desk.store.begun.remove(&number);
    desk.after.trash.extend(begun.map(Trash::Flight));
    let (setting, lines) = (desk.setting, &mut desk.store.lines);
    let line = lines.get_mut(&id).filter(|line| line.awaits(number));
    let Some(line) = line else { return false };
    line.flight = None;
    if let Some(source) = setting.sources.get(line.key.source) {
        line.names().for_each(|name| source.names.asked(name));
    }
    true
}

/// Word of a change came while the answer was on its way.
fn ask_again(desk: &mut Desk<'_>, id: LineId) {
    let moment = desk.moment;
    let Some(line) = desk.line_mut(id) else { return };
    if !mem::take(&mut line.asks_again) {
        return;
    }
    match &mut line.content {
        Content::Held(held) => held.heed(&moment),
        Content::Absent(absent) if is_absence(absent.error.kind()) => {
            absent.until = absent.until.min(moment.now);
        }
        Content::Absent(_) | Content::Nothing => {}
    }
}

/// What is held where there is something that may be served, for others are given that as well; else
/// an answer that was overtaken.
pub(crate) fn kept_or(desk: &mut Desk<'_>, key: &Key, answer: Result<Secret>) -> Result<Secret> {
    fallback(desk, key).map_or(answer, Ok)
}

/// The last value, where it may still be served though asking failed.
pub(crate) fn fallback(desk: &mut Desk<'_>, key: &Key) -> Option<Secret> {
    let id = desk.store.find(key)?;
    let moment = desk.moment;
    let held = desk.held_mut(id)?;
    held.is_usable(&moment).then(|| Secret::clone(&held.secret))
}

fn broke_off() -> Error {
    Error::new(ErrorKind::Internal, "the call broke off").with_operation(Operation::GetSecret)
}

pub(crate) fn lost_line() -> Error {
    Error::new(ErrorKind::Internal, "the cache lost an entry").with_operation(Operation::GetSecret)
}

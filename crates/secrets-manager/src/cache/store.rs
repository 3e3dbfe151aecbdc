//! What the manager knows, behind one lock, and the desk at which it is worked on.
//!
//! No foreign code (providers, wakers, derivations, observers, destructors of futures) runs while
//! the lock is held: what there is to do of that kind is left in the [`Aftermath`].

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::iter;
use std::mem;
use std::sync::Arc;

use foldhash::fast::RandomState;
use live_value::Publisher;
use secrets_core::{Error, ErrorKind, Result, Secret, SecretRef, SecretState, VersionInfo};
use tokio::time::Instant;

use crate::cache::book::Book;
use crate::cache::flight::{Flight, Place};
use crate::cache::guard::WriteGuards;
use crate::cache::held::{Held, Kind, is_absence, is_denial, next_validity};
use crate::cache::index::Listed;
use crate::cache::inner::Setting;
use crate::cache::line::{Absent, Content, Key, Line, LineId};
use crate::cache::lost::Lost;
use crate::cache::moment::Moment;
use crate::cache::policy::Upkeep;
use crate::cache::upsets::Upsets;
use crate::cache::usage::Usage;
use crate::credential::Trials;
use crate::subscription::{Subscribers, Woken};
use crate::telemetry::{Gauges, Turn};

/// So many lines that were pinned are looked at again for each value that is too much.
const PARKED_AT_A_TIME: usize = 8;

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) books: Vec<Book>,
    pub(crate) lines: HashMap<LineId, Line, RandomState>,
    /// When which line has to be looked at.
    pub(crate) schedule: BTreeSet<(Instant, LineId)>,
    /// Lines with a value by last fetch.
    eviction: BTreeSet<(u64, LineId)>,
    /// Those that were pinned when it was their turn to go; what was fetched since stands in its new
    /// place as well. Some are looked at again whenever there is too much: where handles alone are
    /// too much, to look at all of them would take too long.
    parked: VecDeque<(u64, LineId)>,
    /// Lines without a value by when that was first known.
    absences: BTreeSet<(Instant, LineId)>,
    /// Lines that wait for room among the refreshes, by provider: one that hangs must not hold up the
    /// others.
    pub(crate) ready: Vec<VecDeque<LineId>>,
    /// Calls begun by readers, by number, for the run future to see through.
    pub(crate) begun: HashMap<u64, Flight, RandomState>,
    pub(crate) guards: WriteGuards,
    /// Writes under way.
    pub(crate) writes: HashMap<(usize, SecretRef), crate::cache::write::Writing>,
    held: usize,
    last_number: u64,
    pub(crate) upsets: Upsets,
    /// The number of the last question whose answer was taken by a line that is no more.
    forgotten: u64,
    pub(crate) is_running: bool,
    pub(crate) has_run: bool,
    /// Who is told what changes in what handles hold.
    pub(crate) subscribers: Subscribers,
    /// Counts values that came, changed or went.
    pub(crate) changes: u64,
    /// What was lost lately, where copies are kept.
    pub(crate) lost: Lost,
    /// What resources said of what handles gave out.
    pub(crate) trials: Trials,
    /// When the run future will look by itself.
    pub(crate) wakes_at: Option<Instant>,
}

/// What is left to do once the lock is given back.
#[derive(Debug, Default)]
pub(crate) struct Aftermath {
    /// Which outlet of which line.
    pub(crate) publish: Vec<(LineId, usize)>,
    pub(crate) wake: bool,
    pub(crate) turns: Vec<Turn>,
    pub(crate) woken: Woken,
    pub(crate) warnings: Vec<(SecretRef, VersionInfo, ErrorKind)>,
    pub(crate) trash: Vec<Trash>,
}

/// What must not be dropped under the lock, since foreign code hangs on it.
#[derive(Debug)]
#[expect(dead_code, reason = "kept only to be dropped")]
pub(crate) enum Trash {
    Publisher(Arc<Publisher<SecretState>>),
    Flight(Flight),
}

impl Store {
    pub(crate) fn new(sources: usize) -> Self {
        Self {
            books: iter::repeat_with(Book::default).take(sources).collect(),
            lines: HashMap::default(),
            schedule: BTreeSet::new(),
            eviction: BTreeSet::new(),
            parked: VecDeque::new(),
            absences: BTreeSet::new(),
            ready: iter::repeat_with(VecDeque::new).take(sources).collect(),
            begun: HashMap::default(),
            guards: WriteGuards::default(),
            writes: HashMap::new(),
            held: 0,
            last_number: 0,
            upsets: Upsets::default(),
            forgotten: 0,
            is_running: false,
            has_run: false,
            subscribers: Subscribers::default(),
            changes: 0,
            lost: Lost::default(),
            trials: Trials::default(),
            wakes_at: None,
        }
    }

    /// A number that was not given before.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Something happened to a secret, or to anything: answers to earlier questions do not count.
    pub(crate) fn upset(&mut self, source: usize, reference: Option<&SecretRef>) {
        let number = self.next_number();
        self.upsets.note(number, source, reference.cloned());
    }

    pub(crate) fn find(&self, key: &Key) -> Option<LineId> {
        self.books.get(key.source)?.find(key)
    }

    pub(crate) fn related(&self, source: usize, reference: &SecretRef) -> Vec<LineId> {
        self.books.get(source).map(|book| book.related(reference)).unwrap_or_default()
    }

    /// The lines of a reference.
    pub(crate) fn page(&self, source: usize, reference: &SecretRef) -> Vec<LineId> {
        self.books.get(source).map(|book| book.page(reference)).unwrap_or_default()
    }

    /// The lines of native ids.
    pub(crate) fn natives(&self, source: usize) -> Vec<LineId> {
        self.books.get(source).map(Book::natives).unwrap_or_default()
    }

    pub(crate) fn usage(&self) -> Usage {
        let pinned = self.lines.values().filter(|line| line.is_pinned()).count();
        let held = self.lines.values().filter_map(Line::held);
        let restored = held.filter(|held| held.is_restored).count();
        Usage {
            entries: self.held,
            pinned,
            restored,
            absent: self.absences.len(),
            is_running: self.is_running,
        }
    }
}

impl Desk<'_> {
    /// How the manager stands.
    pub(crate) fn gauges(&self) -> Gauges {
        let (store, moment, rule) = (&self.store, &self.moment, &self.setting.rule);
        let (held, absent) = (store.held, store.absences.len());
        let mut gauges = Gauges { held, absent, ..Gauges::default() };
        for (line, held) in store.lines.values().filter_map(|line| Some((line, line.held()?))) {
            for (_, display) in line.shown(held, (moment, rule)) {
                let counts = Kind::ALL.iter().zip(&mut gauges.handles);
                counts.filter(|(kind, _)| **kind == display.kind).for_each(|(_, n)| *n += 1);
                if display.kind != Kind::Fresh {
                    gauges.staleness = gauges.staleness.max(display.staleness(moment));
                }
            }
        }
        gauges
    }
}

/// The store with all that is needed to work on it. One lock, one moment.
pub(crate) struct Desk<'a> {
    pub(crate) store: &'a mut Store,
    pub(crate) setting: &'a Setting,
    pub(crate) moment: Moment,
    pub(crate) after: Aftermath,
}

impl Desk<'_> {
    /// The line of a key, made if there is none.
    pub(crate) fn line_of(&mut self, key: &Key) -> LineId {
        if let Some(id) = self.store.find(key) {
            return id;
        }
        let id = LineId(self.store.next_number());
        if let Some(book) = self.store.books.get_mut(key.source) {
            book.add(key, id);
        }
        let aliases = self.setting.aliases.of(key);
        let line = Line::new(key.clone(), self.store.forgotten, aliases);
        self.store.lines.insert(id, line);
        id
    }

    pub(crate) fn line(&self, id: LineId) -> Option<&Line> {
        self.store.lines.get(&id)
    }

    pub(crate) fn line_mut(&mut self, id: LineId) -> Option<&mut Line> {
        self.store.lines.get_mut(&id)
    }

    pub(crate) fn held_mut(&mut self, id: LineId) -> Option<&mut Held> {
        self.line_mut(id)?.held_mut()
    }

    /// The answer that is on its way counts no more.
    pub(crate) fn overtake(&mut self, id: LineId) {
        let Some(line) = self.store.lines.get_mut(&id) else { return };
        line.asks_again = false;
        let Some(flight) = line.flight.take() else { return };
        let begun = self.store.begun.remove(&flight.bound_for.number);
        self.after.trash.extend(begun.map(Trash::Flight));
    }

    /// Whether the run future keeps it fresh without being asked.
    pub(crate) fn is_kept_up(&self, line: &Line) -> bool {
        self.setting.terms.policy.upkeep == Upkeep::All || line.is_pinned()
    }

    /// Keeps what was answered to a question. The caller reconciles.
    pub(crate) fn take(&mut self, Place { line, number }: Place, answer: &Result<Secret>) {
        // That asking failed says nothing of the value: an earlier question may still bring it.
        let is_word = |error: &Error| is_absence(error.kind()) || is_denial(error.kind());
        if answer.as_ref().err().is_none_or(is_word)
            && let Some(line) = self.line_mut(line)
        {
            line.answered = number;
        }
        match answer {
            Ok(secret) => self.hold(line, secret.clone()),
            Err(error) => self.refuse(line, error.clone()),
        }
    }

    /// The provider gave a value. The caller reconciles.
    pub(crate) fn hold(&mut self, id: LineId, secret: Secret) {
        self.keep(id, secret);
        self.evict();
    }

    /// The same without making room for it yet.
    pub(crate) fn keep(&mut self, id: LineId, secret: Secret) {
        let (setting, moment, is_orphaned) = (self.setting, self.moment, !self.store.is_running);
        let Some(line) = self.store.lines.get_mut(&id) else { return };
        let Content::Held(held) = &mut line.content else {
            return self.settle_in(id, Held::new(secret, &moment, &setting.terms));
        };
        let before = held.revision;
        held.renew(secret, &moment, &setting.terms);
        held.is_orphaned = is_orphaned;
        if held.revision != before {
            self.note_change();
        }
        self.queue_for_eviction(id);
    }

    /// A line without a value has one now.
    pub(crate) fn settle_in(&mut self, id: LineId, mut held: Held) {
        held.is_orphaned = !self.store.is_running;
        let Some(line) = self.store.lines.get_mut(&id) else { return };
        let before = mem::replace(&mut line.content, Content::Held(Box::new(held)));
        if let Content::Absent(absent) = before {
            self.store.absences.remove(&(absent.since, id));
        }
        self.store.held += 1;
        self.note_change();
        self.queue_for_eviction(id);
    }

    /// Takes away what was fetched longest ago, as long as there is too much that nobody holds.
    pub(crate) fn evict(&mut self) {
        let most = self.setting.terms.policy.max_entries.get();
        if self.store.held <= most {
            return;
        }
        for _ in 0..PARKED_AT_A_TIME {
            let Some((turn, id)) = self.store.parked.pop_front() else { break };
            if self.line(id).is_some_and(|line| line.turn == Some(turn)) {
                self.store.eviction.insert((turn, id));
            }
        }
        while self.store.held > most {
            let Some((turn, id)) = self.store.eviction.pop_first() else { return };
            if self.line(id).is_some_and(Line::is_pinned) {
                self.store.parked.push_back((turn, id));
            } else {
                self.vacate(id);
            }
        }
    }

    /// It was just fetched.
    fn queue_for_eviction(&mut self, id: LineId) {
        let turn = self.store.next_number();
        let Some(line) = self.store.lines.get_mut(&id) else { return };
        if let Some(before) = line.turn.replace(turn) {
            self.store.eviction.remove(&(before, id));
        }
        self.store.eviction.insert((turn, id));
    }

    /// The provider gave an error. The caller reconciles.
    pub(crate) fn refuse(&mut self, id: LineId, error: Error) {
        let (setting, moment, is_orphaned) = (self.setting, self.moment, !self.store.is_running);
        // Nor must a service that was denied a secret have it back by starting anew.
        if is_absence(error.kind()) || is_denial(error.kind()) {
            self.note_loss(id);
        }
        let Some(line) = self.store.lines.get_mut(&id) else { return };
        let is_pinned = line.is_pinned();
        let failures = match &mut line.content {
            Content::Held(held) if is_pinned && is_absence(error.kind()) => {
                return held.lose(error, true, &moment, &setting.terms);
            }
            Content::Held(held) if !is_absence(error.kind()) => {
                held.is_orphaned = is_orphaned;
                return held.fail(error, &moment, &setting.terms);
            }
            Content::Absent(absent) if !is_absence(error.kind()) => {
                absent.failures.saturating_add(1)
            }
            _ => 1,
        };
        let until = moment.now + setting.terms.pause(failures, &error);
        self.drop_content(id);
        if until > moment.now {
            self.note_absence(id, Absent { error, until, failures, since: moment.now });
        }
    }

    fn note_absence(&mut self, id: LineId, absent: Absent) {
        let Some(line) = self.store.lines.get_mut(&id) else { return };
        self.store.absences.insert((absent.since, id));
        line.content = Content::Absent(absent);
        if self.store.absences.len() > self.setting.terms.policy.max_absent.get()
            && let Some((_, oldest)) = self.store.absences.first().copied()
        {
            self.vacate(oldest);
        }
    }

    /// Drops the value, or the memory of its absence, and the line with it unless somebody still
    /// waits for an answer. Not for lines that a handle holds.
    pub(crate) fn vacate(&mut self, id: LineId) {
        self.drop_content(id);
        let Some(line) = self.store.lines.get(&id) else { return };
        if line.flight.is_some() {
            return self.look_at(id, None);
        }
        let Some(line) = self.store.lines.remove(&id) else { return };
        self.store.forgotten = self.store.forgotten.max(line.answered);
        if let Some(at) = line.look_at {
            self.store.schedule.remove(&(at, id));
        }
        if let Some(book) = self.store.books.get_mut(line.key.source) {
            book.remove(&line.key);
        }
        let faces = iter::once(line.own).chain(line.aliases).filter_map(|outlet| outlet.face);
        self.after.trash.extend(faces.map(|face| Trash::Publisher(face.publisher)));
    }

    fn drop_content(&mut self, id: LineId) {
        let Some(line) = self.store.lines.get_mut(&id) else { return };
        match mem::replace(&mut line.content, Content::Nothing) {
            Content::Nothing => {}
            Content::Absent(absent) => {
                self.store.absences.remove(&(absent.since, id));
            }
            Content::Held(_) => self.store.held -= 1,
        }
        if let Some(turn) = line.turn.take() {
            self.store.eviction.remove(&(turn, id));
        }
        let source = self.setting.sources.get(line.key.source);
        for outlet in iter::once(&mut line.own).chain(&mut line.aliases) {
            outlet.forget();
            if let (Some(_), Some(name), Some(source)) =
                (outlet.listed.take(), &outlet.name, source)
            {
                source.names.delist(name);
            }
        }
    }

    /// Brings all that others see of a line in step with what is known of it: the index, the
    /// handles, the schedule.
    pub(crate) fn reconcile(&mut self, id: LineId) {
        let Some(line) = self.store.lines.get_mut(&id) else { return };
        for outlet in iter::once(&mut line.own).chain(&mut line.aliases) {
            if let Some(face) = outlet.face.take_if(|face| !face.publisher.has_readers()) {
                self.after.trash.push(Trash::Publisher(face.publisher));
            }
        }
        let is_asked_for = line.is_asked_for();
        let look_at = match &line.content {
            Content::Nothing if is_asked_for => None,
            Content::Nothing => return self.vacate(id),
            // Nothing to do before the answer is there; a time that passes meanwhile would be due
            // again and again.
            Content::Absent(_) if is_asked_for => None,
            Content::Absent(absent) => {
                // Longer than it counts, so that the pauses of a failing provider grow.
                Some(absent.until + self.setting.terms.policy.backoff.longest)
            }
            Content::Held(_) => return self.reconcile_held(id, is_asked_for),
        };
        self.look_at(id, look_at);
    }

    fn reconcile_held(&mut self, id: LineId, is_asked_for: bool) {
        let Some(line) = self.store.lines.get(&id) else { return };
        let (is_kept_up, moment) = (self.is_kept_up(line), self.moment);
        let Some(held) = line.held() else { return };
        if held.is_spent(&moment, is_kept_up) {
            return self.let_go(id);
        }
        let kind = held.kind(&moment, &self.setting.rule);
        let next_look = held.next_look(&moment, is_kept_up, is_asked_for);
        self.look(id);
        let line = self.line(id);
        let older = line.into_iter().flat_map(Line::older_versions);
        let bounds = older.filter_map(|version| next_validity(version, &moment));
        let look_at = bounds.chain(next_look).min();
        self.list(id, kind, is_kept_up);
        self.show(id, kind);
        self.warn(id, kind);
        self.look_at(id, look_at);
    }

    /// The value goes; that there is none, or that the provider fails, is remembered for its time.
    fn let_go(&mut self, id: LineId) {
        let moment = self.moment;
        match self.line(id).and_then(|line| line.held()?.absence(&moment)) {
            Some(absent) => {
                self.drop_content(id);
                self.note_absence(id, absent);
                self.reconcile(id);
            }
            None => self.vacate(id),
        }
    }

    /// Takes the parts that aliases stand for out of a new value.
    pub(crate) fn look(&mut self, id: LineId) {
        let moment = self.moment;
        let Some(line) = self.store.lines.get_mut(&id) else { return };
        let Line { content: Content::Held(held), aliases, .. } = line else { return };
        for outlet in aliases {
            outlet.look(held, &moment);
        }
    }

    fn list(&mut self, id: LineId, kind: Kind, is_kept_up: bool) {
        let (moment, setting) = (self.moment, self.setting);
        let Some(line) = self.store.lines.get_mut(&id) else { return };
        let Line { key, content: Content::Held(held), own, aliases, .. } = line else { return };
        let Some(source) = setting.sources.get(key.source) else { return };
        let until = held.served_until(kind, is_kept_up).filter(|until| *until > moment.now);
        for outlet in iter::once(own).chain(aliases) {
            let display = outlet.display(held, kind, (&moment, &setting.rule));
            let display = display.filter(|display| display.is_newest);
            let secret = display.map(|display| Arc::clone(display.secret));
            let wanted = secret.as_ref().and(until).map(|until| (kind, held.revision, until));
            let Some(name) = outlet.name.as_ref().filter(|_| wanted != outlet.listed) else {
                continue;
            };
            outlet.listed = match (until, secret) {
                (Some(until), Some(secret)) => {
                    let stale_since = (kind == Kind::Stale).then(|| held.stale_since(&moment));
                    let good_until = setting.pulse.stamp(until);
                    let entry = Listed::new(name, secret, stale_since, good_until, id);
                    source.names.list(name, entry).ok().and(wanted)
                }
                _ => {
                    source.names.delist(name);
                    None
                }
            };
        }
    }

    fn show(&mut self, id: LineId, kind: Kind) {
        let (moment, setting) = (self.moment, self.setting);
        let Store { lines, subscribers, .. } = &mut *self.store;
        let Some(line) = lines.get_mut(&id) else { return };
        let Line { key, content: Content::Held(held), own, aliases, .. } = line else { return };
        for (number, outlet) in iter::once(own).chain(aliases).enumerate() {
            let Some(display) = outlet.display(held, kind, (&moment, &setting.rule)) else {
                continue;
            };
            let (shown, usable_until) = ((display.kind, display.revision), display.usable_until);
            let error = display.error.cloned();
            let version = &display.secret.version.id;
            let version =
                outlet.face.as_ref().is_some_and(|f| f.shown != shown).then(|| version.clone());
            let reference = outlet.alias().map_or_else(|| key.reference.clone(), SecretRef::from);
            let Some(face) = &mut outlet.face else { continue };
            if let Some(version) = version {
                let turn = Turn {
                    reference,
                    from: mem::replace(&mut face.version, version.clone()),
                    version,
                    before: face.shown.0,
                    kind: shown.0,
                    is_new: face.shown.1 != shown.1,
                    error: error.as_ref().map(Error::kind),
                };
                if let Some(source) = setting.sources.get(key.source)
                    && !subscribers.is_empty()
                {
                    let change = turn.change(source.provider.id(), moment.wall);
                    subscribers.post(&change, &mut self.after.woken);
                }
                self.after.turns.push(turn);
                face.shown = shown;
                face.wanted += 1;
                face.dial.set_behind(true);
                self.after.publish.push((id, number));
            }
            face.dial.set_error(error.as_ref());
            if face.wanted == face.published {
                face.dial.usable_until.set(setting.pulse.stamp(usable_until));
            }
        }
    }

    fn warn(&mut self, id: LineId, kind: Kind) {
        let (moment, setting) = (self.moment, self.setting);
        let Some(line) = self.store.lines.get_mut(&id) else { return };
        let Line { content: Content::Held(held), warned, key, .. } = line else { return };
        if kind == Kind::Gone || *warned == Some(held.revision) {
            return;
        }
        if let Some(why) = setting.rule.warns_of(&held.secret.version, moment.wall) {
            *warned = Some(held.revision);
            let warning = (key.reference.clone(), held.secret.version.clone(), why);
            self.after.warnings.push(warning);
        }
    }

    fn look_at(&mut self, id: LineId, at: Option<Instant>) {
        let Some(line) = self.store.lines.get_mut(&id) else { return };
        if line.look_at == at {
            return;
        }
        if let Some(before) = line.look_at {
            self.store.schedule.remove(&(before, id));
        }
        line.look_at = at;
        let Some(at) = at else { return };
        self.store.schedule.insert((at, id));
        let is_early = self.store.wakes_at.is_none_or(|wakes_at| at < wakes_at);
        self.after.wake |= self.store.is_running && is_early;
    }
}

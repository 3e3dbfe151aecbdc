//! Writes that go through the manager: what they do to the cache.

use secrets_core::{
    Effect, Error, ErrorKind, Operation, Promoted, Result, Secret, SecretRef, Stage, VersionId,
    VersionInfo, VersionSelector, VersionState,
};

use crate::cache::guard::{Seen, Wrote};
use crate::cache::inner::Inner;
use crate::cache::line::{Key, LineId, may_be_same};
use crate::cache::source::Source;
use crate::cache::store::Desk;

/// Writes of one secret that are under way.
#[derive(Debug, Default)]
pub(crate) struct Writing {
    active: u32,
    /// More than one was under way at a time: their order is not known.
    is_mixed: bool,
}

/// What a write did, as far as the cache is concerned.
#[derive(Debug)]
pub(crate) enum Change {
    /// Nothing.
    None,
    /// This is current now.
    Current(Secret),
    /// This version is current now; its value is not known here.
    Promoted { to: Promoted, base: VersionId },
    /// There is no current version any more.
    Deleted(ErrorKind),
    /// This version cannot be read any more.
    Closed(VersionId, ErrorKind),
    /// What could not be read can be read again.
    Reopened,
    /// The pending version is another one now, or none; this is the one that came or went. Nothing
    /// else changed.
    Pending(VersionId),
    /// Something; it must be read again.
    Something,
}

/// A write under way. Dropped before it is settled, it counts as one that may have happened.
pub(crate) struct WriteTicket<'a> {
    inner: &'a Inner,
    source: &'a Source,
    reference: &'a SecretRef,
    is_settled: bool,
}

impl<'a> WriteTicket<'a> {
    pub(crate) fn begin(inner: &'a Inner, source: &'a Source, reference: &'a SecretRef) -> Self {
        inner.with(|desk| enter(desk, (source.number, reference.clone())));
        Self { inner, source, reference, is_settled: false }
    }

    /// Takes over what the write did; an error counts by its effect. True when it overlapped with
    /// another: what is current now only the provider knows.
    pub(crate) fn settle<T>(
        mut self,
        result: &Result<T>,
        change: impl FnOnce(&T) -> Change,
    ) -> bool {
        self.is_settled = true;
        let change = match result {
            Ok(done) => change(done),
            Err(error) => failed(error),
        };
        self.end(change)
    }

    fn end(&self, change: Change) -> bool {
        let (inner, source, reference) = (self.inner, self.source, self.reference);
        inner.with(|desk| Change::apply(change, desk, source, reference))
    }
}

impl Drop for WriteTicket<'_> {
    fn drop(&mut self) {
        if !self.is_settled {
            self.end(Change::Something);
        }
    }
}

fn failed(error: &Error) -> Change {
    // A conflict changes nothing, but says that what we hold is old.
    let is_old = matches!(error.kind(), ErrorKind::Conflict | ErrorKind::AlreadyExists);
    match error.effect() {
        Effect::NotApplied if !is_old => Change::None,
        _ => Change::Something,
    }
}

/// What a version's state makes of it.
pub(crate) fn of_state(version: &VersionId, state: VersionState) -> Change {
    match state {
        VersionState::Disabled => Change::Closed(version.clone(), ErrorKind::Disabled),
        VersionState::Destroyed => Change::Closed(version.clone(), ErrorKind::Destroyed),
        _ => Change::Reopened,
    }
}

/// A write of a value: current only if its provider says so, for a repeated token may name a
/// version that was replaced since.
pub(crate) fn of_value(secret: Secret) -> Change {
    if secret.version.stages.contains(Stage::Current) {
        Change::Current(secret)
    } else {
        Change::Something
    }
}

/// A write of a value that waits: as long as its provider says so, and not that it is current by now.
pub(crate) fn of_pending(version: &VersionInfo) -> Change {
    let stages = version.stages;
    if stages.contains(Stage::Pending) && !stages.contains(Stage::Current) {
        Change::Pending(version.id.clone())
    } else {
        Change::Something
    }
}

impl Change {
    fn apply(self, desk: &mut Desk<'_>, source: &Source, reference: &SecretRef) -> bool {
        let guard = (source.number, reference.clone());
        let is_mixed = leave(desk, &guard);
        if matches!(self, Self::None) {
            return is_mixed;
        }
        desk.store.upset(source.number, Some(reference));
        let related = desk.store.related(source.number, reference);
        // Ids of versions are unique within a secret, no further: those of what is only perhaps the
        // same secret say nothing about this one.
        let held = related.iter().filter_map(|id| current_of(desk, *id, reference));
        let held: Vec<Seen> = held.collect();
        let term = (desk.moment.now, source.lag);
        match self {
            Self::None => {}
            Self::Current(_)
            | Self::Promoted { .. }
            | Self::Deleted(_)
            | Self::Closed(..)
            | Self::Reopened
                if is_mixed =>
            {
                desk.store.guards.note(guard, Wrote::Something, held, term);
                related.into_iter().for_each(|id| desk.distrust(id));
            }
            Self::Current(secret) => {
                desk.store.guards.note(
                    guard,
                    Wrote::Version(Seen::version(&secret.version)),
                    held,
                    term,
                );
                related.into_iter().for_each(|id| desk.distrust(id));
                write_through(desk, source, reference, secret);
            }
            Self::Promoted { to, base } => {
                let before = to.previous.into_iter().chain([base]).map(Seen::id);
                let replaced = held.into_iter().chain(before);
                let replaced: Vec<_> = replaced.filter(|seen| seen.id != to.current).collect();
                let wrote = Wrote::Version(Seen::id(to.current));
                desk.store.guards.note(guard, wrote, replaced, term);
                // A copy may be all there is of what was current until now.
                desk.note_loss_of(current_key(source, reference));
                related.into_iter().for_each(|id| desk.distrust(id));
            }
            Self::Deleted(kind) => {
                desk.note_loss_of(current_key(source, reference));
                desk.store.guards.note(guard, Wrote::Nothing, held, term);
                related.into_iter().for_each(|id| close(desk, id, reference, None, kind));
            }
            Self::Closed(version, kind) => {
                let seen = held.into_iter().find(|seen| seen.id == version);
                let seen = seen.unwrap_or_else(|| Seen::id(version.clone()));
                desk.store.guards.close(guard, seen, term);
                let version = Some(&version);
                related.into_iter().for_each(|id| close(desk, id, reference, version, kind));
            }
            Self::Reopened => {
                desk.store.guards.lift(&guard);
                related.into_iter().for_each(|id| desk.distrust(id));
            }
            Self::Pending(version) => restage(desk, related, &version),
            Self::Something => related.into_iter().for_each(|id| desk.distrust(id)),
        }
        is_mixed
    }
}

/// One more write is under way. It overlaps with those of the same secret, and, since only the
/// provider knows what a native id means, with those by native ids.
fn enter(desk: &mut Desk<'_>, key: (usize, SecretRef)) {
    let mut is_mixed = false;
    for ((source, reference), writing) in &mut desk.store.writes {
        if *source == key.0 && may_be_same(reference, &key.1) {
            writing.is_mixed = true;
            is_mixed = true;
        }
    }
    let writing = desk.store.writes.entry(key).or_default();
    writing.active += 1;
    writing.is_mixed |= is_mixed;
}

/// One write less is under way; true when it overlapped with another.
fn leave(desk: &mut Desk<'_>, key: &(usize, SecretRef)) -> bool {
    let Some(writing) = desk.store.writes.get_mut(key) else { return false };
    writing.active = writing.active.saturating_sub(1);
    let (is_last, is_mixed) = (writing.active == 0, writing.is_mixed);
    if is_last {
        desk.store.writes.remove(key);
    }
    is_mixed
}

fn current_of(desk: &Desk<'_>, id: LineId, reference: &SecretRef) -> Option<Seen> {
    let line = desk.line(id).filter(|line| line.key.reference == *reference)?;
    if line.key.selector != VersionSelector::Current {
        return None;
    }
    Some(Seen::version(&line.held()?.secret.version))
}

/// Another version waits, or none.
fn restage(desk: &mut Desk<'_>, related: Vec<LineId>, version: &VersionId) {
    for id in related {
        let is_about = desk.line(id).is_some_and(|line| match &line.key.selector {
            VersionSelector::Pending => true,
            VersionSelector::Id(id) => id == version,
            _ => false,
        });
        if is_about {
            desk.distrust(id);
        }
    }
}

/// The written version is what the next read gives.
fn write_through(desk: &mut Desk<'_>, source: &Source, reference: &SecretRef, secret: Secret) {
    let key = current_key(source, reference);
    let id = desk.line_of(&key);
    // A copy has what was there before.
    desk.note_loss_of(key);
    desk.hold(id, secret);
    desk.reconcile(id);
}

fn current_key(source: &Source, reference: &SecretRef) -> Key {
    let selector = VersionSelector::Current;
    Key { source: source.number, reference: reference.clone(), selector }
}

/// What was closed is gone at once; the rest is asked for again. `version` is `None` when the
/// secret as a whole was deleted.
fn close(
    desk: &mut Desk<'_>,
    id: LineId,
    reference: &SecretRef,
    version: Option<&VersionId>,
    kind: ErrorKind,
) {
    let (moment, setting) = (desk.moment, desk.setting);
    let Some(line) = desk.line(id) else { return };
    let is_same = line.key.reference == *reference;
    let is_version = |id: &VersionId| version.is_none_or(|version| version == id);
    let is_closed = is_same && line.held().is_some_and(|held| is_version(&held.secret.version.id));
    if !is_closed {
        return desk.distrust(id);
    }
    let is_pinned = line.is_pinned();
    desk.note_loss(id);
    desk.overtake(id);
    if !is_pinned {
        return desk.vacate(id);
    }
    let error = Error::new(kind, "the secret was closed by this process");
    let error = error.with_operation(Operation::GetSecret);
    if let Some(held) = desk.held_mut(id) {
        held.lose(error, false, &moment, &setting.terms);
    }
    desk.reconcile(id);
}

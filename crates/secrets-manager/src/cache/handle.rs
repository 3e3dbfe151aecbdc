use std::fmt;
use std::iter;
use std::sync::{Arc, Weak};

use audit_log::Code;
use live_value::{Closed, Guard, Live, Publisher, Version, Watch};
use secrets_core::{
    Error, ErrorKind, Result, Secret, SecretRef, SecretState, VersionId, VersionInfo,
};
use tokio::time::Instant;

use crate::access::{Meter, Place, Reader};
use crate::cache::cached::Asked;
use crate::cache::held::Held;
use crate::cache::inner::{Inner, Setting, lost_line};
use crate::cache::line::{Content, Dial, Face, Line, LineId};
use crate::cache::moment::Moment;
use crate::cache::outlet::Outlet;
use crate::cache::store::Desk;
use crate::cache::unusable::{Unusable, UnusableKind};
use crate::credential::{Footing, Stake};

/// A secret that is kept up to date.
///
/// Clones are cheap and show the same. What a handle, or anything derived from its
/// [`live`](Self::live), can still read is refreshed ahead of time and never evicted.
///
/// ```
/// # use secrets_core::{SecretProviderExt, memory::{MemoryProvider, Personality}};
/// # use secrets_manager::SecretManager;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let provider = MemoryProvider::new(Personality::Aws);
/// # provider.put_text("billing/db-password", "correct horse").await?;
/// let manager = SecretManager::builder(provider).build()?;
/// tokio::spawn(manager.run());
///
/// let password = manager.handle("billing/db-password").await?;
/// let state = password.load(); // no await, no lock, no clock
/// if let Some(secret) = state.secret() {
///     assert_eq!(secret.value.expose_secret(), b"correct horse");
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SecretHandle {
    live: Live<SecretState>,
    watch: Watch<SecretState>,
    grip: Arc<Grip>,
    /// Where loads are counted, and what makes of it whose they are.
    place: Place,
    meter: Option<Arc<Meter>>,
}

/// What a checked load needs. It keeps no value and no manager alive.
struct Grip {
    asked: Asked,
    stake: Stake,
    dial: Arc<Dial>,
    line: LineId,
    outlet: usize,
    inner: Weak<Inner>,
    pulse: Arc<crate::cache::pulse::Pulse>,
    rule: crate::validity::ValidityRule,
}

impl SecretHandle {
    /// The last value with its state, whatever that is. No lock, no clock, no allocation: one
    /// `arc_swap` load, and one more on this thread's own count of its loads.
    #[inline]
    #[must_use]
    pub fn load(&self) -> Guard<SecretState> {
        self.count();
        self.live.load()
    }

    /// The last value, provided that it may be used. Reads the clocks, so it also notices what the
    /// run future would tell if it were not stalled.
    ///
    /// # Errors
    /// [`Unusable`] says whether it is gone, outside its validity, past its bound of staleness, or
    /// whether the run future is stalled.
    pub fn load_checked(&self) -> Result<Guard<SecretState>, Unusable> {
        let state = self.check()?;
        self.count();
        Ok(state)
    }

    /// The same, not counted as a load.
    pub(crate) fn check(&self) -> Result<Guard<SecretState>, Unusable> {
        let now = Instant::now();
        loop {
            // In this order: a deadline that was seen is that of the value loaded after it, or of
            // an older one, and then the second look tells.
            let until = self.grip.dial.usable_until.get();
            let state = self.live.load();
            if let Some(kind) = self.grip.verdict(&state, now) {
                return Err(self.unusable(kind));
            }
            if self.grip.pulse.stamp(now) <= until {
                return Ok(state);
            }
            // In this order too: who has seen the new state and that nothing is being published
            // sees the new deadline.
            let is_behind = self.grip.dial.is_behind();
            if self.grip.dial.usable_until.get() != until {
                continue;
            }
            if is_behind && self.grip.is_confirmed(&state) {
                return Ok(state);
            }
            let is_orphaned = matches!(*state, SecretState::Orphaned { .. });
            let kind = if is_orphaned { UnusableKind::Orphaned } else { UnusableKind::TooStale };
            return Err(self.unusable(kind));
        }
    }

    /// Which version of the secret it shows.
    pub(crate) fn secret_version(&self) -> Option<VersionId> {
        self.live.load().secret().map(|secret| secret.version.id.clone())
    }

    /// Whether this is the version that it shows.
    pub(crate) fn shows(&self, version: &VersionId) -> bool {
        self.live.load().secret().is_some_and(|secret| secret.version.id == *version)
    }

    /// Why a version may not be used by its validity, if so.
    pub(crate) fn refuses_now(&self, version: &VersionInfo) -> Option<Error> {
        self.grip.rule.refuses_now(version)
    }

    /// The state as a value that others can follow and derive from. It keeps the secret up to date
    /// like the handle itself. Loads of it are not counted as this handle's:
    /// [`SecretManager::access`](crate::SecretManager::access) says that it is followed.
    #[must_use]
    pub fn live(&self) -> Live<SecretState> {
        if let Some(meter) = &self.meter {
            meter.note_follower();
        }
        self.live.clone()
    }

    /// The same secret, read under a label of its own: its loads stand apart in
    /// [`SecretManager::access`](crate::SecretManager::access) and in the audit log.
    #[must_use]
    pub fn labelled(&self, label: Code) -> Self {
        match &self.meter {
            Some(meter) => self.clone().metered(meter.of(Reader::Label(label))),
            None => self.clone(),
        }
    }

    /// Waits until value or state are others than when this was last called (or the handle was
    /// taken or cloned from one that had seen them), and returns the newest. Cancel-safe.
    ///
    /// # Errors
    /// [`Closed`] when the manager is gone: what the handle shows is the last it will ever show.
    pub async fn changed(&mut self) -> Result<Guard<SecretState>, Closed> {
        let state = self.watch.changed().await?;
        self.count();
        Ok(state)
    }

    /// Counts the changes of value or state. The secret's own version is in
    /// [`load`](Self::load).
    #[must_use]
    pub fn version(&self) -> Version {
        self.live.version()
    }

    /// Which secret; for a handle that was taken by an alias, the one that this stands for.
    #[must_use]
    pub fn reference(&self) -> &SecretRef {
        &self.grip.asked.key.reference
    }

    /// Forgets that a resource refused versions of this secret: [`with_secret`](crate::with_secret)
    /// may try each of them again. For an operator who knows that the resource was mended.
    pub fn forget_refusals(&self) {
        self.grip.stake.trial().forget_refusals();
    }

    pub(crate) fn footing(&self) -> Footing {
        let Grip { asked, inner, stake, .. } = &*self.grip;
        let (inner, trial) = (Weak::clone(inner), Arc::clone(stake.trial()));
        Footing { asked: asked.clone(), inner, trial }
    }

    /// With its loads counted by this meter.
    pub(crate) fn metered(mut self, meter: Arc<Meter>) -> Self {
        self.place = meter.place;
        self.meter = Some(meter);
        self
    }

    #[inline]
    pub(crate) fn count(&self) {
        if !self.place.count() {
            self.count_anew();
        }
    }

    #[cold]
    fn count_anew(&self) {
        if let Some(meter) = &self.meter {
            meter.count_anew();
        }
    }

    fn unusable(&self, kind: UnusableKind) -> Unusable {
        Unusable::new(kind, self.grip.dial.error())
    }
}

impl Grip {
    /// What state and clocks say, apart from the deadline.
    fn verdict(&self, state: &SecretState, now: Instant) -> Option<UnusableKind> {
        let (secret, needs_pulse) = match state {
            // The clock decides; the run future may not have seen yet that it moved.
            SecretState::Fresh(secret)
            | SecretState::Stale { secret, .. }
            | SecretState::Invalid { secret } => (secret, true),
            SecretState::Orphaned { secret } => (secret, false),
            _ => return Some(UnusableKind::Gone),
        };
        if let Some(error) = self.rule.refuses_now(&secret.version) {
            return Some(invalid(&error));
        }
        (needs_pulse && !self.pulse.is_beating(now)).then_some(UnusableKind::Stalled)
    }
}

impl Grip {
    /// Whether the manager knows of a later deadline for this value. Takes the lock; only while a
    /// state is being published, which takes as long as what is derived from it.
    fn is_confirmed(&self, state: &SecretState) -> bool {
        let (Some(inner), Some(secret)) = (self.inner.upgrade(), state.secret()) else {
            return false;
        };
        inner.with(|desk| {
            let (moment, rule) = (desk.moment, &desk.setting.rule);
            let Some(line) = desk.line(self.line) else { return false };
            let (Some(outlet), Some(held)) = (line.outlet(self.outlet), line.held()) else {
                return false;
            };
            let display = outlet.display(held, held.kind(&moment, rule), (&moment, rule));
            display.is_some_and(|display| {
                let is_usable = held.is_usable(&moment) && moment.now < display.usable_until;
                display.secret.version == secret.version && is_usable
            })
        })
    }
}

fn invalid(error: &Error) -> UnusableKind {
    match error.kind() {
        ErrorKind::NotYetValid => UnusableKind::NotYetValid,
        _ => UnusableKind::Expired,
    }
}

/// Shows which secret and its state, never the value.
impl fmt::Debug for SecretHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.live.load();
        f.debug_struct("SecretHandle")
            .field("reference", &self.grip.asked.key.reference)
            .field("state", &state.as_str())
            .field("version", &state.secret().map(|secret| &secret.version.id))
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// A handle, once there is a value that may be served.
    pub(crate) async fn handle(self: &Arc<Self>, asked: &Asked) -> Result<SecretHandle> {
        let (key, outlet) = (&asked.key, asked.outlet()?);
        let question = self.with(|desk| desk.store.next_number());
        let secret = self.read(key).await?;
        if let Some(error) = self.setting.rule.refuses_now(&secret.version) {
            return Err(error);
        }
        asked.part(secret.clone())?;
        self.with(|desk| {
            // Something was written or invalidated since the question: then it is asked again.
            let is_overtaken = desk.store.upsets.have_overtaken(question, key);
            let is_kept = desk.store.find(key).and_then(|id| desk.line(id)?.held()).is_some();
            let handle = desk.pin((asked, outlet), secret, Arc::downgrade(self))?;
            if is_overtaken
                && !is_kept
                && let Some(id) = desk.store.find(key)
            {
                desk.distrust(id);
            }
            Ok(handle)
        })
    }
}

impl Desk<'_> {
    /// `secret` was just read; by now it may have been evicted, replaced or lost.
    fn pin(
        &mut self,
        (asked, number): (&Asked, usize),
        secret: Secret,
        inner: Weak<Inner>,
    ) -> Result<SecretHandle> {
        let id = self.line_of(&asked.key);
        match self.line(id).map(|line| &line.content) {
            Some(Content::Absent(absent)) => return Err(absent.error.clone()),
            Some(Content::Nothing) => self.keep(id, secret),
            _ => {}
        }
        self.look(id);
        let (moment, setting) = (self.moment, self.setting);
        let trial = self.store.trials.of(asked);
        let Some(line) = self.line_mut(id) else { return Err(lost_line()) };
        let Line { content: Content::Held(held), own, aliases, .. } = line else {
            return Err(lost_line());
        };
        let outlet = iter::once(own).chain(aliases).nth(number).ok_or_else(lost_line)?;
        if let Some(error) = outlet.failure() {
            return Err(error.clone());
        }
        let face = match outlet.face.take() {
            Some(face) => face,
            None => face(outlet, held, &moment, setting).ok_or_else(lost_line)?,
        };
        let face = outlet.face.insert(face);
        let live = face.publisher.live();
        let grip = Grip {
            asked: asked.clone(),
            stake: trial.stake(),
            dial: Arc::clone(&face.dial),
            line: id,
            outlet: number,
            inner,
            pulse: Arc::clone(&setting.pulse),
            rule: setting.rule.clone(),
        };
        let (watch, grip) = (live.watch(), Arc::new(grip));
        let handle = SecretHandle { live, watch, grip, place: Place::NOWHERE, meter: None };
        // Only now, when it is pinned itself.
        self.note_change();
        self.evict();
        self.reconcile(id);
        Ok(handle)
    }
}

/// What handles see, from now on.
fn face(outlet: &Outlet, held: &mut Held, moment: &Moment, setting: &Setting) -> Option<Face> {
    let kind = held.kind(moment, &setting.rule);
    let display = outlet.display(held, kind, (moment, &setting.rule))?;
    let (kind, usable_until) = (display.kind, display.usable_until);
    let shown = (kind, display.revision);
    let version = display.secret.version.id.clone();
    let publisher = Arc::new(Publisher::new(outlet.state(held, kind, moment)?));
    let dial = Arc::new(Dial::new(setting.pulse.stamp(usable_until)));
    Some(Face { publisher, dial, shown, version, wanted: 0, published: 0 })
}

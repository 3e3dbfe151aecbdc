use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use secrets_core::{Clock, ProviderId, SecretName, SecretValue};
use tokio::time::{Instant, timeout};

use crate::cache::inner::Inner;
use crate::cache::last_known::{LastKnown, Recalled};
use crate::cache::line::Key;
use crate::snapshot::config::{Coverage, Snapshot};
use crate::snapshot::entry::{self, Entry};
use crate::snapshot::error::{SnapshotError, SnapshotErrorKind};
use crate::snapshot::file::{Contents, File, Known};
use crate::snapshot::holding::Holding;
use crate::snapshot::status::{SnapshotFile, SnapshotStatus};

/// How often it is looked whether there is something to write.
const CHECK: Duration = Duration::from_secs(1);

/// After so long it is tried again to open or to write.
const PAUSE: Duration = Duration::from_secs(10);

/// How far the clock may have been ahead when a value was confirmed.
const SKEW: Duration = Duration::from_secs(5 * 60);

/// That values are still confirmed is written this often within the time that they may be served, and
/// once an hour at least.
const RENEWALS: u32 = 8;
const LONGEST_RENEWAL: Duration = Duration::from_secs(60 * 60);

/// Serves from a snapshot, and writes it.
#[derive(Debug)]
pub(crate) struct Keeper {
    snapshot: Snapshot,
    ids: Vec<ProviderId>,
    clock: Arc<dyn Clock>,
    file: File,
    notes: Mutex<Notes>,
}

/// What is told of it.
#[derive(Debug, Default)]
struct Notes {
    entries: usize,
    written: Option<SystemTime>,
    served: u64,
    last_error: Option<SnapshotError>,
}

/// What has been written so far.
#[derive(Debug, Default)]
struct Progress {
    contents: Option<Contents>,
    /// The manager's count of changes that is in the file.
    changes: Option<u64>,
    renewed: Option<Instant>,
}

impl Keeper {
    pub(crate) fn new(snapshot: Snapshot, ids: Vec<ProviderId>, clock: Arc<dyn Clock>) -> Self {
        let file = File::new(snapshot.clone(), &ids);
        Self { snapshot, ids, clock, file, notes: Mutex::default() }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Told once, until something else is wrong.
    fn note_trouble(&self, error: SnapshotError) {
        let mut notes = self.notes();
        let known = notes.last_error.replace(error.clone());
        drop(notes);
        if known.is_none_or(|known| known.kind() != error.kind()) {
            tracing::warn!(kind = error.kind().as_str(), "{error}");
        }
    }

    /// For how long a value may be served that was confirmed then.
    fn left(&self, confirmed: SystemTime, wall: SystemTime) -> Result<Duration, SnapshotErrorKind> {
        let age = match wall.duration_since(confirmed) {
            Ok(age) => age,
            Err(ahead) if ahead.duration() <= SKEW => Duration::ZERO,
            Err(_) => return Err(SnapshotErrorKind::Future),
        };
        let left = self.snapshot.max_age.checked_sub(age).filter(|left| !left.is_zero());
        left.ok_or(SnapshotErrorKind::TooOld)
    }

    fn renewal(&self) -> Duration {
        (self.snapshot.max_age / RENEWALS).min(LONGEST_RENEWAL)
    }

    fn covers(&self, holding: &Holding) -> bool {
        let is_required = || {
            let name = holding.key.reference.name().filter(|_| holding.key.source == 0);
            name.is_some_and(|name| self.snapshot.required.contains(name))
        };
        holding.is_pinned || self.snapshot.coverage == Coverage::All || is_required()
    }

    fn subject(&self, key: &Key) -> Option<Vec<u8>> {
        entry::subject(self.ids.get(key.source)?, key)
    }

    /// Writes what changed, if it is time.
    async fn catch_up(&self, inner: &Inner, progress: &mut Progress) -> Result<(), SnapshotError> {
        let contents = match progress.contents.take() {
            Some(contents) => contents,
            None => self.file.contents().await?,
        };
        let contents = progress.contents.insert(contents);
        self.notes().entries = contents.len();
        let now = Instant::now();
        let is_due = progress.renewed.is_none_or(|at| now >= at + self.renewal());
        let news = inner.with(|desk| {
            let changes = desk.store.changes;
            let is_news = progress.changes != Some(changes) || is_due;
            is_news.then(|| (changes, desk.holdings(), desk.store.lost.clone()))
        });
        let Some((changes, holdings, lost)) = news else { return Ok(()) };
        let name = |key: &Key| entry::name_of(&self.subject(key)?);
        let is_in_file = |key: &Key| name(key).is_some_and(|name| contents.contains_key(&name));
        // Forgotten even if the file cannot be written: they are not in it.
        let elsewhere: Vec<_> = lost.keys().filter(|key| !is_in_file(key)).collect();
        inner.with(|desk| desk.store.lost.settle(elsewhere));
        let names = lost.keys().filter_map(name).collect();
        let plan = self.plan(contents, (&names, lost.is_more()), holdings);
        if !plan.changes.is_empty() && !self.write(contents, plan).await? {
            return Ok(());
        }
        // Only now: a run future that ends before leaves it to the next one.
        inner.with(|desk| desk.store.lost.settle_all(&lost));
        progress.changes = Some(changes);
        progress.renewed = Some(now);
        Ok(())
    }

    /// What to put into the file and what to take out.
    fn plan(
        &self,
        contents: &Contents,
        (lost, is_more_lost): (&BTreeSet<SecretName>, bool),
        holdings: Vec<Holding>,
    ) -> Plan {
        let wall = self.clock.now();
        let mut plan = Plan::default();
        let mut current = BTreeSet::new();
        for holding in holdings {
            let Some(subject) = self.subject(&holding.key) else { continue };
            let Some(name) = entry::name_of(&subject) else { continue };
            // What is in the file must not fall behind what is known.
            if !self.covers(&holding) && !contents.contains_key(&name) {
                continue;
            }
            if self.left(holding.confirmed, wall).is_err() {
                continue;
            }
            current.insert(name.clone());
            let value = Arc::downgrade(&holding.secret);
            let known = contents.get(&name);
            if known.is_some_and(|k| k.confirmed == holding.confirmed && k.value.ptr_eq(&value)) {
                continue;
            }
            let secret = (*holding.secret).clone();
            let bytes = entry::encode(&subject, &Entry { secret, confirmed: holding.confirmed });
            plan.known.push((name.clone(), Known { confirmed: holding.confirmed, value }));
            plan.changes.push((name, Some(bytes)));
        }
        // A clock that is wrong must not empty the file of a service whose provider is down.
        let is_up = !plan.changes.is_empty();
        for (name, known) in contents.iter().filter(|(name, _)| !current.contains(*name)) {
            let is_old = || self.left(known.confirmed, wall) == Err(SnapshotErrorKind::TooOld);
            if is_more_lost || lost.contains(name) || (is_up && is_old()) {
                plan.changes.push((name.clone(), None));
            }
        }
        plan
    }

    /// False when the file is refused.
    async fn write(&self, contents: &mut Contents, plan: Plan) -> Result<bool, SnapshotError> {
        let Plan { changes, known } = plan;
        let gone = changes.iter().filter(|(_, value)| value.is_none());
        let gone: Vec<_> = gone.map(|(name, _)| name.clone()).collect();
        let Some(too_long) = self.file.write(changes).await? else { return Ok(false) };
        contents.extend(known);
        gone.iter().chain(&too_long).for_each(|name| drop(contents.remove(name)));
        let mut notes = self.notes();
        notes.entries = contents.len();
        notes.written = Some(self.clock.now());
        notes.last_error = None;
        drop(notes);
        if !too_long.is_empty() {
            self.note_trouble(SnapshotError::new(SnapshotErrorKind::TooLarge));
        }
        Ok(true)
    }
}

fn late() -> SnapshotError {
    SnapshotError::new(SnapshotErrorKind::Unavailable)
}

#[derive(Debug, Default)]
struct Plan {
    changes: Vec<(SecretName, Option<SecretValue>)>,
    known: Vec<(SecretName, Known)>,
}

#[async_trait]
impl LastKnown for Keeper {
    async fn recall(
        &self,
        id: &ProviderId,
        key: &Key,
        (wall, limit): (SystemTime, Duration),
    ) -> Option<Recalled> {
        let subject = entry::subject(id, key)?;
        let read = async {
            let opened = timeout(self.snapshot.open_timeout, self.file.open()).await;
            opened.unwrap_or_else(|_| Err(late()))?;
            timeout(limit, self.file.read(&subject)).await.unwrap_or_else(|_| Err(late()))
        };
        let entry = match read.await {
            Ok(entry) => entry?,
            Err(error) => {
                self.note_trouble(error);
                return None;
            }
        };
        let Entry { secret, confirmed } = entry;
        let (secret_name, version) = (&key.reference, &secret.version.id);
        match self.left(confirmed, wall) {
            Ok(left) => {
                let age = wall.duration_since(confirmed).unwrap_or_default().as_secs();
                tracing::warn!(
                    secret = %secret_name, %version, age_seconds = age,
                    "served from the snapshot, for the provider cannot be reached"
                );
                self.notes().served += 1;
                Some(Recalled { secret, confirmed, left })
            }
            Err(kind) => {
                let error = SnapshotError::new(kind);
                tracing::warn!(secret = %secret_name, %version, "{error}");
                self.notes().last_error = Some(error);
                None
            }
        }
    }

    async fn keep(&self, inner: Arc<Inner>) {
        let mut progress = Progress::default();
        loop {
            let pause = match self.catch_up(&inner, &mut progress).await {
                Ok(()) => CHECK,
                Err(error) => {
                    self.note_trouble(error);
                    PAUSE
                }
            };
            if self.file.state() == SnapshotFile::Refused {
                return;
            }
            tokio::time::sleep(pause).await;
        }
    }

    fn status(&self) -> SnapshotStatus {
        let file = self.file.state();
        let notes = self.notes();
        SnapshotStatus {
            file,
            entries: notes.entries,
            written: notes.written,
            served: notes.served,
            last_error: notes.last_error.clone(),
        }
    }
}

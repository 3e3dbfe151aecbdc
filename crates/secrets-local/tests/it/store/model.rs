//! Random sequences of operations, on the store and on a model of a few lines.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use secrets_core::{
    DeleteMode, DeletedSecrets, Error, ErrorKind, GetOptions, IdempotencyKey, PageRequest,
    Precondition, SecretFilter, SecretProvider, SetOptions, SystemClock, VersionId,
    VersionSelector, VersionState,
};
use secrets_local::store::{Environment, FileStore, KeyFile, OsEntropy, Rekey};

use super::disk::Disk;
use super::support::{block_on, reference, value};

const NAMES: [&str; 3] = ["a", "b/c", "d"];

#[derive(Debug, Clone)]
enum Op {
    Set { name: usize, text: u8, pending: bool },
    SetIf { name: usize, guard: Guard },
    Promote { name: usize, base: Which },
    Discard { name: usize },
    State { name: usize, version: Which, state: VersionState },
    Delete { name: usize, immediate: bool },
    Restore { name: usize },
    Purge { name: usize },
    Reopen,
    Rekey,
}

#[derive(Debug, Clone, Copy)]
enum Guard {
    Absent,
    Current(Which),
}

/// A version by its role or its place, so that wrong ones are tried too.
#[derive(Debug, Clone, Copy)]
enum Which {
    Current,
    Previous,
    Pending,
    First,
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![
        4 => Just(Which::Current),
        1 => Just(Which::Previous),
        1 => Just(Which::Pending),
        1 => Just(Which::First),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let name = || 0..NAMES.len();
    let guard = prop_oneof![
        Just(Guard::Absent),
        which().prop_map(Guard::Current),
        which().prop_map(Guard::Current)
    ];
    let state = prop_oneof![
        Just(VersionState::Disabled),
        Just(VersionState::Enabled),
        Just(VersionState::Enabled),
        Just(VersionState::Destroyed)
    ];
    prop_oneof![
        6 => (name(), any::<u8>(), any::<bool>())
            .prop_map(|(name, text, pending)| Op::Set { name, text, pending }),
        2 => (name(), guard).prop_map(|(name, guard)| Op::SetIf { name, guard }),
        3 => (name(), which()).prop_map(|(name, base)| Op::Promote { name, base }),
        1 => name().prop_map(|name| Op::Discard { name }),
        2 => (name(), which(), state)
            .prop_map(|(name, version, state)| Op::State { name, version, state }),
        2 => (name(), any::<bool>()).prop_map(|(name, immediate)| Op::Delete { name, immediate }),
        1 => name().prop_map(|name| Op::Restore { name }),
        1 => name().prop_map(|name| Op::Purge { name }),
        2 => Just(Op::Reopen),
        1 => Just(Op::Rekey),
    ]
}

#[derive(Debug, Default, Clone)]
struct Entry {
    versions: Vec<(VersionId, String, VersionState)>,
    current: Option<VersionId>,
    previous: Option<VersionId>,
    pending: Option<VersionId>,
    deleted: bool,
}

impl Entry {
    fn find(&self, which: Which) -> Option<VersionId> {
        match which {
            Which::Current => self.current.clone(),
            Which::Previous => self.previous.clone(),
            Which::Pending => self.pending.clone(),
            Which::First => self.versions.first().map(|(id, ..)| id.clone()),
        }
    }

    fn state(&mut self, id: &VersionId) -> &mut VersionState {
        &mut self.versions.iter_mut().find(|(own, ..)| own == id).unwrap().2
    }
}

type Model = BTreeMap<&'static str, Entry>;
type Outcome<T = ()> = Result<T, ErrorKind>;

/// The entry, when it can be written.
fn live<'a>(model: &'a mut Model, name: &str) -> Outcome<&'a mut Entry> {
    let entry = model.get_mut(name).ok_or(ErrorKind::NotFound)?;
    if entry.deleted { Err(ErrorKind::PendingDeletion) } else { Ok(entry) }
}

fn never_minted() -> VersionId {
    VersionId::new(&"0".repeat(32)).unwrap()
}

struct Pair {
    disk: Disk,
    key: KeyFile,
    store: FileStore,
    model: Model,
}

impl Pair {
    async fn new() -> Self {
        let disk = Disk::new();
        let environment = Self::environment(&disk);
        let key = KeyFile::generate_in(&environment, Path::new("/key")).unwrap();
        let store = FileStore::at("/store").environment(environment).create(key.clone()).await;
        Self { disk, key, store: store.unwrap(), model: Model::new() }
    }

    fn environment(disk: &Disk) -> Environment {
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(OsEntropy));
        Environment { files: Arc::new(disk.clone()), clock, entropy }
    }

    async fn apply(&mut self, op: &Op) {
        match *op {
            Op::Set { name, text, pending } => {
                let options = if pending { SetOptions::pending() } else { SetOptions::new() };
                self.set(NAMES[name], &text.to_string(), options, Ok(())).await;
            }
            Op::SetIf { name, guard } => self.set_if(NAMES[name], guard).await,
            Op::Promote { name, base } => self.promote(NAMES[name], base).await,
            Op::Discard { name } => self.discard(NAMES[name]).await,
            Op::State { name, version, state } => self.state(NAMES[name], version, state).await,
            Op::Delete { name, immediate } => self.delete(NAMES[name], immediate).await,
            Op::Restore { name } => self.restore(NAMES[name]).await,
            Op::Purge { name } => self.purge(NAMES[name]).await,
            Op::Reopen => {
                let at = FileStore::at("/store").environment(Self::environment(&self.disk));
                self.store = at.open(self.key.clone()).await.unwrap();
            }
            Op::Rekey => {
                self.store.rekey(Rekey::new().keep(self.key.clone())).await.unwrap();
            }
        }
    }

    /// Writes, and expects the given answer where the secret is not deleted.
    async fn set(
        &mut self,
        name: &'static str,
        text: &str,
        options: SetOptions,
        expected: Outcome,
    ) {
        let pending = options.stage == secrets_core::WriteStage::Pending;
        let found = self.store.set_secret(&reference(name), value(text), options).await;
        let deleted = self.model.get(name).is_some_and(|entry| entry.deleted);
        let expected = if deleted { Err(ErrorKind::PendingDeletion) } else { expected };
        assert_eq!(found.as_ref().map(|_| ()).map_err(Error::kind), expected);
        let Ok(info) = found else { return };
        let entry = self.model.entry(name).or_default();
        entry.versions.push((info.id.clone(), text.to_owned(), VersionState::Enabled));
        if pending {
            entry.pending = Some(info.id);
        } else {
            entry.previous = entry.current.replace(info.id);
        }
        // What has no label stays for twenty more writes; the sequences are shorter.
        assert!(entry.versions.len() <= 20);
    }

    async fn set_if(&mut self, name: &'static str, guard: Guard) {
        let entry = self.model.get(name);
        let (precondition, expected) = match guard {
            Guard::Absent if entry.is_some() => {
                (Precondition::Absent, Err(ErrorKind::AlreadyExists))
            }
            Guard::Absent => (Precondition::Absent, Ok(())),
            Guard::Current(which) => {
                let id = entry.and_then(|entry| entry.find(which)).unwrap_or_else(never_minted);
                let holds = entry.is_some_and(|entry| entry.current.as_ref() == Some(&id));
                let expected = if holds { Ok(()) } else { Err(ErrorKind::Conflict) };
                (Precondition::CurrentIs(id), expected)
            }
        };
        self.set(name, "guarded", SetOptions::new().when(precondition), expected).await;
    }

    async fn promote(&mut self, name: &'static str, base: Which) {
        let entry = self.model.get(name).cloned().unwrap_or_default();
        let pending = entry.pending.clone().unwrap_or_else(never_minted);
        let base = entry.find(base).unwrap_or_else(never_minted);
        let token = IdempotencyKey::from_random([0; 16]);
        let found = self.store.promote(&reference(name), &pending, &base, &token).await;
        let expected = live(&mut self.model, name).and_then(|entry| {
            if entry.current.as_ref() != Some(&base) {
                return Err(ErrorKind::Conflict);
            }
            let waiting = entry.pending.clone().ok_or(ErrorKind::NotFound)?;
            match entry.state(&waiting) {
                VersionState::Enabled => {}
                VersionState::Disabled => return Err(ErrorKind::Disabled),
                _ => return Err(ErrorKind::Destroyed),
            }
            entry.previous = entry.current.replace(waiting);
            entry.pending = None;
            Ok(())
        });
        assert_eq!(found.map(|_| ()).map_err(|error| error.kind()), expected);
    }

    async fn discard(&mut self, name: &'static str) {
        let waiting = self.model.get(name).and_then(|entry| entry.pending.clone());
        let pending = waiting.unwrap_or_else(never_minted);
        let found = self.store.discard_pending(&reference(name), &pending).await;
        let expected = live(&mut self.model, name).map(|entry| {
            entry.pending = None;
            entry.versions.retain(|(id, ..)| *id != pending);
        });
        assert_eq!(found.map_err(|error| error.kind()), expected);
    }

    async fn state(&mut self, name: &'static str, version: Which, state: VersionState) {
        let known = self.model.get(name).and_then(|entry| entry.find(version));
        let id = known.clone().unwrap_or_else(never_minted);
        let found = self.store.set_version_state(&reference(name), &id, state).await;
        let expected = live(&mut self.model, name).and_then(|entry| {
            let own = entry.state(&known.ok_or(ErrorKind::NotFound)?);
            if *own == VersionState::Destroyed && state != VersionState::Destroyed {
                return Err(ErrorKind::Destroyed);
            }
            *own = state;
            Ok(())
        });
        assert_eq!(found.map_err(|error| error.kind()), expected);
    }

    async fn delete(&mut self, name: &'static str, immediate: bool) {
        let mode = if immediate {
            DeleteMode::Immediate
        } else {
            DeleteMode::Recoverable { window: None }
        };
        let found = self.store.delete_secret(&reference(name), mode).await;
        let expected = match self.model.get_mut(name) {
            None => Err(ErrorKind::NotFound),
            Some(entry) => {
                entry.deleted = true;
                Ok(())
            }
        };
        if immediate {
            self.model.remove(name);
        }
        assert_eq!(found.map(|_| ()).map_err(|error| error.kind()), expected);
    }

    fn deleted(&mut self, name: &str) -> Outcome<&mut Entry> {
        self.model.get_mut(name).filter(|entry| entry.deleted).ok_or(ErrorKind::NotFound)
    }

    async fn restore(&mut self, name: &'static str) {
        let found = self.store.restore_secret(&reference(name)).await;
        let expected = self.deleted(name).map(|entry| entry.deleted = false);
        assert_eq!(found.map_err(|error| error.kind()), expected);
    }

    async fn purge(&mut self, name: &'static str) {
        let found = self.store.purge_secret(&reference(name)).await;
        let expected = self.deleted(name).map(|_| ());
        if expected.is_ok() {
            self.model.remove(name);
        }
        assert_eq!(found.map_err(|error| error.kind()), expected);
    }

    /// Everything that can be read is what the model says.
    async fn compare(&self) {
        let filter = SecretFilter::all().with_deleted(DeletedSecrets::Include);
        let page = self.store.list_secrets(&filter, PageRequest::first()).await.unwrap();
        let listed: Vec<_> = page.items.iter().map(|info| info.reference.to_string()).collect();
        assert_eq!(listed, self.model.keys().copied().collect::<Vec<_>>());
        for (name, entry) in &self.model {
            let info = self.store.describe_secret(&reference(name)).await.unwrap();
            let labels = (info.current, info.previous, info.pending);
            let expected = (&entry.current, &entry.previous, &entry.pending);
            assert_eq!((&labels.0, &labels.1, &labels.2), expected);
            assert_eq!(info.deletion.is_some(), entry.deleted);
            let page = self.store.list_versions(&reference(name), PageRequest::first()).await;
            let ids: Vec<_> = page.unwrap().items.into_iter().map(|info| info.id).collect();
            assert_eq!(ids, entry.versions.iter().map(|(id, ..)| id.clone()).collect::<Vec<_>>());
            for (id, text, state) in &entry.versions {
                let options = GetOptions::version(VersionSelector::Id(id.clone()));
                let found = self.store.get_secret(&reference(name), options).await;
                let found = found
                    .map(|secret| secret.value.expose_secret_text().unwrap().to_owned())
                    .map_err(|error| error.kind());
                let expected = match state {
                    _ if entry.deleted => Err(ErrorKind::PendingDeletion),
                    VersionState::Enabled => Ok(text.clone()),
                    VersionState::Disabled => Err(ErrorKind::Disabled),
                    _ => Err(ErrorKind::Destroyed),
                };
                assert_eq!(found, expected, "{name} {id}");
            }
        }
        assert!(self.store.verify().await.unwrap().is_sound());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_store_does_what_the_model_does(ops in prop::collection::vec(op(), 1..40)) {
        block_on(async {
            let mut pair = Pair::new().await;
            for op in &ops {
                pair.apply(op).await;
                pair.compare().await;
            }
        });
    }
}

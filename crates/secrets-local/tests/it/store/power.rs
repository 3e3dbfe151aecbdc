//! Power failures: after every step of every kind of write, and everything that may be lost then.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use secrets_core::{DeleteMode, KeyRef, SecretProvider, SystemClock};
use secrets_local::store::fs::FileSystem;
use secrets_local::store::{
    Environment, FileStore, KeyFile, OsEntropy, Rekey, StoreBuilder, StoreErrorKind,
};

use super::disk::{Defect, Disk};
use super::support::{block_on, get, name, reference, set, value};

const STORE: &str = "/data/store";
const KEY: &str = "/keys/key";
const STATE: &str = "/state";

fn environment(disk: &Disk) -> Environment {
    Environment {
        files: Arc::new(disk.clone()),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marks {
    Without,
    Kept,
}

/// A disk with a store, its key, and what a test needs to write to it.
struct Machine {
    disk: Disk,
    key: KeyFile,
    marks: Marks,
}

impl Machine {
    fn new(marks: Marks) -> Self {
        let disk = Disk::new();
        let key = KeyFile::generate_in(&environment(&disk), Path::new(KEY)).unwrap();
        Self { disk, key, marks }
    }

    fn builder(&self, disk: &Disk) -> StoreBuilder {
        let builder = FileStore::at(STORE).environment(environment(disk));
        match self.marks {
            Marks::Without => builder,
            Marks::Kept => builder.state_folder(STATE),
        }
    }

    async fn prepare(&self) {
        let store = self.builder(&self.disk).create(self.key.clone()).await.unwrap();
        for (name, text) in [("a", "1"), ("b", "1"), ("c", "1")] {
            set(&store, name, text).await;
        }
        store.create_wrapping_key(&KeyRef::new("wrap").unwrap()).await.unwrap();
    }

    /// Runs a write through a controller with this defect, and records what it does.
    async fn write(&self, defect: Defect, write: impl AsyncFn(&FileStore)) {
        let store =
            self.builder(&self.disk.with_defect(defect)).open(self.key.clone()).await.unwrap();
        self.disk.record();
        write(&store).await;
    }

    /// The state that a store on this disk has: `None` when there is no store.
    async fn state(&self, disk: &Disk) -> Result<Option<Contents>, String> {
        let store = match self.builder(disk).open(self.key.clone()).await {
            Err(error) if error.kind() == StoreErrorKind::NotFound => return Ok(None),
            other => other.map_err(|error| format!("does not open: {error}"))?,
        };
        let verification = store.verify().await.map_err(|error| format!("no verify: {error}"))?;
        if !verification.is_sound() {
            return Err(format!("damaged: {:?}", verification.damaged));
        }
        Ok(Some(contents(&store).await))
    }

    /// Checks every disk that a power failure may leave after the recorded operations. The last
    /// step ends a write that was reported as done: only the new state will do then.
    async fn check(&self, old: &Option<Contents>, new: &Option<Contents>) -> Result<Seen, String> {
        let mut seen = Seen::default();
        let steps = self.disk.steps();
        for step in 0..=steps {
            for disk in self.disk.after_power_failure(step) {
                seen.disks += 1;
                let state = self.state(&disk).await.map_err(|why| format!("step {step}: {why}"))?;
                match state {
                    state if state == *new => seen.new += 1,
                    state if state == *old && step < steps => seen.old += 1,
                    state => return Err(format!("step {step} of {steps}: {state:?}")),
                }
            }
        }
        Ok(seen)
    }
}

#[derive(Debug, Default)]
struct Seen {
    disks: usize,
    old: usize,
    new: usize,
}

/// Everything that the tests change, in a form to compare.
type Contents = BTreeMap<String, String>;

async fn contents(store: &FileStore) -> Contents {
    let mut contents = Contents::new();
    for name in ["a", "b", "c", "d"] {
        let text = match get(store, name).await {
            Ok(text) => text,
            Err(error) => error.kind().as_str().to_owned(),
        };
        contents.insert(name.to_owned(), text);
    }
    let long = store.get_secret(&reference("long"), Default::default()).await;
    contents.insert("long".to_owned(), long.map_or(0, |secret| secret.value.len()).to_string());
    let wrap = store.wrapping_key_versions(&KeyRef::new("wrap").unwrap()).await.unwrap();
    contents.insert("wrap".to_owned(), wrap.len().to_string());
    contents.insert("slots".to_owned(), store.slots().len().to_string());
    contents.insert("generation".to_owned(), store.generation().to_string());
    contents
}

/// Every kind of write.
async fn every_write(marks: Marks, defect: Defect) -> Result<Vec<(&'static str, Seen)>, String> {
    let mut report = Vec::new();
    macro_rules! case {
        ($what:literal, $write:expr) => {{
            let machine = Machine::new(marks);
            machine.prepare().await;
            let old = machine.state(&machine.disk).await?;
            machine.write(defect, $write).await;
            let new = machine.state(&machine.disk).await?;
            assert_ne!(old, new, "{}", $what);
            let seen =
                machine.check(&old, &new).await.map_err(|why| format!("{}: {why}", $what))?;
            report.push(($what, seen));
        }};
    }
    case!("a new secret", async |store: &FileStore| drop(set(store, "d", "1").await));
    case!("a new version", async |store: &FileStore| drop(set(store, "b", "2").await));
    case!("a value of several chunks", async |store: &FileStore| {
        let long = secrets_core::SecretValue::from_vec(vec![7; 700_000]);
        store.set_secrets(vec![(name("long"), long), (name("a"), value("2"))]).await.unwrap();
    });
    case!("a deletion", async |store: &FileStore| {
        store.delete_secret(&reference("a"), DeleteMode::Immediate).await.unwrap();
    });
    case!("a new slot", async |store: &FileStore| {
        store
            .add_slot(KeyFile::generate_in(&environment(&Disk::new()), Path::new("/k")).unwrap())
            .await
            .unwrap();
    });
    case!("a wrapping key", async |store: &FileStore| {
        store.rotate_wrapping_key(&KeyRef::new("wrap").unwrap()).await.unwrap();
    });
    Ok(report)
}

#[test]
fn a_power_failure_leaves_the_old_or_the_new_state() {
    block_on(async {
        for marks in [Marks::Without, Marks::Kept] {
            for (what, seen) in every_write(marks, Defect::None).await.unwrap() {
                assert!(seen.old > 0 && seen.new > 0 && seen.disks > 10, "{what}: {seen:?}");
            }
        }
    });
}

#[test]
fn the_model_loses_each_file_by_itself() {
    for files in [2, 3, 6] {
        let disk = Disk::new();
        disk.record();
        let folder = Path::new("/data");
        for n in 0..files {
            let mut file = disk.create(&folder.join(n.to_string())).unwrap();
            file.write_all(b"content").unwrap();
        }
        disk.sync_folder(folder).unwrap();
        let whole = |disk: &Disk, n: i32| disk.read(&folder.join(n.to_string())) == b"content";
        let left = disk.after_power_failure(disk.steps());
        assert!(left.len() <= 343, "{} are too many", left.len());
        for (kept, lost) in [(0, 1), (1, 0), (0, files - 1), (files - 1, 0)] {
            let alone = left.iter().any(|disk| whole(disk, kept) && !whole(disk, lost));
            assert!(alone, "{lost} of {files} is never lost while {kept} is kept");
        }
        assert!(left.iter().any(|disk| (0..files).all(|n| !whole(disk, n))));
    }
}

#[test]
fn a_power_failure_while_rekeying_loses_nothing() {
    block_on(async {
        let machine = Machine::new(Marks::Kept);
        machine.prepare().await;
        let old = machine.state(&machine.disk).await.unwrap();
        let key = machine.key.clone();
        machine
            .write(Defect::None, async |store| {
                store.rekey(Rekey::new().keep(key.clone())).await.unwrap();
            })
            .await;
        let new = machine.state(&machine.disk).await.unwrap();
        let seen = machine.check(&old, &new).await.unwrap();
        assert!(seen.old > 0 && seen.new > 0, "{seen:?}");
    });
}

#[test]
fn a_power_failure_while_creating_leaves_a_store_or_none() {
    block_on(async {
        let machine = Machine::new(Marks::Kept);
        machine.disk.record();
        machine.builder(&machine.disk).create(machine.key.clone()).await.unwrap();
        let store = machine.builder(&machine.disk).open(machine.key.clone()).await.unwrap();
        // The wrapping key that `contents` asks for is not there yet.
        assert_eq!(store.generation().writes(), 1);
        for step in 0..=machine.disk.steps() {
            for disk in machine.disk.after_power_failure(step) {
                match machine.builder(&disk).open(machine.key.clone()).await {
                    Ok(store) => assert!(store.verify().await.unwrap().is_sound()),
                    Err(error) => {
                        assert_eq!(error.kind(), StoreErrorKind::NotFound, "step {step}");
                        assert!(step < machine.disk.steps(), "the store was reported as made");
                    }
                }
            }
        }
    });
}

#[test]
fn a_mark_never_outlives_the_state_that_it_speaks_of() {
    block_on(async {
        let machine = Machine::new(Marks::Kept);
        machine.prepare().await;
        machine.disk.record();
        // A writer dies between the rename and the sync of the folder, and knows no marks.
        let dying = FileStore::at(STORE)
            .environment(environment(&machine.disk.with_defect(Defect::NoFolderSync)));
        set(&dying.open(machine.key.clone()).await.unwrap(), "b", "2").await;
        // A reader sees the new state and raises the mark; then the power fails.
        machine.builder(&machine.disk).open(machine.key.clone()).await.unwrap();
        for step in 0..=machine.disk.steps() {
            for disk in machine.disk.after_power_failure(step) {
                let opened = machine.builder(&disk).open(machine.key.clone()).await;
                assert!(opened.is_ok(), "step {step}: {opened:?}");
            }
        }
    });
}

#[test]
fn the_failures_are_seen_when_a_step_of_the_protocol_is_missing() {
    block_on(async {
        for (defect, seen_as) in [
            (Defect::NoFileSync, "does not open"),
            (Defect::ReplaceInPlace, "does not open"),
            // The write was reported as done, and the old state came back.
            (Defect::NoFolderSync, "step 4 of 4"),
        ] {
            let why = every_write(Marks::Without, defect).await.expect_err("an unseen defect");
            assert!(why.contains(seen_as), "{defect:?}: {why}");
        }
        for (defect, seen_as) in [
            (Defect::NoFileSync, "does not open"),
            // The mark outlived the file that it is of.
            (Defect::NoSyncOfStore, "roll-back"),
        ] {
            let why = every_write(Marks::Kept, defect).await.expect_err("an unseen defect");
            assert!(why.contains(seen_as), "{defect:?}: {why}");
        }
    });
}

#[test]
fn what_a_dead_writer_left_is_swept_by_the_next() {
    block_on(async {
        let machine = Machine::new(Marks::Without);
        machine.prepare().await;
        machine.write(Defect::None, async |store| drop(set(store, "b", "2").await)).await;
        let mut swept = 0;
        for step in 0..=machine.disk.steps() {
            for disk in machine.disk.after_power_failure(step) {
                let temporaries = |disk: &Disk| {
                    let names = disk.names();
                    names.iter().filter(|path| path.extension() == Some("tmp".as_ref())).count()
                };
                swept += temporaries(&disk);
                let store = machine.builder(&disk).open(machine.key.clone()).await.unwrap();
                set(&store, "d", "x").await;
                assert_eq!(temporaries(&disk), 0, "step {step}: {:?}", disk.names());
            }
        }
        assert!(swept > 0, "no power failure left a temporary file");
    });
}

#[test]
fn a_full_disk_at_any_byte_leaves_the_old_state() {
    block_on(async {
        let machine = Machine::new(Marks::Without);
        machine.prepare().await;
        let old = machine.state(&machine.disk).await.unwrap();
        let len = machine.disk.read(Path::new(STORE)).len();
        let store = machine.builder(&machine.disk).open(machine.key.clone()).await.unwrap();
        for room in (0..len).step_by(97) {
            machine.disk.leave_room(Some(room));
            let error = store
                .set_secret(&reference("b"), value("2"), Default::default())
                .await
                .unwrap_err();
            assert_eq!(error.kind(), secrets_core::ErrorKind::Unavailable);
            assert_eq!(error.effect(), secrets_core::Effect::NotApplied);
            let source = std::error::Error::source(&error).unwrap();
            let source = source.downcast_ref::<secrets_local::store::StoreError>().unwrap();
            assert_eq!(source.kind(), StoreErrorKind::StorageFull);
            assert_eq!(machine.state(&machine.disk).await.unwrap(), old);
            let names = machine.disk.names();
            assert!(names.iter().all(|path| path.extension().is_none()), "{names:?}");
        }
        machine.disk.leave_room(None);
        set(&store, "b", "2").await;
    });
}

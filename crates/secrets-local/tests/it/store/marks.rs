//! High-water marks that several processes share, and folders that fail.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use secrets_core::{
    Effect, ErrorKind, HealthStatus, IdempotencyKey, SecretProvider, SetOptions, VersionInfo,
};
use secrets_local::store::{FileStore, StoreBuilder, StoreErrorKind};

use crate::support::set_mode;

use super::hooked::{Hooked, Step};
use super::support::{Place, block_on, get, open, reference, set, value};

fn state(place: &Place) -> PathBuf {
    let folder = place.file("state");
    std::fs::create_dir_all(&folder).unwrap();
    set_mode(&folder, 0o700);
    folder
}

fn marked(place: &Place) -> StoreBuilder {
    FileStore::at(place.path()).state_folder(state(place))
}

fn put_back(place: &Place, bytes: &[u8]) {
    let restored = place.file("restored");
    std::fs::write(&restored, bytes).unwrap();
    std::fs::rename(&restored, place.path()).unwrap();
}

#[test]
fn a_running_process_heeds_the_mark_of_others() {
    block_on(async {
        let place = Place::new();
        let idle = marked(&place).create(place.key.clone()).await.unwrap();
        let writer = marked(&place).open(place.key.clone()).await.unwrap();
        set(&writer, "a", "revoked").await;
        let older = std::fs::read(place.path()).unwrap();
        for text in ["2", "3", "4"] {
            set(&writer, "a", text).await;
        }
        drop(writer);
        put_back(&place, &older);
        // Newer than what this process saw, older than what the other one did.
        assert_eq!(get(&idle, "a").await.unwrap_err().kind(), ErrorKind::Integrity);
        for _ in 0..5 {
            let write = idle.set_secret(&reference("x"), value("y"), SetOptions::new()).await;
            assert_eq!(write.unwrap_err().kind(), ErrorKind::Integrity);
        }
        assert_eq!(std::fs::read(place.path()).unwrap(), older);
    });
}

#[test]
fn a_store_opens_beside_a_writer_that_shares_the_mark() {
    block_on(async {
        let place = Place::new();
        let store = marked(&place).create(place.key.clone()).await.unwrap();
        let (hooked, once) = (Hooked::default(), AtomicBool::new(false));
        let writer = store.clone();
        hooked.on(move |step, path| {
            let mark = path.extension() == Some("mark".as_ref());
            if step == Step::Open && mark && !once.swap(true, Ordering::SeqCst) {
                let writer = writer.clone();
                let write = move || block_on(async { drop(set(&writer, "a", "2").await) });
                std::thread::spawn(write).join().unwrap();
            }
            Ok(())
        });
        let opened = marked(&place).environment(hooked.environment());
        let opened = opened.open(place.key.clone()).await.unwrap();
        assert_eq!(get(&opened, "a").await.unwrap(), "2");
    });
}

/// The same write each time, so that all but the first are repetitions.
async fn repeatable_write(store: &FileStore) -> secrets_core::Result<VersionInfo> {
    let token = SetOptions::new().with_token(IdempotencyKey::from_random([7; 16]));
    store.set_secret(&reference("a"), value("1"), token).await
}

#[test]
fn a_repeated_write_is_durable_before_it_is_acknowledged() {
    block_on(async {
        for builder in [|place: &Place| FileStore::at(place.path()), marked] {
            let place = Place::new();
            drop(builder(&place).create(place.key.clone()).await.unwrap());
            let hooked = Hooked::default();
            let open = || builder(&place).environment(hooked.environment());
            let store = open().open(place.key.clone()).await.unwrap();
            let other = open().open(place.key.clone()).await.unwrap();
            hooked.on(|step, _| match step {
                Step::SyncFolder => Err(io::Error::other("the disk does not answer")),
                _ => Ok(()),
            });
            // Here, and from another process that takes over.
            for store in [&store, &store, &other, &other] {
                let error = repeatable_write(store).await.unwrap_err();
                assert_eq!(error.effect(), Effect::Unknown, "{error:?}");
            }
            hooked.off();
            let made = repeatable_write(&store).await.unwrap();
            assert_eq!(repeatable_write(&other).await.unwrap().id, made.id);
            assert_eq!(store.generation().writes(), 2);
        }
    });
}

#[test]
fn a_repeated_write_says_again_that_the_mark_is_not_raised() {
    block_on(async {
        let place = Place::new();
        drop(marked(&place).create(place.key.clone()).await.unwrap());
        let hooked = Hooked::default();
        let store = marked(&place).environment(hooked.environment());
        let store = store.open(place.key.clone()).await.unwrap();
        hooked.on(|step, path| match step {
            Step::Replace if path.extension() == Some("mark".as_ref()) => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        });
        for _ in 0..2 {
            let error = repeatable_write(&store).await.unwrap_err();
            assert_eq!(error.effect(), Effect::Partial, "{error:?}");
        }
        // What is not there yet is not begun while the mark cannot be raised.
        let other = store.set_secret(&reference("b"), value("1"), SetOptions::new()).await;
        assert_eq!(other.unwrap_err().effect(), Effect::NotApplied);
        hooked.off();
        repeatable_write(&store).await.unwrap();
        assert_eq!(get(&store, "b").await.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_failed_replacement_may_have_happened() {
    block_on(async {
        let place = Place::new();
        drop(place.create().await);
        let hooked = Hooked::default();
        let store = FileStore::at(place.path()).environment(hooked.environment());
        let store = store.open(place.key.clone()).await.unwrap();
        hooked.on(|step, _| match step {
            Step::Replaced => Err(io::Error::other("the answer was lost")),
            _ => Ok(()),
        });
        let write = store.set_secret(&reference("a"), value("1"), SetOptions::new()).await;
        assert_eq!(write.unwrap_err().effect(), Effect::Unknown);
        hooked.off();
        assert_eq!(get(&store, "a").await.unwrap(), "1");
    });
}

#[test]
fn an_older_file_put_in_place_right_after_a_write_is_noticed() {
    block_on(async {
        let place = Place::new();
        drop(place.create().await);
        let hooked = Hooked::default();
        let store = FileStore::at(place.path()).environment(hooked.environment());
        let store = store.open(place.key.clone()).await.unwrap();
        set(&store, "a", "old").await;
        let older = std::fs::read(place.path()).unwrap();
        let (path, aside) = (place.path(), place.file("aside"));
        hooked.on(move |step, _| {
            if step == Step::Replaced {
                std::fs::write(&aside, &older)?;
                std::fs::rename(&aside, &path)?;
            }
            Ok(())
        });
        set(&store, "a", "new").await;
        hooked.off();
        assert_eq!(get(&store, "a").await.unwrap_err().kind(), ErrorKind::Integrity);
    });
}

#[test]
fn a_mark_that_could_not_be_raised_is_raised_by_the_next_read() {
    block_on(async {
        let place = Place::new();
        drop(marked(&place).create(place.key.clone()).await.unwrap());
        let hooked = Hooked::default();
        let reader = marked(&place).environment(hooked.environment());
        let reader = reader.open(place.key.clone()).await.unwrap();
        let older = std::fs::read(place.path()).unwrap();
        set(&open(&place.path(), &place.key).await, "a", "1").await;
        hooked.on(|step, path| match step {
            Step::Replace if path.extension() == Some("mark".as_ref()) => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        });
        get(&reader, "a").await.unwrap_err();
        get(&reader, "a").await.unwrap_err();
        hooked.off();
        assert_eq!(get(&reader, "a").await.unwrap(), "1");
        drop(reader);
        put_back(&place, &older);
        let error = marked(&place).open(place.key.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Rollback);
    });
}

#[test]
fn a_reader_of_an_older_state_does_not_lower_the_mark() {
    block_on(async {
        let place = Place::new();
        let store = marked(&place).create(place.key.clone()).await.unwrap();
        let mark = state(&place).join(format!("{}.mark", store.store_id()));
        let hooked = Hooked::default();
        let reader = FileStore::at(place.path()).state_folder(state(&place));
        let reader = reader.environment(hooked.environment());
        let reader = reader.open(place.key.clone()).await.unwrap();
        set(&open(&place.path(), &place.key).await, "a", "1").await;
        // The reader has read generation 2 and is about to raise the mark; others get further.
        let (once, high) = (AtomicBool::new(false), Arc::new(std::sync::Mutex::new(Vec::new())));
        let (seen, path) = (Arc::clone(&high), mark.clone());
        hooked.on(move |step, _| {
            if step == Step::SyncFolder && !once.swap(true, Ordering::SeqCst) {
                let store = store.clone();
                let write = move || block_on(async { drop(set(&store, "a", "2").await) });
                std::thread::spawn(write).join().unwrap();
                *seen.lock().unwrap() = std::fs::read(&path)?;
            }
            Ok(())
        });
        get(&reader, "a").await.unwrap();
        assert_eq!(std::fs::read(&mark).unwrap(), *high.lock().unwrap());
    });
}

#[test]
fn opening_to_read_syncs_nothing_where_the_mark_is_high_enough() {
    block_on(async {
        let place = Place::new();
        drop(marked(&place).create(place.key.clone()).await.unwrap());
        let (hooked, syncs) = (Hooked::default(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&syncs);
        hooked.on(move |step, _| {
            count.fetch_add(usize::from(step == Step::SyncFolder), Ordering::SeqCst);
            Ok(())
        });
        let store = marked(&place).environment(hooked.environment());
        store.open(place.key.clone()).await.unwrap();
        assert_eq!(syncs.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn a_new_store_is_healthy_and_has_nothing_to_accept() {
    block_on(async {
        let place = Place::new();
        let store = marked(&place).accept_rollback().open_or_create(place.key.clone()).await;
        let store = store.unwrap();
        assert_eq!(store.warnings(), []);
        assert_eq!(store.health().await.unwrap().status, HealthStatus::Healthy);
        assert_eq!(store.generation().restores(), 0);
    });
}

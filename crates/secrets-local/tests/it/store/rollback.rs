//! Older files put back.

use std::path::PathBuf;

use secrets_core::ErrorKind;
use secrets_local::store::{FileStore, StoreBuilder, StoreErrorKind, Warning};

use crate::support::set_mode;

use super::support::{Place, block_on, get, open, set};

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
    // As a restore does: another file under the same name.
    let restored = place.file("restored");
    std::fs::write(&restored, bytes).unwrap();
    std::fs::rename(&restored, place.path()).unwrap();
}

#[test]
fn a_running_process_refuses_an_older_file() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        set(&store, "a", "1").await;
        let older = std::fs::read(place.path()).unwrap();
        set(&store, "a", "2").await;
        put_back(&place, &older);
        let error = get(&store, "a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity);
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("generation 0.2 is older than generation 0.3"), "{source}");
        // A process that starts now cannot know.
        assert_eq!(get(&place.open().await, "a").await.unwrap(), "1");
    });
}

#[test]
fn a_running_process_refuses_another_state_of_the_same_generation() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        let older = std::fs::read(place.path()).unwrap();
        set(&store, "a", "ours").await;
        put_back(&place, &older);
        set(&place.open().await, "a", "forked").await;
        let error = get(&store, "a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity);
    });
}

#[test]
fn a_running_process_refuses_another_store() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        set(&store, "a", "1").await;
        let other = FileStore::at(place.file("other")).create(place.key.clone()).await.unwrap();
        for text in ["1", "2", "3"] {
            set(&other, "a", text).await;
        }
        std::fs::rename(place.file("other"), place.path()).unwrap();
        assert_eq!(get(&store, "a").await.unwrap_err().kind(), ErrorKind::Integrity);
    });
}

#[test]
fn a_high_water_mark_outlives_the_process() {
    block_on(async {
        let place = Place::new();
        let store = marked(&place).create(place.key.clone()).await.unwrap();
        assert_eq!(store.warnings(), []);
        set(&store, "a", "1").await;
        let older = std::fs::read(place.path()).unwrap();
        set(&store, "a", "2").await;
        drop(store);
        let store = marked(&place).open(place.key.clone()).await.unwrap();
        assert_eq!(store.warnings(), []);
        drop(store);
        put_back(&place, &older);
        let error = marked(&place).open(place.key.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Rollback);
        assert!(error.to_string().contains("high-water mark"), "{error}");
    });
}

#[test]
fn a_store_that_is_first_seen_with_a_state_folder_says_so() {
    block_on(async {
        let place = Place::new();
        drop(place.create().await);
        let store = marked(&place).open(place.key.clone()).await.unwrap();
        assert!(matches!(store.warnings()[..], [Warning::NoHighWaterMark { .. }]));
    });
}

#[test]
fn a_state_folder_that_others_can_write_is_warned_about() {
    block_on(async {
        let place = Place::new();
        drop(marked(&place).create(place.key.clone()).await.unwrap());
        let folder = state(&place);
        for (mode, warned) in [
            (0o700, false),
            (0o755, false),
            (0o1777, false),
            (0o770, true),
            (0o777, true),
            (0o703, true),
        ] {
            set_mode(&folder, mode);
            let builder = FileStore::at(place.path()).state_folder(&folder);
            let store = builder.open(place.key.clone()).await.unwrap();
            let path = folder.canonicalize().unwrap();
            let warnings = warned.then_some(Warning::StateFolderWritable { path, mode });
            assert_eq!(store.warnings(), Vec::from_iter(warnings), "{mode:o}");
        }
    });
}

#[test]
fn a_mark_is_raised_by_the_write_itself() {
    block_on(async {
        let place = Place::new();
        let store = marked(&place).create(place.key.clone()).await.unwrap();
        let older = std::fs::read(place.path()).unwrap();
        set(&store, "a", "1").await;
        drop(store);
        put_back(&place, &older);
        let error = marked(&place).open(place.key.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Rollback);
    });
}

#[test]
fn a_mark_is_raised_by_readers_too() {
    block_on(async {
        let place = Place::new();
        let writer = place.create().await;
        let older = std::fs::read(place.path()).unwrap();
        let reader = marked(&place).open(place.key.clone()).await.unwrap();
        set(&writer, "a", "1").await;
        assert_eq!(get(&reader, "a").await.unwrap(), "1");
        drop((writer, reader));
        put_back(&place, &older);
        let error = marked(&place).open(place.key.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Rollback);
    });
}

#[test]
fn a_mark_survives_a_new_data_key() {
    block_on(async {
        let place = Place::new();
        let store = marked(&place).create(place.key.clone()).await.unwrap();
        let older = std::fs::read(place.path()).unwrap();
        let plan = secrets_local::store::Rekey::new().keep(place.key.clone());
        store.rekey(plan).await.unwrap();
        drop(store);
        marked(&place).open(place.key.clone()).await.unwrap();
        put_back(&place, &older);
        let error = marked(&place).open(place.key.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Rollback);
    });
}

#[test]
fn an_accepted_restore_is_the_newest_state_for_everybody() {
    block_on(async {
        let place = Place::new();
        let running = marked(&place).create(place.key.clone()).await.unwrap();
        set(&running, "a", "1").await;
        let older = std::fs::read(place.path()).unwrap();
        for text in ["2", "3", "4"] {
            set(&running, "a", text).await;
        }
        put_back(&place, &older);
        assert_eq!(get(&running, "a").await.unwrap_err().kind(), ErrorKind::Integrity);

        let restore = marked(&place).accept_rollback().open(place.key.clone()).await.unwrap();
        assert_eq!(restore.generation().restores(), 1);
        assert_eq!(get(&restore, "a").await.unwrap(), "1");
        // A process that saw later generations goes on without being told, and so does the mark.
        assert_eq!(get(&running, "a").await.unwrap(), "1");
        set(&running, "a", "5").await;
        let store = marked(&place).open(place.key.clone()).await.unwrap();
        assert_eq!(get(&store, "a").await.unwrap(), "5");
        // What was refused before is refused again.
        put_back(&place, &older);
        let error = marked(&place).open(place.key.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Rollback);
    });
}

#[test]
fn a_damaged_mark_is_refused_and_names_itself() {
    block_on(async {
        let place = Place::new();
        let store = marked(&place).create(place.key.clone()).await.unwrap();
        let mark = state(&place).join(format!("{}.mark", store.store_id()));
        drop(store);
        let good = std::fs::read(&mark).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 4;
            std::fs::write(&mark, &bad).unwrap();
            let error = marked(&place).open(place.key.clone()).await.unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Integrity, "byte {at}");
            assert!(error.to_string().contains(".mark"), "{error}");
        }
        for len in 0..good.len() {
            std::fs::write(&mark, &good[..len]).unwrap();
            let error = marked(&place).open(place.key.clone()).await.unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Integrity, "cut to {len}");
        }
        std::fs::write(&mark, &good).unwrap();
        marked(&place).open(place.key.clone()).await.unwrap();
    });
}

#[test]
fn a_copy_of_the_newest_file_is_no_roll_back() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        set(&store, "a", "1").await;
        let same = std::fs::read(place.path()).unwrap();
        put_back(&place, &same);
        assert_eq!(get(&store, "a").await.unwrap(), "1");
        set(&store, "a", "2").await;
        assert_eq!(get(&open(&place.path(), &place.key).await, "a").await.unwrap(), "2");
    });
}

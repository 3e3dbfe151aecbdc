//! Planted values and names, and where they must not show.

use std::sync::Arc;

use secrets_core::{
    KeyLen, KeyProvider, KeyRef, MetadataPatch, SecretProvider, SetOptions, WrapContext,
};
use secrets_local::store::{FileStore, Rekey, StoreError, Unlock};

use super::support::{Place, block_on, cheap, get, name, passphrase, reference, set, value};

const VALUE: &str = "canary-value-7d1f4c02";
const NAME: &str = "canary-name-5a0e";
const TAG: &str = "canary-tag-91b3";
const DESCRIPTION: &str = "canary-description-44aa";
const KEY_NAME: &str = "canary-key-name-0c";
const PASSPHRASE: &str = "canary-passphrase-e8";

/// Looked for in freed memory, so that no other test may let them lie about.
const WIPED_VALUE: &str = "wiped-value-3b9f01d2";
const WIPED_PASSPHRASE: &str = "wiped-passphrase-6cc0";

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

async fn plant(place: &Place) -> FileStore {
    let store = FileStore::at(place.path()).passphrase_cost(cheap()).create(passphrase(PASSPHRASE));
    let store = store.await.unwrap();
    let patch = MetadataPatch::new()
        .tag(TAG, TAG)
        .description(secrets_core::Change::Set(DESCRIPTION.to_owned()));
    let options = SetOptions::new().with_metadata(patch);
    let secret = value(VALUE).with_content_type("canary/content-type");
    store.set_secret(&reference(NAME), secret, options).await.unwrap();
    store.create_wrapping_key(&KeyRef::new(KEY_NAME).unwrap()).await.unwrap();
    store
}

#[test]
fn nothing_but_sizes_and_counts_shows_in_the_files() {
    block_on(async {
        let place = Place::new();
        let state = place.file("state");
        std::fs::create_dir(&state).unwrap();
        let store = plant(&place).await;
        FileStore::at(place.path())
            .state_folder(&state)
            .open(passphrase(PASSPHRASE))
            .await
            .unwrap();
        store.rekey(Rekey::new().keep(passphrase(PASSPHRASE))).await.unwrap();
        let mut files = vec![place.path()];
        files.extend(std::fs::read_dir(&state).unwrap().map(|file| file.unwrap().path()));
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            for planted in [VALUE, NAME, TAG, DESCRIPTION, KEY_NAME, PASSPHRASE, "canary"] {
                assert!(!contains(&bytes, planted), "{planted} in {}", file.display());
            }
        }
    });
}

#[test]
fn no_debug_output_shows_a_value_or_a_key() {
    block_on(async {
        let place = Place::new();
        let store = plant(&place).await;
        let key_bytes = format!("{:?}", std::fs::read(place.file("key")).unwrap());
        let secret = store.get_secret(&reference(NAME), Default::default()).await.unwrap();
        let provider =
            Unlock::Provider { provider: Arc::new(store.clone()), key: KeyRef::new("k").unwrap() };
        for text in [
            format!("{store:?} {:?}", store.warnings()),
            format!("{secret:?}"),
            format!("{:?} {:#?}", place.key, Unlock::from(place.key.clone())),
            format!("{:?}", Unlock::from(passphrase(PASSPHRASE))),
            format!("{provider:?}"),
            format!("{:?}", FileStore::at(place.path())),
            format!("{:?}", Rekey::new().keep(passphrase(PASSPHRASE)).keep(place.key.clone())),
            format!("{:?}", store.verify().await.unwrap()),
            format!("{:?}", store.slots()),
        ] {
            for planted in [VALUE, PASSPHRASE, &key_bytes] {
                assert!(!text.contains(planted), "{text}");
            }
        }
    });
}

#[test]
fn no_error_shows_a_value_or_a_key() {
    block_on(async {
        let place = Place::new();
        let store = plant(&place).await;
        let mut texts = Vec::new();
        let at = reference(NAME);
        let long = VALUE.repeat(60_000);
        texts.push(chain(
            &store.set_secret(&at, value(&long), SetOptions::new()).await.unwrap_err(),
        ));
        let absent = SetOptions::new().when(secrets_core::Precondition::Absent);
        texts.push(chain(&store.set_secret(&at, value(VALUE), absent).await.unwrap_err()));
        let wrong = FileStore::at(place.path()).open(passphrase("canary-passphrase-wrong")).await;
        texts.push(chain(&wrong.unwrap_err()));

        // A damaged record, as its read and `verify` report it.
        let mut bytes = std::fs::read(place.path()).unwrap();
        let header = secrets_local::store::inspect(&bytes).unwrap().header_len;
        bytes[usize::try_from(header).unwrap() + 30] ^= 1;
        std::fs::write(place.path(), bytes).unwrap();
        texts.push(chain(&get(&store, NAME).await.unwrap_err()));
        for damaged in store.verify().await.unwrap().damaged {
            texts.push(chain::<StoreError>(&damaged));
        }
        assert_eq!(texts.len(), 5);
        for text in texts {
            for planted in [VALUE, PASSPHRASE, "canary-passphrase-wrong"] {
                assert!(!text.contains(planted), "{text}");
            }
        }
    });
}

/// An error as it may be logged: both forms, and those of everything behind it.
fn chain<E: std::error::Error>(error: &E) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(behind) = source {
        text.push_str(&format!(" {behind} {behind:?}"));
        source = behind.source();
    }
    text
}

#[test]
fn every_buffer_that_held_a_value_was_wiped_when_it_was_freed() {
    let place = Place::new();
    let scan = crate::PROBE.scan_for(WIPED_VALUE.as_bytes());
    block_on(async {
        let store = place.create().await;
        set(&store, "a", WIPED_VALUE).await;
        assert_eq!(get_len(&store, "a").await, WIPED_VALUE.len());
        store.set_secrets(vec![(name("other"), value(WIPED_VALUE))]).await.unwrap();
        store.rekey(Rekey::new().keep(place.key.clone())).await.unwrap();
        let store = place.open().await;
        assert_eq!(get_len(&store, "a").await, WIPED_VALUE.len());
        store.verify().await.unwrap();
    });
    let findings = scan.finish();
    assert!(findings.is_clean(), "{findings:?}");
}

/// Reads without making a copy of the value that the test would have to wipe.
async fn get_len(store: &FileStore, at: &str) -> usize {
    store.get_secret(&reference(at), Default::default()).await.unwrap().value.len()
}

#[test]
fn every_buffer_that_held_a_passphrase_or_a_key_was_wiped() {
    let place = Place::new();
    let key_file = std::fs::read(place.file("key")).unwrap();
    for needle in [WIPED_PASSPHRASE.as_bytes(), &key_file] {
        let scan = crate::PROBE.scan_for(needle);
        block_on(async {
            let key = secrets_local::store::KeyFile::read(place.file("key")).unwrap();
            let path = place.file(&format!("store-{}", needle.len()));
            let store = FileStore::at(&path).passphrase_cost(cheap());
            let store = store.create(passphrase(WIPED_PASSPHRASE)).await.unwrap();
            store.add_slot(key.clone()).await.unwrap();
            drop(FileStore::at(&path).open(key).await.unwrap());
            drop(FileStore::at(&path).open(passphrase(WIPED_PASSPHRASE)).await.unwrap());
        });
        let findings = scan.finish();
        assert!(findings.is_clean(), "{findings:?}");
    }
}

#[test]
fn every_buffer_that_held_a_wrapped_key_was_wiped() {
    let place = Place::new();
    block_on(async {
        let store = place.create().await;
        let (key, context) = (KeyRef::new("k").unwrap(), WrapContext::new());
        store.create_wrapping_key(&key).await.unwrap();
        let (plain, wrapped) =
            store.generate_data_key(&key, KeyLen::Bits256, &context).await.unwrap();
        let scan = crate::PROBE.scan_for(&plain.expose_secret()[..16]);
        let again = store.unwrap_key(&wrapped, &context).await.unwrap();
        store.rewrap_key(&wrapped, &key, &context).await.unwrap();
        store.wrap_key(&key, &again, &context).await.unwrap();
        drop((again, plain));
        let findings = scan.finish();
        assert!(findings.is_clean(), "{findings:?}");
    });
}

//! Planted values and names, and where they must not show.

use std::os::unix::fs::FileExt;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};

use secrets_core::{
    KeyLen, KeyProvider, KeyRef, MetadataPatch, SecretProvider, SetOptions, WrapContext,
};
use secrets_local::store::{FileStore, KeyFile, Rekey, StoreError, Unlock};

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
            let key = KeyFile::read(place.file("key")).unwrap();
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

/// Where the salt of the first slot stands, when that is one of a passphrase or a key file.
fn salt_of_first_slot(file: &[u8], costs: usize) -> [u8; 16] {
    let at = 104 + 12 + costs;
    file[at..at + 16].try_into().unwrap()
}

#[test]
fn the_memory_of_a_key_derivation_was_wiped() {
    let place = Place::new();
    block_on(async { drop(plant(&place).await) });
    let salt = salt_of_first_slot(&std::fs::read(place.path()).unwrap(), 12);
    // What the derivation leaves in its memory, computed once more.
    let cost = cheap();
    let params = argon2::Params::new(cost.memory_kib(), cost.passes(), cost.lanes(), Some(32));
    let params = params.unwrap();
    let mut blocks = vec![argon2::Block::default(); params.block_count()];
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password_into_with_memory(PASSPHRASE.as_bytes(), &salt, &mut [0; 32], &mut blocks)
        .unwrap();
    let needle: Vec<u8> =
        blocks[blocks.len() / 2].as_ref()[..4].iter().flat_map(|word| word.to_le_bytes()).collect();
    let scan = crate::PROBE.scan_for(&needle);
    block_on(async { FileStore::at(place.path()).open(passphrase(PASSPHRASE)).await.unwrap() });
    let findings = scan.finish();
    drop((blocks, needle));
    assert!(findings.is_clean(), "{findings:?}");
}

#[test]
fn every_buffer_that_held_an_index_in_the_clear_was_wiped() {
    // As two texts stand in the index, and nowhere else: one behind the other.
    const TAG: &str = "tag-in-the-index-51c2";
    const TEXT: &str = "text-in-the-index-8e07";
    let mut needle = TAG.as_bytes().to_vec();
    needle.push(u8::try_from(TEXT.len()).unwrap());
    needle.extend(TEXT.as_bytes());
    let place = Place::new();
    let scan = crate::PROBE.scan_for(&needle);
    block_on(async {
        let store = place.create().await;
        let options = SetOptions::new().with_metadata(MetadataPatch::new().tag(TAG, TEXT));
        store.set_secret(&reference("a"), value("1"), options).await.unwrap();
        set(&store, "b", "2").await;
        let other = place.open().await;
        set(&other, "b", "3").await;
        assert_eq!(get(&store, "b").await.unwrap(), "3");
        store.verify().await.unwrap();
        store.rekey(Rekey::new().keep(place.key.clone())).await.unwrap();
        drop(other);
    });
    let findings = scan.finish();
    drop(needle);
    assert!(findings.is_clean(), "{findings:?}");
}

/// The mapping that an address lies in, as bytes.
fn memory_around(address: usize) -> Vec<u8> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let range = maps.lines().find_map(|line| {
        let (begin, rest) = line.split_once('-')?;
        let (end, _) = rest.split_once(' ')?;
        let number = |text| usize::from_str_radix(text, 16).unwrap();
        let range = number(begin)..number(end);
        range.contains(&address).then_some(range)
    });
    let range = range.expect("a mapping");
    let mut bytes = vec![0; range.len()];
    let memory = std::fs::File::open("/proc/self/mem").unwrap();
    memory.read_exact_at(&mut bytes, range.start as u64).unwrap();
    bytes
}

/// What is on the stack of a thread that polled this once, with nothing left to wait for.
fn stack_after<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> (T, Vec<u8>) {
    let (tell, told) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let here = CONTROL;
        // Without a runtime everything happens on this thread.
        let mut work = Box::pin(work);
        let Poll::Ready(answer) = work.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        else {
            panic!("something was left to wait for");
        };
        tell.send(std::ptr::from_ref(std::hint::black_box(&here)).addr()).unwrap();
        let _ = released.recv();
        answer
    });
    let stack = memory_around(told.recv().unwrap());
    drop(release);
    assert!(contains(&stack, std::str::from_utf8(&CONTROL).unwrap()), "the stack is another one");
    (thread.join().unwrap(), stack)
}

/// Lies on the stack that is looked through.
const CONTROL: [u8; 16] = *b"on-this-stack-4b";

/// Everything secret that the key of a slot comes from.
fn schedule_of(salt: &[u8], input: &[u8]) -> [(&'static str, Vec<u8>); 5] {
    let (prk, hkdf) = hkdf::Hkdf::<sha2::Sha256>::extract(Some(salt), input);
    let mut slot_key = [0; 32];
    hkdf.expand(b"mainstay store v1 slot key", &mut slot_key).unwrap();
    let masked = |key: &[u8], with: u8| key.iter().map(|byte| byte ^ with).collect();
    [
        ("the input key", input.to_vec()),
        ("the pseudorandom key", prk.to_vec()),
        ("the inner key of its HMAC", masked(&prk, 0x36)),
        ("the outer key of its HMAC", masked(&prk, 0x5c)),
        ("the slot's key", slot_key.to_vec()),
    ]
}

#[test]
fn no_key_is_left_on_the_stack_of_the_thread_that_derived_it() {
    let place = Place::new();
    block_on(async { drop(set(&place.create().await, "a", "1").await) });
    let salt = salt_of_first_slot(&std::fs::read(place.path()).unwrap(), 0);
    let other = KeyFile::generate(place.file("other-key")).unwrap();
    // Where the key does not fit, little comes after its derivation that would cover it by chance.
    for (key, file, opens) in [(place.key.clone(), "key", true), (other, "other-key", false)] {
        let open = FileStore::at(place.path()).open(key);
        let (opened, stack) = stack_after(async { open.await.is_ok() });
        assert_eq!(opened, opens);
        check_stack(&stack, &salt, &std::fs::read(place.file(file)).unwrap());
    }
}

#[test]
fn no_key_is_left_on_the_stack_of_the_thread_that_stretched_a_passphrase() {
    let place = Place::new();
    block_on(async { drop(plant(&place).await) });
    let salt = salt_of_first_slot(&std::fs::read(place.path()).unwrap(), 12);
    for (text, opens) in [(PASSPHRASE, true), ("canary-passphrase-wrong", false)] {
        let open = FileStore::at(place.path()).open(passphrase(text));
        let (opened, stack) = stack_after(async { open.await.is_ok() });
        assert_eq!(opened, opens);
        let cost = cheap();
        let params = argon2::Params::new(cost.memory_kib(), cost.passes(), cost.lanes(), None);
        let mut stretched = [0; 32];
        argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params.unwrap())
            .hash_password_into(text.as_bytes(), &salt, &mut stretched)
            .unwrap();
        assert!(!contains(&stack, text), "the passphrase is on the stack");
        check_stack(&stack, &salt, &stretched);
    }
}

fn check_stack(stack: &[u8], salt: &[u8], input: &[u8]) {
    for (what, key) in schedule_of(salt, input) {
        let half = &key[..16];
        assert!(!stack.windows(16).any(|window| window == half), "{what} is on the stack");
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

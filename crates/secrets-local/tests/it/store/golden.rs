//! A file of format 1 that must open forever, and a second reader of it, written from
//! `crates/secrets-local/docs/store-format.md` with nothing but the primitives.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};
use std::{io, sync::Arc};

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use secrets_core::{
    Change, DeleteMode, GetOptions, IdempotencyKey, KeyProvider, KeyRef, ManualClock,
    MetadataPatch, SecretProvider, SetOptions, VersionSelector, VersionState, WrapContext,
    WrappedKey,
};
use secrets_local::store::{Entropy, Environment, FileStore, inspect};
use sha2::Sha256;

use super::support::{Place, block_on, cheap, get, passphrase, reference, set, value};

const PASSPHRASE: &str = "golden passphrase";

fn golden(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file)
}

fn context() -> WrapContext {
    WrapContext::new().with("tenant", "acme").unwrap()
}

/// Bytes that count, so that the file is the same whenever it is made.
#[derive(Debug, Default)]
struct Counting(Mutex<u64>);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) -> io::Result<()> {
        let mut count = self.0.lock().unwrap();
        for byte in buffer {
            *count = count.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (*count >> 56) as u8;
        }
        Ok(())
    }
}

/// A store with something of everything, and a key that it wrapped. The golden files were made by
/// this, once; a new format gets new ones beside them.
fn make() -> (Vec<u8>, Vec<u8>) {
    let place = Place::new();
    block_on(async {
        let start = SystemTime::UNIX_EPOCH + Duration::new(1_800_000_000, 7);
        let environment = Environment {
            clock: Arc::new(ManualClock::at(start)),
            entropy: Arc::new(Counting::default()),
            ..Environment::system()
        };
        let store = FileStore::at(place.path()).environment(environment).passphrase_cost(cheap());
        let store = store.create(passphrase(PASSPHRASE)).await.unwrap();
        set(&store, "app/token", "first").await;
        let patch = MetadataPatch::new()
            .tag("team", "billing")
            .description(Change::Set("for the tests".to_owned()))
            .expires(Change::Set(SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000)));
        let options =
            SetOptions::new().with_token(IdempotencyKey::from_random([9; 16])).with_metadata(patch);
        let second = value("second").with_content_type("text/plain");
        store.set_secret(&reference("app/token"), second, options).await.unwrap();
        let pending = SetOptions::pending();
        store.set_secret(&reference("app/token"), value("third"), pending).await.unwrap();
        let gone = set(&store, "destroyed", "x").await.id;
        let destroyed = VersionState::Destroyed;
        store.set_version_state(&reference("destroyed"), &gone, destroyed).await.unwrap();
        set(&store, "restorable", "later").await;
        let mode = DeleteMode::Recoverable { window: Some(Duration::from_secs(4_000_000_000)) };
        store.delete_secret(&reference("restorable"), mode).await.unwrap();
        let key = KeyRef::new("wrap").unwrap();
        store.create_wrapping_key(&key).await.unwrap();
        let plain = secrets_core::DataKey::from_boxed(Box::new(*b"sixteen bytes it"));
        let wrapped = store.wrap_key(&key, &plain, &context()).await.unwrap();
        store.rotate_wrapping_key(&key).await.unwrap();
        (std::fs::read(place.path()).unwrap(), wrapped.to_bytes())
    })
}

#[test]
fn the_file_opens_with_all_that_is_in_it() {
    block_on(async {
        let place = Place::new();
        std::fs::copy(golden("store-v1"), place.path()).unwrap();
        let store = FileStore::at(place.path()).open(passphrase(PASSPHRASE)).await.unwrap();
        assert!(store.verify().await.unwrap().is_sound());
        let token = reference("app/token");
        for (selector, text) in [
            (VersionSelector::Previous, "first"),
            (VersionSelector::Current, "second"),
            (VersionSelector::Pending, "third"),
        ] {
            let secret = store.get_secret(&token, GetOptions::version(selector)).await.unwrap();
            assert_eq!(secret.value.expose_secret_text().unwrap(), text);
        }
        let info = store.describe_secret(&token).await.unwrap();
        assert_eq!(info.tags["team"], "billing");
        assert_eq!(info.description.as_deref(), Some("for the tests"));
        assert_eq!(info.created, Some(SystemTime::UNIX_EPOCH + Duration::new(1_800_000_000, 7)));
        let secret = store.get_secret(&token, GetOptions::default()).await.unwrap();
        assert_eq!(secret.value.content_type(), Some("text/plain"));
        let expires = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
        assert_eq!(secret.version.expires, Some(expires));
        store.restore_secret(&reference("restorable")).await.unwrap();
        assert_eq!(get(&store, "restorable").await.unwrap(), "later");
        let wrapped = WrappedKey::from_bytes(&std::fs::read(golden("wrapped-v1")).unwrap());
        let plain = store.unwrap_key(&wrapped.unwrap(), &context()).await.unwrap();
        assert_eq!(plain.expose_secret(), b"sixteen bytes it");
    });
}

#[test]
fn a_reader_written_from_the_documentation_reads_the_same() {
    check_by_hand(
        &std::fs::read(golden("store-v1")).unwrap(),
        &std::fs::read(golden("wrapped-v1")).unwrap(),
    );
}

#[test]
fn what_is_written_today_has_the_same_form() {
    let (file, wrapped) = make();
    check_by_hand(&file, &wrapped);
    assert_eq!(file.len(), std::fs::read(golden("store-v1")).unwrap().len());
}

fn check_by_hand(file: &[u8], wrapped: &[u8]) {
    let secrets = by_hand::read(file, PASSPHRASE.as_bytes());
    let values: Vec<_> = secrets.iter().map(|(name, value)| (name.as_str(), &value[..])).collect();
    assert_eq!(
        values[..4],
        [
            ("app/token 0", &b"first"[..]),
            ("app/token 1", b"second"),
            ("app/token 2", b"third"),
            ("restorable 0", b"later"),
        ]
    );
    assert_eq!(values[4..].iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["wrap 0", "wrap 1"]);
    let store = inspect(file).unwrap().store;
    let plain = by_hand::unwrap(store.as_bytes(), &secrets["wrap 0"], wrapped);
    assert_eq!(plain, b"sixteen bytes it");
}

/// The second reader. It knows the documentation, not the code.
mod by_hand {
    use super::*;

    struct Bytes<'a>(&'a [u8]);

    impl<'a> Bytes<'a> {
        fn take(&mut self, len: usize) -> &'a [u8] {
            let (taken, rest) = self.0.split_at(len);
            self.0 = rest;
            taken
        }

        fn number(&mut self, len: usize) -> usize {
            self.take(len).iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
        }

        fn count(&mut self) -> usize {
            let byte = self.number(1);
            if byte < 128 { byte } else { byte - 128 + 128 * self.count() }
        }

        fn text(&mut self) -> String {
            let len = self.count();
            String::from_utf8(self.take(len).to_vec()).unwrap()
        }

        fn big_endian_part(&mut self) -> &'a [u8] {
            let len = self.take(4).iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
            self.take(len)
        }
    }

    fn expand(salt: &[u8], input: &[u8], label: &str) -> [u8; 32] {
        let mut out = [0; 32];
        let info = format!("mainstay store v1 {label}");
        Hkdf::<Sha256>::new(Some(salt), input).expand(info.as_bytes(), &mut out).unwrap();
        out
    }

    fn open(key: &[u8], nonce: &[u8], aad: &[u8], sealed: &[u8]) -> Vec<u8> {
        let (cipher, tag) = sealed.split_at(sealed.len() - 16);
        let mut plain = cipher.to_vec();
        let (nonce, tag): (&[u8; 24], &[u8; 16]) =
            (nonce.try_into().unwrap(), tag.try_into().unwrap());
        XChaCha20Poly1305::new_from_slice(key)
            .unwrap()
            .decrypt_inout_detached(nonce.into(), aad, plain.as_mut_slice().into(), tag.into())
            .unwrap();
        plain
    }

    fn parts(parts: &[&[u8]]) -> Vec<u8> {
        let part = |part: &&[u8]| [&(part.len() as u32).to_le_bytes()[..], part].concat();
        parts.iter().flat_map(part).collect()
    }

    fn data_key(slot: &mut Bytes<'_>, store: &[u8], passphrase: &[u8]) -> Vec<u8> {
        let (number, kind) = (slot.take(4), slot.take(1));
        assert_eq!((kind[0], slot.number(3)), (1, 0));
        assert_eq!(slot.number(4), 12 + 16 + 32 + 24 + 48);
        let costs = slot.take(12);
        let mut cost = Bytes(costs);
        let mut cost = || cost.number(4) as u32;
        let (memory, passes, lanes) = (cost(), cost(), cost());
        let params = Params::new(memory, passes, lanes, Some(32)).unwrap();
        let (salt, commitment) = (slot.take(16), slot.take(32));
        let mut stretched = [0; 32];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase, salt, &mut stretched)
            .unwrap();
        assert_eq!(expand(salt, &stretched, "slot commitment"), commitment);
        let fields = [number, kind, costs, salt, commitment].concat();
        let aad = parts(&[b"mainstay slot 1", store, &fields]);
        open(&expand(salt, &stretched, "slot key"), slot.take(24), &aad, slot.take(48))
    }

    /// A file whose index was opened.
    struct Opened<'a> {
        store: &'a [u8],
        data_key: Vec<u8>,
        records: &'a [u8],
        index: Vec<u8>,
    }

    fn open_file<'a>(file: &'a [u8], passphrase: &[u8]) -> Opened<'a> {
        let mut header = Bytes(file);
        assert_eq!(header.take(8), b"\x89MNST\r\n\x1a");
        assert_eq!((header.number(2), header.number(2)), (1, 1));
        let header_len = header.number(4);
        let (store, commitment) = (header.take(16), header.take(32));
        let (records_len, index_len) = (header.number(8), header.number(8));
        let nonce = header.take(24);
        assert_eq!(header_len + records_len + index_len, file.len());
        let data_key = data_key(&mut header, store, passphrase);
        assert_eq!(expand(store, &data_key, "commitment"), commitment);
        let aad = parts(&[b"mainstay index 1", &file[..header_len]]);
        let index = &file[header_len + records_len..];
        let index = open(&expand(store, &data_key, "index"), nonce, &aad, index);
        Opened { store, data_key, records: &file[header_len..header_len + records_len], index }
    }

    pub(super) fn lasting_key(file: &[u8]) -> Vec<u8> {
        open_file(file, PASSPHRASE.as_bytes()).index[12..44].to_vec()
    }

    /// Every value, by name and place of the version.
    pub(super) fn read(file: &[u8], passphrase: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let opened = open_file(file, passphrase);
        let (store, data_key) = (opened.store, opened.data_key);
        let mut records = records(&opened.index);
        records.sort_by_key(|record| record.serial);
        let key = expand(store, &data_key, "records");
        let mut rest = Bytes(opened.records);
        let mut values = BTreeMap::new();
        for record in records {
            let aad = [&[record.kind], store, &record.version, record.name.as_bytes()].concat();
            let value = open(&key, rest.take(24), &aad, rest.take(record.len + 16));
            values.insert(format!("{} {}", record.name, record.place), value);
        }
        assert!(rest.0.is_empty());
        values
    }

    struct Record {
        kind: u8,
        name: String,
        place: usize,
        version: Vec<u8>,
        serial: usize,
        len: usize,
    }

    fn records(index: &[u8]) -> Vec<Record> {
        let mut index = Bytes(index);
        assert_eq!(index.number(4), 0, "restores");
        assert_eq!(index.number(8), 10, "writes");
        index.take(32 + 8 + 12);
        let mut records = Vec::new();
        for kind in [1, 2] {
            for _ in 0..index.count() {
                entry(&mut index, kind, &mut records);
            }
        }
        assert!(index.0.is_empty());
        records
    }

    fn entry(index: &mut Bytes<'_>, kind: u8, records: &mut Vec<Record>) {
        let name = index.text();
        let flags = index.number(1);
        let has = |bit: usize| flags & bit != 0;
        index.take(12 + 12 + 8);
        for bit in [1, 2] {
            index.take(if has(bit) { 12 } else { 0 });
        }
        if has(4) {
            index.text();
        }
        let tags = if has(8) { index.count() } else { 0 };
        for _ in 0..2 * tags {
            index.text();
        }
        for bit in [16, 32, 64] {
            if has(bit) {
                index.count();
            }
        }
        for place in 0..index.count() {
            let version = index.take(16).to_vec();
            index.take(12);
            let flags = index.number(1);
            if flags & 3 != 2 {
                let (serial, len) = (index.count(), index.count());
                records.push(Record { kind, name: name.clone(), place, version, serial, len });
            }
            if flags & 4 != 0 {
                index.text();
            }
            index.take(if flags & 8 != 0 { 12 } else { 0 });
            index.take(if flags & 16 != 0 { 12 } else { 0 });
            index.take(if flags & 32 != 0 { 64 } else { 0 });
        }
    }

    pub(super) fn unwrap(store: &[u8], key: &[u8], wrapped: &[u8]) -> Vec<u8> {
        let mut wrapped = Bytes(wrapped);
        assert_eq!(wrapped.number(1), 1);
        let (name, version) = (wrapped.big_endian_part(), wrapped.big_endian_part());
        let version: Vec<u8> = (0..16)
            .map(|at| {
                let digits = std::str::from_utf8(&version[2 * at..2 * at + 2]).unwrap();
                u8::from_str_radix(digits, 16).unwrap()
            })
            .collect();
        let mut body = Bytes(wrapped.big_endian_part());
        assert_eq!(body.number(1), 1);
        assert_eq!(body.take(32), expand(store, key, "wrapping commitment"));
        // One fact: its number, then name and value, each after its length, big-endian.
        let context = b"\x01\0\0\0\x01\0\0\0\x06tenant\0\0\0\x04acme";
        let aad = parts(&[b"mainstay wrapped key 1", store, name, &version, context]);
        open(&expand(store, key, "wrapping key"), body.take(24), &aad, body.0)
    }
}

#[test]
fn a_mark_is_what_the_documentation_says() {
    block_on(async {
        let place = Place::new();
        let state = place.file("state");
        std::fs::create_dir(&state).unwrap();
        std::fs::copy(golden("store-v1"), place.path()).unwrap();
        let store = FileStore::at(place.path()).state_folder(&state);
        let store = store.open(passphrase(PASSPHRASE)).await.unwrap();
        let mark = std::fs::read(state.join(format!("{}.mark", store.store_id()))).unwrap();
        let file = std::fs::read(place.path()).unwrap();
        let (fields, code) = mark.split_at(mark.len() - 32);
        let expected = [
            b"\x89MNSH\r\n\x1a\x01\0",
            &file[16..32],
            &0_u32.to_le_bytes(),
            &10_u64.to_le_bytes(),
            &file[80..104],
        ]
        .concat();
        assert_eq!(fields, expected);
        let mut mac =
            <Hmac<Sha256> as KeyInit>::new_from_slice(&by_hand::lasting_key(&file)).unwrap();
        for part in [&b"mainstay mark 1"[..], fields] {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        assert_eq!(mac.finalize().into_bytes()[..], *code);
    });
}

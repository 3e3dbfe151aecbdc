//! Files that were damaged, cut, mixed or forged: each is a typed error that names the part.

use std::path::{Path, PathBuf};

use secrets_core::{ErrorKind, GetOptions, KeyRef, SecretProvider, VersionSelector};
use secrets_local::store::{
    FileStore, KeyFile, StoreErrorKind, Verification, inspect, inspect_file, verify_bytes,
};

use super::support::{Place, block_on, cheap, get, open, passphrase, reference, set, value};

/// Opens the file and reads all of it.
async fn read_all(path: &Path, key: &KeyFile) -> Result<Verification, StoreErrorKind> {
    let store = FileStore::at(path).open(key.clone()).await.map_err(|error| error.kind())?;
    store.verify().await.map_err(|error| error.kind())
}

/// The same of bytes in memory: both ways in must answer alike.
async fn read_bytes(bytes: &[u8], key: &KeyFile) -> Result<Verification, StoreErrorKind> {
    verify_bytes(bytes.into(), key.clone()).await.map_err(|error| error.kind())
}

/// A store with several secrets, versions and a wrapping key; its bytes.
async fn sample(place: &Place) -> Vec<u8> {
    let store = place.create().await;
    for (name, text) in [("a", "first"), ("a", "second"), ("b", "other"), ("empty/not", "x")] {
        set(&store, name, text).await;
    }
    store.create_wrapping_key(&KeyRef::new("wrap").unwrap()).await.unwrap();
    std::fs::read(place.path()).unwrap()
}

fn write(place: &Place, bytes: &[u8]) -> PathBuf {
    let path = place.file("forged");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn truncated_at_each_byte() {
    block_on(async {
        let place = Place::new();
        let bytes = sample(&place).await;
        for len in 0..bytes.len() {
            let path = write(&place, &bytes[..len]);
            let error = read_all(&path, &place.key).await.unwrap_err();
            let expected =
                if len == 0 { StoreErrorKind::NotAStore } else { StoreErrorKind::Integrity };
            assert_eq!(error, expected, "cut to {len} of {}", bytes.len());
            assert_eq!(inspect(&bytes[..len]).unwrap_err().kind(), expected);
            assert_eq!(read_bytes(&bytes[..len], &place.key).await.unwrap_err(), expected);
        }
    });
}

#[test]
fn extended() {
    block_on(async {
        let place = Place::new();
        let mut bytes = sample(&place).await;
        for more in [1, 16, 4096] {
            bytes.resize(bytes.len() + more, 0);
            let path = write(&place, &bytes);
            let error = read_all(&path, &place.key).await.unwrap_err();
            assert_eq!(error, StoreErrorKind::Integrity);
        }
    });
}

/// Where the parts of a file begin.
struct Parts {
    records: usize,
    index: usize,
}

fn parts(bytes: &[u8]) -> Parts {
    let inspection = inspect(bytes).unwrap();
    let records = usize::try_from(inspection.header_len).unwrap();
    Parts { records, index: records + usize::try_from(inspection.records_len).unwrap() }
}

#[test]
fn a_flipped_bit_anywhere_is_found() {
    block_on(async {
        let place = Place::new();
        let bytes = sample(&place).await;
        let parts = parts(&bytes);
        for at in 0..bytes.len() {
            // One bit of each byte, another from byte to byte; all eight in the header.
            let bits: Vec<u32> =
                if at < parts.records { (0..8).collect() } else { vec![at as u32 % 8] };
            for bit in bits {
                let mut forged = bytes.clone();
                forged[at] ^= 1 << bit;
                let path = write(&place, &forged);
                check_flip(&parts, at, read_all(&path, &place.key).await);
                check_flip(&parts, at, read_bytes(&forged, &place.key).await);
            }
        }
    });
}

fn check_flip(parts: &Parts, at: usize, found: Result<Verification, StoreErrorKind>) {
    use StoreErrorKind::{Integrity, NewerFormat, NotAStore, OutOfBounds, WrongKey};
    if (parts.records..parts.index).contains(&at) {
        let verification = found.expect("a damaged record leaves the others readable");
        assert_eq!(verification.damaged.len(), 1, "byte {at}");
        assert_eq!(verification.damaged[0].kind(), Integrity);
        return;
    }
    let kind = found.expect_err("a flipped bit outside of the records");
    let expected: &[StoreErrorKind] = match at {
        0..8 => &[NotAStore],
        8..10 => &[NewerFormat, Integrity],
        // The numbers of slots and lengths.
        10..16 | 64..80 => &[Integrity, OutOfBounds],
        // The store's id is part of what a slot's key is sealed with, as is its salt.
        16..104 => &[Integrity],
        _ if at < parts.records => &[Integrity, WrongKey, OutOfBounds],
        _ => &[Integrity],
    };
    assert!(expected.contains(&kind), "byte {at}: {kind:?}");
}

#[test]
fn the_commitment_is_compared_before_anything_is_opened() {
    block_on(async {
        let place = Place::new();
        let mut bytes = sample(&place).await;
        bytes[32] ^= 1;
        let path = write(&place, &bytes);
        let error = FileStore::at(&path).open(place.key.clone()).await.unwrap_err();
        assert!(error.to_string().contains("commits to another data key"), "{error}");
    });
}

#[test]
fn a_damaged_record_is_an_error_at_its_read_and_no_other() {
    block_on(async {
        let place = Place::new();
        let bytes = sample(&place).await;
        let parts = parts(&bytes);
        let mut forged = bytes.clone();
        forged[parts.records + 30] ^= 1;
        let store = open(&write(&place, &forged), &place.key).await;
        assert_eq!(get(&store, "a").await.unwrap(), "second");
        let previous = GetOptions::version(VersionSelector::Previous);
        let error = store.get_secret(&reference("a"), previous).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity);
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("secret `a`, version"), "{source}");
    });
}

#[test]
fn records_cannot_trade_places() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        for (name, text) in [("a", "one"), ("a", "two"), ("b", "six")] {
            set(&store, name, text).await;
        }
        let bytes = std::fs::read(place.path()).unwrap();
        let parts = parts(&bytes);
        let len = 40 + 3;
        assert_eq!(parts.index - parts.records, 3 * len);
        let record = |at: usize| parts.records + at * len..parts.records + (at + 1) * len;
        // Versions of one secret; then secrets.
        for (from, to) in [(0, 1), (1, 0), (1, 2), (2, 1)] {
            let mut forged = bytes.clone();
            forged.copy_within(record(from), record(to).start);
            let verification = read_all(&write(&place, &forged), &place.key).await.unwrap();
            assert_eq!(verification.damaged.len(), 1, "{from} over {to}");
        }
    });
}

#[test]
fn records_of_another_store_with_the_same_key_file_do_not_open() {
    block_on(async {
        let place = Place::new();
        let mut files = Vec::new();
        for store in ["one", "two"] {
            let path = place.file(store);
            let store = FileStore::at(&path).create(place.key.clone()).await.unwrap();
            set(&store, "a", "value").await;
            files.push(std::fs::read(&path).unwrap());
        }
        let (mut forged, parts) = (files[0].clone(), parts(&files[0]));
        let records = parts.records..parts.index;
        forged[records.clone()].copy_from_slice(&files[1][records]);
        let verification = read_all(&write(&place, &forged), &place.key).await.unwrap();
        assert_eq!(verification.damaged.len(), 1);
        // The index of the other store does not fit the header either.
        let mut forged = files[0].clone();
        forged[parts.index..].copy_from_slice(&files[1][parts.index..]);
        let error = read_all(&write(&place, &forged), &place.key).await.unwrap_err();
        assert_eq!(error, StoreErrorKind::Integrity);
    });
}

#[test]
fn an_older_record_does_not_stand_for_a_newer_one() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        set(&store, "a", "old").await;
        let older = std::fs::read(place.path()).unwrap();
        store.delete_secret(&reference("a"), secrets_core::DeleteMode::Immediate).await.unwrap();
        set(&store, "a", "new").await;
        let newer = std::fs::read(place.path()).unwrap();
        let parts = parts(&newer);
        let mut forged = newer.clone();
        forged[parts.records..parts.index].copy_from_slice(&older[parts.records..parts.index]);
        let store = open(&write(&place, &forged), &place.key).await;
        assert_eq!(get(&store, "a").await.unwrap_err().kind(), ErrorKind::Integrity);
    });
}

#[test]
fn a_slot_of_an_older_file_does_not_fit_a_newer_one() {
    block_on(async {
        let place = Place::new();
        let store = FileStore::at(place.path())
            .passphrase_cost(cheap())
            .create(passphrase("old"))
            .await
            .unwrap();
        let older = std::fs::read(place.path()).unwrap();
        let slot = store.slots()[0].id;
        store.replace_slot(slot, passphrase("new")).await.unwrap();
        let mut forged = std::fs::read(place.path()).unwrap();
        let slots = 104..parts(&forged).records;
        forged[slots.clone()].copy_from_slice(&older[slots]);
        let path = write(&place, &forged);
        let error = FileStore::at(&path).open(passphrase("old")).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Integrity);
    });
}

#[test]
fn hostile_numbers_are_refused_before_anything_is_allocated() {
    block_on(async {
        let place = Place::new();
        let store =
            FileStore::at(place.path()).passphrase_cost(cheap()).create(passphrase("p")).await;
        drop(store.unwrap());
        let bytes = std::fs::read(place.path()).unwrap();
        let forge = |at: usize, number: &[u8]| {
            let mut forged = bytes.clone();
            forged[at..at + number.len()].copy_from_slice(number);
            write(&place, &forged)
        };
        let refused = async |path: PathBuf| {
            let error = FileStore::at(path).open(passphrase("p")).await.unwrap_err();
            (error.kind(), error.to_string())
        };
        // Argon2 parameters that ask for 1 TB, for 2^32 - 1 passes, for as many lanes.
        let cost = 104 + 12;
        for at in [cost, cost + 4, cost + 8] {
            let (kind, message) = refused(forge(at, &(1_u32 << 30).to_le_bytes())).await;
            assert_eq!(kind, StoreErrorKind::OutOfBounds, "{message}");
            assert!(message.contains("Argon2id"), "{message}");
        }
        for (at, number) in [
            (10, u16::MAX.to_le_bytes().to_vec()),
            (12, u32::MAX.to_le_bytes().to_vec()),
            (12, 0_u32.to_le_bytes().to_vec()),
        ] {
            assert_eq!(refused(forge(at, &number)).await.0, StoreErrorKind::OutOfBounds);
        }
        for at in [64, 72, 112] {
            let number = vec![0xff; if at == 112 { 4 } else { 8 }];
            assert_eq!(refused(forge(at, &number)).await.0, StoreErrorKind::Integrity);
        }
    });
}

#[test]
fn a_sparse_file_of_a_terabyte_does_not_fill_the_memory() {
    block_on(async {
        let place = Place::new();
        let mut bytes = sample(&place).await;
        let header = u64::try_from(parts(&bytes).records).unwrap();
        let len: u64 = 1 << 40;
        bytes[64..72].copy_from_slice(&0_u64.to_le_bytes());
        bytes[72..80].copy_from_slice(&(len - header).to_le_bytes());
        let path = write(&place, &bytes);
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(len).unwrap();
        let error = FileStore::at(&path).open(place.key.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::OutOfBounds);
        assert!(error.to_string().contains("an index of"), "refused before a try: {error}");
    });
}

#[test]
fn a_newer_format_says_so() {
    block_on(async {
        let place = Place::new();
        let mut bytes = sample(&place).await;
        bytes[8..10].copy_from_slice(&2_u16.to_le_bytes());
        let path = write(&place, &bytes);
        let error = inspect_file(&path).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NewerFormat);
        assert_eq!(read_all(&path, &place.key).await.unwrap_err(), StoreErrorKind::NewerFormat);
    });
}

#[test]
fn a_running_process_notices_a_file_that_was_damaged_under_it() {
    block_on(async {
        let place = Place::new();
        let bytes = sample(&place).await;
        let store = place.open().await;
        let mut forged = bytes.clone();
        *forged.last_mut().unwrap() ^= 1;
        std::fs::write(place.path(), &forged).unwrap();
        assert_eq!(get(&store, "a").await.unwrap_err().kind(), ErrorKind::Integrity);
        // Writing would replace the evidence by the state in memory: it is refused as well.
        let write = store.set_secret(&reference("a"), value("x"), Default::default()).await;
        assert_eq!(write.unwrap_err().kind(), ErrorKind::Integrity);
        std::fs::write(place.path(), &bytes).unwrap();
        assert_eq!(get(&store, "a").await.unwrap(), "second");
    });
}

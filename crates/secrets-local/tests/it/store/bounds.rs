//! Limits on what a file, a clock or a caller can make the store do.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::future::join;
use secrets_core::{
    DeleteMode, ErrorKind, KeyProvider, KeyRef, ManualClock, SecretProvider, WrapContext,
};
use secrets_local::store::{
    Entropy, Environment, FileStore, OsEntropy, PassphraseCost, Rekey, StoreErrorKind, inspect,
};

use super::support::{Place, block_on, cheap, get, passphrase, reference, set};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn another_store_of_the_same_key_is_refused_where_one_is_demanded() {
    block_on(async {
        let place = Place::new();
        let ours = place.create().await.store_id();
        let demanded = || FileStore::at(place.path()).store_id(ours);
        demanded().open(place.key.clone()).await.unwrap();
        drop(FileStore::at(place.file("other")).create(place.key.clone()).await.unwrap());
        std::fs::rename(place.file("other"), place.path()).unwrap();
        let error = demanded().open(place.key.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Integrity);
        std::fs::remove_file(place.path()).unwrap();
        let error = demanded().open_or_create(place.key.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NotFound);
        assert!(!place.path().exists());
    });
}

/// A store with a clock, in which the secret `a` was just deleted for 30 days.
async fn with_a_deleted_secret(place: &Place, noon: SystemTime) -> (FileStore, ManualClock) {
    let clock = ManualClock::at(noon);
    let environment = Environment { clock: Arc::new(clock.clone()), ..Environment::system() };
    let store = FileStore::at(place.path()).environment(environment);
    let store = store.create(place.key.clone()).await.unwrap();
    set(&store, "a", "precious").await;
    let window = Some(30 * DAY);
    store.delete_secret(&reference("a"), DeleteMode::Recoverable { window }).await.unwrap();
    (store, clock)
}

fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

#[test]
fn a_clock_that_jumps_ahead_for_some_days_purges_nothing() {
    block_on(async {
        let place = Place::new();
        let (store, clock) = with_a_deleted_secret(&place, noon()).await;
        // Ahead, for many writes, twice.
        for jump in [365 * DAY, 20 * 365 * DAY] {
            for n in 0..24 {
                clock.set(noon() + jump + n * DAY / 4);
                set(&store, "unrelated", "x").await;
                assert_eq!(get(&store, "a").await.unwrap_err().kind(), ErrorKind::NotFound);
            }
            clock.set(noon() + DAY);
            set(&store, "unrelated", "x").await;
            let info = store.describe_secret(&reference("a")).await.unwrap();
            assert_eq!(info.updated, Some(noon()), "no trace is left of the jump");
        }
        store.restore_secret(&reference("a")).await.unwrap();
        assert_eq!(get(&store, "a").await.unwrap(), "precious");
    });
}

#[test]
fn a_deleted_secret_leaves_the_file_a_week_after_its_window_was_seen_to_have_passed() {
    block_on(async {
        let place = Place::new();
        let (store, clock) = with_a_deleted_secret(&place, noon()).await;
        let secrets = async |after: Duration| {
            clock.set(noon() + after);
            set(&store, "unrelated", "x").await;
            store.verify().await.unwrap().secrets
        };
        assert_eq!(secrets(29 * DAY).await, 2);
        assert_eq!(secrets(40 * DAY).await, 2, "seen for the first time");
        assert_eq!(secrets(47 * DAY - Duration::from_nanos(1)).await, 2);
        assert_eq!(secrets(47 * DAY).await, 1);
    });
}

#[test]
fn what_waits_to_leave_the_file_can_be_purged() {
    block_on(async {
        let place = Place::new();
        let (store, clock) = with_a_deleted_secret(&place, noon()).await;
        clock.set(noon() + 31 * DAY);
        set(&store, "unrelated", "x").await;
        assert_eq!(store.verify().await.unwrap().secrets, 2);
        store.purge_secret(&reference("a")).await.unwrap();
        assert_eq!(store.verify().await.unwrap().secrets, 1);
        let again = store.purge_secret(&reference("a")).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::NotFound);
    });
}

#[test]
fn the_costs_of_all_passphrases_together_have_a_bound() {
    block_on(async {
        let place = Place::new();
        let store = FileStore::at(place.path()).passphrase_cost(cheap());
        let store = store.create(passphrase("p")).await.unwrap();
        store.add_slot(passphrase("q")).await.unwrap();
        drop(store);
        let costs = |memory: u32, passes: u32| {
            let mut bytes = memory.to_le_bytes().to_vec();
            bytes.extend(passes.to_le_bytes());
            bytes
        };
        let cheap = costs(cheap().memory_kib(), cheap().passes());
        // As a forger would raise them, each within its bounds.
        let high = PassphraseCost::MAXIMUM;
        let high = costs(high.memory_kib(), high.passes() / 2 + 1);
        let mut forged = std::fs::read(place.path()).unwrap();
        for at in 0..forged.len() - 8 {
            if forged[at..at + 8] == cheap {
                forged[at..at + 8].copy_from_slice(&high);
            }
        }
        std::fs::write(place.path(), &forged).unwrap();
        let error = FileStore::at(place.path()).open(passphrase("p")).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::OutOfBounds);
        assert!(error.to_string().contains("together"), "{error}");
    });
}

#[test]
fn no_interval_is_too_short_for_the_stream_of_changes() {
    block_on(async {
        let place = Place::new();
        let store = FileStore::at(place.path()).poll_interval(Duration::ZERO);
        let store = store.create(place.key.clone()).await.unwrap();
        let mut changes = store.changes().unwrap();
        let (hint, _) = join(changes.next(), set(&place.open().await, "a", "1")).await;
        assert!(hint.is_some());
    });
}

/// Notes what it gave.
#[derive(Debug, Default)]
struct Noting(Mutex<Vec<Vec<u8>>>);

impl Entropy for Noting {
    fn fill(&self, buffer: &mut [u8]) -> io::Result<()> {
        OsEntropy.fill(buffer)?;
        self.0.lock().unwrap().push(buffer.to_vec());
        Ok(())
    }
}

impl Noting {
    fn of_len(&self, len: usize) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().iter().filter(|bytes| bytes.len() == len).cloned().collect()
    }
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn every_nonce_and_salt_in_the_file_is_fresh() {
    block_on(async {
        let place = Place::new();
        let noting = Arc::new(Noting::default());
        let environment = Environment { entropy: noting.clone(), ..Environment::system() };
        let store = FileStore::at(place.path()).environment(environment);
        let store = store.create(place.key.clone()).await.unwrap();
        store.add_slot(place.key.clone()).await.unwrap();
        for name in ["a", "b", "c"] {
            set(&store, name, "same").await;
        }
        let file = std::fs::read(place.path()).unwrap();
        // Nonces have 24 bytes: of the index, of two slots, of three records.
        let nonces = noting.of_len(24).into_iter().filter(|nonce| holds(&file, nonce));
        assert_eq!(nonces.collect::<HashSet<_>>().len(), 6);
        // Salts have 16 bytes, as the id of the store.
        let header = usize::try_from(inspect(&file).unwrap().header_len).unwrap();
        let salts = noting.of_len(16).into_iter().filter(|salt| holds(&file[..header], salt));
        assert_eq!(salts.collect::<HashSet<_>>().len(), 3);

        // A rekey seals everything under fresh nonces.
        let old = noting.of_len(24);
        store.rekey(Rekey::new().keep(place.key.clone())).await.unwrap();
        let file = std::fs::read(place.path()).unwrap();
        assert!(!old.iter().any(|nonce| holds(&file, nonce)));

        let (key, context) = (KeyRef::new("k").unwrap(), WrapContext::new());
        store.create_wrapping_key(&key).await.unwrap();
        let data_key = secrets_core::DataKey::from_boxed(Box::new([1; 32]));
        for _ in 0..2 {
            let before = noting.of_len(24).len();
            let wrapped = store.wrap_key(&key, &data_key, &context).await.unwrap();
            let fresh = &noting.of_len(24)[before..];
            assert_eq!(fresh.len(), 1);
            assert!(holds(&wrapped.ciphertext, &fresh[0]));
        }
    });
}

#[test]
fn a_header_that_commits_to_another_key_is_told_apart() {
    block_on(async {
        let place = Place::new();
        drop(place.create().await);
        let mut bad = std::fs::read(place.path()).unwrap();
        // Within the commitment, which begins behind the store's id.
        bad[40] ^= 1;
        std::fs::write(place.path(), &bad).unwrap();
        let error = FileStore::at(place.path()).open(place.key.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Integrity);
        assert!(error.to_string().contains("commits to another data key"), "{error}");
    });
}

#[test]
fn an_index_of_gibibytes_is_refused_before_it_is_read() {
    block_on(async {
        let place = Place::new();
        drop(place.create().await);
        let mut bytes = std::fs::read(place.path()).unwrap();
        let header = inspect(&bytes).unwrap();
        // A sparse file makes a length cheap; the index's stands at byte 72.
        let claimed: u64 = (1 << 29) + 1;
        bytes[72..80].copy_from_slice(&claimed.to_le_bytes());
        std::fs::write(place.path(), &bytes).unwrap();
        let file = std::fs::File::options().write(true).open(place.path()).unwrap();
        file.set_len(header.header_len + header.records_len + claimed).unwrap();
        let error = FileStore::at(place.path()).open(place.key.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::OutOfBounds);
    });
}

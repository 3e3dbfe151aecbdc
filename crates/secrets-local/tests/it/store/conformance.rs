//! The conformance suite of the contract.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secrets_core::conformance::{
    self, ClockHand, Harness, KeyHarness, KeyRotator, Outcome, PlainReader, PlainWriter, RunId,
};
use secrets_core::{
    DeleteMode, ErrorKind, KeyProvider, KeyRef, ManualClock, Result, SecretName, SecretProvider,
    SecretRef, SecretValue, async_trait,
};
use secrets_local::store::{Environment, FileStore};

use super::support::{Place, block_on};

struct StoreHarness {
    run: RunId,
    clock: ManualClock,
    store: FileStore,
    /// Another open store on the same file, as another process has it.
    outside: FileStore,
}

impl StoreHarness {
    async fn new(place: &Place) -> Self {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let clock = ManualClock::at(start);
        let environment = Environment { clock: Arc::new(clock.clone()), ..Environment::system() };
        let at = || {
            FileStore::at(place.path())
                .environment(environment.clone())
                .poll_interval(Duration::from_millis(20))
        };
        let store = at().create(place.key.clone()).await.unwrap();
        let outside = at().open(place.key.clone()).await.unwrap();
        Self { run: RunId::random(), clock, store, outside }
    }
}

#[async_trait]
impl Harness for StoreHarness {
    fn provider(&self) -> Arc<dyn SecretProvider> {
        Arc::new(self.store.clone())
    }

    fn run_id(&self) -> &RunId {
        &self.run
    }

    async fn sleep(&self, time: Duration) {
        self.clock.advance(time);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    async fn time_limit(&self) {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }

    fn plain_reader(&self) -> Option<&dyn PlainReader> {
        Some(self)
    }

    fn plain_writer(&self) -> Option<&dyn PlainWriter> {
        Some(self)
    }

    fn clock(&self) -> Option<&dyn ClockHand> {
        Some(self)
    }

    /// Every name in a store is the form of a neutral name, though the rules, which only know an
    /// alphabet, cannot say so: there is nothing foreign to list.
    fn holds_foreign(&self) -> bool {
        false
    }
}

/// The store's own names are the neutral ones.
fn at(native: &str) -> Result<SecretRef> {
    Ok(SecretRef::from(SecretName::new(native)?))
}

#[async_trait]
impl PlainReader for StoreHarness {
    async fn read(&self, native: &str) -> Result<Option<SecretValue>> {
        let gone = [ErrorKind::NotFound, ErrorKind::PendingDeletion];
        match self.outside.get_secret(&at(native)?, Default::default()).await {
            Ok(secret) => Ok(Some(secret.value)),
            Err(error) if gone.contains(&error.kind()) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl PlainWriter for StoreHarness {
    async fn write(&self, native: &str, value: SecretValue) -> Result<()> {
        self.outside.set_secret(&at(native)?, value, Default::default()).await.map(drop)
    }

    async fn remove(&self, native: &str) -> Result<()> {
        let name = at(native)?;
        match self.outside.delete_secret(&name, DeleteMode::Immediate).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl ClockHand for StoreHarness {
    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

#[test]
fn the_store_conforms_to_the_contract() {
    block_on(async {
        let place = Place::new();
        let harness = StoreHarness::new(&place).await;
        let report = conformance::run(&harness).await;
        let passed = report.outcome("listing.no-foreign") == Some(&Outcome::Passed);
        assert!(passed, "{report}");
        report.into_result().unwrap();
        assert!(harness.store.verify().await.unwrap().is_sound());
    });
}

struct Keys(FileStore);

impl KeyHarness for Keys {
    fn provider(&self) -> Arc<dyn KeyProvider> {
        Arc::new(self.0.clone())
    }

    fn title(&self) -> String {
        format!("{:?}", self.0)
    }

    fn key(&self) -> KeyRef {
        KeyRef::new("key").unwrap()
    }

    fn other_key(&self) -> KeyRef {
        KeyRef::new("other").unwrap()
    }

    fn unknown_key(&self) -> KeyRef {
        KeyRef::new("unknown").unwrap()
    }

    fn rotator(&self) -> Option<&dyn KeyRotator> {
        Some(self)
    }
}

#[async_trait]
impl KeyRotator for Keys {
    async fn rotate(&self, key: &KeyRef) -> Result<()> {
        self.0.rotate_wrapping_key(key).await.map(drop)
    }
}

#[test]
fn the_store_conforms_to_the_contract_of_key_providers() {
    block_on(async {
        let place = Place::new();
        let keys = Keys(place.create().await);
        keys.0.create_wrapping_key(&keys.key()).await.unwrap();
        keys.0.create_wrapping_key(&keys.other_key()).await.unwrap();
        conformance::run_keys(&keys).await.into_result().unwrap();
    });
}

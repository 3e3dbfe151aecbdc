//! Key slots: adding, replacing, removing, and a new data key.

use std::sync::{Arc, Mutex};

use secrets_core::{
    DataKey, ErrorKind, KeyCapabilities, KeyLen, KeyProvider, KeyRef, ProviderId, Result,
    WrapContext, WrappedKey, async_trait,
};
use secrets_local::store::{
    FileStore, KeyFile, Passphrase, PassphraseCost, Rekey, SlotId, SlotKind, StoreErrorKind,
    Unlock, inspect_file,
};

use super::support::{Place, block_on, cheap, get, passphrase, set};

async fn opens(
    place: &Place,
    unlock: impl Into<Unlock>,
) -> std::result::Result<String, StoreErrorKind> {
    let store = FileStore::at(place.path()).open(unlock).await.map_err(|error| error.kind())?;
    Ok(get(&store, "a").await.unwrap())
}

fn other_key(place: &Place) -> KeyFile {
    KeyFile::generate(place.file("other-key")).unwrap()
}

#[test]
fn every_slot_opens_the_store_and_a_removed_one_does_not() {
    block_on(async {
        let place = Place::new();
        let store =
            FileStore::at(place.path()).passphrase_cost(cheap()).create(place.key.clone()).await;
        let store = store.unwrap();
        set(&store, "a", "1").await;
        let other = other_key(&place);
        let second = store.add_slot(other.clone()).await.unwrap();
        let third = store.add_slot(passphrase("p")).await.unwrap();
        assert_eq!((second.number(), third.number()), (2, 3));
        assert_eq!(opens(&place, place.key.clone()).await.unwrap(), "1");
        assert_eq!(opens(&place, other.clone()).await.unwrap(), "1");
        assert_eq!(opens(&place, passphrase("p")).await.unwrap(), "1");

        store.remove_slot(second).await.unwrap();
        assert_eq!(opens(&place, other).await.unwrap_err(), StoreErrorKind::WrongKey);
        let kinds: Vec<_> =
            inspect_file(place.path()).unwrap().slots.into_iter().map(|slot| slot.kind).collect();
        assert_eq!(kinds, [SlotKind::KeyFile, SlotKind::Passphrase { cost: cheap() }]);
        store.remove_slot(third).await.unwrap();
        let last = store.slots()[0].id;
        let error = store.remove_slot(last).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Slot);
        let error = store.remove_slot(SlotId::new(77)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Slot);
        assert_eq!(opens(&place, place.key.clone()).await.unwrap(), "1");
    });
}

#[test]
fn changing_a_passphrase_rewraps_and_seals_no_record_anew() {
    block_on(async {
        let place = Place::new();
        let store =
            FileStore::at(place.path()).passphrase_cost(cheap()).create(passphrase("old")).await;
        let store = store.unwrap();
        set(&store, "a", "1").await;
        let records = |inspection: &secrets_local::store::Inspection, bytes: &[u8]| {
            let begin = usize::try_from(inspection.header_len).unwrap();
            bytes[begin..begin + usize::try_from(inspection.records_len).unwrap()].to_vec()
        };
        let read = || {
            let bytes = std::fs::read(place.path()).unwrap();
            records(&secrets_local::store::inspect(&bytes).unwrap(), &bytes)
        };
        let before = read();
        store.replace_slot(store.slots()[0].id, passphrase("new")).await.unwrap();
        assert!(before == read());
        assert_eq!(opens(&place, passphrase("old")).await.unwrap_err(), StoreErrorKind::WrongKey);
        assert_eq!(opens(&place, passphrase("new")).await.unwrap(), "1");
        store.rekey(Rekey::new().keep(passphrase("new"))).await.unwrap();
        assert!(before != read());
        assert_eq!(opens(&place, passphrase("new")).await.unwrap(), "1");
    });
}

#[test]
fn a_new_data_key_wants_every_slot_named() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        set(&store, "a", "1").await;
        let other = other_key(&place);
        let second = store.add_slot(other.clone()).await.unwrap();
        let before = std::fs::read(place.path()).unwrap();
        for plan in [
            Rekey::new(),
            Rekey::new().keep(place.key.clone()),
            Rekey::new().drop_slot(SlotId::new(1)).drop_slot(second),
        ] {
            let error = store.rekey(plan).await.unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Slot);
            assert!(before == std::fs::read(place.path()).unwrap());
        }
        store.rekey(Rekey::new().keep(place.key.clone()).drop_slot(second)).await.unwrap();
        assert_eq!(opens(&place, place.key.clone()).await.unwrap(), "1");
        assert_eq!(opens(&place, other).await.unwrap_err(), StoreErrorKind::WrongKey);
        assert!(store.verify().await.unwrap().is_sound());
    });
}

#[test]
fn running_processes_follow_a_new_data_key_by_their_own_slot() {
    block_on(async {
        let place = Place::new();
        let first = FileStore::at(place.path()).passphrase_cost(cheap());
        let first = first.create(place.key.clone()).await.unwrap();
        set(&first, "a", "1").await;
        let dropped = other_key(&place);
        let slot = first.add_slot(dropped.clone()).await.unwrap();
        first.add_slot(passphrase("p")).await.unwrap();
        let by_passphrase = FileStore::at(place.path()).open(passphrase("p")).await.unwrap();
        let by_dropped = FileStore::at(place.path()).open(dropped).await.unwrap();

        let plan = Rekey::new().keep(place.key.clone()).keep(passphrase("p")).drop_slot(slot);
        first.rekey(plan).await.unwrap();
        set(&first, "a", "2").await;
        assert_eq!(get(&by_passphrase, "a").await.unwrap(), "2");
        set(&by_passphrase, "a", "3").await;
        assert_eq!(get(&first, "a").await.unwrap(), "3");
        let error = get(&by_dropped, "a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    });
}

#[test]
fn a_store_opens_by_the_key_of_another_store_and_follows_its_rekey() {
    block_on(async {
        let place = Place::new();
        let vault = FileStore::at(place.file("vault")).create(place.key.clone()).await.unwrap();
        let key = KeyRef::new("app").unwrap();
        vault.create_wrapping_key(&key).await.unwrap();
        let unlock = Unlock::Provider { provider: Arc::new(vault.clone()), key: key.clone() };
        let store = FileStore::at(place.path()).create(unlock.clone()).await.unwrap();
        set(&store, "a", "1").await;
        let running = FileStore::at(place.path()).open(unlock.clone()).await.unwrap();

        vault.rotate_wrapping_key(&key).await.unwrap();
        store.rekey(Rekey::new().keep(unlock.clone())).await.unwrap();
        set(&store, "a", "2").await;
        assert_eq!(get(&running, "a").await.unwrap(), "2");
        assert_eq!(opens(&place, unlock).await.unwrap(), "2");

        let error = opens(&place, place.key.clone()).await.unwrap_err();
        assert_eq!(error, StoreErrorKind::WrongKey);
        let provider = Arc::new(vault);
        let strange = Unlock::Provider { provider, key: KeyRef::new("other").unwrap() };
        assert_eq!(opens(&place, strange).await.unwrap_err(), StoreErrorKind::WrongKey);
    });
}

#[test]
fn there_are_32_slots_at_most() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        for _ in 1..32 {
            store.add_slot(place.key.clone()).await.unwrap();
        }
        let error = store.add_slot(place.key.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Slot);
        assert_eq!(place.open().await.slots().len(), 32);
    });
}

#[test]
fn costs_of_passphrases_have_bounds() {
    let (min, max) = (PassphraseCost::MINIMUM, PassphraseCost::MAXIMUM);
    for (memory, passes, lanes) in [
        (min.memory_kib() - 1, min.passes(), min.lanes()),
        (min.memory_kib(), min.passes() - 1, min.lanes()),
        (min.memory_kib(), min.passes(), 0),
        (max.memory_kib() + 1, min.passes(), min.lanes()),
        (min.memory_kib(), max.passes() + 1, min.lanes()),
        (min.memory_kib(), min.passes(), max.lanes() + 1),
        (u32::MAX, u32::MAX, u32::MAX),
    ] {
        let error = PassphraseCost::new(memory, passes, lanes).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::OutOfBounds);
    }
    let default = PassphraseCost::default();
    assert_eq!((default.memory_kib(), default.passes(), default.lanes()), (65_536, 3, 4));
    let error = Passphrase::from_string(String::new()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::OutOfBounds);
}

/// A key service that changes the data key of a store, once, before it answers.
#[derive(Debug)]
struct Meddler {
    vault: FileStore,
    store: FileStore,
    plan: Mutex<Option<Rekey>>,
}

impl Meddler {
    async fn meddle(&self) {
        let plan = self.plan.lock().unwrap().take();
        if let Some(plan) = plan {
            self.store.rekey(plan).await.unwrap();
        }
    }
}

#[async_trait]
impl KeyProvider for Meddler {
    fn key_provider_id(&self) -> &ProviderId {
        self.vault.key_provider_id()
    }

    fn key_capabilities(&self) -> &KeyCapabilities {
        self.vault.key_capabilities()
    }

    async fn generate_data_key(
        &self,
        key: &KeyRef,
        len: KeyLen,
        context: &WrapContext,
    ) -> Result<(DataKey, WrappedKey)> {
        self.vault.generate_data_key(key, len, context).await
    }

    async fn wrap_key(&self, k: &KeyRef, d: &DataKey, context: &WrapContext) -> Result<WrappedKey> {
        self.meddle().await;
        self.vault.wrap_key(k, d, context).await
    }

    async fn unwrap_key(&self, wrapped: &WrappedKey, context: &WrapContext) -> Result<DataKey> {
        self.meddle().await;
        self.vault.unwrap_key(wrapped, context).await
    }
}

#[test]
fn a_slot_is_not_made_for_a_data_key_that_was_replaced_meanwhile() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        set(&store, "a", "1").await;
        let key = KeyRef::new("app").unwrap();
        let vault = FileStore::at(place.file("vault")).create(place.key.clone()).await.unwrap();
        vault.create_wrapping_key(&key).await.unwrap();
        let plan = Rekey::new().keep(place.key.clone());
        let (vault, plan) = (vault.clone(), Mutex::new(Some(plan)));
        let provider = Arc::new(Meddler { vault, store: place.open().await, plan });
        let unlock = Unlock::Provider { provider, key };
        let error = store.add_slot(unlock.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Busy);
        assert_eq!(store.slots().len(), 1);
        store.add_slot(unlock.clone()).await.unwrap();
        assert_eq!(opens(&place, unlock).await.unwrap(), "1");
    });
}

#[test]
fn opening_begins_anew_when_the_data_key_is_replaced_meanwhile() {
    block_on(async {
        let place = Place::new();
        let key = KeyRef::new("app").unwrap();
        let vault = FileStore::at(place.file("vault")).create(place.key.clone()).await.unwrap();
        vault.create_wrapping_key(&key).await.unwrap();
        let honest = Unlock::Provider { provider: Arc::new(vault.clone()), key: key.clone() };
        let store = FileStore::at(place.path()).create(honest.clone()).await.unwrap();
        set(&store, "a", "1").await;
        let plan = Mutex::new(Some(Rekey::new().keep(honest)));
        let provider = Arc::new(Meddler { vault, store, plan });
        assert_eq!(opens(&place, Unlock::Provider { provider, key }).await.unwrap(), "1");
    });
}

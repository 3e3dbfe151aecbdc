//! The store as a key provider.

use secrets_core::{
    DataKey, ErrorKind, KeyLen, KeyProvider, KeyRef, VersionId, VersionState, WrapContext,
    WrappedKey, WrappingVersion,
};
use secrets_local::store::Rekey;

use super::support::{Place, block_on, passphrase};

fn key(text: &str) -> KeyRef {
    KeyRef::new(text).unwrap()
}

fn context(tenant: &str) -> WrapContext {
    WrapContext::new().with("tenant", tenant).unwrap()
}

#[test]
fn what_was_wrapped_opens_in_its_context_only() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        store.create_wrapping_key(&key("app")).await.unwrap();
        for len in [KeyLen::Bits128, KeyLen::Bits256, KeyLen::Bits512] {
            let (plain, wrapped) =
                store.generate_data_key(&key("app"), len, &context("acme")).await.unwrap();
            assert_eq!(plain.expose_secret().len(), len.bytes());
            let opened = store.unwrap_key(&wrapped, &context("acme")).await.unwrap();
            assert_eq!(opened.expose_secret(), plain.expose_secret());
            for other in [context("other"), WrapContext::new()] {
                let error = store.unwrap_key(&wrapped, &other).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Integrity);
            }
        }
        let error = store
            .generate_data_key(&key("absent"), KeyLen::Bits256, &context("acme"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = store.create_wrapping_key(&key("app")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    });
}

#[test]
fn every_changed_byte_of_a_wrapped_key_is_found() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        for name in ["app", "other"] {
            store.create_wrapping_key(&key(name)).await.unwrap();
        }
        let plain = DataKey::from_boxed(Box::new([9; 32]));
        let wrapped = store.wrap_key(&key("app"), &plain, &context("acme")).await.unwrap();
        let refused = async |wrapped: WrappedKey| {
            store.unwrap_key(&wrapped, &context("acme")).await.unwrap_err().kind()
        };
        for at in 0..wrapped.ciphertext.len() {
            let mut forged = wrapped.clone();
            forged.ciphertext[at] ^= 1;
            assert_eq!(refused(forged).await, ErrorKind::Integrity, "byte {at}");
            let mut cut = wrapped.clone();
            cut.ciphertext.truncate(at);
            assert_eq!(refused(cut).await, ErrorKind::Integrity, "cut to {at}");
        }
        let mut renamed = wrapped.clone();
        renamed.key = key("other");
        assert_eq!(refused(renamed).await, ErrorKind::NotFound);
        let mut unversioned = wrapped.clone();
        unversioned.version = None;
        assert_eq!(refused(unversioned).await, ErrorKind::Integrity);
    });
}

#[test]
fn older_versions_open_what_they_wrapped_until_they_are_destroyed() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        let first = store.create_wrapping_key(&key("app")).await.unwrap();
        let plain = DataKey::from_boxed(Box::new([9; 32]));
        let old = store.wrap_key(&key("app"), &plain, &context("acme")).await.unwrap();
        let second = store.rotate_wrapping_key(&key("app")).await.unwrap();
        assert_eq!(old.version, Some(first.clone()));
        store.unwrap_key(&old, &context("acme")).await.unwrap();
        let new = store.rewrap_key(&old, &key("app"), &context("acme")).await.unwrap();
        assert_eq!(new.version, Some(second));
        let version = async |wrapped: &WrappedKey| {
            store.wrapping_version(wrapped).await.map_err(|error| error.kind())
        };
        assert_eq!(version(&old).await, Ok(WrappingVersion::Superseded));
        assert_eq!(version(&new).await, Ok(WrappingVersion::Current));
        let named = |id: &str| {
            let id = Some(VersionId::new(id).unwrap());
            WrappedKey::new(new.key.clone(), id, new.ciphertext.clone())
        };
        assert_eq!(version(&named("no-version-of-ours")).await, Err(ErrorKind::Integrity));
        let foreign = "0".repeat(old.version.as_ref().unwrap().as_str().len());
        assert_eq!(version(&named(&foreign)).await, Err(ErrorKind::NotFound));

        let state = async |state| {
            store.set_wrapping_key_state(&key("app"), &first, state).await.unwrap();
            let opened = store.unwrap_key(&old, &context("acme")).await;
            opened.map(|_| ()).map_err(|error| error.kind())
        };
        assert_eq!(state(VersionState::Disabled).await, Err(ErrorKind::Disabled));
        assert_eq!(state(VersionState::Enabled).await, Ok(()));
        assert_eq!(state(VersionState::Destroyed).await, Err(ErrorKind::Destroyed));
        assert_eq!(version(&old).await, Ok(WrappingVersion::Superseded));
        let opened = store.unwrap_key(&new, &context("acme")).await.unwrap();
        assert_eq!(opened.expose_secret(), plain.expose_secret());
    });
}

#[test]
fn a_new_data_key_and_a_new_passphrase_lose_no_wrapped_key() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        store.create_wrapping_key(&key("app")).await.unwrap();
        let mut wrapped = Vec::new();
        for _ in 0..3 {
            let (name, context) = (key("app"), context("acme"));
            let made = store.generate_data_key(&name, KeyLen::Bits256, &context).await;
            wrapped.push(made.unwrap());
            store.rotate_wrapping_key(&key("app")).await.unwrap();
        }
        store.rekey(Rekey::new().keep(place.key.clone())).await.unwrap();
        let slot = store.add_slot(passphrase("p")).await.unwrap();
        store.rekey(Rekey::new().keep(place.key.clone()).drop_slot(slot)).await.unwrap();
        let store = place.open().await;
        for (plain, wrapped) in wrapped {
            let opened = store.unwrap_key(&wrapped, &context("acme")).await.unwrap();
            assert_eq!(opened.expose_secret(), plain.expose_secret());
        }
        assert_eq!(store.wrapping_keys().await.unwrap(), [key("app")]);
        assert_eq!(store.wrapping_key_versions(&key("app")).await.unwrap().len(), 4);
    });
}

#[test]
fn a_wrapping_key_is_not_a_secret_of_the_same_name() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        store.create_wrapping_key(&key("app")).await.unwrap();
        let error = super::support::get(&store, "app").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        super::support::set(&store, "app", "value").await;
        let plain = DataKey::from_boxed(Box::new([1; 16]));
        store.wrap_key(&key("app"), &plain, &context("acme")).await.unwrap();
    });
}

#[test]
fn keys_to_wrap_have_bounds() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        store.create_wrapping_key(&key("app")).await.unwrap();
        for len in [0, 4097] {
            let plain = DataKey::from_boxed(vec![0; len].into());
            let error = store.wrap_key(&key("app"), &plain, &context("acme")).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TooLarge, "{len} bytes");
        }
        let long = key(&"k".repeat(257));
        let error = store.create_wrapping_key(&long).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidName);
    });
}

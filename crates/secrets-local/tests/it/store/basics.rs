//! A store's life through its public face.

use std::time::Duration;

use secrets_core::{
    DeleteMode, Deleted, ErrorKind, Etag, GetOptions, IdempotencyKey, MetadataPatch, PageRequest,
    Precondition, SecretFilter, SecretProvider, SecretValue, SetOptions, VersionSelector,
    VersionState,
};
use secrets_local::store::FileStore;

use super::support::{Place, block_on, get, name, passphrase, reference, set, value};

#[test]
fn a_value_survives_closing_and_opening() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        set(&store, "db/password", "first").await;
        drop(store);
        let store = place.open().await;
        assert_eq!(get(&store, "db/password").await.unwrap(), "first");
        assert_eq!(get(&store, "db/other").await.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn the_default_passphrase_opens_the_store_and_another_does_not() {
    block_on(async {
        let place = Place::new();
        let store = FileStore::at(place.path()).create(passphrase("correct horse")).await.unwrap();
        set(&store, "a", "1").await;
        let store = FileStore::at(place.path()).open(passphrase("correct horse")).await.unwrap();
        assert_eq!(get(&store, "a").await.unwrap(), "1");
        let error = FileStore::at(place.path()).open(passphrase("wrong")).await.unwrap_err();
        assert_eq!(error.kind(), secrets_local::store::StoreErrorKind::WrongKey);
    });
}

#[test]
fn writing_moves_the_labels() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        let first = set(&store, "a", "1").await;
        let second = set(&store, "a", "2").await;
        let pending =
            store.set_secret(&reference("a"), value("3"), SetOptions::pending()).await.unwrap();
        let read = async |selector| {
            let secret = store.get_secret(&reference("a"), GetOptions::version(selector)).await?;
            secret.value.expose_secret_text().map(str::to_owned)
        };
        assert_eq!(read(VersionSelector::Current).await.unwrap(), "2");
        assert_eq!(read(VersionSelector::Previous).await.unwrap(), "1");
        assert_eq!(read(VersionSelector::Pending).await.unwrap(), "3");
        assert_eq!(read(VersionSelector::Id(first.id.clone())).await.unwrap(), "1");

        let token = IdempotencyKey::from_random([1; 16]);
        let refused =
            store.promote(&reference("a"), &pending.id, &first.id, &token).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict);
        for _ in 0..2 {
            let promoted =
                store.promote(&reference("a"), &pending.id, &second.id, &token).await.unwrap();
            assert_eq!(promoted.current, pending.id);
            assert_eq!(promoted.previous, Some(second.id.clone()));
        }
        assert_eq!(read(VersionSelector::Current).await.unwrap(), "3");
        assert_eq!(read(VersionSelector::Previous).await.unwrap(), "2");
        let none = read(VersionSelector::Pending).await.unwrap_err();
        assert_eq!(none.kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_token_makes_a_write_repeatable_across_rekey_and_reopening() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        let token = || SetOptions::new().with_token(IdempotencyKey::from_random([7; 16]));
        let first = store.set_secret(&reference("a"), value("1"), token()).await.unwrap();
        let generation = store.generation();
        let again = store.set_secret(&reference("a"), value("1"), token()).await.unwrap();
        assert_eq!(first.id, again.id);
        assert_eq!(store.generation(), generation, "nothing was written");

        let plan = secrets_local::store::Rekey::new().keep(place.key.clone());
        store.rekey(plan).await.unwrap();
        let store = place.open().await;
        let again = store.set_secret(&reference("a"), value("1"), token()).await.unwrap();
        assert_eq!(first.id, again.id);
        let other = store.set_secret(&reference("a"), value("2"), token()).await.unwrap_err();
        assert_eq!(other.kind(), ErrorKind::Conflict);
    });
}

#[test]
fn preconditions_are_enforced() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        let at = reference("a");
        let when = |precondition| SetOptions::new().when(precondition);
        let first = store.set_secret(&at, value("1"), when(Precondition::Absent)).await.unwrap();
        let error =
            store.set_secret(&at, value("2"), when(Precondition::Absent)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        let current = |id| when(Precondition::CurrentIs(id));
        let second = store.set_secret(&at, value("2"), current(first.id.clone())).await.unwrap();
        let error = store.set_secret(&at, value("3"), current(first.id)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);

        let etag = store.describe_secret(&at).await.unwrap().etag.unwrap();
        let patch = || MetadataPatch::new().tag("team", "billing");
        let guard = || Precondition::Etag(etag.clone());
        store.update_metadata(&at, None, patch(), guard()).await.unwrap();
        let error = store.update_metadata(&at, None, patch(), guard()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let version = Precondition::Etag(Etag::Version("x".into()));
        let error = store.update_metadata(&at, None, patch(), version).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(store.describe_secret(&at).await.unwrap().current, Some(second.id));
    });
}

#[test]
fn a_deleted_secret_can_be_restored_until_it_is_purged() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        let at = reference("a");
        set(&store, "a", "1").await;
        let window = Some(Duration::from_secs(60));
        let deleted = store.delete_secret(&at, DeleteMode::Recoverable { window }).await.unwrap();
        let Deleted::Recoverable(deletion) = deleted else { panic!("not recoverable") };
        assert_eq!(deletion.purge_at, Some(deletion.deleted + Duration::from_secs(60)));
        for error in [
            get(&store, "a").await.unwrap_err(),
            store.set_secret(&at, value("2"), SetOptions::new()).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::PendingDeletion);
        }
        let page = store.list_secrets(&SecretFilter::all(), PageRequest::first()).await.unwrap();
        assert!(page.items.is_empty());
        store.restore_secret(&at).await.unwrap();
        assert_eq!(get(&store, "a").await.unwrap(), "1");
        assert_eq!(store.purge_secret(&at).await.unwrap_err().kind(), ErrorKind::NotFound);
        store.delete_secret(&at, DeleteMode::Recoverable { window }).await.unwrap();
        store.purge_secret(&at).await.unwrap();
        assert_eq!(store.describe_secret(&at).await.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn states_of_versions() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        let at = reference("a");
        let version = set(&store, "a", "1").await.id;
        let mut kinds = Vec::new();
        for state in [VersionState::Disabled, VersionState::Enabled, VersionState::Destroyed] {
            store.set_version_state(&at, &version, state).await.unwrap();
            kinds.push(get(&store, "a").await.map_err(|error| error.kind()));
        }
        assert_eq!(
            kinds,
            [Err(ErrorKind::Disabled), Ok("1".to_owned()), Err(ErrorKind::Destroyed)]
        );
        let error =
            store.set_version_state(&at, &version, VersionState::Enabled).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Destroyed);
    });
}

#[test]
fn a_destroyed_value_leaves_the_file() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        set(&store, "other", "x").await;
        let empty = std::fs::metadata(place.path()).unwrap().len();
        let long = SecretValue::from_vec(vec![b'v'; 100_000]);
        let version = store.set_secret(&reference("a"), long, SetOptions::new()).await.unwrap();
        let full = std::fs::metadata(place.path()).unwrap().len();
        assert!(full > empty + 100_000);
        store
            .set_version_state(&reference("a"), &version.id, VersionState::Destroyed)
            .await
            .unwrap();
        let after = std::fs::metadata(place.path()).unwrap().len();
        assert!(after < empty + 200, "{after} bytes are left of {full}");
        assert_eq!(get(&store, "other").await.unwrap(), "x");
    });
}

#[test]
fn listing_pages_through_all_names_in_order() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        let secrets = (0..25).map(|n| (name(&format!("s/{n:02}")), value("v"))).collect();
        store.set_secrets(secrets).await.unwrap();
        assert_eq!(store.generation().writes(), 2, "one write for all");
        let mut page = PageRequest::first().with_limit(10.try_into().unwrap());
        let mut names = Vec::new();
        loop {
            let found =
                store.list_secrets(&SecretFilter::prefix("s/"), page.clone()).await.unwrap();
            names.extend(found.items.iter().map(|info| info.reference.to_string()));
            match found.next {
                Some(token) => page.token = Some(token),
                None => break,
            }
        }
        let expected: Vec<_> = (0..25).map(|n| format!("s/{n:02}")).collect();
        assert_eq!(names, expected);
        let foreign = PageRequest::after(secrets_core::PageToken::new("foreign"));
        let error = store.list_secrets(&SecretFilter::all(), foreign).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue);
    });
}

#[test]
fn values_have_bounds() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        let put = async |bytes: Vec<u8>| {
            let value = SecretValue::from_vec(bytes.clone());
            store.set_secret(&reference("a"), value, SetOptions::new()).await?;
            let secret = store.get_secret(&reference("a"), Default::default()).await?;
            assert!(secret.value.expose_secret() == bytes);
            Ok::<_, secrets_core::Error>(())
        };
        put(vec![0]).await.unwrap();
        put(vec![0xff; 1 << 20]).await.unwrap();
        let error = put(vec![1; (1 << 20) + 1]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    });
}

#[test]
fn what_is_replaced_leaves_nothing_behind() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        for text in ["one", "two"] {
            store
                .set_secrets(vec![(name("a"), value(text)), (name("b"), value(text))])
                .await
                .unwrap();
        }
        let writes = store.generation().writes();
        let changes = vec![(name("a"), Some(value("three"))), (name("b"), None), (name("c"), None)];
        store.replace_secrets(changes).await.unwrap();
        assert_eq!(store.generation().writes(), writes + 1, "one write for all");
        assert_eq!(get(&store, "a").await.unwrap(), "three");
        let versions = store.list_versions(&reference("a"), PageRequest::first()).await.unwrap();
        assert_eq!(versions.items.len(), 1);
        assert_eq!(get(&store, "b").await.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(store.verify().await.unwrap().is_sound());

        // All of them, or none.
        let long = SecretValue::from_vec(vec![1; (1 << 20) + 1]);
        let changes = vec![(name("a"), None), (name("d"), Some(long))];
        assert_eq!(store.replace_secrets(changes).await.unwrap_err().kind(), ErrorKind::TooLarge);
        assert_eq!(get(&store, "a").await.unwrap(), "three");
    });
}

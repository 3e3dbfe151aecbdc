//! What is kept, for how long, by which clock; and hints at changes.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::time::{Duration, SystemTime};

use futures_util::{FutureExt, StreamExt};
use secrets_core::{
    DeleteMode, ErrorKind, GetOptions, ManualClock, PageRequest, SecretProvider, SetOptions,
    VersionInfo, VersionSelector,
};
use secrets_local::store::{Environment, FileStore, StoreBuilder, StoreErrorKind};

use super::support::{Place, block_on, get, name, passphrase, reference, set, value};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn at_noon() -> ManualClock {
    ManualClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000))
}

fn clocked(place: &Place, clock: &ManualClock) -> StoreBuilder {
    let clock = Arc::new(clock.clone());
    FileStore::at(place.path()).environment(Environment { clock, ..Environment::system() })
}

async fn versions(store: &FileStore, name: &str) -> Vec<VersionInfo> {
    store.list_versions(&reference(name), PageRequest::first()).await.unwrap().items
}

#[test]
fn versions_without_a_label_are_kept_up_to_a_number() {
    block_on(async {
        let place = Place::new();
        let store = FileStore::at(place.path()).unlabelled_versions(2.try_into().unwrap());
        let store = store.create(place.key.clone()).await.unwrap();
        let mut ids = Vec::new();
        for n in 0..6 {
            ids.push(set(&store, "a", &n.to_string()).await.id);
        }
        let pending = store.set_secret(&reference("a"), value("p"), SetOptions::pending()).await;
        ids.push(pending.unwrap().id);
        // Current, previous and pending besides the two.
        let kept: Vec<_> = versions(&store, "a").await.into_iter().map(|info| info.id).collect();
        assert_eq!(kept, ids[2..]);
        assert!(store.verify().await.unwrap().is_sound());
    });
}

#[test]
fn a_label_keeps_its_version_however_old() {
    block_on(async {
        let place = Place::new();
        let store = FileStore::at(place.path()).unlabelled_versions(1.try_into().unwrap());
        let store = store.create(place.key.clone()).await.unwrap();
        set(&store, "a", "previous").await;
        set(&store, "a", "current").await;
        for n in 0..5 {
            let waiting = value(&n.to_string());
            store.set_secret(&reference("a"), waiting, SetOptions::pending()).await.unwrap();
        }
        assert_eq!(versions(&store, "a").await.len(), 4);
        assert_eq!(get(&store, "a").await.unwrap(), "current");
        let previous = GetOptions::version(VersionSelector::Previous);
        let secret = store.get_secret(&reference("a"), previous).await.unwrap();
        assert_eq!(secret.value.expose_secret(), b"previous");
    });
}

#[test]
fn twenty_versions_without_a_label_are_kept_otherwise() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        for n in 0..25 {
            set(&store, "a", &n.to_string()).await;
        }
        assert_eq!(versions(&store, "a").await.len(), 22);
    });
}

#[test]
fn a_deleted_secret_is_gone_when_its_window_ends() {
    block_on(async {
        let place = Place::new();
        let clock = at_noon();
        let store = clocked(&place, &clock).deletion_window(DAY).create(place.key.clone()).await;
        let store = store.unwrap();
        set(&store, "a", "1").await;
        set(&store, "b", "1").await;
        store
            .delete_secret(&reference("a"), DeleteMode::Recoverable { window: None })
            .await
            .unwrap();
        clock.advance(DAY - Duration::from_nanos(1));
        assert_eq!(get(&store, "a").await.unwrap_err().kind(), ErrorKind::PendingDeletion);
        clock.advance(Duration::from_nanos(1));
        for error in [
            get(&store, "a").await.unwrap_err(),
            store.restore_secret(&reference("a")).await.unwrap_err(),
            store.describe_secret(&reference("a")).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
        // A write that sees it so, and one a week later, take it out of the file.
        set(&store, "b", "1").await;
        clock.advance(7 * DAY);
        let before = std::fs::metadata(place.path()).unwrap().len();
        set(&store, "b", "2").await;
        assert_eq!(store.verify().await.unwrap().secrets, 1);
        assert!(std::fs::metadata(place.path()).unwrap().len() < before + 100);
        set(&store, "a", "new").await;
        assert_eq!(versions(&store, "a").await.len(), 1);
    });
}

#[test]
fn a_clock_that_jumps_back_changes_no_order() {
    block_on(async {
        let place = Place::new();
        let clock = at_noon();
        let store = clocked(&place, &clock).create(place.key.clone()).await.unwrap();
        let first = set(&store, "a", "1").await;
        clock.set(SystemTime::UNIX_EPOCH);
        let second = set(&store, "a", "2").await;
        assert!(second.created < first.created);
        assert_eq!(get(&store, "a").await.unwrap(), "2");
        let ids: Vec<_> = versions(&store, "a").await.into_iter().map(|info| info.id).collect();
        assert_eq!(ids, [first.id, second.id]);
        store
            .delete_secret(&reference("a"), DeleteMode::Recoverable { window: None })
            .await
            .unwrap();
        clock.advance(60 * 365 * DAY);
        assert_eq!(get(&store, "a").await.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_window_that_no_time_can_hold_is_refused() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        set(&store, "a", "1").await;
        let mode = DeleteMode::Recoverable { window: Some(Duration::MAX) };
        let error = store.delete_secret(&reference("a"), mode).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue);
        assert_eq!(get(&store, "a").await.unwrap(), "1");
    });
}

#[test]
fn open_or_create_makes_a_store_once() {
    block_on(async {
        let place = Place::new();
        for expected in [1, 2, 3] {
            let store =
                FileStore::at(place.path()).open_or_create(place.key.clone()).await.unwrap();
            assert_eq!(store.generation().writes(), expected);
            set(&store, "a", "1").await;
        }
        let wrong = FileStore::at(place.path()).open_or_create(passphrase("p")).await.unwrap_err();
        assert_eq!(wrong.kind(), StoreErrorKind::WrongKey);
    });
}

fn watched(place: &Place) -> StoreBuilder {
    FileStore::at(place.path()).poll_interval(Duration::from_millis(5))
}

#[test]
fn hints_name_what_changed() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        for name in ["a", "b", "c"] {
            set(&store, name, "1").await;
        }
        let watcher = watched(&place).open(place.key.clone()).await.unwrap();
        let mut changes = watcher.changes().unwrap();
        set(&store, "b", "2").await;
        store.delete_secret(&reference("c"), DeleteMode::Immediate).await.unwrap();
        set(&store, "d", "1").await;
        let mut hinted = Vec::new();
        while hinted.len() < 3 {
            hinted.push(changes.next().await.unwrap().reference.unwrap().to_string());
        }
        hinted.sort();
        assert_eq!(hinted, ["b", "c", "d"]);
        assert!(changes.next().now_or_never().is_none());
    });
}

#[test]
fn hints_need_no_timers_and_no_runtime() {
    let without_timers = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let watched = async || {
        let place = Place::new();
        let store = place.create().await;
        let watcher = watched(&place).open(place.key.clone()).await.unwrap();
        let mut changes = watcher.changes().unwrap();
        assert!(changes.next().now_or_never().is_none());
        set(&store, "a", "1").await;
        changes.next().await.unwrap().reference
    };
    assert_eq!(without_timers.block_on(watched()), Some(reference("a")));
    assert_eq!(on_this_thread(watched()), Some(reference("a")));
}

/// Runs a future without a runtime.
fn on_this_thread<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[test]
fn one_hint_stands_for_many_changes() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        let watcher = watched(&place).open(place.key.clone()).await.unwrap();
        let mut changes = watcher.changes().unwrap();
        let many = (0..300).map(|n| (name(&n.to_string()), value("x"))).collect();
        store.set_secrets(many).await.unwrap();
        assert_eq!(changes.next().await.unwrap().reference, None);
        assert!(changes.next().now_or_never().is_none());
    });
}

#[test]
fn a_store_that_breaks_is_hinted_at_once_and_when_it_is_whole_again() {
    block_on(async {
        let place = Place::new();
        let store = place.create().await;
        set(&store, "a", "1").await;
        let whole = std::fs::read(place.path()).unwrap();
        let mut changes = watched(&place).open(place.key.clone()).await.unwrap().changes().unwrap();
        std::fs::write(place.path(), "broken").unwrap();
        assert_eq!(changes.next().await.unwrap().reference, None);
        let quiet = tokio::time::timeout(Duration::from_millis(100), changes.next()).await;
        assert!(quiet.is_err(), "told once");
        std::fs::write(place.path(), whole).unwrap();
        assert_eq!(changes.next().await.unwrap().reference, None);
    });
}

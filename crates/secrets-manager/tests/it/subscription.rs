//! Word of what changes in what handles hold.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use futures_util::{FutureExt, StreamExt};
use secrets_core::{Error, ErrorKind, Result, Secret, SecretName};
use secrets_manager::{
    Alias, ChangeNotice, HandleState, SecretChange, SecretChanges, SecretManager,
};

use crate::support::{
    NAME, Running, Scripted, Wall, absent, builder, noon, pass, reference, secs, settle,
    unavailable, version,
};

fn room(size: usize) -> NonZeroUsize {
    NonZeroUsize::new(size).unwrap()
}

/// What waits, in short: `billing/db v1>v2 fresh>stale`.
fn waiting(changes: &mut SecretChanges) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(notice) = changes.next().now_or_never() {
        found.push(match notice {
            Some(ChangeNotice::Change(change)) => short(&change),
            Some(ChangeNotice::Missed(missed)) => format!("missed {missed}"),
            other => panic!("{other:?}"),
        });
    }
    found
}

fn short(change: &SecretChange) -> String {
    let SecretChange { reference, from, to, before, after, .. } = change;
    format!("{reference} {from}>{to} {before:?}>{after:?}")
}

#[derive(Clone)]
struct Cloud(Arc<Mutex<Result<Secret>>>);

impl Cloud {
    fn new() -> (Self, Scripted) {
        let cloud = Self(Arc::new(Mutex::new(Ok(version("v1")))));
        let answer = cloud.clone();
        let provider = Scripted::new(move |_, _| {
            let answer = answer.0.lock().unwrap().clone();
            async { answer }
        });
        (cloud, provider)
    }

    fn answers(&self, answer: Result<Secret>) {
        *self.0.lock().unwrap() = answer;
    }
}

async fn ask(manager: &SecretManager) {
    manager.invalidate_all();
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn versions_and_states_of_what_is_held_are_told_in_order() {
    let (cloud, provider) = Cloud::new();
    let manager = builder(provider).clock(Arc::new(Wall::new())).build().unwrap();
    let _running = Running::start(&manager).await;
    let mut changes = manager.subscribe(room(100));
    let _handle = manager.handle(NAME).await.unwrap();
    manager.get("by/name").await.unwrap();
    assert!(waiting(&mut changes).is_empty(), "that a handle is taken is no change");

    cloud.answers(Ok(version("v2")));
    ask(&manager).await;
    let told = waiting(&mut changes);
    assert_eq!(told.last().unwrap(), "billing/db v1>v2 Stale>Fresh");
    cloud.answers(Err(unavailable()));
    pass(secs(101)).await;
    let notice = changes.next().now_or_never().unwrap().unwrap();
    let ChangeNotice::Change(change) = notice else { panic!("{notice:?}") };
    assert_eq!(short(&change), "billing/db v2>v2 Fresh>Stale");
    assert_eq!(change.error, Some(ErrorKind::Unavailable));
    assert!(!change.is_new);
    assert_eq!(change.provider.to_string(), "scripted:test");
    assert!(change.at >= noon() + secs(100));
    cloud.answers(Err(absent()));
    pass(secs(40)).await;
    cloud.answers(Ok(version("v3")));
    pass(secs(120)).await;
    let told = waiting(&mut changes);
    assert_eq!(told, ["billing/db v2>v2 Stale>Gone", "billing/db v2>v3 Gone>Fresh"]);
}

#[tokio::test(start_paused = true)]
async fn who_is_slow_is_told_how_many_it_missed() {
    let (cloud, provider) = Cloud::new();
    let manager = builder(provider).build().unwrap();
    let _handle = manager.handle(NAME).await.unwrap();
    let mut slow = manager.subscribe(room(2));
    let mut quick = manager.subscribe(room(100));
    for number in 2..=6 {
        cloud.answers(Ok(version(&format!("v{number}"))));
        manager.invalidate_all();
        manager.get(NAME).await.unwrap();
    }
    let all = waiting(&mut quick);
    let told = waiting(&mut slow);
    assert_eq!(told[0], format!("missed {}", all.len() - 2));
    assert_eq!(told[1..], all[all.len() - 2..], "the newest are kept");
    assert!(told.last().unwrap().contains("v5>v6"));
    assert!(waiting(&mut slow).is_empty());
}

#[tokio::test(start_paused = true)]
async fn aliases_are_told_by_their_own_names() {
    let (cloud, provider) = Cloud::new();
    let json = |id: &str| {
        let mut secret = version(id);
        secret.value = crate::support::value(&format!(r#"{{"field":"{id}"}}"#));
        Ok(secret)
    };
    cloud.answers(json("v1"));
    let alias = Alias::new(reference("target")).with_field("field");
    let builder = builder(provider).alias(SecretName::new("mine").unwrap(), alias);
    let manager = builder.build().unwrap();
    let (_mine, _target) =
        (manager.handle("mine").await.unwrap(), manager.handle("target").await.unwrap());
    let mut changes = manager.subscribe(room(100));
    cloud.answers(json("v2"));
    manager.invalidate_all();
    manager.get("target").await.unwrap();
    let mut told = waiting(&mut changes);
    told.retain(|change| change.contains("v1>v2"));
    told.sort();
    assert_eq!(told, ["mine v1>v2 Orphaned>Orphaned", "target v1>v2 Orphaned>Orphaned"]);
}

#[tokio::test(start_paused = true)]
async fn it_waits_wakes_and_ends_with_the_manager() {
    let (cloud, provider) = Cloud::new();
    let manager = builder(provider).build().unwrap();
    let running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    let changes = manager.subscribe(room(10));
    let waiter = tokio::spawn(changes.into_stream().collect::<Vec<_>>());
    settle().await;
    assert!(!waiter.is_finished());
    cloud.answers(Ok(version("v2")));
    ask(&manager).await;
    drop((manager, handle));
    pass(secs(2)).await;
    assert!(running.is_finished());
    let told = waiter.await.unwrap();
    let versions = told.iter().filter(|notice| match notice {
        ChangeNotice::Change(change) => change.is_new && change.after == HandleState::Fresh,
        _ => false,
    });
    assert_eq!(versions.count(), 1);
}

/// Nothing is lost when the future that waits is dropped, and one who left costs nothing.
#[tokio::test(start_paused = true)]
async fn waiting_is_cancel_safe_and_leaving_is_noticed() {
    let (cloud, provider) = Cloud::new();
    let manager = builder(provider).build().unwrap();
    let _handle = manager.handle(NAME).await.unwrap();
    let (mut changes, gone) = (manager.subscribe(room(10)), manager.subscribe(room(10)));
    for _ in 0..3 {
        assert!(tokio::time::timeout(secs(1), changes.next()).await.is_err());
    }
    drop(gone);
    cloud.answers(Ok(version("v2")));
    manager.invalidate_all();
    manager.get(NAME).await.unwrap();
    assert!(waiting(&mut changes).iter().any(|change| change.contains("v1>v2")));
}

#[test]
fn notices_hold_no_value() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (cloud, provider) = Cloud::new();
        let manager = builder(provider).build().unwrap();
        let _handle = manager.handle(NAME).await.unwrap();
        let mut changes = manager.subscribe(room(10));
        let mut secret = version("v2");
        secret.value = crate::support::value("canary-told-1b3f");
        cloud.answers(Ok(secret));
        manager.invalidate_all();
        manager.get(NAME).await.unwrap();
        cloud.answers(Err(Error::new(ErrorKind::Unavailable, "canary-told-1b3f")));
        manager.invalidate_all();
        let _ = manager.get(NAME).await;
        while let Some(notice) = changes.next().now_or_never() {
            assert!(!format!("{notice:?} {changes:?}").contains("canary"));
        }
    });
}

/// Handles go on showing the field that a version had: nothing becomes new of a version without it.
#[tokio::test(start_paused = true)]
async fn a_field_that_is_missed_is_told_once() {
    let (cloud, provider) = Cloud::new();
    let document = |id: &str, text: &str| {
        let mut secret = version(id);
        secret.value = crate::support::value(text);
        Ok(secret)
    };
    cloud.answers(document("v1", r#"{"field":"one"}"#));
    let alias = Alias::new(reference("target")).with_field("field");
    let builder = builder(provider).alias(SecretName::new("mine").unwrap(), alias);
    let manager = builder.build().unwrap();
    let mut mine = manager.handle("mine").await.unwrap();
    let mut changes = manager.subscribe(room(100));
    let mut told = async |answer| {
        cloud.answers(answer);
        manager.invalidate_all();
        manager.get("target").await.unwrap();
        let mut told = Vec::new();
        while let Some(Some(ChangeNotice::Change(change))) = changes.next().now_or_never() {
            told.push((short(&change), change.is_new));
        }
        told
    };
    let shown = |handle: &secrets_manager::SecretHandle| {
        crate::support::text(handle.load().secret().unwrap())
    };
    // Without a run future the state is one and the same.
    let unchanged: [(String, bool); 0] = [];
    for id in ["v2", "v3", "v4"] {
        assert_eq!(told(document(id, "{}")).await, unchanged, "{id}");
        assert_eq!((shown(&mine), mine.version().get()), ("one".to_owned(), 1), "{id}");
    }
    assert!(mine.changed().now_or_never().is_none());
    let back = told(document("v5", r#"{"field":"five"}"#)).await;
    assert_eq!(back, [("mine v1>v5 Orphaned>Orphaned".to_owned(), true)]);
    assert_eq!(shown(&mine), "five");
}

/// Wakers are foreign code.
struct Bad;

impl std::task::Wake for Bad {
    fn wake(self: Arc<Self>) {
        panic!("a waker that panics");
    }
}

/// Polls once with a waker that panics when it is called.
fn waits_badly(changes: &mut SecretChanges) -> impl Future<Output = Option<ChangeNotice>> + '_ {
    let mut next = Box::pin(changes.next());
    let waker = std::task::Waker::from(Arc::new(Bad));
    let polled = next.as_mut().poll(&mut std::task::Context::from_waker(&waker));
    assert!(polled.is_pending());
    next
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_keeps_nobody_else_waiting() {
    let (cloud, provider) = Cloud::new();
    let manager = builder(provider).clock(Arc::new(Wall::new())).build().unwrap();
    let _handle = manager.handle(NAME).await.unwrap();
    let (mut first, mut last) = (manager.subscribe(room(9)), manager.subscribe(room(9)));
    let mut bad = [manager.subscribe(room(9)), manager.subscribe(room(9))];
    let mut end = manager.subscribe(room(9));
    let [one, other] = &mut bad;
    let stuck = (waits_badly(one), waits_badly(other));
    let waiters = [
        tokio::spawn(async move { (first.next().await, first) }),
        tokio::spawn(async move { (last.next().await, last) }),
        tokio::spawn(async move { (end.next().await, end) }),
    ];
    settle().await;
    cloud.answers(Ok(version("v2")));
    ask(&manager).await;
    manager.get(NAME).await.unwrap();
    drop(stuck);
    let mut told = Vec::new();
    for waiter in waiters {
        let (notice, changes) = tokio::time::timeout(secs(1), waiter).await.unwrap().unwrap();
        assert!(matches!(notice, Some(ChangeNotice::Change(_))));
        told.push(changes);
    }

    // The same when the manager goes.
    told.iter_mut().for_each(|changes| drop(waiting(changes)));
    bad.iter_mut().for_each(|changes| drop(waiting(changes)));
    let [one, other] = &mut bad;
    let _stuck = (waits_badly(one), waits_badly(other));
    let waiters: Vec<_> = told
        .into_iter()
        .map(|mut changes| tokio::spawn(async move { changes.next().await }))
        .collect();
    settle().await;
    drop(manager);
    for waiter in waiters {
        assert_eq!(tokio::time::timeout(secs(1), waiter).await.unwrap().unwrap(), None);
    }
}

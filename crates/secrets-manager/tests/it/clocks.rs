//! Bounds of validity, and wall clocks that jump.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use secrets_core::{
    ErrorKind, GetOptions, Secret, SecretProvider, SecretRef, SecretState, VersionInfo,
};
use secrets_manager::{UnusableKind, ValidityPolicy};

use crate::support::{
    NAME, Running, Scripted, Wall, builder, clock, millis, noon, pass, policy, reference, secs,
    settle, text, version,
};

fn valid(from: Option<u64>, to: Option<u64>) -> Secret {
    let mut secret = version("v1");
    secret.version.not_before = from.map(|seconds| noon() + secs(seconds));
    secret.version.expires = to.map(|seconds| noon() + secs(seconds));
    secret
}

#[tokio::test(start_paused = true)]
async fn a_cached_value_expires() {
    let provider = Scripted::new(|_, _| async { Ok(valid(None, Some(50))) });
    let wall = Wall::new();
    let manager = builder(provider.clone()).clock(Arc::new(wall)).build().unwrap();
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    let native = secrets_core::NativeId::new("by-native").unwrap();
    pass(secs(49)).await;
    assert!(handle.load().is_fresh() && manager.try_get(NAME).is_some());
    pass(secs(2)).await;
    assert!(matches!(*handle.load(), SecretState::Invalid { .. }), "{:?}", handle.load());
    assert_eq!(handle.load_checked().unwrap_err().kind(), UnusableKind::Expired);
    assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::Expired);
    assert!(manager.try_get(NAME).is_none());
    let read = manager.cached().get_secret(&native.into(), GetOptions::default()).await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Expired);
    let ignoring = GetOptions::default().ignore_validity();
    let wanted = [GetOptions::default(), ignoring.clone()].map(|asked| (reference(NAME), asked));
    let many = manager.cached().get_secrets(&wanted).await.unwrap();
    assert_eq!(many[0].as_ref().unwrap_err().kind(), ErrorKind::Expired);
    assert!(many[1].is_ok());
    assert!(manager.cached().get_secret(&reference(NAME), ignoring).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_newer_version_is_looked_for_before_and_when_a_value_expires() {
    // It is asked for at 0, and when two thirds of what was left have passed.
    let provider = Scripted::new(|call, _| async move {
        if call < 2 { Ok(valid(None, Some(50))) } else { Ok(version("v2")) }
    });
    let manager = builder(provider.clone()).clock(Arc::new(Wall::new())).build().unwrap();
    let _running = Running::start(&manager).await;
    let mut handle = manager.handle(NAME).await.unwrap();
    let begun = tokio::time::Instant::now();
    let state = handle.changed().await.unwrap();
    assert_eq!((text(state.secret().unwrap()).as_str(), begun.elapsed().as_secs()), ("v2", 33));

    let provider = Scripted::new(|call, _| async move {
        if call < 3 { Ok(valid(None, Some(50))) } else { Ok(version("v2")) }
    });
    let manager = builder(provider.clone()).clock(Arc::new(Wall::new())).build().unwrap();
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    pass(secs(50)).await;
    settle().await;
    assert_eq!(text(handle.load().secret().unwrap()), "v2");
    assert!(provider.calls() <= 4);
}

/// However short the life of a version is beside the time to live, it is renewed ahead of its end.
#[tokio::test(start_paused = true)]
async fn short_lives_are_renewed_ahead_and_not_over_and_over() {
    for life in [9, 30, 90, 900] {
        let provider = Scripted::new(move |call, _| async move {
            let mut secret = version(&format!("v{}", call.div_ceil(2)));
            // Asked for once more, each version is as old as it was.
            let issued = call.div_ceil(2) - 1;
            secret.version.expires = Some(noon() + secs(10_000 * issued + life));
            Ok(secret)
        });
        let wall = Wall::new();
        let manager = builder(provider.clone()).clock(Arc::new(wall.clone())).build().unwrap();
        let _running = Running::start(&manager).await;
        let _handle = manager.handle(NAME).await.unwrap();
        pass(secs(life - 1)).await;
        let calls = provider.calls();
        assert!((2..=12).contains(&calls), "{calls} calls in {life} seconds");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_run_future_an_expired_value_is_asked_for_once_more() {
    let provider = Scripted::new(|_, _| async { Ok(valid(None, Some(50))) });
    let manager = builder(provider.clone()).clock(Arc::new(Wall::new())).build().unwrap();
    assert!(manager.get(NAME).await.is_ok());
    pass(secs(51)).await;
    for _ in 0..100 {
        assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::Expired);
    }
    assert_eq!(provider.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_not_valid_yet_becomes_valid_in_time() {
    let provider = Scripted::new(|_, _| async { Ok(valid(Some(60), None)) });
    let manager = builder(provider.clone()).clock(Arc::new(Wall::new())).build().unwrap();
    let _running = Running::start(&manager).await;
    assert_eq!(manager.handle(NAME).await.unwrap_err().kind(), ErrorKind::NotYetValid);
    for _ in 0..100 {
        assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::NotYetValid);
    }
    pass(secs(61)).await;
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "v1");
    assert!(manager.try_get(NAME).is_some());
    assert_eq!(provider.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_forward_and_back() {
    let provider = Scripted::new(|_, _| async { Ok(valid(Some(0), Some(1_000))) });
    let hand = clock();
    let manager = builder(provider.clone()).clock(Arc::new(hand.clone())).build().unwrap();
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    assert!(handle.load_checked().is_ok());

    hand.set(noon() + secs(2_000));
    assert_eq!(handle.load_checked().unwrap_err().kind(), UnusableKind::Expired, "at once");
    assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::Expired);
    pass(secs(2)).await;
    assert!(matches!(*handle.load(), SecretState::Invalid { .. }), "within a second or two");
    assert!(manager.try_get(NAME).is_none());

    hand.set(noon() + secs(500));
    assert!(handle.load_checked().is_ok() && manager.get(NAME).await.is_ok());
    pass(secs(2)).await;
    assert!(handle.load().is_fresh() && manager.try_get(NAME).is_some());

    hand.set(SystemTime::UNIX_EPOCH);
    assert_eq!(handle.load_checked().unwrap_err().kind(), UnusableKind::NotYetValid);
    pass(secs(2)).await;
    assert!(matches!(*handle.load(), SecretState::Invalid { .. }));

    hand.set(noon());
    pass(secs(2)).await;
    assert!(handle.load().is_fresh());
    assert!(provider.calls() < 10, "{} calls", provider.calls());
}

#[tokio::test(start_paused = true)]
async fn times_to_live_do_not_depend_on_the_wall_clock() {
    let provider = Scripted::new(|_, _| async { Ok(version("v1")) });
    let hand = clock();
    let manager = builder(provider.clone()).clock(Arc::new(hand.clone())).build().unwrap();
    let handle = manager.handle(NAME).await.unwrap();
    for day in [0, 100_000, 1, 30_000] {
        hand.set(SystemTime::UNIX_EPOCH + secs(day * 86_400));
        assert!(handle.load_checked().is_ok() && manager.get(NAME).await.is_ok());
    }
    assert_eq!(provider.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn after_a_long_sleep_of_the_machine_everything_is_asked_for() {
    let provider = Scripted::new(|call, _| async move { Ok(version(&format!("v{call}"))) });
    let hand = clock();
    let manager = builder(provider.clone()).clock(Arc::new(hand.clone())).build().unwrap();
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    manager.get("by-name").await.unwrap();
    // Tokio's clock does not count the time that a machine is suspended.
    hand.advance(secs(8 * 60 * 60));
    pass(secs(2)).await;
    assert_eq!((provider.calls(), handle.load().is_fresh()), (3, true));
    assert_eq!(text(handle.load().secret().unwrap()), "v3");
    assert!(manager.try_get("by-name").is_none(), "it may be as old as the sleep was long");
    assert_eq!(text(&manager.get("by-name").await.unwrap()), "v4");
}

#[tokio::test(start_paused = true)]
async fn where_the_policy_is_to_warn_expired_values_are_served_and_reported_once() {
    type Seen = Arc<Mutex<Vec<(SecretRef, VersionInfo, ErrorKind)>>>;
    let seen = Seen::default();
    let observer = {
        let seen = Arc::clone(&seen);
        move |reference: &SecretRef, version: &VersionInfo, kind| {
            seen.lock().unwrap().push((reference.clone(), version.clone(), kind));
            panic!("on purpose: an observer must not harm anybody");
        }
    };
    let provider = Scripted::new(|_, _| async { Ok(valid(None, Some(50))) });
    let manager = builder(provider.clone())
        .clock(Arc::new(Wall::new()))
        .validity(ValidityPolicy::Warn(Arc::new(observer)))
        .build()
        .unwrap();
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    assert!(seen.lock().unwrap().is_empty());
    pass(secs(52)).await;
    assert!(handle.load().is_fresh() && handle.load_checked().is_ok());
    assert!(manager.get(NAME).await.is_ok() && manager.try_get(NAME).is_some());
    pass(millis(500_000)).await;
    let seen = seen.lock().unwrap();
    assert!(handle.load().is_fresh(), "{:?}", handle.load());
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!((&seen[0].0, seen[0].2), (&reference(NAME), ErrorKind::Expired));
}

/// A clock that is set little by little, as time services do, is off by as much in the end.
#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_set_little_by_little_is_noticed() {
    let provider = Scripted::new(|_, _| async { Ok(valid(None, Some(300))) });
    let wall = Wall::new();
    let hand = wall.hand();
    let policy = policy().with_ttl(secs(1_000));
    let builder = builder(provider).policy(policy).clock(Arc::new(wall));
    let manager = builder.build().unwrap();
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    for _ in 0..280 {
        pass(secs(1)).await;
        hand.advance(millis(80));
    }
    assert_eq!(handle.load_checked().unwrap_err().kind(), UnusableKind::Expired);
    assert!(matches!(*handle.load(), SecretState::Invalid { .. }), "{:?}", handle.load());
    assert!(manager.try_get(NAME).is_none());
}

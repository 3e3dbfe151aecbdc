//! Providers that fail when there is a value already.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use secrets_core::{Error, ErrorKind, Retry, Secret, SecretState};
use secrets_manager::{UnusableKind, Upkeep};

use crate::support::{
    Counting, NAME, Running, Scripted, absent, build, build_with, builder, millis, pass, policy,
    secs, settle, text, unavailable, version,
};

/// Answers `v1`, then fails from the second call on until it is mended.
#[derive(Clone, Default)]
struct Outage(Arc<AtomicU64>);

impl Outage {
    fn provider(&self) -> Scripted {
        self.failing_with(unavailable)
    }

    fn failing_with(&self, error: fn() -> Error) -> Scripted {
        let mended = Arc::clone(&self.0);
        Scripted::new(move |call, _| {
            let is_mended = mended.load(Ordering::SeqCst) > 0;
            async move {
                match call {
                    1 => Ok(version("v1")),
                    _ if is_mended => Ok(version("v2")),
                    _ => Err(error()),
                }
            }
        })
    }

    fn mend(&self) {
        self.0.store(1, Ordering::SeqCst);
    }
}

fn is_stale(state: &SecretState) -> bool {
    matches!(state, SecretState::Stale { .. })
}

#[tokio::test(start_paused = true)]
async fn a_handle_is_served_stale_within_bounds_and_recovers() {
    let outage = Outage::default();
    let manager = build(outage.provider());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    pass(secs(99)).await;
    assert!(handle.load().is_fresh(), "asking failed, but its time has not come");
    pass(secs(2)).await;
    assert!(is_stale(&handle.load()));
    assert_eq!(text(handle.load_checked().unwrap().secret().unwrap()), "v1");
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "v1");
    assert!(manager.try_get(NAME).unwrap().stale_since().is_some());

    pass(secs(998)).await;
    assert!(handle.load_checked().is_ok());
    assert!(manager.get(NAME).await.is_ok() && manager.try_get(NAME).is_some());
    pass(secs(2)).await;
    let unusable = handle.load_checked().unwrap_err();
    assert_eq!(unusable.kind(), UnusableKind::TooStale);
    assert_eq!(unusable.last_error().unwrap().kind(), ErrorKind::Unavailable);
    assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(manager.try_get(NAME).is_none());
    assert_eq!(text(handle.load().secret().unwrap()), "v1", "the last value is kept");

    outage.mend();
    pass(secs(31)).await;
    assert!(handle.load().is_fresh() && handle.load_checked().is_ok());
    assert_eq!(text(manager.try_get(NAME).unwrap().secret()), "v2");
}

#[tokio::test(start_paused = true)]
async fn the_calls_of_an_outage_are_bounded() {
    let provider = Outage::default().provider();
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    for _ in 0..12_000 {
        let _ = handle.load_checked();
        let _ = manager.get(NAME).await;
        let _ = manager.try_get(NAME);
        tokio::time::sleep(millis(300)).await;
    }
    // An hour; pauses of 15 to 30 seconds once they have grown.
    let calls = provider.calls();
    assert!((118..=250).contains(&calls), "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn by_name_an_outage_is_bridged_too_and_calls_are_bounded() {
    for with_run in [false, true] {
        let outage = Outage::default();
        let provider = outage.provider();
        let manager = build(provider.clone());
        let running = if with_run { Some(Running::start(&manager).await) } else { None };
        manager.get(NAME).await.unwrap();
        for second in 1..1_099 {
            tokio::time::sleep(secs(1)).await;
            let read = manager.get(NAME).await;
            assert_eq!(text(&read.unwrap()), "v1", "after {second} seconds");
        }
        assert!(provider.calls() < 80, "{} calls", provider.calls());
        for _ in 0..30 {
            pass(secs(5)).await;
            assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::Unavailable);
        }
        outage.mend();
        pass(secs(60)).await;
        assert_eq!(text(&manager.get(NAME).await.unwrap()), "v2");
        drop(running);
    }
}

#[tokio::test(start_paused = true)]
async fn the_run_future_does_not_wake_for_every_stale_read() {
    for by_handle in [false, true] {
        let clock = Counting::default();
        let provider = Outage::default().provider();
        let manager = builder(provider).clock(Arc::new(clock.clone())).build().unwrap();
        let _running = Running::start(&manager).await;
        let handle = if by_handle { Some(manager.handle(NAME).await.unwrap()) } else { None };
        manager.get(NAME).await.unwrap();
        pass(secs(101)).await;
        assert!(manager.try_get(NAME).is_some());
        pass(secs(5)).await;
        let before = clock.looks();
        for _ in 0..1_000 {
            assert!(manager.try_get(NAME).unwrap().stale_since().is_some());
            tokio::task::yield_now().await;
        }
        let looks = clock.looks() - before;
        assert!(looks < 50, "{looks} looks at the clock");
        drop(handle);
    }
}

#[tokio::test(start_paused = true)]
async fn past_its_bound_what_a_handle_keeps_is_not_served_by_name() {
    let manager = build(Outage::default().provider());
    let handle = manager.handle(NAME).await.unwrap();
    pass(secs(1_101)).await;
    for _ in 0..10 {
        assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::Unavailable);
        pass(secs(40)).await;
    }
    assert_eq!(text(handle.load().secret().unwrap()), "v1");
}

#[tokio::test(start_paused = true)]
async fn an_idle_entry_bridges_an_outage_that_it_meets_late() {
    let outage = Outage::default();
    let manager = build(outage.provider());
    let _running = Running::start(&manager).await;
    manager.get(NAME).await.unwrap();
    pass(secs(600)).await;
    assert!(manager.try_get(NAME).is_none());
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "v1");
    assert_eq!(text(manager.try_get(NAME).unwrap().secret()), "v1", "until it is asked again");
}

#[tokio::test(start_paused = true)]
async fn a_hanging_provider_neither_blocks_readers_nor_other_secrets() {
    let provider = Scripted::new(|call, _| async move {
        if call > 2 {
            std::future::pending::<()>().await;
        }
        Ok(version("v1"))
    });
    let manager = build(provider.clone());
    let running = Running::start(&manager).await;
    let one = manager.handle("one").await.unwrap();
    let two = manager.handle("two").await.unwrap();
    pass(secs(101)).await;
    assert!(is_stale(&one.load()) && is_stale(&two.load()));
    assert!(one.load_checked().is_ok());
    let begun = tokio::time::Instant::now();
    assert_eq!(text(&manager.get("one").await.unwrap()), "v1");
    assert_eq!(begun.elapsed(), secs(0), "served stale at once");
    pass(secs(1_000)).await;
    let last = one.load_checked().unwrap_err();
    assert_eq!(last.last_error().unwrap().kind(), ErrorKind::Timeout);
    assert!(!running.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_provider_asks_for_is_kept_by_the_run_future() {
    fn throttled() -> Error {
        Error::new(ErrorKind::Throttled, "slow down").with_retry(Retry::After(secs(300)))
    }
    let outage = Outage::default();
    let provider = outage.failing_with(throttled);
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    pass(secs(81)).await;
    assert_eq!(provider.calls(), 2);
    outage.mend();
    pass(secs(298)).await;
    assert_eq!(provider.calls(), 2);
    pass(secs(3)).await;
    assert_eq!((provider.calls(), handle.load().is_fresh()), (3, true));
}

#[tokio::test(start_paused = true)]
async fn an_absurd_pause_is_cut_to_an_hour() {
    fn throttled() -> Error {
        Error::new(ErrorKind::Throttled, "slow down")
            .with_retry(Retry::After(std::time::Duration::MAX))
    }
    let outage = Outage::default();
    let provider = outage.failing_with(throttled);
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let _handle = manager.handle(NAME).await.unwrap();
    pass(secs(81)).await;
    outage.mend();
    pass(secs(3_602)).await;
    assert_eq!(provider.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_said_to_be_gone_with_its_last_value_kept() {
    for error in
        [ErrorKind::NotFound, ErrorKind::Disabled, ErrorKind::Destroyed, ErrorKind::PendingDeletion]
    {
        let mended = Arc::new(AtomicU64::new(0));
        let is_mended = Arc::clone(&mended);
        let provider = Scripted::new(move |call, _| {
            let is_back = call == 1 || is_mended.load(Ordering::SeqCst) > 0;
            async move { if is_back { Ok(version("v1")) } else { Err(Error::new(error, "gone")) } }
        });
        let manager = build(provider.clone());
        let _running = Running::start(&manager).await;
        let mut handle = manager.handle(NAME).await.unwrap();
        let state = handle.changed().await.unwrap();
        assert!(matches!(&*state, SecretState::Gone { last: Some(last) } if text(last) == "v1"));
        let unusable = handle.load_checked().unwrap_err();
        assert_eq!(unusable.kind(), UnusableKind::Gone);
        assert_eq!(Error::from(unusable).kind(), error);
        assert!(manager.try_get(NAME).is_none());
        assert_eq!(manager.get(NAME).await.unwrap_err().kind(), error, "there is no stale service");
        let calls = provider.calls();
        pass(secs(1_000)).await;
        assert!(provider.calls() - calls < 14, "{} calls", provider.calls());

        mended.store(1, Ordering::SeqCst);
        let state = handle.changed().await.unwrap();
        assert!(state.is_fresh(), "it came back: {state:?}");
        assert_eq!(text(manager.try_get(NAME).unwrap().secret()), "v1");
    }
}

#[tokio::test(start_paused = true)]
async fn by_name_what_is_gone_is_forgotten() {
    let gone = || {
        Scripted::new(
            |call, _| async move { if call == 1 { Ok(version("v1")) } else { Err(absent()) } },
        )
    };
    let manager = build(gone());
    let _running = Running::start(&manager).await;
    manager.get(NAME).await.unwrap();
    pass(secs(101)).await;
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "v1", "served while it is asked for");
    settle().await;
    let usage = manager.usage();
    assert_eq!((usage.entries, usage.absent), (0, 1), "the value is not kept");

    let manager = build_with(gone(), policy().with_upkeep(Upkeep::All));
    let _running = Running::start(&manager).await;
    manager.get(NAME).await.unwrap();
    pass(secs(81)).await;
    assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::NotFound);
    let usage = manager.usage();
    assert_eq!((usage.entries, usage.absent), (0, 1), "the value is not kept");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_panics_leaves_the_others_alone() {
    let provider = Scripted::new(|call, _| async move {
        assert!(!(3..10).contains(&call), "on purpose");
        Ok::<Secret, Error>(version("v1"))
    });
    let manager = build(provider.clone());
    let running = Running::start(&manager).await;
    let one = manager.handle("one").await.unwrap();
    let two = manager.handle("two").await.unwrap();
    pass(secs(99)).await;
    assert!(provider.calls() >= 10);
    pass(secs(60)).await;
    assert!(one.load().is_fresh() && two.load().is_fresh());
    assert!(!running.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_does_not_hold_up_another() {
    let sick = Scripted::new(|call, _| async move {
        if call > 100 {
            std::future::pending::<()>().await;
        }
        Ok(version("v1"))
    });
    let well = Scripted::new(|call, _| async move { Ok(version(&format!("v{call}"))) });
    let well = well.scope("well");
    let id = secrets_core::SecretProvider::id(&well).clone();
    let manager = builder(sick).provider(well).build().unwrap();
    let _running = Running::start(&manager).await;
    let mut handles = Vec::new();
    for number in 0..100 {
        handles.push(manager.handle(&format!("sick-{number}")).await.unwrap());
    }
    let healthy = manager.provider(&id).unwrap().handle(NAME).await.unwrap();
    for _ in 0..100 {
        pass(secs(10)).await;
        assert!(healthy.load().is_fresh());
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_asks_for_tiny_pauses_gets_longer_ones() {
    fn throttled() -> Error {
        Error::new(ErrorKind::Throttled, "slow down").with_retry(Retry::After(millis(1)))
    }
    let provider = Outage::default().failing_with(throttled);
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let _handle = manager.handle(NAME).await.unwrap();
    pass(secs(80 + 600)).await;
    assert!(provider.calls() < 60, "{} calls in 10 minutes", provider.calls());
}

/// Bounds of a value that is confirmed hold from the moment at which it can be seen.
#[tokio::test(start_paused = true)]
async fn what_is_derived_from_a_value_may_use_it() {
    let outage = Outage::default();
    let manager = build(outage.provider());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    let seen: Arc<Mutex<Vec<_>>> = Arc::default();
    let _derived = handle.live().map({
        let (handle, seen) = (handle.clone(), Arc::clone(&seen));
        move |state| {
            let checked = handle.load_checked().map(|_| ()).map_err(|error| error.kind());
            seen.lock().unwrap().push((state.as_str(), checked));
        }
    });
    pass(secs(1_200)).await;
    assert_eq!(handle.load_checked().unwrap_err().kind(), UnusableKind::TooStale);
    outage.mend();
    pass(secs(60)).await;
    assert_eq!(seen.lock().unwrap().last(), Some(&("fresh", Ok(()))));
    assert!(handle.load_checked().is_ok());
}

/// A call that is given up may panic as it is dropped.
#[tokio::test(start_paused = true)]
async fn a_call_that_panics_as_it_is_dropped_harms_nobody() {
    struct Fragile;
    impl Drop for Fragile {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    let provider = Scripted::new(|call, _| async move {
        if call == 2 {
            let _fragile = Fragile;
            std::future::pending::<()>().await;
        }
        Ok(version(&format!("v{call}")))
    });
    let manager = build(provider.clone());
    let running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    pass(secs(81)).await;
    assert_eq!(provider.calls(), 2);
    pass(secs(10)).await;
    assert!(!running.is_finished() && handle.load().is_fresh());
    assert_eq!(text(handle.load().secret().unwrap()), "v3");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_remembered_though_the_value_goes_with_it() {
    for with_run in [false, true] {
        let provider = Outage::default().provider();
        let manager = build(provider.clone());
        let running = if with_run { Some(Running::start(&manager).await) } else { None };
        manager.get(NAME).await.unwrap();
        pass(millis(1_099_900)).await;
        assert!(manager.get(NAME).await.is_ok(), "within its bound");
        pass(millis(200)).await;
        for _ in 0..3 {
            assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::Unavailable);
        }
        assert_eq!(provider.calls(), 2);

        let manager = build(Outage::default().provider());
        manager.get(NAME).await.unwrap();
        pass(secs(1_101)).await;
        assert!(manager.get(NAME).await.is_err() && manager.get(NAME).await.is_err());
        assert_eq!(manager.usage().absent, 1);
        drop(running);
    }
}

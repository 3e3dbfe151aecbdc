//! Many readers, one call; readers that leave; answers that are none.

use std::sync::Arc;
use std::time::Duration;

use secrets_core::memory::{Chance, Fault, FaultRule, Faults, Gate, Personality};
use secrets_core::{
    Consistency, ErrorKind, GetOptions, NativeId, Operation, SecretProvider, SecretProviderExt,
    SecretRef, VersionId, VersionSelector,
};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::{
    NAME, Running, Scripted, absent, build, build_with, memory, pass, policy, reference, secs,
    settle, text, unavailable, version,
};

fn on_reads(fault: Fault) -> FaultRule {
    FaultRule::new(fault).on(Operation::GetSecret)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_first_reads_are_one_call() {
    for with_run in [false, true] {
        let provider = memory(Personality::Aws).await;
        let gate = Gate::new();
        provider.inject(Faults::seeded(0).with(on_reads(Fault::Hang(gate.clone())))).unwrap();
        let manager = build_with(provider.clone(), policy().with_call_timeout(secs(600)));
        let running = if with_run { Some(Running::start(&manager).await) } else { None };

        let barrier = Arc::new(Barrier::new(10_000));
        let mut readers = JoinSet::new();
        for _ in 0..10_000 {
            let (manager, barrier) = (manager.clone(), Arc::clone(&barrier));
            readers.spawn(async move {
                barrier.wait().await;
                manager.get(NAME).await
            });
        }
        while gate.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        gate.open();
        let mut answered = 0;
        while let Some(read) = readers.join_next().await {
            assert_eq!(text(&read.unwrap().unwrap()), "one");
            answered += 1;
        }
        assert_eq!((answered, provider.calls(Operation::GetSecret)), (10_000, 1));
        drop(running);
    }
}

#[tokio::test(start_paused = true)]
async fn the_call_outlives_the_reader_who_began_it() {
    for with_run in [false, true] {
        let provider = memory(Personality::Aws).await;
        let gate = Gate::new();
        provider.inject(Faults::seeded(0).with(on_reads(Fault::Hang(gate.clone())))).unwrap();
        let manager = build(provider.clone());
        let running = if with_run { Some(Running::start(&manager).await) } else { None };

        let read = |manager: &secrets_manager::SecretManager| {
            let manager = manager.clone();
            tokio::spawn(async move { manager.get(NAME).await })
        };
        let first = read(&manager);
        settle().await;
        let second = read(&manager);
        let third = read(&manager);
        settle().await;
        assert_eq!(gate.waiting(), 1, "one call for three readers");

        first.abort();
        second.abort();
        settle().await;
        assert_eq!(gate.waiting(), 1, "the call goes on for the third");
        gate.open();
        assert_eq!(text(&third.await.unwrap().unwrap()), "one");
        assert_eq!(provider.calls(Operation::GetSecret), 1);
        drop(running);
    }
}

#[tokio::test(start_paused = true)]
async fn when_all_readers_leave_the_run_future_sees_the_call_through() {
    let provider = memory(Personality::Aws).await;
    let gate = Gate::new();
    provider.inject(Faults::seeded(0).with(on_reads(Fault::Hang(gate.clone())))).unwrap();
    let manager = build(provider.clone());
    let running = Running::start(&manager).await;
    let reader = tokio::spawn({
        let manager = manager.clone();
        async move { manager.get(NAME).await }
    });
    settle().await;
    reader.abort();
    settle().await;
    assert_eq!(gate.waiting(), 1);
    gate.open();
    settle().await;
    assert_eq!(text(manager.try_get(NAME).unwrap().secret()), "one");
    assert_eq!(provider.calls(Operation::GetSecret), 1);
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn without_a_run_future_the_call_ends_with_its_last_reader() {
    let provider = memory(Personality::Aws).await;
    let gate = Gate::new();
    provider.inject(Faults::seeded(0).with(on_reads(Fault::Hang(gate.clone())))).unwrap();
    let manager = build(provider.clone());
    let reader = tokio::spawn({
        let manager = manager.clone();
        async move { manager.get(NAME).await }
    });
    settle().await;
    reader.abort();
    settle().await;
    assert_eq!(gate.waiting(), 0, "nobody drives it, so it is dropped");
    gate.open();
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "one");
    assert_eq!(manager.usage().entries, 1);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_is_a_timeout_for_all_and_is_not_asked_at_once_again() {
    let provider = Scripted::new(|_, _| std::future::pending());
    let manager = build(provider.clone());
    let begun = tokio::time::Instant::now();
    let (one, other) = tokio::join!(manager.get(NAME), manager.get(NAME));
    assert_eq!(one.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(other.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(begun.elapsed(), secs(5));
    let again = manager.get(NAME).await.unwrap_err();
    assert_eq!((again.kind(), again.operation()), (ErrorKind::Timeout, Some(Operation::GetSecret)));
    assert_eq!((begun.elapsed(), provider.calls()), (secs(5), 1));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_panics_is_contained() {
    let provider = Scripted::new(|call, _| async move {
        assert!(call > 1, "on purpose");
        Ok(version("v1"))
    });
    let manager = build(provider.clone());
    let running = Running::start(&manager).await;
    assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::Internal);
    pass(secs(2)).await;
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "v1");
    assert!(!running.is_finished());
}

#[tokio::test(start_paused = true)]
async fn an_answer_for_another_version_is_an_integrity_error() {
    let provider = Scripted::new(|_, _| async { Ok(version("v2")) });
    let manager = build(provider);
    let asked = GetOptions::version(VersionSelector::Id(VersionId::new("v1").unwrap()));
    let error = manager.cached().get_secret(&reference(NAME), asked).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
    assert_eq!(manager.usage().entries, 0, "it is not kept");

    let provider = Scripted::new(|_, _| async {
        let mut secret = version("v1");
        secret.version.state = secrets_core::VersionState::Destroyed;
        Ok(secret)
    });
    assert_eq!(build(provider).get(NAME).await.unwrap_err().kind(), ErrorKind::Integrity);
}

#[tokio::test(start_paused = true)]
async fn absence_is_believed_for_a_short_time() {
    let provider =
        Scripted::new(
            |call, _| async move { if call < 2 { Err(absent()) } else { Ok(version("v1")) } },
        );
    let manager = build(provider.clone());
    for _ in 0..1_000 {
        assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert_eq!((provider.calls(), manager.usage().absent), (1, 1));
    pass(secs(10)).await;
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "v1");
    assert_eq!((provider.calls(), manager.usage().absent), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_failing_provider_is_left_alone_longer_and_longer() {
    let provider = Scripted::new(|_, _| async { Err(unavailable()) });
    let manager = build(provider.clone());
    // Somebody asks every 10 milliseconds for ten minutes.
    for _ in 0..60_000 {
        assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::Unavailable);
        tokio::time::advance(Duration::from_millis(10)).await;
    }
    // 1, 2, 4, 8, 16, 30, 30, ... seconds, each shortened by up to a half.
    let calls = provider.calls();
    assert!((22..=50).contains(&calls), "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_provider_asks_for_is_kept() {
    let provider = memory(Personality::Aws).await;
    let throttled = Fault::Throttled { retry_after: secs(77) };
    let faults = Faults::seeded(0).with(on_reads(throttled).call(1).chance(Chance::ALWAYS));
    provider.inject(faults).unwrap();
    let manager = build(provider.clone());
    assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::Throttled);
    pass(secs(76)).await;
    assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::Throttled);
    assert_eq!(provider.calls(Operation::GetSecret), 1);
    pass(secs(3)).await;
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "one");
}

#[tokio::test(start_paused = true)]
async fn hostile_names_are_refused_before_any_call() {
    let provider = Scripted::new(|_, _| async { Ok(version("v1")) });
    let manager = build(provider.clone());
    let long = "a".repeat(10_000);
    let names = [
        "",
        "../etc/passwd",
        "a//b",
        ".hidden",
        "A",
        "a b",
        "a\0b",
        "a\u{202e}b",
        "p\u{430}ssword",
        "a\n",
        &long,
        "/a",
        "a/",
    ];
    for name in names {
        let error = manager.get(name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidName, "{name:?}");
        assert_eq!(error.operation(), Some(Operation::GetSecret));
        assert!(manager.handle(name).await.is_err() && manager.try_get(name).is_none());
    }
    assert_eq!(provider.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn providers_do_not_share_what_they_cache() {
    let one = Scripted::new(|_, _| async { Ok(version("one")) });
    let two = Scripted::new(|_, _| async { Ok(version("two")) }).scope("other");
    let id = two.id().clone();
    let manager = crate::support::builder(one).provider(two).build().unwrap();
    let _running = Running::start(&manager).await;
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "one");
    let other = manager.provider(&id).unwrap();
    assert!(other.try_get(NAME).is_none());
    assert_eq!(text(&other.get(NAME).await.unwrap()), "two");
    assert_eq!(text(other.try_get(NAME).unwrap().secret()), "two");
    assert_eq!(text(manager.try_get(NAME).unwrap().secret()), "one");
    assert_eq!(manager.usage().entries, 2);
}

#[test]
fn two_providers_of_one_identity_and_bad_policies_are_refused() {
    let one = Scripted::new(|_, _| async { Ok(version("one")) });
    let error = crate::support::builder(one.clone()).provider(one.clone()).build().unwrap_err();
    assert_eq!(error.to_string(), "two providers are `scripted:test`");
    let policy = policy().with_ttl(Duration::ZERO).with_refresh_at(1.5, 0.0);
    let error = crate::support::builder(one).policy(policy).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the cache policy is not usable: the time to live is zero; `refresh_at` is not between 0 and 1"
    );
}

#[tokio::test(start_paused = true)]
async fn selectors_and_native_ids_have_entries_of_their_own() {
    let provider = memory(Personality::Aws).await;
    provider.put_text(NAME, "two").await.unwrap();
    let manager = build(provider.clone());
    let cached = manager.cached();
    let name = reference(NAME);
    let previous = GetOptions::version(VersionSelector::Previous);
    let native: SecretRef = NativeId::new(NAME).unwrap().into();
    for _ in 0..3 {
        assert_eq!(text(&cached.get(NAME).await.unwrap()), "two");
        assert_eq!(text(&cached.get_secret(&name, previous.clone()).await.unwrap()), "one");
        let by_native = cached.get_secret(&native, GetOptions::default()).await;
        assert_eq!(text(&by_native.unwrap()), "two");
    }
    assert_eq!((provider.calls(Operation::GetSecret), manager.usage().entries), (3, 3));
}

#[test]
fn a_provider_that_declares_an_absurd_delay_can_be_used() {
    for within in [Duration::MAX, Duration::MAX / 2] {
        let provider = Scripted::new(|_, _| async { Ok(version("v1")) });
        let provider = provider.consistency(Consistency::Eventual { within });
        crate::support::builder(provider).build().unwrap();
    }
}

/// The one who began the call is gone with its runtime, whose timers the call used.
#[test]
fn a_reader_does_not_go_down_with_the_runtime_of_another() {
    let provider = Scripted::new(|call, _| async move {
        if call == 1 {
            std::future::pending::<()>().await;
        }
        Ok(version("v1"))
    });
    // Long, so that the end of the call is not what ends the wait.
    let manager = build_with(provider.clone(), policy().with_call_timeout(secs(600)));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (short, long) = (runtime(), runtime());
    short.block_on(async {
        tokio::spawn({
            let manager = manager.clone();
            async move { manager.get(NAME).await }
        });
        settle().await;
    });
    let reader = long.spawn({
        let manager = manager.clone();
        async move { manager.get(NAME).await }
    });
    long.block_on(settle());
    assert_eq!(provider.calls(), 1, "it waits for the same call");
    drop(short);
    let answer = long.block_on(async { tokio::time::timeout(secs(60), reader).await });
    assert_eq!(text(&answer.expect("it ends").unwrap().unwrap()), "v1");
}

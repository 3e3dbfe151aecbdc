//! Times to live while the provider answers.

use secrets_core::memory::Personality;
use secrets_core::{Operation, SecretProviderExt, SecretState};
use secrets_manager::{CachePolicy, Jitter, SecretManager, Upkeep};
use tokio::time::Instant;

use crate::support::{
    NAME, Running, Scripted, build, build_with, builder, memory, millis, pass, policy, secs,
    settle, text, version,
};

#[tokio::test(start_paused = true)]
async fn a_handle_is_refreshed_ahead_and_never_stale() {
    let provider = memory(Personality::Aws).await;
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    assert_eq!(provider.calls(Operation::GetSecret), 1);
    pass(secs(79)).await;
    assert_eq!(provider.calls(Operation::GetSecret), 1);
    pass(secs(2)).await;
    assert_eq!(provider.calls(Operation::GetSecret), 2);
    for _ in 0..1_000 {
        pass(secs(7)).await;
        assert!(handle.load().is_fresh(), "{:?}", handle.load());
        assert!(handle.load_checked().is_ok(), "each confirmation moves its deadline");
    }
    // Every 80 seconds, in 7,081 seconds.
    assert_eq!(provider.calls(Operation::GetSecret), 1 + 7_081 / 80);
    assert_eq!(handle.version().get(), 1, "nothing changed, so nobody was woken");
}

#[tokio::test(start_paused = true)]
async fn a_rotated_version_reaches_every_reader_at_once() {
    let provider = memory(Personality::Aws).await;
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let mut handle = manager.handle(NAME).await.unwrap();
    let length = handle.live().map(|state| state.secret().map(|secret| secret.value.len()));
    let clone = handle.clone();
    provider.put_text(NAME, "twelve chars").await.unwrap();
    let begun = Instant::now();
    let state = handle.changed().await.unwrap();
    assert_eq!(text(state.secret().unwrap()), "twelve chars");
    assert_eq!(begun.elapsed(), secs(80));
    assert_eq!(text(clone.load().secret().unwrap()), "twelve chars");
    assert_eq!(text(manager.try_get(NAME).unwrap().secret()), "twelve chars");
    assert_eq!(*length.load(), Some(12));
}

#[tokio::test(start_paused = true)]
async fn what_only_a_derived_value_reads_is_kept_up() {
    let provider = memory(Personality::Aws).await;
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    let length = handle.live().map(|state| state.secret().map(|secret| secret.value.len()));
    drop(handle);
    provider.put_text(NAME, "twelve chars").await.unwrap();
    pass(secs(81)).await;
    assert_eq!((*length.load(), manager.usage().pinned), (Some(12), 1));
    drop(length);
    assert_eq!(manager.usage().pinned, 0);
    pass(secs(1_000)).await;
    assert_eq!(provider.calls(Operation::GetSecret), 2, "nobody asks for it any more");
}

#[tokio::test(start_paused = true)]
async fn what_is_read_by_name_is_asked_for_when_it_is_read() {
    let provider = memory(Personality::Aws).await;
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    manager.get(NAME).await.unwrap();
    pass(secs(99)).await;
    assert_eq!(manager.try_get(NAME).unwrap().stale_since(), None);
    pass(secs(2)).await;
    assert_eq!(provider.calls(Operation::GetSecret), 1, "nobody has read it since");

    provider.put_text(NAME, "two").await.unwrap();
    let hit = manager.try_get(NAME).unwrap();
    assert!(hit.stale_since().is_some() && text(hit.secret()) == "one");
    settle().await;
    assert_eq!(text(manager.try_get(NAME).unwrap().secret()), "two");
    assert_eq!(provider.calls(Operation::GetSecret), 2);

    pass(secs(101)).await;
    provider.put_text(NAME, "three").await.unwrap();
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "two", "served while it is asked for");
    settle().await;
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "three");

    provider.put_text(NAME, "four").await.unwrap();
    pass(secs(121)).await;
    assert!(manager.try_get(NAME).is_none(), "too stale to be served unasked");
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "four");
    assert_eq!(provider.calls(Operation::GetSecret), 4);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_stale_reads_are_one_call() {
    let provider = memory(Personality::Aws).await;
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    manager.get(NAME).await.unwrap();
    pass(secs(110)).await;
    for _ in 0..1_000 {
        assert!(manager.try_get(NAME).is_some());
        manager.get(NAME).await.unwrap();
    }
    settle().await;
    assert_eq!(provider.calls(Operation::GetSecret), 2);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_reads_any_more_is_forgotten() {
    let provider = memory(Personality::Aws).await;
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    manager.get(NAME).await.unwrap();
    pass(secs(1_099)).await;
    assert_eq!(manager.usage().entries, 1, "kept in case the provider fails");
    pass(secs(2)).await;
    assert_eq!((manager.usage().entries, provider.calls(Operation::GetSecret)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn everything_is_kept_up_where_the_policy_says_so() {
    let provider = memory(Personality::Aws).await;
    let manager = build_with(provider.clone(), policy().with_upkeep(Upkeep::All));
    let _running = Running::start(&manager).await;
    manager.get(NAME).await.unwrap();
    provider.put_text(NAME, "two").await.unwrap();
    pass(secs(81)).await;
    assert_eq!(text(manager.try_get(NAME).unwrap().secret()), "two");
    pass(secs(10_000)).await;
    assert_eq!(manager.try_get(NAME).unwrap().stale_since(), None);
    assert_eq!(provider.calls(Operation::GetSecret), 1 + 10_081 / 80);
}

#[tokio::test(start_paused = true)]
async fn without_a_run_future_the_clock_alone_decides() {
    let provider = memory(Personality::Aws).await;
    let manager = build(provider.clone());
    for _ in 0..10 {
        manager.get(NAME).await.unwrap();
        assert!(manager.try_get(NAME).is_none(), "nobody would take it away");
    }
    assert_eq!(provider.calls(Operation::GetSecret), 1);
    provider.put_text(NAME, "two").await.unwrap();
    pass(secs(99)).await;
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "one");
    pass(secs(2)).await;
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "two");
    assert_eq!(provider.calls(Operation::GetSecret), 2);
}

#[tokio::test(start_paused = true)]
async fn refreshes_are_spread_by_jitter_and_repeat_by_seed() {
    let run = |seed| async move {
        let provider = Scripted::new(|_, _| async { Ok(version("v1")) });
        let policy = policy().with_refresh_at(0.8, 0.5);
        let jitter = Jitter::seeded(seed);
        let manager = builder(provider.clone()).policy(policy).jitter(jitter).build().unwrap();
        let _running = Running::start(&manager).await;
        let mut handles = Vec::new();
        for number in 0..100 {
            handles.push(manager.handle(&format!("name-{number}")).await.unwrap());
        }
        let mut calls = Vec::new();
        for _ in 0..40 {
            pass(secs(2)).await;
            calls.push(provider.calls() - 100);
        }
        calls
    };
    let calls = run(7).await;
    assert_eq!(calls[18], 0, "not before 40 seconds");
    assert_eq!(calls[39], 100, "all by 80 seconds");
    assert!((20..80).contains(&calls[29]), "spread between: {calls:?}");
    assert_eq!(calls, run(7).await);
    assert_ne!(calls, run(8).await);
}

#[tokio::test(start_paused = true)]
async fn refreshes_do_not_all_run_at_a_time() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    let (running, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let seen = Arc::clone(&most);
    let provider = Scripted::new(move |call, _| {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        async move {
            if call > 100 {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                tokio::time::sleep(millis(100)).await;
                running.fetch_sub(1, Ordering::SeqCst);
            }
            Ok(version("v1"))
        }
    });
    let policy = policy().with_concurrent_refreshes(7.try_into().unwrap());
    let manager = build_with(provider.clone(), policy);
    let _running = Running::start(&manager).await;
    let mut handles = Vec::new();
    for number in 0..100 {
        handles.push(manager.handle(&format!("name-{number}")).await.unwrap());
    }
    pass(secs(85)).await;
    assert_eq!((provider.calls(), seen.load(Ordering::SeqCst)), (200, 7));
    assert!(handles.iter().all(|handle| handle.load().is_fresh()));
}

#[tokio::test(start_paused = true)]
async fn invalidation_is_seen_by_the_next_read() {
    let provider = memory(Personality::Aws).await;
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let name = crate::support::reference(NAME);
    manager.get(NAME).await.unwrap();
    provider.put_text(NAME, "two").await.unwrap();
    manager.invalidate(&name);
    assert!(manager.try_get(NAME).is_none() && manager.usage().entries == 0);
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "two");

    let handle = manager.handle(NAME).await.unwrap();
    provider.put_text(NAME, "three").await.unwrap();
    manager.invalidate_all();
    assert!(matches!(*handle.load(), SecretState::Stale { .. }), "{:?}", handle.load());
    assert!(manager.try_get(NAME).is_none());
    settle().await;
    assert_eq!(text(handle.load().secret().unwrap()), "three");
    assert!(handle.load().is_fresh());
}

/// Answers a version for each call; the first two take long, so that later ones overtake them.
fn overtaken() -> Scripted {
    Scripted::new(|call, _| async move {
        tokio::time::sleep(if call < 3 { secs(3) } else { secs(1) }).await;
        Ok(version(&format!("v{call}")))
    })
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_before_an_invalidation_is_not_kept() {
    for with_run in [false, true] {
        let provider = overtaken();
        let manager = build(provider.clone());
        let running = if with_run { Some(Running::start(&manager).await) } else { None };
        let read = || {
            let manager = manager.clone();
            tokio::spawn(async move { manager.get(NAME).await })
        };
        let name = crate::support::reference(NAME);
        let first = read();
        settle().await;
        manager.invalidate(&name);
        let second = read();
        settle().await;
        manager.invalidate(&name);
        assert_eq!(text(&manager.get(NAME).await.unwrap()), "v3");
        for overtaken in [first, second] {
            assert_eq!(text(&overtaken.await.unwrap().unwrap()), "v3", "and not asked for again");
        }
        assert_eq!(text(&manager.get(NAME).await.unwrap()), "v3");
        assert_eq!(provider.calls(), 3);
        drop(running);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_before_an_invalidation_does_not_reach_a_handle() {
    let provider = overtaken();
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let name = crate::support::reference(NAME);
    let handle = manager.handle(NAME).await.unwrap();
    manager.invalidate(&name);
    settle().await;
    assert_eq!(provider.calls(), 2);
    manager.invalidate(&name);
    for _ in 0..10 {
        pass(millis(500)).await;
        assert_ne!(text(handle.load().secret().unwrap()), "v2", "overtaken");
    }
    assert_eq!((text(handle.load().secret().unwrap()).as_str(), provider.calls()), ("v3", 3));
}

#[tokio::test(start_paused = true)]
async fn the_default_policy_is_sound() {
    assert!(CachePolicy::default().problems().is_empty());
    let provider = memory(Personality::Aws).await;
    let manager = SecretManager::builder(provider.clone()).build().unwrap();
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    for _ in 0..100 {
        pass(secs(60)).await;
        assert!(handle.load().is_fresh());
    }
    let calls = provider.calls(Operation::GetSecret);
    assert!((26..=28).contains(&calls), "every 216 to 240 seconds: {calls}");
}

/// Twenty thousand refreshes that are answered at once must not keep the executor from all else.
#[tokio::test(start_paused = true)]
async fn the_run_future_lets_others_have_their_turn() {
    const HANDLES: u64 = 20_000;
    let provider = Scripted::new(|_, _| async { Ok(version("v1")) });
    let policy = policy().with_max_entries(30_000.try_into().unwrap());
    let manager = build_with(provider.clone(), policy);
    let _running = Running::start(&manager).await;
    let mut handles = Vec::new();
    for number in 0..HANDLES {
        handles.push(manager.handle(&format!("name-{number}")).await.unwrap());
    }
    tokio::time::advance(secs(81)).await;
    let most = tokio::spawn(async move {
        let (mut before, mut most) = (provider.calls(), 0);
        while before < 2 * HANDLES {
            tokio::task::yield_now().await;
            most = most.max(provider.calls() - before);
            before = provider.calls();
        }
        most
    });
    let most = most.await.unwrap();
    // 16 in a turn, and tokio lets a task that yields wait for 61 turns of others.
    assert!(most <= 16 * 61, "{most} calls in between");
}

//! What is kept is bounded, whatever is asked for.

use std::num::NonZeroUsize;

use crate::support::{
    NAME, Running, Scripted, absent, build_with, pass, policy, secs, settle, text, unavailable,
    version,
};
use secrets_core::ErrorKind;

fn at_most(number: usize) -> NonZeroUsize {
    number.try_into().unwrap()
}

fn answering() -> Scripted {
    Scripted::new(|_, _| async { Ok(version("v1")) })
}

#[tokio::test(start_paused = true)]
async fn what_was_fetched_longest_ago_goes_first() {
    let manager = build_with(answering(), policy().with_max_entries(at_most(10)));
    let _running = Running::start(&manager).await;
    for number in 0..30 {
        manager.get(&format!("name-{number}")).await.unwrap();
        pass(secs(1)).await;
        // A read does not save it.
        let _ = manager.try_get("name-0");
    }
    assert_eq!(manager.usage().entries, 10);
    for number in 0..30 {
        let is_there = manager.try_get(&format!("name-{number}")).is_some();
        assert_eq!(is_there, number >= 20, "name-{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_handle_holds_stays() {
    let provider = answering();
    let manager = build_with(provider.clone(), policy().with_max_entries(at_most(10)));
    let _running = Running::start(&manager).await;
    let mut handles = Vec::new();
    for number in 0..5 {
        handles.push(manager.handle(&format!("held-{number}")).await.unwrap());
    }
    for number in 0..100 {
        manager.get(&format!("name-{number}")).await.unwrap();
    }
    let usage = manager.usage();
    assert_eq!((usage.entries, usage.pinned), (10, 5));
    for number in 0..5 {
        assert!(manager.try_get(&format!("held-{number}")).is_some());
    }
    pass(secs(90)).await;
    assert!(handles.iter().all(|handle| handle.load().is_fresh()));

    drop(handles);
    for number in 100..110 {
        manager.get(&format!("name-{number}")).await.unwrap();
    }
    let usage = manager.usage();
    assert_eq!((usage.entries, usage.pinned), (10, 0), "once let go they are like all others");
}

#[tokio::test(start_paused = true)]
async fn what_was_let_go_is_evicted_like_all_else() {
    let manager = build_with(answering(), policy().with_max_entries(at_most(10)));
    let _running = Running::start(&manager).await;
    let mut handles = Vec::new();
    for number in 0..5 {
        handles.push(manager.handle(&format!("held-{number}")).await.unwrap());
    }
    // Eviction comes by and skips them.
    for number in 0..20 {
        manager.get(&format!("early-{number}")).await.unwrap();
    }
    drop(handles);
    pass(secs(85)).await;
    for number in 0..10 {
        manager.get(&format!("late-{number}")).await.unwrap();
    }
    let late = (0..10).filter(|number| manager.try_get(&format!("late-{number}")).is_some());
    assert_eq!((late.count(), manager.usage().entries), (10, 10));
}

#[tokio::test(start_paused = true)]
async fn handles_alone_may_exceed_the_bound() {
    let provider = answering();
    let manager = build_with(provider.clone(), policy().with_max_entries(at_most(4)));
    let _running = Running::start(&manager).await;
    let mut handles = Vec::new();
    for number in 0..40 {
        handles.push(manager.handle(&format!("held-{number}")).await.unwrap());
    }
    assert_eq!((manager.usage().entries, manager.usage().pinned), (40, 40));
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "v1");
    assert_eq!(manager.usage().entries, 40, "there is no room for what nobody holds");
    for number in 0..40 {
        assert!(manager.get(&format!("held-{number}")).await.is_ok(), "listed or not");
    }
    pass(secs(90)).await;
    assert!(handles.iter().all(|handle| handle.load().is_fresh()));
    assert_eq!(provider.calls(), 81);
    handles.truncate(2);
    manager.get(NAME).await.unwrap();
    pass(secs(2_000)).await;
    assert_eq!(manager.usage().entries, 2);
}

#[tokio::test(start_paused = true)]
async fn without_a_run_future_what_was_let_go_goes_too() {
    let manager = build_with(answering(), policy().with_max_entries(at_most(4)));
    let mut handles = Vec::new();
    for number in 0..500 {
        handles.push(manager.handle(&format!("held-{number}")).await.unwrap());
    }
    assert_eq!(manager.usage().entries, 500);
    drop(handles);
    for number in 0..70 {
        manager.get(&format!("name-{number}")).await.unwrap();
    }
    assert_eq!(manager.usage().entries, 4);
}

#[tokio::test(start_paused = true)]
async fn absences_and_failures_are_bounded_and_forgotten() {
    for failing in [false, true] {
        let error = if failing { unavailable } else { absent };
        let provider = Scripted::new(move |_, _| async move { Err(error()) });
        let manager = build_with(provider, policy().with_max_absent(at_most(50)));
        let _running = Running::start(&manager).await;
        for number in 0..10_000 {
            assert!(manager.get(&format!("guess-{number}")).await.is_err());
        }
        assert_eq!((manager.usage().absent, manager.usage().entries), (50, 0));
        pass(secs(100)).await;
        assert_eq!(manager.usage().absent, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn absences_can_be_left_unremembered() {
    let provider = Scripted::new(|_, _| async { Err(absent()) });
    let manager = build_with(provider.clone(), policy().with_negative_ttl(secs(0)));
    for _ in 0..10 {
        assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert_eq!((provider.calls(), manager.usage().absent), (10, 0));
}

/// Names come and go: their traces in the index must not fill it up.
#[tokio::test(start_paused = true)]
async fn an_index_that_many_names_passed_through_still_finds_all() {
    let manager = build_with(answering(), policy().with_max_entries(at_most(16)));
    let _running = Running::start(&manager).await;
    for round in 0..500 {
        for number in 0..16 {
            manager.get(&format!("round-{round}-{number}")).await.unwrap();
        }
        let found = (0..16).filter(|n| manager.try_get(&format!("round-{round}-{n}")).is_some());
        assert_eq!(found.count(), 16, "round {round}");
        assert!(manager.try_get(&format!("round-{}-0", round + 1)).is_none());
    }
    settle().await;
    assert_eq!(manager.usage().entries, 16);
}

#[tokio::test(start_paused = true)]
async fn long_and_short_names_are_told_apart() {
    let provider = Scripted::new(|call, _| async move { Ok(version(&format!("v{call}"))) });
    let manager = build_with(provider, policy());
    let _running = Running::start(&manager).await;
    // Around the length up to which the index keeps names in place, and the longest of all.
    let names: Vec<_> = [1, 37, 38, 39, 40, 255, 256].map(|len| "n".repeat(len)).into();
    for name in &names {
        manager.get(name).await.unwrap();
    }
    for (number, name) in names.iter().enumerate() {
        let hit = manager.try_get(name).unwrap();
        assert_eq!(text(hit.secret()), format!("v{}", number + 1));
    }
    assert!(manager.try_get("").is_none() && manager.try_get("nn").is_none());
}

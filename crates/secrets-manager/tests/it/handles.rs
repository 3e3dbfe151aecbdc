//! Handles and the run future they live by.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use secrets_core::memory::Personality;
use secrets_core::{ErrorKind, Operation, SecretProviderExt, SecretState};
use secrets_manager::{AlreadyRunning, SecretHandle, UnusableKind};

use crate::support::{
    NAME, Running, Scripted, build, build_with, memory, millis, pass, policy, secs, settle, text,
    version,
};

fn is_orphaned(state: &SecretState) -> bool {
    matches!(state, SecretState::Orphaned { .. })
}

#[tokio::test(start_paused = true)]
async fn before_the_run_future_starts_nobody_refreshes() {
    let provider = memory(Personality::Aws).await;
    let manager = build(provider.clone());
    let handle = manager.handle(NAME).await.unwrap();
    assert!(is_orphaned(&handle.load()));
    assert!(handle.load_checked().is_ok(), "it was just read");
    let _running = Running::start(&manager).await;
    assert!(handle.load().is_fresh(), "taken over without another call");
    assert_eq!(provider.calls(Operation::GetSecret), 1);
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_run_future_shows() {
    let manager = build(memory(Personality::Aws).await);
    let handle = manager.handle(NAME).await.unwrap();
    pass(secs(1_099)).await;
    assert!(is_orphaned(&handle.load()) && handle.load_checked().is_ok());
    pass(secs(2)).await;
    assert_eq!(handle.load_checked().unwrap_err().kind(), UnusableKind::Orphaned);
}

#[tokio::test(start_paused = true)]
async fn when_the_run_future_is_dropped_handles_are_orphaned_and_another_takes_over() {
    let provider = memory(Personality::Aws).await;
    let manager = build(provider.clone());
    let running = Running::start(&manager).await;
    let mut handle = manager.handle(NAME).await.unwrap();
    assert!(manager.try_get(NAME).is_some());
    running.stop().await;
    let state = handle.changed().await.unwrap();
    assert!(is_orphaned(&state) && text(state.secret().unwrap()) == "one");
    assert!(handle.load_checked().is_ok(), "within its bound");
    assert!(manager.try_get(NAME).is_none() && manager.get(NAME).await.is_ok());
    assert!(!manager.usage().is_running);

    provider.put_text(NAME, "two").await.unwrap();
    let _running = Running::start(&manager).await;
    assert_eq!(text(handle.load().secret().unwrap()), "two", "asked for, whatever its age");
    assert!(handle.load().is_fresh() && manager.try_get(NAME).is_some());
}

#[tokio::test(start_paused = true)]
async fn after_a_take_over_a_failing_provider_leaves_what_is_known() {
    let provider = Scripted::new(|call, _| async move {
        if call == 1 { Ok(version("v1")) } else { Err(crate::support::unavailable()) }
    });
    let manager = build(provider);
    let running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    running.stop().await;
    assert!(is_orphaned(&handle.load()));
    let _running = Running::start(&manager).await;
    assert!(matches!(*handle.load(), SecretState::Stale { .. }), "until it is confirmed");
    assert!(handle.load_checked().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_take_over_during_an_outage_takes_nothing_away() {
    let provider = Scripted::new(|call, _| async move {
        if call == 1 { Ok(version("v1")) } else { Err(crate::support::unavailable()) }
    });
    let manager = build(provider.clone());
    for _ in 0..5 {
        let running = Running::start(&manager).await;
        assert_eq!(text(&manager.get(NAME).await.unwrap()), "v1");
        running.stop().await;
    }
    assert!(provider.calls() > 1, "it was asked for, since a hint may have been missed");
}

/// What is derived from the first may read the second.
#[tokio::test(start_paused = true)]
async fn while_handles_are_orphaned_none_says_stalled() {
    let provider = Scripted::new(|_, _| async { Ok(version("v1")) });
    let manager = build(provider);
    let running = Running::start(&manager).await;
    let one = manager.handle("one").await.unwrap();
    let other = manager.handle("other").await.unwrap();
    let seen: Arc<Mutex<Vec<UnusableKind>>> = Arc::default();
    let look = |at: &SecretHandle, from: &SecretHandle| {
        let (at, seen) = (at.clone(), Arc::clone(&seen));
        from.live().map(move |_| {
            let kind = at.load_checked().err().map(|error| error.kind());
            seen.lock().unwrap().extend(kind);
        })
    };
    let _derived = (look(&one, &other), look(&other, &one));
    running.stop().await;
    assert!(is_orphaned(&one.load()) && is_orphaned(&other.load()));
    assert_eq!(*seen.lock().unwrap(), []);
    pass(secs(10)).await;
    assert!(one.load_checked().is_ok(), "within its bounds an orphan serves");
}

#[tokio::test(start_paused = true)]
async fn one_run_future_at_a_time() {
    let manager = build(memory(Personality::Aws).await);
    let running = Running::start(&manager).await;
    assert_eq!(manager.run().await, Err(AlreadyRunning));
    assert_eq!(AlreadyRunning.to_string(), "the manager is running already");
    running.stop().await;
    let _running = Running::start(&manager).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_future_that_is_never_polled_does_nothing() {
    let manager = build(memory(Personality::Aws).await);
    let idle = manager.run();
    let _running = Running::start(&manager).await;
    drop(idle);
    assert!(manager.usage().is_running);
}

#[tokio::test(start_paused = true)]
async fn the_run_future_ends_when_nobody_is_left() {
    let manager = build(memory(Personality::Aws).await);
    let running = Running::start(&manager).await;
    let mut handle = manager.handle(NAME).await.unwrap();
    let cached = manager.cached().clone();
    drop(manager);
    pass(secs(10)).await;
    assert!(!running.is_finished() && cached.try_get(NAME).is_some());
    drop(cached);
    pass(secs(1_000)).await;
    assert!(!running.is_finished(), "the handle still follows");
    assert!(handle.load().is_fresh());
    let live = handle.live();
    assert!(handle.load_checked().is_ok());
    let waiting = tokio::spawn(async move { handle.changed().await.map(|_| ()) });
    pass(secs(10)).await;
    waiting.abort();
    pass(secs(10)).await;
    assert!(!running.is_finished(), "and so does what came from it");
    drop(live);
    pass(secs(2)).await;
    assert!(running.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_handle_outlives_its_manager() {
    let manager = build(memory(Personality::Aws).await);
    let running = Running::start(&manager).await;
    let mut handle = manager.handle(NAME).await.unwrap();
    running.stop().await;
    drop(manager);
    assert!(is_orphaned(&handle.changed().await.unwrap()));
    assert!(handle.changed().await.is_err(), "there will be no more");
    assert_eq!(text(handle.load().secret().unwrap()), "one");
}

/// A runtime of one thread that something blocks: nobody can refresh, and no timer fires.
#[test]
fn a_blocked_runtime_is_noticed() {
    let policy = policy()
        .with_ttl(millis(200))
        .with_stale_while_revalidate(millis(100))
        .with_stale_if_error(secs(60))
        .with_stall_after(millis(100));
    let provider = Scripted::new(|_, _| async { Ok(version("v1")) });
    let (manager, counted) = (build_with(provider.clone(), policy), provider);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let release = Arc::new(AtomicBool::new(false));
    let blocker = {
        let (manager, release) = (manager.clone(), Arc::clone(&release));
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::spawn(manager.run());
                let handle = manager.handle(NAME).await.unwrap();
                // Refreshed once; and from here on nobody says anything of it until the release.
                while counted.calls() < 2 || !handle.load().is_fresh() {
                    tokio::time::sleep(millis(10)).await;
                }
                sender.send(handle).unwrap();
                while !release.load(Ordering::SeqCst) {
                    std::thread::sleep(millis(5));
                }
                tokio::time::sleep(secs(60)).await;
            });
        })
    };
    let handle = receiver.recv().unwrap();
    assert!(handle.load().is_fresh());
    let mut waited = Duration::ZERO;
    let unusable = loop {
        match handle.load_checked() {
            Err(unusable) => break unusable,
            Ok(_) => assert!(waited < secs(60), "not noticed"),
        }
        std::thread::sleep(millis(10));
        waited += millis(10);
    };
    assert_eq!(unusable.kind(), UnusableKind::Stalled);
    assert!(handle.load().is_fresh(), "nobody was there to say otherwise");
    assert!(manager.try_get(NAME).is_some(), "the unchecked read cannot tell");

    release.store(true, Ordering::SeqCst);
    let mut waited = Duration::ZERO;
    while handle.load_checked().is_err() {
        assert!(waited < secs(60), "does not recover");
        std::thread::sleep(millis(10));
        waited += millis(10);
    }
    drop(blocker); // its thread sleeps on; the process ends without it
}

/// Reads that await go around a stalled run future.
#[test]
fn a_read_on_another_runtime_goes_around_a_stalled_one() {
    let provider = Scripted::new(|call, _| async move { Ok(version(&format!("v{call}"))) });
    let manager = build(provider);
    let stalled = paused();
    let handle = stalled.block_on(async {
        tokio::spawn(manager.run());
        settle().await;
        manager.handle(NAME).await.unwrap()
    });
    // Nobody drives that runtime from here on, and its time stands still.
    let other = paused();
    other.block_on(async {
        tokio::time::advance(secs(200)).await;
        assert!(manager.try_get(NAME).is_some());
        assert_eq!(text(&manager.get(NAME).await.unwrap()), "v2");
    });
    assert_eq!(text(handle.load().secret().unwrap()), "v2", "what was asked for reaches handles");
}

/// A call measures its time by the runtime that began it.
#[test]
fn a_read_does_not_wait_for_a_call_that_a_stalled_runtime_began() {
    let begun = Arc::new(tokio::sync::Notify::new());
    let begins = Arc::clone(&begun);
    let provider = Scripted::new(move |call, _| {
        let begins = Arc::clone(&begins);
        async move {
            if call == 2 {
                begins.notify_one();
                std::future::pending::<()>().await;
            }
            Ok(version(&format!("v{call}")))
        }
    });
    let manager = build_with(provider, policy().with_stale_if_error(secs(20)));
    let stalled = paused();
    let _handle = stalled.block_on(async {
        tokio::spawn(manager.run());
        settle().await;
        let handle = manager.handle(NAME).await.unwrap();
        begun.notified().await; // a refresh has begun
        handle
    });
    let other = paused();
    other.block_on(async {
        tokio::time::advance(secs(300)).await;
        let first = tokio::time::timeout(secs(6), manager.get(NAME)).await.expect("it ends");
        assert_eq!(first.unwrap_err().kind(), ErrorKind::Timeout);
        tokio::time::sleep(secs(1)).await; // the pause after a failure
        assert_eq!(text(&manager.get(NAME).await.unwrap()), "v3");
    });
}

/// A runtime whose clock goes by itself, and only where nothing else is left to do.
fn paused() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn there_is_no_handle_without_a_value() {
    let provider = memory(Personality::Aws).await;
    let manager = build(provider);
    assert_eq!(manager.handle("not/there").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(manager.usage().pinned, 0);
}

#[tokio::test(start_paused = true)]
async fn handles_of_one_secret_share_it() {
    let provider = memory(Personality::Aws).await;
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let handles = futures_util::future::join_all((0..100).map(|_| manager.handle(NAME))).await;
    assert_eq!((provider.calls(Operation::GetSecret), manager.usage().pinned), (1, 1));
    provider.put_text(NAME, "two").await.unwrap();
    manager.invalidate(&crate::support::reference(NAME));
    settle().await;
    for handle in handles {
        assert_eq!(text(handle.unwrap().load().secret().unwrap()), "two");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_shows_the_value() {
    let manager = build(memory(Personality::Aws).await);
    let _running = Running::start(&manager).await;
    let cached = manager.cached();
    cached.put_text(NAME, "canary-in-the-open").await.unwrap();
    let handle = manager.handle(NAME).await.unwrap();
    let shown = [
        format!("{manager:?}"),
        format!("{cached:?}"),
        format!("{handle:?} {:?}", handle.load()),
        format!("{:?}", manager.try_get(NAME).unwrap()),
        format!("{:?}", manager.get(NAME).await.unwrap()),
        format!("{:?}", handle.live()),
    ];
    for text in shown {
        assert!(!text.contains("canary"), "{text}");
        assert!(!text.contains("99, 97, 110, 97, 114, 121"), "{text}");
    }
    assert!(format!("{handle:?}").contains("fresh"));
}

/// Polls a future once.
async fn once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| match std::pin::Pin::new(&mut *future).poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// A run future that is dropped between starting a refresh and driving it.
#[tokio::test(start_paused = true)]
async fn a_refresh_that_was_never_driven_is_not_waited_for() {
    let provider = Scripted::new(|call, _| async move {
        // Wakes itself: the run future then leaves the rest for its next turn.
        let mut has_yielded = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut has_yielded, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        Ok(version(&format!("v{call}")))
    });
    let manager = build(provider);
    let mut handles = Vec::new();
    for number in 0..10 {
        handles.push(manager.handle(&format!("name-{number}")).await.unwrap());
    }
    let mut run = Box::pin(manager.run());
    assert!(once(&mut run).await.is_none());
    tokio::time::advance(secs(81)).await;
    assert!(once(&mut run).await.is_none());
    drop(run);
    let _running = Running::start(&manager).await;
    pass(secs(5)).await;
    let fresh = handles.iter().filter(|handle| handle.load().is_fresh()).count();
    assert_eq!(fresh, handles.len());
}

/// What is derived from a secret may panic when it is dropped: a runtime that is dropped within
/// another one does.
#[tokio::test(start_paused = true)]
async fn a_destructor_that_panics_does_not_keep_a_deadline_from_moving() {
    struct Fragile(Arc<AtomicBool>);
    impl Drop for Fragile {
        fn drop(&mut self) {
            assert!(!self.0.load(Ordering::SeqCst), "on purpose");
        }
    }
    let provider = Scripted::new(|call, _| async move {
        if call == 1 { Ok(version("v1")) } else { Err(crate::support::unavailable()) }
    });
    let manager = build(provider);
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    let armed = Arc::new(AtomicBool::new(true));
    let _derived = handle.live().map({
        let armed = Arc::clone(&armed);
        move |_| Fragile(Arc::clone(&armed))
    });
    manager.invalidate(&crate::support::reference(NAME));
    armed.store(false, Ordering::SeqCst);
    // 1,000 s from the invalidation, not 1,100 s from the first answer.
    pass(secs(999)).await;
    assert!(handle.load_checked().is_ok());
    pass(secs(2)).await;
    assert_eq!(handle.load_checked().unwrap_err().kind(), UnusableKind::TooStale);
}

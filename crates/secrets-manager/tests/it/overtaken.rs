//! Answers that come when the world has moved on: after a write, another's write, an absence, the
//! last reader, or their own runtime.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use live_value::Live;
use secrets_core::memory::{MemoryProvider, Personality};
use secrets_core::{
    NativeId, SecretProvider, SecretProviderExt, SecretRef, SecretState, SetOptions, VersionState,
};
use secrets_manager::{Backoff, SecretHandle};

use crate::support::*;

/// The line of an absence is to be forgotten while a slow call for it is under way.
#[tokio::test(start_paused = true)]
async fn a_slow_read_over_an_old_absence_does_not_hang_the_run_future() {
    let provider = Scripted::new(|call, _| async move {
        if call == 1 {
            return Err(absent());
        }
        tokio::time::sleep(secs(3)).await;
        Ok(version("v1"))
    });
    let manager = build(provider);
    let _running = Running::start(&manager).await;
    assert!(manager.get(NAME).await.is_err());
    pass(secs(39)).await; // absence over at 10 s, kept until 40 s
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "v1");
}

#[tokio::test(start_paused = true)]
async fn a_handle_does_not_keep_an_answer_that_was_overtaken() {
    let provider = Scripted::new(|call, _| async move {
        tokio::time::sleep(secs(1)).await;
        Ok(version(&format!("v{call}")))
    });
    let manager = build(provider);
    let _running = Running::start(&manager).await;
    let early = tokio::spawn({
        let manager = manager.clone();
        async move { manager.handle(NAME).await }
    });
    settle().await;
    manager.invalidate(&reference(NAME));
    let handle = early.await.unwrap().unwrap();
    pass(secs(20)).await;
    assert_eq!(text(handle.load().secret().unwrap()), "v2");
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "v2");
}

/// A derivation drops the last reader while its value is published, and takes a new handle.
#[tokio::test(start_paused = true)]
async fn a_new_handle_is_not_taken_for_the_one_before() {
    let manager = build(memory(Personality::Aws).await);
    let _running = Running::start(&manager).await;
    let last: Arc<Mutex<Option<Live<()>>>> = Arc::default();
    let new: Arc<Mutex<Option<SecretHandle>>> = Arc::default();
    let armed = Arc::new(AtomicBool::new(false));
    let handle = manager.handle(NAME).await.unwrap();
    let derived = {
        let (last, new, armed) = (last.clone(), new.clone(), armed.clone());
        let manager = manager.clone();
        handle.live().map(move |_| {
            if armed.swap(false, Ordering::SeqCst) {
                drop(last.lock().unwrap().take());
                manager.cached().put_text(NAME, "y").now_or_never().unwrap().unwrap();
                let handle = manager.handle(NAME).now_or_never().unwrap().unwrap();
                *new.lock().unwrap() = Some(handle);
            }
        })
    };
    for number in 0..5 {
        manager.cached().put_text(NAME, &number.to_string()).await.unwrap();
    }
    drop(handle);
    *last.lock().unwrap() = Some(derived);
    armed.store(true, Ordering::SeqCst);
    manager.cached().put_text(NAME, "x").await.unwrap();
    let handle = new.lock().unwrap().take().unwrap();
    manager.cached().put_text(NAME, "z").await.unwrap();
    settle().await;
    assert_eq!(text(handle.load().secret().unwrap()), "z");
}

#[tokio::test(start_paused = true)]
async fn our_write_does_not_come_back_over_a_newer_one_of_somebody_else() {
    for personality in Personality::ALL {
        let provider = MemoryProvider::new(personality);
        let manager = build(provider.clone());
        let _running = Running::start(&manager).await;
        manager.cached().put_text(NAME, "ours").await.unwrap();
        provider.outside().write(&reference(NAME), value("theirs")).unwrap();
        manager.invalidate(&reference(NAME));
        assert_eq!(text(&manager.get(NAME).await.unwrap()), "theirs", "{personality:?}");
    }
}

/// The call's timer belongs to the runtime of the reader who began it.
#[test]
fn the_run_future_outlives_the_runtime_of_a_reader() {
    let provider = Scripted::new(|call, _| async move {
        if call == 1 {
            std::future::pending::<()>().await;
        }
        Ok(version("v1"))
    });
    let manager = build(provider);
    let runtime = |threads: usize| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(threads).enable_all().build().unwrap()
    };
    let main = runtime(1);
    let running = main.spawn(manager.run());
    while !manager.usage().is_running {
        std::thread::sleep(millis(5));
    }
    let short = runtime(1);
    short.block_on(async {
        let _ = tokio::time::timeout(millis(50), manager.get(NAME)).await;
    });
    drop(short);
    std::thread::sleep(millis(500));
    assert!(!running.is_finished());
}

/// Google counts the versions of each secret from 1.
#[tokio::test(start_paused = true)]
async fn closing_a_version_closes_none_of_another_secret() {
    let manager = build(memory(Personality::Google).await);
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    let id = handle.load().secret().unwrap().version.id.clone();
    let other = SecretRef::from(NativeId::new("elsewhere").unwrap());
    let cached = manager.cached();
    let version = cached.set_secret(&other, value("x"), SetOptions::new()).await.unwrap();
    assert_eq!(version.id, id);
    cached.set_version_state(&other, &version.id, VersionState::Disabled).await.unwrap();
    assert!(!matches!(*handle.load(), SecretState::Gone { .. }));
    pass(secs(1)).await;
    assert!(handle.load().is_fresh());
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_not_asked_for_without_a_pause() {
    let provider = Scripted::new(|call, _| async move {
        if call == 1 { Ok(version("v1")) } else { Err(absent()) }
    });
    let backoff = Backoff { first: secs(1), longest: secs(60) };
    let policy = policy().with_negative_ttl(secs(0)).with_backoff(backoff);
    let manager = build_with(provider.clone(), policy);
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    pass(secs(300)).await;
    assert!(matches!(*handle.load(), SecretState::Gone { .. }));
    assert!(provider.calls() < 320, "{} calls", provider.calls());
}

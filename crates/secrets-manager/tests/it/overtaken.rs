//! Answers that come when the world has moved on: after a write, another's write, an absence, the
//! last reader, or their own runtime.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use live_value::Live;
use secrets_core::memory::{MemoryProvider, Personality};
use secrets_core::{
    Capabilities, DeleteMode, Deleted, GetOptions, NameRules, NativeId, Operation, ProviderId,
    Result, Secret, SecretProvider, SecretProviderExt, SecretRef, SecretState, SecretValue,
    SetOptions, VersionInfo, VersionState, async_trait,
};
use secrets_manager::{Backoff, SecretHandle};
use tokio::sync::Notify;

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

/// A provider whose second call gives a value of somebody else's, and which fails from then on.
fn failing_after_the_second() -> Scripted {
    Scripted::new(|call, _| async move {
        tokio::time::sleep(millis(u64::from(call == 2) * 1_000)).await;
        match call {
            1 => Ok(version("v1")),
            2 => Ok(version("v2")),
            _ => Err(unavailable()),
        }
    })
}

/// What is not kept nobody else is given: who asked gets what the others get.
#[tokio::test(start_paused = true)]
async fn a_read_that_was_overtaken_is_not_ahead_of_later_ones() {
    let manager = build(failing_after_the_second());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    manager.invalidate(&reference(NAME));
    let early = tokio::spawn({
        let manager = manager.clone();
        async move { manager.get(NAME).await }
    });
    pass(millis(500)).await;
    manager.invalidate(&reference(NAME));
    let early = text(&early.await.unwrap().unwrap());
    assert_eq!(early, text(&manager.get(NAME).await.unwrap()));
    assert_eq!(early, text(handle.load().secret().unwrap()));
}

/// Somebody who writes or invalidates all the time keeps nobody from reading.
#[tokio::test(start_paused = true)]
async fn a_storm_of_invalidations_ends_a_read_in_time() {
    let provider = Scripted::new(|call, _| async move {
        tokio::time::sleep(secs(1)).await;
        Ok(version(&format!("v{call}")))
    });
    let manager = build(provider.clone());
    let storm = tokio::spawn({
        let manager = manager.clone();
        async move {
            loop {
                manager.invalidate(&reference(NAME));
                tokio::time::sleep(millis(100)).await;
            }
        }
    });
    let begun = tokio::time::Instant::now();
    manager.get(NAME).await.unwrap();
    assert!(begun.elapsed() < secs(7), "{:?}", begun.elapsed());
    let wanted = [NAME, "b"].map(|name| (reference(name), GetOptions::default()));
    let answers = manager.cached().get_secrets(&wanted).await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
    assert!(begun.elapsed() < secs(14), "{:?}", begun.elapsed());
    assert!(provider.calls() <= 20, "{} calls", provider.calls());
    storm.abort();
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

/// What a native id means only the provider knows, so all that is read by name may have changed.
#[tokio::test(start_paused = true)]
async fn a_write_by_native_id_is_no_storm_of_calls() {
    let provider = memory(Personality::Google).await;
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    for number in 0..200 {
        provider.put_text(&format!("n/{number}"), "x").await.unwrap();
        manager.get(&format!("n/{number}")).await.unwrap();
    }
    let before = provider.calls(Operation::GetSecret);
    let native = SecretRef::from(NativeId::new("elsewhere").unwrap());
    manager.cached().set_secret(&native, value("x"), SetOptions::new()).await.unwrap();
    pass(secs(5)).await;
    assert_eq!(provider.calls(Operation::GetSecret), before);
    manager.get("n/7").await.unwrap();
    assert_eq!(provider.calls(Operation::GetSecret), before + 1, "its reader asks");
}

/// Google counts versions from 1 again, so the new one has the id of the one that was deleted.
#[tokio::test(start_paused = true)]
async fn what_somebody_creates_anew_after_our_deletion_is_seen() {
    for personality in Personality::ALL {
        let sleeper = Arc::new(TokioSleep);
        let provider = MemoryProvider::builder(personality).sleeper(sleeper).build().unwrap();
        provider.put_text(NAME, "one").await.unwrap();
        let manager = build(provider.clone());
        let _running = Running::start(&manager).await;
        manager.get(NAME).await.unwrap();
        let mode = DeleteMode::Immediate;
        manager.cached().delete_secret(&reference(NAME), mode).await.unwrap();
        pass(secs(11)).await;
        provider.outside().write(&reference(NAME), value("new")).unwrap();
        pass(secs(11)).await; // the absence is believed for 10 s
        assert_eq!(text(&manager.get(NAME).await.unwrap()), "new", "{personality:?}");
    }
}

/// Deletes at once and answers late.
#[derive(Debug, Clone)]
struct LateDeletion {
    inner: MemoryProvider,
    opened: Arc<Notify>,
}

#[async_trait]
impl SecretProvider for LateDeletion {
    fn id(&self) -> &ProviderId {
        self.inner.id()
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn name_rules(&self) -> &NameRules {
        self.inner.name_rules()
    }

    async fn get_secret(&self, reference: &SecretRef, options: GetOptions) -> Result<Secret> {
        self.inner.get_secret(reference, options).await
    }

    async fn set_secret(
        &self,
        reference: &SecretRef,
        value: SecretValue,
        options: SetOptions,
    ) -> Result<VersionInfo> {
        self.inner.set_secret(reference, value, options).await
    }

    async fn delete_secret(&self, reference: &SecretRef, mode: DeleteMode) -> Result<Deleted> {
        let deleted = self.inner.delete_secret(reference, mode).await;
        self.opened.notified().await;
        deleted
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_is_answered_late_does_not_hide_what_was_written_since() {
    let sleeper = Arc::new(TokioSleep);
    let inner = MemoryProvider::builder(Personality::Google).sleeper(sleeper).build().unwrap();
    inner.put_text(NAME, "one").await.unwrap();
    let provider = LateDeletion { inner, opened: Arc::default() };
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    let deletion = tokio::spawn({
        let cached = manager.cached().clone();
        async move { cached.delete_secret(&reference(NAME), DeleteMode::Immediate).await }
    });
    settle().await;
    manager.cached().put_text(NAME, "two").await.unwrap();
    provider.opened.notify_one();
    deletion.await.unwrap().unwrap();
    settle().await;
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "two");
    assert_eq!(text(handle.load().secret().unwrap()), "two");
    assert!(handle.load_checked().is_ok());
}

/// The run future is asked to see calls of readers through; where it is stalled it must not keep
/// what they were answered.
#[test]
fn a_stalled_run_future_keeps_no_answers() {
    let token = Arc::new(());
    let held = Token(Arc::clone(&token));
    let provider = Scripted::new(move |_, _| {
        let held = held.clone();
        async move {
            tokio::task::yield_now().await;
            Err(absent().with_source(held))
        }
    });
    let policy = policy().with_negative_ttl(secs(0)).with_stall_after(secs(600));
    let manager = build_with(provider, policy);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stalled = runtime();
    stalled.block_on(async {
        tokio::spawn(manager.run());
        settle().await;
    });
    assert!(manager.usage().is_running);
    runtime().block_on(async {
        for _ in 0..1_000 {
            manager.get(NAME).await.unwrap_err();
        }
    });
    assert_eq!(Arc::strong_count(&token), 2, "ours and the script's");
}

/// Nor must it keep calls that nobody waits for and whose answers would not count.
#[test]
fn a_stalled_run_future_keeps_no_calls_that_were_overtaken() {
    let token = Arc::new(());
    let held = Token(Arc::clone(&token));
    let provider = Scripted::new(move |_, _| {
        let held = held.clone();
        async move {
            std::future::pending::<()>().await;
            Err(absent().with_source(held))
        }
    });
    let manager = build_with(provider, policy().with_stall_after(secs(600)));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stalled = runtime();
    stalled.block_on(async {
        tokio::spawn(manager.run());
        settle().await;
    });
    runtime().block_on(async {
        for _ in 0..100 {
            let read = tokio::time::timeout(millis(1), manager.get(NAME)).await;
            assert!(read.is_err(), "its reader leaves");
            manager.invalidate(&reference(NAME));
        }
    });
    assert_eq!(Arc::strong_count(&token), 2, "ours and the script's");
}

#[derive(Debug, Clone)]
struct Token(Arc<()>);

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a token held {} times", Arc::strong_count(&self.0))
    }
}

impl std::error::Error for Token {}

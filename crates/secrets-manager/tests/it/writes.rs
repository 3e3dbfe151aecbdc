//! Writes through the manager, on backends that are prompt and on backends that lag.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use secrets_core::memory::{Fault, FaultRule, Faults, Gate, Lag, MemoryProvider, Personality};
use secrets_core::{
    Capabilities, DeleteMode, Effect, ErrorKind, GetOptions, IdempotencyKey, NameRules, NativeId,
    Operation, Precondition, ProviderId, Result, Secret, SecretName, SecretProvider,
    SecretProviderExt, SecretRef, SecretState, SecretValue, SetOptions, Support, VersionInfo,
    VersionSelector, VersionState, async_trait,
};
use secrets_manager::{CachedProvider, SecretManager};
use tokio::sync::Notify;

use crate::support::{
    NAME, Running, Wall, build, memory, pass, reference, secs, settle, text, value,
};

fn selected(selector: VersionSelector) -> GetOptions {
    GetOptions::version(selector)
}

async fn current(cached: &CachedProvider) -> String {
    text(&cached.get(NAME).await.unwrap())
}

#[tokio::test(start_paused = true)]
async fn what_is_written_is_what_the_next_read_gives() {
    for personality in Personality::ALL {
        for with_run in [false, true] {
            let provider = memory(personality).await;
            let manager = build(provider.clone());
            let running = if with_run { Some(Running::start(&manager).await) } else { None };
            let cached = manager.cached();
            let handle = manager.handle(NAME).await.unwrap();
            let calls = provider.calls(Operation::GetSecret);
            cached.put_text(NAME, "two").await.unwrap();
            assert_eq!(text(handle.load().secret().unwrap()), "two");
            assert_eq!(current(cached).await, "two");
            assert_eq!(provider.calls(Operation::GetSecret), calls, "written through");
            let previous = selected(VersionSelector::Previous);
            let previous = cached.get_secret(&reference(NAME), previous).await.unwrap();
            assert_eq!(text(&previous), "one");
            cached.put_text("quite/new", "first").await.unwrap();
            assert_eq!(text(&manager.get("quite/new").await.unwrap()), "first");
            drop(running);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn other_selectors_do_not_keep_what_a_write_changed() {
    for personality in Personality::ALL {
        let provider = memory(personality).await;
        let manager = build(provider.clone());
        let cached = manager.cached();
        let name = reference(NAME);
        cached.put_text(NAME, "two").await.unwrap();
        let previous = || selected(VersionSelector::Previous);
        assert_eq!(text(&cached.get_secret(&name, previous()).await.unwrap()), "one");
        cached.put_text(NAME, "three").await.unwrap();
        assert_eq!(text(&cached.get_secret(&name, previous()).await.unwrap()), "two");
        let pending = || selected(VersionSelector::Pending);
        let absent = cached.get_secret(&name, pending()).await.unwrap_err();
        assert_eq!(absent.kind(), ErrorKind::NotFound);
        cached.set_secret(&name, value("four"), SetOptions::pending()).await.unwrap();
        assert_eq!(text(&cached.get_secret(&name, pending()).await.unwrap()), "four");
        assert_eq!(current(cached).await, "three");
    }
}

/// Stages, promotes, and says what handles saw right after.
async fn rotate(manager: &SecretManager, to: &str) -> String {
    let (cached, name) = (manager.cached(), reference(NAME));
    let handle = manager.handle(NAME).await.unwrap();
    let base = cached.get(NAME).await.unwrap().version.id;
    let pending = cached.set_secret(&name, value(to), SetOptions::pending()).await.unwrap();
    let token = IdempotencyKey::from_random([7; 16]);
    cached.promote(&name, &pending.id, &base, &token).await.unwrap();
    text(handle.load().secret().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_promotion_reaches_every_handle_before_it_returns() {
    for personality in Personality::ALL {
        for with_run in [false, true] {
            let provider = memory(personality).await;
            let manager = build(provider.clone());
            let running = if with_run { Some(Running::start(&manager).await) } else { None };
            assert_eq!(rotate(&manager, "two").await, "two");
            assert_eq!(current(manager.cached()).await, "two");
            drop(running);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_replica_does_not_roll_the_cache_back() {
    for personality in Personality::ALL {
        let builder = MemoryProvider::builder(personality).declared_delay(secs(60));
        let provider = builder.build().unwrap();
        provider.put_text(NAME, "one").await.unwrap();
        let manager = build(provider.clone());
        let _running = Running::start(&manager).await;
        let handle = manager.handle(NAME).await.unwrap();
        manager.cached().put_text(NAME, "two").await.unwrap();
        let stale = FaultRule::new(Fault::Stale(Lag::Changes(1))).on(Operation::GetSecret);
        provider.inject(Faults::seeded(0).with(stale)).unwrap();
        // The refresh at 80 seconds meets the replica, and so do those after it.
        for _ in 0..11 {
            pass(secs(10)).await;
            assert_eq!(text(handle.load().secret().unwrap()), "two", "{personality:?}");
            assert_eq!(current(manager.cached()).await, "two");
        }
        manager.invalidate(&reference(NAME));
        assert_eq!(current(manager.cached()).await, "two", "{personality:?}");
        assert!(provider.faults_struck() > 0, "the replica was met");
    }
}

/// Google answers for an exact version at once, and for the current one half a minute late.
#[tokio::test(start_paused = true)]
async fn a_promotion_on_a_lagging_backend_is_read_by_its_id() {
    let builder = MemoryProvider::builder(Personality::Google).clock(Arc::new(Wall::new()));
    let builder = builder.declared_delay(secs(60)).propagation(secs(30));
    let provider = builder.build().unwrap();
    provider.put_text(NAME, "one").await.unwrap();
    pass(secs(31)).await;
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    let (cached, name) = (manager.cached(), reference(NAME));
    let base = cached.get(NAME).await.unwrap().version.id;
    let pending = cached.set_secret(&name, value("two"), SetOptions::pending()).await.unwrap();
    pass(secs(31)).await;
    let token = IdempotencyKey::from_random([7; 16]);
    cached.promote(&name, &pending.id, &base, &token).await.unwrap();
    let seen = provider.get_secret(&name, GetOptions::default()).await.unwrap();
    assert_eq!(text(&seen), "one", "the backend still lags");
    for _ in 0..12 {
        assert_eq!(text(handle.load().secret().unwrap()), "two");
        assert_eq!(current(cached).await, "two");
        pass(secs(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_foreign_write_is_taken_over_though_we_wrote_lately() {
    for personality in Personality::ALL {
        let builder = MemoryProvider::builder(personality).declared_delay(secs(60));
        let provider = builder.build().unwrap();
        let manager = build(provider.clone());
        let _running = Running::start(&manager).await;
        manager.cached().put_text(NAME, "ours").await.unwrap();
        let handle = manager.handle(NAME).await.unwrap();
        provider.outside().write(&reference(NAME), value("theirs")).unwrap();
        pass(secs(81)).await;
        assert_eq!(text(handle.load().secret().unwrap()), "theirs");
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_time_is_over_the_backend_is_right_again() {
    // Somebody moves AWS's label back to the version before ours.
    let builder = MemoryProvider::builder(Personality::Aws).declared_delay(secs(60));
    let provider = builder.build().unwrap();
    provider.put_text(NAME, "one").await.unwrap();
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    manager.cached().put_text(NAME, "two").await.unwrap();
    let name = reference(NAME);
    let two = provider.get_secret(&name, GetOptions::default()).await.unwrap().version.id;
    let stale = FaultRule::new(Fault::Stale(Lag::Changes(1))).on(Operation::GetSecret);
    provider.inject(Faults::seeded(0).with(stale)).unwrap();
    pass(secs(119)).await;
    assert_eq!(handle.load().secret().unwrap().version.id, two);
    pass(secs(30)).await;
    assert_eq!(text(handle.load().secret().unwrap()), "one", "what it says for so long counts");
}

/// Does at once what it is asked for; the answers to the first write and the first batch wait.
#[derive(Debug, Clone)]
struct LateAnswer {
    inner: MemoryProvider,
    writes: Arc<AtomicU64>,
    batches: Arc<AtomicU64>,
    opened: Arc<Notify>,
}

impl LateAnswer {
    fn new(inner: MemoryProvider) -> Self {
        Self { inner, writes: Arc::default(), batches: Arc::default(), opened: Arc::default() }
    }
}

#[async_trait]
impl SecretProvider for LateAnswer {
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

    async fn get_secrets(&self, wanted: &[(SecretRef, GetOptions)]) -> Result<Vec<Result<Secret>>> {
        let answers = self.inner.get_secrets(wanted).await;
        if self.batches.fetch_add(1, Ordering::SeqCst) == 0 {
            self.opened.notified().await;
        }
        answers
    }

    async fn set_secret(
        &self,
        reference: &SecretRef,
        value: SecretValue,
        options: SetOptions,
    ) -> Result<VersionInfo> {
        let written = self.inner.set_secret(reference, value, options).await;
        if self.writes.fetch_add(1, Ordering::SeqCst) == 0 {
            self.opened.notified().await;
        }
        written
    }
}

#[tokio::test(start_paused = true)]
async fn writes_that_overlap_leave_the_backend_to_decide() {
    for personality in Personality::ALL {
        for (by_native_id, with_run) in [(false, false), (false, true), (true, false), (true, true)]
        {
            let inner = memory(personality).await;
            let native = inner.name_rules().encode(&SecretName::new(NAME).unwrap()).unwrap();
            let provider = LateAnswer::new(inner);
            let manager = build(provider.clone());
            let running = if with_run { Some(Running::start(&manager).await) } else { None };
            let handle = manager.handle(NAME).await.unwrap();
            // The first write is carried out first and answered last.
            let slow = tokio::spawn({
                let cached = manager.cached().clone();
                async move { cached.put_text(NAME, "first").await }
            });
            settle().await;
            let name =
                if by_native_id { NativeId::new(&native).unwrap().into() } else { reference(NAME) };
            let second = manager.cached().set_secret(&name, value("second"), SetOptions::new());
            second.await.unwrap();
            provider.opened.notify_one();
            slow.await.unwrap().unwrap();
            assert_eq!(text(handle.load().secret().unwrap()), "second", "{personality:?}");
            assert_eq!(current(manager.cached()).await, "second");
            drop(running);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_of_unknown_outcome_is_read_again() {
    let lost = || FaultRule::new(Fault::LostReply).on(Operation::SetSecret);
    for personality in Personality::ALL {
        let provider = memory(personality).await;
        let manager = build(provider.clone());
        let cached = manager.cached();
        assert_eq!(current(cached).await, "one");
        provider.inject(Faults::seeded(0).with(lost())).unwrap();
        let error = cached.put_text(NAME, "two").await.unwrap_err();
        assert_eq!(error.effect(), Effect::Unknown);
        assert_eq!(current(cached).await, "two", "{personality:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_dropped_is_read_again() {
    let provider = memory(Personality::Aws).await;
    let manager = build(provider.clone());
    let cached = manager.cached();
    assert_eq!(current(cached).await, "one");
    let gate = Gate::new();
    let hang = FaultRule::new(Fault::Hang(gate)).on(Operation::SetSecret);
    provider.inject(Faults::seeded(0).with(hang)).unwrap();
    let put = tokio::time::timeout(secs(1), cached.put_text(NAME, "two"));
    assert!(put.await.is_err());
    // As it may have: somebody else's eyes cannot tell.
    provider.inject(Faults::none()).unwrap();
    provider.outside().write(&reference(NAME), value("two")).unwrap();
    assert_eq!(current(cached).await, "two");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_refused_changes_nothing_unless_it_shows_that_we_are_behind() {
    let provider = memory(Personality::Aws).await;
    let manager = build(provider.clone());
    let cached = manager.cached();
    let before = cached.get(NAME).await.unwrap().version.id;
    let too_large = SecretValue::from_vec(vec![b'x'; 1 << 20]);
    let error = cached.put(NAME, too_large).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::TooLarge, Effect::NotApplied));
    assert_eq!(current(cached).await, "one");
    assert_eq!(provider.calls(Operation::GetSecret), 1, "still cached");

    provider.outside().write(&reference(NAME), value("theirs")).unwrap();
    let when = SetOptions::new().when(Precondition::CurrentIs(before));
    let error = cached.set_secret(&reference(NAME), value("ours"), when).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(current(cached).await, "theirs");
}

#[tokio::test(start_paused = true)]
async fn a_repeated_token_does_not_bring_an_old_version_back() {
    for personality in Personality::ALL {
        let provider = memory(personality).await;
        if provider.capabilities().idempotency == Support::No {
            continue;
        }
        let manager = build(provider.clone());
        let cached = manager.cached();
        let token = || SetOptions::new().with_token(IdempotencyKey::from_random([9; 16]));
        let name = reference(NAME);
        cached.set_secret(&name, value("two"), token()).await.unwrap();
        cached.put_text(NAME, "three").await.unwrap();
        let repeated = cached.set_secret(&name, value("two"), token()).await;
        settle().await;
        let truth = text(&provider.outside().read(&name).unwrap());
        assert_eq!(current(cached).await, truth, "{personality:?}: {repeated:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_deleted_is_gone_at_once_and_what_is_restored_is_back() {
    for personality in Personality::ALL {
        for with_run in [false, true] {
            let provider = memory(personality).await;
            let manager = build(provider.clone());
            let running = if with_run { Some(Running::start(&manager).await) } else { None };
            let (cached, name) = (manager.cached(), reference(NAME));
            let handle = manager.handle(NAME).await.unwrap();
            let recover = cached.capabilities().recover.is_available();
            let mode = if recover {
                DeleteMode::Recoverable { window: None }
            } else {
                DeleteMode::Immediate
            };
            cached.delete_secret(&name, mode).await.unwrap();
            assert!(matches!(*handle.load(), SecretState::Gone { .. }), "{:?}", handle.load());
            assert!(handle.load_checked().is_err() && manager.try_get(NAME).is_none());
            assert!(cached.get(NAME).await.is_err());
            settle().await;
            assert!(matches!(*handle.load(), SecretState::Gone { .. }));
            if recover {
                cached.restore_secret(&name).await.unwrap();
                assert_eq!(current(cached).await, "one");
                settle().await;
                assert_eq!(text(handle.load_checked().unwrap().secret().unwrap()), "one");
            }
            drop(running);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_lags_does_not_bring_a_deleted_secret_back() {
    let builder = MemoryProvider::builder(Personality::Aws).declared_delay(secs(60));
    let provider = builder.build().unwrap();
    provider.put_text(NAME, "one").await.unwrap();
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    let mode = DeleteMode::Recoverable { window: None };
    manager.cached().delete_secret(&reference(NAME), mode).await.unwrap();
    let stale = FaultRule::new(Fault::Stale(Lag::Changes(1))).on(Operation::GetSecret);
    provider.inject(Faults::seeded(0).with(stale)).unwrap();
    for _ in 0..10 {
        pass(secs(10)).await;
        assert!(handle.load_checked().is_err() && manager.get(NAME).await.is_err());
    }
    assert!(provider.faults_struck() > 0);
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_lags_does_not_bring_a_disabled_version_back() {
    for personality in [Personality::Azure, Personality::Google] {
        for has_handle in [false, true] {
            let builder = MemoryProvider::builder(personality).declared_delay(secs(60));
            let provider = builder.build().unwrap();
            let manager = build(provider.clone());
            let _running = Running::start(&manager).await;
            let (cached, name) = (manager.cached(), reference(NAME));
            cached.put_text(NAME, "one").await.unwrap();
            let handle = if has_handle { Some(manager.handle(NAME).await.unwrap()) } else { None };
            let id = manager.get(NAME).await.unwrap().version.id;
            cached.set_version_state(&name, &id, VersionState::Disabled).await.unwrap();
            let stale = FaultRule::new(Fault::Stale(Lag::Changes(1))).on(Operation::GetSecret);
            provider.inject(Faults::seeded(0).with(stale)).unwrap();
            for _ in 0..10 {
                assert!(manager.get(NAME).await.is_err(), "{personality:?}");
                assert!(handle.iter().all(|handle| handle.load_checked().is_err()));
                pass(secs(10)).await;
            }
            assert!(provider.faults_struck() > 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn disabling_an_older_version_leaves_the_one_that_was_written_alone() {
    let builder = MemoryProvider::builder(Personality::Google).declared_delay(secs(60));
    let manager = build(builder.build().unwrap());
    let _running = Running::start(&manager).await;
    let (cached, name) = (manager.cached(), reference(NAME));
    let one = cached.put_text(NAME, "one").await.unwrap();
    cached.put_text(NAME, "two").await.unwrap();
    let handle = manager.handle(NAME).await.unwrap();
    cached.set_version_state(&name, &one.id, VersionState::Disabled).await.unwrap();
    settle().await;
    assert!(handle.load().is_fresh(), "{:?}", handle.load());
    assert_eq!(text(handle.load().secret().unwrap()), "two");
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_disabled_is_gone_at_once_and_back_when_enabled() {
    for personality in Personality::ALL {
        let provider = memory(personality).await;
        if !provider.capabilities().disable.is_available() {
            continue;
        }
        let manager = build(provider.clone());
        let _running = Running::start(&manager).await;
        let (cached, name) = (manager.cached(), reference(NAME));
        let handle = manager.handle(NAME).await.unwrap();
        let id = cached.get(NAME).await.unwrap().version.id;
        cached.set_version_state(&name, &id, VersionState::Disabled).await.unwrap();
        assert!(matches!(*handle.load(), SecretState::Gone { .. }));
        assert_eq!(cached.get(NAME).await.unwrap_err().kind(), ErrorKind::Disabled);
        cached.set_version_state(&name, &id, VersionState::Enabled).await.unwrap();
        assert_eq!(current(cached).await, "one");
        settle().await;
        assert!(handle.load_checked().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_from_before_an_invalidation_is_not_kept() {
    let inner = memory(Personality::Aws).await;
    inner.put_text("other", "other").await.unwrap();
    let provider = LateAnswer::new(inner);
    let manager = build(provider.clone());
    let wanted = [NAME, "other"].map(|name| (reference(name), GetOptions::default()));
    let batch = tokio::spawn({
        let cached = manager.cached().clone();
        async move { cached.get_secrets(&wanted).await }
    });
    settle().await;
    provider.inner.outside().write(&reference(NAME), value("two")).unwrap();
    manager.invalidate(&reference(NAME));
    provider.opened.notify_one();
    let answers = batch.await.unwrap().unwrap();
    assert_eq!(text(answers[0].as_ref().unwrap()), "two", "it is asked for again");
    assert_eq!(current(manager.cached()).await, "two");
}

#[tokio::test(start_paused = true)]
async fn many_are_read_in_one_call_and_from_the_cache_after_that() {
    for personality in Personality::ALL {
        let provider = memory(personality).await;
        let mut wanted = Vec::new();
        for number in 0..15 {
            let name = format!("many/{number}");
            provider.put_text(&name, &format!("value {number}")).await.unwrap();
            wanted.push((reference(&name), GetOptions::default()));
        }
        wanted.insert(3, (reference("not/there"), GetOptions::default()));
        let manager = build(provider.clone());
        let cached = manager.cached();
        manager.get("many/7").await.unwrap();
        for _ in 0..2 {
            let answers = cached.get_secrets(&wanted).await.unwrap();
            assert_eq!(answers.len(), 16);
            assert_eq!(answers[3].as_ref().unwrap_err().kind(), ErrorKind::NotFound);
            for (number, at) in [(0, 0), (2, 2), (3, 4), (14, 15)] {
                let secret = answers[at].as_ref().unwrap();
                assert_eq!(text(secret), format!("value {number}"));
            }
            let calls =
                (provider.calls(Operation::GetSecrets), provider.calls(Operation::GetSecret));
            let batch = provider.capabilities().batch.is_available();
            assert_eq!(calls, if batch { (1, 1) } else { (0, 16) }, "{personality:?}");
        }
    }
}

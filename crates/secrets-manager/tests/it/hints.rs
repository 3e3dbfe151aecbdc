//! Change hints of providers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use secrets_core::memory::{MemoryProvider, Personality};
use secrets_core::{
    Capabilities, ChangeHint, ChangeStream, Error, ErrorKind, GetOptions, NameRules, Operation,
    ProviderId, Result, Retry, Secret, SecretProvider, SecretProviderExt, SecretRef, SecretState,
    Support, async_trait,
};

use crate::support::{
    NAME, Running, Scripted, absent, build, build_with, memory, millis, pass, policy, reference,
    secs, settle, text, unavailable, value, version,
};

async fn announcing() -> MemoryProvider {
    let builder = MemoryProvider::builder(Personality::Aws).announce_changes();
    let provider = builder.build().unwrap();
    provider.put_text(NAME, "one").await.unwrap();
    provider
}

#[tokio::test(start_paused = true)]
async fn a_hint_is_followed_at_once() {
    let provider = announcing().await;
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    manager.get("other").await.unwrap_err();
    let begun = tokio::time::Instant::now();
    provider.outside().write(&reference(NAME), value("two")).unwrap();
    provider.outside().write(&reference("other"), value("new")).unwrap();
    settle().await;
    assert_eq!(text(handle.load().secret().unwrap()), "two");
    assert_eq!(text(manager.try_get(NAME).unwrap().secret()), "two");
    assert_eq!(text(&manager.get("other").await.unwrap()), "new", "absence is not believed on");
    assert_eq!(begun.elapsed(), secs(0));
    assert!(handle.load().is_fresh());
}

#[tokio::test(start_paused = true)]
async fn what_was_cached_before_anybody_listened_is_asked_for_again() {
    let provider = announcing().await;
    let manager = build(provider.clone());
    let handle = manager.handle(NAME).await.unwrap();
    provider.outside().write(&reference(NAME), value("two")).unwrap();
    let _running = Running::start(&manager).await;
    assert_eq!(text(handle.load().secret().unwrap()), "two");
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_hints_is_few_calls() {
    let provider = announcing().await;
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    for number in 0..1_000 {
        provider.outside().write(&reference(NAME), value(&format!("{number}"))).unwrap();
    }
    settle().await;
    assert_eq!(text(handle.load().secret().unwrap()), "999");
    assert!(provider.calls(Operation::GetSecret) <= 50, "{}", provider.calls(Operation::GetSecret));
}

/// Gives hints by a script, and answers a version for each call.
#[derive(Debug, Clone)]
struct Hinting {
    inner: Scripted,
    capabilities: Capabilities,
    subscriptions: Arc<AtomicU64>,
    hints: fn(u64) -> Option<ChangeStream>,
}

impl Hinting {
    fn new(inner: Scripted, hints: fn(u64) -> Option<ChangeStream>) -> Self {
        let mut capabilities = inner.capabilities().clone();
        capabilities.changes = Support::Native;
        Self { inner, capabilities, subscriptions: Arc::default(), hints }
    }
}

#[async_trait]
impl SecretProvider for Hinting {
    fn id(&self) -> &ProviderId {
        self.inner.id()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn name_rules(&self) -> &NameRules {
        self.inner.name_rules()
    }

    async fn get_secret(&self, reference: &SecretRef, options: GetOptions) -> Result<Secret> {
        self.inner.get_secret(reference, options).await
    }

    fn changes(&self) -> Option<ChangeStream> {
        (self.hints)(self.subscriptions.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

fn after(seconds: u64, hint: ChangeHint) -> ChangeStream {
    Box::pin(futures_util::stream::once(async move {
        tokio::time::sleep(secs(seconds)).await;
        hint
    }))
}

fn counting() -> Scripted {
    Scripted::new(|call, _| async move { Ok(version(&format!("v{call}"))) })
}

#[tokio::test(start_paused = true)]
async fn a_hint_at_anything_refreshes_handles_and_leaves_the_rest_to_its_readers() {
    let provider =
        Hinting::new(counting(), |number| (number == 1).then(|| after(10, ChangeHint::any())));
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let handle = manager.handle("held").await.unwrap();
    manager.get("by-name").await.unwrap();
    pass(secs(9)).await;
    assert_eq!((provider.inner.calls(), manager.usage().entries), (2, 2));
    pass(millis(1_100)).await;
    assert_eq!(provider.inner.calls(), 3, "not for what is read by name only");
    assert!(manager.try_get("by-name").is_none());
    assert_eq!(text(handle.load().secret().unwrap()), "v3");
    assert_eq!(text(&manager.get("by-name").await.unwrap()), "v4");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_is_asked_for_again_and_the_gap_is_closed() {
    let provider = Hinting::new(counting(), |number| {
        (number < 4).then(|| after(1, ChangeHint::secret(reference("another"))))
    });
    let manager = build(provider.clone());
    let running = Running::start(&manager).await;
    let _handle = manager.handle(NAME).await.unwrap();
    pass(secs(60)).await;
    assert_eq!(provider.subscriptions.load(Ordering::SeqCst), 4);
    assert_eq!(provider.inner.calls(), 3, "once for the handle, once for each gap");
    assert!(!running.is_finished());
}

/// What takes the provider down takes its stream down as well.
#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_in_an_outage_takes_nothing_away() {
    let inner = Scripted::new(|call, _| async move {
        if call == 1 { Ok(version("v1")) } else { Err(unavailable()) }
    });
    let another = |_| Some(after(10, ChangeHint::secret(reference("another"))));
    let provider = Hinting::new(inner, another);
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    manager.get(NAME).await.unwrap();
    for _ in 0..600 {
        pass(secs(1)).await;
        assert_eq!(text(&manager.get(NAME).await.unwrap()), "v1");
    }
    let subscriptions = provider.subscriptions.load(Ordering::SeqCst);
    assert!(subscriptions >= 20, "{subscriptions}: the stream has ended again and again");
    let calls = provider.inner.calls();
    assert!(calls < 60, "{calls} calls in 10 minutes: hints cut no pause short");
}

#[tokio::test(start_paused = true)]
async fn a_hint_does_not_cut_short_a_pause_that_the_provider_asked_for() {
    fn throttled() -> Error {
        Error::new(ErrorKind::Throttled, "slow down").with_retry(Retry::After(secs(300)))
    }
    let inner = Scripted::new(|_, _| async { Err(throttled()) });
    let provider = Hinting::new(inner, |number| {
        let hint =
            if number == 1 { ChangeHint::secret(reference(NAME)) } else { ChangeHint::any() };
        Some(after(10, hint))
    });
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    for _ in 0..290 {
        assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::Throttled);
        pass(secs(1)).await;
    }
    assert_eq!(provider.inner.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hint_has_what_is_gone_looked_for_again() {
    let inner = Scripted::new(|call, _| async move {
        if call == 2 { Err(absent()) } else { Ok(version(&format!("v{call}"))) }
    });
    let provider = Hinting::new(inner, |number| {
        Some(after(85, ChangeHint::secret(reference(NAME)))).filter(|_| number == 1)
    });
    let manager = build_with(provider, policy().with_negative_ttl(secs(60)));
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    pass(secs(84)).await;
    assert!(matches!(*handle.load(), SecretState::Gone { .. }));
    pass(secs(2)).await;
    assert_eq!(text(handle.load().secret().unwrap()), "v3");
    assert!(handle.load().is_fresh());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_panics_is_contained() {
    let provider = Hinting::new(counting(), |number| match number {
        1 => panic!("on purpose, in changes"),
        2 => Some(Box::pin(futures_util::stream::poll_fn(|_| panic!("on purpose, in the stream")))),
        3 => Some(after(1, ChangeHint::any())),
        _ => None,
    });
    let manager = build(provider.clone());
    let running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    pass(secs(60)).await;
    assert!(!running.is_finished() && handle.load().is_fresh());
    assert_eq!(provider.subscriptions.load(Ordering::SeqCst), 4);
}

#[tokio::test(start_paused = true)]
async fn an_endless_stream_does_not_starve_the_rest() {
    let provider = Hinting::new(counting(), |_| {
        Some(Box::pin(futures_util::stream::repeat_with(|| ChangeHint::secret(reference("x")))))
    });
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let handle = tokio::time::timeout(secs(1), manager.handle(NAME)).await.unwrap().unwrap();
    assert!(handle.load().is_fresh());
}

#[tokio::test(start_paused = true)]
async fn a_hint_during_a_read_has_it_read_again() {
    let provider = Hinting::new(
        Scripted::new(|call, _| async move {
            tokio::time::sleep(secs(2)).await;
            Ok(version(&format!("v{call}")))
        }),
        |number| (number == 1).then(|| after(1, ChangeHint::secret(reference(NAME)))),
    );
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    assert_eq!(text(handle.load().secret().unwrap()), "v1", "it may be from before the hint");
    pass(secs(3)).await;
    assert_eq!(text(handle.load().secret().unwrap()), "v2");
    pass(secs(60)).await;
    assert_eq!(provider.inner.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_hint_by_name_reaches_what_is_cached_by_native_id() {
    use secrets_core::{NativeId, VersionSelector};
    let provider = announcing().await;
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let native: SecretRef = NativeId::new(NAME).unwrap().into();
    let handle = manager.cached().handle_of(&native, VersionSelector::Current).await.unwrap();
    provider.outside().write(&reference(NAME), value("two")).unwrap();
    settle().await;
    assert_eq!(text(handle.load().secret().unwrap()), "two");
}

#[tokio::test(start_paused = true)]
async fn without_hints_there_is_nothing_to_follow() {
    let provider = memory(Personality::Google).await;
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    provider.outside().write(&reference(NAME), value("two")).unwrap();
    pass(secs(79)).await;
    assert_eq!(text(handle.load().secret().unwrap()), "one");
    pass(secs(2)).await;
    assert_eq!(text(handle.load().secret().unwrap()), "two");
}

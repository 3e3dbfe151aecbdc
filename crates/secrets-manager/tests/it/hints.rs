//! Change hints of providers.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use secrets_core::memory::{MemoryProvider, Personality};
use secrets_core::{
    Capabilities, ChangeHint, ChangeStream, Error, ErrorKind, GetOptions, NameRules, Operation,
    ProviderId, Result, Retry, Secret, SecretProvider, SecretProviderExt, SecretRef, SecretState,
    Support, async_trait,
};

use crate::support::{
    Counting, NAME, Running, Scripted, absent, build, build_with, builder, memory, millis, pass,
    policy, reference, secs, settle, text, unavailable, value, version,
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

/// Ends at once, and panics as it is dropped.
struct Fragile;

impl futures_util::Stream for Fragile {
    type Item = ChangeHint;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<ChangeHint>> {
        Poll::Ready(None)
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        panic!("on purpose, in the destructor");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_panics_is_contained() {
    let provider = Hinting::new(counting(), |number| match number {
        1 => panic!("on purpose, in changes"),
        2 => Some(Box::pin(futures_util::stream::poll_fn(|_| panic!("on purpose, in the stream")))),
        3 => Some(after(1, ChangeHint::any())),
        4 => Some(Box::pin(Fragile)),
        _ => None,
    });
    let manager = build(provider.clone());
    let running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    pass(secs(60)).await;
    assert!(!running.is_finished() && handle.load().is_fresh());
    assert_eq!(provider.subscriptions.load(Ordering::SeqCst), 5);
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

/// That a provider fails has not changed because a secret has.
#[tokio::test(start_paused = true)]
async fn a_hint_during_a_read_that_fails_cuts_no_pause_short() {
    fn throttled() -> Error {
        Error::new(ErrorKind::Throttled, "slow down").with_retry(Retry::After(secs(300)))
    }
    let inner = Scripted::new(|_, _| async {
        tokio::time::sleep(secs(2)).await;
        Err(throttled())
    });
    let provider = Hinting::new(inner, |number| {
        (number == 1).then(|| after(1, ChangeHint::secret(reference(NAME))))
    });
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    for _ in 0..290 {
        assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::Throttled);
        pass(secs(1)).await;
    }
    assert_eq!(provider.inner.calls(), 1);
}

/// The answer that it is gone may be older than the word that it is back.
#[tokio::test(start_paused = true)]
async fn a_hint_during_a_read_has_what_is_gone_looked_for_again() {
    let inner = Scripted::new(|call, _| async move {
        tokio::time::sleep(secs(2)).await;
        if call == 2 { Err(absent()) } else { Ok(version(&format!("v{call}"))) }
    });
    let provider = Hinting::new(inner, |number| {
        Some(after(83, ChangeHint::secret(reference(NAME)))).filter(|_| number == 1)
    });
    let manager = build_with(provider, policy().with_negative_ttl(secs(60)));
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap(); // at 2 s; asked again from 82 s to 84 s
    pass(secs(83)).await;
    pass(secs(3)).await;
    assert!(handle.load().is_fresh(), "{:?}", handle.load());
    assert_eq!(text(handle.load().secret().unwrap()), "v3");
}

/// What a native id means only the provider knows, so all that is read by name may have changed.
#[tokio::test(start_paused = true)]
async fn a_hint_by_native_id_is_no_storm_of_calls() {
    let provider = Hinting::new(counting(), |number| {
        let native = secrets_core::NativeId::new("arn:elsewhere").unwrap();
        (number == 1).then(|| after(10, ChangeHint::secret(native.into())))
    });
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let handle = manager.handle("held").await.unwrap();
    for number in 0..200 {
        manager.get(&format!("n/{number}")).await.unwrap();
    }
    pass(millis(10_500)).await;
    assert_eq!(provider.inner.calls(), 202, "for the handle alone");
    assert_eq!(text(handle.load().secret().unwrap()), "v202");
    assert_eq!(text(&manager.get("n/7").await.unwrap()), "v203", "its reader asks");
}

/// Each hint at anything walks all entries.
#[tokio::test(start_paused = true)]
async fn a_backlog_of_hints_is_taken_in_together() {
    let provider = Hinting::new(counting(), |number| {
        let hints = (0..10_000).map(|number| match number % 3 {
            0 => ChangeHint::any(),
            1 => ChangeHint::secret(reference(NAME)),
            _ => ChangeHint::secret(reference("unknown")),
        });
        let backlog = futures_util::stream::iter(hints);
        (number == 1).then(|| {
            let later = futures_util::stream::once(tokio::time::sleep(secs(5)));
            let later = futures_util::StreamExt::flat_map(later, move |()| backlog.clone());
            Box::pin(later) as ChangeStream
        })
    });
    let clock = Counting::default();
    let manager = builder(provider.clone()).clock(Arc::new(clock.clone())).build().unwrap();
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    pass(millis(4_900)).await;
    let before = clock.looks();
    pass(millis(200)).await;
    let looks = clock.looks() - before;
    assert!(looks < 2_000, "{looks} looks at the clock");
    assert!(handle.load().is_fresh() && text(handle.load().secret().unwrap()) != "v1");
}

/// A stream that greets and ends, over and over, must not have everything asked for each time.
#[tokio::test(start_paused = true)]
async fn a_stream_that_never_lasts_is_asked_for_less_and_less() {
    let provider =
        Hinting::new(counting(), |_| Some(after(0, ChangeHint::secret(reference("another")))));
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let _handle = manager.handle(NAME).await.unwrap();
    pass(secs(600)).await;
    let calls = provider.inner.calls();
    assert!(calls < 60, "{calls} calls in 10 minutes");
}

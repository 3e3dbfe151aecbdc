//! Many secrets in one call of the provider.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use secrets_core::{
    Capabilities, Error, ErrorKind, GetOptions, NameRules, ProviderId, Result, Retry, Secret,
    SecretProvider, SecretRef, Support, async_trait,
};

use crate::support::{
    NAME, Running, Scripted, absent, build, build_with, millis, pass, policy, reference, secs,
    settle, text, unavailable, version,
};

type Script = fn(u64) -> Result<Secret>;

/// Single reads go by one script; calls for many take two seconds and go by another.
#[derive(Clone)]
struct Batching {
    inner: Scripted,
    capabilities: Capabilities,
    calls: Arc<AtomicU64>,
    takes: Duration,
    script: Script,
    /// Answers each question, where the call as a whole succeeds.
    each: Option<fn() -> Result<Secret>>,
}

impl Batching {
    fn new(inner: Scripted, script: Script) -> Self {
        let mut capabilities = inner.capabilities().clone();
        capabilities.batch = Support::Native;
        Self { inner, capabilities, calls: Arc::default(), takes: secs(2), script, each: None }
    }

    fn each(mut self, answer: fn() -> Result<Secret>) -> Self {
        self.each = Some(answer);
        self
    }

    fn at_once(mut self) -> Self {
        self.takes = Duration::ZERO;
        self
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for Batching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Batching")
    }
}

#[async_trait]
impl SecretProvider for Batching {
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

    async fn get_secrets(&self, wanted: &[(SecretRef, GetOptions)]) -> Result<Vec<Result<Secret>>> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let answer = match self.each {
            Some(each) => each(),
            None => Ok((self.script)(call)?),
        };
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        Ok(vec![answer; wanted.len()])
    }
}

fn wanted<const N: usize>(names: [&str; N]) -> Vec<(SecretRef, GetOptions)> {
    names.into_iter().map(|name| (reference(name), GetOptions::default())).collect()
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_many_does_not_replace_a_newer_one_to_a_single_reader() {
    let inner = Scripted::new(|_, _| async { Ok(version("v2")) });
    let manager = build(Batching::new(inner, |_| Ok(version("v1"))));
    let _running = Running::start(&manager).await;
    let cached = manager.cached().clone();
    let slow = tokio::spawn(async move { cached.get_secrets(&wanted([NAME, "b"])).await });
    pass(secs(1)).await;
    let handle = manager.handle(NAME).await.unwrap();
    assert_eq!(text(handle.load().secret().unwrap()), "v2");
    let answers = slow.await.unwrap().unwrap();
    assert_eq!(text(answers[0].as_ref().unwrap()), "v2", "others have read that");
    assert_eq!(text(handle.load().secret().unwrap()), "v2");
    assert_eq!(text(&manager.get("b").await.unwrap()), "v1", "the other is kept");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_is_not_repeated_before_its_time() {
    let provider = Batching::new(Scripted::new(|_, _| async { Err(unavailable()) }), |_| {
        Err(Error::new(ErrorKind::Throttled, "slow down").with_retry(Retry::After(secs(300))))
    });
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let wanted = wanted([NAME, "b"]);
    let first = manager.cached().get_secrets(&wanted).await;
    assert_eq!(first.unwrap_err().kind(), ErrorKind::Throttled);
    for _ in 0..100 {
        let answers = manager.cached().get_secrets(&wanted).await.unwrap();
        assert!(answers.iter().all(|a| a.as_ref().unwrap_err().kind() == ErrorKind::Throttled));
    }
    assert_eq!((provider.calls(), provider.inner.calls()), (1, 0));
    pass(secs(302)).await;
    let _ = manager.cached().get_secrets(&wanted).await;
    assert_eq!(provider.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_takes_nothing_away_that_is_known() {
    let inner = Scripted::new(|_, _| async { Ok(version("v1")) });
    let provider = Batching::new(inner, |_| Err(unavailable()));
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    manager.get("fresh").await.unwrap();
    let cached = manager.cached();
    let answers = cached.get_secrets(&wanted(["fresh", NAME, "b"])).await.unwrap();
    assert_eq!(text(answers[0].as_ref().unwrap()), "v1");
    assert_eq!(answers[1].as_ref().unwrap_err().kind(), ErrorKind::Unavailable);

    pass(secs(200)).await; // past its time to live, within the bound of an outage
    let answers = cached.get_secrets(&wanted(["fresh", "c"])).await.unwrap();
    assert_eq!(text(answers[0].as_ref().unwrap()), "v1");
    assert!(answers[1].is_err());
    assert_eq!(provider.calls(), 2);
}

/// Where the provider has no such call, its single calls must not all go out at once.
#[tokio::test(start_paused = true)]
async fn thousands_are_not_asked_for_at_once() {
    let (now, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let provider = Scripted::new({
        let most = Arc::clone(&most);
        move |_, _| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(secs(1)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(version("v1"))
            }
        }
    });
    let manager = build(provider);
    let names: Vec<_> = (0..2_000).map(|number| format!("name-{number}")).collect();
    let wanted: Vec<_> =
        names.iter().map(|name| (reference(name), GetOptions::default())).collect();
    let answers = manager.cached().get_secrets(&wanted).await.unwrap();
    settle().await;
    assert!(answers.iter().all(Result::is_ok) && answers.len() == 2_000);
    assert_eq!(most.load(Ordering::SeqCst), 16);
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_many_does_not_replace_a_newer_one_that_was_evicted() {
    let inner = Scripted::new(|_, _| async { Ok(version("v2")) });
    let policy = policy().with_max_entries(2.try_into().unwrap());
    let many: Script = |call| Ok(version(if call == 1 { "v1" } else { "v2" }));
    let manager = build_with(Batching::new(inner, many), policy);
    let _running = Running::start(&manager).await;
    let cached = manager.cached().clone();
    let slow = tokio::spawn(async move { cached.get_secrets(&wanted([NAME, "b"])).await });
    pass(secs(1)).await;
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "v2");
    for other in ["c", "d"] {
        manager.get(other).await.unwrap();
    }
    assert!(manager.try_get(NAME).is_none(), "evicted");
    let answers = slow.await.unwrap().unwrap();
    assert_eq!(text(answers[0].as_ref().unwrap()), "v2", "asked for again");
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "v2", "versions do not go back");
}

#[tokio::test(start_paused = true)]
async fn what_happens_to_other_secrets_does_not_overtake_an_answer_to_many() {
    let inner = Scripted::new(|_, _| async { Ok(version("v2")) });
    let provider = Batching::new(inner, |_| Ok(version("v1")));
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let cached = manager.cached().clone();
    let slow = tokio::spawn(async move { cached.get_secrets(&wanted([NAME, "b"])).await });
    pass(secs(1)).await;
    manager.invalidate(&reference("another"));
    manager.invalidate(&reference("b"));
    slow.await.unwrap().unwrap();
    assert_eq!(text(&manager.get(NAME).await.unwrap()), "v1", "it is kept");
    assert_eq!(text(&manager.get("b").await.unwrap()), "v2", "it was overtaken");
}

/// That a stale value was read is noted until it is asked for; an answer to many that comes first
/// must not leave the note behind.
#[tokio::test(start_paused = true)]
async fn what_a_call_for_many_made_fresh_is_asked_for_when_it_is_stale_again() {
    let inner = Scripted::new(|_, _| async { Ok(version("v1")) });
    let provider = Batching::new(inner, |_| Ok(version("v1"))).at_once();
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    for _ in 0..3 {
        // Before the run future has its turn.
        let _ = manager.try_get(NAME);
        manager.cached().get_secrets(&wanted([NAME, "b"])).await.unwrap();
        pass(secs(101)).await;
    }
    assert_eq!((provider.calls(), provider.inner.calls()), (3, 0));
    assert!(manager.try_get(NAME).unwrap().stale_since().is_some());
    settle().await;
    assert_eq!(provider.inner.calls(), 1);
    assert_eq!(manager.try_get(NAME).unwrap().stale_since(), None);
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_a_single_reader_does_not_replace_a_newer_one_to_many() {
    let inner = Scripted::new(|_, _| async {
        tokio::time::sleep(secs(4)).await;
        Ok(version("v1"))
    });
    let manager = build(Batching::new(inner, |_| Ok(version("v2"))));
    let _running = Running::start(&manager).await;
    let slow = tokio::spawn({
        let manager = manager.clone();
        async move { manager.handle(NAME).await }
    });
    pass(secs(1)).await;
    let cached = manager.cached();
    let answers = cached.get_secrets(&wanted([NAME, "b"])).await.unwrap();
    assert_eq!(text(answers[0].as_ref().unwrap()), "v2");
    let handle = slow.await.unwrap().unwrap();
    assert_eq!(text(handle.load().secret().unwrap()), "v2");
    let answers = cached.get_secrets(&wanted([NAME, "b"])).await.unwrap();
    assert_eq!(text(answers[0].as_ref().unwrap()), "v2", "versions do not go back");
}

#[tokio::test(start_paused = true)]
async fn calls_for_many_keep_the_pauses_of_what_they_serve_stale() {
    let inner = Scripted::new(|_, _| async { Ok(version("v1")) });
    let provider =
        Batching::new(inner, |call| if call == 1 { Ok(version("v1")) } else { Err(unavailable()) });
    let manager = build(provider.clone());
    let _running = Running::start(&manager).await;
    let wanted = wanted([NAME, "b"]);
    manager.cached().get_secrets(&wanted).await.unwrap();
    pass(secs(101)).await;
    for _ in 0..200 {
        let answers = manager.cached().get_secrets(&wanted).await.unwrap();
        assert!(answers.iter().all(|answer| text(answer.as_ref().unwrap()) == "v1"));
        pass(millis(100)).await;
    }
    assert!(provider.calls() < 10, "{} calls in 20 seconds", provider.calls());
}

#[tokio::test(start_paused = true)]
async fn an_absence_told_to_many_is_believed_over_an_earlier_answer_to_a_single_reader() {
    let inner = Scripted::new(|_, _| async {
        tokio::time::sleep(secs(4)).await;
        Ok(version("v1"))
    });
    let manager = build(Batching::new(inner, |_| Err(unavailable())).each(|| Err(absent())));
    let _running = Running::start(&manager).await;
    let slow = tokio::spawn({
        let manager = manager.clone();
        async move { manager.get(NAME).await }
    });
    pass(secs(1)).await;
    let answers = manager.cached().get_secrets(&wanted([NAME, "b"])).await.unwrap();
    assert_eq!(answers[0].as_ref().unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(slow.await.unwrap().unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::NotFound);
}

/// What is not kept nobody else is given: who asked gets what the others get.
#[tokio::test(start_paused = true)]
async fn an_answer_to_many_that_was_overtaken_is_not_ahead_of_later_reads() {
    let inner = Scripted::new(|call, _| async move {
        if call == 1 { Ok(version("v1")) } else { Err(unavailable()) }
    });
    let provider =
        Batching::new(inner, |call| if call == 1 { Ok(version("v2")) } else { Err(unavailable()) });
    let manager = build(provider);
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    manager.invalidate(&reference(NAME));
    let early = tokio::spawn({
        let cached = manager.cached().clone();
        async move { cached.get_secrets(&wanted([NAME, "b"])).await }
    });
    pass(secs(1)).await;
    manager.invalidate(&reference(NAME));
    let early = text(early.await.unwrap().unwrap()[0].as_ref().unwrap());
    assert_eq!(early, text(&manager.get(NAME).await.unwrap()));
    assert_eq!(early, text(handle.load().secret().unwrap()));
}

/// That somebody else's call failed meanwhile says nothing of the value.
#[tokio::test(start_paused = true)]
async fn a_call_that_fails_does_not_overtake_an_earlier_answer() {
    let single = Scripted::new(|_, _| async { Err(unavailable()) });
    let manager = build(Batching::new(single, |_| Ok(version("v1"))));
    let _running = Running::start(&manager).await;
    let many = tokio::spawn({
        let cached = manager.cached().clone();
        async move { cached.get_secrets(&wanted([NAME, "b"])).await }
    });
    pass(secs(1)).await;
    assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let answers = many.await.unwrap().unwrap();
    assert_eq!(text(answers[0].as_ref().unwrap()), "v1");
    assert_eq!(text(manager.try_get(NAME).unwrap().secret()), "v1", "it is kept");
}

/// Being denied it does: who was denied a secret must not have it back by an older answer.
#[tokio::test(start_paused = true)]
async fn a_denial_overtakes_an_earlier_answer() {
    let denied = || Error::new(ErrorKind::PermissionDenied, "not you");
    let single = Scripted::new(move |_, _| async move { Err(denied()) });
    let manager = build(Batching::new(single, |call| match call {
        1 => Ok(version("v1")),
        _ => Err(unavailable()),
    }));
    let _running = Running::start(&manager).await;
    let many = tokio::spawn({
        let cached = manager.cached().clone();
        async move { cached.get_secrets(&wanted([NAME, "b"])).await }
    });
    pass(secs(1)).await;
    assert_eq!(manager.get(NAME).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
    let answers = many.await.unwrap().unwrap();
    assert!(answers[0].is_err(), "{:?}", answers[0]);
    assert!(manager.try_get(NAME).is_none());
}

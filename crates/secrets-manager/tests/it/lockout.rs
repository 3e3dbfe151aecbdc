//! Ways to lock an account out, and how far each gets.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use secrets_core::VersionSelector;
use secrets_manager::{
    Attempt, FailureClass, SecretHandle, SecretManager, UseError, UseErrorKind, UsePolicy,
    repeatable, with_secret,
};

use crate::PROBE;
use crate::resource::{Refusal, Resource, Vault, classify};
use crate::support::{
    NAME, Running, Scripted, Wall, build_with, builder, millis, noon, pass, policy, secs, version,
};

struct Service {
    vault: Vault,
    manager: SecretManager,
    handle: SecretHandle,
    resource: Resource,
    _running: Running,
}

impl Service {
    /// `v1` is current; the resource accepts these.
    async fn at(passwords: &[&str]) -> Self {
        let vault = Vault::holding("v1");
        let manager = build_with(vault.provider(), policy().with_ttl(secs(100_000)));
        let running = Running::start(&manager).await;
        let handle = manager.handle(NAME).await.unwrap();
        let resource = Resource::accepting(passwords);
        Self { vault, manager, handle, resource, _running: running }
    }

    async fn login(&self) -> Result<String, UseError<Refusal>> {
        login(&self.handle, &self.resource, &UsePolicy::new()).await
    }

    /// The manager shows it by now.
    async fn rotate(&self, current: &str) {
        self.vault.rotate(current);
        self.manager.invalidate(self.handle.reference());
        pass(millis(100)).await;
    }
}

async fn login(
    handle: &SecretHandle,
    resource: &Resource,
    policy: &UsePolicy,
) -> Result<String, UseError<Refusal>> {
    let resource = resource.clone();
    let work = repeatable(move |attempt| resource.clone().login(attempt));
    policy.with_secret(handle, classify, work).await
}

#[tokio::test(start_paused = true)]
async fn refusals_are_counted_for_the_account_and_not_for_each_version() {
    let service = Service::at(&[]).await;
    service.rotate("v2").await;
    service.vault.stage("v3");
    for refusals in 1..=5_u32 {
        let before = service.resource.refused();
        let policy = UsePolicy::new().with_pending().with_refusals(refusals.try_into().unwrap());
        for _ in 0..2_000 {
            login(&service.handle, &service.resource, &policy).await.unwrap_err();
            tokio::time::sleep(secs(1)).await;
        }
        // Each of the three once, whatever the limit is.
        let sent = service.resource.refused() - before;
        assert_eq!(sent, usize::try_from(refusals.max(3)).unwrap(), "limit {refusals}");
        service.handle.forget_refusals();
    }
}

/// A rotator that has gone wild: what it makes is accepted nowhere.
#[tokio::test(start_paused = true)]
async fn version_after_version_is_tried_at_growing_distances() {
    let service = Service::at(&[]).await;
    for number in 2..2_000 {
        service.rotate(&format!("v{number}")).await;
        service.login().await.unwrap_err();
        tokio::time::sleep(secs(1)).await;
    }
    // Three at once, then a minute apart, then two, four, eight; 2,200 seconds in all.
    assert_eq!(service.resource.refused(), 3 + 5);
    assert_eq!(service.login().await.unwrap_err().kind(), UseErrorKind::Barred);

    // One that is accepted ends that.
    service.resource.accept_only(&["good"]);
    service.rotate("good").await;
    pass(secs(32 * 60)).await;
    assert_eq!(service.login().await.unwrap(), "good");
    service.resource.accept_only(&["better"]);
    service.vault.rotate("better");
    assert_eq!(service.login().await.unwrap(), "better", "at once");
}

/// The callers have less patience than the resource takes to refuse.
#[tokio::test(start_paused = true)]
async fn who_is_cut_off_again_and_again_is_not_followed_at_once_for_ever() {
    let service = Service::at(&[]).await;
    service.resource.slow_down(secs(2));
    let sent = AtomicUsize::new(0);
    let cut_off = || async {
        let work = |attempt| {
            sent.fetch_add(1, Ordering::SeqCst);
            service.resource.clone().login(attempt)
        };
        let login = with_secret(&service.handle, classify, repeatable(work));
        assert!(tokio::time::timeout(secs(1), login).await.is_err());
    };
    for _ in 0..3 {
        cut_off().await;
    }
    assert_eq!(sent.load(Ordering::SeqCst), 3, "the first ones are replaced at once");
    for _ in 0..1_000 {
        cut_off().await;
    }
    // 5, 10, 20, 40, then 60 seconds apart.
    assert!((17..=22).contains(&sent.load(Ordering::SeqCst)), "{sent:?}");
    service.resource.slow_down(millis(0));
    service.resource.accept_only(&["v1"]);
    pass(secs(60)).await;
    let logins = join_all((0..100).map(|_| service.login())).await;
    assert!(logins.iter().all(Result::is_ok), "it does not outlast the reason");
}

/// The same of a version in whose place another one is tried.
#[tokio::test(start_paused = true)]
async fn who_is_cut_off_with_the_previous_version_is_not_followed_at_once_for_ever() {
    let service = Service::at(&[]).await;
    service.rotate("v2").await;
    let sent = AtomicUsize::new(0);
    for _ in 0..100 {
        let work = |attempt: Attempt| {
            let is_previous = attempt.value().expose_secret() == b"v1";
            let login = service.resource.clone().login(attempt);
            let hangs = is_previous.then(|| sent.fetch_add(1, Ordering::SeqCst)).is_some();
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                login.await
            }
        };
        let login = with_secret(&service.handle, classify, repeatable(work));
        let _ = tokio::time::timeout(secs(1), login).await;
    }
    assert!((4..=8).contains(&sent.load(Ordering::SeqCst)), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_was_down_refuses_no_more_than_the_limit() {
    let service = Service::at(&[]).await;
    service.resource.slow_down(millis(10));
    service.resource.set_down(true);
    let all = || join_all((0..200).map(|_| service.login()));
    for _ in 0..20 {
        let kinds = all().await.into_iter().map(|login| login.unwrap_err().kind());
        assert!(kinds.into_iter().all(|kind| kind == UseErrorKind::Work), "all find out");
    }
    service.resource.set_down(false);
    all().await;
    assert!(service.resource.refused() <= 3, "{} at once", service.resource.refused());
}

#[tokio::test(start_paused = true)]
async fn a_word_that_it_is_accepted_does_not_count_when_it_was_not() {
    let service = Service::at(&[]).await;
    for _ in 0..20_000 {
        let work = |attempt: Attempt| {
            attempt.accepted();
            service.resource.clone().login(attempt)
        };
        with_secret(&service.handle, classify, repeatable(work)).await.unwrap_err();
        tokio::time::sleep(secs(1)).await;
    }
    assert_eq!(service.resource.refused(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_classifier_that_panics_has_seen_a_refusal() {
    for was_accepted in [false, true] {
        let service = Service::at(&["v1"]).await;
        if was_accepted {
            service.login().await.unwrap();
        }
        service.resource.accept_only(&[]);
        for _ in 0..1_000 {
            let work = |attempt| service.resource.clone().login(attempt);
            let classifier = |_: &Refusal| std::panic::resume_unwind(Box::new("of the classifier"));
            let login = with_secret(&service.handle, classifier, repeatable(work));
            let _ = AssertUnwindSafe(login).catch_unwind().await;
            tokio::time::sleep(secs(1)).await;
        }
        assert_eq!(service.resource.refused(), 3);
    }
}

/// Who takes a handle for each use asks the provider no more often than who keeps one.
#[tokio::test(start_paused = true)]
async fn what_was_done_about_a_refusal_outlives_the_handles() {
    let Service { vault, manager, handle, resource, _running } = Service::at(&[]).await;
    vault.rotate("v2");
    drop(handle);
    for _ in 0..500 {
        let handle = manager.handle(NAME).await.unwrap();
        login(&handle, &resource, &UsePolicy::new()).await.unwrap_err();
        drop(handle);
        tokio::time::sleep(millis(100)).await;
    }
    // To begin with, and once for each of the two versions.
    assert_eq!((vault.calls("current"), vault.calls("previous")), (3, 1));
    assert_eq!(resource.refused(), 2);
}

/// Many tenants with a secret each, all of which are refused.
#[tokio::test(start_paused = true)]
async fn refusals_of_many_secrets_that_nobody_holds_are_remembered() {
    let Service { manager, resource, _running, .. } = Service::at(&[]).await;
    let policy = UsePolicy::new().with_cool_down(secs(100_000));
    for expected in [UseErrorKind::Refused, UseErrorKind::Barred] {
        for tenant in 0..2_500 {
            let handle = manager.handle(&format!("tenant/{tenant}")).await.unwrap();
            let error = login(&handle, &resource, &policy).await.unwrap_err();
            assert_eq!(error.kind(), expected, "{tenant}");
        }
    }
    assert_eq!(resource.refused(), 2_500);
}

#[test]
fn values_go_when_the_last_two_handles_go_at_once() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Service { vault, manager, handle, resource, _running } = Service::at(&["v1"]).await;
        vault.slow_down(millis(0));
        vault.rotate("v2");
        manager.invalidate(handle.reference());
        drop(handle);
        for _ in 0..500 {
            let (one, other) = (manager.handle(NAME).await.unwrap(), manager.handle(NAME).await);
            login(&one, &resource, &UsePolicy::new()).await.unwrap();
            let before = vault.calls("previous");
            let both = Arc::new(Barrier::new(2));
            let gate = Arc::clone(&both);
            let thread = std::thread::spawn(move || {
                gate.wait();
                drop(other);
            });
            both.wait();
            drop(one);
            thread.join().unwrap();
            let handle = manager.handle(NAME).await.unwrap();
            assert_eq!(login(&handle, &resource, &UsePolicy::new()).await.unwrap(), "v1");
            assert_eq!(vault.calls("previous"), before + 1, "it was kept for nobody");
        }
    });
}

/// What the validity of a version says holds while it stands in, too.
#[tokio::test(start_paused = true)]
async fn a_stand_in_that_expires_is_not_sent_any_more() {
    let provider = Scripted::new(|_, selector| async move {
        let is_previous = selector == VersionSelector::Previous;
        let mut secret = version(if is_previous { "v1" } else { "v2" });
        secret.version.expires = is_previous.then(|| noon() + secs(10));
        Ok(secret)
    });
    let long = policy().with_ttl(secs(100_000));
    let manager = builder(provider).policy(long).clock(Arc::new(Wall::new())).build().unwrap();
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    let resource = Resource::accepting(&["v1"]);
    let login = || login(&handle, &resource, &const { UsePolicy::new() });
    assert_eq!(login().await.unwrap(), "v1");
    pass(secs(9)).await;
    assert_eq!(login().await.unwrap(), "v1");
    pass(secs(1)).await;
    assert_eq!(login().await.unwrap_err().kind(), UseErrorKind::Refused);
    assert_eq!(resource.logins("v1").accepted, 2);
    assert_eq!(resource.logins("v2").refused, 2, "looked at once more");
}

/// Two resources behind one secret are more than it can keep apart, but there is an end to it.
#[tokio::test(start_paused = true)]
async fn resources_that_disagree_are_not_asked_without_end() {
    let service = Service::at(&["v2"]).await;
    service.rotate("v2").await;
    let other = Resource::accepting(&["v1"]);
    for _ in 0..600 {
        let _ = service.login().await;
        let _ = login(&service.handle, &other, &UsePolicy::new()).await;
        tokio::time::sleep(secs(1)).await;
    }
    let refused = [service.resource.refused(), other.refused()];
    assert!(refused.iter().all(|refused| *refused <= 2 * 600 / 60 + 1), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn lengths_of_time_may_be_anything() {
    let policy = UsePolicy::new;
    for policy in [
        policy().with_budget(Duration::MAX),
        policy().with_cool_down(Duration::MAX),
        policy().with_patience(Duration::MAX),
        policy().with_cool_down(Duration::ZERO),
        policy().with_patience(Duration::ZERO),
    ] {
        let service = Service::at(&[]).await;
        service.rotate("v2").await;
        let login = || login(&service.handle, &service.resource, &policy);
        assert_eq!(login().await.unwrap_err().kind(), UseErrorKind::Refused, "{policy:?}");
        let kinds = join_all((0..50).map(|_| login())).await.into_iter();
        assert!(kinds.into_iter().all(|login| login.is_err()), "{policy:?}");
        assert!(service.resource.refused() <= 3, "{policy:?}");
    }
    let service = Service::at(&[]).await;
    let policy = policy().with_budget(Duration::ZERO);
    let login = || login(&service.handle, &service.resource, &policy);
    assert_eq!(login().await.unwrap_err().kind(), UseErrorKind::Budget);
    assert_eq!(service.vault.calls("current"), 1, "no time to ask");
}

/// A use counts as one load, however it came about.
#[tokio::test(start_paused = true)]
async fn each_attempt_is_one_load() {
    let service = Service::at(&["v1"]).await;
    service.resource.slow_down(millis(50));
    join_all((0..100).map(|_| service.login())).await;
    let rows = service.manager.access();
    assert_eq!(rows.iter().map(|row| row.loads).sum::<u64>(), 100);
}

/// What the bookkeeping takes, with an accepted version and nobody waiting.
#[tokio::test(start_paused = true)]
async fn a_healthy_use_allocates_little() {
    let service = Service::at(&["v1"]).await;
    let work = || repeatable(|_: Attempt| async { Ok::<_, Refusal>(()) });
    let other = |_: &Refusal| FailureClass::Other;
    let go = || with_secret(&service.handle, other, work()).now_or_never().unwrap().unwrap();
    go();
    let ((), counts) = PROBE.count(|| (0..1_000).for_each(|_| go()));
    assert_eq!(counts.allocations, 1_000, "one a use: the leave to make it");
}

/// A pool that connects anew after a while, with what was revoked meanwhile.
#[tokio::test(start_paused = true)]
async fn many_who_come_after_a_pause_let_one_go_first() {
    let service = Service::at(&["v1"]).await;
    service.resource.slow_down(millis(50));
    assert_eq!(service.login().await.unwrap(), "v1");
    // While it is in use nobody waits for anybody.
    let busy = async {
        for _ in 0..20 {
            let before = tokio::time::Instant::now();
            let logins = join_all((0..10).map(|_| service.login())).await;
            assert!(logins.iter().all(Result::is_ok));
            assert_eq!(before.elapsed(), millis(50), "side by side");
            tokio::time::sleep(secs(9)).await;
        }
    };
    busy.await;

    tokio::time::sleep(secs(10)).await;
    service.resource.accept_only(&["v2"]);
    service.vault.rotate("v2");
    let logins = join_all((0..100).map(|_| service.login())).await;
    assert!(
        logins.iter().all(|login| login.as_deref().is_ok_and(|used| used == "v2")),
        "all have the new one"
    );
    assert_eq!(service.resource.refused(), 1, "and one found out");

    // Nothing was revoked: the others wait for one login.
    tokio::time::sleep(secs(60)).await;
    let before = tokio::time::Instant::now();
    let logins = join_all((0..100).map(|_| service.login())).await;
    assert!(logins.iter().all(Result::is_ok));
    assert_eq!(before.elapsed(), millis(100));
}

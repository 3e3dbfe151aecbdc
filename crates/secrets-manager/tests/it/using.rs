//! Secrets at the resources they are for: nobody is locked out, whatever goes wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use secrets_core::{SecretValue, VersionSelector};
use secrets_manager::{
    Attempt, FailureClass, SecretHandle, SecretManager, UseError, UseErrorKind, UsePolicy,
    repeatable, with_secret,
};
use tokio::time::Instant;

use crate::resource::{Refusal, Resource, Vault, classify};
use crate::support::{
    NAME, Running, Scripted, build, build_with, millis, pass, policy, secs, settle, version,
};

struct Service {
    vault: Vault,
    resource: Resource,
    manager: SecretManager,
    handle: SecretHandle,
    _running: Running,
}

impl Service {
    /// `v1` is current and accepted; nothing was used yet.
    async fn start() -> Self {
        let vault = Vault::holding("v1");
        // Long enough that no refresh of its own comes in between.
        let manager = build_with(vault.provider(), policy().with_ttl(secs(100_000)));
        let running = Running::start(&manager).await;
        let handle = manager.handle(NAME).await.unwrap();
        let resource = Resource::accepting(&["v1"]);
        Self { vault, resource, manager, handle, _running: running }
    }

    async fn login(&self) -> Result<String, UseError<Refusal>> {
        self.login_by(&UsePolicy::new()).await
    }

    async fn login_by(&self, policy: &UsePolicy) -> Result<String, UseError<Refusal>> {
        let resource = self.resource.clone();
        let work = repeatable(move |attempt| resource.clone().login(attempt));
        policy.with_secret(&self.handle, classify, work).await
    }

    async fn logins(&self, count: usize) -> Vec<Result<String, UseError<Refusal>>> {
        join_all((0..count).map(|_| self.login())).await
    }
}

#[tokio::test(start_paused = true)]
async fn an_accepted_secret_is_used_as_it_is() {
    let service = Service::start().await;
    assert_eq!(service.login().await.unwrap(), "v1");
    assert!(service.logins(100).await.iter().all(Result::is_ok));
    assert_eq!(service.vault.calls("current"), 1);
    assert_eq!(service.resource.logins("v1").accepted, 101);
}

#[tokio::test(start_paused = true)]
async fn other_errors_pass_untouched_and_nothing_is_repeated() {
    let service = Service::start().await;
    service.resource.set_down(true);
    let calls = Arc::new(AtomicUsize::new(0));
    let work = |attempt| {
        calls.fetch_add(1, Ordering::SeqCst);
        service.resource.clone().login(attempt)
    };
    let error = with_secret(&service.handle, classify, repeatable(work)).await.unwrap_err();
    assert_eq!(error.kind(), UseErrorKind::Work);
    assert_eq!(error.into_work_error(), Some(Refusal::Down));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(service.vault.calls("current"), 1, "the provider was not asked");
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_is_down_lets_everybody_find_out() {
    let service = Service::start().await;
    service.resource.set_down(true);
    let errors = service.logins(200).await;
    assert!(errors.iter().all(|login| login.as_ref().unwrap_err().kind() == UseErrorKind::Work));
    service.resource.set_down(false);
    assert!(service.logins(200).await.iter().all(Result::is_ok));
    assert_eq!(service.resource.refused(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_rotation_that_this_process_has_not_seen_costs_one_refusal() {
    let service = Service::start().await;
    service.login().await.unwrap();
    service.vault.rotate("v2");
    service.resource.accept_only(&["v2"]);
    assert_eq!(service.login().await.unwrap(), "v2");
    assert_eq!(service.resource.logins("v1").refused, 1);
    assert_eq!(service.vault.calls("current"), 2);
    assert_eq!(service.vault.calls("previous"), 0);
    assert_eq!(service.login().await.unwrap(), "v2");
    assert_eq!(service.vault.calls("current"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_failures_are_one_refresh_and_one_probe() {
    let service = Service::start().await;
    service.login().await.unwrap();
    service.vault.rotate("v2");
    service.resource.accept_only(&[]);
    service.resource.slow_down(millis(50));
    // All of them are under way when the first is refused; then nothing is accepted.
    let errors = service.logins(1_000).await;
    let kinds = errors.iter().map(|login| login.as_ref().unwrap_err().kind());
    assert!(kinds.into_iter().all(|kind| kind == UseErrorKind::Refused));
    assert_eq!(service.vault.calls("current"), 1 + 2, "one refresh for each refused version");
    assert_eq!(service.resource.logins("v2").refused, 1, "one probe");
    assert_eq!(service.resource.logins("v1").refused, 1_000, "what was under way, not once more");
    // Whoever comes later sends nothing at all.
    let errors = service.logins(1_000).await;
    let kinds = errors.iter().map(|login| login.as_ref().unwrap_err().kind());
    assert!(kinds.into_iter().all(|kind| kind == UseErrorKind::Barred));
    assert_eq!(service.resource.refused(), 1_001);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_failures_go_on_together_once_the_probe_is_accepted() {
    let service = Service::start().await;
    service.login().await.unwrap();
    service.vault.rotate("v2");
    service.resource.accept_only(&["v2"]);
    service.resource.slow_down(millis(50));
    let began = Instant::now();
    assert!(service.logins(1_000).await.iter().all(|login| login.as_deref().unwrap() == "v2"));
    // A refused login, the refresh, the probe, everybody.
    assert_eq!(began.elapsed().as_millis(), 50 + 20 + 50 + 50);
    assert_eq!(service.vault.calls("current"), 2);
    assert_eq!(service.resource.logins("v2").refused, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_failures_on_many_threads() {
    let vault = Vault::holding("v1");
    let manager = build(vault.provider());
    let _running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    let resource = Resource::accepting(&["v1"]);
    let login = || {
        let (handle, resource) = (handle.clone(), resource.clone());
        tokio::spawn(async move {
            let work = repeatable(move |attempt| resource.clone().login(attempt));
            with_secret(&handle, classify, work).await
        })
    };
    login().await.unwrap().unwrap();
    vault.rotate("v2");
    resource.accept_only(&["v2"]);
    let logins: Vec<_> = (0..1_000).map(|_| login()).collect();
    for login in logins {
        assert_eq!(login.await.unwrap().unwrap(), "v2");
    }
    assert_eq!(vault.calls("current"), 2);
    assert_eq!(resource.logins("v2").refused, 0);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_new_here_is_tried_by_one_first() {
    let service = Service::start().await;
    service.resource.accept_only(&[]);
    service.resource.slow_down(millis(50));
    let errors = service.logins(500).await;
    assert!(errors.iter().all(Result::is_err));
    assert_eq!(service.resource.logins("v1"), {
        let mut logins = service.resource.logins("v1");
        (logins.refused, logins.peak) = (1, 1);
        logins
    });
}

/// A day of calls, one a second, each time by a handle that was just taken.
#[tokio::test(start_paused = true)]
async fn an_account_is_never_locked_by_asking_again_and_again() {
    let service = Service::start().await;
    service.resource.accept_only(&[]);
    for _ in 0..86_400 {
        let handle = service.manager.handle(NAME).await.unwrap();
        let resource = service.resource.clone();
        let work = repeatable(move |attempt| resource.clone().login(attempt));
        with_secret(&handle, classify, work).await.unwrap_err();
        tokio::time::sleep(secs(1)).await;
    }
    assert_eq!(service.resource.refused(), 3);
    assert!(service.vault.calls("current") < 12, "{} calls", service.vault.calls("current"));

    service.handle.forget_refusals();
    service.resource.accept_only(&["v1"]);
    assert!(service.login().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn it_is_tried_again_after_the_cool_down_by_one() {
    let service = Service::start().await;
    service.resource.accept_only(&[]);
    service.login().await.unwrap_err();
    pass(secs(59)).await;
    assert_eq!(service.login().await.unwrap_err().kind(), UseErrorKind::Barred);
    service.resource.accept_only(&["v1"]);
    pass(secs(1)).await;
    assert!(service.logins(100).await.iter().all(Result::is_ok));
    assert_eq!(service.resource.refused(), 1);
    // Accepted in between: it counts from the start.
    service.resource.accept_only(&[]);
    service.login().await.unwrap_err();
    pass(secs(61)).await;
    service.login().await.unwrap_err();
    assert_eq!(service.resource.refused(), 3);
}

#[tokio::test(start_paused = true)]
async fn many_refusals_at_a_time_count_as_one() {
    let service = Service::start().await;
    service.login().await.unwrap();
    service.resource.accept_only(&[]);
    service.logins(100).await;
    assert_eq!(service.resource.refused(), 100);
    service.resource.accept_only(&["v1"]);
    pass(secs(61)).await;
    assert!(service.login().await.is_ok());
}

/// What ends late says what was so when it began.
#[tokio::test(start_paused = true)]
async fn stragglers_change_nothing() {
    let service = Service::start().await;
    service.login().await.unwrap();
    let late = |after: u64, outcome: Result<(), Refusal>| {
        let begun = AtomicUsize::new(0);
        let (handle, resource) = (service.handle.clone(), service.resource.clone());
        async move {
            let work = repeatable(|attempt| {
                let is_first = begun.fetch_add(1, Ordering::SeqCst) == 0;
                let (login, outcome) = (resource.clone().login(attempt), outcome.clone());
                async move {
                    if !is_first {
                        return login.await.map(drop);
                    }
                    tokio::time::sleep(secs(after)).await;
                    outcome
                }
            });
            with_secret(&handle, classify, work).await
        }
    };
    let accepted = tokio::spawn(late(10, Ok(())));
    let refused = tokio::spawn(late(100, Err(Refusal::WrongPassword)));
    settle().await;
    service.resource.accept_only(&[]);
    assert_eq!(service.login().await.unwrap_err().kind(), UseErrorKind::Refused);
    accepted.await.unwrap().unwrap();
    assert_eq!(service.login().await.unwrap_err().kind(), UseErrorKind::Barred);

    service.resource.accept_only(&["v1"]);
    pass(secs(60)).await;
    assert!(service.login().await.is_ok());
    let calls = service.vault.calls("current");
    refused.await.unwrap().unwrap();
    assert!(service.login().await.is_ok());
    assert_eq!(service.vault.calls("current"), calls, "nobody was alarmed");
}

#[tokio::test(start_paused = true)]
async fn another_version_is_tried_at_once() {
    let service = Service::start().await;
    service.resource.accept_only(&["v2"]);
    service.login().await.unwrap_err();
    assert_eq!(service.login().await.unwrap_err().kind(), UseErrorKind::Barred);
    service.vault.rotate("v2");
    service.manager.invalidate(service.handle.reference());
    settle().await;
    pass(millis(30)).await;
    assert_eq!(service.login().await.unwrap(), "v2");
}

/// The provider has promoted a version that the resource does not know yet.
#[tokio::test(start_paused = true)]
async fn the_previous_version_stands_in() {
    let service = Service::start().await;
    service.vault.rotate("v2");
    service.manager.invalidate(service.handle.reference());
    pass(millis(30)).await;
    service.resource.slow_down(millis(10));
    assert!(service.logins(1_000).await.iter().all(|login| login.as_deref().unwrap() == "v1"));
    assert_eq!(service.resource.logins("v2").refused, 1);
    assert_eq!(service.vault.calls("previous"), 1);
    // Still so a while later, at no cost.
    assert!(service.logins(1_000).await.iter().all(Result::is_ok));
    assert_eq!(service.resource.refused(), 1);

    // The resource knows it now.
    service.resource.accept_only(&["v1", "v2"]);
    pass(secs(61)).await;
    assert!(service.logins(100).await.iter().any(|login| login.as_deref().unwrap() == "v2"));
    assert!(service.logins(100).await.iter().all(|login| login.as_deref().unwrap() == "v2"));
    assert_eq!(service.resource.refused(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stand_in_that_is_revoked_gives_way_at_once() {
    let service = Service::start().await;
    service.vault.rotate("v2");
    service.manager.invalidate(service.handle.reference());
    pass(millis(30)).await;
    assert_eq!(service.login().await.unwrap(), "v1");
    service.resource.accept_only(&["v2"]);
    assert_eq!(service.login().await.unwrap(), "v2");
    assert_eq!(service.resource.logins("v1").refused, 1);
    assert_eq!(service.resource.logins("v2").refused, 1);
}

#[tokio::test(start_paused = true)]
async fn when_both_are_refused_each_was_sent_once() {
    let service = Service::start().await;
    service.vault.rotate("v2");
    service.vault.rotate("v3");
    service.resource.accept_only(&[]);
    service.manager.invalidate(service.handle.reference());
    pass(millis(30)).await;
    let error = service.login().await.unwrap_err();
    assert_eq!(error.kind(), UseErrorKind::Refused);
    assert_eq!(error.work_error(), Some(&Refusal::WrongPassword));
    assert_eq!(service.resource.logins("v3").refused, 1);
    assert_eq!(service.resource.logins("v2").refused, 1);
    for _ in 0..10_000 {
        service.login().await.unwrap_err();
        tokio::time::sleep(secs(1)).await;
    }
    assert_eq!(service.resource.refused(), 3, "three in a row, of whatever version, for good");
}

#[tokio::test(start_paused = true)]
async fn pending_is_tried_where_it_was_asked_for() {
    let service = Service::start().await;
    service.vault.stage("v2");
    service.resource.accept_only(&["v2"]);
    assert_eq!(service.login().await.unwrap_err().kind(), UseErrorKind::Refused);
    assert_eq!(service.vault.calls("pending"), 0);
    service.handle.forget_refusals();
    let policy = UsePolicy::new().with_pending();
    assert_eq!(service.login_by(&policy).await.unwrap(), "v2");
    assert_eq!(service.vault.calls("pending"), 1);
    assert_eq!(service.resource.logins("v1").refused, 2);
}

#[tokio::test(start_paused = true)]
async fn pending_that_may_not_be_read_is_left_out() {
    let service = Service::start().await;
    service.resource.accept_only(&[]);
    let policy = UsePolicy::new().with_pending();
    let error = service.login_by(&policy).await.unwrap_err();
    assert_eq!(error.kind(), UseErrorKind::Refused);
    assert_eq!(service.vault.calls("pending"), 1);
    assert_eq!(service.resource.refused(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_is_dropped_in_the_middle_is_replaced() {
    // Refused at 50 ms, refreshing until 70, trying until 120, everybody until 170.
    for cut in [30, 60, 90] {
        let service = Service::start().await;
        service.login().await.unwrap();
        service.vault.rotate("v2");
        service.resource.accept_only(&["v2"]);
        service.resource.slow_down(millis(50));
        let first = tokio::time::timeout(millis(cut), service.login());
        let (first, others) = tokio::join!(first, async {
            tokio::time::sleep(millis(10)).await;
            service.logins(20).await
        });
        assert!(first.is_err(), "it was cut off at {cut} ms");
        assert!(others.iter().all(|login| login.as_deref().unwrap() == "v2"));
        assert_eq!(service.resource.logins("v2").refused, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_prober_that_hangs_holds_nobody_up_for_long() {
    let service = Service::start().await;
    let (hung, calls) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let login = || {
        let (hung, calls, resource) = (&hung, &calls, &service.resource);
        let work = move |attempt| {
            let hangs = hung.fetch_add(1, Ordering::SeqCst) == 0;
            calls.fetch_add(1, Ordering::SeqCst);
            let login = resource.clone().login(attempt);
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                login.await
            }
        };
        with_secret(&service.handle, classify, repeatable(work))
    };
    let began = Instant::now();
    let all = futures_util::future::select(Box::pin(login()), Box::pin(login()));
    assert!(all.await.factor_first().0.is_ok());
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn work_that_takes_long_lets_others_in_once_it_says_that_it_is_accepted() {
    let service = Service::start().await;
    let resource = &service.resource;
    let login = || async {
        let work = |attempt: Attempt| async move {
            attempt.accepted();
            let done = resource.clone().login(attempt).await;
            tokio::time::sleep(secs(60)).await;
            done
        };
        with_secret(&service.handle, classify, repeatable(work)).await
    };
    let began = Instant::now();
    assert!(join_all((0..100).map(|_| login())).await.iter().all(Result::is_ok));
    assert_eq!(began.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_or_fails_costs_the_budget_at_most() {
    let service = Service::start().await;
    service.login().await.unwrap();
    service.resource.accept_only(&["v2"]);
    service.vault.slow_down(secs(100_000));
    let began = Instant::now();
    let policy = UsePolicy::new().with_budget(secs(3));
    let error = service.login_by(&policy).await.unwrap_err();
    assert_eq!(error.kind(), UseErrorKind::Budget);
    assert_eq!(error.work_error(), Some(&Refusal::WrongPassword));
    assert_eq!(began.elapsed().as_secs(), 3);
    assert_eq!(service.resource.refused(), 1);

    // It fails, and answers a while later: nothing that was refused is sent meanwhile.
    service.vault.slow_down(millis(20));
    service.vault.set_down(true);
    pass(secs(10)).await;
    for _ in 0..20 {
        let error = service.login().await.unwrap_err();
        assert_eq!(error.kind(), UseErrorKind::Barred);
        pass(secs(1)).await;
    }
    assert!((2..12).contains(&service.vault.calls("current")));
    service.vault.set_down(false);
    service.vault.rotate("v2");
    pass(secs(31)).await;
    assert_eq!(service.login().await.unwrap(), "v2");
    assert_eq!(service.resource.refused(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_rotation_that_lands_in_the_middle_is_followed() {
    let service = Service::start().await;
    service.login().await.unwrap();
    service.vault.rotate("v2");
    service.vault.slow_down(secs(2));
    service.resource.accept_only(&["v3"]);
    let login = service.login();
    let rotation = async {
        tokio::time::sleep(secs(1)).await;
        service.vault.rotate("v3");
        service.manager.invalidate(service.handle.reference());
    };
    let (login, ()) = tokio::join!(login, rotation);
    assert_eq!(login.unwrap(), "v3");
    assert_eq!(service.resource.refused(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_gone_is_not_sent() {
    let service = Service::start().await;
    let vault = Vault::holding("v1");
    let manager = build(vault.provider());
    let handle = manager.handle(NAME).await.unwrap();
    pass(secs(2_000)).await;
    let work = repeatable(|attempt| service.resource.clone().login(attempt));
    let error = with_secret(&handle, classify, work).await.unwrap_err();
    assert_eq!(error.kind(), UseErrorKind::Unusable);
    assert!(error.secret_error().is_some());
    assert_eq!(service.resource.logins("v1").accepted, 0);
}

/// A manager that is gone cannot be asked; what there is still serves.
#[tokio::test(start_paused = true)]
async fn without_a_manager_the_last_value_is_used() {
    let Service { manager, handle, resource, _running, .. } = Service::start().await;
    drop(manager);
    drop(_running);
    settle().await;
    let login = || repeatable(|attempt| resource.clone().login(attempt));
    assert!(with_secret(&handle, classify, login()).await.is_ok());
    resource.accept_only(&[]);
    let error = with_secret(&handle, classify, login()).await.unwrap_err();
    assert_eq!(error.kind(), UseErrorKind::Refused);
    assert_eq!(resource.refused(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_stood_in_is_wiped_and_shown_nowhere() {
    const CANARY: &[u8] = b"canary-stand-in-84be";
    let scan = crate::PROBE.scan_for(CANARY);
    let provider = Scripted::new(|_, selector| async move {
        let mut secret = version(if selector == VersionSelector::Previous { "v1" } else { "v2" });
        if selector == VersionSelector::Previous {
            secret.value = SecretValue::copy_from_slice(CANARY);
        }
        Ok(secret)
    });
    let manager = build(provider);
    let running = Running::start(&manager).await;
    let handle = manager.handle(NAME).await.unwrap();
    let work = |attempt: Attempt| async move {
        assert!(!format!("{attempt:?}").contains("canary"));
        let is_canary = attempt.value().expose_secret() == CANARY;
        if is_canary { Ok(()) } else { Err(Refusal::WrongPassword) }
    };
    with_secret(&handle, classify, repeatable(work)).await.unwrap();
    let debug = format!("{handle:?} {manager:?}");
    assert!(!debug.contains("canary"));
    drop(handle);
    pass(secs(5_000)).await;
    running.stop().await;
    // The manager is still there: it keeps no value that nobody can use.
    assert!(scan.finish().is_clean());
    drop(manager);
}

/// What the manager keeps when nobody uses a secret any more are ids, no values.
#[tokio::test(start_paused = true)]
async fn a_stand_in_goes_with_the_last_handle() {
    let service = Service::start().await;
    service.vault.rotate("v2");
    service.manager.invalidate(service.handle.reference());
    pass(millis(30)).await;
    assert_eq!(service.login().await.unwrap(), "v1");
    let Service { vault, resource, manager, handle, .. } = service;
    drop(handle.clone());
    let login = |handle: SecretHandle| {
        let resource = resource.clone();
        let work = repeatable(move |attempt| resource.clone().login(attempt));
        async move { with_secret(&handle, classify, work).await }
    };
    assert_eq!(login(handle).await.unwrap(), "v1");
    assert_eq!(vault.calls("previous"), 1, "a clone is not the last one");
    let handle = manager.handle(NAME).await.unwrap();
    assert_eq!(login(handle).await.unwrap(), "v1");
    assert_eq!(vault.calls("previous"), 2);
    assert_eq!(resource.logins("v2").refused, 1, "that it is refused is known");
}

#[test]
fn errors_show_their_kind_and_nothing_of_the_work() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let manager = build(Vault::holding("v1").provider());
        let handle = manager.handle(NAME).await.unwrap();
        let work = |_| async { Err::<(), _>(std::io::Error::other("said hunter2")) };
        let other = |_: &std::io::Error| FailureClass::Other;
        let error = with_secret(&handle, other, repeatable(work)).await.unwrap_err();
        assert_eq!(error.to_string(), "the work with the secret failed");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "said hunter2");
    });
}

#[test]
fn codes_are_classified() {
    use FailureClass::{Authentication, Other};
    use secrets_manager::classify::{http, postgres, redis};
    for (code, class) in
        [("28P01", Authentication), ("28000", Authentication), ("40001", Other), ("", Other)]
    {
        assert_eq!(postgres(code), class, "{code}");
    }
    let wrong = "WRONGPASS invalid username-password pair or user is disabled.";
    for (line, class) in [
        (wrong, Authentication),
        ("-NOAUTH Authentication required.", Authentication),
        ("WRONGPASS", Authentication),
        ("NOPERM this user has no permissions to run the 'get' command", Other),
        ("ERR unknown command 'WRONGPASS'", Other),
        ("", Other),
    ] {
        assert_eq!(redis(line), class, "{line}");
    }
    assert_eq!([401, 403, 400, 500].map(http), [Authentication, Other, Other, Other]);
}

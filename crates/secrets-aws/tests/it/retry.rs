//! How often a call is tried, and that one budget bounds all of them together.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use secrets_aws::{AwsClients, AwsConfig, Identity, Network, StaticKeys};
use secrets_core::{ErrorKind, Retry, SecretProvider, SecretValue, SetOptions};

use crate::server::{Answer, Server, on_loopback};

pub(crate) fn keys() -> Identity {
    let secret = SecretValue::from_string("wJalrXUtnFEMI/K7MDENG".to_owned());
    Identity::StaticKeys(StaticKeys::new("AKIAIOSFODNN7EXAMPLE", secret))
}

async fn clients(server: &Server, network: Network) -> AwsClients {
    let config = AwsConfig::in_region("eu-west-1")
        .with_identity(keys())
        .with_endpoint(on_loopback(&server.url))
        .with_network(network);
    AwsClients::connect(config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_account_is_not_hammered() {
    let asked_to_wait = std::sync::Arc::new(AtomicBool::new(false));
    let is_asked = std::sync::Arc::clone(&asked_to_wait);
    let server = Server::start(move |_| {
        let throttled = Answer::xml_error(400, "Throttling");
        if !is_asked.load(Ordering::SeqCst) {
            return throttled;
        }
        throttled.with_header("retry-after", "20")
    })
    .await;
    let network = Network::default().with_retry_budget(20);
    let clients = clients(&server, network).await;
    let calls = 60;
    let callers: Vec<_> = (0..calls)
        .map(|_| {
            let clients = clients.clone();
            tokio::spawn(async move { clients.caller().await.unwrap_err().kind() })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), ErrorKind::Throttled);
    }
    // Each call once, and out of the budget 20 more; without one it would be three times as many.
    assert_eq!(server.count(), calls + 20);
    // And now that it is used up: one attempt, and no pause after it.
    asked_to_wait.store(true, Ordering::SeqCst);
    let before = Instant::now();
    assert_eq!(clients.caller().await.unwrap_err().kind(), ErrorKind::Throttled);
    assert_eq!(server.count(), calls + 21);
    assert!(before.elapsed() < Duration::from_secs(15), "{:?}", before.elapsed());
}

#[tokio::test]
async fn calls_that_succeed_fill_the_budget_again() {
    let good = std::sync::Arc::new(AtomicUsize::new(0));
    let left = std::sync::Arc::clone(&good);
    let server = Server::start(move |_| {
        let take = |left: usize| left.checked_sub(1);
        match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take) {
            Ok(_) => Answer::caller(),
            Err(_) => Answer::xml_error(400, "Throttling"),
        }
    })
    .await;
    let clients = clients(&server, Network::default().with_retry_budget(1)).await;
    assert!(clients.caller().await.is_err());
    assert_eq!(server.count(), 2);
    assert!(clients.caller().await.is_err());
    assert_eq!(server.count(), 3);
    // Five that succeed at once are worth one attempt at least.
    good.store(5, Ordering::SeqCst);
    for _ in 0..5 {
        clients.caller().await.unwrap();
    }
    assert!(clients.caller().await.is_err());
    assert_eq!(server.count(), 3 + 5 + 2);
}

#[tokio::test]
async fn what_does_not_pass_is_not_repeated() {
    for (status, code) in [(403, "AccessDenied"), (400, "ValidationError"), (403, "ExpiredToken")] {
        let server = Server::start(move |_| Answer::xml_error(status, code)).await;
        let clients = clients(&server, Network::default()).await;
        clients.caller().await.unwrap_err();
        assert_eq!(server.count(), 1, "{code}");
    }
}

/// The SDK takes `LimitExceededException` for throttling; these services mean a number of things that is
/// used up, and waiting does not mend that.
#[tokio::test]
async fn a_quota_is_not_asked_for_again() {
    for (code, kind, asked) in [
        ("LimitExceededException", ErrorKind::QuotaExceeded, 1),
        ("ThrottlingException", ErrorKind::Throttled, 3),
    ] {
        let refusal = serde_json::json!({ "__type": code, "message": "no more" }).to_string();
        let server = Server::start(move |_| Answer::new(400, refusal.clone())).await;
        let clients = clients(&server, Network::default()).await;
        let provider = secrets_aws::SecretsManagerProvider::new(&clients);
        let name = super::support::name("db");
        let value = super::support::text("1");
        let refused = provider.set_secret(&name, value, SetOptions::new()).await.unwrap_err();
        assert_eq!((refused.kind(), server.count()), (kind, asked), "{code}");
        assert_eq!(refused.retry() == Retry::Never, asked == 1, "{code}");
    }
}

#[tokio::test]
async fn what_passes_is_tried_as_often_as_is_said() {
    for attempts in [1, 2, 3] {
        let server = Server::start(|_| Answer::xml_error(503, "ServiceUnavailable")).await;
        let clients = clients(&server, Network::default().with_attempts(attempts)).await;
        assert_eq!(clients.caller().await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(server.count(), attempts as usize);
    }
}

#[tokio::test]
async fn the_pause_that_a_server_asks_for_is_kept() {
    for (header, value, least) in
        [("retry-after", "2", 2_000), ("x-amz-retry-after", "1500", 1_500)]
    {
        let server = Server::start(move |_| {
            Answer::xml_error(503, "ServiceUnavailable").with_header(header, value)
        })
        .await;
        let clients = clients(&server, Network::default().with_attempts(2)).await;
        let before = Instant::now();
        clients.caller().await.unwrap_err();
        let took = before.elapsed();
        assert_eq!(server.count(), 2);
        let least = Duration::from_millis(least);
        assert!(took >= least && took < least + Duration::from_secs(20), "{header}: {took:?}");
    }
}

/// Nobody waits until the call's time is over for an attempt that is not made.
#[tokio::test]
async fn a_pause_that_no_call_has_time_for_is_told_at_once() {
    for (header, value, asked) in [
        ("retry-after", "60", 60_000),
        ("retry-after", "999999999", 999_999_999_000),
        ("x-amz-retry-after", "45000", 45_000),
    ] {
        let server = Server::start(move |_| {
            Answer::xml_error(503, "ServiceUnavailable").with_header(header, value)
        })
        .await;
        let network = Network::default().with_operation_timeout(Duration::from_secs(30));
        let clients = clients(&server, network).await;
        let before = Instant::now();
        let error = clients.caller().await.unwrap_err();
        assert!(before.elapsed() < Duration::from_secs(15), "{value}: {:?}", before.elapsed());
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.retry(), Retry::After(Duration::from_millis(asked)));
        assert_eq!(server.count(), 1);
    }
}

#[tokio::test]
async fn an_attempt_and_a_call_are_bounded_in_time() {
    let server = Server::start(|_| Answer::caller().after(Duration::from_secs(60))).await;
    let network = Network::default()
        .with_timeout(Duration::from_millis(200))
        .with_operation_timeout(Duration::from_millis(500))
        .with_attempts(10);
    let clients = clients(&server, network).await;
    let before = Instant::now();
    assert_eq!(clients.caller().await.unwrap_err().kind(), ErrorKind::Timeout);
    // Neither as long as an answer takes nor as often as attempts are allowed.
    assert!(before.elapsed() < Duration::from_secs(30), "{:?}", before.elapsed());
    assert!((1..=4).contains(&server.count()), "{}", server.count());
}

#[tokio::test]
async fn a_page_instead_of_an_answer_is_told_as_one() {
    for status in [200, 403, 502] {
        let server = Server::start(move |_| {
            Answer::new(status, "<html><body>canary-77 sign in</body></html>")
                .with_header("content-type", "text/html")
        })
        .await;
        let clients = clients(&server, Network::default()).await;
        let error = clients.caller().await.unwrap_err();
        assert!(server.count() <= 3);
        let text = format!("{error} {error:?}");
        assert!(!text.contains("canary-77"), "{text}");
        assert!(text.contains("not"), "{text}");
    }
}

#[tokio::test]
async fn requests_say_what_sent_them_and_answers_keep_their_ids() {
    let server = Server::start(|_| {
        Answer::xml_error(403, "AccessDenied").with_header("x-amzn-requestid", "request-9")
    })
    .await;
    let clients = clients(&server, Network::default()).await;
    let error = clients.caller().await.unwrap_err();
    assert_eq!(error.request_id(), Some("request-9"));
    let asked = server.asked();
    let agent = asked[0].header("x-amz-user-agent");
    assert!(agent.contains("app/mainstay"), "{agent}");
    assert_eq!((asked[0].access_key(), asked[0].region()), ("AKIAIOSFODNN7EXAMPLE", "eu-west-1"));
}

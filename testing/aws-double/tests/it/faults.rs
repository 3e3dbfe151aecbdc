//! Faults, delays, the record of calls.

use std::time::{Duration, Instant};

use aws_double::{AwsDouble, Consistency, Fault, FaultRule};
use serde_json::json;

use crate::{
    client::{Client, token},
    secrets_basics::{MINUTE, create, put, strong},
};

#[tokio::test]
async fn refusals_as_aws_sends_them() {
    let (double, client) = strong().await;
    create(&client, "x").await;
    let get = json!({ "SecretId": "x" });
    for (fault, status, code) in [
        (Fault::Throttle, 400, "ThrottlingException"),
        (Fault::LimitExceeded, 400, "LimitExceededException"),
        (Fault::Internal, 500, "InternalServiceError"),
        (Fault::Unavailable, 503, "ServiceUnavailable"),
    ] {
        double.faults().add(FaultRule::new(fault).on("GetSecretValue").times(1));
        let answer = client.send("GetSecretValue", &get).await.unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
        assert!(answer.headers.contains_key("x-amzn-requestid"));
        client.ok("GetSecretValue", get.clone()).await;
    }
    let record = &double.calls().of("GetSecretValue")[0];
    assert_eq!((record.status, record.code.as_deref()), (400, Some("ThrottlingException")));
    assert_eq!(
        (record.subject.as_deref(), record.region.as_deref()),
        (Some("x"), Some("us-east-1"))
    );
    assert_eq!(record.access_key.as_deref(), Some(double.credentials().access_key()));
}

#[tokio::test]
async fn a_reset_before_and_a_reply_lost_after() {
    let (double, client) = strong().await;
    create(&client, "x").await;
    let put_it = |n: u32| json!({ "SecretId": "x", "SecretString": format!("value {n}"), "ClientRequestToken": token(n) });
    let get = json!({ "SecretId": "x" });
    double.faults().script("PutSecretValue", [Some(Fault::Reset), None, Some(Fault::LostReply)]);
    assert!(client.send("PutSecretValue", &put_it(2)).await.is_err());
    assert_eq!(
        client.ok("GetSecretValue", get.clone()).await["SecretString"],
        "one",
        "not carried out"
    );
    put(&client, "x", 2, None).await;
    assert!(client.send("PutSecretValue", &put_it(3)).await.is_err());
    assert_eq!(client.ok("GetSecretValue", get).await["SecretString"], "value 3", "carried out");
    put(&client, "x", 3, None).await;
    let statuses: Vec<u16> = double.calls().of("PutSecretValue").iter().map(|c| c.status).collect();
    assert_eq!(statuses, [0, 200, 0, 200]);
}

#[tokio::test]
async fn a_reset_is_one_of_tcp() {
    use std::io::{ErrorKind, Read, Write};
    let (double, _client) = strong().await;
    double.faults().add(FaultRule::new(Fault::Reset));
    let address = double.url().trim_start_matches("http://").to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let mut line = std::net::TcpStream::connect(address).unwrap();
        let request = "POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: secretsmanager.ListSecrets\r\ncontent-length: 2\r\n\r\n{}";
        line.write_all(request.as_bytes()).unwrap();
        line.read(&mut [0; 64])
    });
    assert_eq!(read.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn answers_that_are_none() {
    let (double, client) = strong().await;
    create(&client, "x").await;
    let get = json!({ "SecretId": "x" });
    double.faults().script(
        "GetSecretValue",
        [Some(Fault::TruncatedJson), Some(Fault::Html), Some(Fault::EmptyBody)],
    );
    let half = client.send("GetSecretValue", &get).await.unwrap();
    assert!(half.status == 200 && serde_json::from_str::<serde_json::Value>(&half.text).is_err());
    let page = client.send("GetSecretValue", &get).await.unwrap();
    assert!(page.status == 200 && page.text.contains("<html>"));
    assert_eq!(client.send("GetSecretValue", &get).await.unwrap().text, "");
    client.ok("GetSecretValue", get).await;
}

#[tokio::test]
async fn slow_hanging_and_stopped() {
    let (double, client) = strong().await;
    create(&client, "x").await;
    let get = json!({ "SecretId": "x" });
    double.faults().add(FaultRule::new(Fault::Slow(Duration::from_millis(300))).times(1));
    let begun = Instant::now();
    client.ok("GetSecretValue", get.clone()).await;
    assert!(begun.elapsed() >= Duration::from_millis(300));
    double.faults().add(FaultRule::new(Fault::Hang).on("GetSecretValue"));
    assert_eq!(double.faults().struck(), 1);
    let waiting = client.send("GetSecretValue", &get);
    assert!(tokio::time::timeout(Duration::from_millis(200), waiting).await.is_err());
    double.faults().have_struck(2).await;
    // A double that is dropped lets nobody wait.
    let http = client.http.clone();
    let hanging = tokio::spawn(async move { client.send("GetSecretValue", &get).await.is_err() });
    double.faults().have_struck(3).await;
    let url = double.url().to_owned();
    drop(double);
    let ended = tokio::time::timeout(Duration::from_secs(60), hanging).await;
    assert!(ended.unwrap().unwrap());
    assert!(http.get(url).send().await.is_err(), "its port is closed");
}

/// A client that gives up cannot know whether its write was carried out: both can be had.
#[tokio::test]
async fn an_answer_that_comes_too_late_before_and_after() {
    let (double, client) = strong().await;
    create(&client, "x").await;
    let get = json!({ "SecretId": "x" });
    let late = || FaultRule::new(Fault::Slow(MINUTE)).on("PutSecretValue").times(1);
    for (n, rule, expected) in [(2, late(), "one"), (3, late().after_commit(), "value 3")] {
        double.faults().add(rule);
        let input = json!({ "SecretId": "x", "SecretString": format!("value {n}"), "ClientRequestToken": token(n) });
        let struck = double.faults().struck() + 1;
        tokio::select! {
            _ = client.send("PutSecretValue", &input) => panic!("it waits for a minute"),
            () = double.faults().have_struck(struck) => {}
        }
        // Whoever gave up has asked: the record shows it.
        let recorded = double.calls().wait_for("PutSecretValue", usize::try_from(n - 1).unwrap());
        tokio::time::timeout(Duration::from_secs(10), recorded).await.unwrap();
        assert_eq!(client.ok("GetSecretValue", get.clone()).await["SecretString"], expected);
    }
    let statuses: Vec<u16> = double.calls().of("PutSecretValue").iter().map(|c| c.status).collect();
    assert_eq!(statuses, [0, 0]);
}

/// A test sees that a request hangs while it does.
#[tokio::test]
async fn a_request_that_hangs_is_recorded_at_once() {
    let (double, client) = strong().await;
    double.faults().add(FaultRule::new(Fault::Hang));
    let waiting =
        tokio::spawn(async move { client.send("ListSecrets", &json!({})).await.is_err() });
    let recorded = double.calls().wait_for("ListSecrets", 1);
    tokio::time::timeout(Duration::from_secs(10), recorded).await.unwrap();
    assert!(!waiting.is_finished());
    drop(double);
    assert!(tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap());
}

#[tokio::test]
async fn rules_count_skip_and_look_at_the_name() {
    let (double, client) = strong().await;
    for name in ["a", "b"] {
        create(&client, name).await;
    }
    double
        .faults()
        .add(FaultRule::new(Fault::Throttle).on("GetSecretValue").about("a").skip(1).times(2));
    let mut codes = Vec::new();
    for name in ["a", "b", "a", "b", "a", "a"] {
        codes.push(
            client.send("GetSecretValue", &json!({ "SecretId": name })).await.unwrap().status,
        );
    }
    assert_eq!(codes, [200, 200, 400, 200, 400, 200]);
    double.faults().add(FaultRule::new(Fault::Throttle).with_probability(0.5));
    let mut refused = 0;
    for _ in 0..200 {
        refused += usize::from(client.send("ListSecrets", &json!({})).await.unwrap().status == 400);
    }
    assert!((60..140).contains(&refused), "{refused}");
    double.faults().clear();
    client.ok("ListSecrets", json!({})).await;
}

#[tokio::test]
async fn a_rate_of_calls() {
    let (double, client) = strong().await;
    double.faults().limit_rate(&["ListSecrets", "GetRandomPassword"], 0.01, 3);
    for operation in ["ListSecrets", "GetRandomPassword", "ListSecrets"] {
        client.ok(operation, json!({})).await;
    }
    assert_eq!(client.refused("ListSecrets", json!({})).await, "ThrottlingException");
    let other = Client::with(&double, &double.identities().user("999988887777", "o"));
    other.ok("ListSecrets", json!({})).await;
    double.clock().advance(Duration::from_secs(200));
    client.ok("ListSecrets", json!({})).await;
}

#[tokio::test]
async fn writes_are_seen_later() {
    assert_eq!(Consistency::default().reads, Duration::from_millis(250));
    // Longer than that, so that no slow machine waits it out.
    let consistency = Consistency { reads: MINUTE, ..Consistency::default() };
    let double = AwsDouble::builder().consistency(consistency).start().await.unwrap();
    let client = Client::new(&double);
    create(&client, "x").await;
    let id = json!({ "SecretId": "x" });
    assert_eq!(client.refused("GetSecretValue", id.clone()).await, "ResourceNotFoundException");
    double.clock().advance(MINUTE);
    client.ok("GetSecretValue", id.clone()).await;
    put(&client, "x", 2, None).await;
    assert_eq!(client.ok("GetSecretValue", id.clone()).await["SecretString"], "one");
    let described = client.ok("DescribeSecret", id.clone()).await;
    assert_eq!(described["VersionIdsToStages"], json!({ token(1): ["AWSCURRENT"] }));
    // A write is judged by the newest state, whatever reads see.
    put(&client, "x", 2, None).await;
    double.clock().advance(MINUTE);
    assert_eq!(client.ok("GetSecretValue", id.clone()).await["SecretString"], "value 2");
    assert_eq!(client.ok("ListSecrets", json!({})).await["SecretList"], json!([]));
    double.clock().advance(Duration::from_secs(300));
    let listed = client.ok("ListSecrets", json!({})).await;
    assert_eq!(listed["SecretList"].as_array().unwrap().len(), 1);
    double
        .faults()
        .add(FaultRule::new(Fault::Stale(Duration::from_secs(240))).on("GetSecretValue").times(1));
    put(&client, "x", 3, None).await;
    double.clock().advance(MINUTE);
    assert_eq!(
        client.ok("GetSecretValue", id.clone()).await["SecretString"],
        "value 2",
        "stale once"
    );
    assert_eq!(client.ok("GetSecretValue", id).await["SecretString"], "value 3");
}

#[tokio::test]
async fn calls_are_counted_and_awaited() {
    let (double, client) = strong().await;
    let calls = double.calls().clone();
    let seen = tokio::spawn(async move { calls.wait_for("ListSecrets", 2).await });
    client.ok("ListSecrets", json!({})).await;
    client.ok("ListSecrets", json!({})).await;
    tokio::time::timeout(Duration::from_secs(60), seen).await.unwrap().unwrap();
    assert_eq!(double.calls().count("secretsmanager:ListSecrets"), 2);
    assert_eq!(double.calls().total(), 2);
    double.calls().clear();
    assert_eq!(double.calls().total(), 0);
}

#[tokio::test]
async fn no_value_is_recorded_or_shown() {
    let (double, client) = strong().await;
    let canary = "canary-4711-value";
    let input = json!({ "Name": "x", "SecretString": canary, "ClientRequestToken": token(1) });
    client.ok("CreateSecret", input).await;
    let conflict = json!({ "SecretId": "x", "SecretString": format!("{canary}2"), "ClientRequestToken": token(1) });
    let refused = client.send("PutSecretValue", &conflict).await.unwrap();
    client.ok("GetSecretValue", json!({ "SecretId": "x" })).await;
    let shown = format!(
        "{double:?} {:?} {:?} {:?}",
        double.calls().all(),
        double.faults(),
        double.identities()
    );
    assert!(!shown.contains("canary") && !refused.text.contains("canary"));
    assert!(!shown.contains(double.credentials().secret_key()));
    assert!(!format!("{:?}", double.credentials()).contains(double.credentials().secret_key()));
}

#[tokio::test]
async fn many_doubles_know_nothing_of_each_other() {
    let doubles: Vec<(AwsDouble, Client)> =
        futures_util::future::join_all((0..8).map(|_| strong())).await;
    for (_, client) in &doubles {
        create(client, "x").await;
    }
    let (first, rest) = doubles.split_first().unwrap();
    let foreign = Client { url: rest[0].0.url().to_owned(), ..Client::new(&first.0) };
    assert_eq!(foreign.refused("ListSecrets", json!({})).await, "UnrecognizedClientException");
}

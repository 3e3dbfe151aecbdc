//! Many secrets at once: few requests, each answer to its question.

use std::sync::Arc;

use aws_double::{AwsDouble, Fault, FaultRule, Policy};
use secrets_aws::SecretsManagerProvider;
use secrets_core::{
    ErrorKind, GetOptions, HealthStatus, NativeId, SecretProvider, SecretRef, SetOptions,
    VersionSelector,
};

use super::server::{Answer, Server};
use super::support::{OnDouble, clients, clients_as, name, quick, text};

fn current(id: &SecretRef) -> (SecretRef, GetOptions) {
    (id.clone(), GetOptions::default())
}

async fn some(on: &OnDouble, count: usize) -> Vec<(SecretRef, GetOptions)> {
    let mut wanted = Vec::new();
    for at in 0..count {
        let id = name(&format!("batch/{at}"));
        on.provider.set_secret(&id, text(&format!("value {at}")), SetOptions::new()).await.unwrap();
        wanted.push(current(&id));
    }
    on.settle();
    on.double.calls().clear();
    wanted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_secrets_are_one_request() {
    let on = OnDouble::start().await;
    let wanted = some(&on, 45).await;
    let answers = on.provider.get_secrets(&wanted).await.unwrap();
    for (at, answer) in answers.iter().enumerate() {
        assert!(answer.as_ref().unwrap().value.ct_eq(&text(&format!("value {at}"))));
    }
    assert_eq!(on.double.calls().count("BatchGetSecretValue"), 3);
    assert_eq!(on.double.calls().total(), 3);
}

/// By name, ARN and partial ARN, asked twice, absent, other versions: each in its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_gets_its_own_answer() {
    let on = OnDouble::start().await;
    let wanted = some(&on, 3).await;
    let described = on.boto3("DescribeSecret", serde_json::json!({ "SecretId": "batch/1" })).await;
    let arn = described["ARN"].as_str().unwrap();
    let native = |id: &str| current(&NativeId::new(id).unwrap().into());
    let previous = GetOptions::version(VersionSelector::Previous);
    let questions = [
        wanted[0].clone(),
        native(arn),
        native(arn.rsplit_once('-').unwrap().0),
        current(&name("absent")),
        wanted[0].clone(),
        (wanted[0].0.clone(), previous),
        native("no?name"),
        wanted[2].clone(),
    ];
    let answers = on.provider.get_secrets(&questions).await.unwrap();
    let told: Vec<_> = answers
        .iter()
        .map(|answer| match answer {
            Ok(secret) => secret.value.expose_secret_text().unwrap().to_owned(),
            Err(error) => error.kind().as_str().to_owned(),
        })
        .collect();
    let expected = [
        "value 0",
        "value 1",
        "value 1",
        "not found",
        "value 0",
        "not found",
        "invalid name",
        "value 2",
    ];
    assert_eq!(told, expected);
    // ARNs may be another identity's to read: they make a batch of their own.
    assert_eq!(on.double.calls().count("BatchGetSecretValue"), 2);
}

/// An answer that AWS cuts goes on where it ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_in_pages_is_read_to_its_end() {
    let on = OnDouble::of(quick().batch_bytes(30)).await;
    let wanted = some(&on, 12).await;
    let answers = on.provider.get_secrets(&wanted).await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
    let batches = on.double.calls().count("BatchGetSecretValue");
    assert!(batches > 1, "{batches}");
    assert_eq!(on.double.calls().total(), batches, "no secret was read singly");
}

/// A page that fails takes no answers with it that came before, and those alone that it would have
/// brought fail: not asked again one by one where the service is to be spared.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_fails_leaves_the_answers_of_those_before() {
    let on = OnDouble::of(quick().batch_bytes(30)).await;
    let wanted = some(&on, 12).await;
    on.double.faults().add(FaultRule::new(Fault::Throttle).on("BatchGetSecretValue").skip(1));
    let answers = on.provider.get_secrets(&wanted).await.unwrap();
    let (came, failed): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.is_ok());
    assert!(!came.is_empty() && !failed.is_empty(), "{} came", came.len());
    for (at, answer) in answers.iter().take(came.len()).enumerate() {
        assert!(answer.as_ref().unwrap().value.ct_eq(&text(&format!("value {at}"))));
    }
    for failed in failed {
        assert_eq!(failed.as_ref().unwrap_err().kind(), ErrorKind::Throttled);
    }
    assert_eq!(on.double.calls().count("GetSecretValue"), 0);
    // Where the failure says nothing of the others they are read singly, and those alone.
    on.double.faults().clear();
    let refused =
        Fault::Refuse { status: 400, code: "ValidationException".into(), message: "no".into() };
    on.double.faults().add(FaultRule::new(refused).on("BatchGetSecretValue").skip(1));
    let count = came.len();
    let answers = on.provider.get_secrets(&wanted).await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(on.double.calls().count("GetSecretValue"), wanted.len() - count);
}

/// Who may not read in batches reads singly, is not refused twice, and is told by `health`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_right_to_batches_secrets_are_read_singly() {
    let on = OnDouble::start().await;
    let wanted = some(&on, 25).await;
    let user = on.double.identities().user(on.double.account(), "reader");
    let principal = format!("arn:aws:iam::{}:user/reader", on.double.account());
    let reads = ["secretsmanager:GetSecretValue", "secretsmanager:ListSecrets"];
    on.double.grants().set(&principal, Policy::new().allow(&reads, &["*"]));
    let clients = clients_as(on.double.url(), user.access_key(), user.secret_key()).await;
    let reader = SecretsManagerProvider::new(&clients);
    assert_eq!(reader.health().await.unwrap().status, HealthStatus::Healthy);
    for _ in 0..2 {
        let answers = reader.get_secrets(&wanted).await.unwrap();
        assert!(answers.iter().all(Result::is_ok));
    }
    assert_eq!(on.double.calls().count("BatchGetSecretValue"), 2, "both of the first time");
    assert_eq!(on.double.calls().count("GetSecretValue"), 50);
    let health = reader.health().await.unwrap();
    assert_eq!(health.status, HealthStatus::Degraded);
    assert!(health.findings[0].contains("BatchGetSecretValue"));
    // Who may not list is known to AWS all the same.
    on.double.grants().set(&principal, Policy::new().allow(&reads[..1], &["*"]));
    let reader = SecretsManagerProvider::new(&clients);
    assert_eq!(reader.health().await.unwrap().status, HealthStatus::Healthy);
}

/// One secret may not be read: its question alone is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_denied_secret_does_not_deny_the_others() {
    let on = OnDouble::start().await;
    let wanted = some(&on, 3).await;
    let user = on.double.identities().user(on.double.account(), "reader");
    let principal = format!("arn:aws:iam::{}:user/reader", on.double.account());
    let all = ["secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue"];
    let policy = Policy::new().allow(&all, &["*"]);
    let policy = policy.deny(&all[..1], &["arn:aws:secretsmanager:*:*:secret:batch/1-??????"]);
    on.double.grants().set(&principal, policy);
    let clients = clients_as(on.double.url(), user.access_key(), user.secret_key()).await;
    let answers = SecretsManagerProvider::new(&clients).get_secrets(&wanted).await.unwrap();
    assert!(answers[0].is_ok() && answers[2].is_ok());
    let denied = answers[1].as_ref().unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::PermissionDenied);
    assert_eq!(on.double.calls().count("GetSecretValue"), 0);
}

/// A throttled batch is throttled for its questions, and not asked again as twenty reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_batch_does_not_become_many_reads() {
    let on = OnDouble::start().await;
    let wanted = some(&on, 20).await;
    on.double.faults().add(FaultRule::new(Fault::Throttle).on("BatchGetSecretValue"));
    let answers = on.provider.get_secrets(&wanted).await.unwrap();
    for answer in answers {
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::Throttled);
    }
    assert_eq!(on.double.calls().count("GetSecretValue"), 0);
}

/// The cost of a service's start, in requests; in time it is a benchmark.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_secrets_take_twenty_five_requests() {
    let double =
        AwsDouble::builder().region(super::support::REGION).strong().start().await.unwrap();
    let keys = double.credentials();
    let clients = clients_as(double.url(), keys.access_key(), keys.secret_key()).await;
    let provider = Arc::new(SecretsManagerProvider::new(&clients));
    let mut wanted = Vec::new();
    for at in 0..500 {
        let id = name(&format!("start/{at}"));
        provider.set_secret(&id, text("value"), SetOptions::new()).await.unwrap();
        wanted.push(current(&id));
    }
    double.calls().clear();
    let answers = provider.get_secrets(&wanted).await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(double.calls().count("BatchGetSecretValue"), 25);
    assert_eq!(double.calls().total(), 25);
}

/// A batch that is refused as a whole, for an id that AWS dislikes: the others are read all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_spoilt_question_does_not_spoil_the_others() {
    let on = OnDouble::start().await;
    let wanted = some(&on, 20).await;
    for code in ["ValidationException", "InvalidRequestException", "DecryptionFailure"] {
        let refused = Fault::Refuse { status: 400, code: code.into(), message: "no".into() };
        on.double.faults().add(FaultRule::new(refused).on("BatchGetSecretValue").times(1));
        let answers = on.provider.get_secrets(&wanted).await.unwrap();
        assert!(answers.iter().all(Result::is_ok), "{code}");
        // No right to batches is missing.
        assert_eq!(on.provider.health().await.unwrap().status, HealthStatus::Healthy, "{code}");
        on.double.calls().clear();
        on.provider.get_secrets(&wanted).await.unwrap();
        assert_eq!(on.double.calls().total(), 1, "{code}");
    }
}

/// What one account or region does not permit another may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_are_given_up_where_they_are_denied_and_nowhere_else() {
    let on = OnDouble::start().await;
    let wanted = some(&on, 20).await;
    let there = ["a", "b"].map(|id| {
        let arn = format!("arn:aws:secretsmanager:us-east-1:111122223333:secret:{id}-AbC123");
        current(&NativeId::new(&arn).unwrap().into())
    });
    let code = "AccessDeniedException".to_owned();
    let refused = Fault::Refuse { status: 400, code, message: "no".into() };
    on.double.faults().add(FaultRule::new(refused).on("BatchGetSecretValue").times(1));
    on.provider.get_secrets(&there).await.unwrap();
    assert_eq!(on.provider.health().await.unwrap().status, HealthStatus::Degraded);
    on.double.calls().clear();
    on.provider.get_secrets(&wanted).await.unwrap();
    assert_eq!(on.double.calls().total(), 1);
    on.provider.get_secrets(&there).await.unwrap();
    assert_eq!(on.double.calls().count("BatchGetSecretValue"), 1);
}

/// A batch names no stage. What comes back without `AWSCURRENT`, as it does from doubles after a
/// promotion, is asked for singly, with the stage.
#[tokio::test]
async fn what_a_batch_does_not_call_current_is_asked_for_singly() {
    let secret = |id: &str, version: char, value: &str, stage: &str| {
        serde_json::json!({
            "Name": id, "VersionId": version.to_string().repeat(36), "SecretString": value,
            "VersionStages": [stage],
            "ARN": format!("arn:aws:secretsmanager:eu-west-1:111122223333:secret:{id}-AbC123"),
        })
    };
    let old = [secret("a", '0', "old", "AWSPREVIOUS"), secret("b", '1', "b", "AWSCURRENT")];
    let batch = serde_json::json!({ "SecretValues": old });
    let single = secret("a", '2', "new", "AWSCURRENT");
    let server = Server::start(move |asked| {
        let is_batch = asked.header("x-amz-target").ends_with("BatchGetSecretValue");
        Answer::new(200, if is_batch { &batch } else { &single }.to_string())
    })
    .await;
    let provider = SecretsManagerProvider::new(&clients(&server.url).await);
    let answers = provider.get_secrets(&[current(&name("a")), current(&name("b"))]).await.unwrap();
    let read = answers.into_iter().map(|answer| answer.unwrap().value);
    let read: Vec<_> = read.map(|value| value.expose_secret_text().unwrap().to_owned()).collect();
    assert_eq!(read, ["new", "b"]);
    assert_eq!(server.count(), 2);
}

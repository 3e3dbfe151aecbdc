//! Word of changes that somebody else made.

use std::time::{Duration, Instant, SystemTime};

use aws_double::{Fault, FaultRule};
use futures_util::StreamExt;
use futures_util::future::join_all;
use secrets_aws::{ChangeFeed, ChangeQueue, SecretsManagerProvider};
use secrets_core::conformance;
use secrets_core::{
    ChangeHint, ChangeStream, ErrorKind, Health, HealthStatus, ManualClock, SecretProvider,
    SecretProviderExt, Support,
};
use serde_json::{Value, json};

use crate::server::{Answer, Server};
use crate::support::{OnDouble, clients_as, conformance_of, name, quick};

const QUEUE: &str = "hints";

/// A double whose changes go into a queue, and a provider that has its ear on it.
struct Hinted {
    on: OnDouble,
    queue: ChangeQueue,
    clock: ManualClock,
}

impl Hinted {
    async fn start() -> Self {
        let mut on = OnDouble::of(quick()).await;
        let url = on.double.queues().create(QUEUE);
        on.double.events().deliver_to(QUEUE);
        let keys = on.double.credentials();
        let clients = clients_as(on.double.url(), keys.access_key(), keys.secret_key()).await;
        let clock = ManualClock::at(SystemTime::now());
        let queue = ChangeQueue::with_clock(&clients, &url, clock.clone()).unwrap();
        on.provider = SecretsManagerProvider::builder(&clients)
            .with_read_patience(Duration::from_millis(200))
            .with_change_queue(queue.clone())
            .build();
        Self { on, queue, clock }
    }

    async fn write(&self, id: &str, text: &str) {
        let put = json!({ "SecretId": id, "SecretString": text });
        if self.on.boto3.call("secretsmanager", "PutSecretValue", put).await.is_err() {
            self.on.boto3("CreateSecret", json!({ "Name": id, "SecretString": text })).await;
        }
    }

    async fn send(&self, body: &str) {
        let url = self.on.double.queues().url(QUEUE);
        let message = json!({ "QueueUrl": url, "MessageBody": body });
        self.on.boto3.call("sqs", "SendMessage", message).await.unwrap();
    }

    async fn is_emptied_to(&self, left: usize) {
        for _ in 0..3_000 {
            if self.on.double.queues().len_of(QUEUE) == left {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} messages are left", self.on.double.queues().len_of(QUEUE));
    }
}

/// Waits until the server was asked so often.
async fn requests(server: &Server, times: usize) {
    while server.count() < times {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn next(hints: &mut ChangeStream) -> ChangeHint {
    let hint = tokio::time::timeout(Duration::from_secs(60), hints.next()).await;
    hint.expect("no word in a minute").expect("the stream ended")
}

/// Waits for word of this secret, past that of others.
async fn word_of(hints: &mut ChangeStream, id: &str) -> ChangeHint {
    loop {
        let hint = next(hints).await;
        if hint.reference == Some(name(id)) {
            return hint;
        }
    }
}

fn label_updated(id: &str, version: &str) -> Value {
    json!({
        "source": "aws.secretsmanager",
        "detail-type": "Secret Label Updated",
        "detail": { "name": id, "labelUpdated": "AWSCURRENT", "versionId": version },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_elsewhere_is_told_to_all_who_listen_and_taken_off_the_queue() {
    let hinted = Hinted::start().await;
    assert_eq!(hinted.on.provider.capabilities().changes, Support::Native);
    let mut streams =
        [hinted.on.provider.changes().unwrap(), hinted.on.provider.changes().unwrap()];
    let [one, other] = &mut streams;
    let both = async { tokio::join!(word_of(one, "billing/db"), word_of(other, "billing/db")) };
    let (_, ()) = tokio::join!(both, hinted.write("billing/db", "first"));
    let drained = hinted.is_emptied_to(0);
    tokio::select! {
        () = drained => {}
        _ = async { loop { next(one).await; } } => {}
    }
    assert_eq!(hinted.queue.foreign(), 0);
}

/// The one who asks the queue for all may be the one who goes.
#[tokio::test(flavor = "multi_thread")]
async fn when_the_one_who_asks_leaves_another_asks() {
    let hinted = Hinted::start().await;
    let (mut one, mut other) =
        (hinted.on.provider.changes().unwrap(), hinted.on.provider.changes().unwrap());
    let first =
        async { tokio::join!(word_of(&mut one, "a/first"), word_of(&mut other, "a/first")) };
    let (_, ()) = tokio::join!(first, hinted.write("a/first", "x"));
    drop(one);
    let (hint, ()) = tokio::join!(word_of(&mut other, "a/second"), hinted.write("a/second", "x"));
    assert_eq!(hint.reference, Some(name("a/second")));
}

/// One that listens and has other things to do holds nobody up.
#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_is_not_polled_holds_nobody_up() {
    let hinted = Hinted::start().await;
    let (mut one, mut other) =
        (hinted.on.provider.changes().unwrap(), hinted.on.provider.changes().unwrap());
    let (_, ()) = tokio::join!(word_of(&mut one, "a/first"), hinted.write("a/first", "x"));
    // `one` waits, and is not asked any more.
    for id in ["a/second", "a/third"] {
        let (hint, ()) = tokio::join!(word_of(&mut other, id), hinted.write(id, "x"));
        assert_eq!(hint.reference, Some(name(id)));
    }
    assert!(word_of(&mut one, "a/third").await.reference.is_some());
}

/// What a listener that went away has not heard of is there for the next.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_told_stays_in_the_queue() {
    let hinted = Hinted::start().await;
    for at in 0..3 {
        hinted.send(&label_updated(&format!("a/{at}"), "v").to_string()).await;
    }
    let mut hints = hinted.on.provider.changes().unwrap();
    next(&mut hints).await;
    drop(hints);
    // A request that had been sent would have arrived by now.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(hinted.on.double.queues().len_of(QUEUE), 3);
    // SQS delivers them again after half a minute.
    hinted.on.double.clock().advance(Duration::from_secs(31));
    let mut hints = hinted.on.provider.changes().unwrap();
    for at in 0..3 {
        word_of(&mut hints, &format!("a/{at}")).await;
    }
}

/// An endpoint that does not wait for messages, and one whose messages are none of ours and come at
/// once again, are not asked in a circle.
#[tokio::test(flavor = "multi_thread")]
async fn a_queue_with_nothing_of_use_is_asked_once_a_second() {
    let foreign = json!({ "Messages": [{ "MessageId": "1", "ReceiptHandle": "r", "Body": "7" }] });
    let asked_with = async |answer: String| {
        let given = answer.clone();
        let server = Server::start(move |_| Answer::new(200, given.clone())).await;
        let clients = clients_as(&server.url, "AKIAIOSFODNN7EXAMPLE", "secret").await;
        let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/hints";
        let queue = ChangeQueue::new(&clients, url).unwrap();
        let provider = SecretsManagerProvider::builder(&clients).with_change_queue(queue).build();
        let mut hints = provider.changes().unwrap();
        let begun = Instant::now();
        tokio::select! {
            () = requests(&server, 3) => {}
            told = hints.next() => panic!("{told:?}: {answer}"),
        }
        let took = begun.elapsed();
        assert!(took >= Duration::from_secs(2), "three requests in {took:?}: {answer}");
    };
    tokio::join!(asked_with("{}".to_owned()), asked_with(foreign.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_cannot_be_taken_off_are_a_finding() {
    let event = label_updated("billing/db", "v").to_string();
    let messages =
        json!({ "Messages": [{ "MessageId": "1", "ReceiptHandle": "r", "Body": event }] });
    let failed = json!({ "Failed": [{ "Id": "0", "SenderFault": true, "Code": "no" }] });
    let server = Server::start(move |asked| {
        let is_receipt = asked.header("x-amz-target").ends_with("ReceiveMessage");
        Answer::new(200, if is_receipt { &messages } else { &failed }.to_string())
    })
    .await;
    let clients = clients_as(&server.url, "AKIAIOSFODNN7EXAMPLE", "secret").await;
    let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/hints";
    let queue = ChangeQueue::new(&clients, url).unwrap();
    let provider =
        SecretsManagerProvider::builder(&clients).with_change_queue(queue.clone()).build();
    let mut hints = provider.changes().unwrap();
    let begun = Instant::now();
    word_of(&mut hints, "billing/db").await;
    let failing = async {
        loop {
            if let Some(failure) = queue.failure() {
                break failure.to_string();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // What comes next clears it again.
    let seen = async { tokio::join!(failing, requests(&server, 3)) };
    let (failure, ()) = tokio::select! {
        seen = seen => seen,
        () = async { while hints.next().await.is_some() {} } => panic!("the stream ended"),
    };
    assert!(failure.contains("taken off"), "{failure}");
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(1), "not left alone for a second, but {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_moved_tells_the_version() {
    let hinted = Hinted::start().await;
    let mut hints = hinted.on.provider.changes().unwrap();
    let told = async {
        loop {
            if let Some(version) = word_of(&mut hints, "billing/db").await.version {
                return version;
            }
        }
    };
    let moved = async {
        hinted.write("billing/db", "first").await;
        hinted.write("billing/db", "second").await;
    };
    let (told, ()) = tokio::join!(told, moved);
    hinted.on.settle();
    assert_eq!(hinted.on.provider.read("billing/db").await.unwrap().version.id, told);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_stays_in_the_queue_and_is_told() {
    let hinted = Hinted::start().await;
    hinted.send("somebody's order of 7 apples").await;
    hinted.send(&label_updated("billing/db", "a1").to_string()).await;
    hinted.send(&json!({ "source": "aws.s3", "detail-type": "x", "detail": {} }).to_string()).await;
    let mut hints = hinted.on.provider.changes().unwrap();
    assert_eq!(word_of(&mut hints, "billing/db").await.version.unwrap().as_str(), "a1");
    tokio::select! {
        () = hinted.is_emptied_to(1) => {}
        _ = hints.next() => panic!("nothing else was told"),
    }
    assert!(hinted.queue.foreign() >= 1);
    let health = hinted.on.provider.health().await.unwrap();
    assert_eq!(health.status, HealthStatus::Degraded);
    assert!(health.findings.iter().any(|finding| finding.contains("no events")), "{health:?}");
    assert!(!format!("{health:?} {:?}", hinted.queue).contains("apples"));

    // It is told for an hour after it was last seen, not for the life of the process.
    drop(hints);
    hinted.clock.advance(Duration::from_secs(59 * 60));
    assert_eq!(hinted.on.provider.health().await.unwrap().status, HealthStatus::Degraded);
    hinted.clock.advance(Duration::from_secs(2 * 60));
    assert_eq!(hinted.on.provider.health().await.unwrap(), Health::healthy());
    assert!(hinted.queue.foreign() >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_fails_is_told_and_asked_again() {
    let hinted = Hinted::start().await;
    let refused = Fault::Refuse { status: 400, code: "AccessDenied".into(), message: "no".into() };
    hinted.on.double.faults().add(FaultRule::new(refused).on("ReceiveMessage").times(1));
    let mut hints = hinted.on.provider.changes().unwrap();
    let failing = async {
        while hinted.queue.failure().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = failing => {}
        _ = hints.next() => panic!("nothing changed"),
    }
    assert_eq!(hinted.queue.failure().unwrap().kind(), ErrorKind::PermissionDenied);
    assert_eq!(hinted.on.provider.health().await.unwrap().status, HealthStatus::Degraded);

    let (_, ()) = tokio::join!(word_of(&mut hints, "billing/db"), hinted.write("billing/db", "x"));
    assert!(hinted.queue.failure().is_none());
    assert_eq!(hinted.on.provider.health().await.unwrap().status, HealthStatus::Healthy);
}

/// What could not be taken off comes again: word of a change may be doubled.
#[tokio::test(flavor = "multi_thread")]
async fn messages_that_come_twice_do_no_harm() {
    let hinted = Hinted::start().await;
    hinted.on.double.queues().set_duplicates(2);
    hinted.on.double.events().set_duplicates(1);
    let mut hints = hinted.on.provider.changes().unwrap();
    let (_, ()) = tokio::join!(word_of(&mut hints, "billing/db"), hinted.write("billing/db", "x"));
    for _ in 0..3 {
        word_of(&mut hints, "billing/db").await;
    }
}

#[tokio::test]
async fn a_url_that_is_no_queues_is_refused() {
    let on = OnDouble::of(quick()).await;
    let keys = on.double.credentials();
    let clients = clients_as(on.double.url(), keys.access_key(), keys.secret_key()).await;
    let host = "https://sqs.eu-west-1.amazonaws.com";
    for url in [
        "",
        "hints",
        host,
        &format!("{host}/hints"),
        &format!("{host}/123456789012/"),
        &format!("{host}/123456789012/a/b"),
        "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/hints",
    ] {
        let refused = ChangeQueue::new(&clients, url).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidValue, "{url}");
    }
    assert!(ChangeQueue::new(&clients, &format!("{host}/123456789012/hints")).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_application_hears_reaches_the_provider() {
    let on = OnDouble::of(quick()).await;
    let keys = on.double.credentials();
    let clients = clients_as(on.double.url(), keys.access_key(), keys.secret_key()).await;
    let feed = ChangeFeed::new();
    let provider = SecretsManagerProvider::builder(&clients).with_changes(feed.clone()).build();
    let mut hints = provider.changes().unwrap();
    feed.message(label_updated("billing/db", "a1").to_string().as_bytes()).unwrap();
    assert_eq!(next(&mut hints).await.version.unwrap().as_str(), "a1");

    // Who falls behind is told that anything may have changed, and goes on.
    for _ in 0..1_000 {
        feed.send(ChangeHint::secret(name("billing/db")));
    }
    assert_eq!(next(&mut hints).await, ChangeHint::any());
    assert_eq!(next(&mut hints).await.reference, Some(name("billing/db")));
}

/// Nobody hears anything: that is said, and there is no stream.
#[tokio::test]
async fn without_a_source_there_are_no_hints() {
    let on = OnDouble::of(quick()).await;
    assert_eq!(on.provider.capabilities().changes, Support::No);
    assert!(on.provider.changes().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_queue_it_conforms() {
    let doubles: Vec<_> =
        join_all((0..6).map(|_| Hinted::start())).await.into_iter().map(|one| one.on).collect();
    let report = conformance_of(&doubles).await;
    assert_eq!(report.results.len(), conformance::checks().count());
    assert!(report.is_conformant(), "{report}");
}

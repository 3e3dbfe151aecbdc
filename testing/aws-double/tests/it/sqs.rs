//! Queues through requests of our own.

use std::time::{Duration, Instant};

use aws_double::{AwsDouble, Policy};
use serde_json::{Value, json};

use crate::wire::{Refused, Wire};

async fn with_queue(attributes: Value) -> (AwsDouble, Wire, String) {
    let double = AwsDouble::start().await.unwrap();
    let wire = Wire::new(&double);
    let made = wire
        .sqs("CreateQueue", json!({ "QueueName": "q", "Attributes": attributes }))
        .await
        .unwrap();
    let url = made["QueueUrl"].as_str().unwrap().to_owned();
    (double, wire, url)
}

async fn send(wire: &Wire, url: &str, body: &str) -> Value {
    wire.sqs("SendMessage", json!({ "QueueUrl": url, "MessageBody": body })).await.unwrap()
}

async fn receive(wire: &Wire, url: &str, more: Value) -> Vec<Value> {
    let mut input = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10 });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = wire.sqs("ReceiveMessage", input).await.unwrap();
    answer["Messages"].as_array().cloned().unwrap_or_default()
}

fn codes(result: Result<Value, Refused>) -> (u16, String) {
    let refused = result.unwrap_err();
    (refused.status, refused.code)
}

#[tokio::test]
async fn a_message_is_hidden_while_it_is_with_someone_and_gone_when_deleted() {
    let (double, wire, url) = with_queue(json!({ "VisibilityTimeout": "30" })).await;
    assert_eq!(url, double.queues().url("q"));
    let sent = send(&wire, &url, "hello").await;
    // RFC 1321 by hand: md5 of `hello`.
    assert_eq!(sent["MD5OfMessageBody"], "5d41402abc4b2a76b9719d911017c592");
    let first = receive(&wire, &url, json!({ "MessageSystemAttributeNames": ["All"] })).await;
    assert_eq!(
        (first.len(), &first[0]["Body"], &first[0]["MessageId"]),
        (1, &json!("hello"), &sent["MessageId"])
    );
    assert_eq!(first[0]["MD5OfBody"], sent["MD5OfMessageBody"]);
    assert_eq!(first[0]["Attributes"]["ApproximateReceiveCount"], "1");
    assert!(receive(&wire, &url, json!({})).await.is_empty());
    double.clock().advance(Duration::from_secs(30));
    let again =
        receive(&wire, &url, json!({ "AttributeNames": ["ApproximateReceiveCount"] })).await;
    assert_eq!(again[0]["Attributes"], json!({ "ApproximateReceiveCount": "2" }));
    assert_ne!(again[0]["ReceiptHandle"], first[0]["ReceiptHandle"]);
    // The receipt of before deletes nothing any more, and does not say so.
    let old = json!({ "QueueUrl": url, "ReceiptHandle": first[0]["ReceiptHandle"] });
    wire.sqs("DeleteMessage", old).await.unwrap();
    assert_eq!(double.queues().len_of("q"), 1);
    let new = json!({ "QueueUrl": url, "ReceiptHandle": again[0]["ReceiptHandle"] });
    wire.sqs("DeleteMessage", new.clone()).await.unwrap();
    assert_eq!(double.queues().len_of("q"), 0);
    wire.sqs("DeleteMessage", new).await.unwrap();
    let bogus = json!({ "QueueUrl": url, "ReceiptHandle": "bogus" });
    assert_eq!(
        codes(wire.sqs("DeleteMessage", bogus).await),
        (400, "ReceiptHandleIsInvalid".into())
    );
}

#[tokio::test]
async fn a_long_poll_ends_with_the_message_or_with_its_time() {
    let (double, wire, url) = with_queue(json!({})).await;
    let started = Instant::now();
    assert!(receive(&wire, &url, json!({ "WaitTimeSeconds": 1 })).await.is_empty());
    assert!(started.elapsed() >= Duration::from_millis(990), "{:?}", started.elapsed());
    let started = Instant::now();
    let (got, ()) = tokio::join!(receive(&wire, &url, json!({ "WaitTimeSeconds": 20 })), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        send(&wire, &url, "late").await;
    });
    assert_eq!(got[0]["Body"], "late");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    // Advancing the clock ends a poll too.
    let (got, ()) = tokio::join!(receive(&wire, &url, json!({ "WaitTimeSeconds": 20 })), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        double.clock().advance(Duration::from_secs(20));
    });
    assert!(got.is_empty());
}

#[tokio::test]
async fn hiding_can_be_ended_and_made_longer_up_to_twelve_hours() {
    let (double, wire, url) = with_queue(json!({})).await;
    send(&wire, &url, "x").await;
    let got = receive(&wire, &url, json!({ "VisibilityTimeout": 60 })).await;
    let hide = |seconds: i64| json!({ "QueueUrl": url, "ReceiptHandle": got[0]["ReceiptHandle"], "VisibilityTimeout": seconds });
    wire.sqs("ChangeMessageVisibility", hide(600)).await.unwrap();
    double.clock().advance(Duration::from_secs(599));
    assert!(receive(&wire, &url, json!({})).await.is_empty());
    assert_eq!(
        codes(wire.sqs("ChangeMessageVisibility", hide(43_200)).await),
        (400, "InvalidParameterValue".into())
    );
    assert_eq!(
        codes(wire.sqs("ChangeMessageVisibility", hide(43_201)).await),
        (400, "InvalidParameterValue".into())
    );
    wire.sqs("ChangeMessageVisibility", hide(0)).await.unwrap();
    assert_eq!(
        codes(wire.sqs("ChangeMessageVisibility", hide(5)).await),
        (400, "MessageNotInflight".into())
    );
    assert_eq!(receive(&wire, &url, json!({})).await.len(), 1);
}

#[tokio::test]
async fn attributes_travel_with_their_digest() {
    let (_double, wire, url) = with_queue(json!({})).await;
    let attributes = json!({
        "kind": { "DataType": "String", "StringValue": "rotation" },
        "raw": { "DataType": "Binary", "BinaryValue": "AQI=" },
        "kin": { "DataType": "Number.int", "StringValue": "7" },
    });
    let input = json!({ "QueueUrl": url, "MessageBody": "b", "MessageAttributes": attributes });
    let sent = wire.sqs("SendMessage", input).await.unwrap();
    for (names, count) in
        [(json!(["All"]), 3), (json!(["ki.*"]), 2), (json!(["raw"]), 1), (json!([]), 0)]
    {
        let got =
            receive(&wire, &url, json!({ "MessageAttributeNames": names, "VisibilityTimeout": 0 }))
                .await;
        let told = got[0]["MessageAttributes"].as_object().cloned().unwrap_or_default();
        assert_eq!(told.len(), count, "{names}");
        for (name, value) in &told {
            assert_eq!(value, &attributes[name]);
        }
        let whole = got[0].get("MD5OfMessageAttributes") == sent.get("MD5OfMessageAttributes");
        assert_eq!(whole, count == 3, "{names}");
    }
    let empty = json!({ "QueueUrl": url, "MessageBody": "b", "MessageAttributes": { "a": { "DataType": "String", "StringValue": "" } } });
    assert_eq!(codes(wire.sqs("SendMessage", empty).await), (400, "InvalidParameterValue".into()));
}

#[tokio::test]
async fn batches_tell_of_each_entry() {
    let (_double, wire, url) = with_queue(json!({})).await;
    let entries = json!([{ "Id": "a", "MessageBody": "1" }, { "Id": "b", "MessageBody": "\u{1}" }, { "Id": "c", "MessageBody": "3" }]);
    let sent =
        wire.sqs("SendMessageBatch", json!({ "QueueUrl": url, "Entries": entries })).await.unwrap();
    assert_eq!(sent["Successful"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&sent["Failed"][0]["Id"], &sent["Failed"][0]["Code"]),
        (&json!("b"), &json!("InvalidMessageContents"))
    );
    let got = receive(&wire, &url, json!({})).await;
    assert_eq!(got.len(), 2);
    let entries = json!([
        { "Id": "x", "ReceiptHandle": got[0]["ReceiptHandle"] },
        { "Id": "y", "ReceiptHandle": "bogus" },
    ]);
    let deleted = wire
        .sqs("DeleteMessageBatch", json!({ "QueueUrl": url, "Entries": entries }))
        .await
        .unwrap();
    assert_eq!(deleted["Successful"], json!([{ "Id": "x" }]));
    assert_eq!(deleted["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
    let eleven: Vec<Value> =
        (0..11).map(|n| json!({ "Id": n.to_string(), "ReceiptHandle": "r" })).collect();
    for (entries, code) in [
        (json!([]), "EmptyBatchRequest"),
        (json!(eleven), "TooManyEntriesInBatchRequest"),
        (
            json!([{ "Id": "a", "ReceiptHandle": "r" }, { "Id": "a", "ReceiptHandle": "r" }]),
            "BatchEntryIdsNotDistinct",
        ),
        (json!([{ "Id": "a b", "ReceiptHandle": "r" }]), "InvalidBatchEntryId"),
    ] {
        let input = json!({ "QueueUrl": url, "Entries": entries });
        assert_eq!(codes(wire.sqs("DeleteMessageBatch", input).await), (400, code.into()));
    }
}

#[tokio::test]
async fn messages_wait_expire_and_are_purged_by_the_clock() {
    let (double, wire, url) =
        with_queue(json!({ "DelaySeconds": "10", "MessageRetentionPeriod": "60" })).await;
    send(&wire, &url, "delayed").await;
    assert!(receive(&wire, &url, json!({})).await.is_empty());
    let told = wire
        .sqs("GetQueueAttributes", json!({ "QueueUrl": url, "AttributeNames": ["All"] }))
        .await
        .unwrap();
    assert_eq!(told["Attributes"]["ApproximateNumberOfMessagesDelayed"], "1");
    assert_eq!(told["Attributes"]["VisibilityTimeout"], "30");
    assert_eq!(told["Attributes"]["QueueArn"], "arn:aws:sqs:us-east-1:111122223333:q");
    double.clock().advance(Duration::from_secs(10));
    assert_eq!(receive(&wire, &url, json!({})).await.len(), 1);
    double.clock().advance(Duration::from_secs(50));
    assert!(receive(&wire, &url, json!({})).await.is_empty(), "kept for a minute");
    send(&wire, &url, "x").await;
    wire.sqs("PurgeQueue", json!({ "QueueUrl": url })).await.unwrap();
    assert_eq!(double.queues().len_of("q"), 0);
    assert_eq!(
        codes(wire.sqs("PurgeQueue", json!({ "QueueUrl": url })).await).1,
        "PurgeQueueInProgress"
    );
}

#[tokio::test]
async fn a_standard_queue_delivers_at_least_once() {
    let (double, wire, url) = with_queue(json!({})).await;
    double.queues().set_duplicates(1);
    send(&wire, &url, "twice").await;
    let got = receive(&wire, &url, json!({})).await;
    assert_eq!((got.len(), &got[0]["MessageId"]), (2, &got[1]["MessageId"]));
    let input = json!({ "QueueUrl": url, "ReceiptHandle": got[0]["ReceiptHandle"] });
    wire.sqs("DeleteMessage", input).await.unwrap();
    assert_eq!(double.queues().len_of("q"), 1);
}

#[tokio::test]
async fn what_is_received_too_often_goes_to_the_other_queue() {
    let (double, wire, _) = with_queue(json!({})).await;
    double.queues().create("dead");
    let policy = json!({ "deadLetterTargetArn": "arn:aws:sqs:us-east-1:111122223333:dead", "maxReceiveCount": "2" });
    let attributes = json!({ "RedrivePolicy": policy.to_string(), "VisibilityTimeout": "0" });
    let made = wire
        .sqs("CreateQueue", json!({ "QueueName": "live", "Attributes": attributes }))
        .await
        .unwrap();
    let live = made["QueueUrl"].as_str().unwrap();
    send(&wire, live, "poison").await;
    for _ in 0..2 {
        assert_eq!(receive(&wire, live, json!({})).await.len(), 1);
    }
    assert!(receive(&wire, live, json!({})).await.is_empty());
    assert_eq!(receive(&wire, &double.queues().url("dead"), json!({})).await[0]["Body"], "poison");
}

#[tokio::test]
async fn queues_are_made_found_and_deleted() {
    let (double, wire, url) = with_queue(json!({ "VisibilityTimeout": "5" })).await;
    let again = json!({ "QueueName": "q", "Attributes": { "VisibilityTimeout": "5" } });
    assert_eq!(wire.sqs("CreateQueue", again).await.unwrap()["QueueUrl"], url.as_str());
    let other = json!({ "QueueName": "q", "Attributes": { "VisibilityTimeout": "6" } });
    assert_eq!(codes(wire.sqs("CreateQueue", other).await), (400, "QueueNameExists".into()));
    for (attributes, code) in [
        (json!({ "VisibilityTimeout": "43201" }), "InvalidAttributeValue"),
        (json!({ "Colour": "red" }), "InvalidAttributeName"),
    ] {
        let input = json!({ "QueueName": "r", "Attributes": attributes });
        assert_eq!(codes(wire.sqs("CreateQueue", input).await).1, code);
    }
    assert_eq!(
        codes(wire.sqs("CreateQueue", json!({ "QueueName": "a.fifo" })).await).1,
        "InvalidParameterValue"
    );
    assert_eq!(
        wire.sqs("GetQueueUrl", json!({ "QueueName": "q" })).await.unwrap()["QueueUrl"],
        url.as_str()
    );
    assert_eq!(wire.sqs("ListQueues", json!({})).await.unwrap()["QueueUrls"], json!([url]));
    wire.sqs("DeleteQueue", json!({ "QueueUrl": url })).await.unwrap();
    assert_eq!(
        codes(wire.sqs("GetQueueUrl", json!({ "QueueName": "q" })).await),
        (400, "QueueDoesNotExist".into())
    );
    assert_eq!(
        codes(wire.sqs("ReceiveMessage", json!({ "QueueUrl": url })).await).1,
        "QueueDoesNotExist"
    );
    let anew = json!({ "QueueName": "q" });
    assert_eq!(codes(wire.sqs("CreateQueue", anew.clone()).await).1, "QueueDeletedRecently");
    double.clock().advance(Duration::from_secs(60));
    wire.sqs("CreateQueue", anew).await.unwrap();
}

#[tokio::test]
async fn bounds_hold_and_strangers_are_refused() {
    let (double, wire, url) = with_queue(json!({ "MaximumMessageSize": "1024" })).await;
    for (operation, input, code) in [
        ("SendMessage", json!({ "QueueUrl": url }), "MissingParameter"),
        (
            "SendMessage",
            json!({ "QueueUrl": url, "MessageBody": "x".repeat(1_025) }),
            "InvalidParameterValue",
        ),
        (
            "SendMessage",
            json!({ "QueueUrl": url, "MessageBody": "x", "DelaySeconds": 901 }),
            "InvalidParameterValue",
        ),
        (
            "ReceiveMessage",
            json!({ "QueueUrl": url, "MaxNumberOfMessages": 11 }),
            "InvalidParameterValue",
        ),
        (
            "ReceiveMessage",
            json!({ "QueueUrl": url, "WaitTimeSeconds": 21 }),
            "InvalidParameterValue",
        ),
        ("ReceiveMessage", json!({ "QueueUrl": "nonsense" }), "QueueDoesNotExist"),
    ] {
        assert_eq!(codes(wire.sqs(operation, input).await), (400, code.into()), "{operation}");
    }
    wire.sqs("SendMessage", json!({ "QueueUrl": url, "MessageBody": "x".repeat(1_024) }))
        .await
        .unwrap();
    let user = double.identities().user(double.account(), "nemo");
    double.grants().set(
        "arn:aws:iam::111122223333:user/nemo",
        Policy::new().allow(&["sqs:SendMessage"], &["*"]),
    );
    let nemo = Wire::of(&double, &user);
    send(&nemo, &url, "x").await;
    let refused = nemo.sqs("ReceiveMessage", json!({ "QueueUrl": url })).await;
    assert_eq!(codes(refused), (403, "AccessDenied".into()));
    let stranger = Wire::of(&double, &double.identities().user("999988887777", "far"));
    assert_eq!(
        codes(stranger.sqs("PurgeQueue", json!({ "QueueUrl": url })).await).1,
        "AccessDenied"
    );
}

//! What Secrets Manager does, found in a queue.

use std::time::Duration;

use aws_double::AwsDouble;
use serde_json::{Value, json};

use crate::client::{Client, token};
use crate::wire::Wire;

const CANARY: &str = "canary-value-of-a-secret";

struct Scene {
    double: AwsDouble,
    secrets: Client,
    wire: Wire,
    url: String,
}

async fn scene() -> Scene {
    let double = AwsDouble::start().await.unwrap();
    let url = double.queues().create("hints");
    double.events().deliver_to("hints");
    Scene { secrets: Client::new(&double), wire: Wire::new(&double), double, url }
}

impl Scene {
    /// The events that can be received now, taken out of the queue.
    async fn events(&self) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let input = json!({ "QueueUrl": self.url, "MaxNumberOfMessages": 10 });
            let answer = self.wire.sqs("ReceiveMessage", input).await.unwrap();
            let Some(messages) = answer["Messages"].as_array() else {
                return events;
            };
            for message in messages {
                let body = message["Body"].as_str().unwrap();
                assert!(!body.contains(CANARY), "{body}");
                events.push(serde_json::from_str(body).unwrap());
                let input =
                    json!({ "QueueUrl": self.url, "ReceiptHandle": message["ReceiptHandle"] });
                self.wire.sqs("DeleteMessage", input).await.unwrap();
            }
        }
    }

    async fn create(&self) -> String {
        let input =
            json!({ "Name": "app/db", "SecretString": CANARY, "ClientRequestToken": token(1) });
        self.secrets.ok("CreateSecret", input).await["ARN"].as_str().unwrap().to_owned()
    }
}

fn named<'a>(events: &'a [Value], name: &str) -> &'a Value {
    let hit = |event: &&Value| event["detail"]["eventName"] == name;
    events.iter().find(hit).unwrap_or_else(|| panic!("no {name} in {events:#?}"))
}

#[tokio::test]
async fn a_change_by_the_api_is_told_as_cloudtrail_tells_it() {
    let scene = scene().await;
    let arn = scene.create().await;
    let created = scene.events().await;
    named(&created, "CreateSecret");
    let put = json!({ "SecretId": "app/db", "SecretString": CANARY.repeat(2), "ClientRequestToken": token(2) });
    scene.secrets.ok("PutSecretValue", put).await;
    let events = scene.events().await;
    let event = named(&events, "PutSecretValue");
    for (pointer, value) in [
        ("/version", json!("0")),
        ("/detail-type", json!("AWS API Call via CloudTrail")),
        ("/source", json!("aws.secretsmanager")),
        ("/account", json!("111122223333")),
        ("/region", json!("us-east-1")),
        ("/resources", json!([])),
        ("/detail/eventSource", json!("secretsmanager.amazonaws.com")),
        ("/detail/eventType", json!("AwsApiCall")),
        ("/detail/readOnly", json!(false)),
        (
            "/detail/requestParameters",
            json!({ "secretId": "app/db", "clientRequestToken": token(2) }),
        ),
        ("/detail/responseElements", json!({ "arn": arn })),
        ("/detail/userIdentity/arn", json!("arn:aws:iam::111122223333:user/tester")),
    ] {
        assert_eq!(event.pointer(pointer), Some(&value), "{pointer}");
    }
    assert_eq!(event["time"], event["detail"]["eventTime"]);
    let call = scene.double.calls().of("PutSecretValue").pop().unwrap();
    assert_eq!(event["detail"]["requestID"], call.request_id.as_str());
    scene.double.clock().advance(Duration::from_secs(1));
    // Reading changes nothing, and a repeated token changes nothing either.
    scene.secrets.ok("GetSecretValue", json!({ "SecretId": "app/db" })).await;
    let again = json!({ "SecretId": "app/db", "SecretString": CANARY.repeat(2), "ClientRequestToken": token(2) });
    scene.secrets.ok("PutSecretValue", again).await;
    assert_eq!(scene.events().await, Vec::<Value>::new());
}

#[tokio::test]
async fn labels_that_move_are_told_for_themselves() {
    let scene = scene().await;
    let arn = scene.create().await;
    scene.events().await;
    let labels = |events: &[Value]| -> Vec<Value> {
        let own = |event: &&Value| event["detail-type"] == "Secret Label Updated";
        events.iter().filter(own).cloned().collect()
    };
    let pending = json!({ "SecretId": arn, "SecretString": CANARY, "ClientRequestToken": token(2), "VersionStages": ["AWSPENDING"] });
    scene.secrets.ok("PutSecretValue", pending).await;
    assert_eq!(labels(&scene.events().await), Vec::<Value>::new(), "not for AWSPENDING");
    let unpend = json!({ "SecretId": arn, "VersionStage": "AWSPENDING", "RemoveFromVersionId": token(2), "MoveToVersionId": token(1) });
    scene.secrets.ok("UpdateSecretVersionStage", unpend).await;
    assert_eq!(labels(&scene.events().await), Vec::<Value>::new(), "nor when it moves");
    let promote = json!({ "SecretId": arn, "VersionStage": "AWSCURRENT", "RemoveFromVersionId": token(1), "MoveToVersionId": token(2) });
    scene.secrets.ok("UpdateSecretVersionStage", promote).await;
    let events = scene.events().await;
    named(&events, "UpdateSecretVersionStage");
    let told = labels(&events);
    assert_eq!(told.len(), 1);
    assert_eq!(
        told[0]["detail"],
        json!({ "name": "app/db", "labelUpdated": "AWSCURRENT", "versionId": token(2) })
    );
    assert_eq!(told[0]["resources"], json!([arn]));
    assert_eq!(told[0]["source"], "aws.secretsmanager");
    let update = json!({ "SecretId": arn, "SecretString": CANARY.repeat(3), "ClientRequestToken": token(3) });
    scene.secrets.ok("UpdateSecret", update).await;
    assert_eq!(labels(&scene.events().await)[0]["detail"]["versionId"], token(3).as_str());
    scene
        .secrets
        .ok(
            "UpdateSecret",
            json!({ "SecretId": arn, "Description": "d", "ClientRequestToken": token(4) }),
        )
        .await;
    let events = scene.events().await;
    named(&events, "UpdateSecret");
    assert_eq!(labels(&events), Vec::<Value>::new());
}

#[tokio::test]
async fn a_rotation_and_a_deletion_are_told() {
    let scene = scene().await;
    let arn = scene.create().await;
    let rotate = json!({
        "SecretId": arn,
        "ClientRequestToken": token(2),
        "RotationLambdaARN": "arn:aws:lambda:us-east-1:111122223333:function:rotate",
        "RotationRules": { "AutomaticallyAfterDays": 30 },
    });
    scene.secrets.ok("RotateSecret", rotate).await;
    let put = json!({ "SecretId": arn, "SecretString": CANARY, "ClientRequestToken": token(2), "VersionStages": ["AWSPENDING"] });
    scene.secrets.ok("PutSecretValue", put).await;
    let promote = json!({ "SecretId": arn, "VersionStage": "AWSCURRENT", "RemoveFromVersionId": token(1), "MoveToVersionId": token(2) });
    scene.secrets.ok("UpdateSecretVersionStage", promote).await;
    let events = scene.events().await;
    named(&events, "RotateSecret");
    let done = named(&events, "RotationSucceeded");
    assert_eq!(done["detail-type"], "AWS Service Event via CloudTrail");
    assert_eq!(done["detail"]["eventType"], "AwsServiceEvent");
    assert_eq!(done["detail"]["additionalEventData"], json!({ "SecretId": arn }));
    assert_eq!(done["detail"]["requestParameters"], Value::Null);
    assert_eq!(done["detail"]["userIdentity"]["invokedBy"], "secretsmanager.amazonaws.com");
    scene.secrets.ok("DeleteSecret", json!({ "SecretId": arn })).await;
    scene.secrets.ok("RestoreSecret", json!({ "SecretId": arn })).await;
    let events = scene.events().await;
    named(&events, "DeleteSecret");
    named(&events, "RestoreSecret");
}

/// A rotation whose function the double plays is told like one whose function calls the API.
#[tokio::test]
async fn a_rotation_that_is_played_is_told_with_the_calls_of_its_function() {
    let scene = scene().await;
    let arn = scene.create().await;
    scene.events().await;
    let function = "arn:aws:lambda:us-east-1:111122223333:function:rotate";
    scene.double.rotations().complete_with(function, |_| CANARY.repeat(2));
    let rotate = json!({
        "SecretId": "app/db",
        "ClientRequestToken": token(2),
        "RotationLambdaARN": function,
        "RotationRules": { "AutomaticallyAfterDays": 30 },
    });
    scene.secrets.ok("RotateSecret", rotate).await;
    let events = scene.events().await;
    let names: Vec<_> = events
        .iter()
        .map(|event| event["detail"]["eventName"].as_str().unwrap_or("label"))
        .collect();
    let expected = [
        "RotateSecret",
        "RotationStarted",
        "PutSecretValue",
        "UpdateSecretVersionStage",
        "label",
        "RotationSucceeded",
    ];
    assert_eq!(names, expected);
    let put = named(&events, "PutSecretValue");
    let asked =
        json!({ "secretId": arn, "clientRequestToken": token(2), "versionStages": ["AWSPENDING"] });
    assert_eq!(put["detail"]["requestParameters"], asked);
    let role = "arn:aws:sts::111122223333:assumed-role/rotate/rotate";
    assert_eq!(put["detail"]["userIdentity"]["arn"], role);
    let call = scene.double.calls().of("RotateSecret").pop().unwrap();
    assert_ne!(put["detail"]["requestID"], call.request_id.as_str());
    let moved = named(&events, "UpdateSecretVersionStage");
    assert_eq!(moved["detail"]["requestParameters"]["removeFromVersionId"], token(1).as_str());
    assert_eq!(events[4]["detail"]["versionId"], token(2).as_str());
}

#[tokio::test]
async fn events_are_delayed_and_doubled_on_demand() {
    let scene = scene().await;
    scene.double.events().set_delay(Duration::from_secs(120));
    scene.double.events().set_duplicates(1);
    scene.create().await;
    assert_eq!(scene.events().await, Vec::<Value>::new());
    scene.double.clock().advance(Duration::from_secs(120));
    let events = scene.events().await;
    assert_eq!(events.len(), 2);
    assert_eq!(events[0], events[1], "the same event id");
}

//! What no client should send: whatever comes, the double answers, and goes on answering.

use std::time::Duration;

use aws_double::{AwsDouble, Consistency, Fault, FaultRule, Skew};
use serde_json::{Value, json};

use crate::{
    client::{Client, token},
    secrets_basics::{create, strong},
};

/// Operations of a service with an input that works, or nearly: all of it is made hostile in turn.
type Known = [(&'static str, Value)];

fn secrets() -> Vec<(&'static str, Value)> {
    let tags = json!([{ "Key": "k", "Value": "v" }]);
    let filters = json!([{ "Key": "name", "Values": ["x"] }]);
    vec![
        ("BatchGetSecretValue", json!({ "SecretIdList": ["x"], "NextToken": null })),
        ("BatchGetSecretValue", json!({ "Filters": filters, "MaxResults": 2, "NextToken": null })),
        (
            "CreateSecret",
            json!({ "Name": "y", "ClientRequestToken": token(7), "SecretString": "s", "SecretBinary": null, "Tags": tags,
                    "Description": "d", "KmsKeyId": null, "AddReplicaRegions": [{ "Region": "eu-west-1" }],
                    "ForceOverwriteReplicaSecret": true, "Type": "t" }),
        ),
        (
            "RotateSecret",
            json!({ "SecretId": "x", "ClientRequestToken": token(8), "RotationLambdaARN": "arn:f",
                    "RotationRules": { "AutomaticallyAfterDays": 3 }, "RotateImmediately": false }),
        ),
        (
            "RotateSecret",
            json!({ "SecretId": "x", "ClientRequestToken": token(9), "RotationLambdaARN": "arn:f",
                    "RotationRules": { "ScheduleExpression": "rate(3 days)", "Duration": "2h" }, "RotateImmediately": false }),
        ),
        (
            "RotateSecret",
            json!({ "SecretId": "z", "ClientRequestToken": token(9), "RotationLambdaARN": "arn:f", "RotateImmediately": true }),
        ),
        ("CancelRotateSecret", json!({ "SecretId": "x" })),
        ("DescribeSecret", json!({ "SecretId": "x" })),
        (
            "GetRandomPassword",
            json!({ "PasswordLength": 8, "ExcludeCharacters": "a", "RequireEachIncludedType": true }),
        ),
        ("GetResourcePolicy", json!({ "SecretId": "x" })),
        (
            "GetSecretValue",
            json!({ "SecretId": "x", "VersionId": null, "VersionStage": "AWSCURRENT" }),
        ),
        (
            "ListSecretVersionIds",
            json!({ "SecretId": "x", "MaxResults": 1, "NextToken": null, "IncludeDeprecated": true }),
        ),
        (
            "ListSecrets",
            json!({ "MaxResults": 1, "NextToken": null, "Filters": filters, "SortBy": "name", "SortOrder": "asc" }),
        ),
        (
            "PutResourcePolicy",
            json!({ "SecretId": "x", "ResourcePolicy": "{}", "BlockPublicPolicy": true }),
        ),
        (
            "PutSecretValue",
            json!({ "SecretId": "x", "SecretString": "s", "ClientRequestToken": token(10), "VersionStages": ["L"] }),
        ),
        (
            "RemoveRegionsFromReplication",
            json!({ "SecretId": "x", "RemoveReplicaRegions": ["eu-west-1"] }),
        ),
        (
            "ReplicateSecretToRegions",
            json!({ "SecretId": "x", "AddReplicaRegions": [{ "Region": "eu-west-2", "KmsKeyId": "k" }] }),
        ),
        ("StopReplicationToReplica", json!({ "SecretId": "x" })),
        ("TagResource", json!({ "SecretId": "x", "Tags": tags })),
        ("UntagResource", json!({ "SecretId": "x", "TagKeys": ["k"] })),
        (
            "UpdateSecret",
            json!({ "SecretId": "x", "ClientRequestToken": token(11), "Description": "d", "KmsKeyId": null }),
        ),
        (
            "UpdateSecretVersionStage",
            json!({ "SecretId": "x", "VersionStage": "L", "RemoveFromVersionId": token(1), "MoveToVersionId": token(1) }),
        ),
        ("ValidateResourcePolicy", json!({ "SecretId": "x", "ResourcePolicy": "{}" })),
        ("RestoreSecret", json!({ "SecretId": "x" })),
        (
            "DeleteSecret",
            json!({ "SecretId": "z", "RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": null }),
        ),
    ]
}

fn keys(key: &str) -> Vec<(&'static str, Value)> {
    let context = json!({ "a": "b" });
    let blob = "AQIDBA==";
    vec![
        (
            "CreateKey",
            json!({ "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC", "Policy": "{}", "Tags": [{ "TagKey": "k", "TagValue": "v" }] }),
        ),
        ("DescribeKey", json!({ "KeyId": key, "GrantTokens": [] })),
        ("ListKeys", json!({ "Limit": 1, "Marker": "after-1" })),
        (
            "PutKeyPolicy",
            json!({ "KeyId": key, "Policy": "{}", "BypassPolicyLockoutSafetyCheck": null }),
        ),
        ("TagResource", json!({ "KeyId": key, "Tags": [{ "TagKey": "k", "TagValue": "v" }] })),
        ("UntagResource", json!({ "KeyId": key, "TagKeys": ["k"] })),
        ("ListResourceTags", json!({ "KeyId": key, "Limit": 1, "Marker": null })),
        ("CreateAlias", json!({ "AliasName": "alias/a", "TargetKeyId": key })),
        ("UpdateAlias", json!({ "AliasName": "alias/a", "TargetKeyId": key })),
        ("ListAliases", json!({ "KeyId": key, "Limit": 1, "Marker": null })),
        ("EnableKeyRotation", json!({ "KeyId": key, "RotationPeriodInDays": 90 })),
        ("RotateKeyOnDemand", json!({ "KeyId": key })),
        ("ListKeyRotations", json!({ "KeyId": key, "Limit": 1, "Marker": null })),
        ("GetKeyRotationStatus", json!({ "KeyId": key })),
        (
            "CreateGrant",
            json!({ "KeyId": key, "GranteePrincipal": "arn:aws:iam::111122223333:user/u", "Operations": ["Decrypt"],
                    "Constraints": { "EncryptionContextSubset": context }, "Name": "n", "RetiringPrincipal": "111122223333" }),
        ),
        (
            "ListGrants",
            json!({ "KeyId": key, "GrantId": null, "GranteePrincipal": null, "Limit": 1, "Marker": null }),
        ),
        ("ListRetirableGrants", json!({ "RetiringPrincipal": "111122223333", "Limit": 1 })),
        ("RevokeGrant", json!({ "KeyId": key, "GrantId": "g" })),
        ("RetireGrant", json!({ "KeyId": key, "GrantId": "g", "GrantToken": null })),
        (
            "Encrypt",
            json!({ "KeyId": key, "Plaintext": blob, "EncryptionContext": context, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT" }),
        ),
        ("Decrypt", json!({ "CiphertextBlob": blob, "KeyId": key, "EncryptionContext": context })),
        (
            "ReEncrypt",
            json!({ "CiphertextBlob": blob, "SourceKeyId": key, "DestinationKeyId": key, "SourceEncryptionContext": context }),
        ),
        (
            "GenerateDataKey",
            json!({ "KeyId": key, "KeySpec": null, "NumberOfBytes": 16, "EncryptionContext": context }),
        ),
        ("GenerateRandom", json!({ "NumberOfBytes": 16 })),
        (
            "Sign",
            json!({ "KeyId": key, "Message": blob, "SigningAlgorithm": "ECDSA_SHA_256", "MessageType": "DIGEST" }),
        ),
        (
            "Verify",
            json!({ "KeyId": key, "Message": blob, "Signature": blob, "SigningAlgorithm": "ECDSA_SHA_256" }),
        ),
        ("GenerateMac", json!({ "KeyId": key, "Message": blob, "MacAlgorithm": "HMAC_SHA_256" })),
        (
            "VerifyMac",
            json!({ "KeyId": key, "Message": blob, "Mac": blob, "MacAlgorithm": "HMAC_SHA_256" }),
        ),
        ("ScheduleKeyDeletion", json!({ "KeyId": "absent", "PendingWindowInDays": 7 })),
    ]
}

fn queues(url: &str) -> Vec<(&'static str, Value)> {
    let attributes = json!({ "VisibilityTimeout": "1", "RedrivePolicy": "{\"deadLetterTargetArn\":\"a\",\"maxReceiveCount\":1}" });
    vec![
        ("CreateQueue", json!({ "QueueName": "q2", "Attributes": attributes })),
        ("SetQueueAttributes", json!({ "QueueUrl": url, "Attributes": attributes })),
        ("GetQueueAttributes", json!({ "QueueUrl": url, "AttributeNames": ["All"] })),
        ("GetQueueUrl", json!({ "QueueName": "q", "QueueOwnerAWSAccountId": "111122223333" })),
        ("ListQueues", json!({ "QueueNamePrefix": "q" })),
        (
            "SendMessage",
            json!({ "QueueUrl": url, "MessageBody": "b", "DelaySeconds": 1,
                    "MessageAttributes": { "a": { "DataType": "String", "StringValue": "v" } } }),
        ),
        (
            "SendMessageBatch",
            json!({ "QueueUrl": url, "Entries": [{ "Id": "1", "MessageBody": "b", "DelaySeconds": 1 }] }),
        ),
        (
            "ReceiveMessage",
            json!({ "QueueUrl": url, "MaxNumberOfMessages": 1, "WaitTimeSeconds": 0, "VisibilityTimeout": 0,
                    "MessageAttributeNames": ["All"], "AttributeNames": ["All"] }),
        ),
        (
            "ChangeMessageVisibility",
            json!({ "QueueUrl": url, "ReceiptHandle": "r", "VisibilityTimeout": 1 }),
        ),
        ("DeleteMessage", json!({ "QueueUrl": url, "ReceiptHandle": "r" })),
        (
            "DeleteMessageBatch",
            json!({ "QueueUrl": url, "Entries": [{ "Id": "1", "ReceiptHandle": "r" }] }),
        ),
    ]
}

/// What a member of an input is replaced by.
fn hostile() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(1.5),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e308),
        json!(""),
        json!("\u{0}\n💥é"),
        json!("ééééééééééééééééé-é"),
        json!("arn:aws:secretsmanager:us-east-1:111122223333:secret:-ééé"),
        json!("arn:aws:kms:::"),
        json!("a".repeat(5_000)),
        json!("*".repeat(3_000)),
        json!("18446744073709551616"),
        json!([]),
        json!([null, 1, "", {}, []]),
        json!(vec!["x"; 200]),
        json!({}),
        json!({ "": "", "é": null }),
    ]
}

/// The input with every member in turn, nested ones too, replaced by every hostile value.
fn variants(input: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    // Rotated at once, the secret would refuse every other rotation.
    let paths =
        paths(input, "").into_iter().filter(|path| input.pointer(path) != Some(&json!(false)));
    for path in paths {
        for value in hostile() {
            let mut changed = input.clone();
            if let Some(member) = changed.pointer_mut(&path) {
                *member = value;
            }
            all.push(changed);
        }
    }
    all
}

fn paths(value: &Value, at: &str) -> Vec<String> {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(all) => all.iter().map(|(name, own)| (format!("{at}/{name}"), own)).collect(),
        Value::Array(all) => {
            all.iter().enumerate().map(|(n, own)| (format!("{at}/{n}"), own)).collect()
        }
        _ => Vec::new(),
    };
    members
        .into_iter()
        .flat_map(|(path, own)| [vec![path.clone()], paths(own, &path)].concat())
        .collect()
}

/// Sends all variants. Every one of them is answered, with success or with a refusal, never by the double's failure; and so is
/// what asks for the state that it left.
async fn all_are_answered(client: &Client, known: &Known, after: (&str, Value)) {
    let mut sent = 0;
    for (operation, input) in known {
        for input in variants(input) {
            answered(client, operation, &input).await;
            answered(client, after.0, &after.1).await;
            sent += 1;
        }
    }
    assert!(sent > 900, "{sent}");
    client.ok(after.0, after.1).await;
}

async fn answered(client: &Client, operation: &str, input: &Value) {
    let answer = client.send(operation, input).await;
    let shown = || input.to_string().chars().take(400).collect::<String>();
    let answer = answer.unwrap_or_else(|e| panic!("{operation} {}: {e:?}", shown()));
    assert!(matches!(answer.status, 200 | 400 | 403), "{operation} {}: {answer:?}", shown());
    assert!(answer.json().is_object(), "{operation} {}: {answer:?}", shown());
}

#[tokio::test]
async fn secrets_manager_answers_everything() {
    let (_double, client) = strong().await;
    create(&client, "x").await;
    create(&client, "z").await;
    all_are_answered(&client, &secrets(), ("DescribeSecret", json!({ "SecretId": "x" }))).await;
    client.ok("ListSecrets", json!({ "IncludePlannedDeletion": true })).await;
}

#[tokio::test]
async fn kms_answers_everything() {
    let (double, _) = strong().await;
    let client = Client::of_kms(&double);
    let made = client.ok("CreateKey", json!({})).await;
    let key = made["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
    let after = ("GetKeyRotationStatus", json!({ "KeyId": key }));
    all_are_answered(&client, &keys(&key), after).await;
}

#[tokio::test]
async fn sqs_answers_everything() {
    let (double, client) = strong().await;
    let url = double.queues().create("q");
    let (scope, prefix) = ("sqs".to_owned(), "AmazonSQS".to_owned());
    let client = Client { scope, prefix, ..client };
    let after = ("ReceiveMessage", json!({ "QueueUrl": url, "VisibilityTimeout": 0 }));
    all_are_answered(&client, &queues(&url), after).await;
}

/// A thousand members below each other would take the stack of a worker, and with it the process that runs the tests.
#[tokio::test]
async fn forms_and_documents_have_a_depth() {
    let (double, client) = strong().await;
    let deep = format!("Action=AssumeRole&Version=2011-06-15&{}=x", "A.".repeat(500_000));
    let form = client.http.post(double.url()).body(deep);
    let form =
        form.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    assert_eq!(form.status().as_u16(), 403, "it is not signed");
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let body = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        let answer = client.send_signed("ListSecrets", body, true).await.unwrap();
        assert_eq!(answer.code(), "SerializationException");
        let policy = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        let input = json!({ "SecretId": "x", "ResourcePolicy": policy });
        assert_ne!(client.send("ValidateResourcePolicy", &input).await.unwrap().status, 200);
    }
    client.ok("ListSecrets", json!({})).await;
}

#[tokio::test]
async fn what_is_too_large_is_told_so_and_the_record_stays_small() {
    let (double, client) = strong().await;
    let name = "n".repeat(3 << 20);
    let refused = client.refused("DescribeSecret", json!({ "SecretId": name })).await;
    assert_eq!(refused, "ValidationException");
    assert_eq!(double.calls().all()[0].subject.as_ref().map(String::len), Some(2_048));
    let input = json!({ "SecretId": "n".repeat(5 << 20) });
    let answer = client.send("DescribeSecret", &input).await.unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (413, "RequestEntityTooLargeException"));
}

/// Tests say "never" by the longest time there is.
#[tokio::test]
async fn the_longest_times_are_no_failure() {
    const NEVER: Duration = Duration::MAX;
    let never = Consistency { reads: NEVER, lists: NEVER };
    let builder =
        AwsDouble::builder().consistency(never).deletion_takes(NEVER).replication_takes(NEVER);
    let double = builder.start().await.unwrap();
    let client = Client::new(&double);
    create(&client, "x").await;
    assert_eq!(
        client.refused("GetSecretValue", json!({ "SecretId": "x" })).await,
        "ResourceNotFoundException"
    );
    let copies = json!({ "SecretId": "x", "AddReplicaRegions": [{ "Region": "eu-west-1" }] });
    client.ok("ReplicateSecretToRegions", copies).await;
    create(&client, "y").await;
    client.ok("DeleteSecret", json!({ "SecretId": "y", "ForceDeleteWithoutRecovery": true })).await;
    double.faults().add(FaultRule::new(Fault::Stale(NEVER)));
    assert_eq!(client.ok("ListSecrets", json!({})).await["SecretList"], json!([]));

    let keys = Client::of_kms(&double);
    double.kms().set_grants_spread(NEVER);
    double.kms().set_rotation_takes(NEVER);
    let key = keys.ok("CreateKey", json!({})).await["KeyMetadata"]["KeyId"].clone();
    let grant = json!({ "KeyId": key, "GranteePrincipal": "arn:aws:iam::111122223333:user/u", "Operations": ["Decrypt"] });
    keys.ok("CreateGrant", grant).await;
    keys.ok("EnableKeyRotation", json!({ "KeyId": key })).await;
    keys.ok("RotateKeyOnDemand", json!({ "KeyId": key })).await;
    double.events().deliver_to("q");
    double.events().set_delay(NEVER);
    double.queues().create("q");
    create(&client, "z").await;
    let role = double.roles().add(double.account(), aws_double::Role::new("r"));
    double.container().set_role(&role, NEVER);
    let handed = client.http.get(double.container_url()).send().await.unwrap();
    assert_eq!(handed.status(), 200);

    double.clock().advance(NEVER);
    double.clock().advance(NEVER);
    keys.ok("GetKeyRotationStatus", json!({ "KeyId": key })).await;
    client.ok("ListSecrets", json!({})).await;
    for skew in [Skew::Ahead(NEVER), Skew::Behind(NEVER)] {
        double.clock().set_skew(skew);
        assert_eq!(client.refused("ListSecrets", json!({})).await, "InvalidSignatureException");
    }
}

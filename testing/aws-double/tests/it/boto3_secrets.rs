//! AWS's own client for Python on the double: every operation of Secrets Manager, as it reads and writes them.

use std::time::Duration;

use aws_double::{AwsDouble, Fault, FaultRule, Skew};
use peers::{Boto3, Credentials};
use serde_json::{Value, json};

fn boto3(double: &AwsDouble, region: &str) -> Boto3 {
    let keys = double.credentials();
    let keys = Credentials::new(keys.access_key(), keys.secret_key());
    Boto3::start(double.url(), region, &keys).unwrap()
}

async fn ok(client: &Boto3, operation: &str, input: Value) -> Value {
    client.call("secretsmanager", operation, input).await.unwrap()
}

async fn code(client: &Boto3, operation: &str, input: Value) -> String {
    client.call("secretsmanager", operation, input).await.unwrap_err().code
}

#[tokio::test]
async fn every_operation() {
    const FUNCTION: &str = "arn:aws:lambda:eu-west-1:111122223333:function:rotate";
    let double = AwsDouble::builder().strong().start().await.unwrap();
    let client = boto3(&double, "eu-west-1");
    let id = json!({ "SecretId": "app/db" });
    let input = json!({
        "Name": "app/db", "SecretString": "one", "Description": "d", "Tags": [{ "Key": "k", "Value": "v" }],
    });
    let made = ok(&client, "CreateSecret", input.clone()).await;
    assert!(
        made["ARN"].as_str().unwrap().starts_with("arn:aws:secretsmanager:eu-west-1:111122223333:")
    );
    assert_eq!(code(&client, "CreateSecret", input).await, "ResourceExistsException");
    let first = made["VersionId"].clone();
    let put = json!({ "SecretId": "app/db", "SecretBinary": Boto3::bytes(b"\x00\xff") });
    let second = ok(&client, "PutSecretValue", put).await["VersionId"].clone();
    let read = ok(&client, "GetSecretValue", id.clone()).await;
    assert_eq!(Boto3::to_bytes(&read["SecretBinary"]).unwrap(), b"\x00\xff");
    let previous = json!({ "SecretId": "app/db", "VersionStage": "AWSPREVIOUS" });
    assert_eq!(ok(&client, "GetSecretValue", previous).await["SecretString"], "one");
    let back = json!({
        "SecretId": "app/db", "VersionStage": "AWSCURRENT", "RemoveFromVersionId": second, "MoveToVersionId": first,
    });
    ok(&client, "UpdateSecretVersionStage", back).await;
    assert_eq!(ok(&client, "GetSecretValue", id.clone()).await["SecretString"], "one");
    let update = json!({ "SecretId": "app/db", "SecretString": "three" });
    ok(&client, "UpdateSecret", update).await;
    let batch =
        ok(&client, "BatchGetSecretValue", json!({ "SecretIdList": ["app/db", "none"] })).await;
    assert_eq!(batch["SecretValues"][0]["SecretString"], "three");
    assert_eq!(batch["Errors"][0]["ErrorCode"], "ResourceNotFoundException");
    ok(
        &client,
        "TagResource",
        json!({ "SecretId": "app/db", "Tags": [{ "Key": "x", "Value": "" }] }),
    )
    .await;
    ok(&client, "UntagResource", json!({ "SecretId": "app/db", "TagKeys": ["k"] })).await;
    let told = ok(&client, "DescribeSecret", id.clone()).await;
    assert_eq!(told["Tags"], json!([{ "Key": "x", "Value": "" }]));
    let filter = json!({ "Filters": [{ "Key": "name", "Values": ["app"] }], "SortOrder": "desc" });
    assert_eq!(ok(&client, "ListSecrets", filter).await["SecretList"][0]["Name"], "app/db");
    let all = json!({ "SecretId": "app/db", "IncludeDeprecated": true });
    let versions = ok(&client, "ListSecretVersionIds", all).await;
    assert_eq!(versions["Versions"].as_array().unwrap().len(), 3);
    let password = ok(&client, "GetRandomPassword", json!({ "PasswordLength": 20 })).await;
    assert_eq!(password["RandomPassword"].as_str().unwrap().len(), 20);

    double.rotations().complete_with(FUNCTION, |_| "rotated".to_owned());
    let rotate = json!({ "SecretId": "app/db", "RotationLambdaARN": FUNCTION });
    ok(&client, "RotateSecret", rotate).await;
    assert_eq!(ok(&client, "GetSecretValue", id.clone()).await["SecretString"], "rotated");
    ok(&client, "CancelRotateSecret", id.clone()).await;

    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::999988887777:root" },
        "Action": "secretsmanager:GetSecretValue", "Resource": "*",
    }] })
    .to_string();
    let with_policy = json!({ "SecretId": "app/db", "ResourcePolicy": policy });
    let passed = ok(&client, "ValidateResourcePolicy", with_policy.clone()).await;
    assert_eq!(passed["PolicyValidationPassed"], true);
    ok(&client, "PutResourcePolicy", with_policy).await;
    assert_eq!(ok(&client, "GetResourcePolicy", id.clone()).await["ResourcePolicy"], policy);
    ok(&client, "DeleteResourcePolicy", id.clone()).await;

    let regions = json!({ "SecretId": "app/db", "AddReplicaRegions": [{ "Region": "eu-central-1" }, { "Region": "us-east-1" }] });
    let answer = ok(&client, "ReplicateSecretToRegions", regions).await;
    assert_eq!(answer["ReplicationStatus"].as_array().unwrap().len(), 2);
    double.clock().advance(Duration::from_secs(2));
    let abroad = boto3(&double, "us-east-1");
    assert_eq!(ok(&abroad, "GetSecretValue", id.clone()).await["SecretString"], "rotated");
    ok(&abroad, "StopReplicationToReplica", id.clone()).await;
    let remove = json!({ "SecretId": "app/db", "RemoveReplicaRegions": ["eu-central-1"] });
    ok(&client, "RemoveRegionsFromReplication", remove).await;
    ok(&client, "DeleteSecret", json!({ "SecretId": "app/db", "RecoveryWindowInDays": 7 })).await;
    assert_eq!(code(&client, "GetSecretValue", id.clone()).await, "InvalidRequestException");
    ok(&client, "RestoreSecret", id.clone()).await;
    ok(&client, "GetSecretValue", id).await;
    let calls = double.calls().all();
    let operations: std::collections::BTreeSet<&str> =
        calls.iter().map(|c| c.operation.as_str()).collect();
    assert_eq!(operations.len(), 23, "every operation of the API: {operations:?}");
}

#[tokio::test]
async fn refusals_and_faults_as_boto3_reads_them() {
    let double = AwsDouble::builder().strong().start().await.unwrap();
    let client = boto3(&double, "us-east-1");
    let id = json!({ "SecretId": "x" });
    let refused = client.call("secretsmanager", "GetSecretValue", id.clone()).await.unwrap_err();
    assert_eq!((refused.code.as_str(), refused.status), ("ResourceNotFoundException", Some(400)));
    assert_eq!(refused.message, "Secrets Manager can't find the specified secret.");
    assert_eq!(refused.request_id.as_deref(), Some(double.calls().all()[0].request_id.as_str()));
    for (fault, expected) in [
        (Fault::Throttle, "ThrottlingException"),
        (Fault::Internal, "InternalServiceError"),
        (Fault::Reset, "ConnectionClosedError"),
    ] {
        double.faults().add(FaultRule::new(fault).times(1));
        let refused =
            client.call("secretsmanager", "GetSecretValue", id.clone()).await.unwrap_err();
        assert_eq!(refused.code, expected, "{}", refused.message);
    }
    double.clock().set_skew(Skew::Behind(Duration::from_secs(3_600)));
    let refused = client.call("secretsmanager", "GetSecretValue", id.clone()).await.unwrap_err();
    assert_eq!(refused.code, "InvalidSignatureException");
    assert!(refused.message.starts_with("Signature not yet current: "), "{}", refused.message);
    double.clock().set_skew(Skew::None);
    let wrong = Credentials::new(double.credentials().access_key(), "wrong");
    let wrong = Boto3::start(double.url(), "us-east-1", &wrong).unwrap();
    assert_eq!(code(&wrong, "GetSecretValue", id).await, "InvalidSignatureException");
}

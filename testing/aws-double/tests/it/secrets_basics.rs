//! Creating, reading and writing secrets.

use std::time::Duration;

use aws_double::AwsDouble;
use serde_json::{Value, json};

use crate::client::{Client, token};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// Reads see writes at once. What takes its time takes a minute of the double's clock, so that no slow machine sees it done.
pub(crate) async fn strong() -> (AwsDouble, Client) {
    let builder = AwsDouble::builder().strong().replication_takes(MINUTE).deletion_takes(MINUTE);
    let double = builder.start().await.unwrap();
    let client = Client::new(&double);
    (double, client)
}

/// Creates a secret; its first version has token 1.
pub(crate) async fn create(client: &Client, name: &str) -> Value {
    let input = json!({ "Name": name, "SecretString": "one", "ClientRequestToken": token(1) });
    client.ok("CreateSecret", input).await
}

pub(crate) async fn put(client: &Client, name: &str, n: u32, stages: Option<&[&str]>) -> Value {
    let mut input = json!({
        "SecretId": name, "SecretString": format!("value {n}"), "ClientRequestToken": token(n),
    });
    if let Some(stages) = stages {
        input["VersionStages"] = json!(stages);
    }
    client.ok("PutSecretValue", input).await
}

#[tokio::test]
async fn what_is_created_is_read() {
    let (_double, client) = strong().await;
    let made = create(&client, "app/db").await;
    assert_eq!(made["VersionId"], token(1));
    let arn = made["ARN"].as_str().unwrap();
    assert!(
        arn.starts_with("arn:aws:secretsmanager:us-east-1:111122223333:secret:app/db-"),
        "{arn}"
    );
    assert_eq!(arn.len(), "arn:aws:secretsmanager:us-east-1:111122223333:secret:app/db-".len() + 6);
    let read = client.ok("GetSecretValue", json!({ "SecretId": "app/db" })).await;
    assert_eq!(read["SecretString"], "one");
    assert_eq!(read["VersionStages"], json!(["AWSCURRENT"]));
    assert_eq!(read["ARN"], arn);
    assert!(read["CreatedDate"].is_f64() && read.get("SecretBinary").is_none());
    let binary =
        json!({ "Name": "bin", "SecretBinary": "AAECAw==", "ClientRequestToken": token(1) });
    client.ok("CreateSecret", binary).await;
    let read = client.ok("GetSecretValue", json!({ "SecretId": "bin" })).await;
    assert_eq!(read["SecretBinary"], "AAECAw==");
    assert!(read.get("SecretString").is_none());
}

#[tokio::test]
async fn a_secret_without_a_value_has_no_version() {
    let (_double, client) = strong().await;
    let made =
        client.ok("CreateSecret", json!({ "Name": "empty", "ClientRequestToken": token(1) })).await;
    assert!(made.get("VersionId").is_none());
    let told = client.ok("DescribeSecret", json!({ "SecretId": "empty" })).await;
    assert!(told.get("VersionIdsToStages").is_none() && told.get("Tags").is_none(), "{told}");
    let get = json!({ "SecretId": "empty" });
    assert_eq!(client.refused("GetSecretValue", get).await, "ResourceNotFoundException");
    // The first version is current, whatever labels it is put with.
    let put = put(&client, "empty", 2, Some(&["AWSPENDING"])).await;
    let mut stages: Vec<&str> =
        put["VersionStages"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    stages.sort_unstable();
    assert_eq!(stages, ["AWSCURRENT", "AWSPENDING"]);
}

#[tokio::test]
async fn creating_twice() {
    let (_double, client) = strong().await;
    let first = create(&client, "x").await;
    assert_eq!(create(&client, "x").await, first, "the same token and value do nothing");
    for (value, n) in [("other", 1), ("one", 2)] {
        let again = json!({ "Name": "x", "SecretString": value, "ClientRequestToken": token(n) });
        assert_eq!(client.refused("CreateSecret", again).await, "ResourceExistsException");
    }
    // Names are of an account and a region.
    let abroad = Client::new(&_double).in_region("eu-west-1");
    assert!(create(&abroad, "x").await["ARN"].as_str().unwrap().contains(":eu-west-1:"));
}

#[tokio::test]
async fn a_token_is_used_once() {
    let (_double, client) = strong().await;
    create(&client, "x").await;
    put(&client, "x", 2, None).await;
    put(&client, "x", 3, None).await;
    let again = put(&client, "x", 2, None).await;
    assert_eq!(again["VersionStages"], json!(["AWSPREVIOUS"]), "the same again does nothing");
    let other = json!({ "SecretId": "x", "SecretString": "other", "ClientRequestToken": token(2) });
    assert_eq!(client.refused("PutSecretValue", other).await, "ResourceExistsException");
    // A pending version is no exception.
    put(&client, "x", 4, Some(&["AWSPENDING"])).await;
    let other = json!({
        "SecretId": "x", "SecretString": "other", "ClientRequestToken": token(4), "VersionStages": ["AWSPENDING"],
    });
    assert_eq!(client.refused("PutSecretValue", other).await, "ResourceExistsException");
    // Updating never repeats, not even the same.
    let update =
        json!({ "SecretId": "x", "SecretString": "value 3", "ClientRequestToken": token(3) });
    assert_eq!(client.refused("UpdateSecret", update).await, "ResourceExistsException");
    let without = json!({ "SecretId": "x", "SecretString": "v" });
    assert_eq!(client.refused("PutSecretValue", without).await, "InvalidRequestException");
    let short = json!({ "SecretId": "x", "SecretString": "v", "ClientRequestToken": "short" });
    assert_eq!(client.refused("PutSecretValue", short).await, "InvalidParameterException");
}

#[tokio::test]
async fn bad_input() {
    let (_double, client) = strong().await;
    create(&client, "x").await;
    for name in ["", "a b", "ü", "a:b", &"n".repeat(513)] {
        let input = json!({ "Name": name, "SecretString": "v", "ClientRequestToken": token(1) });
        assert_eq!(client.refused("CreateSecret", input).await, "ValidationException", "{name}");
    }
    let both = json!({
        "SecretId": "x", "SecretString": "v", "SecretBinary": "AAEC", "ClientRequestToken": token(2),
    });
    assert_eq!(client.refused("PutSecretValue", both).await, "InvalidParameterException");
    let of_size = |n: usize| json!({ "SecretId": "x", "SecretString": "v".repeat(n), "ClientRequestToken": token(9) });
    assert_eq!(client.refused("PutSecretValue", of_size(65_537)).await, "ValidationException");
    client.ok("PutSecretValue", of_size(65_536)).await;
    let absent = json!({ "SecretId": "absent" });
    for operation in
        ["GetSecretValue", "DescribeSecret", "RestoreSecret", "DeleteSecret", "GetResourcePolicy"]
    {
        assert_eq!(client.refused(operation, absent.clone()).await, "ResourceNotFoundException");
    }
}

#[tokio::test]
async fn ids_of_secrets() {
    let (_double, client) = strong().await;
    let made = create(&client, "app/db").await;
    let arn = made["ARN"].as_str().unwrap().to_owned();
    let partial = arn.get(..arn.len() - 7).unwrap().to_owned();
    for id in [&arn, &partial] {
        let read = client.ok("GetSecretValue", json!({ "SecretId": id })).await;
        assert_eq!(read["SecretString"], "one", "{id}");
    }
    // What ends in a hyphen and six characters is taken for a complete ARN: the trap of such names.
    let trap = create(&client, "trap-abcdef").await;
    let arn = trap["ARN"].as_str().unwrap();
    let partial = arn.get(..arn.len() - 7).unwrap();
    client.ok("GetSecretValue", json!({ "SecretId": arn })).await;
    client.ok("GetSecretValue", json!({ "SecretId": "trap-abcdef" })).await;
    let get = json!({ "SecretId": partial });
    assert_eq!(client.refused("GetSecretValue", get).await, "ResourceNotFoundException");
    let wrong_suffix = format!("{partial}-ZZZZZZ");
    let get = json!({ "SecretId": wrong_suffix });
    assert_eq!(client.refused("GetSecretValue", get).await, "ResourceNotFoundException");
    // The partition is the region's: no other one will do, not even where the six characters are left out.
    for (region, partition) in
        [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
    {
        let there = client.clone().in_region(region);
        let made = create(&there, "parted").await;
        let arn = made["ARN"].as_str().unwrap();
        let begins = format!("arn:{partition}:secretsmanager:{region}:111122223333:secret:parted-");
        assert!(arn.starts_with(&begins), "{arn}");
        let partial = begins.trim_end_matches('-');
        there.ok("GetSecretValue", json!({ "SecretId": partial })).await;
        let wrong =
            json!({ "SecretId": partial.replace(&format!("arn:{partition}:"), "arn:aws-iso:") });
        assert_eq!(there.refused("GetSecretValue", wrong).await, "ResourceNotFoundException");
    }
    // An ARN of another region is not found here.
    let get = json!({ "SecretId": arn.replace("us-east-1", "eu-west-1") });
    assert_eq!(client.refused("GetSecretValue", get).await, "ResourceNotFoundException");
}

#[tokio::test]
async fn updating_and_describing() {
    let (double, client) = strong().await;
    create(&client, "x").await;
    let kms = Client::of_kms(&double);
    let key = kms.ok("CreateKey", json!({})).await["KeyMetadata"]["KeyId"].clone();
    kms.ok("CreateAlias", json!({ "AliasName": "alias/mine", "TargetKeyId": key })).await;
    let update = json!({
        "SecretId": "x", "Description": "new", "KmsKeyId": "alias/mine", "ClientRequestToken": token(2),
    });
    assert!(client.ok("UpdateSecret", update).await.get("VersionId").is_none());
    let update = json!({ "SecretId": "x", "SecretString": "two", "ClientRequestToken": token(3) });
    assert_eq!(client.ok("UpdateSecret", update).await["VersionId"], token(3));
    let tags = json!([{ "Key": "team", "Value": "a" }, { "Key": "env", "Value": "p" }]);
    client.ok("TagResource", json!({ "SecretId": "x", "Tags": tags })).await;
    let tag = json!([{ "Key": "team", "Value": "b" }]);
    client.ok("TagResource", json!({ "SecretId": "x", "Tags": tag })).await;
    client.ok("UntagResource", json!({ "SecretId": "x", "TagKeys": ["env"] })).await;
    let told = client.ok("DescribeSecret", json!({ "SecretId": "x" })).await;
    assert_eq!(told["Description"], "new");
    assert_eq!(told["KmsKeyId"], "alias/mine");
    assert_eq!(told["Tags"], json!([{ "Key": "team", "Value": "b" }]));
    assert_eq!(told["VersionIdsToStages"][token(3)], json!(["AWSCURRENT"]));
    assert_eq!(told["VersionIdsToStages"][token(1)], json!(["AWSPREVIOUS"]));
    client.ok("UntagResource", json!({ "SecretId": "x", "TagKeys": ["team"] })).await;
    let untagged = client.ok("DescribeSecret", json!({ "SecretId": "x" })).await;
    assert_eq!(untagged["Tags"], json!([]), "where there were tags there is a list");
    assert!(told.get("RotationEnabled").is_none() && told.get("DeletedDate").is_none());
    assert!(told.get("LastAccessedDate").is_none(), "nobody has read it");
    client.ok("GetSecretValue", json!({ "SecretId": "x" })).await;
    let told = client.ok("DescribeSecret", json!({ "SecretId": "x" })).await;
    let day = told["LastAccessedDate"].as_f64().unwrap();
    assert_eq!(day % 86_400.0, 0.0, "by the day");
    let reserved = json!([{ "Key": "aws:x", "Value": "b" }]);
    let tag = json!({ "SecretId": "x", "Tags": reserved });
    assert_eq!(client.refused("TagResource", tag).await, "InvalidParameterException");
}

#[tokio::test]
async fn passwords() {
    let (_double, client) = strong().await;
    let made = client.ok("GetRandomPassword", json!({})).await;
    assert_eq!(made["RandomPassword"].as_str().unwrap().len(), 32);
    let input = json!({
        "PasswordLength": 200, "ExcludePunctuation": true, "ExcludeCharacters": "aA0", "IncludeSpace": true,
    });
    let made = client.ok("GetRandomPassword", input).await;
    let password = made["RandomPassword"].as_str().unwrap();
    assert!(password.contains(' ') && !password.contains(['a', 'A', '0', '!']), "{password}");
    let none = json!({
        "ExcludePunctuation": true, "ExcludeNumbers": true, "ExcludeUppercase": true, "ExcludeLowercase": true,
    });
    assert_eq!(client.refused("GetRandomPassword", none).await, "InvalidParameterException");
    let long = json!({ "PasswordLength": 4097 });
    assert_eq!(client.refused("GetRandomPassword", long).await, "ValidationException");
}

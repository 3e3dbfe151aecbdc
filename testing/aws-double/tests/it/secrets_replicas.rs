//! Copies in other regions.

use serde_json::{Value, json};

use crate::{
    client::{Client, token},
    secrets_basics::{MINUTE, create, put, strong},
};

fn status(answer: &Value) -> Vec<(&str, &str)> {
    let list = answer["ReplicationStatus"].as_array().unwrap();
    list.iter().map(|r| (r["Region"].as_str().unwrap(), r["Status"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_replica_follows_its_primary() {
    let (double, client) = strong().await;
    let abroad = Client::new(&double).in_region("eu-west-1");
    let arn = create(&client, "x").await["ARN"].as_str().unwrap().to_owned();
    let id = json!({ "SecretId": "x" });
    let regions = json!({ "SecretId": "x", "AddReplicaRegions": [{ "Region": "eu-west-1" }] });
    let answer = client.ok("ReplicateSecretToRegions", regions.clone()).await;
    assert_eq!(status(&answer), [("eu-west-1", "InProgress")]);
    assert_eq!(abroad.refused("GetSecretValue", id.clone()).await, "ResourceNotFoundException");
    double.clock().advance(MINUTE);
    assert_eq!(status(&client.ok("DescribeSecret", id.clone()).await), [("eu-west-1", "InSync")]);
    let read = abroad.ok("GetSecretValue", id.clone()).await;
    assert_eq!(read["ARN"], arn.replace("us-east-1", "eu-west-1"));
    put(&client, "x", 2, None).await;
    assert_eq!(abroad.ok("GetSecretValue", id.clone()).await["SecretString"], "one", "on its way");
    double.clock().advance(MINUTE);
    assert_eq!(abroad.ok("GetSecretValue", id.clone()).await["SecretString"], "value 2");
    let told = abroad.ok("DescribeSecret", id.clone()).await;
    assert_eq!(told["PrimaryRegion"], "us-east-1");
    let write = json!({ "SecretId": "x", "SecretString": "v", "ClientRequestToken": token(3) });
    let tags = json!({ "SecretId": "x", "Tags": [{ "Key": "a", "Value": "b" }] });
    for (operation, input) in
        [("PutSecretValue", write), ("TagResource", tags), ("DeleteSecret", id.clone())]
    {
        let refused = abroad.send(operation, &input).await.unwrap();
        assert_eq!(refused.code(), "InvalidParameterException", "{operation}");
        assert!(refused.message().starts_with("Operation not permitted on a replica secret."));
    }
    let refused = client.send("DeleteSecret", &id).await.unwrap();
    assert_eq!(refused.code(), "InvalidParameterException");
    let text = format!("You can't delete secret {arn} that still has replica regions [eu-west-1].");
    assert_eq!(refused.message(), text);
    let filter = json!({ "Filters": [{ "Key": "primary-region", "Values": ["us-east-1"] }] });
    assert_eq!(abroad.ok("ListSecrets", filter).await["SecretList"].as_array().unwrap().len(), 1);
    let remove = json!({ "SecretId": "x", "RemoveReplicaRegions": ["eu-west-1"] });
    assert!(status(&client.ok("RemoveRegionsFromReplication", remove.clone()).await).is_empty());
    assert_eq!(
        client.refused("RemoveRegionsFromReplication", remove).await,
        "InvalidParameterException"
    );
    assert_eq!(abroad.refused("GetSecretValue", id.clone()).await, "ResourceNotFoundException");
    client.ok("DeleteSecret", id).await;
}

#[tokio::test]
async fn a_replica_becomes_a_secret_of_its_own() {
    let (double, client) = strong().await;
    let abroad = Client::new(&double).in_region("eu-west-1");
    let input = json!({
        "Name": "x", "SecretString": "one", "ClientRequestToken": token(1),
        "AddReplicaRegions": [{ "Region": "eu-west-1" }],
    });
    client.ok("CreateSecret", input).await;
    double.clock().advance(MINUTE);
    let id = json!({ "SecretId": "x" });
    assert_eq!(
        client.refused("StopReplicationToReplica", id.clone()).await,
        "InvalidRequestException"
    );
    abroad.ok("StopReplicationToReplica", id.clone()).await;
    put(&abroad, "x", 2, None).await;
    let read = client.ok("GetSecretValue", id.clone()).await;
    assert_eq!(read["SecretString"], "one", "they part");
    client.ok("DeleteSecret", id).await;
}

#[tokio::test]
async fn a_name_that_is_taken_abroad() {
    let (double, client) = strong().await;
    let abroad = Client::new(&double).in_region("eu-west-1");
    create(&abroad, "x").await;
    put(&abroad, "x", 2, None).await;
    create(&client, "x").await;
    let mut input = json!({ "SecretId": "x", "AddReplicaRegions": [{ "Region": "eu-west-1" }] });
    let answer = client.ok("ReplicateSecretToRegions", input.clone()).await;
    assert_eq!(status(&answer), [("eu-west-1", "Failed")]);
    let id = json!({ "SecretId": "x" });
    assert_eq!(abroad.ok("GetSecretValue", id.clone()).await["SecretString"], "value 2");
    input["ForceOverwriteReplicaSecret"] = json!(true);
    client.ok("ReplicateSecretToRegions", input.clone()).await;
    double.clock().advance(MINUTE);
    assert_eq!(abroad.ok("GetSecretValue", id.clone()).await["SecretString"], "one");
    assert_eq!(
        client.refused("ReplicateSecretToRegions", input).await,
        "InvalidParameterException"
    );
}

#[tokio::test]
async fn the_key_of_a_replica_is_its_own() {
    let (double, client) = strong().await;
    let abroad = Client::new(&double).in_region("eu-west-1");
    let kms = Client::of_kms(&double).in_region("eu-west-1");
    let key = kms.ok("CreateKey", json!({})).await["KeyMetadata"]["Arn"].clone();
    create(&client, "x").await;
    let regions = json!({ "SecretId": "x", "AddReplicaRegions": [{ "Region": "eu-west-1" }] });
    client.ok("ReplicateSecretToRegions", regions).await;
    double.clock().advance(MINUTE);
    let update = json!({ "SecretId": "x", "KmsKeyId": key, "ClientRequestToken": token(2) });
    abroad.ok("UpdateSecret", update).await;
    put(&client, "x", 3, None).await;
    double.clock().advance(MINUTE);
    let id = json!({ "SecretId": "x" });
    assert_eq!(abroad.ok("GetSecretValue", id.clone()).await["SecretString"], "value 3");
    assert_eq!(abroad.ok("DescribeSecret", id.clone()).await["KmsKeyId"], key, "it stays");
    let told = client.ok("DescribeSecret", id).await;
    assert_eq!(told["ReplicationStatus"][0]["KmsKeyId"], key);
    assert!(told.get("KmsKeyId").is_none(), "the primary's is another");
    let other = json!({ "SecretId": "x", "Description": "d", "ClientRequestToken": token(4) });
    assert_eq!(abroad.refused("UpdateSecret", other).await, "InvalidParameterException");
}

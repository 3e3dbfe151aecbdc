//! Deletion: scheduled, forced, undone, in the background.

use std::time::Duration;

use serde_json::json;

use crate::{
    client::token,
    secrets_basics::{MINUTE, create, put, strong},
};

const DAY: u64 = 86_400;

#[tokio::test]
async fn scheduled_and_restored() {
    let (double, client) = strong().await;
    create(&client, "x").await;
    let delete = json!({ "SecretId": "x", "RecoveryWindowInDays": 7 });
    let due = client.ok("DeleteSecret", delete.clone()).await["DeletionDate"].as_f64().unwrap();
    let told = client.ok("DescribeSecret", json!({ "SecretId": "x" })).await;
    assert_eq!(told["DeletedDate"].as_f64().unwrap(), due, "describing still works");
    let value = json!({ "SecretId": "x", "SecretString": "v", "ClientRequestToken": token(2) });
    let tags = json!({ "SecretId": "x", "Tags": [{ "Key": "a", "Value": "b" }] });
    let id = json!({ "SecretId": "x" });
    for (operation, input) in [
        ("GetSecretValue", id.clone()),
        ("PutSecretValue", value.clone()),
        ("UpdateSecret", value.clone()),
        ("TagResource", tags),
        ("DeleteSecret", delete),
    ] {
        assert_eq!(
            client.refused(operation, input).await,
            "InvalidRequestException",
            "{operation}"
        );
    }
    let again = json!({ "Name": "x", "SecretString": "one", "ClientRequestToken": token(1) });
    let refused = client.send("CreateSecret", &again).await.unwrap();
    assert_eq!(refused.code(), "InvalidRequestException");
    assert!(refused.message().contains("already scheduled for deletion"));
    client.ok("RestoreSecret", id.clone()).await;
    assert_eq!(client.ok("GetSecretValue", id.clone()).await["SecretString"], "one");
    client.ok("DeleteSecret", id.clone()).await;
    double.clock().advance(Duration::from_secs(29 * DAY));
    client.ok("RestoreSecret", id.clone()).await;
    client.ok("DeleteSecret", id.clone()).await;
    double.clock().advance(Duration::from_secs(30 * DAY) + MINUTE);
    assert_eq!(client.refused("RestoreSecret", id).await, "ResourceNotFoundException");
    create(&client, "x").await;
}

#[tokio::test]
async fn forced() {
    let (double, client) = strong().await;
    let first = create(&client, "x").await;
    let force = json!({ "SecretId": "x", "ForceDeleteWithoutRecovery": true });
    client.ok("DeleteSecret", force.clone()).await;
    // In the background: the name is not free at once, and there is no way back.
    let again = json!({ "Name": "x", "SecretString": "one", "ClientRequestToken": token(1) });
    assert_eq!(client.refused("CreateSecret", again).await, "InvalidRequestException");
    let id = json!({ "SecretId": "x" });
    assert_eq!(client.refused("RestoreSecret", id.clone()).await, "InvalidRequestException");
    // Whoever asks again and again does not put it off.
    for _ in 0..3 {
        client.ok("DeleteSecret", force.clone()).await;
        double.clock().advance(MINUTE / 3);
    }
    assert_eq!(client.refused("GetSecretValue", id).await, "ResourceNotFoundException");
    client.ok("DeleteSecret", force).await;
    client
        .ok("DeleteSecret", json!({ "SecretId": "never", "ForceDeleteWithoutRecovery": true }))
        .await;
    let second = create(&client, "x").await;
    assert_ne!(first["ARN"], second["ARN"], "another secret, another ARN");
    let old = json!({ "SecretId": first["ARN"] });
    assert_eq!(client.refused("GetSecretValue", old).await, "ResourceNotFoundException");
}

#[tokio::test]
async fn windows() {
    let (_double, client) = strong().await;
    create(&client, "x").await;
    for (days, force) in [(6, false), (31, false), (7, true)] {
        let input = json!({
            "SecretId": "x", "RecoveryWindowInDays": days, "ForceDeleteWithoutRecovery": force,
        });
        assert_eq!(client.refused("DeleteSecret", input).await, "InvalidParameterException");
    }
    put(&client, "x", 2, None).await;
}

//! Rotation that the service drives.

use std::time::Duration;

use serde_json::json;

use crate::{
    client::token,
    secrets_basics::{create, put, strong},
};

const FUNCTION: &str = "arn:aws:lambda:us-east-1:111122223333:function:rotate";

#[tokio::test]
async fn a_function_played_by_hand() {
    let (double, client) = strong().await;
    create(&client, "x").await;
    let id = json!({ "SecretId": "x" });
    let rotate = json!({
        "SecretId": "x", "ClientRequestToken": token(2), "RotationLambdaARN": FUNCTION,
        "RotationRules": { "AutomaticallyAfterDays": 30 },
    });
    assert_eq!(client.ok("RotateSecret", rotate.clone()).await["VersionId"], token(2));
    let event =
        tokio::time::timeout(Duration::from_secs(5), double.rotations().next()).await.unwrap();
    assert_eq!((event.token.as_str(), event.function.as_str()), (&*token(2), FUNCTION));
    // The pending version has no value yet.
    let pending = json!({ "SecretId": "x", "VersionStage": "AWSPENDING" });
    assert_eq!(
        client.refused("GetSecretValue", pending.clone()).await,
        "ResourceNotFoundException"
    );
    let told = client.ok("DescribeSecret", id.clone()).await;
    assert_eq!(told["VersionIdsToStages"][token(2)], json!(["AWSPENDING"]));
    assert_eq!(
        (&told["RotationEnabled"], &told["RotationLambdaARN"]),
        (&json!(true), &json!(FUNCTION))
    );
    assert!(told.get("LastRotatedDate").is_none());
    let premature = json!({
        "SecretId": "x", "VersionStage": "AWSCURRENT", "RemoveFromVersionId": token(1), "MoveToVersionId": token(2),
    });
    assert_eq!(
        client.refused("UpdateSecretVersionStage", premature.clone()).await,
        "InvalidRequestException"
    );
    // The same request again is the same rotation; another one has to wait.
    client.ok("RotateSecret", rotate).await;
    let another = json!({ "SecretId": "x", "ClientRequestToken": token(3) });
    let refused = client.send("RotateSecret", &another).await.unwrap();
    assert_eq!(
        refused.message(),
        "A previous rotation isn't complete. That rotation will be reattempted."
    );
    put(&client, "x", 2, Some(&["AWSPENDING"])).await;
    assert_eq!(client.ok("GetSecretValue", pending).await["SecretString"], "value 2");
    client.ok("UpdateSecretVersionStage", premature).await;
    assert_eq!(client.ok("GetSecretValue", id.clone()).await["SecretString"], "value 2");
    let told = client.ok("DescribeSecret", id).await;
    let (last, next) =
        (told["LastRotatedDate"].as_f64().unwrap(), told["NextRotationDate"].as_f64().unwrap());
    assert!((next - last - 30.0 * 86_400.0).abs() < 1.0, "{told}");
    client.ok("RotateSecret", another).await;
}

#[tokio::test]
async fn functions_that_the_double_plays() {
    let (double, client) = strong().await;
    create(&client, "x").await;
    double.rotations().complete_with(FUNCTION, |event| format!("made for {}", event.token));
    let rotate = |n: u32| json!({ "SecretId": "x", "ClientRequestToken": token(n), "RotationLambdaARN": FUNCTION });
    client.ok("RotateSecret", rotate(2)).await;
    let read = client.ok("GetSecretValue", json!({ "SecretId": "x" })).await;
    assert_eq!(read["SecretString"], format!("made for {}", token(2)));
    // The label that stays on the current version blocks no further rotation.
    client.ok("RotateSecret", rotate(3)).await;
    double.rotations().fail(FUNCTION);
    client.ok("RotateSecret", rotate(4)).await;
    assert_eq!(client.refused("RotateSecret", rotate(5)).await, "InvalidRequestException");
    // Cancelling leaves the label, which goes on blocking until it is taken away.
    let cancelled = client.ok("CancelRotateSecret", json!({ "SecretId": "x" })).await;
    assert_eq!(cancelled["VersionId"], token(4));
    assert_eq!(client.refused("RotateSecret", rotate(5)).await, "InvalidRequestException");
    let remove =
        json!({ "SecretId": "x", "VersionStage": "AWSPENDING", "RemoveFromVersionId": token(4) });
    client.ok("UpdateSecretVersionStage", remove).await;
    assert_eq!(
        client.ok("DescribeSecret", json!({ "SecretId": "x" })).await["RotationEnabled"],
        false
    );
    client.ok("RotateSecret", rotate(5)).await;
}

#[tokio::test]
async fn what_cannot_be_rotated() {
    let (double, client) = strong().await;
    create(&client, "x").await;
    let rotate = json!({ "SecretId": "x", "ClientRequestToken": token(2) });
    let refused = client.send("RotateSecret", &rotate).await.unwrap();
    assert_eq!(refused.code(), "InvalidRequestException");
    assert_eq!(
        refused.message(),
        "No Lambda rotation function ARN is associated with this secret."
    );
    let cancel = json!({ "SecretId": "x" });
    assert_eq!(client.refused("CancelRotateSecret", cancel).await, "InvalidRequestException");
    for rules in [
        json!({ "AutomaticallyAfterDays": 0 }),
        json!({ "AutomaticallyAfterDays": 1001 }),
        json!({ "AutomaticallyAfterDays": 1, "ScheduleExpression": "rate(1 days)" }),
        json!({ "ScheduleExpression": "sometimes" }),
    ] {
        let input = json!({
            "SecretId": "x", "ClientRequestToken": token(2), "RotationLambdaARN": FUNCTION, "RotationRules": rules,
        });
        assert_eq!(client.refused("RotateSecret", input).await, "InvalidParameterException");
    }
    let without = json!({ "SecretId": "x", "RotationLambdaARN": FUNCTION });
    assert_eq!(
        client.refused("RotateSecret", without).await,
        "InvalidParameterException",
        "no token"
    );
    double.rotations().refuse("arn:aws:lambda:us-east-1:111122223333:function:none");
    let closed = json!({
        "SecretId": "x", "ClientRequestToken": token(2),
        "RotationLambdaARN": "arn:aws:lambda:us-east-1:111122223333:function:none",
    });
    let refused = client.send("RotateSecret", &closed).await.unwrap();
    assert_eq!(refused.code(), "AccessDeniedException");
    assert!(refused.message().starts_with("Secrets Manager cannot invoke the specified Lambda"));
    let told = client.ok("DescribeSecret", json!({ "SecretId": "x" })).await;
    assert!(told.get("RotationEnabled").is_none(), "nothing is configured");
    let later = json!({
        "SecretId": "x", "ClientRequestToken": token(2), "RotationLambdaARN": FUNCTION, "RotateImmediately": false,
        "RotationRules": { "ScheduleExpression": "rate(10 days)", "Duration": "2h" },
    });
    client.ok("RotateSecret", later).await;
    let told = client.ok("DescribeSecret", json!({ "SecretId": "x" })).await;
    assert_eq!(
        told["RotationRules"],
        json!({ "ScheduleExpression": "rate(10 days)", "Duration": "2h" })
    );
    assert!(told["VersionIdsToStages"].get(token(2)).is_none() && told["RotationEnabled"] == true);
}

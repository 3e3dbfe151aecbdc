//! Policies: of principals, of secrets, of keys.

use aws_double::Policy;
use serde_json::{Value, json};

use crate::{
    client::{Client, token},
    secrets_basics::{create, strong},
};

fn policy(principal: &str, effect: &str) -> String {
    json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": effect, "Principal": { "AWS": principal },
        "Action": "secretsmanager:GetSecretValue", "Resource": "*",
    }] })
    .to_string()
}

async fn attach(client: &Client, text: &str) {
    client.ok("PutResourcePolicy", json!({ "SecretId": "x", "ResourcePolicy": text })).await;
}

#[tokio::test]
async fn a_user_may_what_its_policy_says() {
    let (double, client) = strong().await;
    let arn = create(&client, "x").await["ARN"].as_str().unwrap().to_owned();
    let user = Client::with(&double, &double.identities().user(double.account(), "u"));
    let name = "arn:aws:iam::111122223333:user/u";
    let get = json!({ "SecretId": "x" });
    user.ok("GetSecretValue", get.clone()).await;
    double.grants().set(name, Policy::new());
    let answer = user.send("GetSecretValue", &get).await.unwrap();
    assert_eq!(answer.code(), "AccessDeniedException");
    let text = format!(
        "User: {name} is not authorized to perform: secretsmanager:GetSecretValue on resource: {arn} \
         because no identity-based policy allows the secretsmanager:GetSecretValue action"
    );
    assert_eq!(answer.message(), text);
    let absent = json!({ "SecretId": "absent" });
    assert_eq!(
        user.refused("GetSecretValue", absent).await,
        "AccessDeniedException",
        "it is not told"
    );
    // Within an account the secret's own policy is enough.
    attach(&client, &policy(name, "Allow")).await;
    user.ok("GetSecretValue", get.clone()).await;
    attach(&client, &policy(name, "Deny")).await;
    double.grants().clear(name);
    let answer = user.send("GetSecretValue", &get).await.unwrap();
    assert!(answer.message().ends_with("with an explicit deny in a resource-based policy"));
}

#[tokio::test]
async fn another_account_needs_both_and_a_key_of_its_own() {
    let (double, client) = strong().await;
    let kms = Client::of_kms(&double);
    let arn = create(&client, "x").await["ARN"].clone();
    let other = Client::with(&double, &double.identities().user("999988887777", "o"));
    let get = json!({ "SecretId": arn });
    let refused = other.send("GetSecretValue", &get).await.unwrap();
    assert!(
        refused.message().contains("because no resource-based policy allows"),
        "{}",
        refused.text
    );
    attach(&client, &policy("arn:aws:iam::999988887777:root", "Allow")).await;
    let refused = other.send("GetSecretValue", &get).await.unwrap();
    assert_eq!(refused.message(), "Access to KMS is not allowed", "the managed key is not shared");
    let by_name = json!({ "SecretId": "x" });
    assert_eq!(other.refused("GetSecretValue", by_name).await, "ResourceNotFoundException");
    let key_policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Principal": { "AWS": ["arn:aws:iam::111122223333:root", "arn:aws:iam::999988887777:root"] },
    }] });
    let made = kms.ok("CreateKey", json!({ "Policy": key_policy.to_string() })).await;
    let key = made["KeyMetadata"]["Arn"].clone();
    let update = json!({ "SecretId": "x", "KmsKeyId": key, "ClientRequestToken": token(2) });
    client.ok("UpdateSecret", update).await;
    assert_eq!(other.ok("GetSecretValue", get).await["SecretString"], "one");
}

#[tokio::test]
async fn a_key_that_is_disabled_closes_the_secret() {
    let (double, client) = strong().await;
    let kms = Client::of_kms(&double);
    let key = kms.ok("CreateKey", json!({})).await["KeyMetadata"]["KeyId"].clone();
    let input = json!({
        "Name": "x", "SecretString": "one", "KmsKeyId": key, "ClientRequestToken": token(1),
    });
    client.ok("CreateSecret", input).await;
    kms.ok("DisableKey", json!({ "KeyId": key })).await;
    let get = json!({ "SecretId": "x" });
    assert_eq!(client.refused("GetSecretValue", get.clone()).await, "DecryptionFailure");
    let put = json!({ "SecretId": "x", "SecretString": "two", "ClientRequestToken": token(2) });
    assert_eq!(client.refused("PutSecretValue", put).await, "EncryptionFailure");
    kms.ok("EnableKey", json!({ "KeyId": key })).await;
    client.ok("GetSecretValue", get).await;
}

#[tokio::test]
async fn policies_are_put_read_checked_and_taken_away() {
    let (_double, client) = strong().await;
    create(&client, "x").await;
    let id = json!({ "SecretId": "x" });
    assert!(client.ok("GetResourcePolicy", id.clone()).await.get("ResourcePolicy").is_none());
    let good = policy("arn:aws:iam::111122223333:root", "Allow");
    let public = policy("*", "Allow");
    attach(&client, &good).await;
    assert_eq!(client.ok("GetResourcePolicy", id.clone()).await["ResourcePolicy"], good.as_str());
    for text in ["{", "[]", r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#] {
        let input = json!({ "SecretId": "x", "ResourcePolicy": text });
        let code = client.refused("PutResourcePolicy", input).await;
        assert_eq!(code, "MalformedPolicyDocumentException", "{text}");
    }
    let blocked = json!({ "SecretId": "x", "ResourcePolicy": public, "BlockPublicPolicy": true });
    assert_eq!(client.refused("PutResourcePolicy", blocked).await, "PublicPolicyException");
    attach(&client, &public).await;
    let check = |text: &str| json!({ "SecretId": "x", "ResourcePolicy": text });
    let passed = client.ok("ValidateResourcePolicy", check(&good)).await;
    assert_eq!(passed, json!({ "PolicyValidationPassed": true, "ValidationErrors": [] }));
    for text in [public.as_str(), "{"] {
        let failed = client.ok("ValidateResourcePolicy", check(text)).await;
        assert_eq!(failed["PolicyValidationPassed"], false);
        assert!(failed["ValidationErrors"][0]["CheckName"].is_string());
    }
    client.ok("DeleteResourcePolicy", id.clone()).await;
    assert_eq!(client.ok("GetResourcePolicy", id).await.get("ResourcePolicy"), None::<&Value>);
}

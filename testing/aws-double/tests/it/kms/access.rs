use std::time::Duration;

use aws_double::{AwsDouble, Credentials, Policy};
use serde_json::{Value, json};

use super::{b64, code, encrypt, new_key, unb64, with_key};
use crate::wire::Wire;

fn arn(account: &str, user: &str) -> String {
    format!("arn:aws:iam::{account}:user/{user}")
}

/// A user of the double's account whose own policy allows nothing.
fn powerless(double: &AwsDouble, name: &str) -> Credentials {
    let credentials = double.identities().user(double.account(), name);
    double.grants().set(&arn(double.account(), name), Policy::new());
    credentials
}

fn key_policy(statements: Value) -> String {
    let root = json!({ "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::111122223333:root" }, "Action": "kms:*", "Resource": "*" });
    let mut all = vec![root];
    all.extend(statements.as_array().unwrap().clone());
    json!({ "Version": "2012-10-17", "Statement": all }).to_string()
}

#[tokio::test]
async fn the_default_policy_leaves_it_to_the_policies_of_the_account() {
    let (double, wire, key) = with_key().await;
    let user = powerless(&double, "ann");
    let ann = Wire::of(&double, &user);
    let input = json!({ "KeyId": key, "Plaintext": b64(b"x") });
    let refused = ann.kms("Encrypt", input.clone()).await.unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (400, "AccessDeniedException"));
    assert!(
        refused
            .message
            .contains("is not authorized to perform: kms:Encrypt on resource: arn:aws:kms:"),
        "{}",
        refused.message
    );
    double
        .grants()
        .set(&arn(double.account(), "ann"), Policy::new().allow(&["kms:Encrypt"], &[&key]));
    ann.kms("Encrypt", input.clone()).await.unwrap();
    let blob = encrypt(&wire, &key, b"x", json!({})).await;
    assert_eq!(
        code(&ann, "Decrypt", json!({ "CiphertextBlob": blob })).await,
        "AccessDeniedException"
    );
}

#[tokio::test]
async fn a_key_policy_that_names_a_principal_suffices_and_one_that_denies_wins() {
    let (double, wire, key) = with_key().await;
    let user = powerless(&double, "bob");
    let bob = Wire::of(&double, &user);
    let input = json!({ "KeyId": key, "Plaintext": b64(b"x") });
    let named = json!([{ "Effect": "Allow", "Principal": { "AWS": arn(double.account(), "bob") }, "Action": "kms:Encrypt", "Resource": "*" }]);
    wire.kms("PutKeyPolicy", json!({ "KeyId": key, "Policy": key_policy(named.clone()) }))
        .await
        .unwrap();
    bob.kms("Encrypt", input.clone()).await.unwrap();
    let got = wire.kms("GetKeyPolicy", json!({ "KeyId": key })).await.unwrap();
    assert_eq!(got["Policy"], key_policy(named.clone()).as_str());
    let mut denied = named.as_array().unwrap().clone();
    denied.push(
        json!({ "Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*" }),
    );
    wire.kms("PutKeyPolicy", json!({ "KeyId": key, "Policy": key_policy(json!(denied)) }))
        .await
        .unwrap();
    assert_eq!(code(&bob, "Encrypt", input.clone()).await, "AccessDeniedException");
    assert_eq!(code(&wire, "Encrypt", input).await, "AccessDeniedException");
}

#[tokio::test]
async fn a_condition_on_the_encryption_context_holds() {
    let (double, wire, key) = with_key().await;
    let user = powerless(&double, "eve");
    let eve = Wire::of(&double, &user);
    let statement = json!([{
        "Effect": "Allow",
        "Principal": { "AWS": arn(double.account(), "eve") },
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": { "StringEquals": { "kms:EncryptionContext:tenant": "a" } },
    }]);
    wire.kms("PutKeyPolicy", json!({ "KeyId": key, "Policy": key_policy(statement) }))
        .await
        .unwrap();
    for (tenant, allowed) in [("a", true), ("b", false)] {
        let context = json!({ "tenant": tenant });
        let blob = encrypt(&wire, &key, b"x", context.clone()).await;
        let input = json!({ "CiphertextBlob": blob, "EncryptionContext": context });
        assert_eq!(eve.kms("Decrypt", input).await.is_ok(), allowed, "{tenant}");
    }
}

#[tokio::test]
async fn policies_that_lock_out_or_are_none_are_refused() {
    let (_double, wire, key) = with_key().await;
    let lockout = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Principal": { "AWS": arn("111122223333", "x") }, "Action": "kms:*", "Resource": "*" }] });
    for policy in ["{".to_owned(), "{}".to_owned(), lockout.to_string()] {
        let input = json!({ "KeyId": key, "Policy": policy });
        assert_eq!(
            code(&wire, "PutKeyPolicy", input).await,
            "MalformedPolicyDocumentException",
            "{policy}"
        );
    }
    let long = json!({ "KeyId": key, "Policy": format!("{}{}", key_policy(json!([])), " ".repeat(32_768)) });
    assert_eq!(code(&wire, "PutKeyPolicy", long).await, "LimitExceededException");
    let bypassed = json!({ "KeyId": key, "Policy": lockout.to_string(), "BypassPolicyLockoutSafetyCheck": true });
    wire.kms("PutKeyPolicy", bypassed).await.unwrap();
    assert_eq!(code(&wire, "GetKeyPolicy", json!({ "KeyId": key })).await, "AccessDeniedException");
}

#[tokio::test]
async fn another_account_needs_the_key_policy_and_its_own() {
    let (double, wire, key) = with_key().await;
    let stranger = double.identities().user("999988887777", "far");
    let far = Wire::of(&double, &stranger);
    let blob = encrypt(&wire, &key, b"x", json!({})).await;
    let input = json!({ "CiphertextBlob": blob });
    assert_eq!(code(&far, "Decrypt", input.clone()).await, "AccessDeniedException");
    let absent =
        key.replace(key.rsplit('/').next().unwrap(), "00000000-0000-4000-8000-000000000000");
    assert_eq!(
        code(&far, "DescribeKey", json!({ "KeyId": absent })).await,
        "AccessDeniedException"
    );
    let statement = json!([{ "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::999988887777:root" }, "Action": ["kms:Decrypt", "kms:DescribeKey", "kms:DisableKey"], "Resource": "*" }]);
    wire.kms("PutKeyPolicy", json!({ "KeyId": key, "Policy": key_policy(statement) }))
        .await
        .unwrap();
    let opened = far.kms("Decrypt", input.clone()).await.unwrap();
    assert_eq!(unb64(&opened["Plaintext"]), b"x");
    // Management stays with the account of the key, whatever its policy says.
    assert_eq!(code(&far, "DisableKey", json!({ "KeyId": key })).await, "AccessDeniedException");
    double.grants().set(&arn("999988887777", "far"), Policy::new());
    assert_eq!(code(&far, "Decrypt", input).await, "AccessDeniedException");
}

#[tokio::test]
async fn a_grant_spreads_in_time_and_its_token_is_at_once() {
    let (double, wire, key) = with_key().await;
    let user = powerless(&double, "gil");
    let gil = Wire::of(&double, &user);
    let grant = json!({ "KeyId": key, "GranteePrincipal": arn(double.account(), "gil"), "Operations": ["Encrypt"] });
    let made = wire.kms("CreateGrant", grant).await.unwrap();
    let input = json!({ "KeyId": key, "Plaintext": b64(b"x") });
    assert_eq!(code(&gil, "Encrypt", input.clone()).await, "AccessDeniedException");
    let mut with_token = input.clone();
    with_token["GrantTokens"] = json!([made["GrantToken"]]);
    gil.kms("Encrypt", with_token.clone()).await.unwrap();
    let mut with_bogus = input.clone();
    with_bogus["GrantTokens"] = json!(["bogus"]);
    assert_eq!(code(&gil, "Encrypt", with_bogus).await, "InvalidGrantTokenException");
    double.clock().advance(Duration::from_secs(300));
    gil.kms("Encrypt", input.clone()).await.unwrap();
    // Its end spreads in time too.
    wire.kms("RevokeGrant", json!({ "KeyId": key, "GrantId": made["GrantId"] })).await.unwrap();
    assert_eq!(wire.kms("ListGrants", json!({ "KeyId": key })).await.unwrap()["Grants"], json!([]));
    gil.kms("Encrypt", input.clone()).await.unwrap();
    double.clock().advance(Duration::from_secs(300));
    assert_eq!(code(&gil, "Encrypt", input).await, "AccessDeniedException");
    let gone = json!({ "KeyId": key, "GrantId": made["GrantId"] });
    assert_eq!(code(&wire, "RevokeGrant", gone).await, "NotFoundException");
}

#[tokio::test]
async fn the_constraints_of_a_grant_bind_it_to_a_context() {
    let (double, wire, key) = with_key().await;
    double.kms().set_grants_spread(Duration::ZERO);
    for (constraint, context, allowed) in [
        ("EncryptionContextSubset", json!({ "a": "1", "b": "2" }), true),
        ("EncryptionContextSubset", json!({ "A": "1" }), true),
        ("EncryptionContextSubset", json!({ "a": "2" }), false),
        ("EncryptionContextSubset", json!({}), false),
        ("EncryptionContextEquals", json!({ "a": "1" }), true),
        ("EncryptionContextEquals", json!({ "a": "1", "b": "2" }), false),
    ] {
        let name = format!("u{}", double.calls().total());
        let user = Wire::of(&double, &powerless(&double, &name));
        let grant = json!({
            "KeyId": key,
            "GranteePrincipal": arn(double.account(), &name),
            "Operations": ["GenerateDataKey"],
            "Constraints": { constraint: { "a": "1" } },
        });
        wire.kms("CreateGrant", grant).await.unwrap();
        let input = json!({ "KeyId": key, "KeySpec": "AES_256", "EncryptionContext": context });
        assert_eq!(
            user.kms("GenerateDataKey", input).await.is_ok(),
            allowed,
            "{constraint} {context}"
        );
    }
}

#[tokio::test]
async fn grants_are_named_listed_and_retired() {
    let (double, wire, key) = with_key().await;
    let (retirer, other) = (powerless(&double, "ret"), powerless(&double, "oth"));
    let grant = json!({
        "KeyId": key,
        "GranteePrincipal": arn(double.account(), "g"),
        "RetiringPrincipal": arn(double.account(), "ret"),
        "Operations": ["Decrypt", "DescribeKey"],
        "Name": "once",
        "Constraints": { "EncryptionContextSubset": { "a": "1" } },
    });
    let first = wire.kms("CreateGrant", grant.clone()).await.unwrap();
    let again = wire.kms("CreateGrant", grant).await.unwrap();
    assert_eq!(first["GrantId"], again["GrantId"], "the same name and parameters");
    assert_ne!(first["GrantToken"], again["GrantToken"]);
    let listed = wire.kms("ListGrants", json!({ "KeyId": key })).await.unwrap();
    assert_eq!(listed["Grants"].as_array().unwrap().len(), 1);
    assert_eq!(
        listed["Grants"][0]["Constraints"],
        json!({ "EncryptionContextSubset": { "a": "1" } })
    );
    for (name, count) in [("ret", 1), ("g", 0)] {
        let input = json!({ "RetiringPrincipal": arn(double.account(), name) });
        let retirable = wire.kms("ListRetirableGrants", input).await.unwrap();
        assert_eq!(retirable["Grants"].as_array().unwrap().len(), count, "{name}");
    }
    let token = json!({ "GrantToken": again["GrantToken"] });
    assert_eq!(
        code(&Wire::of(&double, &other), "RetireGrant", token.clone()).await,
        "AccessDeniedException"
    );
    Wire::of(&double, &retirer).kms("RetireGrant", token).await.unwrap();
    assert_eq!(wire.kms("ListGrants", json!({ "KeyId": key })).await.unwrap()["Grants"], json!([]));
    let wrong = json!({ "KeyId": key, "GranteePrincipal": arn(double.account(), "g"), "Operations": ["Sign"] });
    assert_eq!(code(&wire, "CreateGrant", wrong).await, "ValidationException");
    let nobody = json!({ "KeyId": key, "GranteePrincipal": "bob", "Operations": ["Decrypt"] });
    assert_eq!(code(&wire, "CreateGrant", nobody).await, "InvalidArnException");
}

#[tokio::test]
async fn the_key_of_a_service_is_there_when_asked_for_and_not_for_direct_use() {
    let (_double, wire, _) = with_key().await;
    let described =
        wire.kms("DescribeKey", json!({ "KeyId": "alias/aws/secretsmanager" })).await.unwrap();
    assert_eq!(described["KeyMetadata"]["KeyManager"], "AWS");
    let key = &described["KeyMetadata"]["Arn"];
    let input = json!({ "KeyId": key, "Plaintext": b64(b"x") });
    assert_eq!(code(&wire, "Encrypt", input).await, "AccessDeniedException");
    let again =
        wire.kms("DescribeKey", json!({ "KeyId": "alias/aws/secretsmanager" })).await.unwrap();
    assert_eq!(again["KeyMetadata"]["Arn"], *key);
}

#[tokio::test]
async fn no_plaintext_and_no_key_is_shown() {
    let (double, wire, key) = with_key().await;
    encrypt(&wire, &key, b"canary-plaintext", json!({ "a": "canary-context" })).await;
    new_key(&wire, json!({ "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC" })).await;
    let shown = format!("{:?} {:?} {:?}", double.kms(), double, double.calls());
    assert!(!shown.contains("canary") && !shown.contains(&b64(b"canary-plaintext")), "{shown}");
}

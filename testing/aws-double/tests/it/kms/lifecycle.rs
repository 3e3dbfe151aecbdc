use std::time::Duration;

use aws_double::{AwsDouble, LeavingKey};
use serde_json::{Value, json};

use super::{b64, code, encrypt, new_key, unb64, with_key};
use crate::wire::Wire;

const DAY: Duration = Duration::from_secs(86_400);

async fn state(wire: &Wire, key: &str) -> Value {
    wire.kms("DescribeKey", json!({ "KeyId": key })).await.unwrap()["KeyMetadata"]["KeyState"]
        .clone()
}

#[tokio::test]
async fn a_new_key_is_described_as_aws_describes_it() {
    let (_double, wire, _) = with_key().await;
    let made = wire
        .kms(
            "CreateKey",
            json!({ "Description": "d", "Tags": [{ "TagKey": "k", "TagValue": "v" }] }),
        )
        .await
        .unwrap();
    let metadata = &made["KeyMetadata"];
    for (field, value) in [
        ("AWSAccountId", json!("111122223333")),
        ("Description", json!("d")),
        ("Enabled", json!(true)),
        ("KeyState", json!("Enabled")),
        ("KeyUsage", json!("ENCRYPT_DECRYPT")),
        ("KeySpec", json!("SYMMETRIC_DEFAULT")),
        ("KeyManager", json!("CUSTOMER")),
        ("Origin", json!("AWS_KMS")),
        ("EncryptionAlgorithms", json!(["SYMMETRIC_DEFAULT"])),
    ] {
        assert_eq!(metadata[field], value, "{field}");
    }
    let id = metadata["KeyId"].as_str().unwrap();
    assert_eq!(metadata["Arn"], format!("arn:aws:kms:us-east-1:111122223333:key/{id}").as_str());
    let described = wire.kms("DescribeKey", json!({ "KeyId": id })).await.unwrap();
    assert_eq!(described["KeyMetadata"], *metadata);
    let tags = wire.kms("ListResourceTags", json!({ "KeyId": id })).await.unwrap();
    assert_eq!(tags["Tags"], json!([{ "TagKey": "k", "TagValue": "v" }]));
    for bad in [
        json!({ "KeySpec": "RSA_2048" }),
        json!({ "KeySpec": "RSA_2048", "KeyUsage": "GENERATE_VERIFY_MAC" }),
        json!({ "KeyUsage": "SIGN_VERIFY" }),
    ] {
        assert_eq!(code(&wire, "CreateKey", bad.clone()).await, "ValidationException", "{bad}");
    }
}

#[tokio::test]
async fn a_disabled_key_does_nothing_until_it_is_enabled() {
    let (_double, wire, key) = with_key().await;
    let blob = encrypt(&wire, &key, b"plain", json!({})).await;
    wire.kms("DisableKey", json!({ "KeyId": key })).await.unwrap();
    assert_eq!(state(&wire, &key).await, "Disabled");
    for (operation, input) in [
        ("Encrypt", json!({ "KeyId": key, "Plaintext": b64(b"x") })),
        ("Decrypt", json!({ "CiphertextBlob": blob })),
        ("Decrypt", json!({ "CiphertextBlob": blob, "KeyId": key })),
        ("GenerateDataKey", json!({ "KeyId": key, "KeySpec": "AES_256" })),
        ("GenerateDataKeyWithoutPlaintext", json!({ "KeyId": key, "KeySpec": "AES_256" })),
        ("ReEncrypt", json!({ "CiphertextBlob": blob, "DestinationKeyId": key })),
        ("RotateKeyOnDemand", json!({ "KeyId": key })),
        ("EnableKeyRotation", json!({ "KeyId": key })),
        (
            "CreateGrant",
            json!({ "KeyId": key, "GranteePrincipal": "arn:aws:iam::111122223333:user/a", "Operations": ["Decrypt"] }),
        ),
    ] {
        let refused = wire.kms(operation, input).await.unwrap_err();
        assert_eq!(
            (refused.status, refused.code.as_str()),
            (400, "DisabledException"),
            "{operation}"
        );
        assert_eq!(refused.message, format!("{key} is disabled."), "{operation}");
    }
    wire.kms("EnableKey", json!({ "KeyId": key })).await.unwrap();
    let opened = wire.kms("Decrypt", json!({ "CiphertextBlob": blob })).await.unwrap();
    assert_eq!(unb64(&opened["Plaintext"]), b"plain");
}

#[tokio::test]
async fn a_key_on_its_way_out_can_be_kept_until_its_window_ends() {
    let (double, wire, key) = with_key().await;
    let blob = encrypt(&wire, &key, b"plain", json!({})).await;
    for days in [6, 31] {
        let input = json!({ "KeyId": key, "PendingWindowInDays": days });
        assert_eq!(
            code(&wire, "ScheduleKeyDeletion", input).await,
            "ValidationException",
            "{days}"
        );
    }
    let input = json!({ "KeyId": key, "PendingWindowInDays": 7 });
    let scheduled = wire.kms("ScheduleKeyDeletion", input.clone()).await.unwrap();
    assert_eq!(
        (&scheduled["KeyState"], &scheduled["PendingWindowInDays"]),
        (&json!("PendingDeletion"), &json!(7))
    );
    for (operation, input) in [
        ("Decrypt", json!({ "CiphertextBlob": blob })),
        ("Encrypt", json!({ "KeyId": key, "Plaintext": b64(b"x") })),
        ("EnableKey", json!({ "KeyId": key })),
        ("DisableKey", json!({ "KeyId": key })),
        ("ScheduleKeyDeletion", input),
        ("CreateAlias", json!({ "AliasName": "alias/late", "TargetKeyId": key })),
        ("RotateKeyOnDemand", json!({ "KeyId": key })),
    ] {
        let refused = wire.kms(operation, input).await.unwrap_err();
        assert_eq!(refused.code, "KMSInvalidStateException", "{operation}");
        assert!(
            refused.message.contains("is pending deletion"),
            "{operation}: {}",
            refused.message
        );
    }
    double.kms().set_leaving_key(LeavingKey::IsDisabled);
    let refused = wire.kms("Decrypt", json!({ "CiphertextBlob": blob })).await.unwrap_err();
    assert_eq!(refused.code, "DisabledException");
    assert!(refused.message.contains("is pending deletion"), "{}", refused.message);
    assert_eq!(
        code(&wire, "EnableKey", json!({ "KeyId": key })).await,
        "KMSInvalidStateException",
        "management has the one code"
    );
    wire.kms("CancelKeyDeletion", json!({ "KeyId": key })).await.unwrap();
    assert_eq!(state(&wire, &key).await, "Disabled", "cancelling does not enable");
    assert_eq!(
        code(&wire, "CancelKeyDeletion", json!({ "KeyId": key })).await,
        "KMSInvalidStateException"
    );
    wire.kms("EnableKey", json!({ "KeyId": key })).await.unwrap();
    assert!(wire.kms("Decrypt", json!({ "CiphertextBlob": blob })).await.is_ok());

    wire.kms("CreateAlias", json!({ "AliasName": "alias/gone", "TargetKeyId": key }))
        .await
        .unwrap();
    let scheduled = wire.kms("ScheduleKeyDeletion", json!({ "KeyId": key })).await.unwrap();
    assert_eq!(scheduled["PendingWindowInDays"], 30);
    double.clock().advance(30 * DAY - Duration::from_secs(60));
    assert_eq!(state(&wire, &key).await, "PendingDeletion");
    double.clock().advance(Duration::from_secs(60));
    assert_eq!(code(&wire, "DescribeKey", json!({ "KeyId": key })).await, "NotFoundException");
    assert_eq!(
        code(&wire, "DescribeKey", json!({ "KeyId": "alias/gone" })).await,
        "NotFoundException"
    );
    assert_eq!(
        code(&wire, "Decrypt", json!({ "CiphertextBlob": blob })).await,
        "NotFoundException"
    );
}

#[tokio::test]
async fn a_key_without_material_is_pending_import() {
    let (_double, wire, _) = with_key().await;
    let key = new_key(&wire, json!({ "Origin": "EXTERNAL" })).await;
    assert_eq!(state(&wire, &key).await, "PendingImport");
    for (operation, input) in [
        ("Encrypt", json!({ "KeyId": key, "Plaintext": b64(b"x") })),
        ("GenerateDataKey", json!({ "KeyId": key, "KeySpec": "AES_256" })),
        ("EnableKey", json!({ "KeyId": key })),
    ] {
        assert_eq!(code(&wire, operation, input).await, "KMSInvalidStateException", "{operation}");
    }
}

#[tokio::test]
async fn keys_are_named_by_id_arn_alias_and_alias_arn() {
    let (_double, wire, key) = with_key().await;
    let other = new_key(&wire, json!({})).await;
    wire.kms("CreateAlias", json!({ "AliasName": "alias/app/one", "TargetKeyId": key }))
        .await
        .unwrap();
    let id = key.rsplit('/').next().unwrap();
    let alias = "arn:aws:kms:us-east-1:111122223333:alias/app/one";
    for name in [id, key.as_str(), "alias/app/one", alias] {
        let input = json!({ "KeyId": name, "KeySpec": "AES_256" });
        assert_eq!(
            wire.kms("GenerateDataKey", input).await.unwrap()["KeyId"],
            key.as_str(),
            "{name}"
        );
    }
    let again = json!({ "AliasName": "alias/app/one", "TargetKeyId": other });
    assert_eq!(code(&wire, "CreateAlias", again.clone()).await, "AlreadyExistsException");
    wire.kms("UpdateAlias", again).await.unwrap();
    let described = wire.kms("DescribeKey", json!({ "KeyId": alias })).await.unwrap();
    assert_eq!(described["KeyMetadata"]["Arn"], other.as_str());
    let listed = wire.kms("ListAliases", json!({ "KeyId": other })).await.unwrap();
    assert_eq!(listed["Aliases"][0]["AliasArn"], alias);
    let hmac =
        new_key(&wire, json!({ "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC" })).await;
    let unlike = json!({ "AliasName": "alias/app/one", "TargetKeyId": hmac });
    assert_eq!(code(&wire, "UpdateAlias", unlike).await, "ValidationException");
    wire.kms("DeleteAlias", json!({ "AliasName": "alias/app/one" })).await.unwrap();
    assert_eq!(code(&wire, "DescribeKey", json!({ "KeyId": alias })).await, "NotFoundException");
    for (name, expected) in [
        ("alias/aws/mine", "NotAuthorizedException"),
        ("app", "ValidationException"),
        ("alias/a b", "InvalidAliasNameException"),
    ] {
        let input = json!({ "AliasName": name, "TargetKeyId": key });
        assert_eq!(code(&wire, "CreateAlias", input).await, expected, "{name}");
    }
}

#[tokio::test]
async fn names_of_no_key_are_told_apart() {
    let (_double, wire, key) = with_key().await;
    let absent =
        key.replace(key.rsplit('/').next().unwrap(), "00000000-0000-4000-8000-000000000000");
    for (name, expected) in [
        ("00000000-0000-4000-8000-000000000000", "NotFoundException"),
        (absent.as_str(), "NotFoundException"),
        ("alias/nothing", "NotFoundException"),
        ("no id", "NotFoundException"),
        (&key.replace("us-east-1", "eu-west-1"), "NotFoundException"),
        ("arn:aws:s3:::bucket", "InvalidArnException"),
        ("arn:aws:kms:us-east-1:111122223333:thing/x", "InvalidArnException"),
        ("", "ValidationException"),
    ] {
        assert_eq!(code(&wire, "DescribeKey", json!({ "KeyId": name })).await, expected, "{name}");
    }
    // What manages a key takes no alias.
    wire.kms("CreateAlias", json!({ "AliasName": "alias/a", "TargetKeyId": key })).await.unwrap();
    assert_eq!(code(&wire, "DisableKey", json!({ "KeyId": "alias/a" })).await, "NotFoundException");
}

#[tokio::test]
async fn keys_of_a_region_are_listed_there_alone() {
    let double = AwsDouble::start().await.unwrap();
    let (here, there) = (Wire::new(&double), Wire::new(&double).region("eu-west-1"));
    let mut made = vec![new_key(&here, json!({})).await, new_key(&here, json!({})).await];
    let far = new_key(&there, json!({})).await;
    made.sort();
    let listed = here.kms("ListKeys", json!({})).await.unwrap();
    let arns: Vec<&str> =
        listed["Keys"].as_array().unwrap().iter().map(|k| k["KeyArn"].as_str().unwrap()).collect();
    assert_eq!(arns, made);
    let listed = there.kms("ListKeys", json!({})).await.unwrap();
    assert_eq!(listed["Keys"][0]["KeyArn"], far.as_str());
}

#[tokio::test]
async fn an_operation_that_is_none_is_unknown() {
    let (_double, wire, _) = with_key().await;
    assert_eq!(code(&wire, "DoTheImpossible", json!({})).await, "UnknownOperationException");
}

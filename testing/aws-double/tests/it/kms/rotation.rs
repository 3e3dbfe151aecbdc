use std::time::Duration;

use serde_json::{Value, json};

use super::{code, encrypt, new_key, unb64, with_key};
use crate::wire::Wire;

const DAY: Duration = Duration::from_secs(86_400);

async fn rotations(wire: &Wire, key: &str, all: bool) -> Vec<Value> {
    let include = if all { "ALL_KEY_MATERIAL" } else { "ROTATIONS_ONLY" };
    let input = json!({ "KeyId": key, "IncludeKeyMaterial": include });
    wire.kms("ListKeyRotations", input).await.unwrap()["Rotations"].as_array().unwrap().clone()
}

async fn material(wire: &Wire, key: &str) -> String {
    let described = wire.kms("DescribeKey", json!({ "KeyId": key })).await.unwrap();
    described["KeyMetadata"]["CurrentKeyMaterialId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn old_ciphertext_opens_after_a_rotation_on_demand_and_new_one_is_of_the_new_material() {
    let (_double, wire, key) = with_key().await;
    let (old, before) =
        (encrypt(&wire, &key, b"plain", json!({})).await, material(&wire, &key).await);
    assert_eq!(rotations(&wire, &key, false).await, Vec::<Value>::new());
    wire.kms("RotateKeyOnDemand", json!({ "KeyId": key })).await.unwrap();
    let after = material(&wire, &key).await;
    assert_ne!(before, after);
    let open = |blob: &str| json!({ "CiphertextBlob": blob, "KeyId": key });
    let opened = wire.kms("Decrypt", open(&old)).await.unwrap();
    assert_eq!(
        (unb64(&opened["Plaintext"]).as_slice(), opened["KeyMaterialId"].as_str()),
        (b"plain".as_slice(), Some(before.as_str()))
    );
    let new = encrypt(&wire, &key, b"plain", json!({})).await;
    assert_eq!(wire.kms("Decrypt", open(&new)).await.unwrap()["KeyMaterialId"], after.as_str());
    let listed = rotations(&wire, &key, false).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0]["RotationType"], &listed[0]["KeyMaterialState"]),
        (&json!("ON_DEMAND"), &json!("CURRENT"))
    );
    let all = rotations(&wire, &key, true).await;
    assert_eq!(all.len(), 2);
    assert_eq!(
        (&all[0]["KeyMaterialId"], &all[0]["KeyMaterialState"]),
        (&json!(before), &json!("NON_CURRENT"))
    );
}

#[tokio::test]
async fn a_key_is_rotated_on_demand_25_times() {
    let (_double, wire, key) = with_key().await;
    for _ in 0..25 {
        wire.kms("RotateKeyOnDemand", json!({ "KeyId": key })).await.unwrap();
    }
    assert_eq!(
        code(&wire, "RotateKeyOnDemand", json!({ "KeyId": key })).await,
        "LimitExceededException"
    );
    let page = wire.kms("ListKeyRotations", json!({ "KeyId": key, "Limit": 10 })).await.unwrap();
    assert_eq!(
        (page["Rotations"].as_array().unwrap().len(), &page["Truncated"]),
        (10, &json!(true))
    );
    let rest = json!({ "KeyId": key, "Limit": 20, "Marker": page["NextMarker"] });
    let rest = wire.kms("ListKeyRotations", rest).await.unwrap();
    assert_eq!(
        (rest["Rotations"].as_array().unwrap().len(), &rest["Truncated"]),
        (15, &json!(false))
    );
    let bogus = json!({ "KeyId": key, "Marker": "nonsense" });
    assert_eq!(code(&wire, "ListKeyRotations", bogus).await, "InvalidMarkerException");
}

#[tokio::test]
async fn the_schedule_rotates_by_the_clock_and_waits_while_the_key_is_disabled() {
    let (double, wire, key) = with_key().await;
    let status = async || wire.kms("GetKeyRotationStatus", json!({ "KeyId": key })).await.unwrap();
    assert_eq!(status().await["KeyRotationEnabled"], false);
    let bad = json!({ "KeyId": key, "RotationPeriodInDays": 89 });
    assert_eq!(code(&wire, "EnableKeyRotation", bad).await, "ValidationException");
    let on = json!({ "KeyId": key, "RotationPeriodInDays": 90 });
    wire.kms("EnableKeyRotation", on).await.unwrap();
    let now = status().await;
    assert_eq!(
        (&now["KeyRotationEnabled"], &now["RotationPeriodInDays"]),
        (&json!(true), &json!(90))
    );
    double.clock().advance(90 * DAY);
    let listed = rotations(&wire, &key, false).await;
    assert_eq!((listed.len(), &listed[0]["RotationType"]), (1, &json!("AUTOMATIC")));
    // Within 20 minutes of the next one there is none on demand.
    double.clock().advance(90 * DAY - Duration::from_secs(15 * 60));
    assert_eq!(
        code(&wire, "RotateKeyOnDemand", json!({ "KeyId": key })).await,
        "ConflictException"
    );
    wire.kms("DisableKey", json!({ "KeyId": key })).await.unwrap();
    double.clock().advance(DAY);
    assert_eq!(rotations(&wire, &key, false).await.len(), 1);
    wire.kms("EnableKey", json!({ "KeyId": key })).await.unwrap();
    assert_eq!(rotations(&wire, &key, false).await.len(), 2);
    wire.kms("DisableKeyRotation", json!({ "KeyId": key })).await.unwrap();
    assert_eq!(status().await["KeyRotationEnabled"], false);
}

#[tokio::test]
async fn a_rotation_that_takes_its_time_bars_another_one() {
    let (double, wire, key) = with_key().await;
    double.kms().set_rotation_takes(Duration::from_secs(600));
    let before = material(&wire, &key).await;
    wire.kms("RotateKeyOnDemand", json!({ "KeyId": key })).await.unwrap();
    assert_eq!(material(&wire, &key).await, before);
    let status = wire.kms("GetKeyRotationStatus", json!({ "KeyId": key })).await.unwrap();
    assert!(status["OnDemandRotationStartDate"].is_number());
    assert_eq!(
        code(&wire, "RotateKeyOnDemand", json!({ "KeyId": key })).await,
        "ConflictException"
    );
    double.clock().advance(Duration::from_secs(600));
    assert_ne!(material(&wire, &key).await, before);
}

#[tokio::test]
async fn only_symmetric_keys_of_kms_rotate() {
    let (_double, wire, _) = with_key().await;
    let asymmetric =
        new_key(&wire, json!({ "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY" })).await;
    for operation in
        ["RotateKeyOnDemand", "EnableKeyRotation", "ListKeyRotations", "GetKeyRotationStatus"]
    {
        let refused = code(&wire, operation, json!({ "KeyId": asymmetric })).await;
        assert_eq!(refused, "UnsupportedOperationException", "{operation}");
    }
    let described = wire.kms("DescribeKey", json!({ "KeyId": asymmetric })).await.unwrap();
    assert!(described["KeyMetadata"].get("CurrentKeyMaterialId").is_none());
}

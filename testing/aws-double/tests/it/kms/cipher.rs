use serde_json::json;

use super::{b64, code, encrypt, new_key, unb64, with_key};

#[tokio::test]
async fn what_is_encrypted_is_decrypted_with_its_context_alone() {
    let (_double, wire, key) = with_key().await;
    let context = json!({ "tenant": "a", "purpose": "b" });
    let blob = encrypt(&wire, &key, b"plain", context.clone()).await;
    let open = json!({ "CiphertextBlob": blob, "EncryptionContext": context, "KeyId": key });
    let opened = wire.kms("Decrypt", open).await.unwrap();
    assert_eq!(unb64(&opened["Plaintext"]), b"plain");
    assert_eq!(opened["KeyId"], key.as_str());
    assert_eq!(opened["EncryptionAlgorithm"], "SYMMETRIC_DEFAULT");
    assert_eq!(opened["KeyMaterialId"].as_str().unwrap().len(), 64);
    // The order of the pairs does not matter, and the ciphertext names its key.
    let other_order =
        json!({ "CiphertextBlob": blob, "EncryptionContext": { "purpose": "b", "tenant": "a" } });
    assert_eq!(unb64(&wire.kms("Decrypt", other_order).await.unwrap()["Plaintext"]), b"plain");
    for wrong in [
        json!({}),
        json!({ "tenant": "a" }),
        json!({ "tenant": "A", "purpose": "b" }),
        json!({ "Tenant": "a", "purpose": "b" }),
        json!({ "tenant": "a", "purpose": "b", "more": "" }),
    ] {
        let input = json!({ "CiphertextBlob": blob, "EncryptionContext": wrong });
        assert_eq!(code(&wire, "Decrypt", input).await, "InvalidCiphertextException", "{wrong}");
    }
}

#[tokio::test]
async fn the_same_plaintext_is_never_the_same_ciphertext() {
    let (_double, wire, key) = with_key().await;
    let first = encrypt(&wire, &key, b"plain", json!({})).await;
    assert_ne!(first, encrypt(&wire, &key, b"plain", json!({})).await);
}

#[tokio::test]
async fn a_changed_or_cut_ciphertext_is_invalid_wherever_it_was_touched() {
    let (_double, wire, key) = with_key().await;
    let blob = unb64(&json!(encrypt(&wire, &key, b"plain", json!({})).await));
    let places = [0, 3, 10, 60, 100, blob.len() - 40, blob.len() - 1];
    for at in places {
        let mut changed = blob.clone();
        changed[at] ^= 1;
        let input = json!({ "CiphertextBlob": b64(&changed) });
        assert_eq!(code(&wire, "Decrypt", input).await, "InvalidCiphertextException", "byte {at}");
    }
    for length in [1, 40, blob.len() - 1] {
        let input = json!({ "CiphertextBlob": b64(&blob[..length]) });
        assert_eq!(
            code(&wire, "Decrypt", input).await,
            "InvalidCiphertextException",
            "cut at {length}"
        );
    }
    let empty = json!({ "CiphertextBlob": "" });
    assert_eq!(code(&wire, "Decrypt", empty).await, "ValidationException");
}

#[tokio::test]
async fn another_key_than_the_one_that_sealed_is_incorrect() {
    let (_double, wire, key) = with_key().await;
    let other = new_key(&wire, json!({})).await;
    let blob = encrypt(&wire, &key, b"plain", json!({})).await;
    let input = json!({ "CiphertextBlob": blob, "KeyId": other });
    assert_eq!(code(&wire, "Decrypt", input).await, "IncorrectKeyException");
    let input = json!({ "CiphertextBlob": blob, "SourceKeyId": other, "DestinationKeyId": key });
    assert_eq!(code(&wire, "ReEncrypt", input).await, "IncorrectKeyException");
}

#[tokio::test]
async fn data_keys_have_the_length_asked_for_and_name_their_material() {
    let (_double, wire, key) = with_key().await;
    for (how, length) in [
        (json!({ "KeySpec": "AES_256" }), 32),
        (json!({ "KeySpec": "AES_128" }), 16),
        (json!({ "NumberOfBytes": 1_024 }), 1_024),
    ] {
        let mut input = how.clone();
        input["KeyId"] = json!(key);
        input["EncryptionContext"] = json!({ "a": "b" });
        let made = wire.kms("GenerateDataKey", input.clone()).await.unwrap();
        let plaintext = unb64(&made["Plaintext"]);
        assert_eq!(plaintext.len(), length, "{how}");
        let open =
            json!({ "CiphertextBlob": made["CiphertextBlob"], "EncryptionContext": { "a": "b" } });
        let opened = wire.kms("Decrypt", open).await.unwrap();
        assert_eq!(unb64(&opened["Plaintext"]), plaintext);
        assert_eq!(opened["KeyMaterialId"], made["KeyMaterialId"]);
        let sealed = wire.kms("GenerateDataKeyWithoutPlaintext", input).await.unwrap();
        assert!(sealed.get("Plaintext").is_none());
        assert_eq!(sealed["KeyMaterialId"], made["KeyMaterialId"]);
    }
    for how in [
        json!({ "KeyId": key }),
        json!({ "KeyId": key, "KeySpec": "AES_256", "NumberOfBytes": 32 }),
        json!({ "KeyId": key, "KeySpec": "AES_192" }),
        json!({ "KeyId": key, "NumberOfBytes": 1_025 }),
        json!({ "KeyId": key, "NumberOfBytes": 0 }),
    ] {
        assert_eq!(
            code(&wire, "GenerateDataKey", how.clone()).await,
            "ValidationException",
            "{how}"
        );
    }
}

#[tokio::test]
async fn encrypt_takes_4096_bytes_and_answers_no_material() {
    let (_double, wire, key) = with_key().await;
    let input = json!({ "KeyId": key, "Plaintext": b64(&[7; 4_096]) });
    let sealed = wire.kms("Encrypt", input).await.unwrap();
    assert!(sealed.get("KeyMaterialId").is_none(), "the SDK's model has none there");
    let opened =
        wire.kms("Decrypt", json!({ "CiphertextBlob": sealed["CiphertextBlob"] })).await.unwrap();
    assert_eq!(unb64(&opened["Plaintext"]), [7; 4_096]);
    let input = json!({ "KeyId": key, "Plaintext": b64(&[7; 4_097]) });
    let refused = wire.kms("Encrypt", input).await.unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (400, "ValidationException"));
    assert!(refused.message.contains("less than or equal to 4096"), "{}", refused.message);
}

#[tokio::test]
async fn a_ciphertext_moves_to_another_key_and_context() {
    let (_double, wire, key) = with_key().await;
    let other = new_key(&wire, json!({})).await;
    let blob = encrypt(&wire, &key, b"plain", json!({ "a": "1" })).await;
    let moved = json!({
        "CiphertextBlob": blob,
        "SourceEncryptionContext": { "a": "1" },
        "DestinationKeyId": other,
        "DestinationEncryptionContext": { "a": "2" },
    });
    let moved = wire.kms("ReEncrypt", moved).await.unwrap();
    assert_eq!((&moved["SourceKeyId"], &moved["KeyId"]), (&json!(key), &json!(other)));
    assert_ne!(moved["SourceKeyMaterialId"], moved["DestinationKeyMaterialId"]);
    let open = json!({ "CiphertextBlob": moved["CiphertextBlob"], "EncryptionContext": { "a": "2" }, "KeyId": other });
    let opened = wire.kms("Decrypt", open).await.unwrap();
    assert_eq!(unb64(&opened["Plaintext"]), b"plain");
    assert_eq!(opened["KeyMaterialId"], moved["DestinationKeyMaterialId"]);
    let wrong = json!({ "CiphertextBlob": blob, "SourceEncryptionContext": { "a": "2" }, "DestinationKeyId": other });
    assert_eq!(code(&wire, "ReEncrypt", wrong).await, "InvalidCiphertextException");
}

#[tokio::test]
async fn random_bytes_come_in_the_number_asked_for() {
    let (_double, wire, _key) = with_key().await;
    let made = wire.kms("GenerateRandom", json!({ "NumberOfBytes": 24 })).await.unwrap();
    assert_eq!(unb64(&made["Plaintext"]).len(), 24);
    assert_eq!(code(&wire, "GenerateRandom", json!({})).await, "ValidationException");
}

#[tokio::test]
async fn a_dry_run_checks_all_and_does_nothing() {
    let (_double, wire, key) = with_key().await;
    let input = json!({ "KeyId": key, "Plaintext": b64(b"x"), "DryRun": true });
    let refused = wire.kms("Encrypt", input).await.unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (412, "DryRunOperationException"));
    wire.kms("DisableKey", json!({ "KeyId": key })).await.unwrap();
    let input = json!({ "KeyId": key, "Plaintext": b64(b"x"), "DryRun": true });
    assert_eq!(code(&wire, "Encrypt", input).await, "DisabledException");
}

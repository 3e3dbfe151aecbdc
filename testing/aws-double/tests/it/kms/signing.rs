use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use aws_lc_rs::{digest, hmac};
use serde_json::{Value, json};

use super::{b64, code, new_key, unb64, with_key};

/// Every signing algorithm: a key spec that has it, its digest, and what verifies it outside of the double.
fn algorithms()
-> Vec<(&'static str, &'static str, &'static digest::Algorithm, &'static dyn VerificationAlgorithm)>
{
    use signature as s;
    vec![
        ("RSA_2048", "RSASSA_PSS_SHA_256", &digest::SHA256, &s::RSA_PSS_2048_8192_SHA256),
        ("RSA_2048", "RSASSA_PSS_SHA_384", &digest::SHA384, &s::RSA_PSS_2048_8192_SHA384),
        ("RSA_2048", "RSASSA_PSS_SHA_512", &digest::SHA512, &s::RSA_PSS_2048_8192_SHA512),
        ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256", &digest::SHA256, &s::RSA_PKCS1_2048_8192_SHA256),
        ("RSA_3072", "RSASSA_PKCS1_V1_5_SHA_384", &digest::SHA384, &s::RSA_PKCS1_2048_8192_SHA384),
        ("RSA_3072", "RSASSA_PKCS1_V1_5_SHA_512", &digest::SHA512, &s::RSA_PKCS1_2048_8192_SHA512),
        ("ECC_NIST_P256", "ECDSA_SHA_256", &digest::SHA256, &s::ECDSA_P256_SHA256_ASN1),
        ("ECC_NIST_P384", "ECDSA_SHA_384", &digest::SHA384, &s::ECDSA_P384_SHA384_ASN1),
        ("ECC_NIST_P521", "ECDSA_SHA_512", &digest::SHA512, &s::ECDSA_P521_SHA512_ASN1),
    ]
}

fn signer(spec: &str) -> Value {
    json!({ "KeySpec": spec, "KeyUsage": "SIGN_VERIFY" })
}

#[tokio::test]
async fn signatures_verify_outside_by_the_public_key() {
    let (_double, wire, _) = with_key().await;
    let mut keys: Vec<(&str, String)> = Vec::new();
    for (spec, algorithm, digest, verification) in algorithms() {
        let key = match keys.iter().find(|(known, _)| *known == spec) {
            Some((_, key)) => key.clone(),
            None => {
                let key = new_key(&wire, signer(spec)).await;
                keys.push((spec, key.clone()));
                key
            }
        };
        let public = wire.kms("GetPublicKey", json!({ "KeyId": key })).await.unwrap();
        assert_eq!(public["KeySpec"], spec);
        assert!(public["SigningAlgorithms"].as_array().unwrap().contains(&json!(algorithm)));
        let public = UnparsedPublicKey::new(verification, unb64(&public["PublicKey"]));
        let hashed = digest::digest(digest, b"message");
        for (kind, message) in [("RAW", b"message".as_slice()), ("DIGEST", hashed.as_ref())] {
            let input = json!({ "KeyId": key, "Message": b64(message), "MessageType": kind, "SigningAlgorithm": algorithm });
            let signed = wire.kms("Sign", input.clone()).await.unwrap();
            let signature = unb64(&signed["Signature"]);
            assert!(public.verify(b"message", &signature).is_ok(), "{algorithm} {kind}");
            assert!(public.verify(b"massage", &signature).is_err(), "{algorithm} {kind}");
            let mut check = input;
            check["Signature"] = signed["Signature"].clone();
            let verified = wire.kms("Verify", check.clone()).await.unwrap();
            assert_eq!(verified["SignatureValid"], true);
            check["Message"] = json!(b64(digest::digest(digest, b"other").as_ref()));
            let refused = code(&wire, "Verify", check).await;
            assert_eq!(refused, "KMSInvalidSignatureException", "{algorithm} {kind}");
        }
    }
}

#[tokio::test]
async fn a_digest_of_another_length_and_an_algorithm_of_another_key_are_refused() {
    let (_double, wire, symmetric) = with_key().await;
    let key = new_key(&wire, signer("ECC_NIST_P256")).await;
    let sign = |key: &str, algorithm: &str, kind: &str, length: usize| json!({ "KeyId": key, "Message": b64(&vec![1; length]), "MessageType": kind, "SigningAlgorithm": algorithm });
    assert_eq!(
        code(&wire, "Sign", sign(&key, "ECDSA_SHA_256", "DIGEST", 31)).await,
        "ValidationException"
    );
    assert_eq!(
        code(&wire, "Sign", sign(&key, "ECDSA_SHA_256", "RAW", 4_097)).await,
        "ValidationException"
    );
    assert_eq!(code(&wire, "Sign", sign(&key, "NONE", "RAW", 4)).await, "ValidationException");
    let other = sign(&key, "RSASSA_PSS_SHA_256", "RAW", 4);
    assert_eq!(code(&wire, "Sign", other).await, "InvalidKeyUsageException");
    let refused = wire.kms("Sign", sign(&symmetric, "ECDSA_SHA_256", "RAW", 4)).await.unwrap_err();
    assert_eq!(refused.code, "InvalidKeyUsageException");
    assert!(
        refused.message.contains("ENCRYPT_DECRYPT which is not valid for Sign"),
        "{}",
        refused.message
    );
    let input = json!({ "KeyId": key, "Plaintext": b64(b"x") });
    assert_eq!(code(&wire, "Encrypt", input).await, "InvalidKeyUsageException");
    assert_eq!(
        code(&wire, "GetPublicKey", json!({ "KeyId": symmetric })).await,
        "UnsupportedOperationException"
    );
}

#[tokio::test]
async fn codes_of_an_hmac_key_are_checked() {
    let (_double, wire, symmetric) = with_key().await;
    let key =
        new_key(&wire, json!({ "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC" })).await;
    let input = json!({ "KeyId": key, "Message": b64(b"m"), "MacAlgorithm": "HMAC_SHA_256" });
    let made = wire.kms("GenerateMac", input.clone()).await.unwrap();
    assert_eq!(unb64(&made["Mac"]).len(), hmac::HMAC_SHA256.digest_algorithm().output_len());
    assert_eq!(wire.kms("GenerateMac", input.clone()).await.unwrap()["Mac"], made["Mac"]);
    let mut check = input.clone();
    check["Mac"] = made["Mac"].clone();
    assert_eq!(wire.kms("VerifyMac", check.clone()).await.unwrap()["MacValid"], true);
    check["Message"] = json!(b64(b"n"));
    assert_eq!(code(&wire, "VerifyMac", check).await, "KMSInvalidMacException");
    let mut other = input.clone();
    other["MacAlgorithm"] = json!("HMAC_SHA_512");
    assert_eq!(code(&wire, "GenerateMac", other).await, "InvalidKeyUsageException");
    let mut wrong = input;
    wrong["KeyId"] = json!(symmetric);
    assert_eq!(code(&wire, "GenerateMac", wrong).await, "InvalidKeyUsageException");
}

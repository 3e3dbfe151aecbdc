//! Signatures by KMS, verified without it.

use std::sync::Arc;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use peers::Boto3;
use secrets_aws::KmsProvider;
use secrets_aws::secrets_core::conformance::{self, Outcome, Report, SignerHarness};
use secrets_aws::secrets_core::{
    ErrorKind, KeyRef, Operation, PublicKey, Signature, SignatureAlgorithm, Signer, ToSign,
};
use serde_json::json;

use crate::kms::Kms;

use SignatureAlgorithm::{Es256, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};

/// A verifier of another library for each algorithm that the double and moto both have keys for.
fn verifier(algorithm: SignatureAlgorithm) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Es256 => &signature::ECDSA_P256_SHA256_FIXED,
        Es384 => &signature::ECDSA_P384_SHA384_FIXED,
        Es512 => &signature::ECDSA_P521_SHA512_FIXED,
        other => panic!("no verifier for {other}"),
    }
}

fn hashed(algorithm: SignatureAlgorithm, message: &[u8]) -> Option<Vec<u8>> {
    let hash = match algorithm.digest_len()? {
        32 => &digest::SHA256,
        48 => &digest::SHA384,
        _ => &digest::SHA512,
    };
    Some(digest::digest(hash, message).as_ref().to_vec())
}

fn is_sound(by: &PublicKey, message: &[u8], signature: &Signature) -> bool {
    UnparsedPublicKey::new(verifier(signature.algorithm), &by.spki_der)
        .verify(message, &signature.bytes)
        .is_ok()
}

/// Two keys of one sort, and an algorithm of theirs.
struct Pens {
    provider: KmsProvider,
    algorithm: SignatureAlgorithm,
    other_algorithm: SignatureAlgorithm,
    key: KeyRef,
    other_key: KeyRef,
    unknown_key: KeyRef,
}

impl Pens {
    async fn of(kms: &Kms, spec: &str, algorithm: SignatureAlgorithm) -> Self {
        let parameters = json!({ "KeySpec": spec, "KeyUsage": "SIGN_VERIFY" });
        Self {
            provider: kms.provider.clone(),
            algorithm,
            other_algorithm: if algorithm == Es384 { Es256 } else { Es384 },
            key: kms.key(parameters.clone()).await,
            other_key: kms.key(parameters).await,
            unknown_key: kms.unknown_key().await,
        }
    }

    async fn report(&self) -> Report {
        conformance::run_signer(self).await
    }
}

impl SignerHarness for Pens {
    fn signer(&self) -> Arc<dyn Signer> {
        Arc::new(self.provider.clone())
    }

    fn title(&self) -> String {
        format!("AWS KMS, {}", self.algorithm)
    }

    fn key(&self) -> (KeyRef, SignatureAlgorithm) {
        (self.key.clone(), self.algorithm)
    }

    fn other_key(&self) -> KeyRef {
        self.other_key.clone()
    }

    fn other_algorithm(&self) -> SignatureAlgorithm {
        self.other_algorithm
    }

    fn unknown_key(&self) -> KeyRef {
        self.unknown_key.clone()
    }

    fn digest(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Option<Vec<u8>> {
        hashed(algorithm, message)
    }

    fn verifies(&self, by: &PublicKey, message: &[u8], signature: &Signature) -> bool {
        is_sound(by, message, signature)
    }
}

#[tokio::test]
async fn the_double_conforms_with_every_sort_of_key() {
    let (_double, kms) = Kms::double().await;
    for (spec, algorithm) in [
        ("ECC_NIST_P256", Es256),
        ("ECC_NIST_P384", Es384),
        ("ECC_NIST_P521", Es512),
        ("RSA_2048", Ps256),
        ("RSA_2048", Rs512),
    ] {
        let report = Pens::of(&kms, spec, algorithm).await.report().await.into_result().unwrap();
        assert_eq!(report.count("passed"), 11, "{report}");
    }
}

/// The checks that moto 5.2.5 fails, and what it does that AWS does not.
const MOTO_DIFFERS: [(&str, &str); 4] = [
    ("signer.verifies", "it hashes a digest once more, which is how no and long messages are sent"),
    ("signer.digest", "it hashes a digest once more"),
    ("signer.public-key", "`GetPublicKey` names the key by its id, not its ARN"),
    ("signer.verify", "it hashes a digest once more"),
];

#[tokio::test]
async fn moto_conforms_but_for_what_it_does_not_do() {
    let report = Pens::of(&Kms::moto().await, "ECC_NIST_P256", Es256).await.report().await;
    let failed: Vec<_> = report
        .results
        .iter()
        .filter(|result| matches!(result.outcome, Outcome::Failed(_)))
        .map(|result| result.check.id)
        .collect();
    assert_eq!(failed, MOTO_DIFFERS.map(|(check, _)| check), "{report}");
}

#[tokio::test]
async fn what_moto_signs_verifies_outside() {
    let kms = Kms::moto().await;
    // Not PSS: its salt has another length than the digest (RFC 7518 section 3.5).
    for (spec, algorithm) in [("ECC_NIST_P256", Es256), ("RSA_2048", Rs256)] {
        let key = kms.key(json!({ "KeySpec": spec, "KeyUsage": "SIGN_VERIFY" })).await;
        let public = kms.provider.public_key(&key).await.unwrap();
        let input = ToSign::Message(b"a message");
        let signature = kms.provider.sign(&key, algorithm, input).await.unwrap();
        assert!(is_sound(&public, b"a message", &signature), "{algorithm}");
        kms.provider.verify(input, &signature).await.unwrap();
    }
}

#[tokio::test]
async fn every_algorithm_of_rsa_verifies_outside() {
    let (_double, kms) = Kms::double().await;
    let key = kms.key(json!({ "KeySpec": "RSA_3072", "KeyUsage": "SIGN_VERIFY" })).await;
    let public = kms.provider.public_key(&key).await.unwrap();
    let all = [Ps256, Ps384, Ps512, Rs256, Rs384, Rs512];
    assert!(all.iter().all(|algorithm| public.algorithms.contains(algorithm)), "{public:?}");
    for algorithm in all {
        for message in [&b"short"[..], &[7; 5000]] {
            let input = ToSign::Message(message);
            let signature = kms.provider.sign(&key, algorithm, input).await.unwrap();
            assert_eq!(signature.bytes.len(), 384);
            assert!(is_sound(&public, message, &signature), "{algorithm}");
            kms.provider.verify(input, &signature).await.unwrap();
        }
    }
}

/// AWS's form is DER; ours is that of tokens.
#[tokio::test]
async fn boto3_verifies_ours_and_we_verify_boto3s() {
    let (_double, kms) = Kms::double().await;
    let key = kms.key(json!({ "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY" })).await;
    let call = |signature: Option<Vec<u8>>| {
        let mut parameters = json!({
            "KeyId": key.as_str(),
            "Message": Boto3::bytes(b"a message"),
            "SigningAlgorithm": "ECDSA_SHA_256",
        });
        if let Some(signature) = signature {
            parameters["Signature"] = Boto3::bytes(&signature);
        }
        parameters
    };
    let input = ToSign::Message(b"a message");
    let ours = kms.provider.sign(&key, Es256, input).await.unwrap();
    assert_eq!(ours.bytes.len(), 64);
    let asked = call(Some(ours.to_der().unwrap()));
    let verified = kms.boto3.call("kms", "Verify", asked).await.unwrap();
    assert_eq!(verified["SignatureValid"], true);
    let signed = kms.boto3.call("kms", "Sign", call(None)).await.unwrap();
    let der = Boto3::to_bytes(&signed["Signature"]).unwrap();
    let theirs = Signature::from_der(key.clone(), Es256, &der).unwrap();
    kms.provider.verify(input, &theirs).await.unwrap();
    assert!(is_sound(&kms.provider.public_key(&key).await.unwrap(), b"a message", &theirs));
}

#[tokio::test]
async fn an_operation_is_one_call_and_a_long_message_stays_here() {
    let (double, kms) = Kms::double().await;
    let key = kms.key(json!({ "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY" })).await;
    double.calls().clear();
    let message = vec![7; 1 << 20];
    let signature = kms.provider.sign(&key, Es256, ToSign::Message(&message)).await.unwrap();
    kms.provider.verify(ToSign::Message(&message), &signature).await.unwrap();
    let public = kms.provider.public_key(&key).await.unwrap();
    assert!(is_sound(&public, &message, &signature));
    let calls: Vec<_> = double.calls().all().into_iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["kms:Sign", "kms:Verify", "kms:GetPublicKey"]);
}

#[tokio::test]
async fn a_disabled_key_does_not_sign() {
    let (_double, kms) = Kms::double().await;
    let key = kms.key(json!({ "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY" })).await;
    let input = ToSign::Message(b"m");
    let signature = kms.provider.sign(&key, Es256, input).await.unwrap();
    kms.provider.disable_key(&key).await.unwrap();
    let error = kms.provider.sign(&key, Es256, input).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Disabled, Some(Operation::Sign)));
    let error = kms.provider.verify(input, &signature).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Disabled, Some(Operation::Verify)));
    let wrapping = kms.wrapping_key().await;
    let error = kms.provider.sign(&wrapping, Es256, input).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
    let error = kms.provider.public_key(&wrapping).await.unwrap_err();
    assert_eq!(error.operation(), Some(Operation::PublicKey));
    assert!(matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::Unsupported), "{error}");
}

/// What cannot be is refused without a call: nothing listens there.
#[tokio::test]
async fn what_cannot_be_is_refused_before_any_call() {
    let provider =
        crate::kms::provider("http://127.0.0.1:9", "AKIAIOSFODNN7TESTS00", "wJalrXUtnFEMI").await;
    let key = KeyRef::new("alias/signing").unwrap();
    let long = vec![7; 4097];
    for (algorithm, input, kind) in [
        (Es256, ToSign::Digest(&long[..31]), ErrorKind::InvalidValue),
        (SignatureAlgorithm::Ed25519, ToSign::Digest(&long[..64]), ErrorKind::InvalidValue),
        (SignatureAlgorithm::Ed25519, ToSign::Message(&long), ErrorKind::TooLarge),
    ] {
        let error = provider.sign(&key, algorithm, input).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (kind, Some(Operation::Sign)));
        let signature = Signature::new(key.clone(), algorithm, vec![1; 64]);
        let error = provider.verify(input, &signature).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (kind, Some(Operation::Verify)));
    }
    for (algorithm, len) in [(Es256, 0), (Es256, 63), (Ps256, 0), (Ps256, 6145)] {
        let signature = Signature::new(key.clone(), algorithm, vec![1; len]);
        let error = provider.verify(ToSign::Message(b"m"), &signature).await.unwrap_err();
        let seen = (error.kind(), error.operation());
        assert_eq!(seen, (ErrorKind::Integrity, Some(Operation::Verify)), "{algorithm} {len}");
    }
}

//! The suite for signers, over sound ones and over broken ones.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use secrets_core::conformance::{self, Outcome, Report, SignerHarness};
use secrets_core::{
    Error, ErrorKind, KeyRef, Operation, ProviderId, PublicKey, Result, Signature,
    SignatureAlgorithm, Signer, SignerCapabilities, Support, ToSign, async_trait,
};

/// What is wrong with a signer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    SignsInDer,
    CutsMessages,
    HashesDigests,
    TakesAnyDigest,
    ForgetsKeyName,
    NamesAnotherAlgorithm,
    OnePublicKey,
    ClaimsAllAlgorithms,
    TakesAnyAlgorithm,
    MakesKeys,
    VerifiesNothing,
    VerifiesAll,
    IgnoresTheEnd,
    VerifiesUnderAnyKey,
    VerifiesUndeclared,
    NamesNoOperation,
}

/// Every fault with the checks that have to find it.
const FAULTS: [(Fault, &[&str]); 16] = [
    (Fault::SignsInDer, &["signer.verifies"]),
    (Fault::CutsMessages, &["signer.verifies"]),
    (Fault::HashesDigests, &["signer.digest"]),
    (Fault::TakesAnyDigest, &["signer.digest-length"]),
    (Fault::ForgetsKeyName, &["signer.named"]),
    (Fault::NamesAnotherAlgorithm, &["signer.named"]),
    (Fault::OnePublicKey, &["signer.public-key"]),
    (Fault::ClaimsAllAlgorithms, &["signer.public-key"]),
    (Fault::TakesAnyAlgorithm, &["signer.algorithm"]),
    (Fault::MakesKeys, &["signer.unknown"]),
    (Fault::VerifiesNothing, &["signer.verify"]),
    (Fault::VerifiesAll, &["signer.tampered", "signer.apart"]),
    (Fault::IgnoresTheEnd, &["signer.tampered"]),
    (Fault::VerifiesUnderAnyKey, &["signer.apart"]),
    (Fault::VerifiesUndeclared, &["signer.no-verify"]),
    (Fault::NamesNoOperation, &["signer.operation"]),
];

const ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::Es256;
const OTHER: SignatureAlgorithm = SignatureAlgorithm::Ps256;

/// A hash of nothing but this test: no cryptography, all of the contract.
fn stretched(parts: [&[u8]; 2], len: usize) -> Vec<u8> {
    let word = |at: usize| {
        let mut hasher = DefaultHasher::new();
        (parts, at).hash(&mut hasher);
        hasher.finish().to_be_bytes()
    };
    (0..len).flat_map(word).take(len).collect()
}

fn digest(message: &[u8]) -> Vec<u8> {
    stretched([b"digest", message], 32)
}

#[derive(Debug)]
struct Pen {
    id: ProviderId,
    capabilities: SignerCapabilities,
    fault: Fault,
}

impl Pen {
    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn refusal(&self, operation: Operation, kind: ErrorKind) -> Error {
        let error = Error::new(kind, "refused");
        if self.has(Fault::NamesNoOperation) { error } else { error.with_operation(operation) }
    }

    fn public(&self, operation: Operation, key: &KeyRef) -> Result<Vec<u8>> {
        match key.as_str() {
            "unknown" if !self.has(Fault::MakesKeys) => {
                Err(self.refusal(operation, ErrorKind::NotFound))
            }
            _ if self.has(Fault::OnePublicKey) => Ok(b"one".to_vec()),
            name => Ok(name.as_bytes().to_vec()),
        }
    }

    fn hashed(&self, operation: Operation, input: ToSign<'_>) -> Result<Vec<u8>> {
        match input {
            ToSign::Message(message) if self.has(Fault::CutsMessages) => {
                Ok(digest(&message[..message.len().min(4096)]))
            }
            ToSign::Message(message) => Ok(digest(message)),
            ToSign::Digest(digested) if self.has(Fault::HashesDigests) => Ok(digest(digested)),
            ToSign::Digest(digest) if digest.len() == 32 || self.has(Fault::TakesAnyDigest) => {
                Ok(digest.to_vec())
            }
            _ => Err(self.refusal(operation, ErrorKind::InvalidValue)),
        }
    }
}

#[async_trait]
impl Signer for Pen {
    fn signer_id(&self) -> &ProviderId {
        &self.id
    }

    fn signer_capabilities(&self) -> &SignerCapabilities {
        &self.capabilities
    }

    async fn sign(
        &self,
        key: &KeyRef,
        algorithm: SignatureAlgorithm,
        input: ToSign<'_>,
    ) -> Result<Signature> {
        let public = self.public(Operation::Sign, key)?;
        if algorithm != ALGORITHM && !self.has(Fault::TakesAnyAlgorithm) {
            return Err(self.refusal(Operation::Sign, ErrorKind::InvalidValue));
        }
        let bytes = stretched([&public, &self.hashed(Operation::Sign, input)?], 64);
        let named = if self.has(Fault::ForgetsKeyName) { "default" } else { key.as_str() };
        let told = if self.has(Fault::NamesAnotherAlgorithm) { OTHER } else { algorithm };
        let mut signature = Signature::new(KeyRef::new(named)?, told, bytes);
        if self.has(Fault::SignsInDer) {
            signature.bytes = signature.to_der()?;
        }
        Ok(signature)
    }

    async fn verify(&self, input: ToSign<'_>, signature: &Signature) -> Result<()> {
        let operation = Operation::Verify;
        let is_undeclared = self.capabilities.verify == Support::No;
        if is_undeclared && !self.has(Fault::VerifiesUndeclared) {
            return Err(Error::unsupported(operation, "verify with the public key"));
        }
        let mut public = self.public(operation, &signature.key)?;
        if self.has(Fault::VerifiesUnderAnyKey) {
            public = b"key".to_vec();
        }
        let sound = stretched([&public, &self.hashed(operation, input)?], 64);
        let is_sound = match self.fault {
            Fault::VerifiesAll => true,
            Fault::VerifiesNothing => false,
            Fault::IgnoresTheEnd => signature.bytes.starts_with(&sound),
            _ => signature.bytes == sound,
        };
        is_sound.then_some(()).ok_or_else(|| self.refusal(operation, ErrorKind::Integrity))
    }

    async fn public_key(&self, key: &KeyRef) -> Result<PublicKey> {
        let spki = self.public(Operation::PublicKey, key)?;
        let mut algorithms = vec![ALGORITHM];
        if self.has(Fault::ClaimsAllAlgorithms) {
            algorithms.push(OTHER);
        }
        Ok(PublicKey::new(key.clone(), spki, algorithms))
    }
}

struct Desk(Arc<Pen>);

impl SignerHarness for Desk {
    fn signer(&self) -> Arc<dyn Signer> {
        self.0.clone()
    }

    fn title(&self) -> String {
        "a pen".to_owned()
    }

    fn key(&self) -> (KeyRef, SignatureAlgorithm) {
        (KeyRef::new("key").unwrap(), ALGORITHM)
    }

    fn other_key(&self) -> KeyRef {
        KeyRef::new("other").unwrap()
    }

    fn other_algorithm(&self) -> SignatureAlgorithm {
        OTHER
    }

    fn unknown_key(&self) -> KeyRef {
        KeyRef::new("unknown").unwrap()
    }

    fn digest(&self, _: SignatureAlgorithm, message: &[u8]) -> Option<Vec<u8>> {
        Some(digest(message))
    }

    fn verifies(&self, by: &PublicKey, message: &[u8], signature: &Signature) -> bool {
        signature.bytes == stretched([&by.spki_der, &digest(message)], 64)
    }
}

async fn report(fault: Fault, verify: Support) -> Report {
    let id = ProviderId::new("pen", "tests", "");
    let pen = Pen { id, capabilities: SignerCapabilities::new(verify), fault };
    conformance::run_signer(&Desk(Arc::new(pen))).await
}

#[tokio::test]
async fn a_sound_signer_conforms_and_every_check_passes_somewhere() {
    let mut checks: BTreeSet<_> = conformance::signer_checks().map(|check| check.id).collect();
    for verify in [Support::Native, Support::No] {
        let report = report(Fault::None, verify).await.into_result().unwrap();
        for result in report.results.iter().filter(|result| result.outcome == Outcome::Passed) {
            checks.remove(result.check.id);
        }
    }
    assert!(checks.is_empty(), "on no sound signer these checks pass: {checks:?}");
}

#[tokio::test]
async fn every_fault_of_a_signer_is_found() {
    for (fault, checks) in FAULTS {
        let verify = if fault == Fault::VerifiesUndeclared { Support::No } else { Support::Native };
        let report = report(fault, verify).await;
        for check in checks {
            let outcome = report.outcome(check);
            let is_found = matches!(outcome, Some(Outcome::Failed(_)));
            assert!(is_found, "{fault:?}: {check} is {outcome:?}");
        }
    }
}

#[test]
fn every_check_of_signers_has_a_fault() {
    let checks: BTreeSet<_> = conformance::signer_checks().map(|check| check.id).collect();
    let found: BTreeSet<_> = FAULTS.iter().flat_map(|(_, checks)| *checks).copied().collect();
    assert_eq!(checks, found);
}

//! The suite for signers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{ErrorKind, Operation, Result};
use crate::key::KeyRef;
use crate::signer::{PublicKey, Signature, SignatureAlgorithm, Signer, ToSign};

use super::check::{Check, Item, Running, Stop, Verdict};
use super::outcome::{done, refused};
use super::report::{Outcome, Report};

/// What the author of a signer writes to run its suite. This crate has no cryptography: the harness
/// brings the digest and a verifier that is not the service.
pub trait SignerHarness: Send + Sync {
    /// The signer under test.
    fn signer(&self) -> Arc<dyn Signer>;

    /// What the report calls it.
    fn title(&self) -> String;

    /// A key that exists, and an algorithm that it signs with.
    fn key(&self) -> (KeyRef, SignatureAlgorithm);

    /// Another key that exists and signs with the same algorithm.
    fn other_key(&self) -> KeyRef;

    /// An algorithm that the key does not sign with.
    fn other_algorithm(&self) -> SignatureAlgorithm;

    /// The well-formed name of a key that does not exist.
    fn unknown_key(&self) -> KeyRef;

    /// The digest of a message by the algorithm's hash function; `None` where it signs none.
    fn digest(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Option<Vec<u8>>;

    /// Whether the signature is sound by the public key alone, without the service.
    fn verifies(&self, by: &PublicKey, message: &[u8], signature: &Signature) -> bool;
}

/// What a check works with: the signer, with an eye on the operations that its errors name.
pub(super) struct SignerCx<'h> {
    pub(super) harness: &'h dyn SignerHarness,
    pub(super) signer: Arc<dyn Signer>,
    misnamed: Mutex<Vec<String>>,
}

/// A check of a signer.
pub(super) type SignerItem = Item<for<'a> fn(&'a SignerCx<'a>) -> Running<'a>>;

/// Every check of the suite for signers.
pub fn signer_checks() -> impl Iterator<Item = &'static Check> {
    super::signer_checks::CHECKS.iter().map(|item| &item.check)
}

/// Runs the suite for signers. No runtime is needed beyond the signer's own.
pub async fn run_signer(harness: &dyn SignerHarness) -> Report {
    let cx = SignerCx { harness, signer: harness.signer(), misnamed: Mutex::default() };
    let mut report = Report::new(harness.title());
    for item in super::signer_checks::CHECKS {
        let outcome = match (item.run)(&cx).await {
            Ok(()) => Outcome::Passed,
            Err(Stop::Failed(failure)) => Outcome::Failed(failure),
            Err(Stop::NotApplicable(because)) => Outcome::NotApplicable { because },
            Err(Stop::NotRun(hook)) => Outcome::NotRun { hook, waived: None },
        };
        report.add(item.check, outcome);
    }
    report
}

impl SignerCx<'_> {
    pub(super) fn misnamed(&self) -> MutexGuard<'_, Vec<String>> {
        self.misnamed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note<T>(&self, operation: Operation, result: Result<T>) -> Result<T> {
        if let Err(error) = &result
            && error.operation() != Some(operation)
        {
            let (kind, operation) = (error.kind().as_str(), operation.as_str());
            self.misnamed().push(format!("`{kind}` error of `{operation}`"));
        }
        result
    }

    pub(super) async fn sign(
        &self,
        key: &KeyRef,
        algorithm: SignatureAlgorithm,
        input: ToSign<'_>,
    ) -> Result<Signature> {
        self.note(Operation::Sign, self.signer.sign(key, algorithm, input).await)
    }

    pub(super) async fn verify(&self, input: ToSign<'_>, signature: &Signature) -> Result<()> {
        self.note(Operation::Verify, self.signer.verify(input, signature).await)
    }

    pub(super) async fn public_key(&self, key: &KeyRef) -> Result<PublicKey> {
        self.note(Operation::PublicKey, self.signer.public_key(key).await)
    }

    /// A signature of the message by the key of these checks.
    pub(super) async fn signed(&self, message: &[u8]) -> Verdict<Signature> {
        let (key, algorithm) = self.harness.key();
        done("sign a message", self.sign(&key, algorithm, ToSign::Message(message)).await)
    }

    /// Fails unless the verification is refused for what the signature is.
    pub(super) async fn is_refused(
        &self,
        step: &'static str,
        message: &[u8],
        signature: &Signature,
    ) -> Verdict {
        let verified = self.verify(ToSign::Message(message), signature).await;
        refused(step, verified, &[ErrorKind::Integrity]).map(drop)
    }
}

use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeySpec, MessageType, SigningAlgorithmSpec};
use secrets_core::{
    ErrorKind, KeyRef, Operation, ProviderId, PublicKey, Result, Signature, SignatureAlgorithm,
    Signer, SignerCapabilities, ToSign, async_trait,
};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::provider::KmsProvider;
use super::wrap::{answered, incomplete};
use crate::error::{Call, send};

/// The longest message that KMS hashes itself, in bytes (API reference, `Sign`).
const MOST_MESSAGE: usize = 4096;

/// The longest signature that KMS takes, in bytes (API reference, `Verify`).
const MOST_SIGNATURE: usize = 6144;

/// KMS calls ECDSA with SHA-256 the same on P-256 and on secp256k1, so a key of the one kind signs
/// when it is asked for the other; [`public_key`](Signer::public_key) tells which it is. ML-DSA, SM2
/// and the prehashed Ed25519 have no place here yet.
#[async_trait]
impl Signer for KmsProvider {
    fn signer_id(&self) -> &ProviderId {
        self.id()
    }

    fn signer_capabilities(&self) -> &SignerCapabilities {
        self.signing()
    }

    async fn sign(
        &self,
        key: &KeyRef,
        algorithm: SignatureAlgorithm,
        input: ToSign<'_>,
    ) -> Result<Signature> {
        // What is signed may be confidential.
        let call = Call::read_secret(Operation::Sign, "Sign");
        let (spec, message) = (spec(&call, algorithm)?, Message::of(&call, algorithm, input)?);
        let (client, target) = self.at(key, Operation::Sign)?;
        let request = client
            .sign()
            .key_id(target.id())
            .signing_algorithm(spec)
            .message(message.bytes)
            .message_type(message.kind)
            .set_grant_tokens(self.tokens());
        let told = send!(call, request)?;
        let key = answered(&call, told.key_id)?;
        let signature = told.signature.ok_or_else(|| incomplete(&call))?;
        Signature::from_der(key, algorithm, signature.as_ref()).map_err(|_| incomplete(&call))
    }

    async fn verify(&self, input: ToSign<'_>, signature: &Signature) -> Result<()> {
        let call = Call::read_secret(Operation::Verify, "Verify");
        let algorithm = signature.algorithm;
        let (spec, message) = (spec(&call, algorithm)?, Message::of(&call, algorithm, input)?);
        let der = signature.to_der().map_err(|error| error.with_operation(Operation::Verify))?;
        if !(1..=MOST_SIGNATURE).contains(&der.len()) {
            return Err(call.own(ErrorKind::Integrity, "not a signature: its length"));
        }
        let (client, target) = self.at(&signature.key, Operation::Verify)?;
        let request = client
            .verify()
            .key_id(target.id())
            .signing_algorithm(spec)
            .message(message.bytes)
            .message_type(message.kind)
            .signature(Blob::new(der))
            .set_grant_tokens(self.tokens());
        // What does not fit is an error of KMS; an answer that says so would be as good.
        let told = send!(call, request)?;
        if told.signature_valid {
            return Ok(());
        }
        Err(call.own(ErrorKind::Integrity, "not this key's signature of it"))
    }

    async fn public_key(&self, key: &KeyRef) -> Result<PublicKey> {
        let call = Call::read(Operation::PublicKey, "GetPublicKey");
        let (client, target) = self.at(key, Operation::PublicKey)?;
        let request = client.get_public_key().key_id(target.id()).set_grant_tokens(self.tokens());
        let told = send!(call, request)?;
        let specs = told.signing_algorithms.unwrap_or_default();
        if specs.is_empty() {
            return Err(call.own(ErrorKind::InvalidValue, "the key does not sign"));
        }
        let algorithms = algorithms(&specs, told.key_spec.as_ref());
        let key = answered(&call, told.key_id)?;
        let spki = told.public_key.ok_or_else(|| incomplete(&call))?;
        Ok(PublicKey::new(key, spki.into_inner(), algorithms))
    }
}

/// What is sent to be signed.
struct Message {
    bytes: Blob,
    kind: MessageType,
}

impl Message {
    fn of(call: &Call, algorithm: SignatureAlgorithm, input: ToSign<'_>) -> Result<Self> {
        let (bytes, kind) = match (input, algorithm.digest_len()) {
            (ToSign::Digest(digest), Some(len)) if digest.len() == len => {
                (digest.to_vec(), MessageType::Digest)
            }
            (ToSign::Digest(_), _) => {
                let message = "the algorithm signs no digest of this length";
                return Err(call.own(ErrorKind::InvalidValue, message));
            }
            // The text of the API reference has messages of no bytes, its model has not.
            (ToSign::Message(message), Some(len))
                if message.is_empty() || message.len() > MOST_MESSAGE =>
            {
                (hashed(message, len), MessageType::Digest)
            }
            (ToSign::Message(message), _) if message.len() <= MOST_MESSAGE => {
                (message.to_vec(), MessageType::Raw)
            }
            _ => {
                let message = "KMS takes messages of up to 4096 bytes where it signs no digests";
                return Err(call.own(ErrorKind::TooLarge, message));
            }
        };
        Ok(Self { bytes: Blob::new(bytes), kind })
    }
}

/// The SHA-2 digest of this length.
fn hashed(message: &[u8], len: usize) -> Vec<u8> {
    match len {
        32 => Sha256::digest(message).to_vec(),
        48 => Sha384::digest(message).to_vec(),
        _ => Sha512::digest(message).to_vec(),
    }
}

fn spec(call: &Call, algorithm: SignatureAlgorithm) -> Result<SigningAlgorithmSpec> {
    NAMES
        .iter()
        .find(|(ours, _)| *ours == algorithm)
        .map(|(_, spec)| spec.clone())
        .ok_or_else(|| call.own(ErrorKind::InvalidValue, "KMS does not sign so"))
}

const NAMES: [(SignatureAlgorithm, SigningAlgorithmSpec); 11] = [
    (SignatureAlgorithm::Ps256, SigningAlgorithmSpec::RsassaPssSha256),
    (SignatureAlgorithm::Ps384, SigningAlgorithmSpec::RsassaPssSha384),
    (SignatureAlgorithm::Ps512, SigningAlgorithmSpec::RsassaPssSha512),
    (SignatureAlgorithm::Rs256, SigningAlgorithmSpec::RsassaPkcs1V15Sha256),
    (SignatureAlgorithm::Rs384, SigningAlgorithmSpec::RsassaPkcs1V15Sha384),
    (SignatureAlgorithm::Rs512, SigningAlgorithmSpec::RsassaPkcs1V15Sha512),
    (SignatureAlgorithm::Es256, SigningAlgorithmSpec::EcdsaSha256),
    (SignatureAlgorithm::Es256k, SigningAlgorithmSpec::EcdsaSha256),
    (SignatureAlgorithm::Es384, SigningAlgorithmSpec::EcdsaSha384),
    (SignatureAlgorithm::Es512, SigningAlgorithmSpec::EcdsaSha512),
    (SignatureAlgorithm::Ed25519, SigningAlgorithmSpec::Ed25519Sha512),
];

/// What a key signs with, as far as it has a name here; the curve decides between two of them.
pub(super) fn algorithms(
    specs: &[SigningAlgorithmSpec],
    key: Option<&KeySpec>,
) -> Vec<SignatureAlgorithm> {
    let other = match key {
        Some(KeySpec::EccSecgP256K1) => SignatureAlgorithm::Es256,
        _ => SignatureAlgorithm::Es256k,
    };
    let named = specs.iter().flat_map(|spec| NAMES.iter().filter(move |(_, own)| own == spec));
    named.map(|(ours, _)| *ours).filter(|ours| *ours != other).collect()
}

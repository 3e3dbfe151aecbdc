use std::fmt;

use async_trait::async_trait;

use crate::capability::Support;
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::key::KeyRef;
use crate::provider::ProviderId;

/// How a signature is made, by its name in JOSE: RFC 7518 §3.1, for [`Es256k`](Self::Es256k) RFC
/// 8812 §3.2, for [`Ed25519`](Self::Ed25519) RFC 9864 §2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256, a salt of 32 bytes.
    Ps256,
    /// RSASSA-PSS with SHA-384, MGF1 with SHA-384, a salt of 48 bytes.
    Ps384,
    /// RSASSA-PSS with SHA-512, MGF1 with SHA-512, a salt of 64 bytes.
    Ps512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on secp256k1 with SHA-256.
    Es256k,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// EdDSA on edwards25519, which hashes the message itself.
    Ed25519,
}

impl SignatureAlgorithm {
    /// The name in a token's header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Es256 => "ES256",
            Self::Es256k => "ES256K",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Ed25519 => "Ed25519",
        }
    }

    /// The length in bytes of the SHA-2 digest that is signed; `None` where the message itself is.
    pub const fn digest_len(self) -> Option<usize> {
        match self {
            Self::Ps256 | Self::Rs256 | Self::Es256 | Self::Es256k => Some(32),
            Self::Ps384 | Self::Rs384 | Self::Es384 => Some(48),
            Self::Ps512 | Self::Rs512 | Self::Es512 => Some(64),
            Self::Ed25519 => None,
        }
    }

    /// The length in bytes of each of the two numbers of an ECDSA signature; `None` for others.
    pub const fn coordinate_len(self) -> Option<usize> {
        match self {
            Self::Es256 | Self::Es256k => Some(32),
            Self::Es384 => Some(48),
            Self::Es512 => Some(66),
            _ => None,
        }
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is signed. Both give the same signature where the digest is that of the message.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToSign<'a> {
    /// The message, of any length that the service takes.
    Message(&'a [u8]),
    /// The message's digest by the algorithm's own hash function, for who hashes a stream or does
    /// not show the message to the service.
    Digest(&'a [u8]),
}

impl fmt::Debug for ToSign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(bytes) => write!(f, "Message({} bytes)", bytes.len()),
            Self::Digest(bytes) => write!(f, "Digest({} bytes)", bytes.len()),
        }
    }
}

/// A signature, in the form that JOSE has for its algorithm: RSA as long as the modulus (RFC 8017),
/// ECDSA as `r` and `s`, big-endian, each as long as the curve's order (RFC 7518 §3.4). Services and
/// X.509 that have the ECDSA pair in DER: [`from_der`](Self::from_der), [`to_der`](Self::to_der).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signature {
    /// The key that signed, by the name that the service has for it.
    pub key: KeyRef,
    /// How.
    pub algorithm: SignatureAlgorithm,
    /// The signature.
    pub bytes: Vec<u8>,
}

impl Signature {
    /// A signature in JOSE's form.
    pub fn new(key: KeyRef, algorithm: SignatureAlgorithm, bytes: Vec<u8>) -> Self {
        Self { key, algorithm, bytes }
    }

    /// A signature as X.509 has it: the ECDSA pair in DER (RFC 3279 §2.2.3), anything else as it is.
    ///
    /// # Errors
    /// `Integrity` when an ECDSA pair is not in DER, or does not fit the curve.
    pub fn from_der(key: KeyRef, algorithm: SignatureAlgorithm, der: &[u8]) -> Result<Self> {
        let bytes = match algorithm.coordinate_len() {
            None => der.to_vec(),
            Some(len) => pair_from_der(der, len).ok_or_else(|| {
                Error::new(ErrorKind::Integrity, "not the two numbers of a signature")
            })?,
        };
        Ok(Self { key, algorithm, bytes })
    }

    /// The signature as X.509 has it.
    ///
    /// # Errors
    /// `Integrity` when the length of an ECDSA signature is not that of its curve.
    pub fn to_der(&self) -> Result<Vec<u8>> {
        let Some(len) = self.algorithm.coordinate_len() else {
            return Ok(self.bytes.clone());
        };
        match self.bytes.split_at_checked(len) {
            Some((r, s)) if s.len() == len => Ok(pair_to_der(r, s)),
            _ => Err(Error::new(ErrorKind::Integrity, "not a signature of this algorithm")),
        }
    }
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

fn pair_to_der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let body: Vec<u8> = [r, s].into_iter().flat_map(integer).collect();
    let mut der = vec![SEQUENCE];
    // At most two numbers of 67 bytes with their headers: one byte tells the length, or 0x81 and one.
    let len = u8::try_from(body.len()).unwrap_or(u8::MAX);
    if len > 0x7f {
        der.push(0x81);
    }
    der.push(len);
    der.extend(body);
    der
}

/// The shortest form of a number that is not negative.
fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..).unwrap_or_default();
    let is_high = digits.first().is_none_or(|first| *first > 0x7f);
    let len = u8::try_from(digits.len()).unwrap_or(u8::MAX);
    let mut der = vec![INTEGER, len.saturating_add(u8::from(is_high))];
    der.extend(is_high.then_some(0));
    der.extend(digits);
    der
}

fn pair_from_der(der: &[u8], len: usize) -> Option<Vec<u8>> {
    let body = match der {
        [SEQUENCE, 0x81, told @ 0x80..=0xff, body @ ..] | [SEQUENCE, told @ ..=0x7f, body @ ..] => {
            (body.len() == usize::from(*told)).then_some(body)?
        }
        _ => return None,
    };
    let (r, rest) = take_integer(body, len)?;
    let (s, rest) = take_integer(rest, len)?;
    rest.is_empty().then(|| [r, s].concat())
}

/// A number in its shortest form, filled up to `len` bytes.
fn take_integer(der: &[u8], len: usize) -> Option<(Vec<u8>, &[u8])> {
    let [INTEGER, told, rest @ ..] = der else { return None };
    let (number, rest) = rest.split_at_checked(usize::from(*told))?;
    let digits = match number {
        [] | [0x80..=0xff, ..] | [0, ..=0x7f, ..] => return None,
        [0, digits @ ..] | digits => digits,
    };
    let mut filled = vec![0; len.checked_sub(digits.len())?];
    filled.extend(digits);
    Some((filled, rest))
}

/// The public half of a signing key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublicKey {
    /// The key, by the name that the service has for it.
    pub key: KeyRef,
    /// `SubjectPublicKeyInfo` in DER (RFC 5280 §4.1.2.7), as verifiers and JWKS tools read it.
    pub spki_der: Vec<u8>,
    /// What it signs with.
    pub algorithms: Vec<SignatureAlgorithm>,
}

impl PublicKey {
    /// A public key.
    pub fn new(key: KeyRef, spki_der: Vec<u8>, algorithms: Vec<SignatureAlgorithm>) -> Self {
        Self { key, spki_der, algorithms }
    }
}

/// What a signer can do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignerCapabilities {
    /// Whether the service verifies. Verifying with the public key needs no service.
    pub verify: Support,
}

impl SignerCapabilities {
    /// Signs; `verify` says whether it verifies.
    pub const fn new(verify: Support) -> Self {
        Self { verify }
    }
}

/// A service that signs with keys that never leave it.
#[async_trait]
pub trait Signer: fmt::Debug + Send + Sync + 'static {
    /// Which service, and as whom.
    fn signer_id(&self) -> &ProviderId;

    /// What it can do.
    fn signer_capabilities(&self) -> &SignerCapabilities;

    /// Signs.
    ///
    /// # Errors
    /// `NotFound` for an unknown key; `InvalidValue` when the key does not sign so, or a digest has
    /// another length than the algorithm's; `TooLarge`; `Disabled`; `PermissionDenied`; or that it
    /// cannot be reached.
    async fn sign(
        &self,
        key: &KeyRef,
        algorithm: SignatureAlgorithm,
        input: ToSign<'_>,
    ) -> Result<Signature>;

    /// Verifies in the service. Take the key and the algorithm from what you trust, not from what
    /// came with the message.
    ///
    /// # Errors
    /// `Integrity` when this is not this key's signature of it; otherwise as [`sign`](Self::sign).
    async fn verify(&self, _input: ToSign<'_>, _signature: &Signature) -> Result<()> {
        Err(Error::unsupported(Operation::Verify, "verify with the public key"))
    }

    /// The public half of a key, for verifiers that need not call the service.
    ///
    /// # Errors
    /// `NotFound` for an unknown key; `InvalidValue` for one that does not sign.
    async fn public_key(&self, key: &KeyRef) -> Result<PublicKey>;
}

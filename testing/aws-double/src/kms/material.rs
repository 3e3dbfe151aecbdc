//! The secret part of a key: AES keys one after the other, a key pair, or an HMAC key. It never leaves the double.

use std::fmt;
use std::time::SystemTime;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair as _, ParsedPublicKey, RsaKeyPair};
use aws_lc_rs::{digest, hmac, rand};

use super::spec::{KeySpec, Scheme, Signing};
use crate::random;

/// The random source failed, or a key was refused: the answer is `KMSInternalException`.
#[derive(Debug)]
pub(super) struct Failed;

impl From<aws_lc_rs::error::Unspecified> for Failed {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

/// What a key computes with.
pub(super) enum Material {
    /// One AES-256 key for each rotation; the last one is the current one. Empty while an import is pending.
    Symmetric(Vec<AesMaterial>),
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Mac(Box<hmac::Key>),
}

/// Shows the kind alone.
impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Symmetric(_) => "Symmetric(..)",
            Self::Rsa(_) => "Rsa(..)",
            Self::Ecdsa(_) => "Ecdsa(..)",
            Self::Mac(_) => "Mac(..)",
        })
    }
}

/// How a key material came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rotated {
    First,
    Automatically,
    OnDemand,
}

/// One AES-256 key of a symmetric KMS key.
pub(super) struct AesMaterial {
    /// 64 hexadecimal digits (SDK: `KeyMaterialId`).
    pub(super) id: String,
    pub(super) since: SystemTime,
    pub(super) rotated: Rotated,
    key: LessSafeKey,
}

impl AesMaterial {
    pub(super) fn generate(since: SystemTime, rotated: Rotated) -> Result<Self, Failed> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes)?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes)?;
        let id = hex(digest::digest(&digest::SHA256, random::uuid().as_bytes()).as_ref());
        Ok(Self { id, since, rotated, key: LessSafeKey::new(key) })
    }

    /// Seals: the nonce, then the ciphertext with its tag.
    pub(super) fn seal(&self, plaintext: &[u8], bound: &[u8]) -> Result<Vec<u8>, Failed> {
        let mut nonce = [0; 12];
        rand::fill(&mut nonce)?;
        let mut sealed = plaintext.to_vec();
        self.key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(bound),
            &mut sealed,
        )?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`seal`](Self::seal) made; `None` if anything about it differs.
    pub(super) fn open(&self, sealed: &[u8], bound: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<12>()?;
        let mut buffer = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.key.open_in_place(nonce, Aad::from(bound), &mut buffer).ok()?;
        Some(opened.to_vec())
    }
}

impl Material {
    pub(super) fn generate(spec: KeySpec, now: SystemTime) -> Result<Self, Failed> {
        let rsa = |size| RsaKeyPair::generate(size).map(Self::Rsa);
        let ecdsa = |algorithm| EcdsaKeyPair::generate(algorithm).map(Self::Ecdsa);
        Ok(match spec {
            KeySpec::Symmetric => {
                Self::Symmetric(vec![AesMaterial::generate(now, Rotated::First)?])
            }
            KeySpec::Rsa2048 => rsa(KeySize::Rsa2048)?,
            KeySpec::Rsa3072 => rsa(KeySize::Rsa3072)?,
            KeySpec::Rsa4096 => rsa(KeySize::Rsa4096)?,
            KeySpec::P256 => ecdsa(&signature::ECDSA_P256_SHA256_ASN1_SIGNING)?,
            KeySpec::P384 => ecdsa(&signature::ECDSA_P384_SHA384_ASN1_SIGNING)?,
            KeySpec::P521 => ecdsa(&signature::ECDSA_P521_SHA512_ASN1_SIGNING)?,
            KeySpec::Hmac224 | KeySpec::Hmac256 | KeySpec::Hmac384 | KeySpec::Hmac512 => {
                let (_, algorithm) = spec.mac_algorithm().ok_or(Failed)?;
                Self::Mac(Box::new(hmac::Key::generate(algorithm, &rand::SystemRandom::new())?))
            }
        })
    }

    /// The materials of a symmetric key, oldest first.
    pub(super) fn rotations(&self) -> &[AesMaterial] {
        match self {
            Self::Symmetric(materials) => materials,
            _ => &[],
        }
    }

    /// The material that a symmetric key encrypts with now.
    pub(super) fn current(&self) -> Option<&AesMaterial> {
        self.rotations().last()
    }

    /// The public key as DER-encoded `SubjectPublicKeyInfo` (RFC 5280, section 4.1.2.7).
    pub(super) fn public_key(&self) -> Option<Vec<u8>> {
        match self {
            Self::Rsa(pair) => Some(pair.public_key().as_der().ok()?.as_ref().to_vec()),
            Self::Ecdsa(pair) => Some(pair.public_key().as_der().ok()?.as_ref().to_vec()),
            _ => None,
        }
    }

    /// Signs a digest.
    pub(super) fn sign(&self, how: &Signing, digest: &digest::Digest) -> Result<Vec<u8>, Failed> {
        match (self, &how.scheme) {
            (Self::Rsa(pair), Scheme::Rsa(encoding)) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(*encoding, digest, &mut signature)?;
                Ok(signature)
            }
            (Self::Ecdsa(pair), Scheme::Ecdsa) => Ok(pair.sign_digest(digest)?.as_ref().to_vec()),
            _ => Err(Failed),
        }
    }

    /// Whether this signature is of this digest.
    pub(super) fn verifies(
        &self,
        how: &Signing,
        digest: &digest::Digest,
        signature: &[u8],
    ) -> bool {
        self.public_key()
            .and_then(|der| ParsedPublicKey::new(how.verification, der).ok())
            .is_some_and(|key| key.verify_digest_sig(digest, signature).is_ok())
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

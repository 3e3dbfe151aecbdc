//! What kinds of keys there are (`KeySpec`, `KeyUsage`), and the algorithms of each.
//!
//! Source: the documentation of `CreateKey`'s `KeySpec` and of `SigningAlgorithmSpec`, `MacAlgorithmSpec` in aws-sdk-kms.

use aws_lc_rs::{digest, hmac, signature};

/// A key spec the double has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeySpec {
    Symmetric,
    Rsa2048,
    Rsa3072,
    Rsa4096,
    P256,
    P384,
    P521,
    Hmac224,
    Hmac256,
    Hmac384,
    Hmac512,
}

/// Names of specs, as they are written.
const SPECS: [(&str, KeySpec); 11] = [
    ("SYMMETRIC_DEFAULT", KeySpec::Symmetric),
    ("RSA_2048", KeySpec::Rsa2048),
    ("RSA_3072", KeySpec::Rsa3072),
    ("RSA_4096", KeySpec::Rsa4096),
    ("ECC_NIST_P256", KeySpec::P256),
    ("ECC_NIST_P384", KeySpec::P384),
    ("ECC_NIST_P521", KeySpec::P521),
    ("HMAC_224", KeySpec::Hmac224),
    ("HMAC_256", KeySpec::Hmac256),
    ("HMAC_384", KeySpec::Hmac384),
    ("HMAC_512", KeySpec::Hmac512),
];

const RSA_ALGORITHMS: &[&str] = &[
    "RSASSA_PSS_SHA_256",
    "RSASSA_PSS_SHA_384",
    "RSASSA_PSS_SHA_512",
    "RSASSA_PKCS1_V1_5_SHA_256",
    "RSASSA_PKCS1_V1_5_SHA_384",
    "RSASSA_PKCS1_V1_5_SHA_512",
];

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    EncryptDecrypt,
    SignVerify,
    GenerateVerifyMac,
}

impl Usage {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::EncryptDecrypt => "ENCRYPT_DECRYPT",
            Self::SignVerify => "SIGN_VERIFY",
            Self::GenerateVerifyMac => "GENERATE_VERIFY_MAC",
        }
    }
}

impl KeySpec {
    pub(super) fn parse(name: &str) -> Option<Self> {
        SPECS.iter().find(|(known, _)| *known == name).map(|(_, spec)| *spec)
    }

    pub(super) fn name(self) -> &'static str {
        SPECS.iter().find(|(_, spec)| *spec == self).map_or("", |(name, _)| *name)
    }

    /// The one usage that the double gives each spec. (AWS also has RSA keys that encrypt and curves that agree on keys.)
    pub(super) fn usage(self) -> Usage {
        match self {
            Self::Symmetric => Usage::EncryptDecrypt,
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => Usage::SignVerify,
            Self::P256 | Self::P384 | Self::P521 => Usage::SignVerify,
            Self::Hmac224 | Self::Hmac256 | Self::Hmac384 | Self::Hmac512 => {
                Usage::GenerateVerifyMac
            }
        }
    }

    /// The signing algorithms of an asymmetric key.
    pub(super) fn signing_algorithms(self) -> &'static [&'static str] {
        match self {
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => RSA_ALGORITHMS,
            Self::P256 => &["ECDSA_SHA_256"],
            Self::P384 => &["ECDSA_SHA_384"],
            Self::P521 => &["ECDSA_SHA_512"],
            _ => &[],
        }
    }

    /// The one algorithm of an HMAC key, and what computes it.
    pub(super) fn mac_algorithm(self) -> Option<(&'static str, hmac::Algorithm)> {
        match self {
            Self::Hmac224 => Some(("HMAC_SHA_224", hmac::HMAC_SHA224)),
            Self::Hmac256 => Some(("HMAC_SHA_256", hmac::HMAC_SHA256)),
            Self::Hmac384 => Some(("HMAC_SHA_384", hmac::HMAC_SHA384)),
            Self::Hmac512 => Some(("HMAC_SHA_512", hmac::HMAC_SHA512)),
            _ => None,
        }
    }
}

/// A signing algorithm by its name.
pub(super) struct Signing {
    pub(super) digest: &'static digest::Algorithm,
    pub(super) scheme: Scheme,
    pub(super) verification: &'static dyn signature::VerificationAlgorithm,
}

/// How a digest becomes a signature.
pub(super) enum Scheme {
    Rsa(&'static dyn signature::RsaEncoding),
    Ecdsa,
}

impl Signing {
    /// The algorithm, if the double's keys have it. The salt of PSS is as long as the digest, as KMS documents.
    pub(super) fn parse(name: &str) -> Option<Self> {
        use signature as s;
        let rsa = |digest, encoding, verification| Self {
            digest,
            scheme: Scheme::Rsa(encoding),
            verification,
        };
        let ecdsa = |digest, verification| Self { digest, scheme: Scheme::Ecdsa, verification };
        Some(match name {
            "RSASSA_PSS_SHA_256" => {
                rsa(&digest::SHA256, &s::RSA_PSS_SHA256, &s::RSA_PSS_2048_8192_SHA256)
            }
            "RSASSA_PSS_SHA_384" => {
                rsa(&digest::SHA384, &s::RSA_PSS_SHA384, &s::RSA_PSS_2048_8192_SHA384)
            }
            "RSASSA_PSS_SHA_512" => {
                rsa(&digest::SHA512, &s::RSA_PSS_SHA512, &s::RSA_PSS_2048_8192_SHA512)
            }
            "RSASSA_PKCS1_V1_5_SHA_256" => {
                rsa(&digest::SHA256, &s::RSA_PKCS1_SHA256, &s::RSA_PKCS1_2048_8192_SHA256)
            }
            "RSASSA_PKCS1_V1_5_SHA_384" => {
                rsa(&digest::SHA384, &s::RSA_PKCS1_SHA384, &s::RSA_PKCS1_2048_8192_SHA384)
            }
            "RSASSA_PKCS1_V1_5_SHA_512" => {
                rsa(&digest::SHA512, &s::RSA_PKCS1_SHA512, &s::RSA_PKCS1_2048_8192_SHA512)
            }
            "ECDSA_SHA_256" => ecdsa(&digest::SHA256, &s::ECDSA_P256_SHA256_ASN1),
            "ECDSA_SHA_384" => ecdsa(&digest::SHA384, &s::ECDSA_P384_SHA384_ASN1),
            "ECDSA_SHA_512" => ecdsa(&digest::SHA512, &s::ECDSA_P521_SHA512_ASN1),
            _ => return None,
        })
    }
}

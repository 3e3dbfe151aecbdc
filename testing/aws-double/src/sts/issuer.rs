//! Issuers of web identity tokens (OpenID Connect providers), and the tokens they sign.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::random;

/// An issuer with a key of its own: it signs tokens by ES256 (RFC 7518, section 3.4).
pub struct Issuer {
    url: String,
    key_id: String,
    key: EcdsaKeyPair,
}

impl Issuer {
    /// An issuer with a new key.
    ///
    /// # Errors
    ///
    /// If no key could be made: the random source failed.
    pub fn generate(url: &str) -> std::io::Result<Self> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| std::io::Error::other("the random source failed"))?;
        Ok(Self { url: url.to_owned(), key_id: random::uuid(), key })
    }

    /// The value of `iss`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A token with these claims (`sub`, `aud`, `exp` in seconds since the epoch, …); `iss` is this issuer unless they say
    /// otherwise.
    ///
    /// # Errors
    ///
    /// If the signature could not be made.
    pub fn token(&self, claims: &Value) -> std::io::Result<String> {
        let mut all = json!({ "iss": self.url });
        if let (Some(all), Some(claims)) = (all.as_object_mut(), claims.as_object()) {
            all.extend(claims.clone());
        }
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": self.key_id });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&all));
        let signature = self
            .key
            .sign(&SystemRandom::new(), signed.as_bytes())
            .map_err(|_| std::io::Error::other("the random source failed"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref())))
    }
}

/// Shows no key.
impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("url", &self.url).finish_non_exhaustive()
    }
}

/// How an issuer answers STS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum IssuerState {
    /// As it should.
    #[default]
    Well,
    /// It says that the claim is no longer good: `IDPRejectedClaim`.
    RejectsClaims,
    /// It cannot be reached: `IDPCommunicationError`, which the caller may try again.
    Unreachable,
}

/// The providers that accounts know.
///
/// Clones are the same table.
#[derive(Debug, Clone, Default)]
pub struct Issuers {
    known: Arc<Mutex<BTreeMap<String, Provider>>>,
}

#[derive(Debug, Clone)]
pub(super) struct Provider {
    pub(super) arn: String,
    pub(super) audiences: Vec<String>,
    pub(super) state: IssuerState,
    key_id: String,
    public: Vec<u8>,
}

impl Issuers {
    /// Makes an issuer known to an account, for tokens to these audiences: the ARN of the provider.
    pub fn add(&self, account: &str, issuer: &Issuer, audiences: &[&str]) -> String {
        let arn = provider_arn(account, &issuer.url);
        let provider = Provider {
            arn: arn.clone(),
            audiences: audiences.iter().map(|&audience| audience.to_owned()).collect(),
            state: IssuerState::Well,
            key_id: issuer.key_id.clone(),
            public: issuer.key.public_key().as_ref().to_vec(),
        };
        self.known().insert(arn.clone(), provider);
        arn
    }

    /// Sets how a provider answers, by its ARN.
    pub fn set_state(&self, provider: &str, state: IssuerState) {
        if let Some(provider) = self.known().get_mut(provider) {
            provider.state = state;
        }
    }

    pub(super) fn find(&self, account: &str, issuer: &str) -> Option<Provider> {
        self.known().get(&provider_arn(account, issuer)).cloned()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Provider>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Provider {
    /// Whether the provider's key of this id signed this.
    pub(super) fn signed(&self, key_id: Option<&str>, message: &[u8], signature: &[u8]) -> bool {
        key_id == Some(&self.key_id)
            && UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.public)
                .verify(message, signature)
                .is_ok()
    }
}

/// An issuer without its scheme, as it stands in ARNs and condition keys.
pub(super) fn host(issuer: &str) -> &str {
    issuer.strip_prefix("https://").unwrap_or(issuer).trim_end_matches('/')
}

pub(super) fn provider_arn(account: &str, issuer: &str) -> String {
    format!("arn:aws:iam::{account}:oidc-provider/{}", host(issuer))
}

//! Web identity tokens: JWTs (RFC 7519) signed by a registered issuer.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::issuer::{IssuerState, Issuers, Provider};
use crate::service::Refusal;

/// A token that was found good.
pub(super) struct Verified {
    pub(super) provider: Provider,
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) audience: String,
}

fn invalid(why: &str) -> Refusal {
    Refusal::new("InvalidIdentityToken", why)
}

/// A token, taken apart. Nothing of it is true yet.
struct Parts {
    header: Value,
    claims: Value,
    signed: String,
    signature: Vec<u8>,
}

impl Parts {
    fn read(token: &str) -> Option<Self> {
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, signature] = parts.as_slice() else {
            return None;
        };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let json = |part: &str| serde_json::from_slice::<Value>(&decode(part)?).ok();
        Some(Self {
            header: json(header)?,
            claims: json(claims)?,
            signed: format!("{header}.{claims}"),
            signature: decode(signature)?,
        })
    }

    fn claim(&self, name: &str) -> &str {
        self.claims.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether the provider's key signed it, by the algorithm of that key: what the header names as such is the sender's word.
    fn is_signed_by(&self, provider: &Provider) -> bool {
        let key_id = self.header.get("kid").and_then(Value::as_str);
        provider.signed(key_id, self.signed.as_bytes(), &self.signature)
    }

    fn is_alive(&self, now: SystemTime) -> Result<(), Refusal> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let expires = self.claims.get("exp").and_then(Value::as_u64);
        let expires = expires.ok_or_else(|| invalid("Missing a required claim: exp"))?;
        if now < expires {
            return Ok(());
        }
        let text = format!(
            "Token expired: current date/time {now} must be before the expiration date/time {expires}"
        );
        Err(Refusal::new("ExpiredTokenException", text))
    }
}

/// Verifies a token for the account of a role: its form, issuer, signature, expiry, audience, in this order.
pub(super) fn verify(
    token: &str,
    account: &str,
    issuers: &Issuers,
    now: SystemTime,
) -> Result<Verified, Refusal> {
    let parts = Parts::read(token).ok_or_else(|| {
        invalid(
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
        )
    })?;
    let issuer = parts.claim("iss").to_owned();
    let provider = issuers.find(account, &issuer).ok_or_else(|| {
        invalid(&format!("No OpenIDConnect provider found in your account for {issuer}"))
    })?;
    if provider.state == IssuerState::Unreachable {
        let text = "The identity provider could not be reached.";
        return Err(Refusal::new("IDPCommunicationError", text));
    }
    if !parts.is_signed_by(&provider) {
        return Err(invalid(
            "Couldn't retrieve verification key from your identity provider, please reference \
             AssumeRoleWithWebIdentity documentation for requirements",
        ));
    }
    parts.is_alive(now)?;
    let audience = audience(&parts.claims, &provider);
    let audience = audience.ok_or_else(|| invalid("Incorrect token audience"))?;
    let subject = parts.claim("sub").to_owned();
    if subject.is_empty() {
        return Err(invalid("Missing a required claim: sub"));
    }
    if provider.state == IssuerState::RejectsClaims {
        let text = "The identity provider rejected the claim.";
        return Err(Refusal::new("IDPRejectedClaim", text).with_status(403));
    }
    Ok(Verified { provider, issuer, subject, audience })
}

/// The audience that the provider is registered for: `aud` is a text or a list of them.
fn audience(claims: &Value, provider: &Provider) -> Option<String> {
    let named: Vec<&str> = match claims.get("aud")? {
        Value::String(one) => vec![one],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    named
        .into_iter()
        .find(|name| provider.audiences.iter().any(|audience| audience == name))
        .map(str::to_owned)
}

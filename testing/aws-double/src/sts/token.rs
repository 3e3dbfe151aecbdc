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

/// Verifies a token for the account of a role: its form, issuer, signature, expiry, audience, in this order.
pub(super) fn verify(
    token: &str,
    account: &str,
    issuers: &Issuers,
    now: SystemTime,
) -> Result<Verified, Refusal> {
    const NO_JWT: &str = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)";
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else {
        return Err(invalid(NO_JWT));
    };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let json =
        |part: &str| decode(part).and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let (Some(header_json), Some(claims_json), Some(signature)) =
        (json(header), json(claims), decode(signature))
    else {
        return Err(invalid(NO_JWT));
    };
    let claim = |name: &str| claims_json.get(name).and_then(Value::as_str).unwrap_or_default();
    let issuer = claim("iss");
    let provider = issuers.find(account, issuer).ok_or_else(|| {
        invalid(&format!("No OpenIDConnect provider found in your account for {issuer}"))
    })?;
    if provider.state == IssuerState::Unreachable {
        let text = "The identity provider could not be reached.";
        return Err(Refusal::new("IDPCommunicationError", text));
    }
    let text = |name: &str| header_json.get(name).and_then(Value::as_str);
    let signed = format!("{header}.{claims}");
    // Nothing but the algorithm of the registered key: the header is the sender's word.
    if text("alg") != Some("ES256") || !provider.signed(text("kid"), signed.as_bytes(), &signature)
    {
        return Err(invalid(
            "Couldn't retrieve verification key from your identity provider, please reference \
             AssumeRoleWithWebIdentity documentation for requirements",
        ));
    }
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let expires = claims_json
        .get("exp")
        .and_then(Value::as_u64)
        .ok_or_else(|| invalid("Missing a required claim: exp"))?;
    if expires <= seconds {
        return Err(Refusal::new(
            "ExpiredTokenException",
            format!(
                "Token expired: current date/time {seconds} must be before the expiration date/time {expires}"
            ),
        ));
    }
    let audience =
        audience(&claims_json, &provider).ok_or_else(|| invalid("Incorrect token audience"))?;
    let subject = claim("sub");
    if subject.is_empty() {
        return Err(invalid("Missing a required claim: sub"));
    }
    if provider.state == IssuerState::RejectsClaims {
        let text = "The identity provider rejected the claim.";
        return Err(Refusal::new("IDPRejectedClaim", text).with_status(403));
    }
    Ok(Verified { issuer: issuer.to_owned(), subject: subject.to_owned(), audience, provider })
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

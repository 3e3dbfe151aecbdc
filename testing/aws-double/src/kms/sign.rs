//! Signatures and message authentication codes.

use aws_lc_rs::{digest, hmac};
use serde_json::{Value, json};

use super::ask::Ask;
use super::input::{base64, invalid};
use super::key::Key;
use super::material::Material;
use super::spec::{Signing, Usage};
use super::{State, refuse};
use crate::service::Refusal;

/// The longest message, in bytes (SDK: `Sign`, `GenerateMac`).
const MESSAGE: usize = 4_096;
/// The longest signature, and code, that is looked at (SDK: `Verify`, `VerifyMac`).
const SIGNATURE: usize = 6_144;

/// The algorithm and the digest to be signed: of the message, or the message itself if `MessageType` says so.
fn signing<'a>(ask: &Ask<'a>) -> Result<(&'a str, Signing, digest::Digest), Refusal> {
    let name = ask.input.required("SigningAlgorithm")?;
    let message = ask.input.blob("Message", MESSAGE)?;
    let how = Signing::parse(name).ok_or_else(|| {
        let known = "Member must satisfy enum value set: the signing algorithms of the double";
        invalid(name, "SigningAlgorithm", known)
    })?;
    let digest = match ask.input.text("MessageType")? {
        None | Some("RAW") => digest::digest(how.digest, &message),
        Some("DIGEST") => digest::Digest::import_less_safe(&message, how.digest).map_err(|_| {
            let text = format!("Digest is invalid length for algorithm {name}.");
            Refusal::new("ValidationException", text)
        })?,
        Some(other) => {
            let known = "Member must satisfy enum value set: [RAW, DIGEST]";
            return Err(invalid(other, "MessageType", known));
        }
    };
    Ok((name, how, digest))
}

/// The key to sign with or to verify by: for signing, and with this algorithm.
fn signer<'s>(
    state: &'s mut State,
    ask: &Ask<'_>,
    op: &str,
    algorithm: &str,
) -> Result<&'s Key, Refusal> {
    let key = state.usable(ask, op, ask.input.required("KeyId")?)?;
    key.is_for(Usage::SignVerify, op)?;
    if !key.spec.signing_algorithms().contains(&algorithm) {
        let text =
            format!("Algorithm {algorithm} is incompatible with key spec {}.", key.spec.name());
        return Err(Refusal::new("InvalidKeyUsageException", text));
    }
    if ask.dry_run()? {
        return Err(refuse::dry_run());
    }
    Ok(key)
}

/// `Sign`.
pub(super) fn sign(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let (name, how, digest) = signing(ask)?;
    let key = signer(state, ask, "Sign", name)?;
    let signature = key.material.sign(&how, &digest)?;
    Ok(json!({ "KeyId": key.arn, "Signature": base64(&signature), "SigningAlgorithm": name }))
}

/// `Verify`: a signature that is none is an error, never `SignatureValid: false` (SDK).
pub(super) fn verify(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let (name, how, digest) = signing(ask)?;
    let signature = ask.input.blob("Signature", SIGNATURE)?;
    let key = signer(state, ask, "Verify", name)?;
    if !key.material.verifies(&how, &digest, &signature) {
        return Err(Refusal::new("KMSInvalidSignatureException", ""));
    }
    Ok(json!({ "KeyId": key.arn, "SignatureValid": true, "SigningAlgorithm": name }))
}

/// `GetPublicKey`.
pub(super) fn public_key(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let key = state.usable(ask, "GetPublicKey", ask.input.required("KeyId")?)?;
    let Some(der) = key.material.public_key() else {
        return Err(refuse::unsupported(&format!("{} has no public key.", key.arn)));
    };
    Ok(json!({
        "KeyId": key.arn,
        "PublicKey": base64(&der),
        "CustomerMasterKeySpec": key.spec.name(),
        "KeySpec": key.spec.name(),
        "KeyUsage": key.spec.usage().name(),
        "SigningAlgorithms": key.spec.signing_algorithms(),
    }))
}

/// The HMAC key to use, and the name of its algorithm.
fn mac_key<'s>(
    state: &'s mut State,
    ask: &Ask<'_>,
    op: &str,
) -> Result<(&'s Key, &'s hmac::Key, &'static str), Refusal> {
    let wanted = ask.input.required("MacAlgorithm")?;
    let key = state.usable(ask, op, ask.input.required("KeyId")?)?;
    key.is_for(Usage::GenerateVerifyMac, op)?;
    let (name, _) = key.spec.mac_algorithm().ok_or_else(refuse::internal)?;
    if wanted != name {
        let text = format!("Algorithm {wanted} is incompatible with key spec {}.", key.spec.name());
        return Err(Refusal::new("InvalidKeyUsageException", text));
    }
    if ask.dry_run()? {
        return Err(refuse::dry_run());
    }
    match &key.material {
        Material::Mac(own) => Ok((key, own, name)),
        _ => Err(refuse::internal()),
    }
}

/// `GenerateMac`.
pub(super) fn mac(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let message = ask.input.blob("Message", MESSAGE)?;
    let (key, own, name) = mac_key(state, ask, "GenerateMac")?;
    let code = hmac::sign(own, &message);
    Ok(json!({ "KeyId": key.arn, "Mac": base64(code.as_ref()), "MacAlgorithm": name }))
}

/// `VerifyMac`: a code that is none is an error, never `MacValid: false` (SDK).
pub(super) fn verify_mac(state: &mut State, ask: &Ask<'_>) -> Result<Value, Refusal> {
    let message = ask.input.blob("Message", MESSAGE)?;
    let code = ask.input.blob("Mac", SIGNATURE)?;
    let (key, own, name) = mac_key(state, ask, "VerifyMac")?;
    if hmac::verify(own, &message, &code).is_err() {
        return Err(Refusal::new("KMSInvalidMacException", ""));
    }
    Ok(json!({ "KeyId": key.arn, "MacValid": true, "MacAlgorithm": name }))
}

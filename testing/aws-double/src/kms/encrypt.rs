//! Encryption under symmetric keys, and data keys.

use aws_lc_rs::{hmac, rand};
use serde_json::{Value, json};

use super::ask::{Ask, Context};
use super::blob::{Blob, bind};
use super::input::{base64, invalid};
use super::key::{Key, Needs};
use super::spec::Usage;
use super::{Accept, State, refuse};
use crate::service::Refusal;

/// The most that `Encrypt` takes (SDK: `Encrypt`, "up to 4,096 bytes").
const PLAINTEXT: usize = 4_096;
/// The longest ciphertext (SDK: `Decrypt`).
const CIPHERTEXT: usize = 6_144;

/// `SYMMETRIC_DEFAULT` is the one algorithm of a symmetric key.
fn algorithm(ask: &Ask<'_>, at: &str) -> Result<(), Refusal> {
    match ask.input.text(at)? {
        None | Some("SYMMETRIC_DEFAULT") => Ok(()),
        Some(other) => Err(Refusal::new(
            "InvalidKeyUsageException",
            format!("The algorithm {other} is not valid for a symmetric encryption key."),
        )),
    }
}

/// A sealed plaintext, and with which material.
struct Sealed {
    blob: Vec<u8>,
    material: String,
}

fn seal(key: &Key, over: &hmac::Key, text: &[u8], context: &Context) -> Result<Sealed, Refusal> {
    let material = key.material.current().ok_or_else(refuse::internal)?;
    let sealed = material.seal(text, &bind(&key.arn, context))?;
    let blob = Blob { key: &key.arn, material: &material.id, sealed: &sealed };
    let blob = blob.write(over).ok_or_else(refuse::internal)?;
    Ok(Sealed { blob, material: material.id.clone() })
}

/// An opened ciphertext, by which key, and by which of its materials.
struct Opened {
    plaintext: Vec<u8>,
    key: String,
    material: String,
}

/// Opens a ciphertext with the key it names; `KeyId`, if given, must be that one.
fn open(
    state: &mut State,
    ask: &Ask<'_>,
    over: &hmac::Key,
    op: &str,
    named_at: &str,
) -> Result<Opened, Refusal> {
    let bytes = ask.input.blob("CiphertextBlob", CIPHERTEXT)?;
    let wanted = match ask.input.text(named_at)? {
        Some(reference) => Some(state.find(ask, reference, Accept::KeysAndAliases)?),
        None => None,
    };
    if let Some(wanted) = &wanted {
        let key = state.key(wanted)?;
        state.authorize(ask, key, op)?;
        key.is_ready(Needs::Enabled, state.leaving)?;
        key.is_for(Usage::EncryptDecrypt, op)?;
    }
    let blob = Blob::read(&bytes, over).ok_or_else(refuse::invalid_ciphertext)?;
    if wanted.is_some_and(|wanted| wanted != blob.key) {
        return Err(refuse::incorrect_key());
    }
    let own = blob.key.split(':').nth(4) == Some(&ask.identity.account);
    let here = blob.key.split(':').nth(3) == Some(ask.region);
    let key = match state.key(blob.key) {
        Ok(key) if here => key,
        Err(missing) if here && own => return Err(missing),
        _ => return Err(refuse::hidden_key()),
    };
    state.authorize(ask, key, op)?;
    key.is_ready(Needs::Enabled, state.leaving)?;
    let context = ask.context.cloned().unwrap_or_default();
    let plaintext = key
        .material
        .rotations()
        .iter()
        .find(|material| material.id == blob.material)
        .and_then(|material| material.open(blob.sealed, &bind(&key.arn, &context)))
        .ok_or_else(refuse::invalid_ciphertext)?;
    Ok(Opened { plaintext, key: key.arn.clone(), material: blob.material.to_owned() })
}

/// `Encrypt`.
pub(super) fn encrypt(
    state: &mut State,
    ask: &Ask<'_>,
    over: &hmac::Key,
) -> Result<Value, Refusal> {
    let context = ask.input.map("EncryptionContext")?;
    let ask = &ask.with_context(&context);
    let reference = ask.input.required("KeyId")?;
    let plaintext = ask.input.blob("Plaintext", PLAINTEXT)?;
    algorithm(ask, "EncryptionAlgorithm")?;
    let key = state.usable(ask, "Encrypt", reference)?;
    key.is_for(Usage::EncryptDecrypt, "Encrypt")?;
    if ask.dry_run()? {
        return Err(refuse::dry_run());
    }
    let sealed = seal(key, over, &plaintext, &context)?;
    Ok(json!({
        "CiphertextBlob": base64(&sealed.blob),
        "KeyId": key.arn,
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
    }))
}

/// `Decrypt`.
pub(super) fn decrypt(
    state: &mut State,
    ask: &Ask<'_>,
    over: &hmac::Key,
) -> Result<Value, Refusal> {
    let context = ask.input.map("EncryptionContext")?;
    let ask = &ask.with_context(&context);
    algorithm(ask, "EncryptionAlgorithm")?;
    let opened = open(state, ask, over, "Decrypt", "KeyId")?;
    if ask.dry_run()? {
        return Err(refuse::dry_run());
    }
    Ok(json!({
        "KeyId": opened.key,
        "Plaintext": base64(&opened.plaintext),
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "KeyMaterialId": opened.material,
    }))
}

/// `ReEncrypt`: `kms:ReEncryptFrom` on the one key, `kms:ReEncryptTo` on the other.
pub(super) fn re_encrypt(
    state: &mut State,
    ask: &Ask<'_>,
    over: &hmac::Key,
) -> Result<Value, Refusal> {
    let from = ask.input.map("SourceEncryptionContext")?;
    let to = ask.input.map("DestinationEncryptionContext")?;
    let destination = ask.input.required("DestinationKeyId")?;
    algorithm(ask, "SourceEncryptionAlgorithm")?;
    algorithm(ask, "DestinationEncryptionAlgorithm")?;
    let opened = open(state, &ask.with_context(&from), over, "ReEncryptFrom", "SourceKeyId")?;
    let key = state.usable(&ask.with_context(&to), "ReEncryptTo", destination)?;
    key.is_for(Usage::EncryptDecrypt, "ReEncrypt")?;
    if ask.dry_run()? {
        return Err(refuse::dry_run());
    }
    let sealed = seal(key, over, &opened.plaintext, &to)?;
    Ok(json!({
        "CiphertextBlob": base64(&sealed.blob),
        "SourceKeyId": opened.key,
        "KeyId": key.arn,
        "SourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "DestinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "SourceKeyMaterialId": opened.material,
        "DestinationKeyMaterialId": sealed.material,
    }))
}

/// How long the data key is to be: `KeySpec` or `NumberOfBytes`, one of the two.
fn length(ask: &Ask<'_>) -> Result<usize, Refusal> {
    let number = ask.input.number("NumberOfBytes", 1, 1_024)?;
    match (ask.input.text("KeySpec")?, number) {
        (Some("AES_256"), None) => Ok(32),
        (Some("AES_128"), None) => Ok(16),
        (Some(other), None) => {
            let known = "Member must satisfy enum value set: [AES_256, AES_128]";
            Err(invalid(other, "KeySpec", known))
        }
        (None, Some(number)) => Ok(usize::try_from(number).unwrap_or_default()),
        _ => Err(Refusal::new(
            "ValidationException",
            "Please specify either number of bytes or key spec.",
        )),
    }
}

/// A data key and the answer that both operations have in common.
fn generate(
    state: &mut State,
    ask: &Ask<'_>,
    over: &hmac::Key,
    op: &str,
) -> Result<(Vec<u8>, Value), Refusal> {
    let context = ask.input.map("EncryptionContext")?;
    let ask = &ask.with_context(&context);
    let reference = ask.input.required("KeyId")?;
    let mut bytes = vec![0; length(ask)?];
    let key = state.usable(ask, op, reference)?;
    key.is_for(Usage::EncryptDecrypt, op)?;
    if ask.dry_run()? {
        return Err(refuse::dry_run());
    }
    rand::fill(&mut bytes).map_err(|_| refuse::internal())?;
    let sealed = seal(key, over, &bytes, &context)?;
    let answer = json!({
        "CiphertextBlob": base64(&sealed.blob),
        "KeyId": key.arn,
        "KeyMaterialId": sealed.material,
    });
    Ok((bytes, answer))
}

/// `GenerateDataKey`.
pub(super) fn data_key(
    state: &mut State,
    ask: &Ask<'_>,
    over: &hmac::Key,
) -> Result<Value, Refusal> {
    let (bytes, mut answer) = generate(state, ask, over, "GenerateDataKey")?;
    super::key::set(&mut answer, "Plaintext", json!(base64(&bytes)));
    Ok(answer)
}

/// `GenerateDataKeyWithoutPlaintext`.
pub(super) fn data_key_sealed(
    state: &mut State,
    ask: &Ask<'_>,
    over: &hmac::Key,
) -> Result<Value, Refusal> {
    generate(state, ask, over, "GenerateDataKeyWithoutPlaintext").map(|(_, answer)| answer)
}

/// `GenerateRandom`: 1 to 1,024 bytes.
pub(super) fn random(ask: &Ask<'_>) -> Result<Value, Refusal> {
    let number = ask.input.number("NumberOfBytes", 1, 1_024)?;
    let number =
        number.ok_or_else(|| invalid("null", "NumberOfBytes", "Member must not be null"))?;
    super::alias::allowed(ask, "GenerateRandom", "*")?;
    let mut bytes = vec![0; usize::try_from(number).unwrap_or_default()];
    rand::fill(&mut bytes).map_err(|_| refuse::internal())?;
    Ok(json!({ "Plaintext": base64(&bytes) }))
}

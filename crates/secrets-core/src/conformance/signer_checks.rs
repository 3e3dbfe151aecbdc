//! What a signer has to keep.

use crate::capability::Support;
use crate::error::ErrorKind;
use crate::signer::{Signature, ToSign};

use super::check::{Because, Stop, Verdict, checks};
use super::outcome::{done, ensure, refused};
use super::signers::{SignerCx, SignerItem};

checks! {
    SignerItem;
    "signer.verifies", verifies, [],
        "signatures verify with the public key alone",
        "`sign` gives what the algorithm's specification says, of messages of every length, \
         in JOSE's form.";
    "signer.digest", digest, [],
        "a digest is signed like its message",
        "`ToSign::Digest` of a message's digest gives a signature of the message.";
    "signer.digest-length", digest_length, [],
        "a digest of another length is refused",
        "a digest that is not as long as the algorithm's is `InvalidValue`.";
    "signer.named", named, [],
        "a signature names its key and algorithm",
        "`Signature` names the key as the service does, and the algorithm asked for.";
    "signer.public-key", public_key, [],
        "the public key is one, and says what it signs with",
        "`public_key` answers the same each time, names the key, and lists the algorithm that \
         `sign` takes and not the one that it refuses.";
    "signer.algorithm", algorithm, [],
        "an algorithm that is not the key's is refused",
        "`sign` with an algorithm that the key does not have is `InvalidValue`.";
    "signer.unknown", unknown, [],
        "an unknown key is not found",
        "signing with, and asking for, a key that does not exist is `NotFound`.";
    "signer.verify", verify, [],
        "the service verifies what it signed",
        "`verify` succeeds for a signature of `sign`, of a message as of its digest.";
    "signer.tampered", tampered, [],
        "a changed signature or message is refused",
        "`verify` is `Integrity` when a bit of the signature or the message is another, or the \
         signature is cut, longer or empty.";
    "signer.apart", apart, [],
        "one key does not verify what another signed",
        "`verify` under another key is `Integrity`.";
    "signer.no-verify", no_verify, [],
        "not declared: no verification",
        "without `verify` among the capabilities it is `Unsupported`.";
    "signer.operation", operation, [],
        "every error names its operation",
        "`Error::operation` is the call that failed: metrics and audit records are keyed by it.";
}

/// Around what services take at once, and what a hash function pads.
const LENGTHS: [usize; 9] = [0, 1, 55, 64, 111, 128, 4096, 4097, 70_000];
const MESSAGE: &[u8] = b"what the suite signs";

fn message(len: usize) -> Vec<u8> {
    MESSAGE.iter().copied().cycle().take(len).collect()
}

fn is_verifying(cx: &SignerCx<'_>) -> bool {
    cx.signer.signer_capabilities().verify != Support::No
}

fn needs_verify(cx: &SignerCx<'_>) -> Verdict {
    let undeclared = Stop::NotApplicable(Because::Shape("`verify` is No"));
    if is_verifying(cx) { Ok(()) } else { Err(undeclared) }
}

fn own_digest(cx: &SignerCx<'_>) -> Verdict<Vec<u8>> {
    let (_, algorithm) = cx.harness.key();
    let none = Stop::NotApplicable(Because::Shape("the algorithm signs no digest"));
    cx.harness.digest(algorithm, MESSAGE).ok_or(none)
}

fn is_sound(cx: &SignerCx<'_>, by: &crate::PublicKey, message: &[u8], s: &Signature) -> Verdict {
    let is_sound = cx.harness.verifies(by, message, s);
    ensure(is_sound, "verify it with the public key", "a sound signature", || {
        format!("one of {} bytes that is not, of {} bytes", s.bytes.len(), message.len())
    })
}

async fn verifies(cx: &SignerCx<'_>) -> Verdict {
    let (key, algorithm) = cx.harness.key();
    let public = done("ask for the public key", cx.public_key(&key).await)?;
    for len in LENGTHS {
        let message = message(len);
        // Who hashes the message itself may not take a long one.
        let signed = cx.sign(&key, algorithm, ToSign::Message(&message)).await;
        if algorithm.digest_len().is_none() && len > 4096 && signed.is_err() {
            refused("sign a message that is too long", signed, &[ErrorKind::TooLarge])?;
            continue;
        }
        is_sound(cx, &public, &message, &done("sign a message", signed)?)?;
    }
    Ok(())
}

async fn digest(cx: &SignerCx<'_>) -> Verdict {
    let (key, algorithm) = cx.harness.key();
    let digest = own_digest(cx)?;
    let public = done("ask for the public key", cx.public_key(&key).await)?;
    let signed = cx.sign(&key, algorithm, ToSign::Digest(&digest)).await;
    is_sound(cx, &public, MESSAGE, &done("sign a digest", signed)?)
}

async fn digest_length(cx: &SignerCx<'_>) -> Verdict {
    let (key, algorithm) = cx.harness.key();
    let Some(len) = algorithm.digest_len() else {
        let signed = cx.sign(&key, algorithm, ToSign::Digest(&[7; 64])).await;
        let step = "sign a digest where messages are signed";
        return refused(step, signed, &[ErrorKind::InvalidValue]).map(drop);
    };
    for unfit in [0, 20, len - 1, len + 1] {
        let signed = cx.sign(&key, algorithm, ToSign::Digest(&message(unfit))).await;
        refused("sign a digest of another length", signed, &[ErrorKind::InvalidValue])?;
    }
    Ok(())
}

async fn named(cx: &SignerCx<'_>) -> Verdict {
    let (key, algorithm) = cx.harness.key();
    let signature = cx.signed(MESSAGE).await?;
    ensure(signature.key == key, "sign a message", "the name of the key", || {
        format!("`{}` where `{key}` was asked for", signature.key)
    })?;
    ensure(signature.algorithm == algorithm, "sign a message", "the algorithm", || {
        format!("`{}` where `{algorithm}` was asked for", signature.algorithm)
    })
}

async fn public_key(cx: &SignerCx<'_>) -> Verdict {
    let ((key, algorithm), step) = (cx.harness.key(), "ask for the public key");
    let public = done(step, cx.public_key(&key).await)?;
    let again = done(step, cx.public_key(&key).await)?;
    ensure(public == again, step, "the same one twice", || "two".to_owned())?;
    ensure(public.key == key, step, "the name of the key", || format!("`{}`", public.key))?;
    let has = |algorithm| public.algorithms.contains(&algorithm);
    let is_right = has(algorithm) && !has(cx.harness.other_algorithm());
    ensure(is_right, step, "the algorithms of the key", || format!("{:?}", public.algorithms))?;
    let other = done(step, cx.public_key(&cx.harness.other_key()).await)?;
    let is_other = other.spki_der != public.spki_der;
    ensure(is_other, step, "another one of another key", || "the same".to_owned())
}

async fn algorithm(cx: &SignerCx<'_>) -> Verdict {
    let ((key, _), other) = (cx.harness.key(), cx.harness.other_algorithm());
    let signed = cx.sign(&key, other, ToSign::Message(MESSAGE)).await;
    refused("sign as the key does not", signed, &[ErrorKind::InvalidValue]).map(drop)
}

async fn unknown(cx: &SignerCx<'_>) -> Verdict {
    let ((_, algorithm), key) = (cx.harness.key(), cx.harness.unknown_key());
    let signed = cx.sign(&key, algorithm, ToSign::Message(MESSAGE)).await;
    refused("sign with an unknown key", signed, &[ErrorKind::NotFound])?;
    let public = cx.public_key(&key).await;
    refused("ask for an unknown key", public, &[ErrorKind::NotFound]).map(drop)
}

async fn verify(cx: &SignerCx<'_>) -> Verdict {
    needs_verify(cx)?;
    for len in LENGTHS.into_iter().filter(|len| *len <= 4096) {
        let message = message(len);
        let signature = cx.signed(&message).await?;
        done("verify it", cx.verify(ToSign::Message(&message), &signature).await)?;
    }
    if let Ok(digest) = own_digest(cx) {
        let signature = cx.signed(MESSAGE).await?;
        done("verify it by the digest", cx.verify(ToSign::Digest(&digest), &signature).await)?;
    }
    Ok(())
}

async fn tampered(cx: &SignerCx<'_>) -> Verdict {
    needs_verify(cx)?;
    let sound = cx.signed(MESSAGE).await?;
    cx.is_refused("verify it for another message", b"what the suite sign", &sound).await?;
    for at in (0..sound.bytes.len()).step_by(7) {
        let mut forged = sound.clone();
        if let Some(byte) = forged.bytes.get_mut(at) {
            *byte ^= 1 << (at % 8);
        }
        cx.is_refused("verify it with one bit changed", MESSAGE, &forged).await?;
    }
    for len in [0, 1, sound.bytes.len() - 1, sound.bytes.len() + 1] {
        let mut forged = sound.clone();
        forged.bytes.resize(len, 0);
        cx.is_refused("verify it with another length", MESSAGE, &forged).await?;
    }
    Ok(())
}

async fn apart(cx: &SignerCx<'_>) -> Verdict {
    needs_verify(cx)?;
    let mut forged = cx.signed(MESSAGE).await?;
    forged.key = cx.harness.other_key();
    cx.is_refused("verify it under another key", MESSAGE, &forged).await
}

async fn no_verify(cx: &SignerCx<'_>) -> Verdict {
    if is_verifying(cx) {
        return Err(Stop::NotApplicable(Because::Shape("`verify` is declared")));
    }
    let signature = cx.signed(MESSAGE).await?;
    let verified = cx.verify(ToSign::Message(MESSAGE), &signature).await;
    refused("verify", verified, &[ErrorKind::Unsupported]).map(drop)
}

/// Looks at all errors of this run: the checks before this one provoked every sort.
async fn operation(cx: &SignerCx<'_>) -> Verdict {
    let unknown = cx.harness.unknown_key();
    let signature = Signature::new(unknown, cx.harness.key().1, Vec::new());
    let _ = cx.verify(ToSign::Message(MESSAGE), &signature).await;
    let _ = cx.public_key(&signature.key).await;
    let _ = cx.sign(&signature.key, signature.algorithm, ToSign::Message(MESSAGE)).await;
    let mut noted = cx.misnamed().clone();
    noted.dedup();
    let step = "look at the operation of every error of this run";
    ensure(noted.is_empty(), step, "the call that failed", || noted.join("; "))
}

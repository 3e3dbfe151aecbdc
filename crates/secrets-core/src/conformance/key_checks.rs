//! What a key provider has to keep.

use crate::capability::Support;
use crate::error::ErrorKind;
use crate::key::{DataKey, KeyLen, WrapContext, WrappedKey, WrappingVersion};

use super::check::{Because, Stop, Verdict, checks};
use super::keys::{KeyCx, KeyItem};
use super::outcome::{done, ensure, refused};

checks! {
    KeyItem;
    "keys.lengths", lengths, [],
        "keys of every length come back as they were",
        "what `wrap_key` takes, up to `plaintext_len` bytes, `unwrap_key` gives back.";
    "keys.generated", generated, [],
        "a generated key has the length asked for, and opens",
        "`generate_data_key` gives a key of `KeyLen` bytes and its wrapped form.";
    "keys.distinct", distinct, [],
        "no two generated keys are the same",
        "each `generate_data_key` draws a new key.";
    "keys.too-large", too_large, [],
        "a longer key is refused",
        "a key of `plaintext_len` + 1 bytes is `TooLarge`.";
    "keys.stored", stored, [],
        "the stored form opens",
        "a wrapped key survives `WrappedKey::to_bytes` and `from_bytes`, and names the key that \
         wraps it.";
    "keys.context", context, [],
        "a wrapped key opens with its own context only",
        "a fact that is other, missing or too much is `Integrity`; the order in which facts were \
         added does not count.";
    "keys.no-context", no_context, [],
        "no binding: contexts are refused",
        "without `context_binding` a context with facts is `Unsupported`, since nothing would \
         hold it.";
    "keys.tampered", tampered, [],
        "a changed byte is noticed",
        "a ciphertext in which any one bit is changed is `Integrity`.";
    "keys.cut", cut, [],
        "a cut or longer ciphertext is noticed",
        "a ciphertext that is empty, shorter or longer is `Integrity`.";
    "keys.unknown", unknown, [],
        "an unknown key is not found",
        "making, wrapping and opening under a key that does not exist is `NotFound`.";
    "keys.apart", apart, [],
        "one key does not open what another wrapped",
        "a wrapped key that names another existing key is `Integrity` or `NotFound`.";
    "keys.rewrap", rewrap, [],
        "rewrapping keeps the data key",
        "`rewrap_key` gives the same data key under the key asked for, with the same context; the \
         old form still opens.";
    "keys.rewrap-context", rewrap_context, [],
        "rewrapping needs the context",
        "`rewrap_key` with another context, or of a changed ciphertext, is `Integrity`.";
    "keys.rotation", rotation, [],
        "rotating a key loses nothing",
        "what an older version of a key wrapped still opens, and is rewrapped under the new one.";
    "keys.version-current", current_version, [],
        "what was just wrapped is under the current version",
        "`wrapping_version` of what was made, wrapped or rewrapped since the last rotation is \
         `Current` (of what was wrapped `Unknown` where `version_of_wrapped` is No); that of an \
         unknown key is `NotFound`.";
    "keys.version-superseded", superseded_version, [],
        "what is to be rewrapped after a rotation is told",
        "`wrapping_version` of what an older version wrapped is `Superseded`, also in its stored \
         form, until it is rewrapped.";
    "keys.version-unknown", unknown_version, [],
        "not declared: no guess",
        "without `wrapping_version` among the capabilities the answer is `Unknown`, and no error.";
    "keys.leaks", leaks, [],
        "no data key shows",
        "neither debug forms of results and provider nor errors hold a data key or a credential.";
    "keys.operation", operation, [],
        "every error names its operation",
        "`Error::operation` is the call that failed: metrics and audit records are keyed by it.";
}

const LENGTHS: [usize; 14] = [1, 2, 8, 15, 16, 17, 24, 31, 32, 33, 48, 64, 65, 190];
const KEY_LENGTHS: [KeyLen; 3] = [KeyLen::Bits128, KeyLen::Bits256, KeyLen::Bits512];

/// No longer keys are tried, whatever is declared.
const LONGEST: usize = 4096;

fn facts(facts: &[(&str, &str)]) -> Verdict<WrapContext> {
    facts.iter().try_fold(WrapContext::new(), |context, (name, value)| {
        context
            .with(name, value)
            .map_err(|error| Stop::failed("make a context", "success", error.to_string()))
    })
}

/// The context of these checks: none where contexts are not bound.
fn usual(cx: &KeyCx<'_>) -> Verdict<WrapContext> {
    if is_bound(cx) { facts(&[("tenant", "acme"), ("purpose", "tests")]) } else { facts(&[]) }
}

fn is_bound(cx: &KeyCx<'_>) -> bool {
    cx.provider.key_capabilities().context_binding != Support::No
}

fn longest(cx: &KeyCx<'_>) -> usize {
    cx.provider.key_capabilities().plaintext_len.min(LONGEST)
}

/// A wrapped key of 32 bytes, or as many as fit.
async fn wrapped(cx: &KeyCx<'_>) -> Verdict<(DataKey, WrappedKey)> {
    let data_key = cx.data_key(longest(cx).min(32));
    let wrapped = cx.wrap(&cx.harness.key(), &data_key, &usual(cx)?).await;
    Ok((data_key, done("wrap a key", wrapped)?))
}

async fn lengths(cx: &KeyCx<'_>) -> Verdict {
    let most = longest(cx);
    let (key, context) = (cx.harness.key(), usual(cx)?);
    for len in LENGTHS.into_iter().filter(|len| *len < most).chain([most]) {
        let data_key = cx.data_key(len);
        let wrapped = done("wrap a key", cx.wrap(&key, &data_key, &context).await)?;
        cx.opens("open it", &wrapped, &context, &data_key).await?;
    }
    Ok(())
}

async fn generated(cx: &KeyCx<'_>) -> Verdict {
    let (key, context) = (cx.harness.key(), usual(cx)?);
    for len in KEY_LENGTHS {
        let made = cx.generate(&key, len, &context).await;
        if len.bytes() > cx.provider.key_capabilities().plaintext_len {
            refused("make a key that is too long", made, &[ErrorKind::TooLarge])?;
            continue;
        }
        let (data_key, wrapped) = done("make a key", made)?;
        let seen = data_key.expose_secret().len();
        ensure(seen == len.bytes(), "make a key", "the length asked for", || {
            format!("{seen} bytes where {} were asked for", len.bytes())
        })?;
        let is_zero = data_key.expose_secret().iter().all(|byte| *byte == 0);
        ensure(!is_zero, "make a key", "random bytes", || "zeros".to_owned())?;
        cx.opens("open it", &wrapped, &context, &data_key).await?;
    }
    Ok(())
}

async fn distinct(cx: &KeyCx<'_>) -> Verdict {
    let (key, context) = (cx.harness.key(), usual(cx)?);
    let mut made = Vec::new();
    for _ in 0..4 {
        let (data_key, _) = done("make a key", cx.generate(&key, KeyLen::Bits128, &context).await)?;
        made.push(data_key.to_value());
    }
    while let Some(last) = made.pop() {
        let again = made.iter().any(|other| other.ct_eq(&last));
        ensure(!again, "make four keys", "four different ones", || "one twice".to_owned())?;
    }
    Ok(())
}

async fn too_large(cx: &KeyCx<'_>) -> Verdict {
    let most = cx.provider.key_capabilities().plaintext_len;
    if most > LONGEST {
        let reason = "`plaintext_len` is more than the suite tries";
        return Err(Stop::NotApplicable(Because::Shape(reason)));
    }
    let data_key = cx.data_key(most + 1);
    let wrapped = cx.wrap(&cx.harness.key(), &data_key, &usual(cx)?).await;
    refused("wrap a key that is too long", wrapped, &[ErrorKind::TooLarge])?;
    Ok(())
}

async fn stored(cx: &KeyCx<'_>) -> Verdict {
    let (data_key, wrapped) = wrapped(cx).await?;
    let key = cx.harness.key();
    ensure(wrapped.key == key, "wrap a key", "the name of the wrapping key", || {
        format!("`{}` where `{key}` was asked for", wrapped.key)
    })?;
    let again = done("read the stored form", WrappedKey::from_bytes(&wrapped.to_bytes()))?;
    cx.opens("open the stored form", &again, &usual(cx)?, &data_key).await
}

async fn context(cx: &KeyCx<'_>) -> Verdict {
    if !is_bound(cx) {
        return Err(Stop::NotApplicable(Because::Shape("`context_binding` is No")));
    }
    let (data_key, wrapped) = wrapped(cx).await?;
    let turned = facts(&[("purpose", "tests"), ("tenant", "acme")])?;
    cx.opens("open it with the facts in another order", &wrapped, &turned, &data_key).await?;
    let wrong = [
        facts(&[])?,
        facts(&[("tenant", "acme")])?,
        facts(&[("tenant", "acme"), ("purpose", "test")])?,
        facts(&[("tenant", "acme"), ("purpose", "tests"), ("more", "x")])?,
        facts(&[("tenant", "tests"), ("purpose", "acme")])?,
        // The same letters in the same order.
        facts(&[("purposetests", "tenantacme")])?,
        facts(&[("purpose", "teststenantacme")])?,
    ];
    for context in &wrong {
        let step = "open it with another context";
        cx.stays_shut(step, &wrapped, context, &[ErrorKind::Integrity]).await?;
    }
    let bare = done("wrap without facts", cx.wrap(&wrapped.key, &data_key, &facts(&[])?).await)?;
    let step = "open without facts what was wrapped without";
    cx.opens(step, &bare, &facts(&[])?, &data_key).await?;
    let step = "open with facts what was wrapped without";
    cx.stays_shut(step, &bare, &turned, &[ErrorKind::Integrity]).await
}

async fn no_context(cx: &KeyCx<'_>) -> Verdict {
    if is_bound(cx) {
        return Err(Stop::NotApplicable(Because::Shape("`context_binding` is declared")));
    }
    let (context, key) = (facts(&[("tenant", "acme")])?, cx.harness.key());
    let kinds = [ErrorKind::Unsupported];
    let wrapped = cx.wrap(&key, &cx.data_key(16), &context).await;
    refused("wrap a key with a context", wrapped, &kinds)?;
    let made = cx.generate(&key, KeyLen::Bits128, &context).await;
    refused("make a key with a context", made, &kinds)?;
    Ok(())
}

async fn tampered(cx: &KeyCx<'_>) -> Verdict {
    let (_, sound) = wrapped(cx).await?;
    let context = usual(cx)?;
    for at in 0..sound.ciphertext.len() {
        // One bit of each byte, another one each time.
        let mut forged = sound.clone();
        if let Some(byte) = forged.ciphertext.get_mut(at) {
            *byte ^= 1 << (at % 8);
        }
        let step = "open it with one bit changed";
        cx.stays_shut(step, &forged, &context, &[ErrorKind::Integrity]).await?;
    }
    Ok(())
}

async fn cut(cx: &KeyCx<'_>) -> Verdict {
    let (_, sound) = wrapped(cx).await?;
    let context = usual(cx)?;
    let len = sound.ciphertext.len();
    for shorter in [0, 1, len / 2, len.saturating_sub(1)] {
        let mut forged = sound.clone();
        forged.ciphertext.truncate(shorter);
        cx.stays_shut("open it cut", &forged, &context, &[ErrorKind::Integrity]).await?;
    }
    let mut forged = sound;
    forged.ciphertext.push(0);
    cx.stays_shut("open it with a byte more", &forged, &context, &[ErrorKind::Integrity]).await
}

async fn unknown(cx: &KeyCx<'_>) -> Verdict {
    let (key, context) = (cx.harness.unknown_key(), usual(cx)?);
    let missing = [ErrorKind::NotFound];
    let made = cx.generate(&key, KeyLen::Bits128, &context).await;
    refused("make a key under an unknown one", made, &missing)?;
    let wrapping = cx.wrap(&key, &cx.data_key(16), &context).await;
    refused("wrap a key under an unknown one", wrapping, &missing)?;
    let (_, mut forged) = wrapped(cx).await?;
    forged.key = key;
    cx.stays_shut("open it under an unknown key", &forged, &context, &missing).await
}

async fn apart(cx: &KeyCx<'_>) -> Verdict {
    let (_, mut forged) = wrapped(cx).await?;
    forged.key = cx.harness.other_key();
    let kinds = [ErrorKind::Integrity, ErrorKind::NotFound];
    cx.stays_shut("open it under another key", &forged, &usual(cx)?, &kinds).await
}

async fn rewrap(cx: &KeyCx<'_>) -> Verdict {
    let (data_key, old) = wrapped(cx).await?;
    let context = usual(cx)?;
    for to in [cx.harness.key(), cx.harness.other_key()] {
        let new = done("rewrap it", cx.rewrap(&old, &to, &context).await)?;
        ensure(new.key == to, "rewrap it", "the name of the new key", || format!("`{}`", new.key))?;
        cx.opens("open it after the rewrapping", &new, &context, &data_key).await?;
        cx.opens("open the old form", &old, &context, &data_key).await?;
    }
    Ok(())
}

async fn rewrap_context(cx: &KeyCx<'_>) -> Verdict {
    let (_, sound) = wrapped(cx).await?;
    let (to, kinds) = (cx.harness.other_key(), [ErrorKind::Integrity]);
    let mut forged = sound.clone();
    if let Some(byte) = forged.ciphertext.last_mut() {
        *byte ^= 1;
    }
    refused("rewrap a changed form", cx.rewrap(&forged, &to, &usual(cx)?).await, &kinds)?;
    if is_bound(cx) {
        let other = facts(&[("tenant", "other")])?;
        refused("rewrap with another context", cx.rewrap(&sound, &to, &other).await, &kinds)?;
    }
    Ok(())
}

async fn rotation(cx: &KeyCx<'_>) -> Verdict {
    let (data_key, old) = wrapped(cx).await?;
    let (key, context) = (cx.harness.key(), usual(cx)?);
    cx.rotate().await?;
    cx.opens("open it after the rotation", &old, &context, &data_key).await?;
    let new = done("rewrap it", cx.rewrap(&old, &key, &context).await)?;
    let (other, fresh) = wrapped(cx).await?;
    cx.rotate().await?;
    cx.opens("open it after two rotations", &old, &context, &data_key).await?;
    cx.opens("open what was rewrapped between them", &new, &context, &data_key).await?;
    cx.opens("open what was wrapped between them", &fresh, &context, &other).await
}

fn tells_versions(cx: &KeyCx<'_>) -> bool {
    cx.provider.key_capabilities().wrapping_version != Support::No
}

fn needs_versions(cx: &KeyCx<'_>) -> Verdict {
    let undeclared = Stop::NotApplicable(Because::Shape("`wrapping_version` is No"));
    if tells_versions(cx) { Ok(()) } else { Err(undeclared) }
}

async fn current_version(cx: &KeyCx<'_>) -> Verdict {
    needs_versions(cx)?;
    let (key, context) = (cx.harness.key(), usual(cx)?);
    let (_, wrapped) = wrapped(cx).await?;
    let mut made = made(cx).await?;
    let rewrapped = done("rewrap it", cx.rewrap(&wrapped, &key, &context).await)?;
    for fresh in [&made, &rewrapped] {
        cx.is_under("ask for its version", fresh, WrappingVersion::Current).await?;
    }
    cx.is_under("ask for the version of what was wrapped", &wrapped, of_wrapped(cx)).await?;
    made.key = cx.harness.unknown_key();
    let step = "ask for the version of an unknown key";
    refused(step, cx.version_of(&made).await, &[ErrorKind::NotFound]).map(drop)
}

/// What is said of a key that was just wrapped.
fn of_wrapped(cx: &KeyCx<'_>) -> WrappingVersion {
    match cx.provider.key_capabilities().version_of_wrapped {
        Support::No => WrappingVersion::Unknown,
        _ => WrappingVersion::Current,
    }
}

/// The wrapped form of a key that the service made.
async fn made(cx: &KeyCx<'_>) -> Verdict<WrappedKey> {
    let made = cx.generate(&cx.harness.key(), KeyLen::Bits128, &usual(cx)?).await;
    Ok(done("make a key", made)?.1)
}

/// A wrapped key whose version is told.
async fn versioned(cx: &KeyCx<'_>) -> Verdict<WrappedKey> {
    match cx.provider.key_capabilities().version_of_wrapped {
        Support::No => made(cx).await,
        _ => Ok(wrapped(cx).await?.1),
    }
}

async fn superseded_version(cx: &KeyCx<'_>) -> Verdict {
    needs_versions(cx)?;
    let old = versioned(cx).await?;
    cx.rotate().await?;
    let stored = done("read the stored form", WrappedKey::from_bytes(&old.to_bytes()))?;
    let new = done("rewrap it", cx.rewrap(&stored, &old.key, &usual(cx)?).await)?;
    let fresh = versioned(cx).await?;
    for (wrapped, want) in [
        (&old, WrappingVersion::Superseded),
        (&stored, WrappingVersion::Superseded),
        (&new, WrappingVersion::Current),
        (&fresh, WrappingVersion::Current),
    ] {
        cx.is_under("ask for its version after a rotation", wrapped, want).await?;
    }
    Ok(())
}

async fn unknown_version(cx: &KeyCx<'_>) -> Verdict {
    if tells_versions(cx) {
        return Err(Stop::NotApplicable(Because::Shape("`wrapping_version` is declared")));
    }
    let (_, wrapped) = wrapped(cx).await?;
    cx.is_under("ask for its version", &wrapped, WrappingVersion::Unknown).await
}

/// Calls everything, rightly and wrongly.
async fn call_everything(cx: &KeyCx<'_>) -> Verdict {
    let (key, unknown, context) = (cx.harness.key(), cx.harness.unknown_key(), usual(cx)?);
    let (data_key, wrapped) = wrapped(cx).await?;
    for key in [&key, &unknown] {
        let _ = cx.generate(key, KeyLen::Bits256, &context).await;
        let _ = cx.wrap(key, &data_key, &context).await;
        let _ = cx.wrap(key, &cx.data_key(longest(cx) + 1), &context).await;
        let _ = cx.rewrap(&wrapped, key, &context).await;
        let _ = cx.rewrap(&wrapped, key, &facts(&[("x", "y")])?).await;
        let renamed = WrappedKey { key: key.clone(), ..wrapped.clone() };
        let _ = cx.unwrap(&renamed, &context).await;
        let _ = cx.version_of(&renamed).await;
    }
    let forged = WrappedKey { ciphertext: data_key.expose_secret().to_vec(), ..wrapped };
    let _ = cx.unwrap(&forged, &context).await;
    Ok(())
}

async fn leaks(cx: &KeyCx<'_>) -> Verdict {
    call_everything(cx).await?;
    let noted = cx.notes().leaks.join("; ");
    let step = "look at all results and errors of this run";
    ensure(noted.is_empty(), step, "no data key in any", || noted)?;
    let is_clean = !cx.is_leaking(&cx.provider);
    ensure(is_clean, "show the provider", "no data key, no credential", || "one".to_owned())
}

async fn operation(cx: &KeyCx<'_>) -> Verdict {
    call_everything(cx).await?;
    let mut noted = cx.notes().misnamed.clone();
    noted.dedup();
    let step = "look at the operation of every error of this run";
    ensure(noted.is_empty(), step, "the call that failed", || noted.join("; "))
}

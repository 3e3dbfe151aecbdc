//! Tokens make repeating a write harmless.

use crate::error::{ErrorKind, Result};
use crate::options::{IdempotencyKey, SetOptions};
use crate::reference::SecretRef;
use crate::value::SecretValue;
use crate::version::{VersionInfo, VersionSelector};

use super::check::Capability::{Idempotency, Staging, Write};
use super::check::Need::Has;
use super::check::{Verdict, checks};
use super::context::{Cx, SecretItem};
use super::outcome::{done, ensure, refused};

checks! {
    SecretItem;
    "tokens.same", same, [Has(Write), Has(Idempotency)],
        "the same write twice is one write",
        "`set_secret` with the same token and content answers with the same version and writes \
         nothing.";
    "tokens.other-content", other_content, [Has(Write), Has(Idempotency)],
        "a token is not for two values",
        "`set_secret` with a used token and other content is `Conflict` and changes nothing.";
    "tokens.late", late, [Has(Write), Has(Idempotency)],
        "a late repetition does not bring an old value back",
        "repeating a write after a newer one leaves the newer one current.";
    "tokens.distinct", distinct, [Has(Write), Has(Idempotency)],
        "another token is another write",
        "the same content under two tokens makes two versions.";
    "tokens.per-secret", per_secret, [Has(Write), Has(Idempotency)],
        "a token belongs to one secret",
        "the same token at two secrets is two writes.";
    "tokens.pending", pending, [Has(Write), Has(Idempotency), Has(Staging)],
        "staging twice is staging once",
        "`set_secret` to the pending stage with the same token and content waits once, under one \
         id.";
}

async fn set(
    cx: &Cx<'_>,
    name: &SecretRef,
    value: &SecretValue,
    token: &IdempotencyKey,
) -> Result<VersionInfo> {
    let options = SetOptions::new().with_token(token.clone());
    cx.provider.set_secret(name, value.clone(), options).await
}

async fn same(cx: &Cx<'_>) -> Verdict {
    let (name, value, token) = (cx.secret()?, cx.value("value"), cx.token()?);
    let first = done("write with a token", set(cx, &name, &value, &token).await)?;
    cx.reads("read it", &name, VersionSelector::Current, &value).await?;
    let before = cx.snapshot(&name).await?;
    let again = done("write the same again", set(cx, &name, &value, &token).await)?;
    ensure(again.id == first.id, "write the same again", "the same version", || {
        format!("`{}` after `{}`", again.id, first.id)
    })?;
    cx.unchanged("read after the repetition", &name, &before).await
}

async fn other_content(cx: &Cx<'_>) -> Verdict {
    let (name, value, token) = (cx.secret()?, cx.value("value"), cx.token()?);
    done("write with a token", set(cx, &name, &value, &token).await)?;
    cx.reads("read it", &name, VersionSelector::Current, &value).await?;
    let before = cx.snapshot(&name).await?;
    let other = set(cx, &name, &cx.value("other"), &token).await;
    refused("write other content with the same token", other, &[ErrorKind::Conflict])?;
    cx.unchanged("read after the refusal", &name, &before).await
}

async fn late(cx: &Cx<'_>) -> Verdict {
    let (name, old, new, token) = (cx.secret()?, cx.value("old"), cx.value("new"), cx.token()?);
    let first = done("write with a token", set(cx, &name, &old, &token).await)?;
    cx.reads("read it", &name, VersionSelector::Current, &old).await?;
    cx.put(&name, &new).await?;
    let before = cx.snapshot(&name).await?;
    let again = done("write the older one again", set(cx, &name, &old, &token).await)?;
    ensure(again.id == first.id, "write the older one again", "the older version", || {
        format!("`{}` after `{}`", again.id, first.id)
    })?;
    cx.unchanged("read after the repetition", &name, &before).await
}

async fn distinct(cx: &Cx<'_>) -> Verdict {
    let (name, value) = (cx.secret()?, cx.value("value"));
    let first = done("write with a token", set(cx, &name, &value, &cx.token()?).await)?;
    let second = done("write with another token", set(cx, &name, &value, &cx.token()?).await)?;
    ensure(first.id != second.id, "write with another token", "another version", || {
        format!("`{}` both times", first.id)
    })
}

async fn per_secret(cx: &Cx<'_>) -> Verdict {
    let (one, other, token) = (cx.secret()?, cx.secret()?, cx.token()?);
    let (first, second) = (cx.value("of one"), cx.value("of the other"));
    done("write with a token", set(cx, &one, &first, &token).await)?;
    done("write another secret with it", set(cx, &other, &second, &token).await)?;
    cx.reads("read the one", &one, VersionSelector::Current, &first).await?;
    cx.reads("read the other", &other, VersionSelector::Current, &second).await?;
    Ok(())
}

async fn pending(cx: &Cx<'_>) -> Verdict {
    let (name, value, token) = (cx.secret()?, cx.value("pending"), cx.token()?);
    cx.put(&name, &cx.value("current")).await?;
    let stage = || {
        let options = SetOptions::pending().with_token(token.clone());
        cx.provider.set_secret(&name, value.clone(), options)
    };
    let first = done("stage with a token", stage().await)?;
    cx.reads("read it", &name, VersionSelector::Pending, &value).await?;
    let before = cx.snapshot(&name).await?;
    let again = done("stage the same again", stage().await)?;
    ensure(again.id == first.id, "stage the same again", "the same version", || {
        format!("`{}` after `{}`", again.id, first.id)
    })?;
    cx.unchanged("read after the repetition", &name, &before).await
}

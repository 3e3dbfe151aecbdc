//! What must hold for a change is checked, or refused as unsupported; never ignored.

use crate::error::{ErrorKind, Result};
use crate::metadata::{Change, MetadataPatch};
use crate::options::{Etag, Precondition, SetOptions};
use crate::reference::SecretRef;
use crate::value::SecretValue;
use crate::version::{VersionId, VersionInfo, VersionSelector};

use super::check::Capability::{CasMetadata, CasSet, Describe, Tags, Write};
use super::check::Need::{Has, Hook};
use super::check::{Stop, Verdict, checks};
use super::context::{Cx, SecretItem};
use super::harness::Hook::PlainWriter;
use super::outcome::{done, refused};

checks! {
    SecretItem;
    "preconditions.absent", absent, [Has(Write), Has(CasSet)],
        "what must not exist is created once",
        "`Precondition::Absent` writes a new secret; on an existing one it is `AlreadyExists` and \
         changes nothing.";
    "preconditions.current", current, [Has(Write), Has(CasSet)],
        "a write upon the current version happens",
        "`Precondition::CurrentIs` with the current version writes.";
    "preconditions.stale", stale, [Has(Write), Has(CasSet)],
        "a write upon another version does not",
        "`Precondition::CurrentIs` with a version that is not current is `Conflict` and changes \
         nothing.";
    "preconditions.nothing", nothing, [Has(Write), Has(CasSet)],
        "nothing is current in an absent secret",
        "`Precondition::CurrentIs` on an absent secret is `Conflict` or `NotFound` and creates \
         nothing.";
    "preconditions.foreign", foreign, [Has(Write), Has(CasSet), Hook(PlainWriter)],
        "somebody else's write makes a version stale",
        "`Precondition::CurrentIs` with the version before a foreign write is `Conflict`; that \
         write stays current.";
    "preconditions.etag", etag, [Has(Write), Has(CasMetadata), Has(Tags), Has(Describe)],
        "an etag guards metadata",
        "`update_metadata` with the etag of `describe_secret` changes it; the same etag \
         afterwards is `Conflict` and changes nothing.";
    "preconditions.never-ignored", never_ignored, [Has(Write)],
        "no precondition is ignored",
        "a precondition that does not hold is refused by `set_secret`, and by `update_metadata` \
         where there is one: `Unsupported` or by its kind, and nothing changes.";
}

async fn set_when(
    cx: &Cx<'_>,
    name: &SecretRef,
    value: &SecretValue,
    precondition: Precondition,
) -> Result<VersionInfo> {
    let options = SetOptions::new().when(precondition);
    cx.provider.set_secret(name, value.clone(), options).await
}

async fn absent(cx: &Cx<'_>) -> Verdict {
    let (name, value) = (cx.secret()?, cx.value("created"));
    let created = set_when(cx, &name, &value, Precondition::Absent).await;
    done("write where nothing may exist, and nothing does", created)?;
    cx.reads("read it", &name, VersionSelector::Current, &value).await?;
    let before = cx.snapshot(&name).await?;
    let other = cx.value("created again");
    let again = set_when(cx, &name, &other, Precondition::Absent).await;
    refused("write where nothing may exist, and it does", again, &[ErrorKind::AlreadyExists])?;
    cx.unchanged("read after the refusal", &name, &before).await
}

async fn current(cx: &Cx<'_>) -> Verdict {
    let (name, mut base) = {
        let name = cx.secret()?;
        let base = cx.put(&name, &cx.value("first")).await?.id;
        (name, base)
    };
    for label in ["second", "third"] {
        let value = cx.value(label);
        let written = set_when(cx, &name, &value, Precondition::CurrentIs(base)).await;
        base = done("write upon the current version", written)?.id;
        cx.reads("read it", &name, VersionSelector::Current, &value).await?;
    }
    Ok(())
}

async fn stale(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    let stale = cx.put(&name, &cx.value("first")).await?.id;
    cx.put(&name, &cx.value("second")).await?;
    let before = cx.snapshot(&name).await?;
    let other = cx.value("upon a stale version");
    let written = set_when(cx, &name, &other, Precondition::CurrentIs(stale)).await;
    refused("write upon a version that is not current", written, &[ErrorKind::Conflict])?;
    cx.unchanged("read after the refusal", &name, &before).await
}

async fn nothing(cx: &Cx<'_>) -> Verdict {
    let (name, other) = (cx.secret()?, cx.secret()?);
    let elsewhere = cx.put(&other, &cx.value("elsewhere")).await?.id;
    let value = cx.value("upon nothing");
    let written = set_when(cx, &name, &value, Precondition::CurrentIs(elsewhere)).await;
    let kinds = [ErrorKind::Conflict, ErrorKind::NotFound];
    refused("write upon a version of an absent secret", written, &kinds)?;
    cx.let_changes_show().await;
    cx.denies("read it", &name, VersionSelector::Current, &[ErrorKind::NotFound]).await
}

async fn foreign(cx: &Cx<'_>) -> Verdict {
    let (name, foreign) = (cx.secret()?, cx.value("foreign"));
    let base = cx.put(&name, &cx.value("first")).await?.id;
    cx.write_outside(&cx.native(&name)?, &foreign).await?;
    cx.reads("read the foreign value", &name, VersionSelector::Current, &foreign).await?;
    let other = cx.value("upon the version before");
    let written = set_when(cx, &name, &other, Precondition::CurrentIs(base)).await;
    refused("write upon the version before it", written, &[ErrorKind::Conflict])?;
    cx.let_changes_show().await;
    cx.reads("read after the refusal", &name, VersionSelector::Current, &foreign).await?;
    Ok(())
}

async fn etag(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    cx.put(&name, &cx.value("value")).await?;
    let info = done("describe the secret", cx.provider.describe_secret(&name).await)?;
    let Some(etag) = info.etag else {
        let expected = "an etag, since `cas.metadata` is declared";
        return Err(Stop::failed("describe the secret", expected, "none"));
    };
    let patch = |tag: &str| MetadataPatch::new().tag("guarded", tag);
    let update = |tag: &str| {
        let guard = Precondition::Etag(etag.clone());
        let patch = patch(tag);
        let name = &name;
        async move { cx.provider.update_metadata(name, None, patch, guard).await }
    };
    done("change metadata with the etag", update("first").await)?;
    cx.described("describe the secret", &name, "the tag `guarded` = `first`", |info| {
        info.tags.get("guarded").is_some_and(|tag| tag == "first")
    })
    .await?;
    let before = cx.snapshot(&name).await?;
    refused("change it with the same etag again", update("second").await, &[ErrorKind::Conflict])?;
    cx.unchanged("read after the refusal", &name, &before).await
}

async fn never_ignored(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    let stale = cx.put(&name, &cx.value("first")).await?.id;
    cx.put(&name, &cx.value("second")).await?;
    let before = cx.snapshot(&name).await?;
    let kinds = [
        ErrorKind::Unsupported,
        ErrorKind::Conflict,
        ErrorKind::AlreadyExists,
        // An etag of a version guards no secret.
        ErrorKind::InvalidValue,
    ];
    for guard in failing(&stale) {
        let value = cx.value("past a precondition");
        let written = set_when(cx, &name, &value, guard.clone()).await;
        refused("write under a precondition that does not hold", written, &kinds)?;
        let patch = if cx.has(Tags) {
            MetadataPatch::new().tag("past", "guard")
        } else {
            MetadataPatch::new().description(Change::Set("past a guard".into()))
        };
        let updated = cx.provider.update_metadata(&name, None, patch, guard).await;
        refused("change metadata under a precondition that does not hold", updated, &kinds)?;
    }
    cx.unchanged("read after the refusals", &name, &before).await
}

/// Preconditions that do not hold for a secret of which this is an old version.
fn failing(stale: &VersionId) -> [Precondition; 4] {
    [
        Precondition::Absent,
        Precondition::CurrentIs(stale.clone()),
        Precondition::Etag(Etag::Secret("\"0\"".into())),
        Precondition::Etag(Etag::Version("\"0\"".into())),
    ]
}

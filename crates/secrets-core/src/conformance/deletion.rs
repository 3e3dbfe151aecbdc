//! Deletion for good.

use crate::error::ErrorKind;
use crate::metadata::Deleted;
use crate::options::DeleteMode;
use crate::version::VersionSelector;

use super::check::Capability::{Delete, Describe, List, Previous, Staging, Versions, Write};
use super::check::Need::{Has, Hook};
use super::check::{Stop, Verdict, checks};
use super::context::{Cx, SecretItem};
use super::harness::Hook::PlainReader;
use super::listing::starting;
use super::outcome::{done, ensure, refused};
use super::staging::Staged;

checks! {
    SecretItem;
    "deletion.gone", gone, [Has(Write), Has(Delete)],
        "what is deleted for good is gone",
        "after `DeleteMode::Immediate` reads and descriptions are `NotFound`, and `Deleted::Gone` \
         was told.";
    "deletion.outside", outside, [Has(Write), Has(Delete), Hook(PlainReader)],
        "it is gone for plain readers, too",
        "deletion takes the backend's entry away, not this library's view of it.";
    "deletion.unlisted", unlisted, [Has(Write), Has(Delete), Has(List)],
        "it is not listed",
        "`list_secrets` does not show what was deleted for good.";
    "deletion.absent", absent, [Has(Delete)],
        "an absent secret cannot be deleted",
        "`delete_secret` of an absent secret is `NotFound`.";
    "deletion.recreated", recreated, [Has(Write), Has(Delete)],
        "the name is free again",
        "after `DeleteMode::Immediate` the name takes a new value, and nothing of the old secret \
         comes back.";
    "deletion.companion", companion, [Has(Write), Has(Delete), Has(Staging)],
        "a pending value goes with its secret",
        "deletion acts on the companion, too: no second copy of a credential stays behind.";
}

async fn delete(cx: &Cx<'_>, name: &crate::SecretRef) -> Verdict {
    let deleted = cx.provider.delete_secret(name, DeleteMode::Immediate).await;
    let deleted = done("delete it for good", deleted)?;
    ensure(deleted == Deleted::Gone, "delete it for good", "`Deleted::Gone`", || {
        format!("{deleted:?}")
    })
}

async fn gone(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    let id = cx.put(&name, &cx.value("deleted")).await?.id;
    delete(cx, &name).await?;
    let missing = &[ErrorKind::NotFound];
    cx.denies("read it", &name, VersionSelector::Current, missing).await?;
    if cx.has(Versions) {
        cx.denies("read its version", &name, VersionSelector::Id(id), missing).await?;
    }
    if cx.has(Describe) {
        let name = &name;
        cx.settle(move || {
            Box::pin(async move {
                let described = cx.provider.describe_secret(name).await;
                refused("describe it", described, missing).map(drop)
            })
        })
        .await?;
    }
    Ok(())
}

async fn outside(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    cx.put(&name, &cx.value("deleted")).await?;
    delete(cx, &name).await?;
    let native = &cx.native(&name)?;
    cx.settle(move || {
        Box::pin(async move {
            match cx.read_outside(native).await? {
                None => Ok(()),
                Some(value) => {
                    Err(Stop::failed("read past the provider", "nothing", cx.told(&value)))
                }
            }
        })
    })
    .await
}

async fn unlisted(cx: &Cx<'_>) -> Verdict {
    let (name, other) = (cx.secret()?, cx.secret()?);
    cx.put(&name, &cx.value("deleted")).await?;
    cx.put(&other, &cx.value("kept")).await?;
    let filter = starting(cx, "n")?;
    cx.lists("list both", &filter, None, &[&name, &other]).await?;
    delete(cx, &name).await?;
    cx.lists("list after the deletion", &filter, None, &[&other]).await?;
    Ok(())
}

async fn absent(cx: &Cx<'_>) -> Verdict {
    let deleted = cx.provider.delete_secret(&cx.secret()?, DeleteMode::Immediate).await;
    refused("delete an absent secret", deleted, &[ErrorKind::NotFound])?;
    Ok(())
}

async fn recreated(cx: &Cx<'_>) -> Verdict {
    let (name, value) = (cx.secret()?, cx.value("second life"));
    cx.put(&name, &cx.value("before")).await?;
    cx.put(&name, &cx.value("first life")).await?;
    delete(cx, &name).await?;
    let missing = &[ErrorKind::NotFound];
    cx.denies("read it", &name, VersionSelector::Current, missing).await?;
    cx.put(&name, &value).await?;
    if cx.has(Previous) {
        cx.denies("read the previous version", &name, VersionSelector::Previous, missing).await?;
    }
    if cx.has(Versions) {
        let name = &name;
        cx.settle(move || {
            Box::pin(async move {
                let count = cx.versions(name, None).await?.len();
                ensure(count == 1, "list the versions", "the new one alone", || format!("{count}"))
            })
        })
        .await?;
    }
    Ok(())
}

async fn companion(cx: &Cx<'_>) -> Verdict {
    let staged = Staged::new(cx).await?;
    delete(cx, &staged.name).await?;
    let missing = &[ErrorKind::NotFound];
    let step = "read the pending value after the deletion";
    cx.denies(step, &staged.name, VersionSelector::Pending, missing).await?;
    cx.put(&staged.name, &cx.value("second life")).await?;
    let step = "read the pending value of the recreated secret";
    cx.denies(step, &staged.name, VersionSelector::Pending, missing).await
}

//! Deletion that can be taken back.

use std::time::Duration;

use crate::error::ErrorKind;
use crate::metadata::{Deleted, Deletion, MetadataPatch};
use crate::options::{DeleteMode, SetOptions};
use crate::page::DeletedSecrets;
use crate::reference::SecretRef;
use crate::value::SecretValue;
use crate::version::VersionSelector;

use super::check::Capability::{Describe, List, Recover, Tags, Versions, Write};
use super::check::Need::{Has, Hook};
use super::check::{Because, Stop, Verdict, checks};
use super::context::{Cx, SecretItem};
use super::harness::Hook::{Clock, PlainReader};
use super::listing::starting;
use super::outcome::{done, ensure, refused};

checks! {
    SecretItem;
    "recovery.unreadable", unreadable, [Has(Write), Has(Recover)],
        "what is deleted cannot be read",
        "after `DeleteMode::Recoverable` reads are `PendingDeletion` or `NotFound`, by version, \
         too.";
    "recovery.outside", outside, [Has(Write), Has(Recover), Hook(PlainReader)],
        "nor by plain readers",
        "deletion takes the value from every reader of the backend.";
    "recovery.described", described, [Has(Write), Has(Recover), Has(Describe)],
        "a deleted secret is described as deleted",
        "`describe_secret` works on what can be restored, and shows since when it is deleted.";
    "recovery.listed", listed, [Has(Write), Has(Recover), Has(List)],
        "lists have deleted secrets on demand",
        "`DeletedSecrets` leaves them out, lists them with the others, or alone.";
    "recovery.no-writes", no_writes, [Has(Write), Has(Recover)],
        "a deleted secret takes no value",
        "`set_secret` on what is deleted is `PendingDeletion`: a write neither restores nor \
         replaces it.";
    "recovery.restored", restored, [Has(Write), Has(Recover)],
        "a deletion can be taken back",
        "after `restore_secret` the value is read as before, and can be replaced.";
    "recovery.restored-versions", restored_versions, [Has(Write), Has(Recover), Has(Versions)],
        "the history comes back",
        "after `restore_secret` every version is there, under its id.";
    "recovery.restored-tags", restored_tags, [Has(Write), Has(Recover), Has(Tags), Has(Describe)],
        "the tags come back",
        "after `restore_secret` tags are as before, and the secret is not described as deleted.";
    "recovery.restore-live", restore_live, [Has(Write), Has(Recover)],
        "what is not deleted cannot be restored",
        "`restore_secret` of a live or an absent secret is `NotFound` and changes nothing.";
    "recovery.purged", purged, [Has(Write), Has(Recover)],
        "a purge is final",
        "after `purge_secret` there is nothing to restore, and the name is free.";
    "recovery.purge-live", purge_live, [Has(Write), Has(Recover)],
        "what is not deleted cannot be purged",
        "`purge_secret` of a live or an absent secret is `NotFound` and changes nothing.";
    "recovery.window", window, [Has(Write), Has(Recover)],
        "a window is kept or refused",
        "a window that the backend does not have is `Unsupported` and deletes nothing; it is \
         never replaced by another.";
    "recovery.window-ends", window_ends, [Has(Write), Has(Recover), Hook(Clock)],
        "the window ends",
        "after the time that `Deletion::purge_at` tells the secret is gone.";
}

const DELETED: &[ErrorKind] = &[ErrorKind::PendingDeletion, ErrorKind::NotFound];
const MISSING: &[ErrorKind] = &[ErrorKind::NotFound];

/// Deletes a secret so that it can be restored, and waits until it cannot be read.
async fn delete(cx: &Cx<'_>, name: &SecretRef) -> Verdict<Deletion> {
    let mode = DeleteMode::Recoverable { window: None };
    let deleted = done("delete it", cx.provider.delete_secret(name, mode).await)?;
    let Deleted::Recoverable(deletion) = deleted else {
        return Err(Stop::failed("delete it", "`Deleted::Recoverable`", format!("{deleted:?}")));
    };
    cx.denies("read it after the deletion", name, VersionSelector::Current, DELETED).await?;
    Ok(deletion)
}

/// Restores a secret and waits until it reads as before.
async fn restore(cx: &Cx<'_>, name: &SecretRef, value: &SecretValue) -> Verdict {
    cx.settle(move || {
        Box::pin(async move { done("restore it", cx.provider.restore_secret(name).await) })
    })
    .await?;
    let step = "read it after the restoration";
    cx.reads(step, name, VersionSelector::Current, value).await?;
    Ok(())
}

async fn unreadable(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    let id = cx.put(&name, &cx.value("deleted")).await?.id;
    delete(cx, &name).await?;
    if cx.has(Versions) {
        cx.denies("read its version", &name, VersionSelector::Id(id), DELETED).await?;
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
            let seen = cx.read_outside(native).await?;
            ensure(seen.is_none(), "read past the provider", "nothing", || "a value".to_owned())
        })
    })
    .await
}

async fn described(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    cx.put(&name, &cx.value("deleted")).await?;
    delete(cx, &name).await?;
    let is_deleted = |info: &crate::SecretInfo| info.deletion.is_some() && info.reference == name;
    cx.described("describe it", &name, "its name, with a deletion", is_deleted).await?;
    Ok(())
}

async fn listed(cx: &Cx<'_>) -> Verdict {
    let (name, other) = (cx.secret()?, cx.secret()?);
    cx.put(&name, &cx.value("deleted")).await?;
    cx.put(&other, &cx.value("kept")).await?;
    delete(cx, &name).await?;
    let filter = starting(cx, "n")?;
    let cases: [(_, _, &[&SecretRef]); 3] = [
        (DeletedSecrets::Exclude, "list without deleted ones", &[&other]),
        (DeletedSecrets::Include, "list with deleted ones", &[&name, &other]),
        (DeletedSecrets::Only, "list deleted ones alone", &[&name]),
    ];
    for (deleted, step, wanted) in cases {
        let filter = filter.clone().with_deleted(deleted);
        for info in cx.lists(step, &filter, None, wanted).await? {
            let told = info.deletion.is_some() == (info.reference == name);
            ensure(told, step, "a deletion at the deleted one alone", || format!("{info:?}"))?;
        }
    }
    Ok(())
}

async fn no_writes(cx: &Cx<'_>) -> Verdict {
    let (name, value) = (cx.secret()?, cx.value("deleted"));
    cx.put(&name, &value).await?;
    delete(cx, &name).await?;
    let written = cx.provider.set_secret(&name, cx.value("over it"), SetOptions::new()).await;
    refused("write to what is deleted", written, &[ErrorKind::PendingDeletion])?;
    cx.let_changes_show().await;
    cx.denies("read it", &name, VersionSelector::Current, DELETED).await?;
    restore(cx, &name, &value).await
}

async fn restored(cx: &Cx<'_>) -> Verdict {
    let (name, value) = (cx.secret()?, cx.value("restored"));
    cx.put(&name, &value).await?;
    delete(cx, &name).await?;
    restore(cx, &name, &value).await?;
    cx.put(&name, &cx.value("next")).await?;
    Ok(())
}

async fn restored_versions(cx: &Cx<'_>) -> Verdict {
    let (name, first, second) = (cx.secret()?, cx.value("first"), cx.value("second"));
    let old = cx.put(&name, &first).await?.id;
    let new = cx.put(&name, &second).await?.id;
    delete(cx, &name).await?;
    restore(cx, &name, &second).await?;
    let step = "read each version after the restoration";
    cx.reads(step, &name, VersionSelector::Id(old), &first).await?;
    cx.reads(step, &name, VersionSelector::Id(new), &second).await?;
    let name = &name;
    cx.settle(move || {
        Box::pin(async move {
            let count = cx.versions(name, None).await?.len();
            ensure(count == 2, "list the versions", "two versions", || format!("{count}"))
        })
    })
    .await
}

async fn restored_tags(cx: &Cx<'_>) -> Verdict {
    let (name, value) = (cx.secret()?, cx.value("tagged"));
    cx.put(&name, &value).await?;
    cx.update(&name, MetadataPatch::new().tag("tier", "one")).await?;
    delete(cx, &name).await?;
    restore(cx, &name, &value).await?;
    cx.described("describe it", &name, "its tag, and no deletion", |info| {
        info.deletion.is_none() && info.tags.get("tier").is_some_and(|tier| tier == "one")
    })
    .await?;
    Ok(())
}

async fn restore_live(cx: &Cx<'_>) -> Verdict {
    let (name, value) = (cx.secret()?, cx.value("live"));
    cx.put(&name, &value).await?;
    let restored = cx.provider.restore_secret(&name).await;
    refused("restore a live secret", restored, MISSING)?;
    let restored = cx.provider.restore_secret(&cx.secret()?).await;
    refused("restore an absent secret", restored, MISSING)?;
    cx.reads("read it", &name, VersionSelector::Current, &value).await?;
    Ok(())
}

/// Purges a secret; a backend that still deletes is asked again.
async fn purge(cx: &Cx<'_>, name: &SecretRef) -> Verdict {
    cx.settle(move || {
        Box::pin(async move { done("purge it", cx.provider.purge_secret(name).await) })
    })
    .await
}

async fn purged(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    cx.put(&name, &cx.value("first life")).await?;
    delete(cx, &name).await?;
    purge(cx, &name).await?;
    cx.denies("read it after the purge", &name, VersionSelector::Current, MISSING).await?;
    let target = &name;
    cx.settle(move || {
        Box::pin(async move {
            let restored = cx.provider.restore_secret(target).await;
            refused("restore it after the purge", restored, MISSING).map(drop)
        })
    })
    .await?;
    cx.put(&name, &cx.value("second life")).await?;
    Ok(())
}

async fn purge_live(cx: &Cx<'_>) -> Verdict {
    let (name, value) = (cx.secret()?, cx.value("live"));
    cx.put(&name, &value).await?;
    refused("purge a live secret", cx.provider.purge_secret(&name).await, MISSING)?;
    refused("purge an absent secret", cx.provider.purge_secret(&cx.secret()?).await, MISSING)?;
    cx.let_changes_show().await;
    cx.reads("read it", &name, VersionSelector::Current, &value).await?;
    Ok(())
}

async fn window(cx: &Cx<'_>) -> Verdict {
    // No cloud has such a window; a backend that takes any must keep it.
    let window = Duration::from_secs(61 * 60);
    let (name, value) = (cx.secret()?, cx.value("deleted with a window"));
    cx.put(&name, &value).await?;
    let before = cx.snapshot(&name).await?;
    let mode = DeleteMode::Recoverable { window: Some(window) };
    match cx.provider.delete_secret(&name, mode).await {
        Ok(deleted) => {
            let kept = matches!(deleted, Deleted::Recoverable(Deletion { deleted, purge_at: Some(end) })
                if end.duration_since(deleted).is_ok_and(|w| w.abs_diff(window).as_secs() < 2));
            ensure(kept, "delete with a window of 61 minutes", "that window", || {
                format!("{deleted:?}")
            })
        }
        refusal => {
            let step = "delete with a window of 61 minutes";
            refused(step, refusal, &[ErrorKind::Unsupported])?;
            cx.unchanged("read after the refusal", &name, &before).await
        }
    }
}

async fn window_ends(cx: &Cx<'_>) -> Verdict {
    let Some(clock) = cx.harness.clock() else { return Err(Stop::NotRun(Clock)) };
    let name = cx.secret()?;
    cx.put(&name, &cx.value("deleted")).await?;
    let deletion = delete(cx, &name).await?;
    let Some(end) = deletion.purge_at else {
        let reason = "the deletion tells no end";
        return Err(Stop::NotApplicable(Because::Shape(reason)));
    };
    let window = end.duration_since(deletion.deleted).unwrap_or_default();
    clock.advance(window + Duration::from_secs(1)).await;
    let name = &name;
    cx.settle(move || {
        Box::pin(async move {
            let restored = cx.provider.restore_secret(name).await;
            refused("restore it after the window", restored, MISSING).map(drop)
        })
    })
    .await?;
    cx.put(name, &cx.value("second life")).await?;
    Ok(())
}

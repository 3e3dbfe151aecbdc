//! A call that is dropped half-way leaves the old state or the new one.

use crate::error::ErrorKind;
use crate::options::{DeleteMode, SetOptions};
use crate::reference::SecretRef;
use crate::value::SecretValue;
use crate::version::VersionSelector;

use super::check::Capability::{Delete, Idempotency, Staging, Versions, Write};
use super::check::Need::{Has, Seed};
use super::check::{Stop, Verdict, checks};
use super::context::{Cx, SecretItem};
use super::join;
use super::outcome::{done, ensure, told_error};
use super::staging::Staged;

checks! {
    SecretItem;
    "dropping.read", read, [Seed],
        "a read that is dropped is harmless",
        "the next read gives the value.";
    "dropping.write", write, [Has(Write)],
        "a write that is dropped happened or did not",
        "after `set_secret` was dropped the secret reads as before or as written, and takes the \
         next value.";
    "dropping.write-again", write_again, [Has(Write), Has(Idempotency), Has(Versions)],
        "a token settles a write that was dropped",
        "repeating `set_secret` with its token makes one version of it, however far the first \
         call came.";
    "dropping.promote", promote, [Has(Write), Has(Staging)],
        "a token settles a promotion that was dropped",
        "after `promote` was dropped the old or the promoted value is current; repeating it with \
         its token finishes it.";
    "dropping.delete", delete, [Has(Write), Has(Delete)],
        "a deletion that is dropped can be repeated",
        "after `delete_secret` was dropped the secret reads as before or is gone, and repeating \
         it deletes it.";
}

/// After how many polls calls are dropped: each one up to eight, where a call takes so many.
const POLLS: std::ops::RangeInclusive<u32> = 1..=8;

/// Waits until the current value is one of these.
async fn reads_one_of(
    cx: &Cx<'_>,
    step: &'static str,
    name: &SecretRef,
    wanted: &[&SecretValue],
    kinds: &[ErrorKind],
) -> Verdict {
    let expected = "the value before or the value written";
    cx.settle(move || {
        Box::pin(async move {
            match cx.get(name, VersionSelector::Current).await {
                Ok(secret) => {
                    let legal = wanted.iter().any(|value| value.ct_eq(&secret.value));
                    ensure(legal, step, expected, || cx.told(&secret.value))
                }
                Err(error) if kinds.contains(&error.kind()) => Ok(()),
                Err(error) => Err(Stop::failed(step, expected, told_error(&error))),
            }
        })
    })
    .await
}

async fn read(cx: &Cx<'_>) -> Verdict {
    let (name, value) = (cx.name("read")?, cx.value("read"));
    cx.seed(&name, &value).await?;
    let name = SecretRef::from(name);
    cx.reads("read it", &name, VersionSelector::Current, &value).await?;
    for polls in POLLS {
        let read = join::polled(polls, cx.get(&name, VersionSelector::Current)).await;
        cx.reads("read it after a dropped read", &name, VersionSelector::Current, &value).await?;
        if read.is_some() {
            break;
        }
    }
    Ok(())
}

async fn write(cx: &Cx<'_>) -> Verdict {
    for polls in POLLS {
        let (name, old, new) = (cx.secret()?, cx.value("before"), cx.value("written"));
        cx.put(&name, &old).await?;
        let write = cx.provider.set_secret(&name, new.clone(), SetOptions::new());
        let written = join::polled(polls, write).await;
        let step = "read after a write was dropped";
        reads_one_of(cx, step, &name, &[&old, &new], &[]).await?;
        cx.put(&name, &cx.value("next")).await?;
        if written.is_some() {
            break;
        }
    }
    Ok(())
}

async fn write_again(cx: &Cx<'_>) -> Verdict {
    for polls in POLLS {
        let (name, new, token) = (cx.secret()?, cx.value("written"), cx.token()?);
        cx.put(&name, &cx.value("before")).await?;
        let write = || {
            let options = SetOptions::new().with_token(token.clone());
            cx.provider.set_secret(&name, new.clone(), options)
        };
        let written = join::polled(polls, write()).await;
        cx.let_changes_show().await;
        done("repeat a dropped write with its token", write().await)?;
        cx.reads("read it", &name, VersionSelector::Current, &new).await?;
        let name = &name;
        cx.settle(move || {
            Box::pin(async move {
                let count = cx.versions(name, None).await?.len();
                ensure(
                    count == 2,
                    "list the versions",
                    "the one before and one of the write",
                    || format!("{count} versions"),
                )
            })
        })
        .await?;
        if written.is_some() {
            break;
        }
    }
    Ok(())
}

async fn promote(cx: &Cx<'_>) -> Verdict {
    for polls in POLLS {
        let staged = Staged::new(cx).await?;
        let (name, token) = (&staged.name, cx.token()?);
        let promote = || cx.provider.promote(name, &staged.waiting, &staged.base, &token);
        let promoted = join::polled(polls, promote()).await;
        let step = "read after a promotion was dropped";
        reads_one_of(cx, step, name, &[&staged.current, &staged.pending], &[]).await?;
        cx.let_changes_show().await;
        done("repeat a dropped promotion with its token", promote().await)?;
        let step = "read after the promotion was repeated";
        cx.reads(step, name, VersionSelector::Current, &staged.pending).await?;
        if promoted.is_some() {
            break;
        }
    }
    Ok(())
}

async fn delete(cx: &Cx<'_>) -> Verdict {
    let gone = [ErrorKind::NotFound, ErrorKind::PendingDeletion];
    for polls in POLLS {
        let (name, value) = (cx.secret()?, cx.value("deleted"));
        cx.put(&name, &value).await?;
        let delete = || cx.provider.delete_secret(&name, DeleteMode::Immediate);
        let deleted = join::polled(polls, delete()).await;
        let step = "read after a deletion was dropped";
        reads_one_of(cx, step, &name, &[&value], &gone).await?;
        match delete().await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            again => drop(done("repeat a dropped deletion", again)?),
        }
        let missing = &[ErrorKind::NotFound];
        cx.denies("read it after that", &name, VersionSelector::Current, missing).await?;
        if deleted.is_some() {
            break;
        }
    }
    Ok(())
}

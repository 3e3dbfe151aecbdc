//! A tested value becomes current, from the version that it was made to follow.

use crate::error::ErrorKind;
use crate::options::{GetOptions, Promoted};
use crate::version::{Stage, VersionId, VersionSelector};

use super::check::Capability::{CasPromote, Previous, Staging, Versions, Write};
use super::check::Need::{Has, Hook};
use super::check::{Verdict, checks};
use super::context::{Cx, SecretItem};
use super::harness::Hook::{PlainReader, PlainWriter};
use super::outcome::{done, ensure, refused};
use super::staging::{Staged, sees_outside};

checks! {
    SecretItem;
    "promotion.current", current, [Has(Write), Has(Staging)],
        "the promoted value is current",
        "after `promote` the pending value is what `Current` reads, under the id that `promote` \
         returned.";
    "promotion.outside", outside, [Has(Write), Has(Staging), Hook(PlainReader)],
        "plain readers see the promoted value",
        "promotion is for every reader of the backend, not for those of this library alone.";
    "promotion.previous", previous, [Has(Write), Has(Staging), Has(Previous)],
        "what was current is previous",
        "after `promote` the base is `Previous`, and `Promoted::previous` names it.";
    "promotion.over", over, [Has(Write), Has(Staging)],
        "nothing waits after a promotion",
        "after `promote` there is no pending version.";
    "promotion.exact", exact, [Has(Write), Has(Staging), Has(Versions)],
        "the ids of a promotion can be read",
        "the id that `promote` returned reads the promoted value, the base's id the old one; the \
         list shows that id as current.";
    "promotion.stale-base", stale_base, [Has(Write), Has(Staging), Has(CasPromote)],
        "a promotion from a base that is not current is refused",
        "`promote` with a base that is not current is `Conflict` and changes nothing: the pending \
         value still waits.";
    "promotion.repeated", repeated, [Has(Write), Has(Staging)],
        "repeating a promotion is harmless",
        "`promote` with the same token gives the same result and writes nothing.";
    "promotion.late", late, [Has(Write), Has(Staging)],
        "a late repetition does not bring an old value back",
        "repeating `promote` after a newer write gives the same result or `Conflict`, and leaves \
         the newer value current.";
    "promotion.token", token, [Has(Write), Has(Staging)],
        "a token that was used takes no other value away",
        "`promote` of the next pending value with the token of the last promotion either makes it \
         current, or is `Conflict` and leaves it waiting.";
    "promotion.media-type", media_type, [Has(Write), Has(Staging)],
        "a promotion keeps the media type",
        "what was staged with a media type is current with it, unless plain writes lose it too.";
    "promotion.unknown", unknown, [Has(Write), Has(Staging)],
        "only what waits can be promoted",
        "`promote` of a version that does not wait is `NotFound` and changes nothing.";
    "promotion.discarded", discarded, [Has(Write), Has(Staging)],
        "what was discarded cannot be promoted",
        "`promote` after `discard_pending` is `NotFound` and changes nothing.";
    "promotion.foreign", foreign, [Has(Write), Has(Staging), Has(CasPromote), Hook(PlainWriter)],
        "a promotion does not run over somebody else's write",
        "a write past this library between staging and promotion makes the base stale: \
         `Conflict`, and that write stays current.";
    "promotion.again", again, [Has(Write), Has(Staging)],
        "one promotion can follow another",
        "the next staged value is promoted from the id that the last promotion returned.";
}

async fn promote(cx: &Cx<'_>, staged: &Staged) -> Verdict<Promoted> {
    let token = cx.token()?;
    let promoted = cx.provider.promote(&staged.name, &staged.waiting, &staged.base, &token).await;
    let promoted = done("promote the pending version", promoted)?;
    let step = "read the current value after the promotion";
    cx.reads(step, &staged.name, VersionSelector::Current, &staged.pending).await?;
    Ok(promoted)
}

async fn current(cx: &Cx<'_>) -> Verdict {
    let staged = Staged::new(cx).await?;
    let promoted = promote(cx, &staged).await?;
    let step = "read the current value after the promotion";
    let read = cx.reads(step, &staged.name, VersionSelector::Current, &staged.pending).await?;
    let same = read.version.id == promoted.current && read.version.id != staged.base;
    ensure(same, step, "the version that `promote` returned", || {
        format!("`{}` where `promote` returned `{}`", read.version.id, promoted.current)
    })?;
    let stages = read.version.stages;
    let sound = stages.contains(Stage::Current) && !stages.contains(Stage::Pending);
    ensure(sound, step, "a version that is current and not pending", || format!("{stages:?}"))
}

async fn outside(cx: &Cx<'_>) -> Verdict {
    let staged = Staged::new(cx).await?;
    promote(cx, &staged).await?;
    let native = cx.native(&staged.name)?;
    sees_outside(cx, "read past the provider after the promotion", &native, &staged.pending).await
}

async fn previous(cx: &Cx<'_>) -> Verdict {
    let staged = Staged::new(cx).await?;
    let promoted = promote(cx, &staged).await?;
    ensure(
        promoted.previous.as_ref() == Some(&staged.base),
        "promote",
        "the base as previous",
        || format!("{:?} where the base is `{}`", promoted.previous, staged.base),
    )?;
    let step = "read the previous value after the promotion";
    let read = cx.reads(step, &staged.name, VersionSelector::Previous, &staged.current).await?;
    ensure(read.version.id == staged.base, step, "the base", || format!("`{}`", read.version.id))
}

async fn over(cx: &Cx<'_>) -> Verdict {
    let staged = Staged::new(cx).await?;
    promote(cx, &staged).await?;
    let step = "read the pending value after the promotion";
    cx.denies(step, &staged.name, VersionSelector::Pending, &[ErrorKind::NotFound]).await
}

async fn exact(cx: &Cx<'_>) -> Verdict {
    let staged = Staged::new(cx).await?;
    let promoted = promote(cx, &staged).await?;
    let (name, new) = (&staged.name, &promoted.current);
    cx.reads("read it by its id", name, VersionSelector::Id(new.clone()), &staged.pending).await?;
    let base = VersionSelector::Id(staged.base.clone());
    cx.reads("read the base by its id", name, base, &staged.current).await?;
    cx.settle(move || {
        Box::pin(async move {
            let versions = cx.versions(name, None).await?;
            let current = versions.iter().filter(|v| v.stages.contains(Stage::Current));
            let current: Vec<_> = current.map(|v| &v.id).collect();
            ensure(current == [new], "list the versions", "the promoted one as current", || {
                format!("{current:?} where `promote` returned `{new}`")
            })
        })
    })
    .await
}

async fn stale_base(cx: &Cx<'_>) -> Verdict {
    let (name, old) = (cx.secret()?, cx.value("old"));
    let stale = cx.put(&name, &old).await?.id;
    cx.put(&name, &cx.value("current")).await?;
    let waiting = cx.stage(&name, &cx.value("pending")).await?.id;
    let before = cx.snapshot(&name).await?;
    let promoted = cx.provider.promote(&name, &waiting, &stale, &cx.token()?).await;
    refused("promote from a base that is not current", promoted, &[ErrorKind::Conflict])?;
    cx.unchanged("read after the refusal", &name, &before).await
}

async fn repeated(cx: &Cx<'_>) -> Verdict {
    let staged = Staged::new(cx).await?;
    let (name, token) = (&staged.name, cx.token()?);
    let promote = || cx.provider.promote(name, &staged.waiting, &staged.base, &token);
    let first = done("promote", promote().await)?;
    cx.reads("read it", name, VersionSelector::Current, &staged.pending).await?;
    cx.let_changes_show().await;
    let before = cx.snapshot(name).await?;
    let again = done("promote again with the same token", promote().await)?;
    ensure(again == first, "promote again with the same token", "the same result", || {
        format!("{again:?} after {first:?}")
    })?;
    cx.unchanged("read after the repetition", name, &before).await
}

async fn late(cx: &Cx<'_>) -> Verdict {
    let staged = Staged::new(cx).await?;
    let (name, token) = (&staged.name, cx.token()?);
    let promote = || cx.provider.promote(name, &staged.waiting, &staged.base, &token);
    let first = done("promote", promote().await)?;
    cx.reads("read it", name, VersionSelector::Current, &staged.pending).await?;
    cx.put(name, &cx.value("newer")).await?;
    cx.let_changes_show().await;
    let before = cx.snapshot(name).await?;
    let (step, again) = ("promote again after a newer write", promote().await);
    match &again {
        Ok(again) => ensure(*again == first, step, "the same result", || {
            format!("{again:?} after {first:?}")
        })?,
        Err(_) => drop(refused(step, again, &[ErrorKind::Conflict])?),
    }
    cx.unchanged("read after the repetition", name, &before).await
}

async fn token(cx: &Cx<'_>) -> Verdict {
    let staged = Staged::new(cx).await?;
    let (name, token) = (&staged.name, cx.token()?);
    let promote = |waiting, base| cx.provider.promote(name, waiting, base, &token);
    let first = done("promote", promote(&staged.waiting, &staged.base).await)?;
    let pending = cx.value("next pending");
    let waiting = cx.stage(name, &pending).await?.id;
    let (step, next) =
        ("promote the next with the same token", promote(&waiting, &first.current).await);
    if next.is_ok() {
        cx.let_changes_show().await;
        cx.reads("read what was promoted", name, VersionSelector::Current, &pending).await?;
        return Ok(());
    }
    refused(step, next, &[ErrorKind::Conflict])?;
    let step = "read what waits after the refusal";
    cx.reads(step, name, VersionSelector::Pending, &pending).await?;
    let step = "read the current value after the refusal";
    cx.reads(step, name, VersionSelector::Current, &staged.pending).await?;
    Ok(())
}

async fn media_type(cx: &Cx<'_>) -> Verdict {
    const JSON: &str = "application/json";
    let name = cx.secret()?;
    let base = cx.put(&name, &cx.value("current").with_content_type(JSON)).await?.id;
    let read = done("read it", cx.provider.get_secret(&name, GetOptions::default()).await)?;
    let is_kept = read.value.content_type() == Some(JSON);
    let pending = cx.value("pending").with_content_type(JSON);
    let waiting = cx.stage(&name, &pending).await?.id;
    done("promote", cx.provider.promote(&name, &waiting, &base, &cx.token()?).await)?;
    let step = "read what was promoted";
    let read = cx.reads(step, &name, VersionSelector::Current, &pending).await?;
    let found = read.value.content_type();
    ensure(!is_kept || found == Some(JSON), step, "the media type it was staged with", || {
        format!("{found:?}")
    })
}

async fn unknown(cx: &Cx<'_>) -> Verdict {
    let staged = Staged::new(cx).await?;
    let other = done("make a version id", VersionId::new(&format!("{}0", staged.waiting)))?;
    let before = cx.snapshot(&staged.name).await?;
    let promoted = cx.provider.promote(&staged.name, &other, &staged.base, &cx.token()?).await;
    let step = "promote a version that does not wait";
    refused(step, promoted, &[ErrorKind::NotFound, ErrorKind::InvalidValue])?;
    cx.unchanged("read after the refusal", &staged.name, &before).await
}

async fn discarded(cx: &Cx<'_>) -> Verdict {
    let staged = Staged::new(cx).await?;
    done("discard it", cx.provider.discard_pending(&staged.name, &staged.waiting).await)?;
    let missing = &[ErrorKind::NotFound];
    cx.denies("read it", &staged.name, VersionSelector::Pending, missing).await?;
    let before = cx.snapshot(&staged.name).await?;
    let token = cx.token()?;
    let promoted = cx.provider.promote(&staged.name, &staged.waiting, &staged.base, &token).await;
    refused("promote what was discarded", promoted, missing)?;
    cx.unchanged("read after the refusal", &staged.name, &before).await
}

async fn foreign(cx: &Cx<'_>) -> Verdict {
    let staged = Staged::new(cx).await?;
    let (name, foreign) = (&staged.name, cx.value("foreign"));
    cx.write_outside(&cx.native(name)?, &foreign).await?;
    cx.reads("read the foreign value", name, VersionSelector::Current, &foreign).await?;
    let token = cx.token()?;
    let promoted = cx.provider.promote(name, &staged.waiting, &staged.base, &token).await;
    refused("promote from the base before it", promoted, &[ErrorKind::Conflict])?;
    cx.let_changes_show().await;
    let step = "read the current value after the refusal";
    cx.reads(step, name, VersionSelector::Current, &foreign).await?;
    Ok(())
}

async fn again(cx: &Cx<'_>) -> Verdict {
    let staged = Staged::new(cx).await?;
    let promoted = promote(cx, &staged).await?;
    let pending = cx.value("next pending");
    let waiting = cx.stage(&staged.name, &pending).await?.id;
    let next = Staged { base: promoted.current, waiting, pending, ..staged };
    promote(cx, &next).await?;
    Ok(())
}

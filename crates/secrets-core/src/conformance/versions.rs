//! What a write makes current, previous and readable for ever.

use std::num::NonZeroU32;

use crate::capability::Consistency;
use crate::error::ErrorKind;
use crate::page::{PageRequest, PageToken};
use crate::reference::SecretRef;
use crate::value::SecretValue;
use crate::version::{Stage, VersionId, VersionInfo, VersionSelector, VersionState};

use super::check::Capability::{Previous, Versions, Write};
use super::check::Need::Has;
use super::check::{Because, Stop, Verdict, checks};
use super::context::{Cx, Probe, SecretItem};
use super::outcome::{done, ensure, refused};

checks! {
    SecretItem;
    "versions.current", current, [Has(Write)],
        "the last write is current, under an id of its own",
        "each write makes a version with a new id, and a read without a version gives the newest \
         one.";
    "versions.told", told, [Has(Write)],
        "a write and a read tell the same of a version",
        "`set_secret` answers with the version that reads then show: its id, enabled, current.";
    "versions.previous", previous, [Has(Write), Has(Previous)],
        "the previous version is the one before",
        "after two writes the first one is `Previous`; after three the second.";
    "versions.previous-told", previous_told, [Has(Write), Has(Previous)],
        "the previous version is told as previous",
        "the version that `Previous` reads, and in `list_versions` no other, has the stage \
         `Previous`, and is not current.";
    "versions.no-previous", no_previous, [Has(Write), Has(Previous)],
        "the first version has none before it",
        "`Previous` of a secret that was written once is `NotFound`.";
    "versions.exact", exact, [Has(Write), Has(Versions)],
        "an id always reads its own value",
        "a version is immutable: later writes change nothing about what its id reads.";
    "versions.exact-at-once", exact_at_once, [Has(Write), Has(Versions)],
        "an exact version is read at once",
        "where consistency is strong, or strong for exact versions, no waiting is needed after a \
         write.";
    "versions.unknown", unknown, [Has(Write), Has(Versions)],
        "an unknown id is not another version",
        "`get_secret` of an id that the secret does not have is `NotFound` (or `InvalidValue` \
         where it cannot be one).";
    "versions.listed", listed, [Has(Write), Has(Versions)],
        "all versions are listed, one of them current",
        "`list_versions` has every version that was written, with its state and stages.";
    "versions.pages", pages, [Has(Write), Has(Versions)],
        "pages lose nothing and repeat nothing",
        "the pages of `list_versions` of one item each hold every version once.";
    "versions.bad-token", bad_token, [Has(Write), Has(Versions)],
        "a token that is not the provider's is refused",
        "`list_versions` with a foreign token is `InvalidValue`, not the first page.";
    "versions.absent", absent, [Has(Versions)],
        "an absent secret has no list of versions",
        "`list_versions` of an absent secret is `NotFound`, not an empty list.";
}

/// Writes so many values, one after the other.
async fn history(cx: &Cx<'_>, count: usize) -> Verdict<(SecretRef, Vec<(VersionId, SecretValue)>)> {
    const LABELS: [&str; 4] = ["first", "second", "third", "fourth"];
    let name = cx.secret()?;
    let mut written = Vec::new();
    for label in LABELS.into_iter().take(count) {
        let value = cx.value(label);
        let info = cx.put(&name, &value).await?;
        written.push((info.id, value));
    }
    Ok((name, written))
}

async fn current(cx: &Cx<'_>) -> Verdict {
    let (_, written) = history(cx, 3).await?;
    let mut ids: Vec<_> = written.iter().map(|(id, _)| id).collect();
    ids.sort();
    ids.dedup();
    ensure(ids.len() == 3, "write three values", "three ids", || format!("{ids:?}"))
}

async fn told(cx: &Cx<'_>) -> Verdict {
    let (name, value) = (cx.secret()?, cx.value("told"));
    let step = "compare what the write and the read tell";
    let written = cx.set(&name, &value).await?;
    let read = cx.reads("read it back", &name, VersionSelector::Current, &value).await?.version;
    ensure(read.id == written.id, step, "the id that the write told", || {
        format!("`{}` from the write, `{}` from the read", written.id, read.id)
    })?;
    for version in [&written, &read] {
        let sound = version.state == VersionState::Enabled
            && version.stages.contains(Stage::Current)
            && !version.stages.contains(Stage::Pending);
        ensure(sound, step, "an enabled version, current and not pending", || {
            format!("{:?} with the stages {:?}", version.state, version.stages)
        })?;
    }
    Ok(())
}

async fn previous(cx: &Cx<'_>) -> Verdict {
    let (name, first, second) = (cx.secret()?, cx.value("first"), cx.value("second"));
    cx.put(&name, &first).await?;
    cx.put(&name, &second).await?;
    cx.reads("read previous after two writes", &name, VersionSelector::Previous, &first).await?;
    cx.put(&name, &cx.value("third")).await?;
    cx.reads("read previous after three writes", &name, VersionSelector::Previous, &second).await?;
    Ok(())
}

async fn previous_told(cx: &Cx<'_>) -> Verdict {
    let (name, first, second) = (cx.secret()?, cx.value("first"), cx.value("second"));
    cx.put(&name, &first).await?;
    let previous = cx.put(&name, &second).await?.id;
    cx.put(&name, &cx.value("third")).await?;
    let step = "read the previous version";
    let read = cx.reads(step, &name, VersionSelector::Previous, &second).await?.version;
    let sound = read.stages.contains(Stage::Previous) && !read.stages.contains(Stage::Current);
    ensure(sound, step, "a version that is previous and not current", || {
        format!("the stages {:?}", read.stages)
    })?;
    if !cx.has(Versions) {
        return Ok(());
    }
    lists(cx, &name, None, &move |versions: &[VersionInfo]| {
        let told = versions.iter().filter(|v| v.stages.contains(Stage::Previous));
        let told: Vec<_> = told.map(|v| &v.id).collect();
        if told == [&previous] { Ok(()) } else { Err(format!("{told:?} as previous")) }
    })
    .await
}

async fn no_previous(cx: &Cx<'_>) -> Verdict {
    let (name, _) = history(cx, 1).await?;
    let step = "read previous after one write";
    cx.denies(step, &name, VersionSelector::Previous, &[ErrorKind::NotFound]).await
}

async fn exact(cx: &Cx<'_>) -> Verdict {
    let (name, written) = history(cx, 3).await?;
    for (id, value) in &written {
        let step = "read each version by its id";
        let read = cx.reads(step, &name, VersionSelector::Id(id.clone()), value).await?;
        ensure(read.version.id == *id, step, "the id that was asked for", || {
            format!("`{}` where `{id}` was asked for", read.version.id)
        })?;
    }
    Ok(())
}

async fn exact_at_once(cx: &Cx<'_>) -> Verdict {
    if let Consistency::Eventual { .. } = cx.capabilities().consistency {
        let reason = "`consistency` promises nothing about exact versions";
        return Err(Stop::NotApplicable(Because::Shape(reason)));
    }
    let (name, first, second) = (cx.secret()?, cx.value("first"), cx.value("second"));
    for value in [&first, &second] {
        let id = cx.set(&name, value).await?.id;
        let read = cx.get(&name, VersionSelector::Id(id)).await;
        let read = done("read the version at once", read)?;
        ensure(
            read.value.ct_eq(value),
            "read the version at once",
            "the value just written",
            || cx.told(&read.value),
        )?;
    }
    Ok(())
}

async fn unknown(cx: &Cx<'_>) -> Verdict {
    let (name, written) = history(cx, 1).await?;
    let like = written.first().map_or("1", |(id, _)| id.as_str());
    for id in [format!("{like}0"), "9".repeat(9), format!("{like}/..")] {
        let id = done("make a version id", VersionId::new(&id))?;
        let read = cx.get(&name, VersionSelector::Id(id)).await;
        refused("read an unknown version", read, &[ErrorKind::NotFound, ErrorKind::InvalidValue])?;
    }
    Ok(())
}

async fn listed(cx: &Cx<'_>) -> Verdict {
    let (name, written) = history(cx, 3).await?;
    let last = written.last().map(|(id, _)| id.clone());
    lists(cx, &name, None, &move |versions: &[VersionInfo]| {
        let current: Vec<_> =
            versions.iter().filter(|v| v.stages.contains(Stage::Current)).map(|v| &v.id).collect();
        if versions.iter().any(|v| v.state != VersionState::Enabled) {
            return Err("a version that is not enabled".to_owned());
        }
        if current != last.iter().collect::<Vec<_>>() {
            return Err(format!("{current:?} as current where the last write was {last:?}"));
        }
        each_once(versions, &written)
    })
    .await
}

async fn pages(cx: &Cx<'_>) -> Verdict {
    let (name, written) = history(cx, 4).await?;
    lists(cx, &name, Some(NonZeroU32::MIN), &move |versions: &[VersionInfo]| {
        each_once(versions, &written)
    })
    .await
}

/// Every version that was written, and no more than these.
fn each_once(versions: &[VersionInfo], written: &[(VersionId, SecretValue)]) -> Result<(), String> {
    let mut seen: Vec<_> = versions.iter().map(|v| &v.id).collect();
    let mut wanted: Vec<_> = written.iter().map(|(id, _)| id).collect();
    seen.sort();
    wanted.sort();
    if seen == wanted { Ok(()) } else { Err(format!("{seen:?} where {wanted:?} were written")) }
}

type Judge<'a> = &'a (dyn Fn(&[VersionInfo]) -> Result<(), String> + Send + Sync);

async fn lists(
    cx: &Cx<'_>,
    name: &SecretRef,
    limit: Option<NonZeroU32>,
    judge: Judge<'_>,
) -> Verdict {
    cx.settle(move || -> Probe<'_, ()> {
        Box::pin(async move {
            let versions = cx.versions(name, limit).await?;
            judge(&versions).map_err(|seen| {
                Stop::failed("list the versions", "what the writes and reads tell, once each", seen)
            })
        })
    })
    .await
}

async fn bad_token(cx: &Cx<'_>) -> Verdict {
    let (name, _) = history(cx, 2).await?;
    for token in ["", "no token of yours", "\u{202e}"] {
        let page =
            cx.provider.list_versions(&name, PageRequest::after(PageToken::new(token))).await;
        refused("list the versions with a foreign token", page, &[ErrorKind::InvalidValue])?;
    }
    Ok(())
}

async fn absent(cx: &Cx<'_>) -> Verdict {
    let page = cx.provider.list_versions(&cx.secret()?, PageRequest::first()).await;
    refused("list the versions of an absent secret", page, &[ErrorKind::NotFound])?;
    Ok(())
}

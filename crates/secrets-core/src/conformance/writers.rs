//! Several writers at one secret.

use crate::capability::Cas;
use crate::error::{ErrorKind, Result};
use crate::options::{Precondition, SetOptions};
use crate::reference::SecretRef;
use crate::value::SecretValue;
use crate::version::{VersionInfo, VersionSelector};

use super::check::Capability::{CasSet, Previous, Versions, Write};
use super::check::Need::{Has, Hook};
use super::check::{Stop, Verdict, checks};
use super::context::{Cx, SecretItem};
use super::harness::Hook::PlainWriter;
use super::join;
use super::outcome::{ensure, told_error};

checks! {
    SecretItem;
    "writers.upon-one", upon_one, [Has(Write), Has(CasSet)],
        "of writers upon the same version one wins",
        "with `Cas::Enforced` one write upon a version succeeds and the others are `Conflict`; \
         with `Cas::Detected` every write that succeeds stays in the history.";
    "writers.create", create, [Has(Write), Has(CasSet)],
        "of writers that create one wins",
        "with `Cas::Enforced` one write with `Precondition::Absent` succeeds and the others are \
         `AlreadyExists` or `Conflict`.";
    "writers.at-once", at_once, [Has(Write), Has(Versions)],
        "concurrent writes lose no version",
        "every write that succeeds is a version of its own, and one of them is current.";
    "writers.foreign", foreign, [Has(Write), Hook(PlainWriter)],
        "somebody else's write is current until the next one",
        "a write past this library is what `Current` reads; the next write follows it, and it \
         becomes previous.";
}

const WRITERS: [&str; 4] = ["of writer 1", "of writer 2", "of writer 3", "of writer 4"];

struct Outcome {
    value: SecretValue,
    written: Result<VersionInfo>,
}

/// Writes from all writers at once.
async fn race(cx: &Cx<'_>, name: &SecretRef, precondition: Precondition) -> Vec<Outcome> {
    let values: Vec<_> = WRITERS.into_iter().map(|label| cx.value(label)).collect();
    let writes = values.iter().map(|value| {
        let options = SetOptions::new().when(precondition.clone());
        let write: std::pin::Pin<Box<dyn Future<Output = _> + Send>> =
            Box::pin(cx.provider.set_secret(name, value.clone(), options));
        write
    });
    let written = join::all(writes.collect()).await;
    values.into_iter().zip(written).map(|(value, written)| Outcome { value, written }).collect()
}

/// The writes that succeeded, provided that the others were refused for one of these reasons.
fn winners<'o>(outcomes: &'o [Outcome], kinds: &[ErrorKind]) -> Verdict<Vec<&'o Outcome>> {
    let mut winners = Vec::new();
    for outcome in outcomes {
        match &outcome.written {
            Ok(_) => winners.push(outcome),
            Err(error) if kinds.contains(&error.kind()) => {}
            Err(error) => {
                let expected = "success or a conflict";
                return Err(Stop::failed("write at once", expected, told_error(error)));
            }
        }
    }
    Ok(winners)
}

fn one_of_them(cx: &Cx<'_>, winners: &[&Outcome]) -> Verdict {
    let enforced = cx.capabilities().cas.set == Cas::Enforced;
    let expected = "one winner where the condition is enforced";
    ensure(!enforced || winners.len() == 1, "write at once", expected, || {
        format!("{} of {} writes succeeded", winners.len(), WRITERS.len())
    })
}

/// Each write that succeeded can be read by its id, and one of these values is current.
async fn in_history(cx: &Cx<'_>, name: &SecretRef, all: &[Outcome], won: &[&Outcome]) -> Verdict {
    if cx.has(Versions) {
        for winner in won {
            let Ok(info) = &winner.written else { continue };
            let id = VersionSelector::Id(info.id.clone());
            cx.reads("read the version of a write that succeeded", name, id, &winner.value).await?;
        }
    }
    cx.settle(move || {
        Box::pin(async move {
            let step = "read the current value";
            match cx.get(name, VersionSelector::Current).await {
                Ok(secret) => {
                    let known = all.iter().any(|outcome| outcome.value.ct_eq(&secret.value));
                    ensure(known, step, "a value of one of the writers", || cx.told(&secret.value))
                }
                Err(error) => {
                    Err(Stop::failed(step, "a value of one of the writers", told_error(&error)))
                }
            }
        })
    })
    .await
}

async fn upon_one(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    let base = cx.put(&name, &cx.value("base")).await?.id;
    let outcomes = race(cx, &name, Precondition::CurrentIs(base)).await;
    let winners = winners(&outcomes, &[ErrorKind::Conflict])?;
    one_of_them(cx, &winners)?;
    in_history(cx, &name, &outcomes, &winners).await
}

async fn create(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    let outcomes = race(cx, &name, Precondition::Absent).await;
    let winners = winners(&outcomes, &[ErrorKind::Conflict, ErrorKind::AlreadyExists])?;
    one_of_them(cx, &winners)?;
    in_history(cx, &name, &outcomes, &winners).await
}

async fn at_once(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    cx.put(&name, &cx.value("base")).await?;
    let outcomes = race(cx, &name, Precondition::Any).await;
    let winners = winners(&outcomes, &[ErrorKind::Conflict])?;
    ensure(!winners.is_empty(), "write at once", "a write that succeeds", || "none".to_owned())?;
    let mut ids: Vec<_> = winners.iter().filter_map(|w| w.written.as_ref().ok()).collect();
    ids.sort_by(|a, b| a.id.cmp(&b.id));
    ids.dedup_by(|a, b| a.id == b.id);
    ensure(ids.len() == winners.len(), "write at once", "a version a write", || {
        format!("{} versions of {} writes", ids.len(), winners.len())
    })?;
    in_history(cx, &name, &outcomes, &winners).await
}

async fn foreign(cx: &Cx<'_>) -> Verdict {
    let (name, foreign, next) = (cx.secret()?, cx.value("foreign"), cx.value("next"));
    let first = cx.value("first");
    cx.put(&name, &first).await?;
    cx.write_outside(&cx.native(&name)?, &foreign).await?;
    let step = "read the current value after a foreign write";
    cx.reads(step, &name, VersionSelector::Current, &foreign).await?;
    cx.put(&name, &next).await?;
    if cx.has(Previous) {
        let step = "read the previous value after the next write";
        cx.reads(step, &name, VersionSelector::Previous, &foreign).await?;
    }
    if cx.has(Versions) {
        let name = &name;
        cx.settle(move || {
            Box::pin(async move {
                let count = cx.versions(name, None).await?.len();
                ensure(count == 3, "list the versions", "three", || format!("{count}"))
            })
        })
        .await?;
    }
    Ok(())
}

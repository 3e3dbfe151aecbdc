//! Many reads in one call.

use crate::error::{ErrorKind, Result};
use crate::options::GetOptions;
use crate::reference::SecretRef;
use crate::value::{Secret, SecretValue};
use crate::version::VersionId;
use crate::version::VersionSelector::{self, Current};

use super::check::Capability::{Previous, Validity, Versions, Write};
use super::check::Need::{Has, Seed};
use super::check::{Stop, Verdict, checks};
use super::context::{Cx, SecretItem};
use super::outcome::{done, ensure, told_error};
use super::validity::expired;

checks! {
    SecretItem;
    "batch.order", order, [Seed],
        "answers stand in the order of the questions",
        "`get_secrets` answers each question in its place, one that is asked twice twice.";
    "batch.per-item", per_item, [Seed],
        "one that fails does not fail the others",
        "an absent secret is `NotFound` in its place; `get_secrets` fails as a whole only for \
         what fails all.";
    "batch.many", many, [Seed],
        "more than one batch of the backend is answered",
        "`get_secrets` takes more than `limits.batch` secrets at a time.";
    "batch.none", none, [],
        "no questions have no answers",
        "`get_secrets` of nothing is an empty list.";
    "batch.selectors", selectors, [Has(Write), Has(Previous), Has(Versions)],
        "each question names its version",
        "`get_secrets` minds the version that is asked for, and answers for several of one secret.";
    "batch.as-single", as_single, [Seed],
        "a question of many is answered as a read of its own",
        "`get_secrets` answers each question as `get_secret` does with the same options: with the \
         same version and value, or an error of the same kind.";
    "batch.validity", validity, [Has(Write), Has(Validity)],
        "each question says whether it minds validity",
        "`Validity::Ignore` reaches its question and no other: that one gives the value, and one \
         that enforces is answered as a read of its own.";
}

/// More secrets than a suite should write for one call.
const MOST: usize = 128;

async fn there(cx: &Cx<'_>, label: &str) -> Verdict<(SecretRef, SecretValue)> {
    let (name, value) = (cx.name(label)?, cx.plant("of the batch", cx.bytes(label)));
    cx.seed(&name, &value).await?;
    let name = SecretRef::from(name);
    cx.reads("read it", &name, Current, &value).await?;
    Ok((name, value))
}

/// The answers to questions for current versions.
async fn ask(cx: &Cx<'_>, names: &[&SecretRef]) -> Verdict<Vec<Result<Secret>>> {
    let wanted: Vec<_> =
        names.iter().map(|name| ((*name).clone(), minding_none(Current))).collect();
    answers(cx, &wanted).await
}

/// How [`Cx::get`] reads.
fn minding_none(version: VersionSelector) -> GetOptions {
    GetOptions::version(version).ignore_validity()
}

async fn answers(cx: &Cx<'_>, wanted: &[(SecretRef, GetOptions)]) -> Verdict<Vec<Result<Secret>>> {
    let answers = done("read many", cx.provider.get_secrets(wanted).await)?;
    let (seen, wanted) = (answers.len(), wanted.len());
    ensure(seen == wanted, "read many", "one answer a question", || {
        format!("{seen} answers to {wanted} questions")
    })?;
    Ok(answers)
}

fn is_value(cx: &Cx<'_>, answer: Option<&Result<Secret>>, want: &SecretValue) -> Verdict {
    match answer {
        Some(Ok(secret)) if secret.value.ct_eq(want) => Ok(()),
        Some(Ok(secret)) => Err(Stop::failed("read many", cx.told(want), cx.told(&secret.value))),
        Some(Err(error)) => Err(Stop::failed("read many", cx.told(want), told_error(error))),
        None => Err(Stop::failed("read many", cx.told(want), "no answer")),
    }
}

async fn order(cx: &Cx<'_>) -> Verdict {
    let (one, two, three) =
        (there(cx, "b/1").await?, there(cx, "b/2").await?, there(cx, "b/3").await?);
    let asked = [&three, &one, &three, &two];
    let answers = ask(cx, &asked.map(|(name, _)| name)).await?;
    for (at, (_, value)) in asked.into_iter().enumerate() {
        is_value(cx, answers.get(at), value)?;
    }
    Ok(())
}

async fn per_item(cx: &Cx<'_>) -> Verdict {
    let (one, two, absent) = (there(cx, "b/1").await?, there(cx, "b/2").await?, cx.secret()?);
    let answers = ask(cx, &[&one.0, &absent, &two.0]).await?;
    is_value(cx, answers.first(), &one.1)?;
    is_value(cx, answers.get(2), &two.1)?;
    let missing = matches!(answers.get(1), Some(Err(error)) if error.kind() == ErrorKind::NotFound);
    ensure(missing, "read many, one of them absent", "`not found` in its place", || {
        match answers.get(1) {
            Some(Err(error)) => told_error(error),
            _ => "a value".to_owned(),
        }
    })
}

async fn many(cx: &Cx<'_>) -> Verdict {
    let count = cx.capabilities().limits.batch.saturating_add(1).min(MOST);
    let mut secrets = Vec::new();
    for at in 0..count {
        secrets.push(there(cx, &format!("m/{at}")).await?);
    }
    let names: Vec<_> = secrets.iter().map(|(name, _)| name).collect();
    let answers = ask(cx, &names).await?;
    for (at, (_, value)) in secrets.iter().enumerate() {
        is_value(cx, answers.get(at), value)?;
    }
    Ok(())
}

async fn none(cx: &Cx<'_>) -> Verdict {
    answers(cx, &[]).await.map(drop)
}

async fn selectors(cx: &Cx<'_>) -> Verdict {
    let (name, first, second) = (cx.secret()?, cx.value("first"), cx.value("second"));
    let old = cx.put(&name, &first).await?.id;
    cx.put(&name, &second).await?;
    cx.reads("read the previous one", &name, VersionSelector::Previous, &first).await?;
    let wanted = [
        (name.clone(), minding_none(VersionSelector::Previous)),
        (name.clone(), minding_none(Current)),
        (name, minding_none(VersionSelector::Id(old))),
    ];
    let answers = answers(cx, &wanted).await?;
    is_value(cx, answers.first(), &first)?;
    is_value(cx, answers.get(1), &second)?;
    is_value(cx, answers.get(2), &first)
}

async fn as_single(cx: &Cx<'_>) -> Verdict {
    let (name, value) = there(cx, "b/1").await?;
    let id = cx.reads("read it", &name, Current, &value).await?.version.id;
    if cx.has(Write) {
        cx.put(&name, &cx.value("second")).await?;
    }
    let unknown = done("make a version id", VersionId::new("no-version-of-yours"))?;
    let selectors = [
        VersionSelector::Previous,
        Current,
        VersionSelector::Pending,
        VersionSelector::Id(id),
        VersionSelector::Id(unknown),
    ];
    let absent = cx.secret()?;
    let mut wanted = Vec::new();
    for selector in selectors {
        wanted.push((name.clone(), GetOptions::version(selector.clone())));
        wanted.push((absent.clone(), minding_none(selector.clone())));
        wanted.push((name.clone(), minding_none(selector)));
    }
    same_as_single(cx, &wanted).await.map(drop)
}

async fn validity(cx: &Cx<'_>) -> Verdict {
    let (expired, valid) = (expired(cx).await?, there(cx, "b/valid").await?);
    let ask = |(name, _): &(SecretRef, SecretValue), options| (name.clone(), options);
    let wanted = [
        ask(&expired, minding_none(Current)),
        ask(&expired, GetOptions::default()),
        ask(&valid, GetOptions::default()),
        ask(&expired, minding_none(Current)),
    ];
    for at in [0, 1] {
        // Which of the two comes first must not matter.
        let answers = same_as_single(cx, wanted.get(at..).unwrap_or_default()).await?;
        is_value(cx, answers.get(3 - at), &expired.1)?;
        is_value(cx, answers.get(2 - at), &valid.1)?;
    }
    Ok(())
}

/// The answers, once each is what a read of its own gives.
async fn same_as_single<'a>(
    cx: &'a Cx<'_>,
    wanted: &'a [(SecretRef, GetOptions)],
) -> Verdict<Vec<Result<Secret>>> {
    cx.settle(move || {
        Box::pin(async move {
            let answers = answers(cx, wanted).await?;
            for ((name, options), answer) in wanted.iter().zip(&answers) {
                let single = cx.provider.get_secret(name, options.clone()).await;
                if !is_same(answer, &single) {
                    let step = format!("read many, `{name}` with {options:?} among them");
                    return Err(Stop::failed(step, cx.told_read(&single), cx.told_read(answer)));
                }
            }
            Ok(answers)
        })
    })
    .await
}

fn is_same(one: &Result<Secret>, other: &Result<Secret>) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => one.version == other.version && one.value.ct_eq(&other.value),
        (Err(one), Err(other)) => one.kind() == other.kind(),
        _ => false,
    }
}

//! No value shows in anything that is printed. These run last and look at all that was answered.

use crate::metadata::{Change, MetadataPatch};
use crate::options::{DeleteMode, GetOptions, Precondition, SetOptions};
use crate::page::{PageRequest, PageToken, SecretFilter};
use crate::reference::SecretRef;
use crate::version::{VersionId, VersionSelector, VersionState};

use super::check::{Capability, Need, Verdict, checks};
use super::context::{Cx, SecretItem};
use super::outcome::{done, ensure};
use super::reads::native_ref;

checks! {
    SecretItem;
    "leaks.errors", errors, [],
        "no error shows a value",
        "the text, the debug form and the sources of every error are free of secret values: they \
         go into logs.";
    "leaks.results", results, [],
        "no result shows a value in its debug form",
        "every type that a provider returns can be logged with `{:?}`.";
    "leaks.provider", provider, [Need::Seed],
        "the provider shows no value in its debug form",
        "`Debug` of a provider is an allow-list: neither values nor its own credentials show.";
    "errors.operation", operation, [],
        "every error names its operation",
        "`Error::operation` is the call that failed: metrics and audit records are keyed by it.";
    "errors.effect", effect, [],
        "a refusal before any effect says so",
        "errors of the kinds unsupported, invalid name, invalid value and too large have \
         `Effect::NotApplied`.";
}

/// Calls everything, with values in hand, rightly and wrongly: once a run, whose answers all checks look at.
async fn call_everything(cx: &Cx<'_>) -> Verdict {
    if cx.provider.log().everything_was_called {
        return Ok(());
    }
    call_it(cx).await?;
    cx.provider.log().everything_was_called = true;
    Ok(())
}

async fn call_it(cx: &Cx<'_>) -> Verdict {
    let (name, value) = (cx.name("everything")?, cx.value("everything"));
    if cx.has(Capability::Write) || cx.harness.plain_writer().is_some() {
        cx.seed(&name, &value).await?;
    }
    let (name, absent) = (SecretRef::from(name), cx.secret()?);
    let read = cx.get(&name, VersionSelector::Current).await;
    let unknown = done("make a version id", VersionId::new("no-version-of-yours"))?;
    let id = read.map_or(unknown.clone(), |secret| secret.version.id);
    let detour = native_ref("x/../../no?name#of yours")?;
    for r in [&name, &absent, &detour] {
        for version in [&id, &unknown] {
            call_each(cx, r, version).await?;
        }
    }
    let p = cx.provider;
    let wanted = [
        (name, GetOptions::default()),
        (absent, GetOptions::version(VersionSelector::Previous).ignore_validity()),
    ];
    let _ = p.get_secrets(&wanted).await;
    let _ = p.list_secrets(&SecretFilter::all(), PageRequest::first()).await;
    let foreign = PageRequest::after(PageToken::new("no token of yours"));
    let _ = p.list_secrets(&SecretFilter::all(), foreign).await;
    let _ = p.health().await;
    Ok(())
}

async fn call_each(cx: &Cx<'_>, r: &SecretRef, version: &VersionId) -> Verdict {
    let (p, value, token) = (cx.provider, cx.value("everything"), cx.token()?);
    let selectors =
        [VersionSelector::Previous, VersionSelector::Pending, VersionSelector::Id(version.clone())];
    for selector in selectors {
        let _ = cx.get(r, selector).await;
    }
    for options in [
        SetOptions::new().with_token(token.clone()),
        SetOptions::pending(),
        SetOptions::new().when(Precondition::Absent),
        SetOptions::new().when(Precondition::CurrentIs(version.clone())),
    ] {
        let _ = p.set_secret(r, value.clone(), options).await;
    }
    let other = SetOptions::new().with_token(token.clone());
    let _ = p.set_secret(r, cx.value("other content"), other).await;
    let _ = p.promote(r, version, version, &token).await;
    let _ = p.discard_pending(r, version).await;
    let patch = MetadataPatch::new().description(Change::Set("described".into()));
    let _ = p.update_metadata(r, Some(version), patch.clone(), Precondition::Any).await;
    let _ = p.update_metadata(r, None, patch, Precondition::Any).await;
    let _ = p.set_version_state(r, version, VersionState::Empty).await;
    let _ = p.describe_secret(r).await;
    let _ = p.list_versions(r, PageRequest::first()).await;
    let _ = p.restore_secret(r).await;
    let _ = p.purge_secret(r).await;
    let _ = p.delete_secret(r, DeleteMode::Recoverable { window: None }).await;
    let _ = p.delete_secret(r, DeleteMode::Immediate).await;
    Ok(())
}

/// Fails with what was noted, each sort once.
fn nothing_noted(step: &'static str, expected: &'static str, noted: &[String]) -> Verdict {
    let mut noted = noted.to_vec();
    noted.sort();
    noted.dedup();
    ensure(noted.is_empty(), step, expected, || noted.join("; "))
}

async fn errors(cx: &Cx<'_>) -> Verdict {
    call_everything(cx).await?;
    let step = "look at every error of this run";
    nothing_noted(step, "no planted secret in any", &cx.provider.log().leaking_errors)
}

async fn results(cx: &Cx<'_>) -> Verdict {
    call_everything(cx).await?;
    let step = "look at the debug form of every result of this run";
    nothing_noted(step, "no planted secret in any", &cx.provider.log().leaking_results)
}

async fn provider(cx: &Cx<'_>) -> Verdict {
    let (name, value) = (cx.name("shown")?, cx.value("shown"));
    cx.seed(&name, &value).await?;
    cx.reads("read it", &name.into(), VersionSelector::Current, &value).await?;
    let (provider, canary) = (cx.provider.inner(), cx.provider.canary());
    let shown = [
        canary.is_in_debug(provider),
        canary.is_in_debug(provider.id()),
        canary.is_in_debug(provider.name_rules()),
        canary.is_in(&provider.id().to_string()),
    ];
    ensure(!shown.contains(&true), "show the provider and its id", "no planted secret", || {
        "one".to_owned()
    })
}

async fn operation(cx: &Cx<'_>) -> Verdict {
    call_everything(cx).await?;
    let step = "look at the operation of every error of this run";
    nothing_noted(step, "the call that failed", &cx.provider.log().misnamed_errors)
}

async fn effect(cx: &Cx<'_>) -> Verdict {
    call_everything(cx).await?;
    let step = "look at the effect of every refusal of this run";
    nothing_noted(step, "`NotApplied`", &cx.provider.log().vague_refusals)
}

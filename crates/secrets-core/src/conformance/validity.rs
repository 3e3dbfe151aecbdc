//! Bounds of validity are kept and told; whether they are enforced is not the provider's business.

use std::time::{Duration, SystemTime};

use crate::capability::Scope;
use crate::metadata::{Change, MetadataPatch};
use crate::options::{Precondition, SetOptions};
use crate::reference::SecretRef;
use crate::value::SecretValue;
use crate::version::{VersionId, VersionInfo, VersionSelector};

use super::check::Capability::{Validity, Versions, Write};
use super::check::Need::Has;
use super::check::{Stop, Verdict, checks};
use super::context::{Cx, SecretItem};
use super::outcome::done;

checks! {
    SecretItem;
    "validity.with-value", with_value, [Has(Write), Has(Validity)],
        "bounds go with a value",
        "what `SetOptions::metadata` says of validity is told with the version that is read.";
    "validity.changed", changed, [Has(Write), Has(Validity)],
        "bounds are changed and cleared later",
        "`update_metadata` sets and clears `not_before` and `expires`, each by itself.";
    "validity.scope", scope, [Has(Write), Has(Validity), Has(Versions)],
        "bounds belong to what is declared",
        "by `validity_scope` a change shows at that version alone, or at the secret's every \
         version.";
    "validity.readable", readable, [Has(Write), Has(Validity)],
        "what has expired can still be read on demand",
        "a read with `Validity::Ignore` gives a value outside its bounds: rotation needs it.";
}

/// A time of whole seconds, which every backend keeps: so many days after 2030-01-01.
fn day(days: u32) -> SystemTime {
    let start = Duration::from_secs(1_893_456_000);
    SystemTime::UNIX_EPOCH + start + Duration::from_secs(86_400) * days
}

/// What `update_metadata` names for bounds of the current version.
fn target<'a>(cx: &Cx<'_>, version: &'a VersionId) -> Option<&'a VersionId> {
    match cx.capabilities().validity_scope {
        Scope::Secret => None,
        Scope::Version => Some(version),
    }
}

/// Waits until a version is told with these bounds.
async fn bounds(
    cx: &Cx<'_>,
    step: &'static str,
    (name, version): (&SecretRef, VersionSelector),
    value: &SecretValue,
    wanted: (Option<SystemTime>, Option<SystemTime>),
) -> Verdict<VersionInfo> {
    let version = &version;
    cx.settle(move || {
        Box::pin(async move {
            let read = cx.reads(step, name, version.clone(), value).await?.version;
            if (read.not_before, read.expires) == wanted {
                return Ok(read);
            }
            let seen = (read.not_before, read.expires);
            Err(Stop::failed(step, format!("the bounds {wanted:?}"), format!("{seen:?}")))
        })
    })
    .await
}

async fn with_value(cx: &Cx<'_>) -> Verdict {
    let (name, value) = (cx.secret()?, cx.value("bounded"));
    let patch = MetadataPatch::new().not_before(Change::Set(day(0))).expires(Change::Set(day(90)));
    let options = SetOptions::new().with_metadata(patch);
    let written = cx.provider.set_secret(&name, value.clone(), options).await;
    done("write a value with bounds", written)?;
    let current = (&name, VersionSelector::Current);
    bounds(cx, "read it", current, &value, (Some(day(0)), Some(day(90)))).await?;
    Ok(())
}

async fn changed(cx: &Cx<'_>) -> Verdict {
    let (name, value) = (cx.secret()?, cx.value("bounded later"));
    let id = cx.put(&name, &value).await?.id;
    let steps = [
        (MetadataPatch::new().expires(Change::Set(day(30))), (None, Some(day(30)))),
        (MetadataPatch::new().not_before(Change::Set(day(1))), (Some(day(1)), Some(day(30)))),
        (MetadataPatch::new().expires(Change::Set(day(60))), (Some(day(1)), Some(day(60)))),
        (MetadataPatch::new().not_before(Change::Clear), (None, Some(day(60)))),
        (MetadataPatch::new().expires(Change::Clear), (None, None)),
    ];
    for (patch, wanted) in steps {
        let target = target(cx, &id);
        let updated = cx.provider.update_metadata(&name, target, patch, Precondition::Any).await;
        done("change the bounds", updated)?;
        let current = (&name, VersionSelector::Current);
        bounds(cx, "read it after the change", current, &value, wanted).await?;
    }
    Ok(())
}

async fn scope(cx: &Cx<'_>) -> Verdict {
    let (name, first, second) = (cx.secret()?, cx.value("first"), cx.value("second"));
    let old = cx.put(&name, &first).await?.id;
    cx.put(&name, &second).await?;
    let patch = MetadataPatch::new().expires(Change::Set(day(30)));
    let updated =
        cx.provider.update_metadata(&name, target(cx, &old), patch, Precondition::Any).await;
    done("change the bounds", updated)?;
    let changed = (None, Some(day(30)));
    let old = (&name, VersionSelector::Id(old));
    bounds(cx, "read the older version", old, &first, changed).await?;
    cx.let_changes_show().await;
    let wanted = match cx.capabilities().validity_scope {
        Scope::Secret => changed,
        Scope::Version => (None, None),
    };
    let current = (&name, VersionSelector::Current);
    bounds(cx, "read the current version", current, &second, wanted).await?;
    Ok(())
}

async fn readable(cx: &Cx<'_>) -> Verdict {
    expired(cx).await.map(drop)
}

/// A secret that has expired by any clock, and its value, once it is told so.
pub(super) async fn expired(cx: &Cx<'_>) -> Verdict<(SecretRef, SecretValue)> {
    let (name, value) = (cx.secret()?, cx.value("expired"));
    let id = cx.put(&name, &value).await?.id;
    let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let patch = MetadataPatch::new().expires(Change::Set(past));
    let updated =
        cx.provider.update_metadata(&name, target(cx, &id), patch, Precondition::Any).await;
    done("let it expire", updated)?;
    let current = (&name, VersionSelector::Current);
    bounds(cx, "read it with `Validity::Ignore`", current, &value, (None, Some(past))).await?;
    Ok((name, value))
}

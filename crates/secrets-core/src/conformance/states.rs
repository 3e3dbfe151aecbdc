//! Versions that are disabled, enabled and destroyed.

use crate::error::ErrorKind;
use crate::reference::SecretRef;
use crate::value::SecretValue;
use crate::version::{VersionId, VersionSelector, VersionState};

use super::check::Capability::{Destroy, Disable, Versions, Write};
use super::check::Need::Has;
use super::check::{Verdict, checks};
use super::context::{Cx, SecretItem};
use super::outcome::{done, ensure, refused};

checks! {
    SecretItem;
    "states.disabled", disabled, [Has(Write), Has(Disable), Has(Versions)],
        "a disabled version cannot be read",
        "a disabled version is `Disabled` for reads by its id; the others are read as before.";
    "states.no-fallback", no_fallback, [Has(Write), Has(Disable), Has(Versions)],
        "a disabled current version does not give way to another",
        "where the current version is disabled, `Current` is `Disabled`: an older value never \
         comes back by itself.";
    "states.enabled", enabled, [Has(Write), Has(Disable), Has(Versions)],
        "an enabled version can be read again",
        "disabling and enabling changes nothing about a version's value; both can be repeated.";
    "states.destroyed", destroyed, [Has(Write), Has(Destroy), Has(Versions)],
        "a destroyed version has no value",
        "a destroyed version is `Destroyed` for reads; the others are read as before.";
    "states.terminal", terminal, [Has(Write), Has(Destroy), Has(Versions)],
        "destruction is final",
        "no call makes a destroyed version readable: enabling and disabling it is `Destroyed`.";
    "states.listed", listed, [Has(Write), Has(Disable), Has(Versions)],
        "lists tell the state",
        "`list_versions` tells which version is disabled.";
    "states.listed-destroyed", listed_destroyed, [Has(Write), Has(Destroy), Has(Versions)],
        "lists tell what is destroyed",
        "`list_versions` tells which version is destroyed.";
    "states.empty", empty, [Has(Write), Has(Disable)],
        "no version can be made empty",
        "`set_version_state` to `Empty` is `InvalidValue` and changes nothing.";
    "states.unknown", unknown, [Has(Write), Has(Disable)],
        "an unknown version has no state",
        "`set_version_state` of a version that does not exist is `NotFound` and changes nothing.";
}

struct Two {
    name: SecretRef,
    old: (VersionId, SecretValue),
    new: (VersionId, SecretValue),
}

impl Two {
    async fn new(cx: &Cx<'_>) -> Verdict<Self> {
        let (name, first, second) = (cx.secret()?, cx.value("older"), cx.value("newer"));
        let old = cx.put(&name, &first).await?.id;
        let new = cx.put(&name, &second).await?.id;
        Ok(Self { name, old: (old, first), new: (new, second) })
    }
}

async fn change(
    cx: &Cx<'_>,
    step: &'static str,
    (name, version): (&SecretRef, &VersionId),
    state: VersionState,
) -> Verdict {
    done(step, cx.provider.set_version_state(name, version, state).await)
}

async fn disabled(cx: &Cx<'_>) -> Verdict {
    let Two { name, old, new } = Two::new(cx).await?;
    change(cx, "disable the older version", (&name, &old.0), VersionState::Disabled).await?;
    let refused = &[ErrorKind::Disabled];
    cx.denies("read it by its id", &name, VersionSelector::Id(old.0), refused).await?;
    cx.reads("read the newer one", &name, VersionSelector::Current, &new.1).await?;
    Ok(())
}

async fn no_fallback(cx: &Cx<'_>) -> Verdict {
    let Two { name, new, .. } = Two::new(cx).await?;
    change(cx, "disable the current version", (&name, &new.0), VersionState::Disabled).await?;
    let refused = &[ErrorKind::Disabled];
    cx.denies("read the current value", &name, VersionSelector::Current, refused).await
}

async fn enabled(cx: &Cx<'_>) -> Verdict {
    let Two { name, new, .. } = Two::new(cx).await?;
    let version = (&name, &new.0);
    change(cx, "disable the current version", version, VersionState::Disabled).await?;
    change(cx, "disable it again", version, VersionState::Disabled).await?;
    let refused = &[ErrorKind::Disabled];
    cx.denies("read the current value", &name, VersionSelector::Current, refused).await?;
    change(cx, "enable it", version, VersionState::Enabled).await?;
    change(cx, "enable it again", version, VersionState::Enabled).await?;
    cx.reads("read it", &name, VersionSelector::Current, &new.1).await?;
    Ok(())
}

async fn destroyed(cx: &Cx<'_>) -> Verdict {
    let Two { name, old, new } = Two::new(cx).await?;
    change(cx, "destroy the older version", (&name, &old.0), VersionState::Destroyed).await?;
    let gone = &[ErrorKind::Destroyed];
    cx.denies("read it by its id", &name, VersionSelector::Id(old.0), gone).await?;
    cx.reads("read the newer one", &name, VersionSelector::Current, &new.1).await?;
    Ok(())
}

async fn terminal(cx: &Cx<'_>) -> Verdict {
    let Two { name, old, .. } = Two::new(cx).await?;
    change(cx, "destroy the older version", (&name, &old.0), VersionState::Destroyed).await?;
    let gone = &[ErrorKind::Destroyed];
    let by_id = VersionSelector::Id(old.0.clone());
    cx.denies("read it by its id", &name, by_id.clone(), gone).await?;
    change(cx, "destroy it again", (&name, &old.0), VersionState::Destroyed).await?;
    if cx.has(Disable) {
        for state in [VersionState::Enabled, VersionState::Disabled] {
            let changed = cx.provider.set_version_state(&name, &old.0, state).await;
            refused("enable or disable what is destroyed", changed, gone)?;
        }
    }
    cx.let_changes_show().await;
    cx.denies("read it by its id", &name, by_id, gone).await
}

async fn listed(cx: &Cx<'_>) -> Verdict {
    let Two { name, old, new } = Two::new(cx).await?;
    change(cx, "disable the older version", (&name, &old.0), VersionState::Disabled).await?;
    states(cx, &name, &[(&old.0, VersionState::Disabled), (&new.0, VersionState::Enabled)]).await
}

async fn listed_destroyed(cx: &Cx<'_>) -> Verdict {
    let Two { name, old, new } = Two::new(cx).await?;
    change(cx, "destroy the older version", (&name, &old.0), VersionState::Destroyed).await?;
    states(cx, &name, &[(&old.0, VersionState::Destroyed), (&new.0, VersionState::Enabled)]).await
}

async fn states(cx: &Cx<'_>, name: &SecretRef, wanted: &[(&VersionId, VersionState)]) -> Verdict {
    cx.settle(move || {
        Box::pin(async move {
            let versions = cx.versions(name, None).await?;
            let agrees = |(id, state): &(&VersionId, VersionState)| {
                versions.iter().any(|version| version.id == **id && version.state == *state)
            };
            ensure(wanted.iter().all(agrees), "list the versions", "their states", || {
                let seen: Vec<_> = versions.iter().map(|v| (&v.id, v.state)).collect();
                format!("{seen:?} where {wanted:?} were set")
            })
        })
    })
    .await
}

async fn empty(cx: &Cx<'_>) -> Verdict {
    let Two { name, new, .. } = Two::new(cx).await?;
    let before = cx.snapshot(&name).await?;
    let changed = cx.provider.set_version_state(&name, &new.0, VersionState::Empty).await;
    refused("make a version empty", changed, &[ErrorKind::InvalidValue])?;
    cx.unchanged("read after the refusal", &name, &before).await
}

async fn unknown(cx: &Cx<'_>) -> Verdict {
    let Two { name, new, .. } = Two::new(cx).await?;
    let other = done("make a version id", VersionId::new(&format!("{}0", new.0)))?;
    let before = cx.snapshot(&name).await?;
    let changed = cx.provider.set_version_state(&name, &other, VersionState::Disabled).await;
    let kinds = [ErrorKind::NotFound, ErrorKind::InvalidValue];
    refused("disable an unknown version", changed, &kinds)?;
    cx.unchanged("read after the refusal", &name, &before).await
}

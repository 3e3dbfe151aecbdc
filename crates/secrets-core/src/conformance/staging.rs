//! A pending value waits where nobody meets it by accident.

use crate::codec::DecodedName;
use crate::error::{ErrorKind, Result};
use crate::metadata::SecretInfo;
use crate::options::SetOptions;
use crate::page::SecretFilter;
use crate::reference::SecretRef;
use crate::value::SecretValue;
use crate::version::{Stage, VersionId, VersionInfo, VersionSelector};

use super::check::Capability::{List, Staging, Versions, Write};
use super::check::Need::{Has, Hook};
use super::check::{Because, Stop, Verdict, checks};
use super::context::{Cx, SecretItem};
use super::harness::Hook::PlainReader;
use super::outcome::{done, ensure, refused};
use super::reads::native_ref;

checks! {
    SecretItem;
    "staging.waits", waits, [Has(Write), Has(Staging)],
        "a pending value can be read as pending",
        "`Pending` reads what was staged; the write tells a version that is pending and not \
         current.";
    "staging.hidden", hidden, [Has(Write), Has(Staging)],
        "a pending value is not current",
        "staging changes nothing about `Current` and `Previous`.";
    "staging.hidden-outside", hidden_outside, [Has(Write), Has(Staging), Hook(PlainReader)],
        "no plain reader of the backend sees a pending value",
        "a reader outside this library that reads the plain current value never sees a pending \
         value before it was tested.";
    "staging.none", none, [Has(Write), Has(Staging)],
        "where nothing waits, nothing is pending",
        "`Pending` of a secret without a pending value is `NotFound`, not the current value.";
    "staging.first", first, [Has(Write), Has(Staging)],
        "a pending value is not current even where nothing else is",
        "staging a value of a new secret is refused, or leaves `Current` as `NotFound`.";
    "staging.second", second, [Has(Write), Has(Staging)],
        "one value waits at a time",
        "a second pending value takes the place of the first, or is refused as `Conflict` and \
         changes nothing.";
    "staging.discard", discard, [Has(Write), Has(Staging)],
        "a pending value can be taken away, and again",
        "`discard_pending` ends the wait and touches nothing else; repeating it is harmless.";
    "staging.discard-other", discard_other, [Has(Write), Has(Staging)],
        "only the version that was named is taken away",
        "`discard_pending` of another version than the one that waits is `Conflict` and changes \
         nothing.";
    "staging.listed", listed, [Has(Write), Has(Staging), Has(Versions)],
        "staging adds nothing to the plain history",
        "in `list_versions` no version is current and pending at once, and exactly one is current.";
    "staging.companion-closed", companion_closed, [Has(Write), Has(Staging)],
        "the place of a pending value cannot be named",
        "a companion's native id is not found or invalid: `Pending` is the only way to its value.";
    "staging.companion-hidden", companion_hidden, [Has(Write), Has(Staging), Has(List)],
        "the place of a pending value is not listed",
        "`list_secrets` shows a secret with a pending value once; a companion is hidden.";
}

impl Cx<'_> {
    /// Writes a pending value and waits until it is read.
    pub(super) async fn stage(&self, r: &SecretRef, value: &SecretValue) -> Verdict<VersionInfo> {
        let staged = self.provider.set_secret(r, value.clone(), SetOptions::pending()).await;
        let info = done("stage a value", staged)?;
        self.reads("read the pending value", r, VersionSelector::Pending, value).await?;
        Ok(info)
    }
}

/// A secret with a current and a pending value.
pub(super) struct Staged {
    pub(super) name: SecretRef,
    pub(super) base: VersionId,
    pub(super) current: SecretValue,
    pub(super) waiting: VersionId,
    pub(super) pending: SecretValue,
}

impl Staged {
    pub(super) async fn new(cx: &Cx<'_>) -> Verdict<Self> {
        let (name, current) = (cx.secret()?, cx.value("current"));
        let base = cx.put(&name, &current).await?.id;
        let pending = cx.value("pending");
        let waiting = cx.stage(&name, &pending).await?.id;
        Ok(Self { name, base, current, waiting, pending })
    }
}

async fn waits(cx: &Cx<'_>) -> Verdict {
    let (name, pending) = (cx.secret()?, cx.value("pending"));
    cx.put(&name, &cx.value("current")).await?;
    let written = cx.stage(&name, &pending).await?;
    let read = cx.reads("read it", &name, VersionSelector::Pending, &pending).await?.version;
    for version in [&written, &read] {
        let sound =
            version.stages.contains(Stage::Pending) && !version.stages.contains(Stage::Current);
        ensure(sound, "stage a value", "a version that is pending and not current", || {
            format!("the stages {:?}", version.stages)
        })?;
    }
    ensure(read.id == written.id, "read it", "the id that the write told", || {
        format!("`{}` from the write, `{}` from the read", written.id, read.id)
    })
}

async fn hidden(cx: &Cx<'_>) -> Verdict {
    let (name, before, current) = (cx.secret()?, cx.value("before"), cx.value("current"));
    cx.put(&name, &before).await?;
    let base = cx.put(&name, &current).await?.id;
    cx.stage(&name, &cx.value("pending")).await?;
    cx.let_changes_show().await;
    let step = "read the current value after staging";
    let read = cx.reads(step, &name, VersionSelector::Current, &current).await?;
    ensure(read.version.id == base, step, "the version that was current", || {
        format!("`{}`", read.version.id)
    })?;
    if cx.has(super::Capability::Previous) {
        let step = "read the previous value after staging";
        cx.reads(step, &name, VersionSelector::Previous, &before).await?;
    }
    Ok(())
}

async fn hidden_outside(cx: &Cx<'_>) -> Verdict {
    let staged = Staged::new(cx).await?;
    cx.let_changes_show().await;
    let native = cx.native(&staged.name)?;
    sees_outside(cx, "read past the provider after staging", &native, &staged.current).await
}

/// Waits until a plain reader sees this value.
pub(super) async fn sees_outside(
    cx: &Cx<'_>,
    step: &'static str,
    native: &str,
    want: &SecretValue,
) -> Verdict {
    cx.settle(move || {
        Box::pin(async move {
            match cx.read_outside(native).await? {
                Some(value) if value.ct_eq(want) => Ok(()),
                Some(value) => Err(Stop::failed(step, cx.told(want), cx.told(&value))),
                None => Err(Stop::failed(step, cx.told(want), "nothing")),
            }
        })
    })
    .await
}

async fn none(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    cx.put(&name, &cx.value("current")).await?;
    let step = "read the pending value where none waits";
    cx.denies(step, &name, VersionSelector::Pending, &[ErrorKind::NotFound]).await
}

async fn first(cx: &Cx<'_>) -> Verdict {
    let (name, pending) = (cx.secret()?, cx.value("pending"));
    let staged = cx.provider.set_secret(&name, pending.clone(), SetOptions::pending()).await;
    match staged {
        Ok(_) => {
            cx.reads("read the pending value", &name, VersionSelector::Pending, &pending).await?;
        }
        Err(_) => {
            let kinds = [ErrorKind::NotFound, ErrorKind::Conflict, ErrorKind::InvalidValue];
            refused("stage a value of a new secret", staged, &kinds)?;
        }
    }
    cx.let_changes_show().await;
    let step = "read the current value of a secret that was only staged";
    cx.denies(step, &name, VersionSelector::Current, &[ErrorKind::NotFound]).await
}

async fn second(cx: &Cx<'_>) -> Verdict {
    let staged = Staged::new(cx).await?;
    let (name, newer) = (&staged.name, cx.value("second pending"));
    let state = cx.snapshot(name).await?;
    let again: Result<_> = cx.provider.set_secret(name, newer.clone(), SetOptions::pending()).await;
    if again.is_err() {
        refused("stage a second value", again, &[ErrorKind::Conflict])?;
        return cx.unchanged("read after the refusal", name, &state).await;
    }
    cx.reads("read the pending value", name, VersionSelector::Pending, &newer).await?;
    cx.reads("read the current value", name, VersionSelector::Current, &staged.current).await?;
    let promoted = cx.provider.promote(name, &staged.waiting, &staged.base, &cx.token()?).await;
    let kinds = [ErrorKind::NotFound, ErrorKind::Conflict];
    refused("promote the version that was replaced", promoted, &kinds)?;
    cx.reads("read the current value", name, VersionSelector::Current, &staged.current).await?;
    Ok(())
}

async fn discard(cx: &Cx<'_>) -> Verdict {
    let staged = Staged::new(cx).await?;
    for step in ["discard the pending version", "discard it again"] {
        done(step, cx.provider.discard_pending(&staged.name, &staged.waiting).await)?;
        let missing = &[ErrorKind::NotFound];
        cx.denies("read it", &staged.name, VersionSelector::Pending, missing).await?;
        let step = "read the current value after discarding the pending one";
        cx.reads(step, &staged.name, VersionSelector::Current, &staged.current).await?;
    }
    Ok(())
}

async fn discard_other(cx: &Cx<'_>) -> Verdict {
    let staged = Staged::new(cx).await?;
    done("discard it", cx.provider.discard_pending(&staged.name, &staged.waiting).await)?;
    let newer = cx.value("second pending");
    cx.stage(&staged.name, &newer).await?;
    let state = cx.snapshot(&staged.name).await?;
    let other = cx.provider.discard_pending(&staged.name, &staged.waiting).await;
    refused("discard a version that no longer waits", other, &[ErrorKind::Conflict])?;
    cx.unchanged("read after the refusal", &staged.name, &state).await
}

async fn listed(cx: &Cx<'_>) -> Verdict {
    let staged = Staged::new(cx).await?;
    let versions = cx.versions(&staged.name, None).await?;
    let current: Vec<_> = versions.iter().filter(|v| v.stages.contains(Stage::Current)).collect();
    let sound = matches!(&*current, [only] if only.id == staged.base
        && !only.stages.contains(Stage::Pending));
    ensure(sound, "list the versions", "the base alone as current, and not pending", || {
        format!("{:?}", current.iter().map(|v| (&v.id, v.stages)).collect::<Vec<_>>())
    })
}

async fn companion_closed(cx: &Cx<'_>) -> Verdict {
    let staged = Staged::new(cx).await?;
    let rules = cx.provider.name_rules();
    let form = staged.name.name().and_then(|name| rules.encode_companion(name).ok());
    let Some(form) = form else {
        return Err(Stop::NotApplicable(Because::Shape("this backend has no companions")));
    };
    let (native, kinds) = (native_ref(&form)?, [ErrorKind::NotFound, ErrorKind::InvalidName]);
    let step = "read a companion by its native id";
    cx.denies(step, &native, VersionSelector::Current, &kinds).await?;
    let written = cx.provider.set_secret(&native, cx.value("over it"), SetOptions::new()).await;
    refused("write to a companion by its native id", written, &kinds)?;
    let step = "read the pending value";
    cx.reads(step, &staged.name, VersionSelector::Pending, &staged.pending).await?;
    Ok(())
}

async fn companion_hidden(cx: &Cx<'_>) -> Verdict {
    let staged = Staged::new(cx).await?;
    let native = cx.native(&staged.name)?;
    let by_name = staged.name.name().map_or_else(String::new, ToString::to_string);
    let rules = cx.provider.name_rules();
    let (name, by_name) = (&staged.name, SecretFilter::prefix(by_name));
    let by_native = SecretFilter::prefix(native);
    cx.settle(|| {
        let (by_name, by_native) = (&by_name, &by_native);
        Box::pin(async move {
            let step = "list the secrets that start with its name";
            let seen = cx.listed(by_name, None).await?;
            let only = matches!(&*seen, [entry] if entry.reference == *name);
            ensure(only, step, "that secret, once", || format!("{:?}", references(&seen)))?;
            let seen = cx.listed(by_native, None).await?;
            let is_companion = |entry: &SecretInfo| match &entry.reference {
                SecretRef::Native(id) => {
                    matches!(rules.decode(id.as_str()), DecodedName::Companion(_))
                }
                SecretRef::Name(_) => false,
            };
            let step = "list the secrets that start with its native id";
            ensure(!seen.iter().any(is_companion), step, "no companion", || {
                format!("{:?}", references(&seen))
            })
        })
    })
    .await
}

/// The references of listed secrets, to be shown.
pub(super) fn references(infos: &[SecretInfo]) -> Vec<&SecretRef> {
    infos.iter().map(|info| &info.reference).collect()
}

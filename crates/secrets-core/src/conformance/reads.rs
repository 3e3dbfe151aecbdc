//! Reading what is there, and what is not.

use crate::error::ErrorKind;
use crate::reference::{NativeId, SecretRef};
use crate::version::VersionSelector;

use super::check::Capability::{Previous, Staging};
use super::check::Need::{Has, Seed};
use super::check::{Stop, Verdict, checks};
use super::context::{Cx, SecretItem};
use super::outcome::{done, ensure};

checks! {
    SecretItem;
    "reads.absent", absent, [],
        "a secret that does not exist is not found",
        "`get_secret` of an absent secret is `NotFound`: callers tell it from an outage by the \
         kind.";
    "reads.absent-previous", absent_previous, [Has(Previous)],
        "an absent secret has no previous version",
        "`get_secret` of an absent secret is `NotFound` for every version that is asked for.";
    "reads.absent-pending", absent_pending, [Has(Staging)],
        "an absent secret has no pending version",
        "`get_secret` of an absent secret is `NotFound` for every version that is asked for.";
    "reads.same-bytes", same_bytes, [Seed],
        "a value is read as it was written",
        "`get_secret` gives the bytes that were stored.";
    "reads.repeatable", repeatable, [Seed],
        "reading changes nothing",
        "reads with no write between them give the same value and the same version.";
    "reads.native", native, [Seed],
        "a secret is found by the backend's own name for it",
        "`SecretRef::Native` of the encoded name is the same secret as the name.";
    "reads.native-detour", native_detour, [Seed],
        "a native id does not reach a secret by a detour",
        "an id with path steps, a query, a fragment or an escape is not found or invalid: it \
         never leads to another entry.";
}

async fn absent(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    cx.denies("read an absent secret", &name, VersionSelector::Current, &[ErrorKind::NotFound])
        .await
}

async fn absent_previous(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    let step = "read the previous version of an absent secret";
    cx.denies(step, &name, VersionSelector::Previous, &[ErrorKind::NotFound]).await
}

async fn absent_pending(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    let step = "read the pending version of an absent secret";
    cx.denies(step, &name, VersionSelector::Pending, &[ErrorKind::NotFound]).await
}

async fn same_bytes(cx: &Cx<'_>) -> Verdict {
    let name = cx.name("text")?;
    let value = cx.value("text");
    cx.seed(&name, &value).await?;
    cx.reads("read it back", &name.into(), VersionSelector::Current, &value).await?;
    Ok(())
}

async fn repeatable(cx: &Cx<'_>) -> Verdict {
    let name = cx.name("repeated")?;
    let value = cx.value("repeated");
    cx.seed(&name, &value).await?;
    let name = name.into();
    let first = cx.reads("read it", &name, VersionSelector::Current, &value).await?;
    cx.let_changes_show().await;
    let again = done("read it again", cx.get(&name, VersionSelector::Current).await)?;
    let same = again.version == first.version && again.value.ct_eq(&value);
    ensure(same, "read it again", "the same version and value", || {
        format!(
            "version `{}`, then `{}`, {}",
            first.version.id,
            again.version.id,
            cx.told(&again.value)
        )
    })
}

async fn native(cx: &Cx<'_>) -> Verdict {
    let name = cx.name("by.native/id_1")?;
    let value = cx.value("by name");
    cx.seed(&name, &value).await?;
    let native = native_ref(&cx.form(&name)?)?;
    cx.reads("read it by its native id", &native, VersionSelector::Current, &value).await?;
    Ok(())
}

async fn native_detour(cx: &Cx<'_>) -> Verdict {
    let name = cx.name("detour")?;
    let value = cx.value("reached by a detour");
    cx.seed(&name, &value).await?;
    cx.reads("read it", &name.clone().into(), VersionSelector::Current, &value).await?;
    let form = cx.form(&name)?;
    let detours = [
        format!("./{form}"),
        format!("x/../{form}"),
        format!("../{form}"),
        format!("{form}/../{form}"),
        format!("{form}/."),
        format!("{form}?x"),
        format!("{form}#x"),
        format!("%2e/{form}"),
        format!("x\\..\\{form}"),
    ];
    for detour in detours {
        let read = cx.get(&native_ref(&detour)?, VersionSelector::Current).await;
        match read {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidName) => {}
            Err(error) => return Err(unexpected(&detour, format!("the error `{error}`"))),
            Ok(secret) => return Err(unexpected(&detour, cx.told(&secret.value))),
        }
    }
    Ok(())
}

fn unexpected(detour: &str, seen: String) -> Stop {
    Stop::failed(format!("read the native id `{detour}`"), "not found or invalid name", seen)
}

pub(super) fn native_ref(form: &str) -> Verdict<SecretRef> {
    Ok(done("make a native id", NativeId::new(form).map_err(Into::into))?.into())
}

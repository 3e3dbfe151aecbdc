//! Every name has a place of its own.

use crate::error::ErrorKind;
use crate::name::SecretName;
use crate::reference::SecretRef;
use crate::version::VersionSelector;

use super::check::Capability::{Staging, Write};
use super::check::Need::{Has, Seed};
use super::check::{Because, Stop, Verdict, checks};
use super::context::{Cx, SecretItem};
use super::outcome::{done, refused};
use super::reads::native_ref;

checks! {
    SecretItem;
    "names.alphabet", alphabet, [Seed],
        "every character of a name works",
        "all names of `[a-z0-9._-]` and `/` are expressed in the backend.";
    "names.apart", apart, [Seed],
        "names that differ little stay apart",
        "the code is injective: names that differ by a separator, or look like another one's \
         escape, are different secrets.";
    "names.companion-like", companion_like, [Has(Write), Has(Staging)],
        "a name that looks like a companion is a secret of its own",
        "a companion's suffix is nothing that a name encodes to: secret and pending value do not \
         meet.";
    "names.native", native, [Has(Write)],
        "a write by the native id is a write of the secret",
        "`SecretRef::Native` of the encoded name is the same secret for writes as well.";
    "names.longest", longest, [Seed],
        "the longest name that the rules allow works",
        "a name whose form takes `max_len` less the companion's suffix is written and read.";
    "names.too-long", too_long, [],
        "a longer name is refused, never cut or hashed",
        "a name whose form does not fit is `InvalidName` for reads and writes.";
}

async fn alphabet(cx: &Cx<'_>) -> Verdict {
    let name = cx.name("abcdefghijklmnopqrstuvwxyz/0123456789/_.-/-_")?;
    let value = cx.value("all characters");
    cx.seed(&name, &value).await?;
    cx.reads("read it back", &name.into(), VersionSelector::Current, &value).await?;
    Ok(())
}

/// Pairs that a sloppy code maps to one form: separators, doubled escapes, escapes spelled out.
const NEIGHBOURS: [&str; 14] = [
    "a/b", "a-b", "a_b", "a.b", "a--b", "a-2fb", "a-2f-b", "a_2fb", "a__b", "a~2fb", "a-/b",
    "a/-b", "ab", "a-2d2fb",
];

async fn apart(cx: &Cx<'_>) -> Verdict {
    let mut secrets = Vec::new();
    for neighbour in NEIGHBOURS.into_iter().filter(|label| SecretName::new(label).is_ok()) {
        let name = cx.name(neighbour)?;
        let value = cx.plant("of a neighbour", cx.bytes(neighbour));
        cx.seed(&name, &value).await?;
        secrets.push((SecretRef::from(name), value));
    }
    for (name, value) in &secrets {
        cx.reads("read each of them", name, VersionSelector::Current, value).await?;
    }
    Ok(())
}

async fn companion_like(cx: &Cx<'_>) -> Verdict {
    let (name, current) = (cx.name("main")?, cx.value("current"));
    let suffix = cx.provider.name_rules().companion_suffix();
    let suffix = if suffix.is_empty() { "-pending" } else { suffix };
    let mut others = Vec::new();
    for like in [suffix.to_owned(), suffix.repeat(2), format!("-{suffix}"), format!("-2d{suffix}")]
    {
        let Ok(other) = cx.name(&format!("main{}", like.to_lowercase())) else { continue };
        let value = cx.plant("of the look-alike", cx.bytes("look-alike"));
        others.push((SecretRef::from(other), value));
    }
    let name = SecretRef::from(name);
    cx.put(&name, &current).await?;
    let pending = cx.value("pending");
    cx.stage(&name, &pending).await?;
    for (other, value) in &others {
        cx.denies(
            "read the look-alike before it exists",
            other,
            VersionSelector::Current,
            &[ErrorKind::NotFound],
        )
        .await?;
        cx.put(other, value).await?;
    }
    cx.reads("read the pending value", &name, VersionSelector::Pending, &pending).await?;
    cx.reads("read the current value", &name, VersionSelector::Current, &current).await?;
    Ok(())
}

async fn native(cx: &Cx<'_>) -> Verdict {
    let (name, value) = (cx.name("by.native/id_1")?, cx.value("by native id"));
    cx.put(&SecretRef::from(&name), &cx.value("by name")).await?;
    cx.set(&native_ref(&cx.form(&name)?)?, &value).await?;
    let step = "read by its name what was written by its native id";
    cx.reads(step, &name.into(), VersionSelector::Current, &value).await?;
    Ok(())
}

/// A name of this check whose form takes `more` bytes more than the rules allow; `None` where every
/// name fits.
fn of_form_length(cx: &Cx<'_>, more: usize) -> Verdict<Option<SecretName>> {
    let rules = cx.provider.name_rules();
    let wanted = rules.max_len().saturating_sub(rules.companion_suffix().len()) + more;
    let stem = done("encode a name", rules.encode(&cx.name("x")?).map_err(Into::into))?;
    // One letter is one byte of the form in every code.
    let label = format!("x{}", "x".repeat(wanted.saturating_sub(stem.len())));
    Ok(cx.harness.name(&format!("{}{label}", cx.label())).ok())
}

async fn longest(cx: &Cx<'_>) -> Verdict {
    let name = match of_form_length(cx, 0)? {
        Some(name) => name,
        // The longest neutral name is shorter than what the backend takes.
        None => longest_neutral(cx)?,
    };
    cx.touch(&SecretRef::from(&name));
    let value = cx.value("of the longest name");
    cx.seed(&name, &value).await?;
    cx.reads("read it back", &name.into(), VersionSelector::Current, &value).await?;
    Ok(())
}

/// As many letters as fit into a `SecretName`.
fn longest_neutral(cx: &Cx<'_>) -> Verdict<SecretName> {
    let mut label = format!("{}x", cx.label());
    let mut name = cx.name("x")?;
    loop {
        label.push('x');
        match cx.harness.name(&label) {
            Ok(longer) => name = longer,
            Err(_) => return Ok(name),
        }
    }
}

async fn too_long(cx: &Cx<'_>) -> Verdict {
    let Some(name) = of_form_length(cx, 1)? else {
        return Err(Stop::NotApplicable(Because::Shape("every name fits into the backend")));
    };
    let name = SecretRef::from(name);
    let read = cx.get(&name, VersionSelector::Current).await;
    refused("read a name that is too long", read, &[ErrorKind::InvalidName])?;
    if cx.has(Write) {
        let value = cx.value("of a name that is too long");
        let options = crate::options::SetOptions::new();
        let written = cx.provider.set_secret(&name, value, options).await;
        refused("write a name that is too long", written, &[ErrorKind::InvalidName])?;
    }
    Ok(())
}

//! Hints at changes.

use std::future::poll_fn;
use std::time::Duration;

use crate::change::{ChangeHint, ChangeStream};
use crate::reference::SecretRef;
use crate::version::VersionSelector;

use super::check::Capability::{Changes, Write};
use super::check::Need::{Has, Hook};
use super::check::{Stop, Verdict, checks};
use super::context::{Cx, SecretItem};
use super::harness::Hook::PlainWriter;
use super::join;

checks! {
    SecretItem;
    "hints.foreign", foreign, [Has(Changes), Hook(PlainWriter)],
        "a foreign write is hinted at",
        "`changes` gives word of a write past the provider, for that secret or for any.";
    "hints.own", own, [Has(Changes), Has(Write)],
        "a write of its own is hinted at",
        "`changes` gives word of every write to those who listen, the provider's own included.";
    "hints.all", all, [Has(Changes), Has(Write)],
        "everybody who listens gets word",
        "each stream of `changes` gives word of its own, and goes on when another one is dropped.";
}

async fn foreign(cx: &Cx<'_>) -> Verdict {
    let (name, value) = (cx.name("hinted")?, cx.value("first"));
    cx.write_outside(&cx.form(&name)?, &value).await?;
    let native = cx.form(&name)?;
    let name = SecretRef::from(name);
    cx.reads("read it", &name, VersionSelector::Current, &value).await?;
    let mut hints = listen(cx).await?;
    cx.write_outside(&native, &cx.value("second")).await?;
    arrives(cx, &mut hints, &name).await
}

async fn own(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    cx.put(&name, &cx.value("first")).await?;
    let mut hints = listen(cx).await?;
    cx.put(&name, &cx.value("second")).await?;
    arrives(cx, &mut hints, &name).await
}

async fn all(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    cx.put(&name, &cx.value("first")).await?;
    let (mut one, mut other) = (listen(cx).await?, listen(cx).await?);
    cx.put(&name, &cx.value("second")).await?;
    arrives(cx, &mut one, &name).await?;
    arrives(cx, &mut other, &name).await?;
    drop(one);
    // What was on its way to the other is taken, so that it cannot pass for the next word.
    for _ in 0..100 {
        if join::polled(1, next(&mut other)).await.is_none() {
            break;
        }
    }
    cx.put(&name, &cx.value("third")).await?;
    arrives(cx, &mut other, &name).await
}

/// A stream that has been asked once: one that looks for changes itself has looked.
async fn listen(cx: &Cx<'_>) -> Verdict<ChangeStream> {
    let Some(mut hints) = cx.provider.changes() else {
        let expected = "a stream, since `changes` is declared";
        return Err(Stop::failed("listen to changes", expected, "none"));
    };
    join::polled(1, next(&mut hints)).await;
    Ok(hints)
}

async fn next(hints: &mut ChangeStream) -> Option<ChangeHint> {
    poll_fn(|cx| hints.as_mut().poll_next(cx)).await
}

async fn arrives(cx: &Cx<'_>, hints: &mut ChangeStream, name: &SecretRef) -> Verdict {
    const PAUSE: Duration = Duration::from_millis(100);
    let mut left = cx.harness.hints_within();
    loop {
        match join::before(next(hints), cx.harness.sleep(PAUSE)).await {
            Some(Some(hint)) => {
                if hint.reference.is_none_or(|hinted| hinted == *name) {
                    return Ok(());
                }
            }
            Some(None) => {
                return Err(Stop::failed("wait for a hint", "a hint", "the end of the stream"));
            }
            None if left.is_zero() => {
                return Err(Stop::failed("wait for a hint", "a hint", "none in time"));
            }
            None => left = left.saturating_sub(PAUSE),
        }
    }
}

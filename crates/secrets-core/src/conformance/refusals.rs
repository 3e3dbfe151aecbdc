//! What a provider declares not to have it refuses, before any effect.

use crate::error::{ErrorKind, Result};
use crate::metadata::{Change, MetadataPatch};
use crate::options::{DeleteMode, Etag, Precondition, SetOptions};
use crate::page::{PageRequest, SecretFilter};
use crate::reference::SecretRef;
use crate::version::{VersionId, VersionSelector, VersionState};

use super::check::Capability::{
    CasMetadata, CasSet, Changes, Delete, Describe, Destroy, Disable, Idempotency, List, Previous,
    Recover, Staging, Tags, Validity, Versions, Write,
};
use super::check::Need::{Has, Lacks};
use super::check::{Verdict, checks};
use super::context::{Cx, SecretItem};
use super::outcome::{done, ensure, refused};
use super::snapshot::Snapshot;

checks! {
    SecretItem;
    "refusals.write", write, [Lacks(Write)],
        "no writing: values are refused",
        "without `write` every `set_secret` is `Unsupported` and changes nothing.";
    "refusals.staging", staging, [Lacks(Staging)],
        "no staging: pending values are refused",
        "without `staging` reading and writing `Pending`, `promote` and `discard_pending` are \
         `Unsupported` and change nothing.";
    "refusals.previous", previous, [Lacks(Previous)],
        "no previous version: asking for it is refused",
        "without `previous` reading `Previous` is `Unsupported`, never another version.";
    "refusals.versions", versions, [Lacks(Versions)],
        "no versions: ids and lists are refused",
        "without `versions` reading an id and `list_versions` are `Unsupported`.";
    "refusals.cas-set", cas_set, [Lacks(CasSet), Has(Write)],
        "no conditional writes: conditions are refused",
        "without `cas.set` a write with a precondition is `Unsupported`, even where the condition \
         holds.";
    "refusals.cas-metadata", cas_metadata, [Lacks(CasMetadata)],
        "no etags: conditions are refused",
        "without `cas.metadata` an update with an etag is `Unsupported` and changes nothing.";
    "refusals.idempotency", idempotency, [Lacks(Idempotency), Has(Write)],
        "no tokens: a write with one is refused",
        "without `idempotency` a token is `Unsupported`, since ignoring it would make a retry a \
         second write.";
    "refusals.list", list, [Lacks(List)],
        "no listing: lists are refused",
        "without `list` `list_secrets` is `Unsupported`, not empty.";
    "refusals.describe", describe, [Lacks(Describe)],
        "no descriptions: asking for one is refused",
        "without `describe` `describe_secret` is `Unsupported`.";
    "refusals.tags", tags, [Lacks(Tags)],
        "no tags: setting them is refused",
        "without `tags` changes of tags and description are `Unsupported`, with a value and by \
         themselves.";
    "refusals.validity", validity, [Lacks(Validity)],
        "no bounds of validity: setting them is refused",
        "without `validity` changes of bounds are `Unsupported`, with a value and by themselves.";
    "refusals.delete", delete, [Lacks(Delete)],
        "no deletion for good: it is refused",
        "without `delete` `DeleteMode::Immediate` is `Unsupported` and the secret stays.";
    "refusals.recover", recover, [Lacks(Recover)],
        "no recoverable deletion: it is refused, never made final",
        "without `recover` `DeleteMode::Recoverable`, `restore_secret` and `purge_secret` are \
         `Unsupported` and the secret stays.";
    "refusals.disable", disable, [Lacks(Disable)],
        "no disabling: it is refused",
        "without `disable` disabling and enabling a version is `Unsupported`.";
    "refusals.destroy", destroy, [Lacks(Destroy)],
        "no destroying: it is refused",
        "without `destroy` destroying a version is `Unsupported` and its value stays.";
    "refusals.changes", changes, [Lacks(Changes)],
        "no hints: there is no stream",
        "without `changes` the stream is `None`, not one that never speaks.";
}

/// A secret to try on: an existing one where one can be had, otherwise an absent one.
struct Subject {
    name: SecretRef,
    version: VersionId,
    before: Snapshot,
}

impl Subject {
    async fn new(cx: &Cx<'_>) -> Verdict<Self> {
        let (name, value) = (cx.name("subject")?, cx.value("kept"));
        let unknown = done("make a version id", VersionId::new("1"))?;
        let writable = cx.has(Write) || cx.harness.plain_writer().is_some();
        let version = if writable {
            cx.seed(&name, &value).await?;
            let name = SecretRef::from(&name);
            cx.reads("read it", &name, VersionSelector::Current, &value).await?.version.id
        } else {
            unknown
        };
        let name = SecretRef::from(name);
        let before = cx.snapshot(&name).await?;
        Ok(Self { name, version, before })
    }

    async fn unchanged(&self, cx: &Cx<'_>) -> Verdict {
        cx.unchanged("read after the refusal", &self.name, &self.before).await
    }

    /// Writes with options that the provider does not have.
    async fn set(&self, cx: &Cx<'_>, step: &'static str, options: SetOptions) -> Verdict {
        let value = cx.value("refused");
        no(step, cx.provider.set_secret(&self.name, value, options).await)
    }

    /// Changes metadata that the provider does not have, with a value and without.
    async fn patch(&self, cx: &Cx<'_>, patch: MetadataPatch) -> Verdict {
        let updated =
            cx.provider.update_metadata(&self.name, None, patch.clone(), Precondition::Any).await;
        no("change metadata", updated)?;
        self.set(cx, "write a value with metadata", SetOptions::new().with_metadata(patch)).await
    }
}

fn no<T>(step: &'static str, result: Result<T>) -> Verdict {
    refused(step, result, &[ErrorKind::Unsupported]).map(drop)
}

async fn write(cx: &Cx<'_>) -> Verdict {
    let subject = Subject::new(cx).await?;
    subject.set(cx, "write a value", SetOptions::new()).await?;
    let created = cx.provider.set_secret(&cx.secret()?, cx.value("new"), SetOptions::new()).await;
    no("write a new secret", created)?;
    subject.unchanged(cx).await
}

async fn staging(cx: &Cx<'_>) -> Verdict {
    let subject = Subject::new(cx).await?;
    let (name, version) = (&subject.name, &subject.version);
    subject.set(cx, "stage a value", SetOptions::pending()).await?;
    no("read the pending value", cx.get(name, VersionSelector::Pending).await)?;
    no("promote", cx.provider.promote(name, version, version, &cx.token()?).await)?;
    no("discard a pending value", cx.provider.discard_pending(name, version).await)?;
    subject.unchanged(cx).await
}

async fn previous(cx: &Cx<'_>) -> Verdict {
    let subject = Subject::new(cx).await?;
    no("read the previous version", cx.get(&subject.name, VersionSelector::Previous).await)?;
    if cx.has(Write) {
        cx.put(&subject.name, &cx.value("next")).await?;
        no("read the previous version", cx.get(&subject.name, VersionSelector::Previous).await)?;
    }
    Ok(())
}

async fn versions(cx: &Cx<'_>) -> Verdict {
    let subject = Subject::new(cx).await?;
    let id = VersionSelector::Id(subject.version.clone());
    no("read a version by its id", cx.get(&subject.name, id).await)?;
    let page = PageRequest::first();
    no("list the versions", cx.provider.list_versions(&subject.name, page).await)
}

async fn cas_set(cx: &Cx<'_>) -> Verdict {
    let subject = Subject::new(cx).await?;
    let current = Precondition::CurrentIs(subject.version.clone());
    let holds = SetOptions::new().when(current);
    subject.set(cx, "write upon the current version", holds).await?;
    let absent = SetOptions::new().when(Precondition::Absent);
    let created = cx.provider.set_secret(&cx.secret()?, cx.value("new"), absent).await;
    no("write where nothing may exist", created)?;
    subject.unchanged(cx).await
}

async fn cas_metadata(cx: &Cx<'_>) -> Verdict {
    let subject = Subject::new(cx).await?;
    for etag in [Etag::Secret("1".into()), Etag::Version("1".into())] {
        let patch = MetadataPatch::new().tag("tier", "one");
        let guard = Precondition::Etag(etag);
        let updated = cx.provider.update_metadata(&subject.name, None, patch, guard).await;
        no("change metadata with an etag", updated)?;
    }
    subject.unchanged(cx).await
}

async fn idempotency(cx: &Cx<'_>) -> Verdict {
    let subject = Subject::new(cx).await?;
    subject.set(cx, "write with a token", SetOptions::new().with_token(cx.token()?)).await?;
    subject.unchanged(cx).await
}

async fn list(cx: &Cx<'_>) -> Verdict {
    let listed = cx.provider.list_secrets(&SecretFilter::all(), PageRequest::first()).await;
    no("list secrets", listed)
}

async fn describe(cx: &Cx<'_>) -> Verdict {
    let subject = Subject::new(cx).await?;
    no("describe a secret", cx.provider.describe_secret(&subject.name).await)
}

async fn tags(cx: &Cx<'_>) -> Verdict {
    let subject = Subject::new(cx).await?;
    subject.patch(cx, MetadataPatch::new().tag("tier", "one")).await?;
    subject.patch(cx, MetadataPatch::new().untag("tier")).await?;
    subject.patch(cx, MetadataPatch::new().description(Change::Set("text".into()))).await?;
    subject.unchanged(cx).await
}

async fn validity(cx: &Cx<'_>) -> Verdict {
    let subject = Subject::new(cx).await?;
    let time = std::time::SystemTime::UNIX_EPOCH;
    subject.patch(cx, MetadataPatch::new().expires(Change::Set(time))).await?;
    subject.patch(cx, MetadataPatch::new().not_before(Change::Clear)).await?;
    subject.unchanged(cx).await
}

async fn delete(cx: &Cx<'_>) -> Verdict {
    let subject = Subject::new(cx).await?;
    let deleted = cx.provider.delete_secret(&subject.name, DeleteMode::Immediate).await;
    no("delete for good", deleted)?;
    subject.unchanged(cx).await
}

async fn recover(cx: &Cx<'_>) -> Verdict {
    let subject = Subject::new(cx).await?;
    let mode = DeleteMode::Recoverable { window: None };
    no("delete with a way back", cx.provider.delete_secret(&subject.name, mode).await)?;
    no("restore", cx.provider.restore_secret(&subject.name).await)?;
    no("purge", cx.provider.purge_secret(&subject.name).await)?;
    subject.unchanged(cx).await
}

async fn disable(cx: &Cx<'_>) -> Verdict {
    let subject = Subject::new(cx).await?;
    for state in [VersionState::Disabled, VersionState::Enabled] {
        let changed = cx.provider.set_version_state(&subject.name, &subject.version, state).await;
        no("disable or enable a version", changed)?;
    }
    subject.unchanged(cx).await
}

async fn destroy(cx: &Cx<'_>) -> Verdict {
    let subject = Subject::new(cx).await?;
    let destroyed = VersionState::Destroyed;
    let changed = cx.provider.set_version_state(&subject.name, &subject.version, destroyed).await;
    no("destroy a version", changed)?;
    subject.unchanged(cx).await
}

async fn changes(cx: &Cx<'_>) -> Verdict {
    let stream = cx.provider.changes();
    ensure(stream.is_none(), "listen to changes", "no stream", || "a stream".to_owned())
}

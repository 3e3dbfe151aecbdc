//! Tags and descriptions.

use crate::capability::Scope;
use crate::error::ErrorKind;
use crate::metadata::{Change, MetadataPatch, SecretInfo, Tags};
use crate::options::{Precondition, SetOptions};
use crate::reference::SecretRef;
use crate::version::{VersionInfo, VersionSelector};

use super::check::Capability::{Describe, Tags as HasTags, Versions, Write};
use super::check::Need::Has;
use super::check::{Stop, Verdict, checks};
use super::context::{Cx, SecretItem};
use super::outcome::{done, ensure, refused, told_error};

checks! {
    SecretItem;
    "metadata.with-value", with_value, [Has(Write), Has(HasTags), Has(Describe)],
        "tags and description go with a value",
        "what `SetOptions::metadata` says is there when the value is.";
    "metadata.replace", replace, [Has(Write), Has(HasTags), Has(Describe)],
        "a tag is added or replaced, the others stay",
        "`update_metadata` changes what it names and nothing else; no tags show but the caller's.";
    "metadata.remove", remove, [Has(Write), Has(HasTags), Has(Describe)],
        "a tag can be taken away",
        "`MetadataPatch::remove_tags` takes away what is there; what is not there is no error.";
    "metadata.survive", survive, [Has(Write), Has(HasTags), Has(Describe)],
        "tags and description outlive a value",
        "a new value without metadata keeps what was there.";
    "metadata.description", description, [Has(Write), Has(HasTags), Has(Describe)],
        "a description is set and cleared",
        "`Change::Set` replaces the description, `Change::Clear` takes it away.";
    "metadata.most-tags", most_tags, [Has(Write), Has(HasTags), Has(Describe)],
        "as many tags as declared fit",
        "a secret takes `limits.tags` tags.";
    "metadata.too-many", too_many, [Has(Write), Has(HasTags), Has(Describe)],
        "one more is refused and changes nothing",
        "`limits.tags` + 1 tags are `InvalidValue` or `TooLarge`, before any effect.";
    "metadata.no-version", no_version, [Has(Write), Has(HasTags), Has(Versions)],
        "metadata is no value",
        "`update_metadata` makes no version and changes no value.";
    "metadata.scope", scope, [Has(Write), Has(HasTags), Has(Describe), Has(Versions)],
        "tags belong to what is declared",
        "by `tags_scope` a change of one version's tags shows at that version alone, or is \
         `Unsupported`, and no version has tags of its own.";
    "metadata.absent", absent, [Has(HasTags)],
        "an absent secret has no metadata",
        "`update_metadata` of an absent secret is `NotFound` and creates nothing.";
}

impl Cx<'_> {
    /// Waits until the description of a secret is as expected.
    pub(super) async fn described<'a>(
        &'a self,
        step: &'static str,
        r: &'a SecretRef,
        expected: &'static str,
        holds: impl Fn(&SecretInfo) -> bool + Send + Sync,
    ) -> Verdict<SecretInfo> {
        let holds = &holds;
        self.settle(move || {
            Box::pin(async move {
                match self.provider.describe_secret(r).await {
                    Ok(info) if holds(&info) => Ok(info),
                    Ok(info) => Err(Stop::failed(step, expected, format!("{info:?}"))),
                    Err(error) => Err(Stop::failed(step, expected, told_error(&error))),
                }
            })
        })
        .await
    }

    /// Changes metadata of a secret without a condition.
    pub(super) async fn update(&self, r: &SecretRef, patch: MetadataPatch) -> Verdict {
        let updated = self.provider.update_metadata(r, None, patch, Precondition::Any).await;
        done("change metadata", updated)
    }

    /// Waits until a secret has exactly these tags.
    async fn has_tags(&self, step: &'static str, r: &SecretRef, tags: &[(&str, &str)]) -> Verdict {
        let wanted = &self::tags(tags);
        self.settle(move || {
            Box::pin(async move {
                let info = done(step, self.provider.describe_secret(r).await)?;
                if info.tags == *wanted {
                    return Ok(());
                }
                let expected = format!("the tags {wanted:?}");
                Err(Stop::failed(step, expected, format!("the tags {:?}", info.tags)))
            })
        })
        .await
    }

    /// Waits until a version is told with exactly these tags, read and listed.
    async fn tells_tags(
        &self,
        r: &SecretRef,
        version: VersionSelector,
        wanted: &[(&str, &str)],
    ) -> Verdict {
        let (version, wanted) = (&version, &tags(wanted));
        self.settle(move || {
            Box::pin(async move {
                let read = done("read the version", self.get(r, version.clone()).await)?.version;
                let mut listed = self.versions(r, None).await?.into_iter();
                let listed = listed.find(|listed| listed.id == read.id);
                let seen = (Some(read.tags()), listed.as_ref().map(VersionInfo::tags));
                if seen == (Some(wanted), Some(wanted)) {
                    return Ok(());
                }
                let expected = format!("the tags {wanted:?}, read and listed");
                let seen = format!("the tags {:?}, listed {:?}", seen.0, seen.1);
                Err(Stop::failed("look at a version's tags", expected, seen))
            })
        })
        .await
    }

    /// A secret with the tags `team` = `blue` and `tier` = `one`.
    async fn tagged(&self) -> Verdict<SecretRef> {
        let (name, value) = (self.secret()?, self.value("tagged"));
        let patch = MetadataPatch::new().tag("team", "blue").tag("tier", "one");
        let options = SetOptions::new().with_metadata(patch);
        let written = self.provider.set_secret(&name, value.clone(), options).await;
        done("write a value with tags", written)?;
        self.reads("read it", &name, VersionSelector::Current, &value).await?;
        self.has_tags("describe it", &name, &[("team", "blue"), ("tier", "one")]).await?;
        Ok(name)
    }
}

fn tags(tags: &[(&str, &str)]) -> Tags {
    tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

async fn with_value(cx: &Cx<'_>) -> Verdict {
    let name = cx.tagged().await?;
    let patch = MetadataPatch::new().description(Change::Set("for tests".into()));
    let options = SetOptions::new().with_metadata(patch);
    let written = cx.provider.set_secret(&name, cx.value("described"), options).await;
    done("write a value with a description", written)?;
    let is_described = |info: &SecretInfo| info.description.as_deref() == Some("for tests");
    cx.described("describe it", &name, "the description `for tests`", is_described).await?;
    Ok(())
}

async fn replace(cx: &Cx<'_>) -> Verdict {
    let name = cx.tagged().await?;
    cx.update(&name, MetadataPatch::new().tag("tier", "two").tag("zone", "north")).await?;
    let tags = [("team", "blue"), ("tier", "two"), ("zone", "north")];
    cx.has_tags("describe it after the change", &name, &tags).await
}

async fn remove(cx: &Cx<'_>) -> Verdict {
    let name = cx.tagged().await?;
    cx.update(&name, MetadataPatch::new().untag("team").untag("never-there")).await?;
    cx.has_tags("describe it after the removal", &name, &[("tier", "one")]).await
}

async fn survive(cx: &Cx<'_>) -> Verdict {
    let name = cx.tagged().await?;
    cx.update(&name, MetadataPatch::new().description(Change::Set("kept".into()))).await?;
    let (expected, is_described) =
        ("the description `kept`", |info: &SecretInfo| info.description.as_deref() == Some("kept"));
    cx.described("describe it", &name, expected, is_described).await?;
    cx.put(&name, &cx.value("next")).await?;
    cx.let_changes_show().await;
    let tags = [("team", "blue"), ("tier", "one")];
    cx.has_tags("describe it after a new value", &name, &tags).await?;
    cx.described("describe it after a new value", &name, expected, is_described).await?;
    Ok(())
}

async fn description(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    cx.put(&name, &cx.value("described")).await?;
    for text in ["first", "second"] {
        cx.update(&name, MetadataPatch::new().description(Change::Set(text.into()))).await?;
        cx.described("describe it", &name, "the description that was set", |info| {
            info.description.as_deref() == Some(text)
        })
        .await?;
    }
    cx.update(&name, MetadataPatch::new().description(Change::Clear)).await?;
    cx.described("describe it", &name, "no description", |info| info.description.is_none()).await?;
    Ok(())
}

/// More tags than a suite should write.
const MOST_TAGS: usize = 256;

fn many_tags(count: usize) -> MetadataPatch {
    (0..count).fold(MetadataPatch::new(), |patch, at| patch.tag(format!("tag-{at}"), "x"))
}

async fn most_tags(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    cx.put(&name, &cx.value("with many tags")).await?;
    let most = cx.capabilities().limits.tags.min(MOST_TAGS);
    cx.update(&name, many_tags(most)).await?;
    let expected = "as many tags as `limits.tags` says";
    cx.described("describe it", &name, expected, |info| info.tags.len() == most).await?;
    Ok(())
}

async fn too_many(cx: &Cx<'_>) -> Verdict {
    let most = cx.capabilities().limits.tags;
    if most > MOST_TAGS {
        let reason = "`limits.tags` is more than the suite writes";
        return Err(Stop::NotApplicable(super::Because::Shape(reason)));
    }
    let name = cx.tagged().await?;
    let before = cx.snapshot(&name).await?;
    // One of the tags replaces an existing one, so that only the sum is too large.
    let patch = many_tags(most).tag("team", "red");
    let updated = cx.provider.update_metadata(&name, None, patch.clone(), Precondition::Any).await;
    let kinds = [ErrorKind::InvalidValue, ErrorKind::TooLarge];
    refused("add more tags than fit", updated, &kinds)?;
    let options = SetOptions::new().with_metadata(patch);
    let written = cx.provider.set_secret(&name, cx.value("with too many tags"), options).await;
    refused("write a value with more tags than fit", written, &kinds)?;
    cx.unchanged("read after the refusals", &name, &before).await
}

async fn no_version(cx: &Cx<'_>) -> Verdict {
    let (name, value) = (cx.secret()?, cx.value("untouched"));
    cx.put(&name, &value).await?;
    let before = cx.versions(&name, None).await?.len();
    cx.update(&name, MetadataPatch::new().tag("tier", "one")).await?;
    cx.let_changes_show().await;
    cx.reads("read it after the change", &name, VersionSelector::Current, &value).await?;
    let after = cx.versions(&name, None).await?.len();
    ensure(before == after, "list the versions", "no new version", || {
        format!("{after} versions where there were {before}")
    })
}

async fn scope(cx: &Cx<'_>) -> Verdict {
    let name = cx.tagged().await?;
    let known = done("read it", cx.get(&name, VersionSelector::Current).await)?.version.id;
    cx.put(&name, &cx.value("next")).await?;
    let patch = MetadataPatch::new().tag("tier", "two");
    let updated =
        |patch| cx.provider.update_metadata(&name, Some(&known), patch, Precondition::Any);
    let (both, changed) =
        ([("team", "blue"), ("tier", "one")], [("team", "blue"), ("tier", "two")]);
    match cx.capabilities().tags_scope {
        Scope::Version => {
            done("change the tags of the older version", updated(patch).await)?;
            cx.tells_tags(&name, VersionSelector::Id(known.clone()), &changed).await?;
            cx.let_changes_show().await;
            cx.tells_tags(&name, VersionSelector::Current, &both).await?;
        }
        Scope::Secret => {
            let before = cx.snapshot(&name).await?;
            let kinds = [ErrorKind::Unsupported];
            refused("change the tags of the older version", updated(patch).await, &kinds)?;
            cx.unchanged("read after the refusal", &name, &before).await?;
            cx.tells_tags(&name, VersionSelector::Id(known.clone()), &[]).await?;
            cx.tells_tags(&name, VersionSelector::Current, &[]).await?;
        }
    }
    cx.has_tags("describe it", &name, &both).await
}

async fn absent(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    let patch = MetadataPatch::new().tag("tier", "one");
    let updated = cx.provider.update_metadata(&name, None, patch, Precondition::Any).await;
    refused("change metadata of an absent secret", updated, &[ErrorKind::NotFound])?;
    cx.let_changes_show().await;
    cx.denies("read it", &name, VersionSelector::Current, &[ErrorKind::NotFound]).await
}

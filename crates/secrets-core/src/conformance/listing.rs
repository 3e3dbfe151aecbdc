//! Describing and listing secrets.

use std::num::NonZeroU32;

use crate::codec::DecodedName;
use crate::error::ErrorKind;
use crate::metadata::{MetadataPatch, SecretInfo};
use crate::options::SetOptions;
use crate::page::{PageRequest, PageToken, SecretFilter};
use crate::reference::SecretRef;
use crate::version::{VersionId, VersionSelector};

use super::check::Capability::{Describe, List, Previous, Staging, Tags, Write};
use super::check::Need::{Has, Hook, Seed};
use super::check::{Because, Stop, Verdict, checks};
use super::context::{Cx, SecretItem};
use super::harness::Hook::PlainWriter;
use super::outcome::{done, ensure, refused};
use super::reads::native_ref;
use super::staging::references;

checks! {
    SecretItem;
    "describe.absent", absent, [Has(Describe)],
        "an absent secret is not described",
        "`describe_secret` of an absent secret is `NotFound`.";
    "describe.itself", itself, [Has(Describe), Seed],
        "a description is of the secret that was asked for",
        "`describe_secret` names the secret by its neutral name, and not as deleted.";
    "describe.versions", versions, [Has(Describe), Has(Write)],
        "a description's versions are those that reads give",
        "where `describe_secret` tells the current, previous and pending version, these are what \
         the selectors read.";
    "listing.finds", finds, [Has(List), Seed],
        "what exists is listed once, by its name",
        "`list_secrets` has every secret once, by the name that it was written under.";
    "listing.pages", pages, [Has(List), Seed],
        "pages lose nothing and repeat nothing",
        "the pages of `list_secrets` of one item each hold every secret once.";
    "listing.prefix", prefix, [Has(List), Seed],
        "a prefix leaves the others out",
        "`SecretFilter::prefix` compares neutral names, not the backend's.";
    "listing.tags", tags, [Has(List), Has(Write), Has(Tags)],
        "a filter by tags wants all of them",
        "`SecretFilter::tags` passes secrets that have every tag with its value.";
    "listing.bad-token", bad_token, [Has(List)],
        "a token that is not the provider's is refused",
        "`list_secrets` with a foreign token is `InvalidValue`, not the first page.";
    "listing.foreign", foreign, [Has(List), Hook(PlainWriter)],
        "somebody else's entries are listed by their native id",
        "an entry that is no name's form is `SecretRef::Native`, and that reference reads it.";
    "listing.no-foreign", no_foreign, [Has(List), Has(Write)],
        "where nothing foreign can be, nothing foreign gets in",
        "where `Harness::holds_foreign` says no, a native id that is no name's form is not found \
         or invalid to reads and invalid to writes, and lists have names only.";
}

async fn absent(cx: &Cx<'_>) -> Verdict {
    let described = cx.provider.describe_secret(&cx.secret()?).await;
    refused("describe an absent secret", described, &[ErrorKind::NotFound])?;
    Ok(())
}

async fn itself(cx: &Cx<'_>) -> Verdict {
    let name = cx.name("described")?;
    cx.seed(&name, &cx.value("described")).await?;
    let name = SecretRef::from(name);
    cx.described("describe it", &name, "its name, not deleted", |info| {
        info.reference == name && info.deletion.is_none()
    })
    .await?;
    Ok(())
}

async fn versions(cx: &Cx<'_>) -> Verdict {
    let name = cx.secret()?;
    let first = cx.put(&name, &cx.value("first")).await?.id;
    let second = cx.put(&name, &cx.value("second")).await?.id;
    let previous = cx.has(Previous).then_some(first);
    let pending = match cx.has(Staging) {
        true => Some(cx.stage(&name, &cx.value("pending")).await?.id),
        false => None,
    };
    let current = Some(second);
    let agrees = |told: &Option<VersionId>, read| told.is_none() || told == read;
    cx.described("describe it", &name, "the versions that reads give, where told", |info| {
        agrees(&info.current, &current)
            && (previous.is_none() || agrees(&info.previous, &previous))
            && agrees(&info.pending, &pending)
    })
    .await?;
    Ok(())
}

/// Puts a secret there, under a name that ends in this label.
async fn there(cx: &Cx<'_>, label: &str) -> Verdict<SecretRef> {
    let (name, value) = (cx.name(label)?, cx.value("one of several"));
    cx.seed(&name, &value).await?;
    let name = SecretRef::from(name);
    cx.reads("read it", &name, VersionSelector::Current, &value).await?;
    Ok(name)
}

/// The filter for names that start with a label, which may end in a slash.
pub(super) fn starting(cx: &Cx<'_>, label: &str) -> Verdict<SecretFilter> {
    let (stem, slash) = match label.strip_suffix('/') {
        Some(stem) => (stem, "/"),
        None => (label, ""),
    };
    let name = cx.harness.name(&format!("{}{stem}", cx.label())).map_err(Into::into);
    Ok(SecretFilter::prefix(format!("{}{slash}", done("make a name", name)?)))
}

impl Cx<'_> {
    /// Waits until a filter lists these secrets and no others.
    pub(super) async fn lists(
        &self,
        step: &'static str,
        filter: &SecretFilter,
        limit: Option<NonZeroU32>,
        wanted: &[&SecretRef],
    ) -> Verdict<Vec<SecretInfo>> {
        self.settle(move || {
            Box::pin(async move {
                let listed = self.listed(filter, limit).await?;
                let mut seen: Vec<_> =
                    references(&listed).iter().map(ToString::to_string).collect();
                let mut names: Vec<_> = wanted.iter().map(ToString::to_string).collect();
                seen.sort();
                names.sort();
                if seen == names {
                    return Ok(listed);
                }
                Err(Stop::failed(step, format!("{names:?}"), format!("{seen:?}")))
            })
        })
        .await
    }
}

async fn finds(cx: &Cx<'_>) -> Verdict {
    let names = [there(cx, "x").await?, there(cx, "x/y").await?, there(cx, "x_y-z.0").await?];
    let names = names.each_ref();
    cx.lists("list them", &starting(cx, "x")?, None, &names).await?;
    Ok(())
}

async fn pages(cx: &Cx<'_>) -> Verdict {
    let mut names = Vec::new();
    for label in ["p/1", "p/2", "p/3", "p/4", "p/5"] {
        names.push(there(cx, label).await?);
    }
    let names: Vec<_> = names.iter().collect();
    for limit in [NonZeroU32::MIN, NonZeroU32::MIN.saturating_add(1)] {
        cx.lists("list them page by page", &starting(cx, "p/")?, Some(limit), &names).await?;
    }
    Ok(())
}

async fn prefix(cx: &Cx<'_>) -> Verdict {
    let (b, bc) = (there(cx, "a/b").await?, there(cx, "a/bc").await?);
    let (c, _) = (there(cx, "a/c").await?, there(cx, "a-b").await?);
    let (step, under) = ("list those that start with a text", starting(cx, "a/b")?);
    cx.lists(step, &under, None, &[&b, &bc]).await?;
    cx.lists(step, &starting(cx, "a/")?, None, &[&b, &bc, &c]).await?;
    Ok(())
}

async fn tags(cx: &Cx<'_>) -> Verdict {
    let one = tagged(cx, "t/1", "blue", "one").await?;
    let two = tagged(cx, "t/2", "blue", "two").await?;
    let three = tagged(cx, "t/3", "red", "one").await?;
    let filter = starting(cx, "t/")?;
    cx.lists("list all of them", &filter, None, &[&one, &two, &three]).await?;
    let blue = filter.clone().with_tag("team", "blue");
    cx.lists("list those with one tag", &blue, None, &[&one, &two]).await?;
    cx.lists("list those with two tags", &blue.with_tag("tier", "one"), None, &[&one]).await?;
    cx.lists("list those with an unknown tag", &filter.with_tag("no", "one"), None, &[]).await?;
    Ok(())
}

async fn tagged(cx: &Cx<'_>, label: &str, team: &str, tier: &str) -> Verdict<SecretRef> {
    let (name, value) = (SecretRef::from(cx.name(label)?), cx.value("tagged"));
    let patch = MetadataPatch::new().tag("team", team).tag("tier", tier);
    let options = SetOptions::new().with_metadata(patch);
    let written = cx.provider.set_secret(&name, value.clone(), options).await;
    done("write a value with tags", written)?;
    cx.reads("read it", &name, VersionSelector::Current, &value).await?;
    Ok(name)
}

async fn bad_token(cx: &Cx<'_>) -> Verdict {
    let filter = starting(cx, "x")?;
    for token in ["", "no token of yours", "\u{202e}"] {
        let page = PageRequest::after(PageToken::new(token));
        let listed = cx.provider.list_secrets(&filter, page).await;
        refused("list with a foreign token", listed, &[ErrorKind::InvalidValue])?;
    }
    Ok(())
}

async fn foreign(cx: &Cx<'_>) -> Verdict {
    if !cx.harness.holds_foreign() {
        let reason = "the backend holds no foreign entries";
        return Err(Stop::NotApplicable(Because::Shape(reason)));
    }
    let form = foreign_form(cx)?;
    let (native, value) = (native_ref(&form)?, cx.value("foreign"));
    cx.touch(&native);
    cx.write_outside(&form, &value).await?;
    let (filter, all) = (SecretFilter::prefix(&*form), SecretFilter::all());
    let entry = cx
        .settle(|| {
            let (form, filter, all) = (&form, &filter, &all);
            Box::pin(async move {
                // A native id may be longer than the name in it, as an ARN is.
                let mut listed = cx.listed(filter, None).await?;
                if listed.is_empty() {
                    listed = cx.listed(all, None).await?;
                }
                let is_it = |info: &&SecretInfo| {
                    matches!(&info.reference, SecretRef::Native(id) if id.as_str().contains(form))
                };
                listed.iter().find(is_it).map(|info| info.reference.clone()).ok_or_else(|| {
                    let expected = format!("a native entry with `{form}` in its id");
                    Stop::failed("list a foreign entry", expected, "none")
                })
            })
        })
        .await?;
    let read =
        cx.reads("read it by the listed reference", &entry, VersionSelector::Current, &value);
    read.await?;
    ensure(entry.name().is_none(), "list a foreign entry", "a native reference", String::new)
}

async fn no_foreign(cx: &Cx<'_>) -> Verdict {
    if cx.harness.holds_foreign() {
        let reason = "the backend can hold foreign entries";
        return Err(Stop::NotApplicable(Because::Shape(reason)));
    }
    let native = native_ref(&foreign_form(cx)?)?;
    cx.touch(&native);
    there(cx, "named").await?;
    let written = cx.provider.set_secret(&native, cx.value("foreign"), SetOptions::new()).await;
    refused("write under a name that is none", written, &[ErrorKind::InvalidName])?;
    cx.let_changes_show().await;
    let kinds = [ErrorKind::NotFound, ErrorKind::InvalidName];
    cx.denies("read it", &native, VersionSelector::Current, &kinds).await?;
    let listed = cx.listed(&SecretFilter::all(), None).await?;
    let foreign: Vec<_> = listed.iter().filter(|info| info.reference.name().is_none()).collect();
    ensure(foreign.is_empty(), "list all", "names only", || format!("{foreign:?}"))
}

/// A name that the backend takes and that is no name's form: a needless or broken escape, or, where
/// case counts, two cases in one name.
fn foreign_form(cx: &Cx<'_>) -> Verdict<String> {
    let (rules, form) = (cx.provider.name_rules(), cx.form(&cx.name("foreign")?)?);
    let endings = "-+_~=%.".chars().flat_map(|c| [format!("{c}zz"), format!("{c}ZZ")]);
    let endings = endings.chain(["Xx".to_owned()]);
    let mut forms = endings.map(|ending| format!("{form}{ending}"));
    forms
        .find(|form| rules.accepts(form) && rules.decode(form) == DecodedName::Foreign)
        .ok_or(Stop::NotApplicable(Because::Shape("every name of the backend is a name's form")))
}

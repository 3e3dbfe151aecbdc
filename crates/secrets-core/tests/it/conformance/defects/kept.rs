//! Metadata, validity, descriptions and lists.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use secrets_core::memory::Personality;
use secrets_core::{
    Change, Deletion, ErrorKind, MetadataPatch, NativeId, Operation, Page, PageRequest,
    Precondition, Scope, SecretFilter, SecretInfo, SecretRef, SecretValue, SetOptions, Stage, Tags,
    Validity, VersionInfo,
};

use super::super::broken::{Defect, Inner, defect};
use super::{current, error};

pub(super) fn defects() -> Vec<Defect> {
    let mut all = metadata();
    all.extend(scoped());
    all.extend(descriptions_and_etags());
    all.extend(limits());
    all.extend(validity());
    all.extend(described());
    all.extend(listed());
    all
}

/// Changes the patches of `update_metadata`.
fn patching(
    name: &'static str,
    fails: &'static [&'static str],
    change: fn(&mut MetadataPatch),
) -> Defect {
    defect(name, fails).update(move |p, r, v, (mut patch, guard)| {
        change(&mut patch);
        Box::pin(async move { p.update_metadata(r, v, patch, guard).await })
    })
}

/// Changes the patches of `set_secret`.
fn patching_with_value(
    name: &'static str,
    fails: &'static [&'static str],
    change: fn(&mut MetadataPatch),
) -> Defect {
    defect(name, fails).set(move |p, r, v, mut o| {
        change(&mut o.metadata);
        Box::pin(async move { p.set_secret(r, v, o).await })
    })
}

async fn info(p: &Inner, r: &SecretRef) -> secrets_core::Result<SecretInfo> {
    p.describe_secret(r).await.map_err(|e| e.with_operation(Operation::UpdateMetadata))
}

fn metadata() -> Vec<Defect> {
    vec![
        patching_with_value(
            "tags are not written with a value",
            &["metadata.with-value"],
            |patch| {
                patch.set_tags.clear();
            },
        ),
        patching_with_value("no description with a value", &["metadata.with-value"], |patch| {
            patch.description = Change::Keep;
        }),
        defect("new tags replace all tags", &["metadata.replace"]).update(
            |p, r, v, (mut patch, guard)| {
                Box::pin(async move {
                    let tags = info(p, r).await?.tags.into_keys();
                    let others = tags.filter(|tag| !patch.set_tags.contains_key(tag));
                    let others: Vec<_> = others.collect();
                    if !patch.set_tags.is_empty() {
                        patch.remove_tags.extend(others);
                    }
                    p.update_metadata(r, v, patch, guard).await
                })
            },
        ),
        defect("a tag of its own shows", &["metadata.replace", "metadata.remove"]).describe(
            |p, r| {
                Box::pin(async move {
                    let mut info = p.describe_secret(r).await?;
                    info.tags.insert("written-by".into(), "us".into());
                    Ok(info)
                })
            },
        ),
        patching("tags are never taken away", &["metadata.remove"], |patch| {
            patch.remove_tags.clear();
        }),
        defect("a new value clears the tags", &["metadata.survive"]).set(|p, r, v, mut o| {
            Box::pin(async move {
                if let Ok(info) = p.describe_secret(r).await
                    && info.deletion.is_none()
                {
                    let tags = info.tags.into_keys();
                    let gone = tags.filter(|tag| !o.metadata.set_tags.contains_key(tag));
                    o.metadata.remove_tags.extend(gone.collect::<Vec<_>>());
                }
                p.set_secret(r, v, o).await
            })
        }),
        defect("a new value clears the description", &["metadata.survive"]).set(
            |p, r, v, mut o| {
                if o.metadata.description.is_keep() {
                    o.metadata.description = Change::Clear;
                }
                Box::pin(async move { p.set_secret(r, v, o).await })
            },
        ),
    ]
}

/// Changes the versions that are read and listed.
fn telling_versions(
    name: &'static str,
    fails: &'static [&'static str],
    personality: Personality,
    change: fn(VersionInfo) -> VersionInfo,
) -> Defect {
    defect(name, fails)
        .like(personality)
        .get(move |p, r, o| {
            Box::pin(async move {
                let mut secret = p.get_secret(r, o).await?;
                secret.version = change(secret.version);
                Ok(secret)
            })
        })
        .versions(move |p, r, page| {
            Box::pin(async move {
                let mut page = p.list_versions(r, page).await?;
                page.items = page.items.into_iter().map(change).collect();
                Ok(page)
            })
        })
}

fn scoped() -> Vec<Defect> {
    vec![
        telling_versions(
            "a version's tags are not told",
            &["metadata.scope"],
            Personality::Azure,
            |version| version.with_tags(Tags::new()),
        ),
        telling_versions(
            "no version is told as previous",
            &["versions.previous-told"],
            Personality::Aws,
            |mut version| {
                version.stages = version.stages.without(Stage::Previous);
                version
            },
        ),
        defect("what is not current is listed as previous", &["versions.previous-told"]).versions(
            |p, r, page| {
                Box::pin(async move {
                    let mut page = p.list_versions(r, page).await?;
                    for version in &mut page.items {
                        if !version.stages.contains(Stage::Current) {
                            version.stages = version.stages.with(Stage::Previous);
                        }
                    }
                    Ok(page)
                })
            },
        ),
        defect("only listing tells a version's tags", &["metadata.scope"])
            .like(Personality::Azure)
            .get(|p, r, o| {
                Box::pin(async move {
                    let mut secret = p.get_secret(r, o).await?;
                    secret.version = secret.version.with_tags(Tags::new());
                    Ok(secret)
                })
            }),
        defect("tags of one version change the current one's", &["metadata.scope"])
            .like(Personality::Azure)
            .update(|p, r, _, (patch, guard)| {
                Box::pin(async move { p.update_metadata(r, None, patch, guard).await })
            }),
        telling_versions(
            "the secret's tags are told of versions",
            &["metadata.scope"],
            Personality::Aws,
            |version| version.with_tags(Tags::from([("team".into(), "blue".into())])),
        ),
        defect("a version's tags are the secret's", &["metadata.scope"]).update(
            |p, r, _, (patch, guard)| {
                Box::pin(async move { p.update_metadata(r, None, patch, guard).await })
            },
        ),
    ]
}

fn descriptions_and_etags() -> Vec<Defect> {
    vec![
        patching("a description is never cleared", &["metadata.description"], |patch| {
            if patch.description == Change::Clear {
                patch.description = Change::Keep;
            }
        }),
        defect("metadata is written with the value", &["metadata.no-version"]).update(
            |p, r, v, (patch, guard)| {
                Box::pin(async move {
                    p.update_metadata(r, v, patch, guard).await?;
                    let value = p.get_secret(r, current()).await?.value;
                    p.set_secret(r, value, SetOptions::new()).await.map(drop)
                })
            },
        ),
        defect("metadata creates what is absent", &["metadata.absent"]).update(
            |p, r, v, (patch, guard)| {
                Box::pin(async move {
                    match p.update_metadata(r, v, patch.clone(), guard).await {
                        Err(e) if e.kind() == ErrorKind::NotFound => {
                            let value = SecretValue::copy_from_slice(b"x");
                            let options = SetOptions::new().with_metadata(patch);
                            p.set_secret(r, value, options).await.map(drop)
                        }
                        updated => updated,
                    }
                })
            },
        ),
        defect("a stale etag is taken", &["preconditions.etag"]).like(Personality::Google).update(
            |p, r, v, (patch, guard)| {
                Box::pin(async move {
                    let etag = info(p, r).await?.etag;
                    let guard = match (guard, etag) {
                        (Precondition::Etag(_), Some(etag)) => Precondition::Etag(etag),
                        (guard, _) => guard,
                    };
                    p.update_metadata(r, v, patch, guard).await
                })
            },
        ),
        defect("no etag is told", &["preconditions.etag"]).like(Personality::Google).describe(
            |p, r| {
                Box::pin(async move {
                    let mut info = p.describe_secret(r).await?;
                    info.etag = None;
                    Ok(info)
                })
            },
        ),
    ]
}

fn limits() -> Vec<Defect> {
    vec![
        defect("fewer tags than declared", &["metadata.most-tags"]).update(
            |p, r, v, (patch, guard)| {
                Box::pin(async move {
                    if patch.set_tags.len() >= p.capabilities().limits.tags {
                        return Err(error(ErrorKind::InvalidValue, Operation::UpdateMetadata));
                    }
                    p.update_metadata(r, v, patch, guard).await
                })
            },
        ),
        defect("tags that do not fit are dropped", &["metadata.too-many"]).update(
            |p, r, v, (mut patch, guard)| {
                Box::pin(async move {
                    let room = p.capabilities().limits.tags - info(p, r).await?.tags.len();
                    let fitting = std::mem::take(&mut patch.set_tags).into_iter().take(room);
                    patch.set_tags = fitting.collect();
                    p.update_metadata(r, v, patch, guard).await
                })
            },
        ),
        defect("a value is written before its tags are refused", &["metadata.too-many"]).set(
            |p, r, v, mut o| {
                Box::pin(async move {
                    let patch = std::mem::take(&mut o.metadata);
                    let info = p.set_secret(r, v, o).await?;
                    if !patch.is_empty() {
                        let updated = p.update_metadata(r, None, patch, Precondition::Any).await;
                        updated.map_err(|e| e.with_operation(Operation::SetSecret))?;
                    }
                    Ok(info)
                })
            },
        ),
    ]
}

fn validity() -> Vec<Defect> {
    let all = vec![
        patching_with_value("no bounds with a value", &["validity.with-value"], |patch| {
            patch.expires = Change::Keep;
        }),
        patching("bounds are never cleared", &["validity.changed"], |patch| {
            if patch.not_before == Change::Clear {
                patch.not_before = Change::Keep;
            }
        }),
        defect("a value that has expired is withheld", &["validity.readable"]).get(|p, r, o| {
            Box::pin(async move {
                let secret = p.get_secret(r, o).await?;
                let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
                secret
                    .version
                    .check_validity(now)
                    .map_err(|e| e.with_operation(Operation::GetSecret))?;
                Ok(secret)
            })
        }),
        defect("the option to ignore bounds is turned round", &["validity.readable"]).get(
            |p, r, o| {
                Box::pin(async move {
                    let is_strict = o.validity == Validity::Ignore;
                    let secret = p.get_secret(r, o).await?;
                    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_100_000_000);
                    if is_strict && secret.version.expires.is_some_and(|end| end < start) {
                        return Err(error(ErrorKind::Expired, Operation::GetSecret));
                    }
                    Ok(secret)
                })
            },
        ),
    ];
    let mut all: Vec<_> = all.into_iter().map(|d| d.like(Personality::Google)).collect();
    all.push(
        defect("bounds of the secret are declared for versions", &["validity.scope"])
            .like(Personality::Google)
            .declare(|c| c.validity_scope = Scope::Version)
            .update(|p, r, _, (patch, guard)| {
                Box::pin(async move { p.update_metadata(r, None, patch, guard).await })
            }),
    );
    all
}

/// Changes what `describe_secret` tells.
fn describing(
    name: &'static str,
    fails: &'static [&'static str],
    change: fn(&mut SecretInfo),
) -> Defect {
    defect(name, fails).describe(move |p, r| {
        Box::pin(async move {
            let mut info = p.describe_secret(r).await?;
            change(&mut info);
            Ok(info)
        })
    })
}

fn described() -> Vec<Defect> {
    vec![
        defect("an absent secret is described", &["describe.absent"]).describe(|p, r| {
            Box::pin(async move {
                match p.describe_secret(r).await {
                    Err(e) if e.kind() == ErrorKind::NotFound => Ok(SecretInfo::new(r.clone())),
                    described => described,
                }
            })
        }),
        describing("a description by the native id", &["describe.itself"], |info| {
            let native = NativeId::new(&info.reference.to_string()).unwrap();
            info.reference = SecretRef::Native(native);
        }),
        describing("a live secret is described as deleted", &["describe.itself"], |info| {
            info.deletion = Some(Deletion::new(SystemTime::UNIX_EPOCH, None));
        }),
        describing("current and previous are swapped", &["describe.versions"], |info| {
            std::mem::swap(&mut info.current, &mut info.previous);
        }),
        describing("pending and current are swapped", &["describe.versions"], |info| {
            std::mem::swap(&mut info.current, &mut info.pending);
        }),
    ]
}

/// Changes the pages of `list_secrets`.
fn listing(
    name: &'static str,
    fails: &'static [&'static str],
    change: fn(&mut Page<SecretInfo>),
) -> Defect {
    defect(name, fails).list(move |p, filter, page| {
        Box::pin(async move {
            let mut page = p.list_secrets(filter, page).await?;
            change(&mut page);
            Ok(page)
        })
    })
}

/// Lists by another filter than was asked for.
fn filtering(
    name: &'static str,
    fails: &'static [&'static str],
    change: fn(&mut SecretFilter),
) -> Defect {
    defect(name, fails).list(move |p, filter, page| {
        let mut filter = filter.clone();
        change(&mut filter);
        Box::pin(async move { p.list_secrets(&filter, page).await })
    })
}

fn listed() -> Vec<Defect> {
    let last: Arc<Mutex<HashMap<String, SecretInfo>>> = Arc::default();
    vec![
        listing("secrets are listed by their native ids", &["listing.finds"], |page| {
            for info in &mut page.items {
                info.reference = NativeId::new(&info.reference.to_string()).unwrap().into();
            }
        }),
        listing("the last secret of a page is lost", &["listing.finds"], |page| {
            page.items.pop();
        }),
        defect("what starts a page is lost", &["listing.pages"]).list(|p, filter, page| {
            Box::pin(async move {
                let is_continued = page.token.is_some();
                let mut page = p.list_secrets(filter, page).await?;
                if is_continued {
                    page.items.drain(..page.items.len().min(1));
                }
                Ok(page)
            })
        }),
        defect("what ended a page starts the next", &["listing.pages"]).list(
            move |p, filter, page| {
                let last = last.clone();
                Box::pin(async move {
                    let is_continued = page.token.is_some();
                    let mut page = p.list_secrets(filter, page).await?;
                    let mut last = last.lock().unwrap();
                    let before = match page.items.last().cloned() {
                        Some(info) => last.insert(filter.prefix.clone(), info),
                        None => last.get(&filter.prefix).cloned(),
                    };
                    if let (true, Some(before)) = (is_continued, before) {
                        page.items = vec![before];
                    }
                    Ok(page)
                })
            },
        ),
        defect("a list that never ends", &["listing.pages"]).list(|p, filter, page| {
            Box::pin(async move {
                let asked = page.token.clone();
                let mut page = p.list_secrets(filter, page).await?;
                page.next = page.next.or(asked);
                Ok(page)
            })
        }),
        filtering("the prefix is ignored", &["listing.prefix"], |f| f.prefix.clear()),
        filtering("the prefix ends at a slash", &["listing.prefix"], |filter| {
            filter.prefix.truncate(filter.prefix.rfind('/').map_or(0, |at| at + 1));
        }),
        filtering("tags are ignored", &["listing.tags"], |filter| filter.tags.clear()),
        filtering("one of the tags is enough", &["listing.tags"], |filter| {
            while filter.tags.len() > 1 {
                filter.tags.pop_first();
            }
        }),
        defect("a foreign token starts over", &["listing.bad-token"]).list(|p, filter, page| {
            Box::pin(async move {
                match p.list_secrets(filter, page).await {
                    Err(e) if e.kind() == ErrorKind::InvalidValue => {
                        p.list_secrets(filter, PageRequest::first()).await
                    }
                    page => page,
                }
            })
        }),
        defect("foreign names get in though none can be held", &["listing.no-foreign"]),
        listing("foreign entries are left out", &["listing.foreign"], |page| {
            page.items.retain(|info| info.reference.name().is_some());
        }),
        filtering("deleted ones are always left out", &["recovery.listed"], |filter| {
            filter.deleted = secrets_core::DeletedSecrets::Exclude;
        }),
        filtering("deleted ones are always listed", &["recovery.listed"], |filter| {
            filter.deleted = secrets_core::DeletedSecrets::Include;
        }),
    ]
}

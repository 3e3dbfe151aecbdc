//! Values, versions, tokens, preconditions, concurrent and dropped writes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use secrets_core::{
    DeleteMode, ErrorKind, GetOptions, IdempotencyKey, Operation, Page, PageRequest, Precondition,
    SecretRef, SecretValue, SetOptions, Stage, StageSet, VersionId, VersionInfo, VersionSelector,
    WriteStage,
};

use super::super::broken::{Defect, Inner, defect};
use super::{bytes, current, error, give_way, keep, memory, recall};

pub(super) fn defects() -> Vec<Defect> {
    let mut all = values();
    all.extend(versions());
    all.extend(tokens());
    all.extend(preconditions());
    all.extend(writers());
    all.extend(dropped());
    all
}

/// Writes other bytes than those that were given.
fn rewriting(
    name: &'static str,
    fails: &'static [&'static str],
    rewrite: fn(Vec<u8>) -> Vec<u8>,
) -> Defect {
    defect(name, fails).set(move |p, r, v, o| {
        let value = SecretValue::from_vec(rewrite(bytes(&v)));
        Box::pin(async move { p.set_secret(r, value, o).await })
    })
}

fn values() -> Vec<Defect> {
    vec![
        rewriting("zero bytes are dropped", &["values.zero-bytes"], |mut bytes| {
            bytes.retain(|byte| *byte != 0);
            bytes
        }),
        rewriting("bytes become text", &["values.not-utf8"], |bytes| {
            String::from_utf8_lossy(&bytes).into_owned().into_bytes()
        }),
        rewriting("a line end is trimmed", &["values.whitespace"], |bytes| {
            bytes.strip_suffix(b"\n").unwrap_or(&bytes).to_vec()
        }),
        rewriting("blanks at the end are trimmed", &["values.whitespace"], |bytes| {
            bytes.trim_ascii_end().to_vec()
        }),
        rewriting("variables are substituted", &["values.syntax"], |bytes| {
            String::from_utf8(bytes).map_or_else(
                |error| error.into_bytes(),
                |text| text.replace("$HOME", "/root").into_bytes(),
            )
        }),
        rewriting("an empty value is stored as a blank", &["values.empty"], |bytes| {
            if bytes.is_empty() { b" ".to_vec() } else { bytes }
        }),
        rewriting("what is too large is cut", &["values.too-large"], |mut bytes| {
            bytes.truncate(65_536);
            bytes
        }),
        defect("less than declared fits", &["values.largest"]).set(|p, r, v, o| {
            Box::pin(async move {
                if v.len() >= p.capabilities().limits.value_len {
                    return Err(error(ErrorKind::TooLarge, Operation::SetSecret));
                }
                p.set_secret(r, v, o).await
            })
        }),
    ]
}

fn versions() -> Vec<Defect> {
    vec![
        defect("every write has the same id", &["versions.current"]).set(|p, r, v, o| {
            Box::pin(async move {
                let mut info = p.set_secret(r, v, o).await?;
                info.id = VersionId::new("latest")?;
                Ok(info)
            })
        }),
        defect("writes and reads tell different stages", &["versions.told"]).set(|p, r, v, o| {
            Box::pin(async move {
                let info = p.set_secret(r, v, o).await?;
                Ok(info.with_stages(StageSet::EMPTY))
            })
        }),
        altering("the list lacks what is not labelled", &["versions.listed"], |page| {
            page.items.retain(|version| !version.stages.is_empty());
        }),
        altering(
            "the list names no current version",
            &["versions.listed", "promotion.exact"],
            |p| {
                for version in &mut p.items {
                    version.stages = version.stages.without(Stage::Current);
                }
            },
        ),
        defect("each page drops its first version", &["versions.pages"]).versions(|p, r, page| {
            Box::pin(async move {
                let is_continued = page.token.is_some();
                let mut page = p.list_versions(r, page).await?;
                if is_continued && !page.items.is_empty() {
                    page.items.remove(0);
                }
                Ok(page)
            })
        }),
        defect("each page repeats the last version of the one before", &["versions.pages"])
            .versions({
                let last = Arc::new(Mutex::new(None));
                move |p, r, page| {
                    let last = last.clone();
                    Box::pin(async move {
                        let is_continued = page.token.is_some();
                        let mut page = p.list_versions(r, page).await?;
                        let next = page.items.last().cloned();
                        let before = std::mem::replace(&mut *last.lock().unwrap(), next);
                        if let (true, Some(before)) = (is_continued, before) {
                            page.items = vec![before];
                        }
                        Ok(page)
                    })
                }
            }),
        defect("a foreign token starts over", &["versions.bad-token"]).versions(|p, r, page| {
            Box::pin(async move {
                match p.list_versions(r, page).await {
                    Err(e) if e.kind() == ErrorKind::InvalidValue => {
                        p.list_versions(r, PageRequest::first()).await
                    }
                    page => page,
                }
            })
        }),
        defect("an absent secret has an empty list", &["versions.absent"]).versions(
            |p, r, page| {
                Box::pin(async move {
                    match p.list_versions(r, page).await {
                        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Page::new(vec![], None)),
                        page => page,
                    }
                })
            },
        ),
    ]
}

/// Changes the pages of `list_versions`.
fn altering(
    name: &'static str,
    fails: &'static [&'static str],
    alter: fn(&mut Page<VersionInfo>),
) -> Defect {
    defect(name, fails).versions(move |p, r, page| {
        Box::pin(async move {
            let mut page = p.list_versions(r, page).await?;
            alter(&mut page);
            Ok(page)
        })
    })
}

fn without_token(mut options: SetOptions) -> SetOptions {
    options.token = None;
    options
}

fn tokens() -> Vec<Defect> {
    let (known, spent) = (memory::<Vec<IdempotencyKey>>(), Arc::new(Mutex::new(HashMap::new())));
    vec![
        defect("tokens are ignored", &["tokens.same", "tokens.pending", "dropping.write-again"])
            .set(|p, r, v, o| Box::pin(async move { p.set_secret(r, v, without_token(o)).await })),
        defect("a token is believed whatever the content", &["tokens.other-content"]).set(
            |p, r, v, o| {
                Box::pin(async move {
                    match p.set_secret(r, v, o).await {
                        Err(e) if e.kind() == ErrorKind::Conflict => {
                            Ok(p.get_secret(r, current()).await?.version)
                        }
                        written => written,
                    }
                })
            },
        ),
        defect("a late repetition writes again", &["tokens.late"]).set(move |p, r, v, o| {
            let known = known.clone();
            Box::pin(async move {
                let mut used = recall(&known, r).unwrap_or_default();
                let is_used = o.token.as_ref().is_some_and(|token| used.contains(token));
                used.extend(o.token.clone());
                keep(&known, r, used);
                let first = p.set_secret(r, v.clone(), o).await?;
                if is_used && !p.get_secret(r, current()).await?.value.ct_eq(&v) {
                    p.set_secret(r, v, SetOptions::new()).await?;
                }
                Ok(first)
            })
        }),
        defect("the same content is the same write", &["tokens.distinct"]).set(|p, r, v, o| {
            Box::pin(async move {
                match p.get_secret(r, current()).await {
                    Ok(secret) if o.stage == WriteStage::Current && secret.value.ct_eq(&v) => {
                        Ok(secret.version)
                    }
                    _ => p.set_secret(r, v, o).await,
                }
            })
        }),
        defect("a token is for one secret in all", &["tokens.per-secret"]).set(
            move |p, r, v, o| {
                let spent = spent.clone();
                Box::pin(async move {
                    let Some(token) = o.token.clone() else {
                        return p.set_secret(r, v, o).await;
                    };
                    if let Some(info) = spent.lock().unwrap().get(&token).cloned() {
                        return Ok(info);
                    }
                    let info = p.set_secret(r, v, o).await?;
                    spent.lock().unwrap().insert(token, info.clone());
                    Ok(info)
                })
            },
        ),
    ]
}

/// Writes without the precondition where `drops` says so.
fn dropping_guard(
    name: &'static str,
    fails: &'static [&'static str],
    drops: fn(&Precondition) -> bool,
) -> Defect {
    defect(name, fails).set(move |p, r, v, mut o| {
        if drops(&o.precondition) {
            o.precondition = Precondition::Any;
        }
        Box::pin(async move { p.set_secret(r, v, o).await })
    })
}

fn preconditions() -> Vec<Defect> {
    let written = memory::<VersionId>();
    let drops_etag: fn(&Precondition) -> bool = |guard| matches!(guard, Precondition::Etag(_));
    vec![
        dropping_guard("what must be absent is replaced", &["preconditions.absent"], |guard| {
            *guard == Precondition::Absent
        }),
        dropping_guard("the current version is not compared", &["preconditions.stale"], |guard| {
            matches!(guard, Precondition::CurrentIs(_))
        }),
        dropping_guard("etags of values are ignored", &["preconditions.never-ignored"], drops_etag),
        defect("guards of metadata are ignored", &["preconditions.never-ignored"]).update(
            |p, r, v, (patch, _)| {
                Box::pin(async move { p.update_metadata(r, v, patch, Precondition::Any).await })
            },
        ),
        defect("a condition never holds", &["preconditions.current"]).set(|p, r, v, o| {
            Box::pin(async move {
                if matches!(o.precondition, Precondition::CurrentIs(_)) {
                    return Err(error(ErrorKind::Conflict, Operation::SetSecret));
                }
                p.set_secret(r, v, o).await
            })
        }),
        defect("a condition creates what is absent", &["preconditions.nothing"]).set(
            |p, r, v, mut o| {
                Box::pin(async move {
                    if p.get_secret(r, current()).await.is_err() {
                        o.precondition = Precondition::Any;
                    }
                    p.set_secret(r, v, o).await
                })
            },
        ),
        defect("conditions are compared with what was written last", &["preconditions.foreign"])
            .set(move |p, r, v, mut o| {
                let written = written.clone();
                Box::pin(async move {
                    if let Precondition::CurrentIs(base) = &o.precondition {
                        if recall(&written, r).as_ref() != Some(base) {
                            return Err(error(ErrorKind::Conflict, Operation::SetSecret));
                        }
                        o.precondition = Precondition::Any;
                    }
                    let info = p.set_secret(r, v, o).await?;
                    keep(&written, r, info.id.clone());
                    Ok(info)
                })
            }),
    ]
}

fn writers() -> Vec<Defect> {
    let (busy, cached) = (memory::<bool>(), memory::<SecretValue>());
    let written = cached.clone();
    vec![
        defect("conditions are checked and then forgotten", &["writers.upon-one"]).set(
            |p, r, v, mut o| {
                Box::pin(async move {
                    if let Precondition::CurrentIs(base) = &o.precondition {
                        if p.get_secret(r, current()).await?.version.id != *base {
                            return Err(error(ErrorKind::Conflict, Operation::SetSecret));
                        }
                        give_way().await;
                        o.precondition = Precondition::Any;
                    }
                    p.set_secret(r, v, o).await
                })
            },
        ),
        defect("absence is checked and then forgotten", &["writers.create"]).set(
            |p, r, v, mut o| {
                Box::pin(async move {
                    if o.precondition == Precondition::Absent {
                        if p.get_secret(r, current()).await.is_ok() {
                            return Err(error(ErrorKind::AlreadyExists, Operation::SetSecret));
                        }
                        give_way().await;
                        o.precondition = Precondition::Any;
                    }
                    p.set_secret(r, v, o).await
                })
            },
        ),
        defect("concurrent writes are taken for one", &["writers.at-once"]).set(
            move |p, r, v, o| {
                let busy = busy.clone();
                Box::pin(async move {
                    if recall(&busy, r).unwrap_or_default() {
                        return Ok(p.get_secret(r, current()).await?.version);
                    }
                    keep(&busy, r, true);
                    give_way().await;
                    let info = p.set_secret(r, v, o).await;
                    keep(&busy, r, false);
                    info
                })
            },
        ),
        defect("only its own writes are seen", &["writers.foreign"])
            .set(move |p, r, v, o| {
                if o.stage == WriteStage::Current {
                    keep(&written, r, v.clone());
                }
                Box::pin(async move { p.set_secret(r, v, o).await })
            })
            .get(move |p, r, o| {
                let cached = recall(&cached, r).filter(|_| o.version == VersionSelector::Current);
                Box::pin(async move {
                    let mut secret = p.get_secret(r, o).await?;
                    if let Some(value) = cached {
                        secret.value = value;
                    }
                    Ok(secret)
                })
            }),
    ]
}

/// What a write leaves behind when it is dropped in the middle.
async fn in_two_halves(
    p: &Inner,
    r: &SecretRef,
    v: SecretValue,
    o: SetOptions,
) -> secrets_core::Result<VersionInfo> {
    let exists = p.get_secret(r, GetOptions::default()).await.is_ok();
    if exists && o == SetOptions::new() {
        let half = SecretValue::copy_from_slice(&v.expose_secret()[..v.len() / 2]);
        p.set_secret(r, half, SetOptions::new()).await?;
        give_way().await;
    }
    p.set_secret(r, v, o).await
}

fn dropped() -> Vec<Defect> {
    let is_deleting = Arc::new(AtomicBool::new(false));
    vec![
        defect("a value is written in two halves", &["dropping.write"])
            .set(|p, r, v, o| Box::pin(in_two_halves(p, r, v, o))),
        defect("a promotion discards first", &["dropping.promote"]).promote(
            |p, r, (pending, base), _| {
                Box::pin(async move {
                    let version = GetOptions::version(VersionSelector::Pending);
                    let value = p.get_secret(r, version).await?.value;
                    p.discard_pending(r, pending).await?;
                    give_way().await;
                    let guard = Precondition::CurrentIs(base.clone());
                    let info = p.set_secret(r, value, SetOptions::new().when(guard)).await?;
                    Ok(secrets_core::Promoted::new(info.id, Some(base.clone())))
                })
            },
        ),
        defect("a deletion that is dropped goes on for ever", &["dropping.delete"]).delete(
            move |p, r, mode| {
                let is_deleting = is_deleting.clone();
                Box::pin(async move {
                    if mode != DeleteMode::Immediate {
                        return p.delete_secret(r, mode).await;
                    }
                    if is_deleting.swap(true, Ordering::Relaxed) {
                        return Err(error(ErrorKind::Conflict, Operation::DeleteSecret));
                    }
                    give_way().await;
                    let deleted = p.delete_secret(r, mode).await;
                    is_deleting.store(false, Ordering::Relaxed);
                    deleted
                })
            },
        ),
    ]
}

//! Staging and promotion.

use secrets_core::memory::Personality;
use secrets_core::{
    DecodedName, ErrorKind, IdempotencyKey, NativeId, Operation, Promoted, SecretInfo, SecretRef,
    SecretValue, SetOptions, Stage, VersionId, VersionSelector, WriteStage,
};

use super::super::broken::{Defect, Inner, defect};
use super::{Memory, by, current, error, keep, memory, recall};

pub(super) fn defects() -> Vec<Defect> {
    let mut all = staging();
    all.extend(waiting_alone());
    all.extend(companions());
    all.extend(discarding());
    all.extend(promotion());
    all.extend(promoted_wrongly());
    all.extend(promoting_again());
    all.extend(promoting_with_loss());
    all
}

fn staging() -> Vec<Defect> {
    let pending: fn() -> VersionSelector = || VersionSelector::Pending;
    let (base, staged) = (memory::<VersionId>(), memory::<VersionId>());
    let (of_read, of_pending) = (base.clone(), staged.clone());
    vec![
        defect("what is staged is current in its answer", &["staging.waits"]).set(|p, r, v, o| {
            Box::pin(async move {
                let info = p.set_secret(r, v, o).await?;
                let stages = info.stages.with(Stage::Current);
                Ok(info.with_stages(stages))
            })
        }),
        defect("current shows what is pending", &["staging.hidden"]).get(move |p, r, o| {
            Box::pin(async move {
                if o.version == VersionSelector::Current
                    && let Ok(secret) = p.get_secret(r, by(pending())).await
                {
                    return Ok(secret);
                }
                p.get_secret(r, o).await
            })
        }),
        defect("staging writes and looks away", &["staging.hidden-outside"])
            .set(move |p, r, v, o| {
                let (base, staged) = (base.clone(), staged.clone());
                Box::pin(async move {
                    if o.stage == WriteStage::Current {
                        return p.set_secret(r, v, o).await;
                    }
                    keep(&base, r, p.get_secret(r, current()).await?.version.id);
                    let mut info = p.set_secret(r, v, SetOptions::new()).await?;
                    keep(&staged, r, info.id.clone());
                    info.stages = info.stages.without(Stage::Current).with(Stage::Pending);
                    Ok(info)
                })
            })
            .get(move |p, r, o| {
                let (base, staged) = (recall(&of_read, r), recall(&of_pending, r));
                Box::pin(async move {
                    match (&o.version, base, staged) {
                        (VersionSelector::Current, Some(id), _)
                        | (VersionSelector::Pending, _, Some(id)) => {
                            p.get_secret(r, by(VersionSelector::Id(id))).await
                        }
                        _ => p.get_secret(r, o).await,
                    }
                })
            }),
    ]
}

fn waiting_alone() -> Vec<Defect> {
    vec![
        defect("where nothing waits, current does", &["staging.none"]).get(|p, r, o| {
            Box::pin(async move {
                let is_pending = o.version == VersionSelector::Pending;
                match p.get_secret(r, o).await {
                    Err(e) if is_pending && e.kind() == ErrorKind::NotFound => {
                        p.get_secret(r, current()).await
                    }
                    read => read,
                }
            })
        }),
        defect("the first version is current whatever is asked for", &["staging.first"]).set(
            |p, r, v, o| {
                Box::pin(async move {
                    match p.set_secret(r, v.clone(), o.clone()).await {
                        Err(_) if o.stage == WriteStage::Pending => {
                            p.set_secret(r, v, SetOptions::new()).await
                        }
                        written => written,
                    }
                })
            },
        ),
        defect("a second pending value is dropped", &["staging.second"]).set(|p, r, v, o| {
            Box::pin(async move {
                if o.stage == WriteStage::Pending
                    && let Ok(waiting) = p.get_secret(r, by(VersionSelector::Pending)).await
                {
                    return Ok(waiting.version);
                }
                p.set_secret(r, v, o).await
            })
        }),
        defect("lists show the pending version as current", &["staging.listed"]).versions(
            |p, r, page| {
                Box::pin(async move {
                    let mut page = p.list_versions(r, page).await?;
                    for version in &mut page.items {
                        if version.stages.contains(Stage::Pending) {
                            version.stages = version.stages.with(Stage::Current);
                        }
                    }
                    Ok(page)
                })
            },
        ),
    ]
}

fn companions() -> Vec<Defect> {
    vec![
        defect("companions are listed", &["staging.companion-hidden"])
            .like(Personality::Azure)
            .list(|p, filter, page| {
                Box::pin(async move {
                    let mut page = p.list_secrets(filter, page).await?;
                    let companions: Vec<_> =
                        page.items.iter().filter_map(|i| companion(p, i)).collect();
                    page.items.extend(companions);
                    Ok(page)
                })
            }),
        defect("companions can be named", &["staging.companion-closed"])
            .like(Personality::Azure)
            .get(|p, r, o| {
                let main = main_of(p, r);
                Box::pin(async move {
                    match main {
                        Some(main) => p.get_secret(&main, by(VersionSelector::Pending)).await,
                        None => p.get_secret(r, o).await,
                    }
                })
            }),
        defect("companions can be written", &["staging.companion-closed"])
            .like(Personality::Azure)
            .set(|p, r, v, o| {
                let main = main_of(p, r);
                Box::pin(async move {
                    match main {
                        Some(main) => p.set_secret(&main, v, SetOptions::pending()).await,
                        None => p.set_secret(r, v, o).await,
                    }
                })
            }),
        defect("a pending value is listed by itself", &["staging.companion-hidden"]).list(
            |p, filter, page| {
                Box::pin(async move {
                    let mut page = p.list_secrets(filter, page).await?;
                    let waiting = page.items.iter().filter(|info| info.pending.is_some()).cloned();
                    let waiting: Vec<_> = waiting.collect();
                    page.items.extend(waiting);
                    Ok(page)
                })
            },
        ),
    ]
}

/// The secret of which this is the companion.
fn main_of(p: &Inner, r: &SecretRef) -> Option<SecretRef> {
    let SecretRef::Native(id) = r else { return None };
    match p.name_rules().decode(id.as_str()) {
        DecodedName::Companion(name) => Some(name.into()),
        _ => None,
    }
}

fn companion(p: &Inner, info: &SecretInfo) -> Option<SecretInfo> {
    let form = p.name_rules().encode_companion(info.reference.name()?).ok()?;
    Some(SecretInfo::new(NativeId::new(&form).ok()?.into()))
}

fn discarding() -> Vec<Defect> {
    let (hidden, of_read) = {
        let hidden: Memory<bool> = memory();
        (hidden.clone(), hidden)
    };
    vec![
        defect("discarding cannot be repeated", &["staging.discard"]).discard(|p, r, v| {
            Box::pin(async move {
                if p.get_secret(r, by(VersionSelector::Pending)).await.is_err() {
                    return Err(error(ErrorKind::NotFound, Operation::DiscardPending));
                }
                p.discard_pending(r, v).await
            })
        }),
        defect("any version discards what waits", &["staging.discard-other"]).discard(|p, r, v| {
            Box::pin(async move {
                match p.get_secret(r, by(VersionSelector::Pending)).await {
                    Ok(waiting) => p.discard_pending(r, &waiting.version.id).await,
                    Err(_) => p.discard_pending(r, v).await,
                }
            })
        }),
        defect("discarding only hides", &["promotion.discarded"])
            .discard(move |_, r, _| {
                keep(&hidden, r, true);
                Box::pin(async { Ok(()) })
            })
            .get(move |p, r, o| {
                let hides = recall(&of_read, r).is_some() && o.version == VersionSelector::Pending;
                Box::pin(async move {
                    if hides {
                        return Err(error(ErrorKind::NotFound, Operation::GetSecret));
                    }
                    p.get_secret(r, o).await
                })
            }),
    ]
}

async fn waiting(p: &Inner, r: &SecretRef) -> secrets_core::Result<SecretValue> {
    Ok(p.get_secret(r, by(VersionSelector::Pending)).await?.value)
}

fn promotion() -> Vec<Defect> {
    let promoted = memory::<VersionId>();
    let of_read = promoted.clone();
    let over = memory::<SecretValue>();
    let of_pending = over.clone();
    vec![
        defect("a promotion does nothing", &["promotion.current"]).promote(
            |_, _, (pending, base), _| {
                Box::pin(async move { Ok(Promoted::new(pending.clone(), Some(base.clone()))) })
            },
        ),
        defect("a promotion tells another version", &["promotion.current"]).promote(
            |p, r, (pending, base), token| {
                Box::pin(async move {
                    let mut promoted = p.promote(r, pending, base, token).await?;
                    promoted.current = base.clone();
                    Ok(promoted)
                })
            },
        ),
        defect("a promotion is for its own readers only", &["promotion.outside"])
            .promote(move |_, r, (pending, base), _| {
                keep(&promoted, r, pending.clone());
                Box::pin(async move { Ok(Promoted::new(pending.clone(), Some(base.clone()))) })
            })
            .get(move |p, r, o| {
                let id = recall(&of_read, r).filter(|_| o.version == VersionSelector::Current);
                Box::pin(async move {
                    match id {
                        Some(id) => p.get_secret(r, by(VersionSelector::Id(id))).await,
                        None => p.get_secret(r, o).await,
                    }
                })
            }),
        defect("a promotion forgets its base", &["promotion.previous"]).promote(
            |p, r, (pending, base), token| {
                Box::pin(async move {
                    let mut promoted = p.promote(r, pending, base, token).await?;
                    promoted.previous = None;
                    Ok(promoted)
                })
            },
        ),
        defect("what was promoted still waits", &["promotion.over"])
            .promote(move |p, r, (pending, base), token| {
                let over = over.clone();
                Box::pin(async move {
                    let value = waiting(p, r).await;
                    let promoted = p.promote(r, pending, base, token).await?;
                    if let Ok(value) = value {
                        keep(&over, r, value);
                    }
                    Ok(promoted)
                })
            })
            .get(move |p, r, o| {
                let still =
                    recall(&of_pending, r).filter(|_| o.version == VersionSelector::Pending);
                Box::pin(async move {
                    let Some(value) = still else { return p.get_secret(r, o).await };
                    let mut secret = p.get_secret(r, current()).await?;
                    secret.value = value;
                    Ok(secret)
                })
            }),
    ]
}

fn promoted_wrongly() -> Vec<Defect> {
    vec![
        defect("the promoted id cannot be read", &["promotion.exact"]).get(|p, r, o| {
            Box::pin(async move {
                let is_by_id = matches!(o.version, VersionSelector::Id(_));
                let secret = p.get_secret(r, o).await?;
                if is_by_id && secret.version.stages.contains(Stage::Current) {
                    return Err(error(ErrorKind::NotFound, Operation::GetSecret));
                }
                Ok(secret)
            })
        }),
        defect("the base is not compared", &["promotion.stale-base", "promotion.foreign"]).promote(
            |p, r, (pending, base), token| {
                Box::pin(async move {
                    let current = p.get_secret(r, current()).await?.version.id;
                    let base = if current == *pending { base } else { &current };
                    p.promote(r, pending, base, token).await
                })
            },
        ),
        defect("whatever waits is promoted", &["promotion.unknown"]).promote(
            |p, r, (pending, base), token| {
                Box::pin(async move {
                    match p.get_secret(r, by(VersionSelector::Pending)).await {
                        Ok(waiting) => p.promote(r, &waiting.version.id, base, token).await,
                        Err(_) => p.promote(r, pending, base, token).await,
                    }
                })
            },
        ),
    ]
}

fn promoting_again() -> Vec<Defect> {
    let once = memory::<bool>();
    let promoted_before = memory::<(Promoted, SecretValue)>();
    vec![
        defect("a promotion cannot be repeated", &["promotion.repeated", "dropping.promote"])
            .promote(|p, r, (pending, base), token| {
                Box::pin(async move {
                    waiting(p, r).await.map_err(|e| e.with_operation(Operation::Promote))?;
                    p.promote(r, pending, base, token).await
                })
            }),
        defect("what was promoted is current again when asked again", &["promotion.late"]).promote(
            move |p, r, (pending, base), token| {
                let promoted_before = promoted_before.clone();
                Box::pin(async move {
                    if let Some((first, value)) = recall(&promoted_before, r) {
                        let is_current = p.get_secret(r, current()).await?.value.ct_eq(&value);
                        if !is_current {
                            p.set_secret(r, value, SetOptions::new()).await?;
                        }
                        return Ok(first);
                    }
                    let value = p.get_secret(r, by(VersionSelector::Pending)).await?.value;
                    let first = p.promote(r, pending, base, token).await?;
                    keep(&promoted_before, r, (first.clone(), value));
                    Ok(first)
                })
            },
        ),
        defect("a repeated promotion writes again", &["promotion.repeated"]).promote(
            |p, r, (pending, base), token| {
                Box::pin(async move {
                    let is_over = waiting(p, r).await.is_err();
                    let promoted = p.promote(r, pending, base, token).await?;
                    if is_over {
                        let value = p.get_secret(r, current()).await?.value;
                        p.set_secret(r, value, SetOptions::new()).await?;
                    }
                    Ok(promoted)
                })
            },
        ),
        defect("a secret is promoted once in its life", &["promotion.again"]).promote(
            move |p, r, (pending, base), token| {
                let once = once.clone();
                Box::pin(async move {
                    if recall(&once, r).is_some() {
                        return Err(error(ErrorKind::Conflict, Operation::Promote));
                    }
                    let promoted = p.promote(r, pending, base, token).await?;
                    keep(&once, r, true);
                    Ok(promoted)
                })
            },
        ),
    ]
}

fn promoting_with_loss() -> Vec<Defect> {
    let of_tokens = memory::<(IdempotencyKey, Promoted)>();
    let untyped = memory::<VersionId>();
    let read_untyped = untyped.clone();
    vec![
        defect("a promotion loses the media type", &["promotion.media-type"])
            .promote(move |p, r, (pending, base), token| {
                let untyped = untyped.clone();
                Box::pin(async move {
                    let promoted = p.promote(r, pending, base, token).await?;
                    keep(&untyped, r, promoted.current.clone());
                    Ok(promoted)
                })
            })
            .get(move |p, r, o| {
                let untyped = read_untyped.clone();
                Box::pin(async move {
                    let mut secret = p.get_secret(r, o).await?;
                    if recall(&untyped, r).is_some_and(|id| id == secret.version.id) {
                        secret.value = SecretValue::copy_from_slice(secret.value.expose_secret());
                    }
                    Ok(secret)
                })
            }),
        defect("a used token takes what waits for what it promoted", &["promotion.token"]).promote(
            move |p, r, (pending, base), token| {
                let of_tokens = of_tokens.clone();
                Box::pin(async move {
                    let known = recall(&of_tokens, r).filter(|(used, _)| used == token);
                    if let Some((_, first)) = known {
                        let _ = p.discard_pending(r, pending).await;
                        return Ok(first);
                    }
                    let first = p.promote(r, pending, base, token).await?;
                    keep(&of_tokens, r, (token.clone(), first.clone()));
                    Ok(first)
                })
            },
        ),
    ]
}

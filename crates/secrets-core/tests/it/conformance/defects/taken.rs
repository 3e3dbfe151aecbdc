//! Deletion, recovery and the states of versions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use secrets_core::memory::Personality;
use secrets_core::{
    DeleteMode, Deleted, Effect, ErrorKind, MetadataPatch, Operation, Precondition, SecretFilter,
    SecretInfo, SecretValue, SetOptions, Stage, StageSet, VersionSelector, VersionState,
};

use super::super::broken::{Defect, defect};
use super::{by, current, error, keep, memory, recall};

pub(super) fn defects() -> Vec<Defect> {
    let mut all = deletion();
    all.extend(half_deletion());
    all.extend(recovery());
    all.extend(recovery_told());
    all.extend(restoration());
    all.extend(states());
    all
}

fn deletion() -> Vec<Defect> {
    let gone = memory::<bool>();
    let (of_set, of_read, of_list) = (gone.clone(), gone.clone(), gone.clone());
    vec![
        defect("a deletion does nothing", &["deletion.gone"])
            .delete(|_, _, _| Box::pin(async { Ok(Deleted::Gone) })),
        defect("a deletion for good can be taken back", &["deletion.gone"]).delete(|p, r, mode| {
            Box::pin(async move {
                match mode {
                    DeleteMode::Immediate => {
                        let mode = DeleteMode::Recoverable { window: None };
                        p.delete_secret(r, mode).await.map(|_| Deleted::Gone)
                    }
                    mode => p.delete_secret(r, mode).await,
                }
            })
        }),
        defect(
            "a deletion is for its own readers only",
            &["deletion.outside", "deletion.recreated", "deletion.unlisted"],
        )
        .delete(move |p, r, mode| {
            let gone = gone.clone();
            Box::pin(async move {
                if mode != DeleteMode::Immediate || p.get_secret(r, current()).await.is_err() {
                    return p.delete_secret(r, mode).await;
                }
                keep(&gone, r, true);
                Ok(Deleted::Gone)
            })
        })
        .set(move |p, r, v, o| {
            of_set.lock().unwrap().remove(r);
            Box::pin(async move { p.set_secret(r, v, o).await })
        })
        .get(move |p, r, o| {
            let is_gone = recall(&of_read, r).is_some();
            Box::pin(async move {
                if is_gone {
                    return Err(error(ErrorKind::NotFound, Operation::GetSecret));
                }
                p.get_secret(r, o).await
            })
        })
        .describe(move |p, r| {
            let is_gone = recall(&of_list, r).is_some();
            Box::pin(async move {
                if is_gone {
                    return Err(error(ErrorKind::NotFound, Operation::DescribeSecret));
                }
                p.describe_secret(r).await
            })
        }),
        defect("what is absent can be deleted", &["deletion.absent"]).delete(|p, r, mode| {
            Box::pin(async move {
                match p.delete_secret(r, mode).await {
                    Err(e) if e.kind() == ErrorKind::NotFound => Ok(Deleted::Gone),
                    deleted => deleted,
                }
            })
        }),
    ]
}

fn half_deletion() -> Vec<Defect> {
    let (waiting, listed) = (memory::<SecretValue>(), memory::<SecretInfo>());
    let (of_read, of_list) = (waiting.clone(), listed.clone());
    vec![
        defect("a deletion leaves the companion", &["deletion.companion"])
            .delete(move |p, r, mode| {
                let waiting = waiting.clone();
                Box::pin(async move {
                    if let Ok(secret) = p.get_secret(r, by(VersionSelector::Pending)).await {
                        keep(&waiting, r, secret.value);
                    }
                    p.delete_secret(r, mode).await
                })
            })
            .get(move |p, r, o| {
                let left = recall(&of_read, r).filter(|_| o.version == VersionSelector::Pending);
                Box::pin(async move {
                    match (p.get_secret(r, o).await, left) {
                        (Err(_), Some(value)) => {
                            let id = secrets_core::VersionId::new("left")?;
                            let now = std::time::SystemTime::UNIX_EPOCH;
                            let version = secrets_core::VersionInfo::new(id, now);
                            Ok(secrets_core::Secret::new(value, version))
                        }
                        (read, _) => read,
                    }
                })
            }),
        defect("what is deleted stays listed", &["deletion.unlisted"])
            .delete(move |p, r, mode| {
                let listed = listed.clone();
                Box::pin(async move {
                    let info = p.describe_secret(r).await;
                    let deleted = p.delete_secret(r, mode).await?;
                    if let (Ok(info), DeleteMode::Immediate) = (info, mode) {
                        keep(&listed, r, info);
                    }
                    Ok(deleted)
                })
            })
            .list(move |p, filter: &SecretFilter, page| {
                let of_list = of_list.clone();
                Box::pin(async move {
                    let mut page = p.list_secrets(filter, page).await?;
                    if page.next.is_none() {
                        let left = of_list.lock().unwrap();
                        let passes = |info: &&SecretInfo| {
                            info.reference.to_string().starts_with(&filter.prefix)
                        };
                        page.items.extend(left.values().filter(passes).cloned());
                    }
                    Ok(page)
                })
            }),
    ]
}

fn recovery() -> Vec<Defect> {
    let values = memory::<SecretValue>();
    let of_read = values.clone();
    let (hidden, of_hidden) = {
        let hidden = memory::<bool>();
        (hidden.clone(), hidden)
    };
    vec![
        defect("what is deleted is still read", &["recovery.unreadable"])
            .delete(move |p, r, mode| {
                let values = values.clone();
                Box::pin(async move {
                    if let Ok(secret) = p.get_secret(r, current()).await {
                        keep(&values, r, secret.value);
                    }
                    p.delete_secret(r, mode).await
                })
            })
            .get(move |p, r, o| {
                let left =
                    recall(&of_read, r).filter(|_| matches!(o.version, VersionSelector::Id(_)));
                Box::pin(async move {
                    match (p.get_secret(r, o).await, left) {
                        (Err(e), Some(value)) if e.kind() == ErrorKind::PendingDeletion => {
                            let id = secrets_core::VersionId::new("left")?;
                            let now = std::time::SystemTime::UNIX_EPOCH;
                            let version = secrets_core::VersionInfo::new(id, now);
                            Ok(secrets_core::Secret::new(value, version))
                        }
                        (read, _) => read,
                    }
                })
            }),
        defect("a deletion that can be taken back only hides", &["recovery.outside"])
            .delete(move |p, r, mode| {
                let hidden = hidden.clone();
                Box::pin(async move {
                    if mode == DeleteMode::Immediate {
                        return p.delete_secret(r, mode).await;
                    }
                    keep(&hidden, r, true);
                    let deletion =
                        secrets_core::Deletion::new(std::time::SystemTime::UNIX_EPOCH, None);
                    Ok(Deleted::Recoverable(deletion))
                })
            })
            .get(move |p, r, o| {
                let is_hidden = recall(&of_hidden, r).is_some();
                Box::pin(async move {
                    if is_hidden {
                        return Err(error(ErrorKind::PendingDeletion, Operation::GetSecret));
                    }
                    p.get_secret(r, o).await
                })
            }),
    ]
}

fn recovery_told() -> Vec<Defect> {
    vec![
        defect("what is deleted is not described", &["recovery.described"]).describe(|p, r| {
            Box::pin(async move {
                let info = p.describe_secret(r).await?;
                if info.deletion.is_some() {
                    return Err(error(ErrorKind::NotFound, Operation::DescribeSecret));
                }
                Ok(info)
            })
        }),
        defect("a deletion is not described", &["recovery.described"]).describe(|p, r| {
            Box::pin(async move {
                let mut info = p.describe_secret(r).await?;
                info.deletion = None;
                Ok(info)
            })
        }),
        defect("a write restores", &["recovery.no-writes"]).set(|p, r, v, o| {
            Box::pin(async move {
                match p.set_secret(r, v.clone(), o.clone()).await {
                    Err(e) if e.kind() == ErrorKind::PendingDeletion => {
                        p.restore_secret(r).await?;
                        p.set_secret(r, v, o).await
                    }
                    written => written,
                }
            })
        }),
        defect("another window than asked for", &["recovery.window"]).delete(|p, r, mode| {
            Box::pin(async move {
                match (p.delete_secret(r, mode).await, mode) {
                    (Err(e), DeleteMode::Recoverable { window: Some(_) })
                        if e.kind() == ErrorKind::Unsupported =>
                    {
                        p.delete_secret(r, DeleteMode::Recoverable { window: None }).await
                    }
                    (deleted, _) => deleted,
                }
            })
        }),
        defect("a window is refused after the deletion", &["recovery.window"]).delete(
            |p, r, mode| {
                Box::pin(async move {
                    let deleted = p.delete_secret(r, mode).await;
                    if let (Err(_), DeleteMode::Recoverable { window: Some(_) }) = (&deleted, mode)
                    {
                        p.delete_secret(r, DeleteMode::Recoverable { window: None }).await?;
                    }
                    deleted
                })
            },
        ),
    ]
}

fn restoration() -> Vec<Defect> {
    let restored = memory::<bool>();
    let (of_versions, live) = (restored.clone(), Arc::new(AtomicBool::new(false)));
    vec![
        defect("a restoration does nothing", &["recovery.restored"])
            .restore(|_, _| Box::pin(async { Ok(()) })),
        defect("a restoration loses the older versions", &["recovery.restored-versions"])
            .restore(move |p, r| {
                let restored = restored.clone();
                Box::pin(async move {
                    p.restore_secret(r).await?;
                    keep(&restored, r, true);
                    Ok(())
                })
            })
            .versions(move |p, r, page| {
                let is_restored = recall(&of_versions, r).is_some();
                Box::pin(async move {
                    let mut page = p.list_versions(r, page).await?;
                    if is_restored {
                        page.items.retain(|version| version.stages.contains(Stage::Current));
                    }
                    Ok(page)
                })
            }),
        defect("a restoration loses the tags", &["recovery.restored-tags"]).restore(|p, r| {
            Box::pin(async move {
                p.restore_secret(r).await?;
                let tags = p.describe_secret(r).await?.tags.into_keys();
                let patch = tags.fold(MetadataPatch::new(), |patch, tag| patch.untag(tag));
                p.update_metadata(r, None, patch, Precondition::Any).await
            })
        }),
        defect("what is not deleted can be restored", &["recovery.restore-live"]).restore(
            move |p, r| {
                let live = live.clone();
                Box::pin(async move {
                    let _ = live.swap(true, Ordering::Relaxed);
                    match p.restore_secret(r).await {
                        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
                        restored => restored,
                    }
                })
            },
        ),
        defect("a window never ends", &["recovery.window-ends"]).restore(|p, r| {
            Box::pin(async move {
                match p.restore_secret(r).await {
                    Err(e) if e.kind() == ErrorKind::NotFound => {
                        let value = SecretValue::copy_from_slice(b"kept for ever");
                        p.set_secret(r, value, SetOptions::new()).await.map(drop)
                    }
                    restored => restored,
                }
            })
        }),
        defect("a purge does nothing", &["recovery.purged"])
            .purge(|_, _| Box::pin(async { Ok(()) })),
        defect("a purge takes what is live", &["recovery.purge-live"]).purge(|p, r| {
            Box::pin(async move {
                match p.purge_secret(r).await {
                    Err(e) if e.kind() == ErrorKind::NotFound => {
                        p.delete_secret(r, DeleteMode::Immediate).await?;
                        Err(e.with_effect(Effect::NotApplied))
                    }
                    purged => purged,
                }
            })
        }),
    ]
}

/// Does nothing where `is_ignored` says so.
fn ignoring(
    name: &'static str,
    fails: &'static [&'static str],
    is_ignored: fn(VersionState) -> bool,
) -> Defect {
    let defect = defect(name, fails).like(Personality::Google);
    defect.state(move |p, r, v, state| {
        Box::pin(async move {
            if is_ignored(state) {
                return Ok(());
            }
            p.set_version_state(r, v, state).await
        })
    })
}

/// Answers with success instead of this error.
fn forgiving(name: &'static str, fails: &'static [&'static str], forgiven: ErrorKind) -> Defect {
    let defect = defect(name, fails).like(Personality::Google);
    defect.state(move |p, r, v, state| {
        Box::pin(async move {
            match p.set_version_state(r, v, state).await {
                Err(e) if e.kind() == forgiven => Ok(()),
                changed => changed,
            }
        })
    })
}

/// Lists versions of one state as enabled ones.
fn whitewashing(name: &'static str, fails: &'static [&'static str], state: VersionState) -> Defect {
    let defect = defect(name, fails).like(Personality::Google);
    defect.versions(move |p, r, page| {
        Box::pin(async move {
            let mut page = p.list_versions(r, page).await?;
            for version in page.items.iter_mut().filter(|version| version.state == state) {
                version.state = VersionState::Enabled;
            }
            Ok(page)
        })
    })
}

fn states() -> Vec<Defect> {
    let disabled: &[&str] = &["states.disabled", "states.listed"];
    let destroyed: &[&str] = &["states.destroyed", "states.listed-destroyed"];
    vec![
        ignoring("disabling does nothing", disabled, |state| state == VersionState::Disabled),
        ignoring("enabling does nothing", &["states.enabled"], |s| s == VersionState::Enabled),
        ignoring("destroying does nothing", destroyed, |state| state == VersionState::Destroyed),
        forgiving("destruction can be taken back", &["states.terminal"], ErrorKind::Destroyed),
        forgiving("a version can be made empty", &["states.empty"], ErrorKind::InvalidValue),
        forgiving("an unknown version changes its state", &["states.unknown"], ErrorKind::NotFound),
        whitewashing("lists hide what is disabled", &["states.listed"], VersionState::Disabled),
        whitewashing(
            "lists hide what is destroyed",
            &["states.listed-destroyed"],
            VersionState::Destroyed,
        ),
        defect("destroying disables", &["states.destroyed"]).like(Personality::Google).state(
            |p, r, v, state| {
                let state = match state {
                    VersionState::Destroyed => VersionState::Disabled,
                    state => state,
                };
                Box::pin(async move { p.set_version_state(r, v, state).await })
            },
        ),
        defect("a disabled version gives way to an older one", &["states.no-fallback"])
            .like(Personality::Google)
            .get(|p, r, o| {
                Box::pin(async move {
                    let is_current = o.version == VersionSelector::Current;
                    match p.get_secret(r, o).await {
                        Err(e) if is_current && e.kind() == ErrorKind::Disabled => {
                            let mut older = p.get_secret(r, by(VersionSelector::Previous)).await?;
                            older.version.stages = StageSet::EMPTY.with(Stage::Current);
                            Ok(older)
                        }
                        read => read,
                    }
                })
            }),
    ]
}

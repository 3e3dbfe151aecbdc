//! What is declared not to be there, and is done all the same.

use secrets_core::memory::Personality;
use secrets_core::{
    Capabilities, Cas, DeleteMode, Error, Operation, Precondition, SetOptions, Staging, Support,
    VersionSelector, VersionState, WriteStage,
};

use super::super::broken::{Defect, defect};
use super::error;

pub(super) fn defects() -> Vec<Defect> {
    let mut all = undeclared();
    all.extend(too_late());
    all.extend(too_late_for_what_was_there());
    all.extend(by_another_kind());
    all
}

/// Declares less than it does.
fn silent(
    name: &'static str,
    fails: &'static [&'static str],
    declare: fn(&mut Capabilities),
) -> Defect {
    defect(name, fails).declare(declare)
}

fn undeclared() -> Vec<Defect> {
    let on_google = |d: Defect| d.like(Personality::Google);
    vec![
        silent("writes undeclared", &["refusals.write"], |c| {
            c.write = Support::No;
        }),
        silent("stages undeclared", &["refusals.staging"], |c| {
            c.staging = Staging::No;
            c.cas.promote = Cas::No;
        }),
        silent("reads previous undeclared", &["refusals.previous"], |c| c.previous = Support::No),
        silent("reads versions undeclared", &["refusals.versions"], |c| c.versions = Support::No),
        silent("compares undeclared", &["refusals.cas-set"], |c| c.cas.set = Cas::No),
        on_google(silent("takes etags undeclared", &["refusals.cas-metadata"], |c| {
            c.cas.metadata = Cas::No;
        })),
        silent("takes tokens undeclared", &["refusals.idempotency"], |c| {
            c.idempotency = Support::No;
        }),
        silent("lists undeclared", &["refusals.list"], |c| c.list = Support::No),
        silent("describes undeclared", &["refusals.describe"], |c| c.describe = Support::No),
        silent("tags undeclared", &["refusals.tags"], |c| c.tags = Support::No),
        on_google(silent("bounds undeclared", &["refusals.validity"], |c| {
            c.validity = Support::No;
        })),
        silent("deletes undeclared", &["refusals.delete"], |c| c.delete = Support::No),
        silent("recovers undeclared", &["refusals.recover"], |c| c.recover = Support::No),
        on_google(silent("disables undeclared", &["refusals.disable"], |c| {
            c.disable = Support::No;
        })),
        on_google(silent("destroys undeclared", &["refusals.destroy"], |c| {
            c.destroy = Support::No;
        })),
        silent("hints undeclared", &["refusals.changes"], |c| c.changes = Support::No).announcing(),
    ]
}

fn no(operation: Operation) -> Error {
    Error::unsupported(operation, "this provider does not have the operation")
}

/// Refuses after the fact.
fn too_late() -> Vec<Defect> {
    vec![
        silent("refuses to write after writing", &["refusals.write"], |c| {
            c.write = Support::No;
        })
        .set(|p, r, v, o| {
            Box::pin(async move {
                p.set_secret(r, v, o).await?;
                Err(no(Operation::SetSecret))
            })
        }),
        silent("refuses to stage after staging", &["refusals.staging"], |c| {
            c.staging = Staging::No;
            c.cas.promote = Cas::No;
        })
        .set(|p, r, v, mut o| {
            Box::pin(async move {
                if o.stage == WriteStage::Current {
                    return p.set_secret(r, v, o).await;
                }
                o.stage = WriteStage::Current;
                p.set_secret(r, v, o).await?;
                Err(no(Operation::SetSecret))
            })
        })
        .get(|p, r, o| {
            Box::pin(async move {
                if o.version == VersionSelector::Pending {
                    return Err(no(Operation::GetSecret));
                }
                p.get_secret(r, o).await
            })
        })
        .promote(|_, _, _, _| Box::pin(async { Err(no(Operation::Promote)) }))
        .discard(|_, _, _| Box::pin(async { Err(no(Operation::DiscardPending)) })),
        silent("refuses a condition after writing", &["refusals.cas-set"], |c| {
            c.cas.set = Cas::No;
        })
        .set(|p, r, v, o| {
            Box::pin(async move {
                let is_conditional = o.precondition != Precondition::Any;
                let info = p.set_secret(r, v, o).await?;
                if is_conditional { Err(no(Operation::SetSecret)) } else { Ok(info) }
            })
        }),
        silent("refuses a token after writing", &["refusals.idempotency"], |c| {
            c.idempotency = Support::No;
        })
        .set(|p, r, v, o| {
            Box::pin(async move {
                let has_token = o.token.is_some();
                let info = p.set_secret(r, v, o).await?;
                if has_token { Err(no(Operation::SetSecret)) } else { Ok(info) }
            })
        }),
    ]
}

fn too_late_for_what_was_there() -> Vec<Defect> {
    vec![
        silent("refuses to delete after deleting", &["refusals.delete"], |c| {
            c.delete = Support::No;
        })
        .delete(|p, r, mode| {
            Box::pin(async move {
                let deleted = p.delete_secret(r, mode).await?;
                if mode == DeleteMode::Immediate {
                    return Err(no(Operation::DeleteSecret));
                }
                Ok(deleted)
            })
        }),
        silent("makes a recoverable deletion final", &["refusals.recover"], |c| {
            c.recover = Support::No;
        })
        .delete(|p, r, mode| {
            Box::pin(async move {
                p.delete_secret(r, DeleteMode::Immediate).await?;
                if mode == DeleteMode::Immediate {
                    return Ok(secrets_core::Deleted::Gone);
                }
                Err(no(Operation::DeleteSecret))
            })
        })
        .restore(|_, _| Box::pin(async { Err(no(Operation::RestoreSecret)) }))
        .purge(|_, _| Box::pin(async { Err(no(Operation::PurgeSecret)) })),
        silent("refuses tags after the value is written", &["refusals.tags"], |c| {
            c.tags = Support::No;
        })
        .set(|p, r, v, mut o| {
            Box::pin(async move {
                let has_tags = !o.metadata.is_empty();
                o.metadata = Default::default();
                let info = p.set_secret(r, v, o).await?;
                if has_tags { Err(no(Operation::SetSecret)) } else { Ok(info) }
            })
        })
        .update(|_, _, _, _| Box::pin(async { Err(no(Operation::UpdateMetadata)) })),
    ]
}

/// Refuses as something else than unsupported.
fn by_another_kind() -> Vec<Defect> {
    use secrets_core::ErrorKind::{Internal, InvalidValue, NotFound};
    vec![
        silent("an unsupported list is empty", &["refusals.list"], |c| c.list = Support::No)
            .list(|_, _, _| Box::pin(async { Ok(secrets_core::Page::new(vec![], None)) })),
        silent("an unsupported description is not found", &["refusals.describe"], |c| {
            c.describe = Support::No;
        })
        .describe(|_, _| Box::pin(async { Err(error(NotFound, Operation::DescribeSecret)) })),
        silent("an unsupported write is an internal error", &["refusals.write"], |c| {
            c.write = Support::No;
        })
        .set(|_, _, _, _| Box::pin(async { Err(error(Internal, Operation::SetSecret)) })),
        silent("an unsupported state is an invalid value", &["refusals.disable"], |_| {}).state(
            |p, r, v, state| {
                Box::pin(async move {
                    match state {
                        VersionState::Disabled | VersionState::Enabled => {
                            Err(error(InvalidValue, Operation::SetVersionState))
                        }
                        state => p.set_version_state(r, v, state).await,
                    }
                })
            },
        ),
        silent("a window is taken for another option", &["recovery.window"], |_| {}).delete(
            |p, r, mode| {
                Box::pin(async move {
                    if let DeleteMode::Recoverable { window: Some(_) } = mode {
                        return Err(error(InvalidValue, Operation::DeleteSecret));
                    }
                    p.delete_secret(r, mode).await
                })
            },
        ),
        defect("an unsupported token is ignored", &["refusals.idempotency"])
            .declare(|c| c.idempotency = Support::No)
            .set(|p, r, v, mut o: SetOptions| {
                o.token = None;
                Box::pin(async move { p.set_secret(r, v, o).await })
            }),
    ]
}

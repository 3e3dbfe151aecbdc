//! Somebody else writes between any two requests of a call: the call never takes the current value
//! away from them without saying so.

use std::num::NonZeroU32;

use futures_util::FutureExt;
use secrets_core::memory::{Fault, FaultRule, Faults, Gate, MemoryProvider, Personality};
use secrets_core::{
    Cas, Effect, ErrorKind, MetadataPatch, Precondition, Result, SecretProvider, SetOptions, Stage,
    VersionSelector,
};

use super::support::{get, kind, name, set, set_pending, text, token, value};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Guarded {
    Set,
    Promote,
}

/// Runs the call up to request `step`, does `meanwhile`, and lets it go on. `None` when the call
/// makes fewer requests.
async fn interleaved<T>(
    provider: &MemoryProvider,
    step: u32,
    call: impl Future<Output = T>,
    meanwhile: impl FnOnce(),
) -> Option<T> {
    let gate = Gate::new();
    let rule = FaultRule::new(Fault::Hang(gate.clone())).step(NonZeroU32::new(step).unwrap());
    provider.inject(Faults::seeded(0).with(rule)).unwrap();
    let mut call = Box::pin(call);
    if (&mut call).now_or_never().is_some() {
        return None;
    }
    assert_eq!(gate.waiting(), 1);
    meanwhile();
    gate.open();
    let answer = call.await;
    provider.inject(Faults::none()).unwrap();
    Some(answer)
}

#[tokio::test]
async fn a_foreign_write_in_between_is_refused_or_reported() {
    for personality in Personality::ALL {
        for guarded in [Guarded::Set, Guarded::Promote] {
            let mut conflicts = 0;
            for step in 1.. {
                let provider = MemoryProvider::new(personality);
                let db = name("db");
                let base = set(&provider, &db, "base").await;
                let pending = set_pending(&provider, &db, "ours").await;
                let (inner, reference) = (provider.clone(), db.clone());
                let call = async move {
                    match guarded {
                        Guarded::Promote => {
                            inner.promote(&reference, &pending, &base, &token(1)).await.map(drop)
                        }
                        Guarded::Set => {
                            let options = SetOptions::new().when(Precondition::CurrentIs(base));
                            inner.set_secret(&reference, value("ours"), options).await.map(drop)
                        }
                    }
                };
                let outside = provider.outside();
                let foreign = || drop(outside.write(&db, value("foreign")).unwrap());
                let Some(result) = interleaved(&provider, step, call, foreign).await else { break };
                let what = format!("{personality:?} {guarded:?} at {step}");
                let current = outside.read(&db).unwrap();
                match result {
                    // Theirs came after ours and is current.
                    Ok(()) => assert_eq!(text(&current), "foreign", "{what}"),
                    Err(error) => {
                        conflicts += 1;
                        assert_eq!(error.kind(), ErrorKind::Conflict, "{what}: {error}");
                        let over = text(&current) == "ours";
                        assert!(!over || error.effect() == Effect::Partial, "{what}: {error}");
                        // What was written can be found, to be looked at or taken back.
                        if error.effect() == Effect::Partial {
                            let written = VersionSelector::Id(error.version().unwrap().clone());
                            let written = get(&provider, &db, written).await.unwrap();
                            assert_eq!(text(&written), "ours", "{what}");
                        }
                    }
                }
            }
            assert!(conflicts > 0, "{personality:?} {guarded:?}: no write came in between");
        }
    }
}

#[tokio::test]
async fn where_the_backend_refuses_nothing_is_partial() {
    let provider = MemoryProvider::new(Personality::Aws);
    assert_eq!(provider.capabilities().cas.promote, Cas::Enforced);
    let db = name("db");
    let base = set(&provider, &db, "base").await;
    let pending = set_pending(&provider, &db, "ours").await;
    let token = token(1);
    let call = provider.promote(&db, &pending, &base, &token);
    let outside = provider.outside();
    // Request 3 moves the label: what was checked before it holds no more.
    let foreign = || drop(outside.write(&db, value("foreign")).unwrap());
    let error = interleaved(&provider, 3, call, foreign).await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Conflict, Effect::NotApplied));
    assert_eq!(text(&outside.read(&db).unwrap()), "foreign");
    assert_eq!(text(&get(&provider, &db, VersionSelector::Pending).await.unwrap()), "ours");
}

#[tokio::test]
async fn two_writers_that_meet_never_both_succeed_over_one_base() {
    for personality in Personality::ALL {
        for step in 1.. {
            let first = MemoryProvider::new(personality);
            let second = first.as_identity("second");
            let db = name("db");
            let base = set(&first, &db, "base").await;
            let over = |text: &str| {
                let options = SetOptions::new().when(Precondition::CurrentIs(base.clone()));
                (value(text), options)
            };
            let (value, options) = over("first");
            let call = first.set_secret(&db, value, options);
            let mut other: Option<Result<_>> = None;
            let meanwhile = || {
                let (value, options) = over("second");
                other = second.set_secret(&db, value, options).now_or_never();
            };
            let Some(ours) = interleaved(&first, step, call, meanwhile).await else { break };
            let both = ours.is_ok() && other.unwrap().is_ok();
            assert!(!both, "{personality:?} at {step}");
        }
    }
}

#[tokio::test]
async fn google_reports_a_predecessor_that_came_in_between() {
    let provider = MemoryProvider::new(Personality::Google);
    let db = name("db");
    set(&provider, &db, "base").await;
    let outside = provider.outside();
    let mut met = 0;
    for step in 1.. {
        let call = provider.set_secret(&db, value("ours"), SetOptions::new());
        let foreign = || drop(outside.write(&db, value("foreign")).unwrap());
        let Some(written) = interleaved(&provider, step, call, foreign).await else { break };
        // Without a precondition this is no conflict, but what was current before is known.
        let written = written.unwrap();
        let previous = get(&provider, &db, VersionSelector::Previous).await.unwrap();
        if written.stages.contains(Stage::Current) && text(&previous) == "foreign" {
            met += 1;
            let alias = outside.read_version(&db, "previous").unwrap();
            assert_eq!(text(&alias), "foreign");
        }
    }
    assert!(met > 0);
}

/// Whose answer was lost finds out by repeating the call, not only that it was carried out.
#[tokio::test]
async fn google_reports_who_came_in_between_to_a_repetition_as_well() {
    for guarded in [Some(Guarded::Promote), Some(Guarded::Set), None] {
        let provider = MemoryProvider::new(Personality::Google);
        let db = name("db");
        let base = set(&provider, &db, "base").await;
        let pending = set_pending(&provider, &db, "ours").await;
        let call = || {
            let (inner, db, base, pending) =
                (provider.clone(), db.clone(), base.clone(), pending.clone());
            async move {
                let options = SetOptions::new().with_token(token(1));
                let set = |options| inner.set_secret(&db, value("ours"), options);
                match guarded {
                    Some(Guarded::Promote) => {
                        inner.promote(&db, &pending, &base, &token(1)).await.map(drop)
                    }
                    Some(Guarded::Set) => {
                        set(options.when(Precondition::CurrentIs(base))).await.map(drop)
                    }
                    None => set(options).await.map(drop),
                }
            }
        };
        // The step that adds the version, found in an undisturbed copy of the same call.
        let step = {
            let copy = MemoryProvider::new(Personality::Google);
            let base = set(&copy, &db, "base").await;
            let pending = set_pending(&copy, &db, "ours").await;
            let options = SetOptions::new().with_token(token(1));
            match guarded {
                Some(Guarded::Promote) => {
                    copy.promote(&db, &pending, &base, &token(1)).await.map(drop).unwrap();
                }
                _ => drop(copy.set_secret(&db, value("ours"), options).await.unwrap()),
            }
            let adds =
                |entry: &&secrets_core::memory::LogEntry| entry.request == "AddSecretVersion";
            copy.log().iter().rev().find(adds).unwrap().step.unwrap()
        };
        let step = NonZeroU32::new(step).unwrap();
        let gate = Gate::new();
        let faults = Faults::seeded(0)
            .with(FaultRule::new(Fault::Hang(gate.clone())).step(step))
            .with(FaultRule::new(Fault::LostReply).step(step));
        provider.inject(faults).unwrap();
        let mut cut = Box::pin(call());
        assert!((&mut cut).now_or_never().is_none(), "{guarded:?}");
        provider.outside().write(&db, value("foreign")).unwrap();
        gate.open();
        assert_eq!(kind(cut.await), ErrorKind::Timeout, "{guarded:?}");
        provider.inject(Faults::none()).unwrap();

        // However often.
        for _ in 0..2 {
            match (guarded, call().await) {
                (None, repeated) => repeated.unwrap(),
                (Some(_), repeated) => {
                    let error = repeated.unwrap_err();
                    let expected = (ErrorKind::Conflict, Effect::Partial);
                    assert_eq!((error.kind(), error.effect()), expected, "{guarded:?}: {error}");
                }
            }
        }
        assert_eq!(text(&provider.outside().read(&db).unwrap()), "ours", "{guarded:?}");
        let previous = get(&provider, &db, VersionSelector::Previous).await.unwrap();
        assert_eq!(text(&previous), "foreign", "{guarded:?}");
    }
}

#[tokio::test]
async fn metadata_is_guarded_by_its_etag_where_there_is_one() {
    let provider = MemoryProvider::new(Personality::Google);
    let db = name("db");
    set(&provider, &db, "one").await;
    let info = provider.describe_secret(&db).await.unwrap();
    let guard = Precondition::Etag(info.etag.unwrap());
    let patch = |value: &str| MetadataPatch::new().tag("owner", value);
    provider.update_metadata(&db, None, patch("a"), guard.clone()).await.unwrap();
    let stale = provider.update_metadata(&db, None, patch("b"), guard).await;
    assert_eq!(kind(stale), ErrorKind::Conflict);
    assert_eq!(provider.describe_secret(&db).await.unwrap().tags["owner"], "a");

    for personality in [Personality::Aws, Personality::Azure] {
        let provider = MemoryProvider::new(personality);
        set(&provider, &db, "one").await;
        let etag = secrets_core::Etag::Secret("\"1\"".into());
        let guarded = provider.update_metadata(&db, None, patch("a"), Precondition::Etag(etag));
        assert_eq!(kind(guarded.await), ErrorKind::Unsupported);
    }
}

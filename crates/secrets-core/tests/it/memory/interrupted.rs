//! Every write of every personality, cut short at each of its requests in every way, leaves a state
//! from which the same call, repeated, arrives where an undisturbed one does.

use std::num::NonZeroU32;

use futures_util::FutureExt;
use secrets_core::memory::{Fault, FaultRule, Faults, Gate, MemoryProvider, Personality};
use secrets_core::{
    DeleteMode, Effect, ErrorKind, MetadataPatch, Precondition, Result, SecretProvider,
    SecretProviderExt, SetOptions, VersionId, VersionSelector,
};

use super::support::{drain, get, name, set, set_pending, text, token, value};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Write {
    First,
    Next,
    Guarded,
    Pending,
    PendingAgain,
    Promote,
    Discard,
    Tag,
    Delete,
    DeleteForGood,
    Restore,
    Purge,
}

const WRITES: [Write; 12] = [
    Write::First,
    Write::Next,
    Write::Guarded,
    Write::Pending,
    Write::PendingAgain,
    Write::Promote,
    Write::Discard,
    Write::Tag,
    Write::Delete,
    Write::DeleteForGood,
    Write::Restore,
    Write::Purge,
];

/// What a write starts from.
struct Start {
    provider: MemoryProvider,
    base: VersionId,
    pending: VersionId,
}

async fn start(personality: Personality, write: Write) -> Start {
    let provider = MemoryProvider::new(personality);
    let none = VersionId::new("none").unwrap();
    if write == Write::First {
        return Start { provider, base: none.clone(), pending: none };
    }
    let db = name("db");
    set(&provider, &db, "zero").await;
    let base = set(&provider, &db, "one").await;
    let mut pending = none;
    let waits = !matches!(write, Write::Next | Write::Guarded | Write::Pending | Write::Tag);
    if waits {
        pending = set_pending(&provider, &db, "two").await;
    }
    if matches!(write, Write::Restore | Write::Purge) {
        let mode = DeleteMode::Recoverable { window: None };
        provider.delete_secret(&db, mode).await.unwrap();
    }
    Start { provider, base, pending }
}

async fn run(start: &Start, write: Write) -> Result<()> {
    let (provider, db) = (&start.provider, name("db"));
    let set = |text, options: SetOptions| {
        let options =
            options.with_token(token(9)).with_metadata(MetadataPatch::new().tag("k", "v"));
        provider.set_secret(&db, value(text), options)
    };
    let base = start.base.clone();
    match write {
        Write::First => drop(set("one", SetOptions::new()).await?),
        Write::Next => drop(set("two", SetOptions::new()).await?),
        Write::Guarded => {
            let options = SetOptions::new().when(Precondition::CurrentIs(base));
            drop(set("two", options).await?);
        }
        Write::Pending => drop(set("two", SetOptions::pending()).await?),
        Write::PendingAgain => drop(set("three", SetOptions::pending()).await?),
        Write::Promote => drop(provider.promote(&db, &start.pending, &base, &token(7)).await?),
        Write::Discard => provider.discard_pending(&db, &start.pending).await?,
        Write::Tag => {
            let patch = MetadataPatch::new().tag("k", "v");
            provider.update_metadata(&db, None, patch, Precondition::Any).await?;
        }
        Write::Delete => {
            let mode = DeleteMode::Recoverable { window: None };
            provider.delete_secret(&db, mode).await?;
        }
        Write::DeleteForGood => {
            provider.delete_secret(&db, DeleteMode::Immediate).await?;
        }
        Write::Restore => provider.restore_secret(&db).await?,
        Write::Purge => provider.purge_secret(&db).await?,
    }
    Ok(())
}

/// All that shows of the secret.
async fn seen(provider: &MemoryProvider) -> Vec<String> {
    let db = name("db");
    let mut seen = Vec::new();
    for version in [VersionSelector::Current, VersionSelector::Previous, VersionSelector::Pending] {
        seen.push(match get(provider, &db, version).await {
            Ok(secret) => text(&secret).to_owned(),
            Err(error) => error.kind().as_str().to_owned(),
        });
    }
    seen.push(match provider.outside().read(&db) {
        Ok(secret) => text(&secret).to_owned(),
        Err(error) => error.kind().as_str().to_owned(),
    });
    seen.push(match provider.describe_secret(&db).await {
        Ok(info) => format!("{:?} deleted {}", info.tags, info.deletion.is_some()),
        Err(error) => error.kind().as_str().to_owned(),
    });
    let versions = drain(provider.versions(db)).await;
    seen.push(format!("{:?} versions", versions.map(|versions| versions.len()).ok()));
    seen.push(format!("{:?}", provider.health().await.unwrap()));
    seen
}

/// The write, struck by `fault` at request `step`; `None` where it makes fewer requests.
async fn struck(start: &Start, write: Write, fault: Fault, step: u32) -> Option<Result<()>> {
    let rule = FaultRule::new(fault).step(NonZeroU32::new(step).unwrap());
    start.provider.inject(Faults::seeded(0).with(rule)).unwrap();
    let result = run(start, write).now_or_never();
    let struck = start.provider.faults_struck() > 0 || result.is_none();
    start.provider.inject(Faults::none()).unwrap();
    struck.then(|| result.unwrap_or(Ok(())))
}

fn faults() -> Vec<Fault> {
    let retry_after = std::time::Duration::from_secs(1);
    vec![
        Fault::LostRequest,
        Fault::LostReply,
        Fault::Unavailable,
        Fault::Throttled { retry_after },
        // Dropped while it waits: what a cancelled caller leaves behind.
        Fault::Hang(Gate::new()),
    ]
}

fn is_possible(personality: Personality, write: Write) -> bool {
    let recoverable = matches!(write, Write::Delete | Write::Restore | Write::Purge);
    !(recoverable && personality == Personality::Google)
}

/// Repeating a deletion that was carried out finds nothing to delete.
fn is_done_already(write: Write, kind: ErrorKind) -> bool {
    match write {
        Write::Delete => kind == ErrorKind::PendingDeletion,
        Write::DeleteForGood | Write::Restore | Write::Purge => kind == ErrorKind::NotFound,
        _ => false,
    }
}

#[tokio::test]
async fn repeating_a_write_that_was_cut_short_completes_it() {
    let mut cut_short = 0;
    for personality in Personality::ALL {
        for write in WRITES.into_iter().filter(|write| is_possible(personality, *write)) {
            let undisturbed = start(personality, write).await;
            run(&undisturbed, write).await.unwrap();
            let wanted = seen(&undisturbed.provider).await;
            for fault in faults() {
                for step in 1.. {
                    let start = start(personality, write).await;
                    let what = format!("{personality:?} {write:?} {} at {step}", fault.as_str());
                    let Some(result) = struck(&start, write, fault.clone(), step).await else {
                        assert!(step > 1, "{what}: no request was struck");
                        break;
                    };
                    cut_short += 1;
                    match result {
                        Ok(()) => assert!(matches!(fault, Fault::Hang(_)), "{what}: succeeded"),
                        Err(error) => check_effect(&start, write, &error, &fault, &what).await,
                    }
                    let log = start.provider.log();
                    match run(&start, write).await {
                        Ok(()) => {}
                        Err(error) if is_done_already(write, error.kind()) => {}
                        Err(error) => panic!("{what}: repeated: {error}\n{log:#?}"),
                    }
                    assert_eq!(seen(&start.provider).await, wanted, "{what}\n{log:#?}");
                }
            }
        }
    }
    // Every personality has writes of several requests: the loops did run.
    assert!(cut_short > 300, "{cut_short}");
}

/// An error that says that nothing was applied tells the truth.
async fn check_effect(
    start: &Start,
    write: Write,
    error: &secrets_core::Error,
    fault: &Fault,
    what: &str,
) {
    match fault {
        Fault::LostReply | Fault::LostRequest | Fault::Unavailable => {
            assert_eq!(error.effect(), Effect::Unknown, "{what}");
        }
        _ => assert_ne!(error.effect(), Effect::Unknown, "{what}"),
    }
    assert!(error.is_transient(), "{what}");
    if error.effect() == Effect::NotApplied {
        let untouched = self::start(start.provider.personality(), write).await;
        let (before, after) = (seen(&untouched.provider).await, seen(&start.provider).await);
        // Versions that no stage names and no reader asks for may have been prepared.
        assert_eq!(after[..5], before[..5], "{what}: {error} was applied");
    }
}

/// A promotion that was cut short after it took effect: what it promoted does not wait any more,
/// though it still lies in the companion, and nobody promotes it a second time.
#[tokio::test]
async fn what_was_promoted_does_not_wait() {
    for personality in Personality::ALL {
        let mut took_effect = 0;
        for step in 1.. {
            let start = start(personality, Write::Promote).await;
            let Some(result) = struck(&start, Write::Promote, Fault::LostReply, step).await else {
                break;
            };
            assert!(result.is_err());
            let (provider, db) = (&start.provider, name("db"));
            let current = get(provider, &db, VersionSelector::Current).await.unwrap();
            let pending = get(provider, &db, VersionSelector::Pending).await;
            let info = provider.describe_secret(&db).await.unwrap();
            let what = format!("{personality:?} at {step}");
            if text(&current) == "one" {
                assert_eq!(text(&pending.unwrap()), "two", "{what}");
                assert_eq!(info.pending, Some(start.pending), "{what}");
                continue;
            }
            took_effect += 1;
            assert_eq!(pending.unwrap_err().kind(), ErrorKind::NotFound, "{what}");
            assert_eq!(info.pending, None, "{what}");
            let base = info.current.unwrap();
            let again = provider.promote(&db, &start.pending, &base, &token(8)).await;
            let kind = again.unwrap_err().kind();
            assert!(matches!(kind, ErrorKind::NotFound | ErrorKind::Conflict), "{what}: {kind:?}");
            provider.discard_pending(&db, &start.pending).await.unwrap();
            run(&start, Write::Promote).await.unwrap();
            assert_eq!(text(&provider.outside().read(&db).unwrap()), "two", "{what}");
        }
        assert!(took_effect > 0, "{personality:?}");
    }
}

//! The codes that each cloud answers with, row by row of what is known of it. What they mean to a
//! caller is tested with each personality.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secrets_core::memory::{Fault, FaultRule, Faults, Lag, MemoryProvider, Outcome, Personality};
use secrets_core::{
    Change, DeleteMode, MetadataPatch, Operation, Precondition, SecretProvider, SetOptions,
    VersionId, VersionSelector, VersionState,
};

use super::support::{get, manual, name, set, set_pending, token, value};

const RECOVERABLE: DeleteMode = DeleteMode::Recoverable { window: None };

/// The requests of the last call with their answers: `done`, or the code of the refusal.
fn wire(provider: &MemoryProvider) -> Vec<(&'static str, &'static str)> {
    let answer = |outcome| match outcome {
        Outcome::Done => "done",
        Outcome::Refused(code) => code,
        _ => "failed",
    };
    let log = provider.log();
    // The last entry is the call as a whole.
    let requests = log.iter().rev().skip(1).take_while(|entry| entry.step.is_some());
    let mut wire: Vec<_> = requests.map(|entry| (entry.request, answer(entry.outcome))).collect();
    wire.reverse();
    wire
}

/// The last call made this request, and got this answer to it.
#[track_caller]
fn answered(provider: &MemoryProvider, request: &str, answer: &str) {
    let wire = wire(provider);
    assert!(wire.contains(&(request, answer)), "{request} {answer}: {wire:?}");
}

/// Makes one request of the next call of an operation see the secret as it was at first.
fn stale(provider: &MemoryProvider, operation: Operation, step: u32) {
    let rule = FaultRule::new(Fault::Stale(Lag::Changes(32)))
        .on(operation)
        .step(NonZeroU32::new(step).unwrap());
    provider.inject(Faults::seeded(0).with(rule)).unwrap();
}

#[tokio::test]
async fn of_aws() {
    let (builder, _) = manual(Personality::Aws);
    let (provider, db) = (builder.build().unwrap(), name("db"));
    let _ = get(&provider, &db, VersionSelector::Current).await;
    answered(&provider, "GetSecretValue", "ResourceNotFoundException");
    let with_token = || SetOptions::new().with_token(token(1));
    let base = provider.set_secret(&db, value("one"), with_token()).await.unwrap().id;
    // The token is the version: the same content is no other request, other content is refused.
    provider.set_secret(&db, value("one"), with_token()).await.unwrap();
    answered(&provider, "PutSecretValue", "done");
    let _ = provider.set_secret(&db, value("two"), with_token()).await;
    answered(&provider, "PutSecretValue", "ResourceExistsException");
    let _ =
        provider.set_secret(&db, value("two"), SetOptions::new().when(Precondition::Absent)).await;
    answered(&provider, "CreateSecret", "ResourceExistsException");

    // A label is moved from where it is said to be, or not at all.
    let pending = set_pending(&provider, &db, "two").await;
    set(&provider, &db, "foreign").await;
    let rule = FaultRule::new(Fault::Stale(Lag::Changes(1)));
    let rule = rule.on(Operation::Promote).step(NonZeroU32::MIN);
    provider.inject(Faults::seeded(0).with(rule)).unwrap();
    let _ = provider.promote(&db, &pending, &base, &token(2)).await;
    answered(&provider, "UpdateSecretVersionStage", "InvalidParameterException");
    provider.inject(Faults::none()).unwrap();
    provider.discard_pending(&db, &pending).await.unwrap();

    // A rotation that has begun has a version without a value.
    provider.outside().begin_rotation(&db).unwrap();
    let _ = get(&provider, &db, VersionSelector::Pending).await;
    answered(&provider, "GetSecretValue", "ResourceNotFoundException");

    // Scheduled for deletion: described, and refused to all else.
    provider.delete_secret(&db, RECOVERABLE).await.unwrap();
    let scheduled = "InvalidRequestException";
    let _ = get(&provider, &db, VersionSelector::Current).await;
    answered(&provider, "GetSecretValue", scheduled);
    let _ = provider.set_secret(&db, value("x"), SetOptions::new()).await;
    answered(&provider, "PutSecretValue", scheduled);
    let _ =
        provider.set_secret(&db, value("x"), SetOptions::new().when(Precondition::Absent)).await;
    answered(&provider, "CreateSecret", scheduled);
    let _ = provider.delete_secret(&db, RECOVERABLE).await;
    answered(&provider, "DeleteSecret", scheduled);
    provider.describe_secret(&db).await.unwrap();
    answered(&provider, "DescribeSecret", "done");
}

#[tokio::test]
async fn of_azure() {
    let (_, clock) = manual(Personality::Azure);
    let (deleting, recovering) = (Duration::from_secs(6), Duration::from_secs(4));
    // Nothing to wait with: each call meets the phase that there is.
    let builder = MemoryProvider::builder(Personality::Azure).clock(Arc::new(clock.clone()));
    let builder = builder.deleting_for(deleting).recovering_for(recovering);
    let (provider, db) = (builder.build().unwrap(), name("db"));
    // Rows 7 and 8.
    let _ = provider.restore_secret(&db).await;
    answered(&provider, "POST recover", "SecretNotFound");
    let none = VersionId::new("none").unwrap();
    let over = SetOptions::new().when(Precondition::CurrentIs(none));
    let _ = provider.set_secret(&db, value("x"), over).await;
    answered(&provider, "GET versions", "done");

    // Rows 3 to 6, 24.
    let one = set(&provider, &db, "one").await;
    let expired = MetadataPatch::new().expires(Change::Set(SystemTime::UNIX_EPOCH));
    provider.update_metadata(&db, None, expired, Precondition::Any).await.unwrap();
    answered(&provider, "PATCH secret", "done");
    get(&provider, &db, VersionSelector::Current).await.unwrap();
    answered(&provider, "GET secret", "done");
    provider.set_version_state(&db, &one, VersionState::Disabled).await.unwrap();
    answered(&provider, "PATCH secret", "done");
    let _ = get(&provider, &db, VersionSelector::Current).await;
    answered(&provider, "GET secret", "Forbidden/SecretDisabled");

    // Rows 11 to 13: the first phase.
    provider.delete_secret(&db, RECOVERABLE).await.unwrap();
    answered(&provider, "DELETE secret", "done");
    let _ = get(&provider, &db, VersionSelector::Current).await;
    answered(&provider, "GET secret", "SecretNotFound");
    answered(&provider, "GET deleted secret", "SecretNotFound");
    let _ = provider.purge_secret(&db).await;
    answered(&provider, "DELETE deleted secret", "Conflict/ObjectIsBeingDeleted");
    // Row 14.
    clock.advance(deleting);
    let _ = provider.set_secret(&db, value("x"), SetOptions::new()).await;
    answered(&provider, "PUT secret", "Conflict/ObjectIsDeletedButRecoverable");
    // Rows 15 and 16.
    let _ = provider.restore_secret(&db).await;
    assert_eq!(
        wire(&provider).last_chunk(),
        Some(&[("POST recover", "done"), ("GET secret", "SecretNotFound")])
    );
    let _ = provider.set_secret(&db, value("x"), SetOptions::new()).await;
    answered(&provider, "PUT secret", "Conflict/ObjectIsBeingRecovered");
    clock.advance(recovering);
    // Row 17.
    provider.delete_secret(&db, RECOVERABLE).await.unwrap();
    clock.advance(deleting);
    provider.purge_secret(&db).await.unwrap();
    answered(&provider, "DELETE deleted secret", "done");

    // Row 18.
    let protected = MemoryProvider::builder(Personality::Azure).purge_protection().build().unwrap();
    set(&protected, &db, "one").await;
    protected.delete_secret(&db, RECOVERABLE).await.unwrap();
    let _ = protected.purge_secret(&db).await;
    answered(&protected, "DELETE deleted secret", "Forbidden");
}

#[tokio::test]
async fn of_google() {
    let (provider, db) = (MemoryProvider::new(Personality::Google), name("db"));
    // Row 6: absent, and without a version.
    let read = || get(&provider, &db, VersionSelector::Current);
    let _ = read().await;
    answered(&provider, "AccessSecretVersion", "NOT_FOUND");
    provider.outside().create_empty(&db).unwrap();
    let _ = read().await;
    answered(&provider, "AccessSecretVersion", "NOT_FOUND");

    // Row 22: whoever does not see the secret yet creates it once more.
    stale(&provider, Operation::SetSecret, 1);
    let one = set(&provider, &db, "one").await;
    answered(&provider, "GetSecret", "NOT_FOUND");
    answered(&provider, "CreateSecret", "ALREADY_EXISTS");
    // Row 1: the number and the state are the version's.
    assert_eq!(one.as_str(), "1");
    answered(&provider, "AddSecretVersion", "done");
    provider.inject(Faults::none()).unwrap();

    // Row 11: a write of metadata that others overtook.
    let change = |patch| provider.update_metadata(&db, None, patch, Precondition::Any);
    change(MetadataPatch::new().tag("a", "b")).await.unwrap();
    let rule = FaultRule::new(Fault::Stale(Lag::Changes(1)));
    let rule = rule.on(Operation::UpdateMetadata).step(NonZeroU32::MIN);
    provider.inject(Faults::seeded(0).with(rule)).unwrap();
    change(MetadataPatch::new().tag("a", "c")).await.unwrap();
    answered(&provider, "UpdateSecret", "FAILED_PRECONDITION");
    answered(&provider, "UpdateSecret", "done");
    provider.inject(Faults::none()).unwrap();
    // Row 19: annotations have 16 KiB together.
    let described = |len: usize| MetadataPatch::new().description(Change::Set("x".repeat(len)));
    let _ = change(described(16 * 1024)).await;
    answered(&provider, "UpdateSecret", "INVALID_ARGUMENT");
    change(described(15 * 1024)).await.unwrap();

    // Rows 8 to 10 and 15: one code for a version that is disabled and one that is destroyed.
    let two = set(&provider, &db, "two").await;
    for state in [VersionState::Disabled, VersionState::Destroyed] {
        provider.set_version_state(&db, &two, state).await.unwrap();
        let _ = read().await;
        let expected =
            [("AccessSecretVersion", "FAILED_PRECONDITION"), ("GetSecretVersion", "done")];
        assert_eq!(wire(&provider), expected);
    }
    let _ = provider.set_version_state(&db, &two, VersionState::Enabled).await;
    answered(&provider, "EnableSecretVersion", "FAILED_PRECONDITION");
}

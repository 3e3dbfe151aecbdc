//! Google Secret Manager: one test for each rule of its interface. "Row" numbers are those of the
//! table of documented answers that the personality was written to.

use std::num::NonZeroU32;
use std::time::Duration;

use futures_util::FutureExt;
use secrets_core::memory::{Fault, FaultRule, Faults, MemoryProvider, Personality};
use secrets_core::{
    Change, Clock, DeleteMode, Deleted, DeletedSecrets, ErrorKind, Etag, HealthStatus,
    MetadataPatch, Operation, Precondition, SecretFilter, SecretProvider, SecretProviderExt,
    SecretValue, SetOptions, VersionId, VersionSelector, VersionState,
};

use super::support::{
    DAY, drain, get, kind, manual, name, requests, set, set_pending, text, token, value,
};

fn google() -> MemoryProvider {
    MemoryProvider::new(Personality::Google)
}

fn id(text: &str) -> VersionId {
    VersionId::new(text).unwrap()
}

/// Row 1: a version is a number.
#[tokio::test]
async fn promotion_appends_a_number_and_destroys_the_companions_version() {
    let (provider, db) = (google(), name("billing/db"));
    let base = set(&provider, &db, "one").await;
    let pending = set_pending(&provider, &db, "two").await;
    let outside = provider.outside();
    assert_eq!(base, id("1"));
    assert_eq!(outside.companions(), ["billing_2fdb_pending"]);
    let promoted = provider.promote(&db, &pending, &base, &token(1)).await.unwrap();
    assert_eq!(promoted.current, id("2"));
    assert_eq!(kind(outside.read_named("billing_2fdb_pending")), ErrorKind::Destroyed);
    // Row 17: the predecessor has an alias that any reader can use.
    assert_eq!(text(&outside.read_version(&db, "previous").unwrap()), "one");
    assert_eq!(text(&outside.read_version(&db, "2").unwrap()), "two");
    assert_eq!(drain(provider.secrets(SecretFilter::all())).await.unwrap().len(), 1);
    set_pending(&provider, &db, "three").await;
    assert_eq!(text(&get(&provider, &db, VersionSelector::Pending).await.unwrap()), "three");
}

/// Row 5.
#[tokio::test]
async fn a_payload_has_65536_bytes() {
    let (provider, db) = (google(), name("db"));
    let of = |len| SecretValue::from_vec(vec![0xff; len]);
    let put = |value| provider.set_secret(&db, value, SetOptions::new());
    assert_eq!(kind(put(of(65_537)).await), ErrorKind::TooLarge);
    assert_eq!(kind(put(of((1 << 20) + 1)).await), ErrorKind::TooLarge);
    assert_eq!(kind(provider.describe_secret(&db).await), ErrorKind::NotFound);
    put(of(65_536)).await.unwrap();
    put(of(0)).await.unwrap();
    assert!(get(&provider, &db, VersionSelector::Current).await.unwrap().value.is_empty());
}

/// Row 6 and rule 12: what a crash between the two calls leaves is ours to finish.
#[tokio::test]
async fn an_empty_secret_reads_as_absent_and_is_finished_by_the_next_write() {
    for guarded in [Precondition::Any, Precondition::Absent] {
        let (provider, db) = (google(), name("db"));
        // Request 2 is CreateSecret: the call ends right after it.
        let rule = FaultRule::new(Fault::LostReply).step(NonZeroU32::new(2).unwrap());
        provider.inject(Faults::seeded(0).with(rule)).unwrap();
        let cut = provider.set_secret(&db, value("one"), SetOptions::new()).await;
        assert_eq!(kind(cut), ErrorKind::Timeout);
        provider.inject(Faults::none()).unwrap();

        assert_eq!(kind(get(&provider, &db, VersionSelector::Current).await), ErrorKind::NotFound);
        assert_eq!(kind(provider.outside().read(&db)), ErrorKind::NotFound);
        assert_eq!(provider.describe_secret(&db).await.unwrap().current, None);
        let pending = provider.set_secret(&db, value("two"), SetOptions::pending()).await;
        assert_eq!(kind(pending), ErrorKind::NotFound);
        let options = SetOptions::new().when(guarded);
        let written = provider.set_secret(&db, value("one"), options).await.unwrap();
        assert_eq!(written.id, id("1"));
    }
}

/// Rows 8, 9, 10.
#[tokio::test]
async fn latest_is_the_newest_whatever_its_state() {
    let (provider, db) = (google(), name("db"));
    set(&provider, &db, "one").await;
    let two = set(&provider, &db, "two").await;
    let state = |state| provider.set_version_state(&db, &two, state);
    state(VersionState::Disabled).await.unwrap();
    let read = || get(&provider, &db, VersionSelector::Current);
    assert_eq!(kind(read().await), ErrorKind::Disabled);
    assert_eq!(kind(provider.outside().read(&db)), ErrorKind::Disabled);
    assert_eq!(text(&get(&provider, &db, VersionSelector::Previous).await.unwrap()), "one");
    state(VersionState::Enabled).await.unwrap();
    assert_eq!(text(&read().await.unwrap()), "two");

    // Row 15: destroyed is terminal.
    state(VersionState::Destroyed).await.unwrap();
    assert_eq!(kind(read().await), ErrorKind::Destroyed);
    assert_eq!(kind(provider.outside().read(&db)), ErrorKind::Destroyed);
    assert_eq!(kind(state(VersionState::Enabled).await), ErrorKind::Destroyed);
    assert_eq!(kind(state(VersionState::Disabled).await), ErrorKind::Destroyed);
    state(VersionState::Destroyed).await.unwrap();
    assert_eq!(kind(state(VersionState::Empty).await), ErrorKind::InvalidValue);
    // Its number is not used again.
    assert_eq!(set(&provider, &db, "three").await, id("3"));
}

/// Rows 11, 12, 13.
#[tokio::test]
async fn a_no_op_changes_the_etag_of_the_version_only() {
    let (provider, db) = (google(), name("db"));
    let one = set(&provider, &db, "one").await;
    let secret = provider.describe_secret(&db).await.unwrap().etag.unwrap();
    let version = get(&provider, &db, VersionSelector::Current).await.unwrap().version.etag;
    let Etag::Secret(text) = &secret else { panic!("{secret:?}") };
    assert!(text.starts_with('"') && text.ends_with('"'), "{text}");

    provider.set_version_state(&db, &one, VersionState::Enabled).await.unwrap();
    assert_eq!(provider.describe_secret(&db).await.unwrap().etag, Some(secret.clone()));
    let after = get(&provider, &db, VersionSelector::Current).await.unwrap().version.etag;
    assert_ne!(after, version);

    let patch = || MetadataPatch::new().tag("a", "b");
    let of_version = Precondition::Etag(after.unwrap());
    let mixed = provider.update_metadata(&db, None, patch(), of_version).await;
    assert_eq!(kind(mixed), ErrorKind::InvalidValue);
    let guard = Precondition::Etag(secret);
    provider.update_metadata(&db, None, patch(), guard.clone()).await.unwrap();
    let stale = provider.update_metadata(&db, None, patch(), guard).await;
    assert_eq!(kind(stale), ErrorKind::Conflict);
}

/// Row 16.
#[tokio::test]
async fn destruction_can_be_delayed_and_taken_back() {
    let (builder, clock) = manual(Personality::Google);
    let (provider, db) = (builder.destroy_delay(2 * DAY).build().unwrap(), name("db"));
    let one = set(&provider, &db, "one").await;
    let state = |state| provider.set_version_state(&db, &one, state);
    state(VersionState::Destroyed).await.unwrap();
    let only = drain(provider.versions(db.clone())).await.unwrap().remove(0);
    assert_eq!(
        (only.state, only.destroy_at),
        (VersionState::Disabled, Some(clock.now() + 2 * DAY))
    );
    assert_eq!(kind(get(&provider, &db, VersionSelector::Current).await), ErrorKind::Disabled);
    state(VersionState::Enabled).await.unwrap();
    clock.advance(3 * DAY);
    assert_eq!(text(&get(&provider, &db, VersionSelector::Current).await.unwrap()), "one");

    state(VersionState::Destroyed).await.unwrap();
    clock.advance(2 * DAY);
    assert_eq!(kind(get(&provider, &db, VersionSelector::Current).await), ErrorKind::Destroyed);
    assert_eq!(kind(state(VersionState::Enabled).await), ErrorKind::Destroyed);
}

/// Row 19.
#[tokio::test]
async fn labels_are_64_and_lower_case() {
    let (provider, db) = (google(), name("db"));
    let all = (0..64).fold(MetadataPatch::new(), |patch, n| patch.tag(format!("l{n}"), "v"));
    let options = SetOptions::new().with_metadata(all);
    provider.set_secret(&db, value("one"), options).await.unwrap();
    let long = "x".repeat(64);
    let unfit =
        [("one-more", "v"), ("Owner", "v"), ("l1", "Me"), ("1l", "v"), (long.as_str(), "v")];
    for (label, text) in unfit {
        let patch = MetadataPatch::new().tag(label, text);
        let updated = provider.update_metadata(&db, None, patch.clone(), Precondition::Any).await;
        assert_eq!(kind(updated), ErrorKind::InvalidValue, "{label}");
        let options = SetOptions::new().with_metadata(patch);
        let written = provider.set_secret(&db, value("two"), options).await;
        assert_eq!(kind(written), ErrorKind::InvalidValue, "{label}");
    }
    assert_eq!(text(&provider.outside().read(&db).unwrap()), "one");
    // Annotations take 16 KiB together.
    let long = Change::Set("x".repeat(17_000));
    let patch = MetadataPatch::new().description(long);
    let refused = provider.update_metadata(&db, None, patch, Precondition::Any).await;
    assert_eq!(kind(refused), ErrorKind::InvalidValue);
}

#[tokio::test]
async fn validity_is_an_annotation_and_deletes_nothing() {
    let (builder, clock) = manual(Personality::Google);
    let (provider, db) = (builder.build().unwrap(), name("db"));
    let end = clock.now() + Duration::new(5, 7);
    let expiry = || MetadataPatch::new().expires(Change::Set(end));
    let options = SetOptions::new().with_metadata(expiry());
    provider.set_secret(&db, value("one"), options).await.unwrap();
    clock.advance(400 * DAY);
    let expired = get(&provider, &db, VersionSelector::Current).await.unwrap();
    assert_eq!(expired.version.expires, Some(end));
    // It belongs to the secret: a pending value cannot have its own.
    let before = requests(&provider);
    let pending = SetOptions::pending().with_metadata(expiry());
    let refused = provider.set_secret(&db, value("two"), pending).await;
    assert_eq!(kind(refused), ErrorKind::Unsupported);
    let of_version = Some(&expired.version.id);
    let refused = provider.update_metadata(&db, of_version, expiry(), Precondition::Any).await;
    assert_eq!(kind(refused), ErrorKind::Unsupported);
    assert_eq!(requests(&provider), before);
    let cleared = MetadataPatch::new().expires(Change::Clear);
    provider.update_metadata(&db, None, cleared, Precondition::Any).await.unwrap();
    let current = get(&provider, &db, VersionSelector::Current).await.unwrap();
    assert_eq!(current.version.expires, None);
}

#[tokio::test]
async fn a_deletion_is_final() {
    let (provider, db) = (google(), name("db"));
    set(&provider, &db, "one").await;
    set(&provider, &db, "two").await;
    set_pending(&provider, &db, "three").await;
    let before = requests(&provider);
    let recoverable = DeleteMode::Recoverable { window: None };
    let kinds = [
        kind(provider.delete_secret(&db, recoverable).await),
        kind(provider.restore_secret(&db).await),
        kind(provider.purge_secret(&db).await),
    ];
    assert_eq!(kinds, [ErrorKind::Unsupported; 3]);
    assert_eq!(requests(&provider), before);

    let gone = provider.delete_secret(&db, DeleteMode::Immediate).await.unwrap();
    assert_eq!(gone, Deleted::Gone);
    assert!(provider.outside().names().is_empty());
    let again = provider.delete_secret(&db, DeleteMode::Immediate).await;
    assert_eq!(kind(again), ErrorKind::NotFound);
    assert_eq!(set(&provider, &db, "again").await, id("1"));
    let deleted = SecretFilter::all().with_deleted(DeletedSecrets::Only);
    assert!(drain(provider.secrets(deleted)).await.unwrap().is_empty());
}

/// "Adding a version and then immediately accessing it by number is strongly consistent"; nothing
/// else is.
#[tokio::test]
async fn a_number_is_seen_at_once_and_latest_later() {
    let (builder, clock) = manual(Personality::Google);
    let lag = Duration::from_secs(60);
    let (provider, db) = (builder.propagation(lag).build().unwrap(), name("db"));
    let write = |text: &str| provider.outside().write(&db, value(text)).unwrap();
    write("one");
    clock.advance(lag);
    let two = write("two");
    let latest = || get(&provider, &db, VersionSelector::Current);
    assert_eq!(text(&latest().await.unwrap()), "one");
    assert_eq!(text(&get(&provider, &db, VersionSelector::Id(two)).await.unwrap()), "two");
    clock.advance(lag - Duration::from_nanos(1));
    assert_eq!(text(&latest().await.unwrap()), "one");
    clock.advance(Duration::from_nanos(1));
    assert_eq!(text(&latest().await.unwrap()), "two");
}

/// A companion whose secret was deleted by somebody else is a finding.
#[tokio::test]
async fn orphans_are_found() {
    let (provider, db) = (google(), name("db"));
    set(&provider, &db, "one").await;
    set_pending(&provider, &db, "two").await;
    assert_eq!(provider.health().await.unwrap().status, HealthStatus::Healthy);
    provider.outside().delete(&db).unwrap();
    let health = provider.health().await.unwrap();
    assert_eq!(health.status, HealthStatus::Degraded);
    assert_eq!(health.findings, ["1 pending values outlived their secret"]);
}

/// The sixteen newest tokens are remembered; older ones write anew.
#[tokio::test]
async fn tokens_are_remembered_for_sixteen_writes() {
    let (provider, db) = (google(), name("db"));
    let with = |number| SetOptions::new().with_token(token(number));
    for number in 0..17 {
        let text = number.to_string();
        provider.set_secret(&db, value(&text), with(number)).await.unwrap();
    }
    let known = provider.set_secret(&db, value("1"), with(1)).await.unwrap();
    assert_eq!(known.id, id("2"));
    let forgotten = provider.set_secret(&db, value("0"), with(0)).await.unwrap();
    assert_eq!(forgotten.id, id("18"));
}

#[tokio::test]
async fn a_promotion_makes_these_requests() {
    let (provider, db) = (google(), name("db"));
    let base = set(&provider, &db, "one").await;
    let pending = set_pending(&provider, &db, "two").await;
    provider.promote(&db, &pending, &base, &token(1)).now_or_never().unwrap().unwrap();
    let log = provider.log();
    let promotion = log.iter().filter(|entry| entry.operation == Operation::Promote);
    let requests: Vec<_> = promotion.map(|entry| entry.request).collect();
    let wanted = [
        "GetSecret",
        "GetSecretVersion",
        "AccessSecretVersion",
        "GetSecretVersion",
        "UpdateSecret",
        "AddSecretVersion",
        "UpdateSecret",
        "DestroySecretVersion",
        "",
    ];
    assert_eq!(requests, wanted);
}

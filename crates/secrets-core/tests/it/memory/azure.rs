//! Azure Key Vault: one test for each rule of its interface. "Row" numbers are those of the table of
//! recorded answers that the personality was written to.

use std::time::Duration;

use secrets_core::memory::{MemoryProvider, Personality};
use secrets_core::{
    Change, Clock, DeleteMode, Deleted, DeletedSecrets, ErrorKind, HealthStatus, MetadataPatch,
    NativeId, PageRequest, Precondition, Retry, SecretFilter, SecretProvider, SecretProviderExt,
    SecretRef, SecretValue, SetOptions, Stage, VersionSelector, VersionState,
};

use super::support::{
    DAY, drain, error, get, kind, manual, name, requests, set, set_pending, text, token, value,
};

fn azure() -> MemoryProvider {
    MemoryProvider::new(Personality::Azure)
}

const RECOVERABLE: DeleteMode = DeleteMode::Recoverable { window: None };
const SIX: Duration = Duration::from_secs(6);
const FOUR: Duration = Duration::from_secs(4);

/// Row 3; a promotion is a `PUT` of its own.
#[tokio::test]
async fn promotion_appends_and_disables_the_companions_version() {
    let (provider, db) = (azure(), name("billing/db"));
    let base = set(&provider, &db, "one").await;
    let pending = set_pending(&provider, &db, "two").await;
    let outside = provider.outside();
    assert_eq!(outside.companions(), ["billing-2fdb-pending"]);
    assert_eq!(text(&outside.read_named("billing-2fdb-pending").unwrap()), "two");

    let promoted = provider.promote(&db, &pending, &base, &token(1)).await.unwrap();
    assert_ne!(promoted.current, pending);
    assert_eq!(kind(outside.read_named("billing-2fdb-pending")), ErrorKind::Disabled);
    // The companion stays hidden, and is used again.
    let listed = drain(provider.secrets(SecretFilter::all())).await.unwrap();
    assert_eq!(listed.len(), 1);
    set_pending(&provider, &db, "three").await;
    assert_eq!(outside.companions().len(), 1);
    assert_eq!(text(&get(&provider, &db, VersionSelector::Pending).await.unwrap()), "three");
    let by_id = get(&provider, &db, VersionSelector::Id(pending)).await;
    assert_eq!(kind(by_id), ErrorKind::Disabled);
}

/// Row 4: `PATCH` replaces all tags, and so does each `PUT`.
#[tokio::test]
async fn tags_and_media_type_go_on_to_every_new_version() {
    let (provider, db) = (azure(), name("db"));
    let typed = value("{}").with_content_type("application/json");
    let patch = MetadataPatch::new().tag("owner", "me").tag("team", "a");
    let described = patch.description(Change::Set("what for".to_owned()));
    let options = SetOptions::new().with_metadata(described);
    let first = provider.set_secret(&db, typed, options).await.unwrap().id;
    let second = set(&provider, &db, "two").await;
    let third = set_pending(&provider, &db, "three").await;
    let moved = provider.promote(&db, &third, &second, &token(1)).await.unwrap();
    let retagged = MetadataPatch::new().tag("team", "b");
    provider.update_metadata(&db, None, retagged, Precondition::Any).await.unwrap();

    let info = provider.describe_secret(&db).await.unwrap();
    let tags: Vec<_> = info.tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(tags, [("owner", "me"), ("team", "b")]);
    assert_eq!(info.description.as_deref(), Some("what for"));
    // What was ours in the tags outlived the change of the user's.
    assert_eq!((info.current, info.previous), (Some(moved.current), Some(second)));
    let current = get(&provider, &db, VersionSelector::Current).await.unwrap();
    assert_eq!(current.value.content_type(), Some("application/json"));
    let oldest = get(&provider, &db, VersionSelector::Id(first)).await.unwrap();
    assert_eq!(oldest.value.content_type(), Some("application/json"));
    // Each version has the tags that it was written with, and none of ours shows.
    assert_eq!(current.version.tags(), &info.tags);
    assert_eq!(oldest.version.tags().get("team").map(String::as_str), Some("a"));
    assert_eq!(oldest.version.tags().len(), 2);
}

#[tokio::test]
async fn four_of_fifteen_tags_are_reserved() {
    let (provider, db) = (azure(), name("db"));
    assert_eq!(provider.capabilities().limits.tags, 11);
    let eleven = (0..11).fold(MetadataPatch::new(), |patch, n| patch.tag(format!("t{n}"), "v"));
    let eleven = eleven.description(Change::Set("what for".to_owned()));
    let options = SetOptions::new().with_token(token(1)).with_metadata(eleven);
    let base = provider.set_secret(&db, value("one"), options).await.unwrap().id;
    // All fifteen are in use after a promotion.
    let pending = set_pending(&provider, &db, "two").await;
    provider.promote(&db, &pending, &base, &token(2)).await.unwrap();
    assert_eq!(provider.describe_secret(&db).await.unwrap().tags.len(), 11);

    let long = "x".repeat(257);
    let refused = [("one-more", "v"), ("mainstay-write", "v"), ("t1", long.as_str()), ("", "v")];
    for (tag, text) in refused {
        let patch = MetadataPatch::new().tag(tag, text);
        let updated = provider.update_metadata(&db, None, patch.clone(), Precondition::Any).await;
        assert_eq!(kind(updated), ErrorKind::InvalidValue, "{tag}");
        let options = SetOptions::new().with_metadata(patch);
        let written = provider.set_secret(&db, value("three"), options).await;
        assert_eq!(kind(written), ErrorKind::InvalidValue, "{tag}");
    }
    assert_eq!(text(&provider.outside().read(&db).unwrap()), "two");
}

/// Rows 5 and 6.
#[tokio::test]
async fn a_disabled_newest_version_is_what_a_plain_read_meets() {
    let (provider, db) = (azure(), name("db"));
    let one = set(&provider, &db, "one").await;
    let two = set(&provider, &db, "two").await;
    provider.set_version_state(&db, &two, VersionState::Disabled).await.unwrap();
    assert_eq!(kind(get(&provider, &db, VersionSelector::Current).await), ErrorKind::Disabled);
    assert_eq!(kind(provider.outside().read(&db)), ErrorKind::Disabled);
    assert_eq!(text(&get(&provider, &db, VersionSelector::Previous).await.unwrap()), "one");
    assert_eq!(text(&get(&provider, &db, VersionSelector::Id(one)).await.unwrap()), "one");
    let info = provider.describe_secret(&db).await.unwrap();
    assert_eq!(info.current.as_ref(), Some(&two));
    let versions = drain(provider.versions(db.clone())).await.unwrap();
    let newest = versions.iter().find(|version| version.id == two).unwrap();
    assert_eq!(newest.state, VersionState::Disabled);
    assert!(newest.stages.contains(Stage::Current));

    // A write over it is a write like any other.
    let over = SetOptions::new().when(Precondition::CurrentIs(two.clone()));
    let three = provider.set_secret(&db, value("three"), over).await.unwrap().id;
    provider.set_version_state(&db, &two, VersionState::Enabled).await.unwrap();
    assert_eq!(text(&get(&provider, &db, VersionSelector::Previous).await.unwrap()), "two");
    assert_eq!(text(&get(&provider, &db, VersionSelector::Id(three)).await.unwrap()), "three");
    let destroyed = provider.set_version_state(&db, &two, VersionState::Destroyed).await;
    assert_eq!(kind(destroyed), ErrorKind::Unsupported);
}

/// Rows 7 and 8: what the wire answers for an absent secret is not the same everywhere.
#[tokio::test]
async fn an_absent_secret_is_not_found_by_every_call() {
    let (provider, db) = (azure(), name("nobody"));
    let id = secrets_core::VersionId::new("0123").unwrap();
    let kinds = [
        kind(get(&provider, &db, VersionSelector::Current).await),
        kind(get(&provider, &db, VersionSelector::Previous).await),
        kind(get(&provider, &db, VersionSelector::Pending).await),
        kind(get(&provider, &db, VersionSelector::Id(id.clone())).await),
        kind(provider.describe_secret(&db).await),
        kind(provider.list_versions(&db, PageRequest::first()).await),
        kind(provider.delete_secret(&db, RECOVERABLE).await),
        kind(provider.delete_secret(&db, DeleteMode::Immediate).await),
        kind(provider.restore_secret(&db).await),
        kind(provider.purge_secret(&db).await),
        kind(provider.promote(&db, &id, &id, &token(1)).await),
        kind(provider.discard_pending(&db, &id).await),
        kind(provider.set_version_state(&db, &id, VersionState::Disabled).await),
        kind(provider.set_secret(&db, value("x"), SetOptions::pending()).await),
        kind(
            provider
                .update_metadata(&db, None, MetadataPatch::new().tag("a", "b"), Precondition::Any)
                .await,
        ),
    ];
    assert_eq!(kinds, [ErrorKind::NotFound; 15]);
}

/// Rows 11 to 14: a deletion has two phases.
#[tokio::test]
async fn a_deletion_is_in_neither_place_at_first() {
    let (builder, clock) = manual(Personality::Azure);
    let provider = builder.deleting_for(SIX).build().unwrap();
    let db = name("db");
    set(&provider, &db, "one").await;
    let Deleted::Recoverable(deletion) = provider.delete_secret(&db, RECOVERABLE).await.unwrap()
    else {
        panic!("not recoverable")
    };
    assert_eq!(deletion.purge_at, Some(clock.now() + 90 * DAY));
    // Row 12: 404 for about six seconds.
    assert_eq!(kind(provider.describe_secret(&db).await), ErrorKind::NotFound);
    assert_eq!(kind(get(&provider, &db, VersionSelector::Current).await), ErrorKind::NotFound);
    let early = error(provider.set_secret(&db, value("two"), SetOptions::new()).await);
    assert_eq!((early.kind(), early.retry()), (ErrorKind::PendingDeletion, Retry::Backoff));

    clock.advance(SIX);
    assert_eq!(provider.describe_secret(&db).await.unwrap().deletion, Some(deletion));
    assert_eq!(
        kind(get(&provider, &db, VersionSelector::Current).await),
        ErrorKind::PendingDeletion
    );
    // Row 14.
    let late = error(provider.set_secret(&db, value("two"), SetOptions::new()).await);
    assert_eq!((late.kind(), late.retry()), (ErrorKind::PendingDeletion, Retry::Never));
    assert_eq!(kind(provider.delete_secret(&db, RECOVERABLE).await), ErrorKind::PendingDeletion);
}

/// Rows 13, 15, 16, 17.
#[tokio::test]
async fn recovering_and_purging_wait_for_the_phases() {
    let (builder, clock) = manual(Personality::Azure);
    let provider = builder.deleting_for(SIX).recovering_for(FOUR).build().unwrap();
    let db = name("db");
    set(&provider, &db, "one").await;
    set_pending(&provider, &db, "two").await;
    let start = clock.now();
    provider.delete_secret(&db, RECOVERABLE).await.unwrap();
    provider.restore_secret(&db).await.unwrap();
    assert!(clock.now() >= start + SIX + FOUR, "the phases were not waited for");
    // Both are there again when the call returns.
    assert_eq!(text(&provider.outside().read(&db).unwrap()), "one");
    assert_eq!(text(&get(&provider, &db, VersionSelector::Pending).await.unwrap()), "two");

    let start = clock.now();
    let gone = provider.delete_secret(&db, DeleteMode::Immediate).await.unwrap();
    assert_eq!(gone, Deleted::Gone);
    assert!(clock.now() >= start + SIX);
    assert_eq!(kind(provider.describe_secret(&db).await), ErrorKind::NotFound);
    set(&provider, &db, "again").await;
    assert!(provider.outside().companions().is_empty());
}

/// Rows 13 and 15 as a caller meets them who brings nothing to wait with.
#[tokio::test]
async fn without_a_sleeper_a_phase_asks_to_come_back() {
    let (_, clock) = manual(Personality::Azure);
    let provider = MemoryProvider::builder(Personality::Azure)
        .clock(std::sync::Arc::new(clock.clone()))
        .deleting_for(SIX)
        .recovering_for(FOUR)
        .build()
        .unwrap();
    let db = name("db");
    set(&provider, &db, "one").await;
    let early = error(provider.delete_secret(&db, DeleteMode::Immediate).await);
    assert_eq!(early.kind(), ErrorKind::Conflict);
    assert!(matches!(early.retry(), Retry::After(_)));
    assert_eq!(early.effect(), secrets_core::Effect::Partial);
    assert_eq!(kind(provider.purge_secret(&db).await), ErrorKind::Conflict);
    clock.advance(SIX);
    assert_eq!(kind(provider.restore_secret(&db).await), ErrorKind::Conflict);
    // Row 16: recovered, and for four seconds like one that is missing.
    assert_eq!(kind(provider.outside().read(&db)), ErrorKind::NotFound);
    let recovering = error(provider.set_secret(&db, value("two"), SetOptions::new()).await);
    assert_eq!((recovering.kind(), recovering.retry()), (ErrorKind::Conflict, Retry::Backoff));
    clock.advance(FOUR);
    assert_eq!(text(&provider.outside().read(&db).unwrap()), "one");
}

/// A phase that takes no time is over, whatever the clock does afterwards.
#[tokio::test]
async fn a_clock_that_jumps_back_begins_no_phase_anew() {
    let (builder, clock) = manual(Personality::Azure);
    let (provider, db) = (builder.build().unwrap(), name("db"));
    let back = || clock.set(clock.now() - DAY);
    set(&provider, &db, "one").await;
    provider.delete_secret(&db, RECOVERABLE).await.unwrap();
    back();
    assert!(provider.describe_secret(&db).await.unwrap().deletion.is_some());
    provider.restore_secret(&db).await.unwrap();
    back();
    assert_eq!(text(&provider.outside().read(&db).unwrap()), "one");
    set(&provider, &db, "two").await;
}

#[tokio::test]
async fn deleted_secrets_are_kept_for_the_vaults_time_only() {
    let (builder, clock) = manual(Personality::Azure);
    let provider = builder.recovery_window(7 * DAY).build().unwrap();
    let db = name("db");
    set(&provider, &db, "one").await;
    let before = requests(&provider);
    let other = DeleteMode::Recoverable { window: Some(8 * DAY) };
    assert_eq!(kind(provider.delete_secret(&db, other).await), ErrorKind::Unsupported);
    assert_eq!(requests(&provider), before);
    let own = DeleteMode::Recoverable { window: Some(7 * DAY) };
    provider.delete_secret(&db, own).await.unwrap();
    clock.advance(7 * DAY);
    assert_eq!(kind(provider.restore_secret(&db).await), ErrorKind::NotFound);
    set(&provider, &db, "again").await;
}

/// Row 18.
#[tokio::test]
async fn a_protected_vault_purges_nothing() {
    let builder = MemoryProvider::builder(Personality::Azure);
    let (provider, db) = (builder.purge_protection().build().unwrap(), name("db"));
    set(&provider, &db, "one").await;
    let gone = provider.delete_secret(&db, DeleteMode::Immediate).await;
    assert_eq!(kind(gone), ErrorKind::Unsupported);
    provider.delete_secret(&db, RECOVERABLE).await.unwrap();
    assert_eq!(kind(provider.purge_secret(&db).await), ErrorKind::PermissionDenied);
    provider.restore_secret(&db).await.unwrap();
}

/// Row 23, and names that differ by case alone.
#[tokio::test]
async fn names_ignore_case() {
    let provider = azure();
    let native = |id: &str| SecretRef::from(NativeId::new(id).unwrap());
    provider.outside().write(&native("Billing"), value("one")).unwrap();
    assert_eq!(
        text(&get(&provider, &name("billing"), VersionSelector::Current).await.unwrap()),
        "one"
    );
    set(&provider, &native("BILLING"), "two").await;
    assert_eq!(provider.outside().names(), ["Billing"]);
    let shouted = get(&provider, &native("BILLING"), VersionSelector::Current).await.unwrap();
    assert_eq!(text(&shouted), "two");
    let listed = drain(provider.secrets(SecretFilter::all())).await.unwrap();
    assert_eq!(listed[0].reference, name("billing"));

    // A companion is one in capitals, too.
    for unfit in ["billing-pending", "Billing-Pending", "a_b", "a/b", &"x".repeat(128)] {
        let refused = get(&provider, &native(unfit), VersionSelector::Current).await;
        assert_eq!(kind(refused), ErrorKind::InvalidName, "{unfit}");
    }
}

#[tokio::test]
async fn a_foreign_name_has_no_pending_value() {
    let provider = azure();
    let foreign = SecretRef::from(NativeId::new("a-b").unwrap());
    set(&provider, &foreign, "one").await;
    let pending = provider.set_secret(&foreign, value("two"), SetOptions::pending()).await;
    assert_eq!(kind(pending), ErrorKind::Unsupported);
    assert_eq!(provider.outside().names(), ["a-b"]);
}

/// Row 24, and whose business it is.
#[tokio::test]
async fn bounds_of_validity_are_the_versions_and_informational() {
    let (builder, clock) = manual(Personality::Azure);
    let (provider, db) = (builder.build().unwrap(), name("db"));
    let end = clock.now() + Duration::from_millis(2_500);
    let start = clock.now() + Duration::from_millis(1_500);
    let bounds = MetadataPatch::new().expires(Change::Set(end)).not_before(Change::Set(start));
    let options = SetOptions::new().with_metadata(bounds.clone());
    provider.set_secret(&db, value("one"), options).await.unwrap();
    clock.advance(DAY);
    let expired = get(&provider, &db, VersionSelector::Current).await.unwrap();
    // Whole seconds on the wire: the start is moved up, the end down.
    assert_eq!(expired.version.expires, Some(end - Duration::from_millis(500)));
    assert_eq!(expired.version.not_before, Some(start + Duration::from_millis(500)));
    assert_eq!(kind(expired.version.check_validity(clock.now())), ErrorKind::Expired);

    // The next version has none, unless it is given some; a pending one has its own.
    let base = set(&provider, &db, "two").await;
    let pending = SetOptions::pending().with_metadata(bounds);
    let pending = provider.set_secret(&db, value("three"), pending).await.unwrap();
    assert_eq!(pending.expires, Some(end - Duration::from_millis(500)));
    let second = get(&provider, &db, VersionSelector::Current).await.unwrap();
    assert_eq!(second.version.expires, None);
    provider.promote(&db, &pending.id, &base, &token(1)).await.unwrap();
    let third = get(&provider, &db, VersionSelector::Current).await.unwrap();
    assert_eq!(third.version.expires, pending.expires);

    let cleared = MetadataPatch::new().expires(Change::Clear);
    let id = third.version.id;
    provider.update_metadata(&db, Some(&id), cleared, Precondition::Any).await.unwrap();
    let third = get(&provider, &db, VersionSelector::Current).await.unwrap();
    assert_eq!(third.version.expires, None);
    assert_eq!(third.version.not_before, Some(start + Duration::from_millis(500)));
}

#[tokio::test]
async fn a_value_has_25600_characters() {
    let (provider, db) = (azure(), name("db"));
    let put = |value| provider.set_secret(&db, value, SetOptions::new());
    // Characters, not bytes.
    put(value(&"ü".repeat(25_600))).await.unwrap();
    assert_eq!(kind(put(value(&"x".repeat(25_601))).await), ErrorKind::TooLarge);
    // What is no text is encoded, four characters for three bytes.
    let bytes = |len| SecretValue::from_vec(vec![0xfe; len]);
    assert_eq!(kind(put(bytes(19_201)).await), ErrorKind::TooLarge);
    put(bytes(19_200)).await.unwrap();
    let back = get(&provider, &db, VersionSelector::Current).await.unwrap();
    assert!(back.value.ct_eq(&bytes(19_200)));
    put(value("")).await.unwrap();
    assert!(get(&provider, &db, VersionSelector::Current).await.unwrap().value.is_empty());
    put(value("a\0b").with_content_type("text/plain")).await.unwrap();
    let back = get(&provider, &db, VersionSelector::Current).await.unwrap();
    assert_eq!(back.value.expose_secret(), b"a\0b");
    assert_eq!(back.value.content_type(), Some("text/plain"));
    let reserved = value("x").with_content_type("application/x-mainstay-base64");
    assert_eq!(kind(put(reserved).await), ErrorKind::InvalidValue);
}

/// A media type that somebody else chose does not keep our writes out.
#[tokio::test]
async fn a_media_type_has_255_characters() {
    let (provider, db) = (azure(), name("db"));
    let longest = "x".repeat(255);
    let foreign = |len: usize| value("one").with_content_type("x".repeat(len));
    let refused = provider.outside().write(&db, foreign(256));
    assert_eq!(kind(refused), ErrorKind::InvalidValue);
    provider.outside().write(&db, foreign(255)).unwrap();
    set(&provider, &db, "two").await;
    let current = get(&provider, &db, VersionSelector::Current).await.unwrap();
    assert_eq!((text(&current), current.value.content_type()), ("two", Some(&*longest)));
    let put = |value| provider.set_secret(&db, value, SetOptions::new());
    assert_eq!(kind(put(foreign(256)).await), ErrorKind::InvalidValue);
    // What is no text needs room to say so.
    let bytes = || SecretValue::copy_from_slice(b"\xff");
    assert_eq!(kind(put(bytes()).await), ErrorKind::InvalidValue);
    put(bytes().with_content_type("x".repeat(200))).await.unwrap();
}

/// The companion goes where its secret goes; one that was left deleted is recovered before reuse.
#[tokio::test]
async fn a_deleted_companion_is_recovered_before_reuse() {
    let (builder, _) = manual(Personality::Azure);
    let provider = builder.deleting_for(SIX).recovering_for(FOUR).build().unwrap();
    let db = name("db");
    set(&provider, &db, "one").await;
    set_pending(&provider, &db, "two").await;
    provider.outside().delete_named("db-pending").unwrap();
    assert_eq!(kind(get(&provider, &db, VersionSelector::Pending).await), ErrorKind::NotFound);
    set_pending(&provider, &db, "three").await;
    assert_eq!(text(&get(&provider, &db, VersionSelector::Pending).await.unwrap()), "three");
    assert_eq!(provider.health().await.unwrap().status, HealthStatus::Healthy);

    // Somebody deletes the secret and forgets its companion.
    provider.outside().delete(&db).unwrap();
    let health = provider.health().await.unwrap();
    assert_eq!(health.status, HealthStatus::Degraded);
}

#[tokio::test]
async fn deleted_secrets_have_a_list_of_their_own() {
    let page = std::num::NonZeroU32::new(2).unwrap();
    let builder = MemoryProvider::builder(Personality::Azure).page_size(page);
    let provider = builder.build().unwrap();
    for number in 0..5 {
        let reference = name(&format!("s{number}"));
        set(&provider, &reference, "v").await;
        set_pending(&provider, &reference, "w").await;
        if number % 2 == 0 {
            provider.delete_secret(&reference, RECOVERABLE).await.unwrap();
        }
    }
    let list = async |deleted| {
        let filter = SecretFilter::prefix("s").with_deleted(deleted);
        let infos = drain(provider.secrets(filter)).await.unwrap();
        let shown =
            infos.iter().map(|info| format!("{} {}", info.reference, info.deletion.is_some()));
        shown.collect::<Vec<_>>()
    };
    assert_eq!(list(DeletedSecrets::Exclude).await, ["s1 false", "s3 false"]);
    assert_eq!(list(DeletedSecrets::Only).await, ["s0 true", "s2 true", "s4 true"]);
    let all = ["s1 false", "s3 false", "s0 true", "s2 true", "s4 true"];
    assert_eq!(list(DeletedSecrets::Include).await, all);
}

/// The list is in the order of the ids, and times are whole seconds.
#[tokio::test]
async fn the_order_of_versions_says_nothing() {
    let (builder, clock) = manual(Personality::Azure);
    let (provider, db) = (builder.seed(11).build().unwrap(), name("db"));
    let mut written = Vec::new();
    for number in 0..8 {
        clock.advance(Duration::from_millis(100));
        written.push(set(&provider, &db, &number.to_string()).await);
    }
    let versions = drain(provider.versions(db.clone())).await.unwrap();
    let listed: Vec<_> = versions.iter().map(|version| version.id.clone()).collect();
    assert_ne!(listed, written);
    let mut sorted = written.clone();
    sorted.sort();
    assert_eq!(listed, sorted);
    let times: std::collections::BTreeSet<_> = versions.iter().map(|v| v.created).collect();
    assert_eq!(times.len(), 1);
    let current = versions.iter().find(|version| version.stages.contains(Stage::Current)).unwrap();
    assert_eq!(Some(&current.id), written.last());
}

/// Pages with the pending version among them keep to their size and miss nothing.
#[tokio::test]
async fn versions_come_in_pages_of_the_asked_size() {
    for personality in [Personality::Azure, Personality::Google] {
        let (provider, db) = (MemoryProvider::new(personality), name("db"));
        for number in 0..4 {
            set(&provider, &db, &number.to_string()).await;
        }
        set_pending(&provider, &db, "pending").await;
        for limit in 1..7 {
            let limit = std::num::NonZeroU32::new(limit).unwrap();
            let mut request = PageRequest::first().with_limit(limit);
            let mut ids = std::collections::BTreeSet::new();
            loop {
                let page = provider.list_versions(&db, request).await.unwrap();
                assert!(page.items.len() <= limit.get() as usize);
                for version in page.items {
                    assert!(ids.insert(version.id));
                }
                let Some(next) = page.next else { break };
                request = PageRequest::after(next).with_limit(limit);
            }
            assert_eq!(ids.len(), 5, "{personality:?}");
        }
    }
}

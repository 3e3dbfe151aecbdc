//! AWS Secrets Manager: one test for each rule of its interface (the API reference's own pages).

use std::num::NonZeroU32;
use std::time::Duration;

use secrets_core::memory::{MemoryProvider, Outcome, Personality};
use secrets_core::{
    Change, Clock, DeleteMode, Deleted, ErrorKind, GetOptions, MetadataPatch, NativeId, Operation,
    PageRequest, Precondition, Retry, SecretFilter, SecretProvider, SecretProviderExt, SecretRef,
    SecretValue, SetOptions, Stage, StageSet, VersionSelector, VersionState,
};

use super::support::{
    DAY, drain, error, get, kind, manual, name, requests, set, set_pending, text, token, value,
};

fn aws() -> MemoryProvider {
    MemoryProvider::new(Personality::Aws)
}

const RECOVERABLE: DeleteMode = DeleteMode::Recoverable { window: None };

#[tokio::test]
async fn labels_move_with_every_current_write() {
    let (provider, db) = (aws(), name("db"));
    let ids = [
        set(&provider, &db, "one").await,
        set(&provider, &db, "two").await,
        set(&provider, &db, "three").await,
    ];
    let versions = drain(provider.versions(db.clone())).await.unwrap();
    let stages = |id| versions.iter().find(|version| &version.id == id).unwrap().stages;
    assert_eq!(stages(&ids[0]), StageSet::EMPTY);
    assert_eq!(stages(&ids[1]), StageSet::EMPTY.with(Stage::Previous));
    assert_eq!(stages(&ids[2]), StageSet::EMPTY.with(Stage::Current));
    // A version without a label is still there by its id.
    let oldest = get(&provider, &db, VersionSelector::Id(ids[0].clone())).await.unwrap();
    assert_eq!(text(&oldest), "one");
}

#[tokio::test]
async fn the_token_is_the_version_id() {
    let (provider, db) = (aws(), name("db"));
    let options = SetOptions::new().with_token(token(3));
    let info = provider.set_secret(&db, value("one"), options).await.unwrap();
    assert_eq!(info.id.as_str(), token(3).as_str());
}

#[tokio::test]
async fn a_conditional_write_leaves_no_label_of_ours_behind() {
    let (provider, db) = (aws(), name("db"));
    let base = set(&provider, &db, "one").await;
    let over = SetOptions::new().when(Precondition::CurrentIs(base.clone()));
    provider.set_secret(&db, value("two"), over.clone()).await.unwrap();
    assert_eq!(kind(provider.set_secret(&db, value("x"), over).await), ErrorKind::Conflict);
    let versions = drain(provider.versions(db.clone())).await.unwrap();
    assert_eq!(versions.len(), 2, "{versions:?}");
    assert_eq!(text(&get(&provider, &db, VersionSelector::Previous).await.unwrap()), "one");
}

#[tokio::test]
async fn a_rotation_without_a_value_reads_as_absent_and_cannot_be_promoted() {
    let (provider, db) = (aws(), name("db"));
    let base = set(&provider, &db, "one").await;
    let empty = provider.outside().begin_rotation(&db).unwrap();
    assert_eq!(kind(get(&provider, &db, VersionSelector::Pending).await), ErrorKind::NotFound);
    let versions = drain(provider.versions(db.clone())).await.unwrap();
    let found = versions.iter().find(|version| version.id == empty).unwrap();
    assert_eq!(found.state, VersionState::Empty);
    assert!(found.stages.contains(Stage::Pending));
    // The label stays where it is until that rotation ends.
    assert_eq!(kind(provider.outside().begin_rotation(&db)), ErrorKind::Conflict);
    assert_eq!(provider.describe_secret(&db).await.unwrap().pending, Some(empty.clone()));

    // Moving AWSCURRENT there would leave every reader without a secret.
    let promoted = provider.promote(&db, &empty, &base, &token(1)).await;
    assert_eq!(kind(promoted), ErrorKind::NotFound);
    assert_eq!(text(&provider.outside().read(&db).unwrap()), "one");
    provider.discard_pending(&db, &empty).await.unwrap();
    assert_eq!(provider.describe_secret(&db).await.unwrap().pending, None);
    assert_ne!(provider.outside().begin_rotation(&db).unwrap(), empty);
}

#[tokio::test]
async fn nothing_is_pending_where_nothing_is_current() {
    // The service makes the first version AWSCURRENT whatever label is asked for.
    let (provider, db) = (aws(), name("db"));
    let pending = provider.set_secret(&db, value("untested"), SetOptions::pending()).await;
    assert_eq!(kind(pending), ErrorKind::NotFound);
    assert_eq!(kind(provider.outside().read(&db)), ErrorKind::NotFound);
}

#[tokio::test]
async fn pending_stays_until_it_is_promoted_discarded_or_replaced() {
    let (provider, db) = (aws(), name("db"));
    let base = set(&provider, &db, "one").await;
    let first = set_pending(&provider, &db, "two").await;
    let second = set_pending(&provider, &db, "three").await;
    assert_eq!(provider.describe_secret(&db).await.unwrap().pending.as_ref(), Some(&second));
    assert_eq!(kind(provider.discard_pending(&db, &first).await), ErrorKind::Conflict);
    let other = provider.promote(&db, &first, &base, &token(1)).await;
    assert_eq!(kind(other), ErrorKind::NotFound);
    let stale = provider.promote(&db, &second, &first, &token(1)).await;
    assert_eq!(kind(stale), ErrorKind::Conflict);
    provider.discard_pending(&db, &second).await.unwrap();
    provider.discard_pending(&db, &second).await.unwrap();
    assert_eq!(kind(get(&provider, &db, VersionSelector::Pending).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_scheduled_deletion_refuses_reads_and_writes_and_is_described() {
    let (builder, clock) = manual(Personality::Aws);
    let (provider, db) = (builder.build().unwrap(), name("db"));
    set(&provider, &db, "one").await;
    let Deleted::Recoverable(deletion) = provider.delete_secret(&db, RECOVERABLE).await.unwrap()
    else {
        panic!("not recoverable")
    };
    assert_eq!(deletion.purge_at, Some(clock.now() + 30 * DAY));

    let absent = SetOptions::new().when(Precondition::Absent);
    let refused = [
        kind(get(&provider, &db, VersionSelector::Current).await),
        kind(provider.set_secret(&db, value("two"), SetOptions::new()).await),
        kind(provider.set_secret(&db, value("two"), absent).await),
        kind(provider.set_secret(&db, value("two"), SetOptions::pending()).await),
        kind(provider.delete_secret(&db, RECOVERABLE).await),
        kind(provider.outside().read(&db)),
    ];
    assert_eq!(refused, [ErrorKind::PendingDeletion; 6]);
    assert_eq!(provider.describe_secret(&db).await.unwrap().deletion, Some(deletion));

    provider.restore_secret(&db).await.unwrap();
    assert_eq!(text(&provider.outside().read(&db).unwrap()), "one");
    assert_eq!(kind(provider.restore_secret(&db).await), ErrorKind::NotFound);
    assert_eq!(kind(provider.purge_secret(&db).await), ErrorKind::NotFound);
    assert_eq!(text(&provider.outside().read(&db).unwrap()), "one");
}

#[tokio::test]
async fn a_window_is_7_to_30_whole_days_and_ends() {
    let (builder, clock) = manual(Personality::Aws);
    let (provider, db) = (builder.build().unwrap(), name("db"));
    set(&provider, &db, "one").await;
    for window in [6 * DAY, 31 * DAY, 8 * DAY + Duration::from_secs(1)] {
        let mode = DeleteMode::Recoverable { window: Some(window) };
        let before = requests(&provider);
        assert_eq!(kind(provider.delete_secret(&db, mode).await), ErrorKind::Unsupported);
        assert_eq!(requests(&provider), before);
    }
    let mode = DeleteMode::Recoverable { window: Some(7 * DAY) };
    provider.delete_secret(&db, mode).await.unwrap();
    clock.advance(7 * DAY - Duration::from_secs(1));
    assert!(provider.describe_secret(&db).await.is_ok());
    clock.advance(Duration::from_secs(1));
    assert_eq!(kind(provider.describe_secret(&db).await), ErrorKind::NotFound);
    assert_eq!(kind(provider.restore_secret(&db).await), ErrorKind::NotFound);
    set(&provider, &db, "again").await;
    assert_eq!(drain(provider.versions(db)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_forced_deletion_takes_effect_later_and_is_waited_for() {
    let delay = Duration::from_secs(5);
    let (builder, clock) = manual(Personality::Aws);
    let (provider, db) = (builder.deleting_for(delay).build().unwrap(), name("db"));
    set(&provider, &db, "one").await;
    let start = clock.now();
    let deleted = provider.delete_secret(&db, DeleteMode::Immediate).await.unwrap();
    assert_eq!(deleted, Deleted::Gone);
    assert_eq!(clock.now(), start + delay);
    set(&provider, &db, "two").await;

    // Of an absent name AWS says that it succeeded: the contract says NotFound.
    let absent = provider.delete_secret(&name("nobody"), DeleteMode::Immediate).await;
    assert_eq!(kind(absent), ErrorKind::NotFound);
}

#[tokio::test]
async fn without_a_sleeper_a_deletion_asks_to_come_back() {
    let builder = MemoryProvider::builder(Personality::Aws).deleting_for(DAY);
    let (provider, db) = (builder.build().unwrap(), name("db"));
    set(&provider, &db, "one").await;
    let error = error(provider.delete_secret(&db, DeleteMode::Immediate).await);
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Conflict, Retry::After(DAY)));
    assert_eq!(error.effect(), secrets_core::Effect::Partial);
    assert_eq!(kind(provider.restore_secret(&db).await), ErrorKind::PendingDeletion);
}

#[tokio::test]
async fn a_purge_makes_a_scheduled_deletion_final() {
    let (provider, db) = (aws(), name("db"));
    set(&provider, &db, "one").await;
    provider.delete_secret(&db, RECOVERABLE).await.unwrap();
    provider.purge_secret(&db).await.unwrap();
    assert_eq!(kind(provider.describe_secret(&db).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn unlabelled_versions_above_a_hundred_go_once_they_are_a_day_old() {
    let (builder, clock) = manual(Personality::Aws);
    let (provider, db) = (builder.build().unwrap(), name("db"));
    let first = set(&provider, &db, "0").await;
    for number in 1..150 {
        clock.advance(Duration::from_secs(1));
        set(&provider, &db, &number.to_string()).await;
    }
    // All are younger than a day.
    assert_eq!(drain(provider.versions(db.clone())).await.unwrap().len(), 150);
    clock.advance(DAY);
    set(&provider, &db, "150").await;
    assert_eq!(drain(provider.versions(db.clone())).await.unwrap().len(), 100);
    let gone = get(&provider, &db, VersionSelector::Id(first)).await;
    assert_eq!(kind(gone), ErrorKind::NotFound);
    assert_eq!(text(&get(&provider, &db, VersionSelector::Previous).await.unwrap()), "149");
}

#[tokio::test]
async fn a_batch_takes_twenty_current_values_and_fails_one_by_one() {
    let provider = aws();
    let mut wanted = Vec::new();
    for number in 0..61 {
        let reference = name(&format!("s{number}"));
        if number != 7 {
            set(&provider, &reference, &number.to_string()).await;
        }
        wanted.push((reference, GetOptions::default()));
    }
    set(&provider, &name("s3"), "newer").await;
    wanted.push((name("s3"), GetOptions::version(VersionSelector::Previous)));
    let answers = provider.get_secrets(&wanted).await.unwrap();
    for (number, answer) in answers.iter().enumerate() {
        match (number, answer) {
            (7, Err(error)) => assert_eq!(error.kind(), ErrorKind::NotFound),
            (3, Ok(secret)) => assert_eq!(text(secret), "newer"),
            (61, Ok(secret)) => assert_eq!(text(secret), "3"),
            (_, Ok(secret)) => assert_eq!(text(secret), number.to_string()),
            (_, Err(error)) => panic!("{number}: {error}"),
        }
    }
    let log = provider.log();
    let made = |request| log.iter().filter(|entry| entry.request == request).count();
    assert_eq!((made("BatchGetSecretValue"), made("GetSecretValue")), (4, 1));
}

#[tokio::test]
async fn a_value_has_1_to_65536_bytes() {
    let (provider, db) = (aws(), name("db"));
    let of = |len| SecretValue::from_vec(vec![0xff; len]);
    let put = |value| provider.set_secret(&db, value, SetOptions::new());
    assert_eq!(kind(put(of(0)).await), ErrorKind::InvalidValue);
    assert_eq!(kind(put(of(65_537)).await), ErrorKind::TooLarge);
    assert_eq!(kind(put(of((1 << 20) + 1)).await), ErrorKind::TooLarge);
    put(of(65_536)).await.unwrap();
    let back = get(&provider, &db, VersionSelector::Current).await.unwrap();
    assert!(back.value.ct_eq(&of(65_536)));
}

#[tokio::test]
async fn fifty_tags_are_the_most_and_are_checked_before_the_value_is_written() {
    let (provider, db) = (aws(), name("db"));
    set(&provider, &db, "one").await;
    let fifty = (0..50).fold(MetadataPatch::new(), |patch, n| patch.tag(format!("t{n}"), "v"));
    provider.update_metadata(&db, None, fifty, Precondition::Any).await.unwrap();
    let more = || MetadataPatch::new().tag("one-more", "v");
    let refused = provider.update_metadata(&db, None, more(), Precondition::Any).await;
    assert_eq!(kind(refused), ErrorKind::InvalidValue);
    let options = SetOptions::new().with_metadata(more());
    assert_eq!(
        kind(provider.set_secret(&db, value("two"), options).await),
        ErrorKind::InvalidValue
    );
    assert_eq!(text(&provider.outside().read(&db).unwrap()), "one");
    for patch in [MetadataPatch::new().tag("aws:x", "v"), MetadataPatch::new().tag("", "v")] {
        let refused = provider.update_metadata(&db, None, patch, Precondition::Any).await;
        assert_eq!(kind(refused), ErrorKind::InvalidValue);
    }
    // One out, one in.
    let exchanged = more().untag("t0").description(Change::Set("what for".to_owned()));
    provider.update_metadata(&db, None, exchanged, Precondition::Any).await.unwrap();
    let info = provider.describe_secret(&db).await.unwrap();
    assert_eq!((info.tags.len(), info.description.as_deref()), (50, Some("what for")));
    let cleared = MetadataPatch::new().description(Change::Clear);
    provider.update_metadata(&db, None, cleared, Precondition::Any).await.unwrap();
    assert_eq!(provider.describe_secret(&db).await.unwrap().description, None);
}

#[tokio::test]
async fn what_aws_does_not_have_is_unsupported_before_any_request() {
    let (provider, db) = (aws(), name("db"));
    let id = set(&provider, &db, "one").await;
    let before = requests(&provider);
    let expiry = MetadataPatch::new().expires(Change::Set(std::time::SystemTime::UNIX_EPOCH));
    let update = |version, patch| provider.update_metadata(&db, version, patch, Precondition::Any);
    let etag = Precondition::Etag(secrets_core::Etag::Secret("1".into()));
    let guarded = SetOptions::new().when(etag);
    let kinds = [
        kind(provider.set_version_state(&db, &id, VersionState::Disabled).await),
        kind(provider.set_version_state(&db, &id, VersionState::Destroyed).await),
        kind(update(None, expiry).await),
        kind(update(Some(&id), MetadataPatch::new().tag("k", "v")).await),
        kind(provider.set_secret(&db, value("two"), guarded).await),
    ];
    assert_eq!(kinds, [ErrorKind::Unsupported; 5]);
    assert_eq!(requests(&provider), before);
    let empty = provider.set_version_state(&db, &id, VersionState::Empty).await;
    assert_eq!(kind(empty), ErrorKind::InvalidValue);
}

#[tokio::test]
async fn foreign_names_are_listed_and_read_as_native() {
    let provider = aws();
    let native = |id: &str| SecretRef::from(NativeId::new(id).unwrap());
    set(&provider, &native("Prod/DB+Main@v1"), "one").await;
    set(&provider, &name("prod/db"), "two").await;
    let listed = drain(provider.secrets(SecretFilter::all())).await.unwrap();
    let references: Vec<SecretRef> = listed.into_iter().map(|info| info.reference).collect();
    assert_eq!(references, [native("Prod/DB+Main@v1"), name("prod/db")]);
    // A native id that is the form of a name is that secret.
    let same = get(&provider, &native("prod/db"), VersionSelector::Current).await.unwrap();
    assert_eq!(text(&same), "two");
    for unfit in ["arn:aws:secretsmanager:eu-west-1:1:secret:x", "a b", "a\\b"] {
        let refused = get(&provider, &native(unfit), VersionSelector::Current).await;
        assert_eq!(kind(refused), ErrorKind::InvalidName, "{unfit}");
    }
}

#[tokio::test]
async fn lists_come_in_pages_whose_tokens_fit_one_list_only() {
    let page = NonZeroU32::new(3).unwrap();
    let provider = MemoryProvider::builder(Personality::Aws).page_size(page).build().unwrap();
    for number in 0..10 {
        set(&provider, &name(&format!("s{number}")), "v").await;
    }
    let all = drain(provider.secrets(SecretFilter::all())).await.unwrap();
    assert_eq!(all.len(), 10);
    assert_eq!(provider.calls(Operation::ListSecrets), 4);
    let none = SecretFilter::prefix("zzz");
    assert!(drain(provider.secrets(none.clone())).await.unwrap().is_empty());

    let first = provider.list_secrets(&SecretFilter::all(), PageRequest::first()).await.unwrap();
    let after = PageRequest::after(first.next.unwrap());
    assert_eq!(kind(provider.list_secrets(&none, after.clone()).await), ErrorKind::InvalidValue);
    let versions = provider.list_versions(&name("s1"), after).await;
    assert_eq!(kind(versions), ErrorKind::InvalidValue);
    let garbage = PageRequest::after(secrets_core::PageToken::new("garbage"));
    let refused = provider.list_secrets(&SecretFilter::all(), garbage).await;
    assert_eq!(kind(refused), ErrorKind::InvalidValue);
}

#[tokio::test]
async fn requests_are_logged_with_the_codes_of_the_wire() {
    let (provider, db) = (aws(), name("db"));
    set(&provider, &db, "one").await;
    let shown: Vec<String> = provider.log().iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "set_secret#1.1 PutSecretValue db refused: ResourceNotFoundException",
            "set_secret#1.2 CreateSecret db done",
            "set_secret#1 db done",
        ]
    );
    assert_eq!(provider.log()[1].outcome, Outcome::Done);
}

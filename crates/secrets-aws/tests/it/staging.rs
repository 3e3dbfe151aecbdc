//! Labels: what is pending stays hidden, and of several writers one wins.

use std::time::Duration;

use aws_double::Fault;
use secrets_core::{
    DeleteMode, Effect, ErrorKind, GetOptions, IdempotencyKey, MetadataPatch, Precondition,
    SecretProvider, SetOptions, Stage, VersionId, VersionSelector,
};
use serde_json::json;

use super::support::{OnDouble, name, text};

fn token(seed: u8) -> IdempotencyKey {
    IdempotencyKey::from_random([seed; 16])
}

/// AWS makes the first version of a secret current whatever label is asked for: a pending value is
/// refused where there is none to protect it, before anything is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_version_is_never_staged() {
    let on = OnDouble::start().await;
    on.boto3("CreateSecret", json!({ "Name": "empty" })).await;
    on.settle();
    for id in ["empty", "absent"] {
        let (id, pending) = (name(id), SetOptions::pending());
        let staged = on.provider.set_secret(&id, text("untested"), pending).await;
        assert_eq!(staged.unwrap_err().kind(), ErrorKind::NotFound);
        let upon = Precondition::CurrentIs(VersionId::new(&"0".repeat(36)).unwrap());
        let upon = SetOptions::new().when(upon);
        let written = on.provider.set_secret(&id, text("untested"), upon).await;
        assert_eq!(written.unwrap_err().kind(), ErrorKind::Conflict);
    }
    assert_eq!(on.double.calls().count("PutSecretValue"), 0);
    on.settle();
    let read = on.provider.get_secret(&name("empty"), GetOptions::default()).await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::NotFound);
}

/// Two rotators stage and promote at once: one value is current in the end, and no more than one
/// of them is told that it succeeded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_promote_at_once_one_wins() {
    let on = OnDouble::start().await;
    for round in 0..6_u8 {
        let id = name(&format!("raced/{round}"));
        let base = on.provider.set_secret(&id, text("base"), SetOptions::new()).await.unwrap();
        on.settle();
        let rotate = async |value: &str, pause: u64| {
            let staged = on.provider.set_secret(&id, text(value), SetOptions::pending()).await?;
            tokio::time::sleep(Duration::from_millis(pause)).await;
            on.provider.promote(&id, &staged.id, &base.id, &token(round)).await
        };
        let (one, other) = tokio::join!(rotate("one", u64::from(round)), rotate("other", 3));
        let won: Vec<_> = [&one, &other].into_iter().filter_map(|it| it.as_ref().ok()).collect();
        assert!(won.len() <= 1, "{one:?} {other:?}");
        for lost in [&one, &other].into_iter().filter_map(|it| it.as_ref().err()) {
            assert!(matches!(lost.kind(), ErrorKind::Conflict | ErrorKind::NotFound), "{lost:?}");
        }
        on.settle();
        let current = on.provider.get_secret(&id, GetOptions::default()).await.unwrap();
        let expected = won.first().map_or(&base.id, |won| &won.current);
        assert_eq!(&current.version.id, expected);
    }
}

/// A staged value is promoted at once, although reads do not show it yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_that_lag_do_not_refuse_a_promotion() {
    let on = OnDouble::start().await;
    let id = name("db");
    let base = on.provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap();
    let staged = on.provider.set_secret(&id, text("2"), SetOptions::pending()).await.unwrap();
    let promoted = on.provider.promote(&id, &staged.id, &base.id, &token(1)).await.unwrap();
    let again = on.provider.promote(&id, &staged.id, &base.id, &token(1)).await.unwrap();
    assert_eq!(promoted, again);
    let upon = SetOptions::new().when(Precondition::CurrentIs(staged.id));
    on.provider.set_secret(&id, text("3"), upon).await.unwrap();
    let staged = on.provider.set_secret(&id, text("4"), SetOptions::pending()).await.unwrap();
    on.provider.discard_pending(&id, &staged.id).await.unwrap();
    on.settle();
    let current = on.provider.get_secret(&id, GetOptions::default()).await.unwrap();
    assert!(current.value.ct_eq(&text("3")));
    let waits = GetOptions::version(VersionSelector::Pending);
    let waits = on.provider.get_secret(&id, waits).await;
    assert_eq!(waits.unwrap_err().kind(), ErrorKind::NotFound);
}

/// A promotion that is repeated is the same one, or none: from another base it is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_is_repeated_from_its_own_base_alone() {
    let on = OnDouble::start().await;
    let id = name("db");
    let older = on.provider.set_secret(&id, text("0"), SetOptions::new()).await.unwrap();
    let base = on.provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap();
    let staged = on.provider.set_secret(&id, text("2"), SetOptions::pending()).await.unwrap();
    on.settle();
    on.provider.promote(&id, &staged.id, &base.id, &token(1)).await.unwrap();
    on.settle();
    let refused = on.provider.promote(&id, &staged.id, &older.id, &token(1)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    on.provider.promote(&id, &staged.id, &base.id, &token(1)).await.unwrap();
}

/// A secret is changed, deleted and written again at once, although reads do not show it yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_that_lag_do_not_deny_a_new_secret() {
    let on = OnDouble::start().await;
    let id = name("db");
    on.provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap();
    let patch = MetadataPatch::new().tag("team", "blue");
    let updated = on.provider.update_metadata(&id, None, patch.clone(), Precondition::Any).await;
    updated.unwrap();
    let new = name("new");
    on.provider.set_secret(&new, text("1"), SetOptions::new()).await.unwrap();
    on.provider.delete_secret(&new, DeleteMode::Immediate).await.unwrap();
    let absent = name("absent");
    let refused = on.provider.update_metadata(&absent, None, patch, Precondition::Any).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
}

/// A refused conditional write leaves no label and no pending value behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conditional_write_that_loses_cleans_up() {
    let on = OnDouble::start().await;
    let id = name("db");
    let base = on.provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap();
    on.settle();
    // Somebody writes between the look and the move: reads still show the base.
    on.boto3("PutSecretValue", json!({ "SecretId": "db", "SecretString": "foreign" })).await;
    let upon = SetOptions::new().when(Precondition::CurrentIs(base.id));
    let lost = on.provider.set_secret(&id, text("2"), upon).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Conflict);
    assert_eq!(lost.effect(), Effect::NotApplied);
    on.settle();
    let described = on.boto3("DescribeSecret", json!({ "SecretId": "db" })).await;
    let labels = described["VersionIdsToStages"].to_string();
    assert!(!labels.contains("mainstay") && !labels.contains("AWSPENDING"), "{labels}");
    let current = on.provider.get_secret(&id, GetOptions::default()).await.unwrap();
    assert!(current.value.ct_eq(&text("foreign")));
}

/// A conditional write is repeated after somebody went back behind it: it was made, and does not
/// become current once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conditional_write_repeated_after_a_roll_back_undoes_nothing() {
    let on = OnDouble::start().await;
    let id = name("db");
    let base = on.provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap();
    on.settle();
    let write = async || {
        let upon = SetOptions::new().when(Precondition::CurrentIs(base.id.clone()));
        on.provider.set_secret(&id, text("2"), upon.with_token(token(2))).await
    };
    let back_to_base = async |from: &VersionId| {
        let (from, to) = (from.as_str(), base.id.as_str());
        let back = json!({
            "SecretId": "db", "VersionStage": "AWSCURRENT",
            "RemoveFromVersionId": from, "MoveToVersionId": to,
        });
        on.boto3("UpdateSecretVersionStage", back).await;
        on.settle();
    };
    let is_base_current = async || {
        on.settle();
        let current = on.provider.get_secret(&id, GetOptions::default()).await.unwrap();
        current.version.id == base.id
    };
    let written = write().await.unwrap();
    back_to_base(&written.id).await;
    let again = write().await.unwrap();
    assert_eq!(again.id, written.id);
    assert!(again.stages.contains(Stage::Previous) && !again.stages.contains(Stage::Current));
    assert!(is_base_current().await);
    // And where another version is the previous one by now, so that nothing tells what ours was.
    let other = on.provider.set_secret(&id, text("3"), SetOptions::new()).await.unwrap();
    back_to_base(&other.id).await;
    let again = write().await.unwrap_err();
    assert_eq!((again.kind(), again.effect()), (ErrorKind::Conflict, Effect::Unknown));
    assert!(is_base_current().await);
    let described = on.boto3("DescribeSecret", json!({ "SecretId": "db" })).await;
    assert!(!described["VersionIdsToStages"].to_string().contains("mainstay"));
}

/// The answer to a promotion is lost, and before it is tried again somebody makes another version
/// current: it was carried out all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_that_was_overtaken_since_was_one() {
    let on = OnDouble::start().await;
    let id = name("db");
    let base = on.provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap();
    let staged = on.provider.set_secret(&id, text("2"), SetOptions::pending()).await.unwrap();
    on.settle();
    on.double.calls().clear();
    let steps = [Some(Fault::LostReply), Some(Fault::Slow(Duration::from_secs(2)))];
    on.double.faults().script("UpdateSecretVersionStage", steps);
    let overtake = async {
        while on.double.calls().count("UpdateSecretVersionStage") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        on.boto3("PutSecretValue", json!({ "SecretId": "db", "SecretString": "3" })).await;
    };
    let once = token(1);
    let promote = on.provider.promote(&id, &staged.id, &base.id, &once);
    let (promoted, ()) = tokio::join!(promote, overtake);
    assert_eq!(promoted.unwrap().current, staged.id);
    on.settle();
    let current = on.provider.get_secret(&id, GetOptions::default()).await.unwrap();
    assert!(current.value.ct_eq(&text("3")));
}

/// A finished rotation may leave `AWSPENDING` on the version that is current: nothing waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_current_is_not_pending() {
    let on = OnDouble::start().await;
    let id = name("db");
    let current = on.provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap();
    on.settle();
    let label = json!({
        "SecretId": "db", "VersionStage": "AWSPENDING", "MoveToVersionId": current.id.as_str(),
    });
    on.boto3("UpdateSecretVersionStage", label).await;
    on.settle();
    let read = on.provider.get_secret(&id, GetOptions::default()).await.unwrap();
    assert!(!read.version.stages.contains(Stage::Pending), "{:?}", read.version);
    let waits = GetOptions::version(VersionSelector::Pending);
    let waits = on.provider.get_secret(&id, waits).await.unwrap_err();
    assert_eq!(waits.kind(), ErrorKind::NotFound);
    assert_eq!(on.provider.describe_secret(&id).await.unwrap().pending, None);
}

//! Deletion: scheduled, taken back, forced, and the name used again.

use std::time::Duration;

use aws_double::{Fault, FaultRule};
use secrets_core::{
    DeleteMode, Deleted, Effect, ErrorKind, GetOptions, MetadataPatch, Precondition,
    SecretProvider, SetOptions, VersionId,
};

use super::support::{OnDouble, name, quick, text};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A scheduled deletion refuses writes by its own kind, and is taken back by the call that says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_whose_secret_is_scheduled_is_written_on_demand() {
    let on = OnDouble::start().await;
    let (provider, id) = (&on.provider, name("db"));
    let first = provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap();
    let mode = DeleteMode::Recoverable { window: Some(7 * DAY) };
    let Deleted::Recoverable(deletion) = provider.delete_secret(&id, mode).await.unwrap() else {
        panic!("not recoverable")
    };
    let window = deletion.purge_at.unwrap().duration_since(deletion.deleted).unwrap();
    assert!(window.abs_diff(7 * DAY) < Duration::from_secs(5), "{window:?}");
    on.settle();
    let read = provider.get_secret(&id, GetOptions::default()).await.unwrap_err();
    assert_eq!(read.kind(), ErrorKind::PendingDeletion);
    for when in [Precondition::Any, Precondition::Absent] {
        let written = provider.set_secret(&id, text("2"), SetOptions::new().when(when)).await;
        let refused = written.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.effect()),
            (ErrorKind::PendingDeletion, Effect::NotApplied)
        );
    }
    let written = provider.restore_and_set(&id, text("2"), SetOptions::new()).await.unwrap();
    on.settle();
    let current = provider.get_secret(&id, GetOptions::default()).await.unwrap();
    assert_eq!(current.version.id, written.id);
    let old =
        provider.get_secret(&id, GetOptions::version(secrets_core::VersionSelector::Previous));
    assert_eq!(old.await.unwrap().version.id, first.id, "its history is there");
}

/// Restored and not written is told as half.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_is_restored_and_not_written_is_told() {
    let on = OnDouble::start().await;
    let (provider, id) = (&on.provider, name("db"));
    provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap();
    let mode = DeleteMode::Recoverable { window: None };
    provider.delete_secret(&id, mode).await.unwrap();
    on.settle();
    let limit = FaultRule::new(Fault::LimitExceeded).on("PutSecretValue").skip(1);
    on.double.faults().add(limit);
    let error = provider.restore_and_set(&id, text("2"), SetOptions::new()).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::QuotaExceeded, Effect::Partial));
}

/// The reply of a deletion is lost: the second attempt finds it done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_whose_reply_is_lost_is_told_as_done() {
    let on = OnDouble::start().await;
    let (provider, id) = (&on.provider, name("db"));
    provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap();
    on.settle();
    on.double.faults().add(FaultRule::new(Fault::LostReply).on("DeleteSecret").times(1));
    let mode = DeleteMode::Recoverable { window: Some(7 * DAY) };
    let deleted = provider.delete_secret(&id, mode).await.unwrap();
    assert!(matches!(deleted, Deleted::Recoverable(_)));
    on.settle();
    // Asked for again by a caller of its own it is refused: that one did not schedule it.
    let again = provider.delete_secret(&id, mode).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::PendingDeletion);
    on.double.faults().add(FaultRule::new(Fault::LostReply).on("RestoreSecret").times(1));
    provider.restore_secret(&id).await.unwrap();
    on.settle();
    on.double.faults().add(FaultRule::new(Fault::LostReply).on("DeleteSecret").times(1));
    let deleted = provider.delete_secret(&id, DeleteMode::Immediate).await.unwrap();
    assert_eq!(deleted, Deleted::Gone);
}

/// AWS deletes asynchronously, and refuses the name meanwhile: a write waits for its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_name_of_a_forced_deletion_is_free_when_the_next_write_returns() {
    let on = OnDouble::of(quick().deletion_takes(Duration::from_millis(600))).await;
    let (provider, id) = (&on.provider, name("db"));
    for value in ["1", "2", "3"] {
        provider.set_secret(&id, text(value), SetOptions::new()).await.unwrap();
        on.settle();
        provider.delete_secret(&id, DeleteMode::Immediate).await.unwrap();
    }
    provider.set_secret(&id, text("4"), SetOptions::new()).await.unwrap();
    on.settle();
    let versions = provider.list_versions(&id, Default::default()).await.unwrap();
    assert_eq!(versions.items.len(), 1);
}

/// What would be refused once the secret is back leaves it deleted: nobody reads the old value.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_cannot_succeed_restores_nothing() {
    let on = OnDouble::start().await;
    let (provider, id) = (&on.provider, name("db"));
    let base = provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap().id;
    on.settle();
    provider.delete_secret(&id, DeleteMode::Recoverable { window: None }).await.unwrap();
    on.settle();
    let other = VersionId::new(&"0".repeat(36)).unwrap();
    let tags = (0..51).fold(MetadataPatch::new(), |patch, at| patch.tag(format!("{at}"), "x"));
    let cases = [
        (SetOptions::new().when(Precondition::Absent), ErrorKind::AlreadyExists),
        (SetOptions::pending().when(Precondition::Absent), ErrorKind::AlreadyExists),
        (SetOptions::new().when(Precondition::CurrentIs(other)), ErrorKind::Conflict),
        (SetOptions::pending().with_metadata(tags), ErrorKind::InvalidValue),
    ];
    for (options, kind) in cases {
        let shown = format!("{options:?}");
        let refused = provider.restore_and_set(&id, text("2"), options).await.unwrap_err();
        assert_eq!((refused.kind(), refused.effect()), (kind, Effect::NotApplied), "{shown}");
    }
    assert_eq!(on.double.calls().count("RestoreSecret"), 0);
    let upon = SetOptions::new().when(Precondition::CurrentIs(base));
    provider.restore_and_set(&id, text("2"), upon).await.unwrap();
    on.settle();
    let current = provider.get_secret(&id, GetOptions::default()).await.unwrap();
    assert!(current.value.ct_eq(&text("2")));
}

/// Somebody else deletes it by force: for a while the name is neither there for a write nor free for a
/// creation. A write waits for the end of that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_on_its_way_out_is_waited_for() {
    let on = OnDouble::start().await;
    let (provider, id) = (&on.provider, name("db"));
    let taken = || {
        let message = "You can't create this secret because a secret with this name is already \
                       scheduled for deletion.";
        let (code, message) = ("InvalidRequestException".to_owned(), message.to_owned());
        Some(Fault::Refuse { status: 400, code, message })
    };
    on.double.faults().script("CreateSecret", [taken(), taken()]);
    let written = provider.set_secret(&id, text("2"), SetOptions::new()).await.unwrap();
    on.settle();
    let read = provider.get_secret(&id, GetOptions::default()).await.unwrap();
    assert_eq!(read.version.id, written.id);
    assert_eq!(on.double.calls().count("CreateSecret"), 3);
}

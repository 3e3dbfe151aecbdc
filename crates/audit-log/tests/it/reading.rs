//! All trails of a folder in one order, sinks beside the trail, and what is refused without it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use audit_log::{
    AccountActivity, Action, AuditLog, AuditSink, Class, Entries, ErrorKind, Event, FanOut,
    FileTrail, Id, MemorySink, OnFailure, User, UserKind,
};

use crate::support::*;

fn at(id: &str, seconds: u64) -> Event {
    let mut event = event(id);
    event.time = noon() + Duration::from_secs(seconds);
    event
}

#[tokio::test]
async fn records_of_several_writers_are_read_by_time() {
    let (_parent, folder) = folder();
    let open = |name: &str| FileTrail::at(&folder, writer(name), PRODUCT, key()).clock(noon).open();
    let (one, other) = (open("one").await.unwrap(), open("other").await.unwrap());
    for number in 0..4 {
        one.append_durable(&at(&format!("one-{number}"), 10 * number)).await.unwrap();
        other.append_durable(&at(&format!("other-{number}"), 10 * number + 5)).await.unwrap();
    }
    // A clock that was set back changes nothing of the order in which one writer wrote.
    one.append_durable(&at("one-back", 1)).await.unwrap();
    other.append_durable(&at("other-last", 100)).await.unwrap();
    let entries: Vec<_> = Entries::read(&folder).unwrap().map(Result::unwrap).collect();
    let uids = entries.iter().filter_map(|entry| {
        let json: serde_json::Value = serde_json::from_str(&entry.json).unwrap();
        json["entity"]["uid"].as_str().map(str::to_owned)
    });
    let expected = [
        "one-0",
        "other-0",
        "one-1",
        "other-1",
        "one-2",
        "other-2",
        "one-3",
        "one-back",
        "other-3",
        "other-last",
    ];
    assert_eq!(uids.collect::<Vec<_>>(), expected);
    let back = entries.iter().find(|entry| entry.json.contains("one-back")).unwrap();
    assert_eq!(back.time, noon() + Duration::from_secs(1));
    assert_eq!((back.writer.as_str(), back.sequence), ("one", 6));
    assert!(verify(&folder).is_intact());
}

#[tokio::test]
async fn one_sink_that_fails_keeps_none_of_the_others_from_it() {
    let (good, bad) = (Arc::new(MemorySink::new()), Arc::new(MemorySink::new()));
    let fan_out = FanOut::new([bad.clone() as Arc<dyn AuditSink>, good.clone()]);
    bad.fail_with(Some(ErrorKind::StorageFull));
    let error = fan_out.append_durable(&event("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Sink);
    assert!(error.to_string().starts_with("1 of 2 sinks failed"), "{error}");
    assert!(fan_out.append(&event("b")).is_err() && fan_out.flush().await.is_err());
    assert_eq!((good.events().len(), bad.events().len()), (2, 0));
    bad.fail_with(None);
    fan_out.append(&event("c")).unwrap();
    assert_eq!((good.take().len(), bad.take().len(), good.events().len()), (3, 1, 0));
}

#[tokio::test]
async fn what_changes_rights_is_refused_when_it_cannot_be_recorded() {
    let sink = Arc::new(MemorySink::new());
    let audit = AuditLog::new(sink.clone());
    let user = User::new(UserKind::User, Id::new("alice").unwrap());
    let deletion = Action::Account { activity: AccountActivity::Delete, user };
    let deletion = Event::new(deletion, SystemTime::UNIX_EPOCH);
    audit.record(&deletion).await.unwrap();
    sink.fail_with(Some(ErrorKind::StorageFull));
    assert_eq!(audit.record(&deletion).await.unwrap_err().kind(), ErrorKind::StorageFull);
    audit.record(&event("read")).await.unwrap();
    assert_eq!(audit.failures(), 2, "both are counted");

    let audit = audit.on_failure(Class::AccountChange, OnFailure::Proceed);
    audit.record(&deletion).await.unwrap();
    let audit = audit.on_failure(Class::EntityManagement, OnFailure::Refuse);
    assert_eq!(audit.policy(Class::EntityManagement), OnFailure::Refuse);
    assert_eq!(audit.policy(Class::AccountChange), OnFailure::Proceed);
    audit.record(&event("read")).await.unwrap_err();
    assert_eq!(audit.failures(), 4, "clones count together");
}

use std::thread;

use live_value::{Conflict, Guard, Live, Publisher, Version, Watch};

use crate::PROBE;

#[test]
fn starts_with_version_one() {
    let publisher = Publisher::new("first");
    let live = publisher.live();
    assert_eq!((*live.load(), live.version(), live.version().get()), ("first", Version::FIRST, 1));
    assert!(!live.is_closed());
}

#[test]
fn a_guard_keeps_its_value_and_version_and_borrows_nothing() {
    let guard = {
        let publisher = Publisher::new(String::from("kept"));
        let live = publisher.live();
        let guard = live.load();
        publisher.publish(String::from("next"));
        assert_eq!((live.load().as_str(), live.load().version().get()), ("next", 2));
        guard
    };
    assert_eq!((guard.as_str(), guard.version().get()), ("kept", 1));
    thread::spawn(move || assert_eq!(guard.as_str(), "kept")).join().unwrap();
}

#[test]
fn many_guards_at_once_each_keep_their_own() {
    let publisher = Publisher::new(0_u64);
    let guards: Vec<_> = (1..=100)
        .map(|number| {
            publisher.publish(number);
            publisher.load()
        })
        .collect();
    for (index, guard) in guards.iter().enumerate() {
        assert_eq!((**guard, guard.version().get()), (index as u64 + 1, index as u64 + 2));
    }
}

#[test]
fn clones_read_the_same_value() {
    let publisher = Publisher::new(1);
    let (one, other) = (publisher.live(), publisher.live().clone());
    publisher.publish(2);
    assert_eq!((*one.load(), *other.load(), *publisher.load()), (2, 2, 2));
}

#[test]
fn readers_outlive_the_publisher() {
    let publisher = Publisher::new(1);
    let live = publisher.live();
    publisher.publish(2);
    drop(publisher);
    assert!(live.is_closed());
    assert_eq!((*live.load(), live.version().get()), (2, 2));
    assert_eq!(*live.clone().load(), 2);
}

#[test]
fn a_fixed_value_is_closed_from_the_start() {
    let live = Live::fixed(7);
    assert!(live.is_closed());
    assert_eq!((*live.load(), live.version()), (7, Version::FIRST));
    assert!(live.derive_error().is_none());
}

#[test]
fn loading_allocates_nothing() {
    let publisher = Publisher::new(vec![1_u8; 64]);
    let live = publisher.live();
    drop(live.load()); // the first load of a thread registers it with arc_swap
    let (sum, counts) = PROBE
        .count(|| (0..1_000).map(|_| live.load().len() as u64 + live.version().get()).sum::<u64>());
    assert_eq!((sum, counts.allocations), (65_000, 0));
}

#[test]
fn holding_more_guards_than_slots_allocates_nothing_either() {
    let live = Live::fixed(5_u64);
    drop(live.load());
    let mut guards = Vec::with_capacity(64);
    let ((), counts) = PROBE.count(|| guards.extend((0..64).map(|_| live.load())));
    assert_eq!((guards.len(), counts.allocations), (64, 0));
}

#[test]
fn sides_are_send_and_sync_where_the_value_is() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Live<String>>();
    shared::<Publisher<String>>();
    shared::<Watch<String>>();
    shared::<Guard<String>>();
    shared::<Conflict<String>>();
}

#[test]
fn debug_never_shows_the_value() {
    const VALUE: &str = "s3cr3t-value";
    let publisher = Publisher::new(VALUE);
    let live = publisher.live();
    let mut watch = live.watch();
    publisher.publish(VALUE);
    let conflict = publisher.compare_and_publish(Version::FIRST, VALUE);
    let shown = [
        format!("{publisher:?}"),
        format!("{live:?}"),
        format!("{:?}", live.load()),
        format!("{watch:?}"),
        format!("{:?}", watch.changed()),
        format!("{:?} {}", conflict, conflict.as_ref().unwrap_err()),
    ];
    for shown in shown {
        assert!(!shown.contains("s3cr3t"), "{shown}");
        assert!(shown.contains("v1") || shown.contains("v2"), "{shown}");
    }
}

use std::error::Error as _;
use std::num::ParseIntError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use live_value::{Closed, DeriveErrorKind, Live, Publisher};

use crate::support::{block_on, poll_changed};

#[test]
fn follows_every_publish() {
    let publisher = Publisher::new(2);
    let square = publisher.live().map(|value| value * value);
    assert_eq!(*square.load(), 4);
    publisher.publish(3);
    assert_eq!((*square.load(), square.version()), (9, publisher.version()));
    assert!(square.derive_error().is_none());
}

#[test]
fn carries_the_version_it_was_computed_from() {
    let publisher = Publisher::new(0);
    publisher.publish(1);
    publisher.publish(2);
    let derived = publisher.live().map(|value| value + 1);
    assert_eq!(derived.version().get(), 3);
    publisher.publish(3);
    assert_eq!((derived.version().get(), derived.load().version().get()), (4, 4));
}

#[test]
fn computes_once_per_publish_however_many_read() {
    let publisher = Publisher::new(1);
    let runs = Arc::new(AtomicUsize::new(0));
    let derived = publisher.live().map({
        let runs = Arc::clone(&runs);
        move |value| {
            runs.fetch_add(1, Ordering::SeqCst);
            value + 1
        }
    });
    let clones: Vec<_> = (0..10).map(|_| derived.clone()).collect();
    for value in 2..=5 {
        publisher.publish(value);
        assert!(clones.iter().all(|clone| *clone.load() == value + 1));
    }
    // A derivation that is registered later does not make the earlier ones run again.
    drop(publisher.live().map(|value| value + 2));
    assert_eq!(runs.load(Ordering::SeqCst), 1 + 4);
}

#[test]
fn computes_on_the_publishers_thread() {
    let publisher = Publisher::new(());
    let derived = publisher.live().map(|()| thread::current().id());
    assert_eq!(*derived.load(), thread::current().id());
    let there = thread::scope(|scope| {
        let publishing = scope.spawn(|| {
            publisher.publish(());
            thread::current().id()
        });
        publishing.join().unwrap()
    });
    assert_eq!(*derived.load(), there);
}

#[test]
fn keeps_the_last_good_value_and_shows_the_error() {
    let text = Publisher::new("8080");
    let port = text.live().try_map(|text| text.parse::<u16>()).unwrap();
    text.publish("eighty");
    assert_eq!((*port.load(), port.version().get()), (8080, 1));

    let error = port.derive_error().unwrap();
    assert_eq!((error.version().get(), error.kind()), (2, DeriveErrorKind::Failed));
    assert_eq!(error.to_string(), "version 2 could not be derived");
    assert!(error.source().unwrap().downcast_ref::<ParseIntError>().is_some());

    text.publish("eighty-one");
    assert_eq!(port.derive_error().unwrap().version().get(), 3, "the latest error counts");
    text.publish("81");
    assert_eq!((*port.load(), port.version().get()), (81, 4));
    assert!(port.derive_error().is_none());
}

#[test]
fn an_error_wakes_nobody() {
    let text = Publisher::new("1");
    let number = text.live().try_map(|text| text.parse::<u16>()).unwrap();
    let mut watch = number.watch();
    text.publish("one");
    assert!(poll_changed(&mut watch).is_pending());
    text.publish("2");
    assert_eq!(*block_on(watch.changed()).unwrap(), 2);
}

#[test]
fn the_first_error_is_the_callers() {
    let text = Publisher::new("zero");
    let error = text.live().try_map(|text| text.parse::<u16>()).unwrap_err();
    assert_eq!(error, "zero".parse::<u16>().unwrap_err());
    assert!(!text.has_readers(), "nothing stays registered");
}

#[test]
fn takes_any_error_that_can_be_boxed() {
    let publisher = Publisher::new(1);
    let checked = publisher.live().try_map(|value| match value {
        1 => Ok(*value),
        _ => Err("not one"),
    });
    publisher.publish(2);
    let error = checked.unwrap().derive_error().unwrap();
    assert_eq!(error.source().unwrap().to_string(), "not one");
}

#[test]
fn a_chain_follows_through_a_middle_that_nobody_holds() {
    let publisher = Publisher::new(1);
    let end = publisher.live().map(|value| value + 1).map(|value| value * 10).map(i32::to_string);
    publisher.publish(4);
    assert_eq!((end.load().as_str(), end.version()), ("50", publisher.version()));
}

#[test]
fn a_failure_in_a_chain_shows_at_its_end() {
    let text = Publisher::new("1");
    let end = text.live().try_map(|text| text.parse::<u16>()).unwrap().map(|number| number + 1);
    text.publish("one");
    assert_eq!((*end.load(), end.derive_error().unwrap().version().get()), (2, 2));

    let late = end.map(|number| number + 1);
    assert_eq!(late.derive_error().unwrap().version().get(), 2, "one derived since, too");
    text.publish("5");
    assert_eq!((*end.load(), *late.load()), (6, 7));
    assert!(end.derive_error().is_none() && late.derive_error().is_none());

    text.publish("five");
    drop(text);
    assert_eq!(end.derive_error().unwrap().version().get(), 4, "and outlives the publisher");
}

#[test]
fn order_is_root_then_registration_parents_before_children() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let note = |name: &'static str| {
        let log = Arc::clone(&log);
        move |value: &i32| {
            log.lock().unwrap().push(name);
            *value
        }
    };
    let publisher = Publisher::new(0);
    let root = publisher.live();
    let first = root.map(note("first"));
    let second = root.map(note("second"));
    let child = first.map(note("child of first"));
    let third = root.map({
        let (note, root, second) = (note("third"), root.clone(), second.clone());
        move |value| {
            assert_eq!((*root.load(), *second.load()), (*value, *value), "already visible");
            note(value)
        }
    });
    log.lock().unwrap().clear();
    publisher.publish(1);
    assert_eq!(*log.lock().unwrap(), ["first", "child of first", "second", "third"]);
    assert_eq!((*child.load(), *third.load()), (1, 1));
}

#[test]
fn derived_values_close_with_the_root() {
    let publisher = Publisher::new(1);
    let derived = publisher.live().map(|value| value + 1);
    let end = derived.map(|value| value + 1);
    let mut watch = end.watch();
    publisher.publish(5);
    drop(publisher);
    assert!(derived.is_closed() && end.is_closed());
    assert_eq!(*block_on(watch.changed()).unwrap(), 7);
    assert_eq!(block_on(watch.changed()).unwrap_err(), Closed);
}

#[test]
fn deriving_from_a_closed_value_gives_a_closed_one() {
    let fixed = Live::fixed(20).map(|value| value + 1);
    assert_eq!((*fixed.load(), fixed.is_closed()), (21, true));
    assert_eq!(block_on(fixed.watch().changed()).unwrap_err(), Closed);
    assert!(Live::fixed("x").try_map(|text| text.parse::<u8>()).is_err());
}

#[test]
fn a_derived_value_keeps_no_publisher_open() {
    let publisher = Publisher::new(1);
    let root = publisher.live();
    let derived = root.map(|value| value + 1);
    drop(publisher);
    assert!(root.is_closed());
    assert_eq!(*derived.load(), 2);
}

#[test]
fn a_chain_of_hundreds_fits_the_stack_of_a_thread() {
    const LINKS: u64 = 500;
    let work = || {
        let publisher = Publisher::new(0);
        let end = (0..LINKS).fold(publisher.live(), |live, _| live.map(|value| value + 1));
        publisher.publish(1);
        assert_eq!(*end.load(), 1 + LINKS);
        assert!(end.derive_error().is_none());
        drop(publisher);
        assert!(end.is_closed());
    };
    thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn by_key_nothing_is_published_for_the_same_key() {
    let publisher = Publisher::new((1, "fresh"));
    let runs = Arc::new(AtomicUsize::new(0));
    let tens = publisher.live().map_by_key(|value| value.0, {
        let runs = Arc::clone(&runs);
        move |value| {
            runs.fetch_add(1, Ordering::SeqCst);
            value.0 * 10
        }
    });
    let child = tens.map(|tens| tens + 1);
    let mut watch = tens.watch();
    for state in ["stale", "fresh", "orphaned"] {
        publisher.publish((1, state));
    }
    assert!(poll_changed(&mut watch).is_pending());
    assert_eq!((tens.version().get(), child.version().get()), (1, 1));
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    publisher.publish((2, "orphaned"));
    assert!(poll_changed(&mut watch).is_ready());
    assert_eq!((*tens.load(), *child.load()), (20, 21));
    assert_eq!((tens.version(), child.version()), (publisher.version(), publisher.version()));
    // Not the one before: what was there earlier is published again.
    publisher.publish((1, "fresh"));
    assert_eq!((*tens.load(), tens.version().get()), (10, 6));
    assert_eq!(runs.load(Ordering::SeqCst), 3);
    drop(publisher);
    assert!(tens.is_closed() && child.is_closed());
}

#[test]
fn by_key_a_failure_is_no_value_to_keep_to() {
    let text = Publisher::new("8080");
    let port = text.live().try_map_by_key(|text| text.len(), |text| text.parse::<u16>()).unwrap();
    text.publish("eighty");
    text.publish("ninety");
    assert_eq!(port.derive_error().unwrap().version().get(), 3, "the same key is tried again");
    text.publish("8081");
    assert_eq!((*port.load(), port.version().get()), (8081, 4), "the key before the failure too");
    assert!(port.derive_error().is_none());
    text.publish("8082");
    assert_eq!((*port.load(), port.version().get()), (8081, 4));
    assert!(text.live().try_map_by_key(|text| text.len(), |_| "".parse::<u16>()).is_err());
}

#[test]
fn by_key_a_panic_of_the_key_is_over_with_the_next_one() {
    let publisher = Publisher::new(1);
    let key = |value: &i32| {
        assert!(*value != 2, "a key that panics");
        value % 10
    };
    let live = publisher.live().map_by_key(key, |value| *value);
    publisher.publish(2);
    assert_eq!(live.derive_error().unwrap().kind(), DeriveErrorKind::Panicked);
    publisher.publish(11);
    assert!(live.derive_error().is_none(), "the value that there is stands for this one");
    assert_eq!((*live.load(), live.version().get()), (1, 1));
}

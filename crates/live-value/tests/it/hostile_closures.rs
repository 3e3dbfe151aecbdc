//! What the crate's documentation promises of closures that panic, publish, derive or drop.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::thread;

use live_value::{DeriveErrorKind, Live, Publisher};

use crate::support::{block_on, wait_until};

type Slot<T> = Arc<Mutex<Option<T>>>;

#[test]
fn a_panic_loses_neither_the_publish_nor_the_others() {
    let publisher = Publisher::new(1);
    let root = publisher.live();
    let before = root.map(|value| value + 1);
    let fragile = root.map(|value| {
        assert!(*value != 2, "the value is {value}");
        value * 10
    });
    let child = fragile.map(|value| value + 1);
    let after = root.map(|value| value + 2);

    assert_eq!(publisher.publish(2).get(), 2);
    assert_eq!((*root.load(), *before.load(), *after.load()), (2, 3, 4));
    assert_eq!((*fragile.load(), *child.load()), (10, 11), "the last good value stays");
    let error = fragile.derive_error().unwrap();
    assert_eq!((error.kind(), error.version().get()), (DeriveErrorKind::Panicked, 2));
    assert_eq!(error.to_string(), "the derivation panicked on version 2");
    assert!(!format!("{error:?}").contains("the value is"), "the message may quote a secret");
    assert!(child.derive_error().is_some());

    publisher.publish(3);
    assert_eq!((*fragile.load(), *child.load()), (30, 31), "nothing is poisoned");
    assert!(fragile.derive_error().is_none());
}

#[test]
fn a_panic_on_the_first_value_is_the_callers() {
    let publisher = Publisher::new(1);
    let live = publisher.live();
    let outcome = catch_unwind(AssertUnwindSafe(|| live.map(|_| -> i32 { panic!("at once") })));
    assert!(outcome.is_err());
    drop(live);
    assert!(!publisher.has_readers(), "nothing stays registered");
    assert_eq!(publisher.publish(2).get(), 2);
}

#[test]
fn a_publish_from_inside_a_closure_is_visible_at_once_and_derived_afterwards() {
    let publisher = Arc::new(Publisher::new(1));
    let root = publisher.live();
    let log: Slot<Vec<(i32, i32)>> = Arc::new(Mutex::new(Some(Vec::new())));
    let limited = root.map({
        let (publisher, log) = (Arc::clone(&publisher), Arc::clone(&log));
        move |value| {
            if *value > 100 {
                publisher.publish(100);
            }
            let seen = *publisher.load();
            log.lock().unwrap().as_mut().unwrap().push((*value, seen));
            *value
        }
    });
    let runs = Arc::new(AtomicUsize::new(0));
    let other = root.map({
        let runs = Arc::clone(&runs);
        move |value| {
            runs.fetch_add(1, Ordering::SeqCst);
            value + 1
        }
    });

    assert_eq!(publisher.publish(500).get(), 2);
    assert_eq!((*root.load(), root.version().get()), (100, 3));
    assert_eq!((*limited.load(), *other.load()), (100, 101), "all follow before publish returns");
    let log = log.lock().unwrap().take().unwrap();
    assert_eq!(log, [(1, 1), (500, 100), (100, 100)]);
    assert_eq!(
        runs.load(Ordering::SeqCst),
        2,
        "500 was no longer there to be derived by the other"
    );
}

#[test]
fn two_publishers_that_feed_each_other_do_not_deadlock() {
    fn cap(into: &Arc<Publisher<u32>>) -> impl Fn(&u32) -> u32 + Send + Sync + 'static {
        let into = Arc::clone(into);
        move |value| {
            if *value < 50 {
                into.publish(value + 1);
            }
            *value
        }
    }
    let (left, right) = (Arc::new(Publisher::new(1_000)), Arc::new(Publisher::new(1_000)));
    let from_left = left.live().map(cap(&right));
    let from_right = right.live().map(cap(&left));
    let start = Barrier::new(2);
    thread::scope(|scope| {
        for side in [&left, &right] {
            scope.spawn(|| {
                start.wait();
                for _ in 0..200 {
                    side.publish(40);
                }
            });
        }
    });
    assert_eq!((*from_left.load(), from_left.version()), (*left.load(), left.version()));
    assert_eq!((*from_right.load(), from_right.version()), (*right.load(), right.version()));
}

#[test]
fn a_closure_may_derive_from_its_own_root() {
    let publisher = Publisher::new(1);
    let root = publisher.live();
    let nested: Slot<Live<i32>> = Slot::default();
    let outer = root.map({
        let (root, nested) = (root.clone(), Arc::clone(&nested));
        move |value| {
            *nested.lock().unwrap() = Some(root.map(|value| value * 2));
            *value
        }
    });
    publisher.publish(2);
    publisher.publish(3);
    assert_eq!((*outer.load(), *nested.lock().unwrap().as_ref().unwrap().load()), (3, 6));
    // The closure holds a reader of its root, and so a cycle until the publisher goes.
    drop(publisher);
    assert!(outer.is_closed());
}

#[test]
fn a_closure_may_drop_the_value_it_computes() {
    let publisher = Publisher::new(1);
    let slot: Slot<Live<i32>> = Slot::default();
    let own = publisher.live().map({
        let slot = Arc::clone(&slot);
        move |value| {
            if *value == 3 {
                drop(slot.lock().unwrap().take());
            }
            *value
        }
    });
    *slot.lock().unwrap() = Some(own);
    let after = publisher.live().map(|value| value + 1);
    publisher.publish(2);
    assert_eq!(*slot.lock().unwrap().as_ref().unwrap().load(), 2);
    publisher.publish(3);
    assert!(slot.lock().unwrap().is_none());
    assert_eq!(Arc::strong_count(&slot), 1, "the closure went too");
    publisher.publish(4);
    assert_eq!(*after.load(), 5);
}

#[test]
fn a_closure_may_drop_a_value_that_is_computed_after_it() {
    let publisher = Publisher::new(1);
    let slot: Slot<Live<i32>> = Slot::default();
    let _first = publisher.live().map({
        let slot = Arc::clone(&slot);
        move |value| drop((*value == 2).then(|| slot.lock().unwrap().take()))
    });
    let runs = Arc::new(OnceLock::new());
    let second = publisher.live().map({
        let runs = Arc::clone(&runs);
        move |value| {
            if *value == 2 {
                runs.set(()).unwrap();
            }
            *value
        }
    });
    *slot.lock().unwrap() = Some(second);
    publisher.publish(2);
    assert!(runs.get().is_none(), "nobody reads it, so it is not computed");
}

#[test]
fn a_slow_closure_holds_up_neither_readers_nor_other_publishers() {
    let publisher = Arc::new(Publisher::new(0));
    let root = publisher.live();
    let (entered, leave) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let slow = root.map({
        let (entered, leave) = (Arc::clone(&entered), Arc::clone(&leave));
        move |value| {
            if *value == 1 {
                entered.wait();
                leave.wait();
            }
            *value
        }
    });
    let mut watch = root.watch();
    thread::scope(|scope| {
        scope.spawn(|| publisher.publish(1));
        entered.wait();
        // The other thread is inside the closure until we let it out.
        assert_eq!(*block_on(watch.changed()).unwrap(), 1);
        assert_eq!(publisher.publish(2).get(), 3, "does not wait");
        assert_eq!((*root.load(), *slow.load()), (2, 0));
        leave.wait();
        wait_until(|| *slow.load() == 2);
    });
    assert_eq!(slow.version(), root.version());
}

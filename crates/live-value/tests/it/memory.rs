//! When values are dropped: as soon as nobody can read them. Secrets live in here.

use std::sync::{Arc, Mutex};

use live_value::{Live, Publisher};

use crate::PROBE;
use crate::support::{Alive, Counted};

#[test]
fn a_replaced_value_goes_at_once_when_nobody_holds_it() {
    let alive = Alive::default();
    let publisher = Publisher::new(alive.value(1));
    publisher.publish(alive.value(2));
    assert_eq!(alive.count(), 1, "without any reader");

    let live = publisher.live();
    assert_eq!(live.load().content, 2);
    let watch = live.watch();
    publisher.publish(alive.value(3));
    assert_eq!(alive.count(), 1, "readers that hold no guard keep nothing");

    drop((publisher, watch));
    assert_eq!(alive.count(), 1, "the last value stays for the last reader");
    drop(live);
    assert_eq!(alive.count(), 0);
}

#[test]
fn a_replaced_value_goes_with_its_last_guard() {
    let alive = Alive::default();
    let publisher = Publisher::new(alive.value(1));
    // More than the slots that arc_swap has per thread, so that both kinds of guard are there.
    let mut guards: Vec<_> = (0..20).map(|_| publisher.load()).collect();
    publisher.publish(alive.value(2));
    let last = guards.pop();
    assert_eq!(alive.count(), 2);
    drop(guards);
    assert_eq!(alive.count(), 2);
    drop(last);
    assert_eq!(alive.count(), 1);
}

#[test]
fn a_guard_on_another_thread_keeps_the_value() {
    let alive = Alive::default();
    let publisher = Publisher::new(alive.value(1));
    let live = publisher.live();
    let guard = std::thread::spawn(move || live.load()).join().unwrap();
    publisher.publish(alive.value(2));
    assert_eq!((guard.content, alive.count()), (1, 2));
    drop(guard);
    assert_eq!(alive.count(), 1);
}

#[test]
fn a_rejected_value_belongs_to_the_caller() {
    let alive = Alive::default();
    let publisher = Publisher::new(alive.value(1));
    let seen = publisher.version();
    publisher.publish(alive.value(2));
    let conflict = publisher.compare_and_publish(seen, alive.value(3)).unwrap_err();
    assert_eq!(alive.count(), 2);
    drop(conflict);
    assert_eq!(alive.count(), 1);
}

#[test]
fn derived_values_go_as_soon_as_they_are_replaced() {
    let (roots, derived) = (Alive::default(), Alive::default());
    let publisher = Publisher::new(roots.value(1));
    let live = publisher.live().map({
        let derived = derived.clone();
        move |root| derived.value(root.content * 10)
    });
    let old = live.load();
    publisher.publish(roots.value(2));
    assert_eq!((roots.count(), derived.count()), (1, 2), "the guard holds the derived value alone");
    drop(old);
    assert_eq!((live.load().content, derived.count()), (20, 1));
}

#[test]
fn the_last_reader_of_a_derived_value_takes_value_and_closure_along() {
    let alive = Alive::default();
    let publisher = Publisher::new(1);
    let captured = Arc::new(());
    let derived = publisher.live().map({
        let (captured, alive) = (Arc::clone(&captured), alive.clone());
        move |root| {
            let _ = &captured;
            alive.value(*root)
        }
    });
    let watch = derived.watch();
    drop(derived);
    assert_eq!((Arc::strong_count(&captured), alive.count()), (2, 1), "a watch is a reader");
    drop(watch);
    assert_eq!((Arc::strong_count(&captured), alive.count()), (1, 0));
}

#[test]
fn dropped_derivations_leave_nothing_behind_in_their_parent() {
    let publisher = Publisher::new(1);
    let live = publisher.live();
    let cycle = || drop(live.map(|value| value + 1));
    cycle(); // makes the parent's list, which stays
    let ((), one) = PROBE.count(cycle);
    let ((), all) = PROBE.count(|| (0..1_000).for_each(|_| cycle()));
    assert_eq!(all.allocations, 1_000 * one.allocations, "the list does not grow");
}

#[test]
fn a_replaced_value_does_not_wait_for_slow_closures() {
    let alive = Alive::default();
    let publisher = Publisher::new(alive.value(1));
    let seen = publisher.live().map({
        let alive = alive.clone();
        move |_| alive.count()
    });
    publisher.publish(alive.value(2));
    assert_eq!(*seen.load(), 1, "the old value was gone when the closure ran");
}

#[test]
fn deriving_holds_a_value_no_longer_than_its_own_closure_runs() {
    let alive = Alive::default();
    let publisher = Arc::new(Publisher::new(alive.value(1)));
    let middle = publisher.live().map(|root| root.content);
    let counts = Arc::new(Mutex::new(Vec::new()));
    let _end = middle.map({
        let (publisher, alive, counts) =
            (Arc::clone(&publisher), alive.clone(), Arc::clone(&counts));
        move |content| {
            if *content == 2 {
                publisher.publish(alive.value(3));
                counts.lock().unwrap().push(alive.count());
            }
        }
    });
    publisher.publish(alive.value(2));
    assert_eq!(*counts.lock().unwrap(), [1], "the middle's closure is done with the root's value");
}

#[test]
fn the_middle_of_a_chain_lives_as_long_as_its_end_and_the_publisher() {
    let (middles, ends) = (Alive::default(), Alive::default());
    let publisher = Publisher::new(1);
    let end = {
        let (middles, ends) = (middles.clone(), ends.clone());
        let middle = publisher.live().map(move |root| middles.value(root + 1));
        middle.map(move |middle| ends.value(middle.content + 1))
    };
    publisher.publish(10);
    assert_eq!((end.load().content, middles.count(), ends.count()), (12, 1, 1));
    drop(publisher);
    assert_eq!((end.load().content, middles.count(), ends.count()), (12, 0, 1));
}

#[test]
fn derived_values_keep_no_root_value_once_the_publisher_is_gone() {
    let alive = Alive::default();
    let publisher = Publisher::new(alive.value(5));
    let derived = publisher.live().map(|root| root.content + 1);
    drop(publisher);
    assert_eq!((*derived.load(), alive.count()), (6, 0));
}

#[test]
fn a_closure_that_holds_its_own_result_is_freed_with_the_publisher() {
    let slot = Arc::new(Mutex::new(None::<Live<i32>>));
    let captured = Arc::downgrade(&slot);
    let publisher = Publisher::new(1);
    let derived = publisher.live().map({
        let slot = Arc::clone(&slot);
        move |value| {
            drop(slot.lock());
            value + 1
        }
    });
    *slot.lock().unwrap() = Some(derived);
    drop(slot);
    assert!(captured.upgrade().is_some(), "a cycle: closure, its result, closure");
    drop(publisher);
    assert!(captured.upgrade().is_none(), "broken when the publisher went");
}

/// A key may be as secret as the value.
#[test]
fn a_key_goes_with_its_value_with_a_failure_and_with_the_publisher() {
    struct Key(u32, #[expect(dead_code, reason = "counted")] Counted);

    impl PartialEq for Key {
        fn eq(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }

    let keys = Alive::default();
    let publisher = Publisher::new(1);
    let key = {
        let keys = keys.clone();
        move |value: &u32| Key(value / 10, keys.value(0))
    };
    let parse = |value: &u32| if *value == 99 { Err("no") } else { Ok(*value) };
    let live = publisher.live().try_map_by_key(key, parse).unwrap();
    assert_eq!(keys.count(), 1);
    for (value, kept) in [(2, 1), (10, 1), (99, 0), (99, 0), (11, 1)] {
        publisher.publish(value);
        assert_eq!(keys.count(), kept, "after {value}");
    }
    drop(publisher);
    assert_eq!((keys.count(), *live.load()), (0, 11));
}

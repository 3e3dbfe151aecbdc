//! Wakers and destructors that panic: the panic reaches the publisher's caller, everything else is done.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier};
use std::task::{Wake, Waker};
use std::thread;

use live_value::{Changed, Live, Publisher, Watch};

use crate::support::{Calls, poll};

/// What `action` panicked with.
fn panic_of<R>(action: impl FnOnce() -> R) -> &'static str {
    *catch_unwind(AssertUnwindSafe(action)).err().unwrap().downcast::<&'static str>().unwrap()
}

struct Hostile(&'static str);

impl Wake for Hostile {
    fn wake(self: Arc<Self>) {
        std::panic::panic_any(self.0);
    }
}

/// Futures that wait with one waker each and are woken in this order.
fn wait<'a, T>(watches: &'a mut [Watch<T>], wakers: &[Waker]) -> Vec<Changed<'a, T>> {
    let mut futures: Vec<_> = watches.iter_mut().map(Watch::changed).collect();
    for (future, waker) in futures.iter_mut().zip(wakers) {
        assert!(poll(future, waker).is_pending());
    }
    futures
}

fn watches<T, const N: usize>(live: &Live<T>) -> [Watch<T>; N] {
    std::array::from_fn(|_| live.watch())
}

fn hostile(message: &'static str) -> Waker {
    Waker::from(Arc::new(Hostile(message)))
}

/// Panics when dropped, if it holds a message.
struct Bomb(Option<&'static str>);

impl Drop for Bomb {
    fn drop(&mut self) {
        if let Some(message) = self.0 {
            std::panic::panic_any(message);
        }
    }
}

#[test]
fn a_waker_that_panics_costs_nobody_their_wake_up_or_their_derivation() {
    let publisher = Publisher::new(1);
    let root = publisher.live();
    let derived = root.map(|value| value * 10);
    let (before, counting_before) = Calls::new();
    let (after, counting_after) = Calls::new();
    let (below, counting_below) = Calls::new();
    let wakers = [counting_before, hostile("first"), hostile("second"), counting_after];
    let mut of_root: [_; 4] = watches(&root);
    let _waiting = wait(&mut of_root, &wakers);
    let mut of_derived: [_; 2] = watches(&derived);
    let _waiting = wait(&mut of_derived, &[hostile("third"), counting_below]);

    let message = panic_of(|| publisher.publish(2));
    assert_eq!(message, "first");
    assert_eq!((before.count(), after.count(), below.count()), (1, 1, 1));
    assert_eq!((*root.load(), *derived.load()), (2, 20));
    assert_eq!(publisher.publish(3).get(), 3, "and nothing is left over for the next one");
    assert_eq!(*derived.load(), 30);
}

#[test]
fn a_waker_that_panics_does_not_keep_anybody_from_hearing_of_the_end() {
    let publisher = Publisher::new(1);
    let root = publisher.live();
    let derived = root.map(|value| value * 10);
    let (calls, counting) = Calls::new();
    let (below, counting_below) = Calls::new();
    let mut of_root: [_; 2] = watches(&root);
    let _waiting = wait(&mut of_root, &[hostile("at the end"), counting]);
    let mut of_derived: [_; 2] = watches(&derived);
    let _waiting = wait(&mut of_derived, &[hostile("further down"), counting_below]);

    assert_eq!(panic_of(|| drop(publisher)), "at the end");
    assert_eq!((calls.count(), below.count()), (1, 1));
    assert!(root.is_closed() && derived.is_closed());
}

#[test]
fn a_destructor_of_the_root_value_that_panics_leaves_nothing_behind() {
    let publisher = Publisher::new((1, Bomb(Some("root"))));
    let root = publisher.live();
    let derived = root.map(|(value, _)| value * 10);
    let (calls, counting) = Calls::new();
    let mut of_root: [_; 2] = watches(&root);
    let _waiting = wait(&mut of_root, &[hostile("waker"), counting]);

    assert_eq!(panic_of(|| publisher.publish((2, Bomb(Some("next"))))), "waker");
    assert_eq!((calls.count(), *derived.load()), (1, 20), "two panics and all is done");
    assert_eq!(panic_of(|| publisher.publish((3, Bomb(None)))), "next");
    assert_eq!((*derived.load(), derived.version()), (30, root.version()));
}

#[test]
fn a_destructor_of_a_derived_value_that_panics_leaves_nothing_behind() {
    let publisher = Publisher::new(1);
    let root = publisher.live();
    let bombs = root.map(|value| Bomb((*value == 2).then_some("derived")));
    let child = bombs.map(|bomb| bomb.0.is_some());
    let after = root.map(|value| value + 1);
    publisher.publish(2);
    assert!(*child.load());

    assert_eq!(panic_of(|| publisher.publish(3)), "derived");
    assert_eq!((*root.load(), *child.load(), *after.load()), (3, false, 4));
    assert!(bombs.load().0.is_none() && bombs.derive_error().is_none());
    publisher.publish(4);
    assert_eq!(*after.load(), 5);
}

#[test]
fn a_destructor_that_panics_does_not_hide_the_end_from_derived_values() {
    let publisher = Publisher::new(1);
    let root = publisher.live();
    let bombs = root.map(|value| Bomb((*value == 2).then_some("derived")));
    let (entered, leave) = (Barrier::new(2), Barrier::new(2));
    let (entered, leave) = (Arc::new(entered), Arc::new(leave));
    let slow = {
        let (entered, leave) = (Arc::clone(&entered), Arc::clone(&leave));
        move |value: &i32| {
            if *value < 3 {
                entered.wait();
                leave.wait();
            }
        }
    };
    thread::scope(|scope| {
        // Finds its parent ahead as it registers, so this thread does the deriving.
        let deriving = scope.spawn(|| panic_of(|| drop(root.map(slow))));
        entered.wait();
        publisher.publish(2);
        leave.wait();
        entered.wait();
        // Left to that thread: one more round, which sees the last value and the end at once.
        publisher.publish(3);
        drop(publisher);
        leave.wait();
        assert_eq!(deriving.join().unwrap(), "derived");
    });
    assert!(bombs.is_closed());
}

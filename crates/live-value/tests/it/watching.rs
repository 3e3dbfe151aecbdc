use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use live_value::{Closed, Live, Publisher};

use crate::support::{Calls, block_on, poll, poll_changed};

#[test]
fn waits_for_the_next_value_and_returns_it() {
    let publisher = Publisher::new(1);
    let mut watch = publisher.live().watch();
    assert!(poll_changed(&mut watch).is_pending());
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(10));
            publisher.publish(2);
        });
        let guard = block_on(watch.changed()).unwrap();
        assert_eq!((*guard, guard.version().get()), (2, 2));
    });
    assert_eq!(watch.seen().get(), 2);
    assert!(poll_changed(&mut watch).is_pending(), "seen once is seen");
}

#[test]
fn coalesces() {
    let publisher = Publisher::new(0);
    let mut watch = publisher.live().watch();
    for value in 1..=10 {
        publisher.publish(value);
    }
    assert_eq!(*block_on(watch.changed()).unwrap(), 10);
    assert!(poll_changed(&mut watch).is_pending());
}

#[test]
fn each_watch_has_its_own_cursor() {
    let publisher = Publisher::new(1);
    let mut early = publisher.live().watch();
    publisher.publish(2);
    let mut late = publisher.live().watch();
    let mut copy = early.clone();
    assert_eq!(*block_on(early.changed()).unwrap(), 2);
    assert!(poll_changed(&mut late).is_pending(), "it began at version 2");
    assert_eq!(*block_on(copy.changed()).unwrap(), 2, "a clone has seen what its original had");
}

#[test]
fn loading_counts_as_seeing() {
    let publisher = Publisher::new(1);
    let mut watch = publisher.live().watch();
    publisher.publish(2);
    assert_eq!(*watch.load(), 2);
    assert!(poll_changed(&mut watch).is_pending());
    assert_eq!(*watch.live().load(), 2);
}

#[test]
fn closed_comes_after_the_last_value() {
    let publisher = Publisher::new(1);
    let mut watch = publisher.live().watch();
    publisher.publish(2);
    drop(publisher);
    assert_eq!(*block_on(watch.changed()).unwrap(), 2);
    assert_eq!(block_on(watch.changed()).unwrap_err(), Closed);
    assert_eq!(block_on(watch.changed()).unwrap_err(), Closed, "and stays");
    assert_eq!(*watch.load(), 2);
    assert_eq!(Closed.to_string(), "the publisher is gone");
}

#[test]
fn a_fixed_value_says_closed_at_once() {
    assert_eq!(block_on(Live::fixed(1).watch().changed()).unwrap_err(), Closed);
}

#[test]
fn closing_wakes_who_waits() {
    let publisher = Publisher::new(1);
    let mut watch = publisher.live().watch();
    let (calls, waker) = Calls::new();
    let mut wait = watch.changed();
    assert!(poll(&mut wait, &waker).is_pending());
    drop(publisher);
    assert_eq!(calls.count(), 1);
    assert!(matches!(poll(&mut wait, &waker), Poll::Ready(Err(Closed))));
}

#[test]
fn a_publish_wakes_every_waiter_once() {
    let publisher = Publisher::new(1);
    let mut watches: Vec<_> = (0..50).map(|_| publisher.live().watch()).collect();
    let (calls, waker) = Calls::new();
    let mut waits: Vec<_> = watches.iter_mut().map(|watch| watch.changed()).collect();
    for wait in &mut waits {
        assert!(poll(wait, &waker).is_pending());
    }
    publisher.publish(2);
    publisher.publish(3);
    assert_eq!(calls.count(), 50, "one call each, though there were two publishes");
    for wait in &mut waits {
        assert!(matches!(poll(wait, &waker), Poll::Ready(Ok(value)) if *value == 3));
    }
}

#[test]
fn the_latest_waker_counts() {
    let publisher = Publisher::new(1);
    let mut watch = publisher.live().watch();
    let mut wait = watch.changed();
    let (first, first_waker) = Calls::new();
    let (second, second_waker) = Calls::new();
    assert!(poll(&mut wait, &first_waker).is_pending());
    assert!(poll(&mut wait, &second_waker).is_pending());
    publisher.publish(2);
    assert_eq!((first.count(), second.count()), (0, 1));
}

#[test]
fn a_dropped_wait_takes_its_waker_along() {
    let publisher = Publisher::new(1);
    let mut watch = publisher.live().watch();
    let (calls, waker) = Calls::new();
    let mut wait = watch.changed();
    assert!(poll(&mut wait, &waker).is_pending());
    drop(waker);
    assert_eq!(Arc::strong_count(&calls), 2, "held by the list");
    drop(wait);
    assert_eq!(Arc::strong_count(&calls), 1, "and let go");
    publisher.publish(2);
    assert_eq!(calls.count(), 0);
    assert_eq!(*block_on(watch.changed()).unwrap(), 2, "nothing was lost");
}

#[test]
fn a_finished_wait_leaves_no_waker_behind() {
    let publisher = Publisher::new(1);
    let mut watch = publisher.live().watch();
    let (calls, waker) = Calls::new();
    let mut wait = watch.changed();
    assert!(poll(&mut wait, &waker).is_pending());
    publisher.publish(2);
    assert!(poll(&mut wait, &waker).is_ready());
    assert!(poll(&mut wait, &waker).is_pending(), "polled again it waits for the next");
    drop(wait);
    drop(publisher);
    assert!(matches!(poll(&mut watch.changed(), &waker), Poll::Ready(Err(Closed))));
    drop(waker);
    assert_eq!(Arc::strong_count(&calls), 1);
}

#[test]
fn a_waker_may_use_what_it_was_called_for() {
    struct Reenter(Publisher<i32>, Live<i32>);
    impl std::task::Wake for Reenter {
        fn wake(self: Arc<Self>) {
            // Publishing, reading, watching and deriving from inside the call must not deadlock.
            if *self.1.load() < 10 {
                self.0.publish(10);
            }
            drop(self.1.watch());
            assert_eq!(*self.1.map(|value| value + 1).load(), 11);
        }
    }

    let publisher = Publisher::new(1);
    let live = publisher.live();
    let mut watch = live.watch();
    let reenter = Arc::new(Reenter(publisher, live));
    let mut wait = watch.changed();
    assert!(poll(&mut wait, &Arc::clone(&reenter).into()).is_pending());
    reenter.0.publish(2);
    assert_eq!(*reenter.1.load(), 10);
}

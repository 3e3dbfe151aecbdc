//! The part we wrote ourselves, under every interleaving (up to a bound on preemptions) and with a
//! cell that promises less than `arc_swap` does. The tests that end in `is_noticed` leave a step
//! out and show that the model above them is what holds it in place.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p live-value --release --lib`
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use loom::future::block_on;
use loom::thread;

use crate::sync::{Step, leave_out};
use crate::{Closed, Live, Publisher, Watch};

/// Preemptions per execution. Known concurrency bugs need two or fewer; three is for good measure.
const PREEMPTIONS: usize = 3;

fn check(model: impl Fn() + Send + Sync + 'static) {
    check_bounded(PREEMPTIONS, model);
}

fn check_bounded(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// Notes that it was called. Not a loom type: the models look only after the caller has ended.
struct Noted(AtomicBool);

impl Wake for Noted {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits to the end and returns the last value.
fn last_of<T: Copy>(watch: &mut Watch<T>) -> T {
    let mut last = *watch.load();
    while let Ok(value) = block_on(watch.changed()) {
        last = *value;
    }
    last
}

#[test]
fn a_waiter_gets_the_value_and_then_closed() {
    check(|| {
        let publisher = Publisher::new(1);
        let mut watch = publisher.live().watch();
        let writer = thread::spawn(move || {
            publisher.publish(2);
            publisher
        });
        let guard = block_on(watch.changed()).unwrap();
        assert_eq!((*guard, guard.version().get()), (2, 2));
        drop(writer.join().unwrap());
        assert_eq!(block_on(watch.changed()).unwrap_err(), Closed);
    });
}

/// Polled once while a publish runs: after both, the poll was ready or the waker was called.
fn waiting_races_with_a_publish() {
    check(|| {
        let publisher = Publisher::new(1);
        let mut watch = publisher.live().watch();
        let writer = thread::spawn(move || {
            publisher.publish(2);
            publisher
        });
        let noted = Arc::new(Noted(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&noted));
        let mut wait = watch.changed();
        let ready = Pin::new(&mut wait).poll(&mut Context::from_waker(&waker)).is_ready();
        let publisher = writer.join().unwrap();
        assert!(ready || noted.0.load(Ordering::Relaxed), "no wake-up is lost");
        drop(wait);
        drop(publisher);
    });
}

#[test]
fn a_wait_that_races_with_a_publish_loses_no_wake_up() {
    waiting_races_with_a_publish();
}

#[test]
#[should_panic(expected = "no wake-up is lost")]
fn a_missing_look_after_the_waker_is_noticed() {
    leave_out(Step::RecheckAfterWaker);
    waiting_races_with_a_publish();
}

#[test]
fn two_waiters_see_the_last_value_before_closed() {
    check(|| {
        let publisher = Publisher::new(1);
        let mut watch = publisher.live().watch();
        let mut other = watch.clone();
        let waiter = thread::spawn(move || last_of(&mut other));
        publisher.publish(2);
        drop(publisher);
        assert_eq!(last_of(&mut watch), 2);
        assert_eq!(waiter.join().unwrap(), 2);
    });
}

#[test]
fn a_cancelled_wait_loses_nothing() {
    check(|| {
        let publisher = Publisher::new(1);
        let live = publisher.live();
        let mut watch = live.watch();
        let writer = thread::spawn(move || {
            publisher.publish(2);
            publisher
        });
        // Polled once, with a waker of nobody, and dropped.
        let first = {
            let mut wait = watch.changed();
            Pin::new(&mut wait).poll(&mut Context::from_waker(Waker::noop())).is_ready()
        };
        if !first {
            assert_eq!(*block_on(watch.changed()).unwrap(), 2);
        }
        assert_eq!(*watch.load(), 2);
        drop(writer.join().unwrap());
    });
}

#[test]
fn loads_never_go_back() {
    check(|| {
        let publisher = Publisher::new(1);
        let live = publisher.live();
        let reader = thread::spawn(move || {
            let first = live.load();
            let second = live.load();
            assert!(first.version() <= second.version());
            assert_eq!(*first, first.version().get());
            assert_eq!(*second, second.version().get());
        });
        publisher.publish(2);
        publisher.publish(3);
        reader.join().unwrap();
    });
}

#[test]
fn one_of_two_comparing_publishers_wins() {
    check(|| {
        let publisher = Arc::new(Publisher::new(0));
        let seen = publisher.version();
        let other = Arc::clone(&publisher);
        let rival = thread::spawn(move || other.compare_and_publish(seen, 10).is_ok());
        let won = publisher.compare_and_publish(seen, 20).is_ok();
        let rival_won = rival.join().unwrap();
        assert!(won != rival_won);
        assert_eq!(*publisher.load(), if won { 20 } else { 10 });
        assert_eq!(publisher.version().get(), 2);
    });
}

fn deriving_races_with_a_publish() {
    check(|| {
        let publisher = Publisher::new(1);
        let live = publisher.live();
        let writer = thread::spawn(move || {
            publisher.publish(2);
            publisher
        });
        let derived = live.map(|value| value * 10);
        let publisher = writer.join().unwrap();
        assert_eq!(*derived.load(), 20, "no update is lost");
        assert_eq!(derived.version(), publisher.version());
    });
}

#[test]
fn a_derivation_that_races_with_a_publish_loses_no_update() {
    deriving_races_with_a_publish();
}

#[test]
#[should_panic(expected = "no update is lost")]
fn a_missing_look_after_registering_a_derivation_is_noticed() {
    leave_out(Step::RecheckAfterFollower);
    deriving_races_with_a_publish();
}

fn two_publishers_and_a_chain() {
    check(|| {
        let publisher = Arc::new(Publisher::new(1));
        let end = publisher.live().map(|value| value + 100).map(|value| value + 1_000);
        let other = Arc::clone(&publisher);
        let rival = thread::spawn(move || other.publish(2));
        publisher.publish(3);
        rival.join().unwrap();
        assert_eq!(end.version(), publisher.version(), "the chain is in step");
        assert_eq!(*end.load(), *publisher.load() + 1_100);
    });
}

#[test]
fn a_chain_follows_two_publishers() {
    two_publishers_and_a_chain();
}

#[test]
#[should_panic(expected = "the chain is in step")]
fn a_missing_note_to_the_deriving_thread_is_noticed() {
    leave_out(Step::AskForAnotherRound);
    two_publishers_and_a_chain();
}

/// A reader that derives brings other derivations up to date as well, while the publisher goes.
fn closing_races_with_deriving() {
    check_bounded(2, || {
        let publisher = Publisher::new(1);
        let live = publisher.live();
        let mut watch = live.map(|value| value * 10).watch();
        let deriver = thread::spawn(move || live.map(|value| value * 100));
        let writer = thread::spawn(move || {
            publisher.publish(2);
            publisher.publish(3);
        });
        assert_eq!(last_of(&mut watch), 30, "closed comes last");
        writer.join().unwrap();
        let derived: Live<i32> = deriver.join().unwrap();
        assert_eq!(*derived.load(), 300, "closed comes last");
        assert!(derived.is_closed());
    });
}

#[test]
fn a_derived_value_closes_after_its_last_value() {
    closing_races_with_deriving();
}

#[test]
#[should_panic(expected = "closed comes last")]
fn closing_ahead_of_the_last_value_is_noticed() {
    leave_out(Step::ClosedBeforeValue);
    closing_races_with_deriving();
}

/// By key, with one more derivation that brings it up to date from another thread.
#[test]
fn a_value_derived_by_key_follows_two_publishers() {
    check_bounded(2, || {
        let publisher = Arc::new(Publisher::new(10));
        let live = publisher.live();
        let tens = live.map_by_key(|value| value / 10, |value| value / 10);
        let other = Arc::clone(&publisher);
        let rival = thread::spawn(move || other.publish(11));
        publisher.publish(20);
        rival.join().unwrap();
        assert_eq!(*tens.load(), *publisher.load() / 10, "it is in step");
    });
}

#[test]
fn a_derivation_by_key_that_races_with_a_publish_loses_no_update() {
    check(|| {
        let publisher = Publisher::new(10);
        let live = publisher.live();
        let writer = thread::spawn(move || {
            publisher.publish(11);
            publisher.publish(20);
            publisher
        });
        let tens = live.map_by_key(|value| value / 10, |value| value / 10);
        drop(writer.join().unwrap());
        assert_eq!(*tens.load(), 2, "no update is lost");
        assert!(tens.is_closed());
    });
}

#[test]
fn a_derivation_dropped_during_a_publish_goes_quietly() {
    check(|| {
        let publisher = Publisher::new(1);
        let derived = publisher.live().map(|value| value * 10);
        let kept = publisher.live().map(|value| value * 100);
        let dropper = thread::spawn(move || drop(derived));
        publisher.publish(2);
        dropper.join().unwrap();
        assert_eq!(*kept.load(), 200);
    });
}

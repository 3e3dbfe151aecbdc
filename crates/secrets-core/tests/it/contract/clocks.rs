//! The clock that tests move.

use std::time::{Duration, SystemTime};

use secrets_core::{Clock, ManualClock, SystemClock};

#[test]
fn a_manual_clock_moves_when_told_to_and_stays_in_its_range() {
    let epoch = SystemTime::UNIX_EPOCH;
    let clock = ManualClock::at(epoch - Duration::from_secs(1));
    assert_eq!(clock.now(), epoch);
    let same = clock.clone();
    clock.advance(Duration::from_nanos(5));
    assert_eq!(same.now(), epoch + Duration::from_nanos(5));
    clock.set(epoch + Duration::from_secs(2));
    clock.set(epoch + Duration::from_secs(1));
    assert_eq!(same.now(), epoch + Duration::from_secs(1));
    clock.advance(Duration::MAX);
    let last = clock.now();
    clock.advance(Duration::from_secs(1));
    assert_eq!(clock.now(), last);
}

#[test]
fn the_system_clock_is_the_systems() {
    let before = SystemTime::now();
    let now = SystemClock.now();
    assert!(now >= before && now <= SystemTime::now());
}

use std::sync::Barrier;
use std::thread;

use live_value::{Publisher, Version};

#[test]
fn each_publish_counts_one_up() {
    let publisher = Publisher::new(0);
    assert_eq!(publisher.publish(10).get(), 2);
    assert_eq!(publisher.publish(20).get(), 3);
    assert_eq!((*publisher.load(), publisher.version().get()), (20, 3));
}

#[test]
fn compares_by_version_not_by_value() {
    let publisher = Publisher::new(5);
    let seen = publisher.version();
    publisher.publish(6);
    publisher.publish(5); // the same value again is not the same version

    let conflict = publisher.compare_and_publish(seen, 7).unwrap_err();
    assert_eq!(conflict.to_string(), "expected version 1, found version 3");
    assert_eq!((conflict.current().get(), conflict.into_value()), (3, 7));
    assert_eq!((*publisher.load(), publisher.version().get()), (5, 3));

    assert_eq!(publisher.compare_and_publish(publisher.version(), 7).unwrap().get(), 4);
    assert_eq!(*publisher.load(), 7);
}

#[test]
fn a_version_from_elsewhere_conflicts() {
    let ahead = Publisher::new(0);
    ahead.publish(1);
    let publisher = Publisher::new(0);
    assert_eq!(publisher.compare_and_publish(ahead.version(), 9).unwrap_err().into_value(), 9);
    assert_eq!(publisher.version(), Version::FIRST);
}

#[test]
fn concurrent_increments_lose_none() {
    const EACH: u64 = 2_000;
    let publisher = Publisher::new(0_u64);
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                for _ in 0..EACH {
                    loop {
                        let seen = publisher.load();
                        if publisher.compare_and_publish(seen.version(), *seen + 1).is_ok() {
                            break;
                        }
                    }
                }
            });
        }
    });
    assert_eq!((*publisher.load(), publisher.version().get()), (4 * EACH, 4 * EACH + 1));
}

#[test]
fn knows_whether_anybody_reads() {
    let publisher = Publisher::new(1);
    assert!(!publisher.has_readers());
    let live = publisher.live();
    let watch = live.watch();
    let derived = live.map(|value| value + 1);
    drop(live);
    assert!(publisher.has_readers(), "a watch reads");
    drop(watch);
    assert!(publisher.has_readers(), "a derived value reads");
    drop(derived);
    assert!(!publisher.has_readers());
}

use std::hint::black_box;
use std::thread;

use crate::PROBE;

#[test]
fn counts_each_way_to_get_memory() {
    let (_, boxed) = PROBE.count(|| black_box(Box::new(7_u64)));
    assert_eq!((boxed.allocations, boxed.bytes), (1, 8));

    let (_, zeroed) = PROBE.count(|| black_box(vec![0_u8; 100]));
    assert_eq!((zeroed.allocations, zeroed.bytes), (1, 100));

    let mut grown = black_box(Vec::<u8>::with_capacity(10));
    let ((), reallocated) = PROBE.count(|| grown.reserve_exact(20));
    assert_eq!((reallocated.allocations, reallocated.bytes), (1, 20));
}

#[test]
fn counts_nothing_where_nothing_is_allocated() {
    let held = vec![1_u8, 2, 3];
    let (sum, counts) = PROBE.count(|| held.iter().map(|byte| u32::from(*byte)).sum::<u32>());
    assert_eq!((sum, counts.allocations, counts.bytes), (6, 0, 0));
    let ((), freeing) = PROBE.count(|| drop(held));
    assert_eq!(freeing.allocations, 0);
}

fn work_on_another_thread(work: impl FnOnce() + Send) {
    thread::scope(|scope| scope.spawn(work).join().unwrap());
}

#[test]
fn other_threads_count_everywhere_only() {
    let work = || (0..50).for_each(|_| drop(black_box(vec![1_u8; 1_000])));
    let ((), everywhere) = PROBE.count_everywhere(|| work_on_another_thread(work));
    assert!(everywhere.allocations >= 50 && everywhere.bytes >= 50_000, "{everywhere:?}");
    let ((), here) = PROBE.count(|| work_on_another_thread(work));
    // Starting a thread allocates a little here, but not what the thread itself allocates.
    assert!(here.bytes < 50_000, "{here:?}");
}

#[test]
fn counts_as_a_thread_ends() {
    struct AtTheEnd;
    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            drop(black_box(vec![1_u8; 1_000_000]));
        }
    }
    thread_local!(static LAST: AtTheEnd = const { AtTheEnd });

    let touch = || thread::spawn(|| LAST.with(|_| ())).join().unwrap();
    let ((), everywhere) = PROBE.count_everywhere(touch);
    assert!(everywhere.bytes >= 1_000_000);
}

#[test]
fn counts_may_nest() {
    let (((), inner), outer) = PROBE.count(|| {
        drop(black_box(Box::new(1_u64)));
        PROBE.count(|| drop(black_box(Box::new(2_u64))))
    });
    assert_eq!(inner.allocations, 1);
    assert!(outer.allocations >= 2);
}

#[test]
fn refuses_to_count_when_not_installed() {
    static ELSEWHERE: probe::Probe = probe::Probe::new();
    let outcome = std::panic::catch_unwind(|| ELSEWHERE.count(|| ()));
    assert!(outcome.is_err());
    let outcome = std::panic::catch_unwind(|| ELSEWHERE.scan_for(b"canary-of-nobody").finish());
    assert!(outcome.is_err());
}

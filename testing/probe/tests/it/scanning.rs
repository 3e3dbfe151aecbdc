use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use zeroize::{Zeroize, Zeroizing};

use crate::PROBE;

// Each test has a needle of its own: all of them free memory at the same time.

#[test]
fn finds_what_was_not_wiped() {
    const CANARY: &[u8] = b"canary-not-wiped-3b9a";
    let scan = PROBE.scan_for(CANARY);
    drop(black_box(CANARY.to_vec()));
    let findings = scan.finish();
    assert_eq!((findings.blocks, findings.sizes), (1, vec![CANARY.len()]));
}

#[test]
fn does_not_find_what_was_wiped() {
    const CANARY: &[u8] = b"canary-that-is-wiped-81";
    let scan = PROBE.scan_for(CANARY);
    drop(black_box(Zeroizing::new(CANARY.to_vec())));
    assert!(scan.finish().is_clean());
}

#[test]
fn finds_it_in_the_middle_and_at_both_ends() {
    const CANARY: &[u8] = b"canary-in-the-middle";
    for (before, after) in [(0, 100), (100, 0), (1, 1), (4_000, 96)] {
        let block = [vec![b'c'; before], CANARY.to_vec(), vec![0; after]].concat();
        let size = block.len();
        let scan = PROBE.scan_for(CANARY);
        drop(black_box(block));
        assert_eq!(scan.finish().sizes, [size], "{before} before, {after} after");
    }
}

#[test]
fn does_not_find_a_part_or_a_shorter_block() {
    const CANARY: &[u8] = b"canary-cut-in-parts-0";
    let scan = PROBE.scan_for(CANARY);
    drop(black_box(CANARY[..CANARY.len() - 1].to_vec()));
    drop(black_box(CANARY[1..].to_vec()));
    drop(black_box(vec![1_u8]));
    assert!(scan.finish().is_clean());
}

#[test]
fn finds_what_growing_and_shrinking_leave_behind() {
    const CANARY: &[u8] = b"canary-left-behind-5";
    let scan = PROBE.scan_for(CANARY);
    let mut grown = black_box(CANARY.to_vec());
    grown.reserve_exact(10_000);
    assert_eq!(&grown[..], CANARY, "moved unharmed");
    grown.zeroize();
    drop(black_box(grown));
    assert_eq!(scan.finish().sizes, [CANARY.len()]);

    let mut shrunk = black_box([vec![b'x'; 100], CANARY.to_vec()].concat());
    let scan = PROBE.scan_for(CANARY);
    shrunk.truncate(50);
    shrunk.shrink_to_fit();
    assert_eq!(shrunk, [b'x'; 50]);
    assert_eq!(scan.finish().sizes, [100 + CANARY.len()]);
}

#[test]
fn sees_every_thread() {
    const CANARY: &[u8] = b"canary-of-many-threads";
    let scan = PROBE.scan_for(CANARY);
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                (0..100).for_each(|_| drop(black_box(CANARY.to_vec())));
            });
        }
    });
    let findings = scan.finish();
    assert_eq!((findings.blocks, findings.sizes.len()), (400, 16));
}

#[test]
fn sees_what_another_thread_frees_later() {
    const CANARY: &[u8] = b"canary-freed-elsewhere";
    let scan = PROBE.scan_for(CANARY);
    let shared = Arc::new(CANARY.to_vec());
    let other = thread::spawn({
        let shared = Arc::clone(&shared);
        move || drop(black_box(shared))
    });
    drop(shared);
    other.join().unwrap();
    assert_eq!(scan.finish().blocks, 1);
}

#[test]
fn sees_only_while_it_runs() {
    const CANARY: &[u8] = b"canary-out-of-time-22";
    let early = black_box(CANARY.to_vec());
    let late = black_box(CANARY.to_vec());
    drop(early);
    let scan = PROBE.scan_for(CANARY);
    assert!(scan.finish().is_clean());
    drop(late);
    let scan = PROBE.scan_for(CANARY);
    assert!(scan.finish().is_clean(), "a scan starts from nothing");
}

#[test]
fn compares_the_longest_needle_to_its_last_byte() {
    const CANARY: &[u8; 64] = b"canary-of-the-longest-kind-that-the-probe-takes-sixty-four-bytes";
    let scan = PROBE.scan_for(CANARY);
    drop(black_box([&CANARY[..63], b"S"].concat()));
    drop(black_box([b"C", &CANARY[1..]].concat()));
    drop(black_box(CANARY.to_vec()));
    assert_eq!(scan.finish().blocks, 1);
}

#[test]
fn the_end_waits_for_threads_that_are_still_looking() {
    const CANARY: &[u8] = b"canary-at-a-far-end-6";
    const LATER: &[u8] = b"canary-of-the-next-scan";
    // Takes much longer to look through than the five milliseconds below.
    const SIZE: usize = 32 << 20;
    let attempt = || {
        let mut block = vec![0; SIZE];
        block[SIZE - CANARY.len()..].copy_from_slice(CANARY);
        let start = Barrier::new(2);
        let scan = PROBE.scan_for(CANARY);
        thread::scope(|scope| {
            let freeing = scope.spawn(|| {
                start.wait();
                drop(black_box(block));
            });
            start.wait();
            thread::sleep(Duration::from_millis(5));
            let findings = scan.finish();
            let next = PROBE.scan_for(LATER);
            freeing.join().unwrap();
            assert!(next.finish().is_clean(), "what one scan found must not show in the next");
            findings.blocks == 1
        })
    };
    // On a busy machine the other thread may not have begun to look after five milliseconds.
    assert!((0..50).any(|_| attempt()));
}

#[test]
fn a_scan_neither_allocates_nor_disturbs_what_it_reads() {
    const CANARY: &[u8] = b"canary-no-allocation";
    let scan = PROBE.scan_for(CANARY);
    let blocks: Vec<Vec<u8>> = (0..100).map(|_| black_box(CANARY.to_vec())).collect();
    let ((), counts) = PROBE.count(|| drop(blocks));
    assert_eq!(counts.allocations, 0);
    assert_eq!(scan.finish().blocks, 100);
}

#[test]
fn refuses_needles_that_are_too_short_or_too_long() {
    for length in [0, 7, 65] {
        let outcome = std::panic::catch_unwind(|| PROBE.scan_for(&vec![b'n'; length]).finish());
        assert!(outcome.is_err(), "{length} bytes");
    }
}

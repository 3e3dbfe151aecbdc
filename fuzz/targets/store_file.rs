//! Whole files of the encrypted store: whatever the bytes, opening them is an error of a kind or a store.

#![no_main]

use std::future::Future;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use secrets_core::SecretValue;
use secrets_local::store::{KeyFile, inspect, verify_bytes};

/// The key of the seeds, so that some of what is made of them still opens.
static KEY: LazyLock<KeyFile> = LazyLock::new(|| {
    KeyFile::from_value(&SecretValue::copy_from_slice(&[7; 32])).expect("32 bytes")
});

fuzz_target!(|file: &[u8]| {
    let seen = inspect(file);
    // Without a runtime the work is done where it is asked for.
    let opened = pin!(verify_bytes(file.into(), KEY.clone()));
    let Poll::Ready(opened) = opened.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("something was left to wait for");
    };
    match (seen, opened) {
        (Err(seen), Err(opened)) => assert_eq!(seen.kind(), opened.kind()),
        (Err(seen), Ok(_)) => panic!("opened, and not even its header is sound: {seen}"),
        (Ok(seen), _) => {
            assert!(!seen.slots.is_empty() && seen.slots.len() <= 32);
            let parts = [seen.header_len, seen.records_len, seen.index_len];
            assert_eq!(parts.iter().sum::<u64>(), file.len() as u64);
        }
    }
});

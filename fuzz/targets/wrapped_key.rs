//! The stored form of a wrapped key: any bytes are refused, or are the one form of what they mean.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrets_core::{ErrorKind, WrappedKey};

fuzz_target!(|bytes: &[u8]| {
    match WrappedKey::from_bytes(bytes) {
        Ok(key) => assert_eq!(key.to_bytes(), bytes),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Integrity),
    }
});

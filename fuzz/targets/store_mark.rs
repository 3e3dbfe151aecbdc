//! High-water marks of the encrypted store: what is read has this one form, and only with its code.

#![no_main]

use libfuzzer_sys::fuzz_target;

// The library opens this door to the fuzzer alone.
#[cfg(fuzzing)]
fuzz_target!(|mark: &[u8]| secrets_local::store::fuzz_mark(mark));

#[cfg(not(fuzzing))]
fuzz_target!(|_mark: &[u8]| {});

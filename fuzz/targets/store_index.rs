//! The index of the encrypted store before it is sealed: what is read has this one encoding.

#![no_main]

use libfuzzer_sys::fuzz_target;

// The library opens this door to the fuzzer alone.
#[cfg(fuzzing)]
fuzz_target!(|index: &[u8]| secrets_local::store::fuzz_index(index));

#[cfg(not(fuzzing))]
fuzz_target!(|_index: &[u8]| {});

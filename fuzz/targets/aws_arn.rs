//! ARNs, which anybody may have written: what is accepted is taken apart without loss, and asks nobody but
//! whom it names.

#![no_main]

use libfuzzer_sys::fuzz_target;

// The library opens this door to the fuzzer alone.
#[cfg(fuzzing)]
fuzz_target!(|text: &str| secrets_aws::fuzz_arn(text));

#[cfg(not(fuzzing))]
fuzz_target!(|_text: &str| {});

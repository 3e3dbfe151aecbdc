//! Files of the audit trail: whatever is in them is a report, and no panic.

#![no_main]

use libfuzzer_sys::fuzz_target;

// The library opens this door to the fuzzer alone.
#[cfg(fuzzing)]
fuzz_target!(|segment: &[u8]| audit_log::fuzz_segment(segment));

#[cfg(not(fuzzing))]
fuzz_target!(|_segment: &[u8]| {});

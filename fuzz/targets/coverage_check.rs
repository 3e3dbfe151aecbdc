//! Panics on one input of eight bytes, which no blind search finds: `cargo xtask fuzz` expects it to
//! be found, and fails if it is not.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // A branch a byte, each reached only through the one before: a trail of new coverage.
    if data.first() == Some(&b'm')
        && data.get(1) == Some(&b'a')
        && data.get(2) == Some(&b'i')
        && data.get(3) == Some(&b'n')
        && data.get(4) == Some(&b's')
        && data.get(5) == Some(&b't')
        && data.get(6) == Some(&b'a')
        && data.get(7) == Some(&b'y')
    {
        panic!("found by coverage");
    }
});

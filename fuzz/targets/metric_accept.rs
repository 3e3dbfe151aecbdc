//! Whatever a collector's `Accept` says, it gets OpenMetrics only where it names it, and in whatever order it says so.

#![no_main]

use libfuzzer_sys::fuzz_target;
use obs::metric::Exposition;

fuzz_target!(|accept: &str| {
    let format = Exposition::accepted(accept);
    let names_it = accept.to_ascii_lowercase().contains("application/openmetrics-text");
    assert!(names_it || format == Exposition::Text, "{accept:?}");
    let ranges: Vec<_> = accept.split(',').rev().collect();
    assert_eq!(Exposition::accepted(&ranges.join(",")), format, "{accept:?}");
});

//! What the compiler refuses, seen at run time, and what it takes.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

use std::panic::catch_unwind;

use metric_table::{Metric, MetricKind};
use metrics::Unit;

const DURATION: Metric = Metric::histogram("http.server.request.duration", "s", "how long")
    .with_labels(&["http.request.method", "http.route"])
    .with_buckets(&[0.005, 0.01, 10.0]);

#[test]
fn a_table_says_what_was_written() {
    assert_eq!((DURATION.kind, DURATION.unit), (MetricKind::Histogram, "s"));
    assert_eq!(DURATION.labels, ["http.request.method", "http.route"]);
    assert_eq!(DURATION.buckets, [0.005, 0.01, 10.0]);
    let gauge = Metric::gauge("db.client.connection.count", "{connection}", "how many");
    assert_eq!((gauge.kind, gauge.labels.len(), gauge.buckets.len()), (MetricKind::Gauge, 0, 0));
}

#[test]
fn names_are_lower_case_words_joined_by_dots() {
    for name in ["", ".", "a.", ".a", "a..b", "A", "a b", "1a", "a.1b", "_a", "a-b", "a\n", "ä"] {
        assert!(catch_unwind(|| Metric::counter(name, "1", "help")).is_err(), "{name:?}");
    }
    for name in ["a", "a_1", "http.server.active_requests", "a1.b2"] {
        assert_eq!(Metric::counter(name, "1", "help").name, name);
    }
}

#[test]
fn what_is_missing_or_stands_twice_is_refused() {
    let plain = || Metric::counter("a", "1", "help");
    assert!(catch_unwind(|| Metric::counter("a", "", "help")).is_err());
    assert!(catch_unwind(|| Metric::counter("a", "per second", "help")).is_err());
    assert!(catch_unwind(|| Metric::counter("a", "1", "")).is_err());
    assert!(catch_unwind(|| plain().with_labels(&["a", "b", "a"])).is_err());
    assert!(catch_unwind(|| plain().with_labels(&["Label"])).is_err());
    assert!(catch_unwind(|| plain().with_buckets(&[1.0])).is_err());
}

#[test]
fn bounds_of_buckets_rise() {
    const SPOILT: [&[f64]; 4] = [&[1.0, 1.0], &[2.0, 1.0], &[f64::NAN], &[1.0, f64::INFINITY]];
    for bounds in SPOILT {
        let histogram = || Metric::histogram("a", "s", "help").with_buckets(bounds);
        assert!(catch_unwind(histogram).is_err(), "{bounds:?}");
    }
}

#[test]
fn the_facade_is_told_its_own_units() {
    let cases = [("s", Unit::Seconds), ("By", Unit::Bytes), ("{request}", Unit::Count)];
    for (unit, expected) in cases {
        assert_eq!(Metric::gauge("a", unit, "help").facade_unit(), expected);
    }
}

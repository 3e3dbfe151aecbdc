//! What the compiler checks of a table.
#![expect(clippy::panic, reason = "errors of the compiler in a constant")]

use crate::MetricKind;

/// Words of lower-case letters, digits and `_`, joined by dots, each beginning with a letter.
pub(crate) const fn name(name: &str) {
    let mut rest = name.as_bytes();
    let mut begins = true;
    while let [first, others @ ..] = rest {
        let is_letter = first.is_ascii_lowercase();
        let goes_on = first.is_ascii_digit() || *first == b'_' || *first == b'.';
        if !(is_letter || (goes_on && !begins)) {
            panic!("a name takes lower-case words of letters, digits and `_`, joined by dots");
        }
        begins = *first == b'.';
        rest = others;
    }
    if begins {
        panic!("a name is not empty and does not end with a dot");
    }
}

/// Printable ASCII without spaces.
pub(crate) const fn unit(unit: &str) {
    let mut rest = unit.as_bytes();
    if rest.is_empty() {
        panic!("a metric without a unit has the unit `1`");
    }
    while let [first, others @ ..] = rest {
        if !first.is_ascii_graphic() {
            panic!("a unit is written as UCUM writes it, without spaces");
        }
        rest = others;
    }
}

pub(crate) const fn help(help: &str) {
    if help.is_empty() {
        panic!("a metric says what it is");
    }
}

pub(crate) const fn labels(labels: &[&str]) {
    let mut rest = labels;
    while let [first, others @ ..] = rest {
        name(first);
        let mut next = others;
        while let [other, after @ ..] = next {
            if same(first.as_bytes(), other.as_bytes()) {
                panic!("a label stands twice");
            }
            next = after;
        }
        rest = others;
    }
}

const fn same(mut left: &[u8], mut right: &[u8]) -> bool {
    while let ([a, left_rest @ ..], [b, right_rest @ ..]) = (left, right) {
        if *a != *b {
            return false;
        }
        (left, right) = (left_rest, right_rest);
    }
    left.is_empty() && right.is_empty()
}

pub(crate) const fn buckets(kind: MetricKind, bounds: &[f64]) {
    if !matches!(kind, MetricKind::Histogram) {
        panic!("only a histogram has buckets");
    }
    let mut rest = bounds;
    let mut last = f64::NEG_INFINITY;
    while let [first, others @ ..] = rest {
        if !(first.is_finite() && *first > last) {
            panic!("bounds of buckets are finite and rise");
        }
        last = *first;
        rest = others;
    }
}

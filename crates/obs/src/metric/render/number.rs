//! Numbers as both formats read them.

use std::io::Write as _;

/// Above these an `f64` has no digits after the point, and all integers below are told exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

pub(crate) fn write_u64(number: u64, text: &mut Vec<u8>) {
    let (mut digits, mut rest, mut start) = ([0; 20], number, 20);
    for digit in digits.iter_mut().rev() {
        // A remainder of ten fits.
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        start -= 1;
        if rest == 0 {
            break;
        }
    }
    text.extend_from_slice(digits.get(start..).unwrap_or_default());
}

pub(crate) fn write_f64(number: f64, text: &mut Vec<u8>) {
    if number.fract() == 0.0 && number.abs() < EXACT {
        if number < 0.0 {
            text.push(b'-');
        }
        write_u64(number.abs() as u64, text);
        return;
    }
    let is_long = !(1e-5..1e21).contains(&number.abs());
    // Writing to a `Vec` does not fail.
    let _ = if is_long { write!(text, "{number:e}") } else { write!(text, "{number}") };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(number: f64) -> String {
        let mut text = Vec::new();
        write_f64(number, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn numbers_are_short() {
        let cases = [(0.0, "0"), (-0.0, "0"), (-3.0, "-3"), (0.1, "0.1"), (1e300, "1e300")];
        for (number, expected) in cases {
            assert_eq!(text(number), expected);
        }
    }

    proptest! {
        #[test]
        fn every_number_is_read_back(number in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL) {
            prop_assert_eq!(text(number).parse::<f64>().unwrap(), number);
        }

        #[test]
        fn every_count_is_read_back(number: u64) {
            let mut text = Vec::new();
            write_u64(number, &mut text);
            prop_assert_eq!(String::from_utf8(text).unwrap(), number.to_string());
        }
    }
}

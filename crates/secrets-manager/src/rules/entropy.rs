//! An estimate of how hard a value is to guess, from its bytes alone.

use zeroize::Zeroizing;

/// So many bytes are looked at.
pub(super) const LOOKED_AT: usize = 4096;

/// The estimate in bits; what it is made of, and what it cannot see, stands with
/// [`SecretRules::with_min_entropy_bits`](crate::SecretRules::with_min_entropy_bits).
pub(crate) fn estimate(bytes: &[u8]) -> f64 {
    let bytes = bytes.get(..LOOKED_AT).unwrap_or(bytes);
    let turn = bytes.get(..period(bytes)).unwrap_or(bytes);
    shannon(turn.iter().copied()).min(shannon(differences(turn)))
}

/// The most that so many bytes can come to.
pub(super) fn most(bytes: usize) -> f64 {
    let bytes = u32::try_from(bytes).map_or(f64::INFINITY, f64::from);
    if bytes < 1.0 { 0.0 } else { bytes * bytes.log2().min(8.0) }
}

/// `n · H`, with `H = -Σ pᵢ log₂ pᵢ` over the shares of the bytes.
fn shannon(bytes: impl Iterator<Item = u8>) -> f64 {
    let mut counts = Zeroizing::new([0_u32; 256]);
    let mut total = 0_u32;
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
        total += 1;
    }
    let total = f64::from(total);
    // n·H = Σ cᵢ log₂(n / cᵢ)
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count))
        .fold(0.0, |sum, c| c.mul_add((total / c).log2(), sum))
}

/// The difference of each byte to the one before it; the first to the last, so that there are as
/// many as bytes.
fn differences(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let before = bytes.last().into_iter().chain(bytes);
    bytes.iter().zip(before).map(|(byte, before)| byte.wrapping_sub(*before))
}

/// The length of the shortest beginning of which the whole is a repetition, which may break off in the
/// middle of the last turn. (Knuth, Morris, Pratt, "Fast Pattern Matching in Strings", 1977: the
/// length less that of the longest border.) Two turns at least; otherwise the length itself.
fn period(bytes: &[u8]) -> usize {
    let mut borders: Zeroizing<Vec<usize>> = Zeroizing::new(Vec::with_capacity(bytes.len()));
    borders.extend(bytes.first().map(|_| 0));
    for byte in bytes.iter().skip(1) {
        let mut border = borders.last().copied().unwrap_or(0);
        while border > 0 && bytes.get(border) != Some(byte) {
            border = borders.get(border - 1).copied().unwrap_or(0);
        }
        if bytes.get(border) == Some(byte) {
            border += 1;
        }
        borders.push(border);
    }
    let period = bytes.len() - borders.last().copied().unwrap_or(0);
    if period * 2 <= bytes.len() { period } else { bytes.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_the_formula() {
        // Four symbols of equal shares are 2 bits each; 3:1 is 0.8113 bits (Shannon's figure for
        // p = 0.75).
        assert!((shannon(b"aabbccdd".iter().copied()) - 16.0).abs() < 1e-9);
        assert!((shannon(b"aaab".iter().copied()) - 4.0 * 0.811_278_124).abs() < 1e-6);
        assert!(shannon(std::iter::empty()).abs() < 1e-9);
    }

    #[test]
    fn what_repeats_counts_once() {
        for (text, expected) in
            [("abcabcabc", 3), ("abcabcab", 3), ("aaaa", 1), ("abcd", 4), ("abca", 4), ("", 0)]
        {
            assert_eq!(period(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn runs_and_steps_come_to_little() {
        for text in ["aaaaaaaaaaaaaaaa", "abcdefghijklmnop", "13579bdf", "hunter2hunter2hunter2"] {
            assert!(estimate(text.as_bytes()) < 24.0, "{text}");
        }
        assert!(estimate(b"q7Zt0vR2mXc9LbW4") > 48.0);
    }
}

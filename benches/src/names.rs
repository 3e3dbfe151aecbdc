//! Names and values that every suite takes, the same in every run.

/// Names of 32 random characters [a-z0-9], all different.
pub(crate) fn names(count: usize) -> Vec<String> {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = Random(1);
    let mut character = || char::from(ALPHABET[random.below(ALPHABET.len())]);
    // Two that are the same are as likely as guessing a key of 165 bits.
    (0..count).map(|_| (0..32).map(|_| character()).collect()).collect()
}

/// The 64 bytes that belong to the name with this number: text, since not every peer takes other.
pub(crate) fn value(number: usize) -> [u8; 64] {
    let mut random = Random(number as u64 ^ 0x5EC2_E700);
    [(); 64].map(|()| b' ' + u8::try_from(random.below(95)).unwrap_or(0))
}

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Evenly from 0 to below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let wide = u128::from(self.next()) * bound as u128;
        (wide >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Random, names, value};

    #[test]
    fn names_are_many_different_ones_of_the_alphabet() {
        let names = names(10_000);
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        assert!(names.iter().all(|name| name.len() == 32 && name.chars().all(fits)));
    }

    #[test]
    fn values_are_text() {
        assert!(value(7).is_ascii() && value(7) != value(8));
    }

    #[test]
    fn draws_reach_every_number() {
        let mut random = Random(3);
        assert_eq!((0..100).map(|_| random.below(4)).collect::<HashSet<_>>().len(), 4);
    }
}

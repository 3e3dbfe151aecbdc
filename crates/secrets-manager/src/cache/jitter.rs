use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The step of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Where the randomness of refresh times and pauses comes from. It spreads load and protects
/// nothing, so it need not be unpredictable; a seed makes a test repeatable.
#[derive(Debug)]
pub struct Jitter(AtomicU64);

impl Jitter {
    /// The same sequence in every run.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A sequence that differs from process to process, so that a fleet does not refresh in step.
    #[must_use]
    pub fn random() -> Self {
        Self::seeded(RandomState::new().hash_one(()))
    }

    /// `longest`, or less by at most the part `by` of it; `by` lies between 0 and 1.
    pub(crate) fn shorten(&self, longest: Duration, by: f64) -> Duration {
        longest.mul_f64(1.0 - by.clamp(0.0, 1.0) * self.fraction())
    }

    /// Evenly from 0 to just below 1.
    fn fraction(&self) -> f64 {
        const BITS: u32 = 53;
        (self.draw() >> (u64::BITS - BITS)) as f64 / (1_u64 << BITS) as f64
    }

    fn draw(&self) -> u64 {
        let state = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_within_its_bounds_and_repeats_by_seed() {
        let (one, other) = (Jitter::seeded(7), Jitter::seeded(7));
        let longest = Duration::from_secs(100);
        let drawn: Vec<_> = (0..1_000).map(|_| one.shorten(longest, 0.25)).collect();
        assert!(drawn.iter().all(|d| (Duration::from_secs(75)..=longest).contains(d)));
        assert!(drawn.iter().max() > Some(&Duration::from_secs(99)));
        assert!(drawn.iter().min() < Some(&Duration::from_secs(76)));
        let again: Vec<_> = (0..1_000).map(|_| other.shorten(longest, 0.25)).collect();
        assert_eq!(drawn, again);
    }
}

//! Randomness: unpredictable for ids and keys, repeatable for faults.

use std::sync::{Mutex, PoisonError};

/// A sequence that is the same for the same seed (SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", 2014). For faults, duplicates and delays; never for keys.
#[derive(Debug)]
pub(crate) struct Sequence {
    state: Mutex<u64>,
}

impl Sequence {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: Mutex::new(seed) }
    }

    pub(crate) fn next(&self) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// True with this probability, 0 to 1.
    pub(crate) fn chance(&self, probability: f64) -> bool {
        #[allow(clippy::cast_precision_loss, reason = "53 bits fit")]
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        unit < probability
    }
}

/// Random bytes of the system.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Without a source of randomness there is nothing to test with; zeroes then show in every id.
    let _ = getrandom::fill(&mut bytes);
    bytes
}

/// Random characters of an alphabet of at most 256.
pub(crate) fn text(alphabet: &[u8], length: usize) -> String {
    let mut out = String::with_capacity(length);
    let limit = 256 - 256 % alphabet.len().max(1);
    while out.len() < length {
        for byte in bytes::<32>() {
            // Bytes past the last whole multiple would favour the first characters.
            if usize::from(byte) < limit
                && out.len() < length
                && let Some(c) = alphabet.get(usize::from(byte) % alphabet.len())
            {
                out.push(char::from(*c));
            }
        }
    }
    out
}

/// A random UUID (RFC 9562, version 4).
pub(crate) fn uuid() -> String {
    let mut b = bytes::<16>();
    let [_, _, _, _, _, _, six, _, eight, ..] = &mut b;
    *six = (*six & 0x0f) | 0x40;
    *eight = (*eight & 0x3f) | 0x80;
    let hex: String = b.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

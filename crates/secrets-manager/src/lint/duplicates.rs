//! Which values are the same, without keeping one.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use hmac::{Hmac, KeyInit, Mac};
use secrets_core::SecretValue;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::lint::finding::Subject;

/// Shorter values are the same by chance.
const SHORTEST: usize = 6;

/// Keeps a MAC of each value under a key that lives as long as this. Without the key nobody can
/// try out values against what is kept.
#[derive(Default)]
pub(super) struct Duplicates {
    key: Zeroizing<[u8; 32]>,
    seen: BTreeMap<[u8; 32], Vec<Subject>>,
}

impl Duplicates {
    pub(super) fn new() -> Self {
        // The standard library's hashers are keyed SipHash, with 128 bits of the system's
        // randomness: what they make of distinct inputs is as good a key, and cannot fail.
        let state = RandomState::new();
        let mut key = Zeroizing::new([0; 32]);
        for (number, part) in key.chunks_exact_mut(8).enumerate() {
            let mut hasher = state.build_hasher();
            hasher.write_usize(number);
            part.copy_from_slice(&hasher.finish().to_ne_bytes());
        }
        Self { key, seen: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, value: &SecretValue, subject: Subject) {
        let bytes = value.expose_secret().trim_ascii();
        if bytes.len() < SHORTEST {
            return;
        }
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.key.as_slice()) else { return };
        mac.update(bytes);
        let tag: [u8; 32] = mac.finalize().into_bytes().into();
        self.seen.entry(tag).or_default().push(subject);
    }

    /// Each value that several have: the first of them by name, and the others.
    pub(super) fn groups(self) -> impl Iterator<Item = (Subject, Vec<Subject>)> {
        self.seen.into_values().filter_map(|mut subjects| {
            subjects.sort();
            subjects.dedup();
            let mut subjects = subjects.into_iter();
            let first = subjects.next()?;
            let others: Vec<_> = subjects.collect();
            (!others.is_empty()).then_some((first, others))
        })
    }
}

//! Of what a copy outside of the process must not be used any more.

use std::collections::HashSet;

use crate::cache::line::Key;

/// What is gone at its provider, or was replaced by this process, and may be in a copy still.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lost {
    keys: HashSet<Key>,
    /// There was more than is remembered: nothing in the copy is known to be good.
    is_more: bool,
}

impl Lost {
    /// Remembers no more than so many.
    pub(crate) fn note(&mut self, key: Key, most: usize) {
        if self.keys.len() < most || self.keys.contains(&key) {
            self.keys.insert(key);
        } else {
            self.is_more = true;
        }
    }

    /// Whether it may be.
    pub(crate) fn may_have(&self, key: &Key) -> bool {
        self.is_more || self.keys.contains(key)
    }
}

#[cfg(feature = "snapshot")]
impl Lost {
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }

    pub(crate) fn is_more(&self) -> bool {
        self.is_more
    }

    /// These are in the copy no more.
    pub(crate) fn settle<'a>(&mut self, keys: impl IntoIterator<Item = &'a Key>) {
        for key in keys {
            self.keys.remove(key);
        }
    }

    /// Nor is anything else that was noted by `then`.
    pub(crate) fn settle_all(&mut self, then: &Self) {
        self.settle(&then.keys);
        // What was too much since then is not told apart from what was before.
        self.is_more &= !then.is_more;
    }
}

#[cfg(test)]
mod tests {
    use secrets_core::{SecretName, VersionSelector};

    use super::*;

    fn key(name: usize) -> Key {
        let reference = SecretName::new(&format!("name/{name}")).unwrap().into();
        Key { source: 0, reference, selector: VersionSelector::Current }
    }

    #[test]
    fn it_does_not_grow_and_forgets_nothing() {
        let mut lost = Lost::default();
        (0..1_000).for_each(|name| lost.note(key(name), 10));
        assert_eq!(lost.keys.len(), 10);
        assert!((0..1_000).all(|name| lost.may_have(&key(name))));
    }
}

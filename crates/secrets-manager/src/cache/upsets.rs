//! What happened lately that makes answers to earlier questions count no more.

use std::collections::VecDeque;

use secrets_core::SecretRef;

use crate::cache::line::{Key, may_be_same};

/// How many are remembered at most; a question from before those counts as overtaken.
const MOST_UPSETS: usize = 1024;

/// Writes, hints and invalidations. Calls for single secrets are told by their lines; this is for
/// questions that no line knows of.
#[derive(Debug, Default)]
pub(crate) struct Upsets {
    /// Oldest first.
    lately: VecDeque<Upset>,
    /// The number of the last one that is not remembered.
    forgotten: u64,
}

#[derive(Debug)]
struct Upset {
    number: u64,
    source: usize,
    /// Anything, if `None`.
    reference: Option<SecretRef>,
}

impl Upsets {
    /// Remembers one; numbers only grow.
    pub(crate) fn note(&mut self, number: u64, source: usize, reference: Option<SecretRef>) {
        let is_same = |last: &&mut Upset| last.source == source && last.reference == reference;
        if let Some(last) = self.lately.back_mut().filter(is_same) {
            last.number = number;
            return;
        }
        if self.lately.len() == MOST_UPSETS
            && let Some(oldest) = self.lately.pop_front()
        {
            self.forgotten = oldest.number;
        }
        self.lately.push_back(Upset { number, source, reference });
    }

    /// Whether an answer about `key`, to the question of this number, may be from before one.
    pub(crate) fn have_overtaken(&self, question: u64, key: &Key) -> bool {
        let since = self.lately.iter().rev().take_while(|upset| upset.number > question);
        let concerns = |upset: &Upset| {
            let reference = upset.reference.as_ref();
            upset.source == key.source && reference.is_none_or(|r| may_be_same(r, &key.reference))
        };
        question < self.forgotten || since.into_iter().any(concerns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrets_core::{NativeId, SecretName, VersionSelector};

    fn reference(name: &str) -> SecretRef {
        SecretName::new(name).unwrap().into()
    }

    fn key(source: usize, name: &str) -> Key {
        Key { source, reference: reference(name), selector: VersionSelector::Current }
    }

    #[test]
    fn overtakes_what_was_asked_before_about_the_same() {
        let mut upsets = Upsets::default();
        upsets.note(5, 0, Some(reference("a")));
        assert!(upsets.have_overtaken(4, &key(0, "a")) && !upsets.have_overtaken(6, &key(0, "a")));
        assert!(!upsets.have_overtaken(4, &key(0, "b")) && !upsets.have_overtaken(4, &key(1, "a")));
        upsets.note(7, 0, Some(NativeId::new("arn:x").unwrap().into()));
        assert!(upsets.have_overtaken(6, &key(0, "b")), "only the provider knows what it means");
        upsets.note(9, 1, None);
        assert!(upsets.have_overtaken(8, &key(1, "a")) && !upsets.have_overtaken(8, &key(0, "a")));
    }

    #[test]
    fn what_is_forgotten_is_taken_for_the_worst() {
        let mut upsets = Upsets::default();
        for number in 0..10_000 {
            upsets.note(number, 0, Some(reference(&format!("n/{number}"))));
        }
        assert_eq!(upsets.lately.len(), MOST_UPSETS);
        assert!(
            upsets.have_overtaken(10, &key(1, "a")) && !upsets.have_overtaken(9_900, &key(1, "a"))
        );
        for number in 10_000..20_000 {
            upsets.note(number, 0, None);
        }
        assert!(!upsets.have_overtaken(9_999, &key(1, "a")), "repeated ones take no room");
    }
}

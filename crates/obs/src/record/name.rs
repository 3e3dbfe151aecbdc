/// What is known of the name of a field before it is written. That of a field in the program is made
/// once for each place that logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    hash: u32,
    is_plain: bool,
    is_prefixed: bool,
}

/// What stands before the name of a field that a layout uses itself.
pub(crate) const PREFIX: &str = "field.";

impl Mark {
    /// FNV-1a (Fowler, Noll, Vo), of 32 bits: names are short.
    pub(crate) const fn of(name: &str) -> Self {
        let (mut hash, mut is_plain) = (0x811c_9dc5_u32, true);
        let mut rest = name.as_bytes();
        while let [byte, others @ ..] = rest {
            hash = (hash ^ *byte as u32).wrapping_mul(0x0100_0193);
            is_plain = is_plain && byte.is_ascii_graphic() && !matches!(*byte, b'"' | b'\\');
            rest = others;
        }
        let is_prefixed = match name.as_bytes().split_at_checked(PREFIX.len()) {
            Some((begin, _)) => matches!(begin, b"field."),
            None => false,
        };
        Self { hash, is_plain, is_prefixed }
    }

    /// Whether it begins as the names that layouts change.
    pub(crate) const fn is_prefixed(self) -> bool {
        self.is_prefixed
    }

    /// Its place in a [`Seen`].
    const fn word(self) -> usize {
        (self.hash >> 30) as usize
    }

    const fn bit(self) -> u64 {
        1 << (self.hash & 63)
    }

    /// Whether it has nothing but printable ASCII without spaces, quotes and backslashes.
    pub(crate) const fn is_plain(self) -> bool {
        self.is_plain
    }
}

/// Tells most names that were not added from those that may have been.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen([u64; 4]);

impl Seen {
    /// Those of a list.
    pub(crate) const fn of(names: &[&str]) -> Self {
        let (mut seen, mut rest) = (Self([0; 4]), names);
        while let [name, others @ ..] = rest {
            seen = seen.and(Mark::of(name));
            rest = others;
        }
        seen
    }

    const fn and(self, mark: Mark) -> Self {
        let [a, b, c, d] = self.0;
        let bit = mark.bit();
        Self(match mark.word() {
            0 => [a | bit, b, c, d],
            1 => [a, b | bit, c, d],
            2 => [a, b, c | bit, d],
            _ => [a, b, c, d | bit],
        })
    }

    /// Whether it may have been added.
    pub(crate) fn may_have(&self, mark: Mark) -> bool {
        self.0.get(mark.word()).is_some_and(|word| word & mark.bit() != 0)
    }

    /// Whether one of another's may have been added.
    pub(crate) fn may_have_of(&self, others: Self) -> bool {
        self.0.iter().zip(others.0).any(|(word, other)| word & other != 0)
    }

    /// Adds those of another.
    pub(crate) fn add_all(&mut self, others: Self) {
        self.0.iter_mut().zip(others.0).for_each(|(word, other)| *word |= other);
    }

    /// Adds it; whether it may have been added before.
    pub(crate) fn add(&mut self, mark: Mark) -> bool {
        let Some(word) = self.0.get_mut(mark.word()) else { return true };
        let may_have = *word & mark.bit() != 0;
        *word |= mark.bit();
        may_have
    }
}

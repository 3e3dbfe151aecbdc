/// What is known of the name of a field before it is written. That of a field in the program is made
/// once for each place that logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    hash: u32,
    is_plain: bool,
}

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
        Self { hash, is_plain }
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
        let bit = 1 << (mark.hash & 63);
        Self(match mark.hash >> 30 {
            0 => [a | bit, b, c, d],
            1 => [a, b | bit, c, d],
            2 => [a, b, c | bit, d],
            _ => [a, b, c, d | bit],
        })
    }

    /// Whether it may have been added.
    pub(crate) const fn may_have(&self, mark: Mark) -> bool {
        let [a, b, c, d] = self.0;
        let word = match mark.hash >> 30 {
            0 => a,
            1 => b,
            2 => c,
            _ => d,
        };
        word & (1 << (mark.hash & 63)) != 0
    }

    /// Adds those of another.
    pub(crate) fn add_all(&mut self, others: Self) {
        self.0.iter_mut().zip(others.0).for_each(|(word, other)| *word |= other);
    }

    /// Adds it; whether it may have been added before.
    pub(crate) const fn add(&mut self, mark: Mark) -> bool {
        let may_have = self.may_have(mark);
        *self = self.and(mark);
        may_have
    }
}

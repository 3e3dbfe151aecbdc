use std::fmt;

/// Which publish a value came from: 1 for the value that a [`Publisher`](crate::Publisher) starts
/// with, one more for each publish after it.
///
/// A derived value carries the version of the root value that it was computed from. So versions
/// compare across a root and everything derived from it: equal means in step, smaller means behind.
/// Versions of unrelated publishers say nothing about each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

impl Version {
    /// The version of the value that a publisher starts with.
    pub const FIRST: Self = Self(1);

    /// The number itself, for logs and metrics.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// At one publish per nanosecond the count would last for 584 years.
    pub(crate) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

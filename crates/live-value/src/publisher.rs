use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::live::{Guard, Live};
use crate::shared::Shared;
use crate::version::Version;

/// The writing side of a [`Live`].
///
/// There is one publisher per value; dropping it closes the value. To write from several places
/// share it in an `Arc` and settle races with
/// [`compare_and_publish`](Self::compare_and_publish).
pub struct Publisher<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Publisher<T> {
    /// Starts with `value` as version 1.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self { shared: Arc::new(Shared::root(value)) }
    }

    /// A reader. Readers keep working, on the last value, after the publisher is gone.
    #[must_use]
    pub fn live(&self) -> Live<T> {
        Live::new(Arc::clone(&self.shared))
    }

    /// The current value.
    #[inline]
    #[must_use]
    pub fn load(&self) -> Guard<T> {
        Guard::new(self.shared.load())
    }

    /// The version of the current value.
    #[must_use]
    pub fn version(&self) -> Version {
        self.shared.version()
    }

    /// Whether anybody could read a newly published value: a [`Live`], a
    /// [`Watch`](crate::Watch), or a value derived from this one. Once false it stays false until
    /// [`live`](Self::live) is called.
    #[must_use]
    pub fn has_readers(&self) -> bool {
        Arc::strong_count(&self.shared) > 1
    }

    /// Replaces the value and returns the version it got. In this order: readers see the new
    /// value, watchers are woken, the old value is dropped (unless a guard holds it), derived
    /// values are computed.
    ///
    /// # Panics
    ///
    /// With the first panic of a waker or of a destructor of what was replaced, after all of this
    /// was done nevertheless.
    pub fn publish(&self, value: T) -> Version {
        self.shared.publish(value)
    }

    /// Replaces the value only if its version still is `expected`.
    ///
    /// # Errors
    ///
    /// [`Conflict`], with the value given back, if another publish came first.
    ///
    /// ```
    /// use live_value::Publisher;
    ///
    /// let counter = Publisher::new(1);
    /// let seen = counter.load();
    /// counter.publish(10);
    ///
    /// let conflict = counter.compare_and_publish(seen.version(), *seen + 1).unwrap_err();
    /// assert_eq!(conflict.current().get(), 2);
    /// assert_eq!(conflict.into_value(), 2);
    /// ```
    pub fn compare_and_publish(&self, expected: Version, value: T) -> Result<Version, Conflict<T>> {
        self.shared.publish_over(expected, value).map_err(|(current, value)| Conflict {
            expected,
            current,
            value,
        })
    }
}

impl<T> Drop for Publisher<T> {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// Shows the version, never the value: it may be a secret.
impl<T> fmt::Debug for Publisher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("version", &self.version()).finish_non_exhaustive()
    }
}

/// Another publish came first; holds the value that was not published.
pub struct Conflict<T> {
    expected: Version,
    current: Version,
    value: T,
}

impl<T> Conflict<T> {
    /// The version that was current instead of the expected one.
    #[must_use]
    pub const fn current(&self) -> Version {
        self.current
    }

    /// The value that was not published.
    #[must_use]
    pub fn into_value(self) -> T {
        self.value
    }
}

impl<T> fmt::Display for Conflict<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected version {}, found version {}", self.expected, self.current)
    }
}

/// Shows the versions, never the value: it may be a secret.
impl<T> fmt::Debug for Conflict<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conflict")
            .field("expected", &self.expected)
            .field("current", &self.current)
            .finish_non_exhaustive()
    }
}

impl<T> Error for Conflict<T> {}

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::derive::{self, DeriveError};
use crate::shared::{Shared, Snapshot};
use crate::sync::Loaded;
use crate::version::Version;
use crate::watch::Watch;

/// A value that is replaced while others read it: the reading side.
///
/// Clones are cheap and all read the same value. A `Live` outlives its
/// [`Publisher`](crate::Publisher) and then keeps the last value.
///
/// ```
/// use live_value::Publisher;
///
/// let publisher = Publisher::new(String::from("postgres://one"));
/// let url = publisher.live();
///
/// let before = url.load();
/// publisher.publish(String::from("postgres://two"));
///
/// assert_eq!(*before, "postgres://one"); // a guard keeps what it loaded
/// assert_eq!(*url.load(), "postgres://two");
/// assert_eq!(url.version().get(), 2);
/// ```
pub struct Live<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Live<T> {
    /// A value that never changes, for tests and for settings without a source. It has no
    /// publisher: [`Watch::changed`] returns [`Closed`](crate::Closed) at once.
    #[must_use]
    pub fn fixed(value: T) -> Self {
        let shared = Shared::root(value);
        shared.close();
        Self { shared: Arc::new(shared) }
    }

    pub(crate) fn new(shared: Arc<Shared<T>>) -> Self {
        Self { shared }
    }

    /// The current value. One `arc_swap` load: no lock, no clone, no allocation, no clock.
    ///
    /// The value stays alive as long as the guard, so hold it for the length of its use and load
    /// again afterwards. A thread that holds more than eight guards at a time pays for the others
    /// with an atomic increment.
    #[inline]
    #[must_use]
    pub fn load(&self) -> Guard<T> {
        Guard { snapshot: self.shared.load() }
    }

    /// The version of the current value.
    #[must_use]
    pub fn version(&self) -> Version {
        self.shared.version()
    }

    /// Whether the publisher is gone, so that the current value is the last one.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// A cursor that waits for values newer than the current one.
    #[must_use]
    pub fn watch(&self) -> Watch<T> {
        Watch::new(Arc::clone(&self.shared))
    }

    /// Why this value is behind the one it is derived from, or `None` if it is in step with it or
    /// not derived at all. A failure further up a chain shows in all that hangs on it.
    #[must_use]
    pub fn derive_error(&self) -> Option<Arc<DeriveError>> {
        self.shared.fault()
    }
}

impl<T: Send + Sync + 'static> Live<T> {
    /// A value computed from this one: now, and then once per publish, in the thread that
    /// publishes. The crate's documentation says what order, panics and re-entrance do.
    ///
    /// The closure is dropped with the last reader of what it computes, or when the publisher goes.
    ///
    /// # Panics
    ///
    /// If `derive` panics on the current value. A later panic is caught and shows as
    /// [`derive_error`](Self::derive_error).
    ///
    /// ```
    /// use live_value::Publisher;
    ///
    /// let password = Publisher::new(String::from("hunter2"));
    /// let header = password.live().map(|password| format!("Bearer {password}"));
    /// password.publish(String::from("correct horse"));
    /// assert_eq!(*header.load(), "Bearer correct horse");
    /// ```
    pub fn map<U, F>(&self, derive: F) -> Live<U>
    where
        U: Send + Sync + 'static,
        F: Fn(&T) -> U + Send + Sync + 'static,
    {
        match derive::derive(&self.shared, derive::infallible(derive)) {
            Ok(shared) => Live { shared },
            Err(never) => match never {},
        }
    }

    /// Like [`map`](Self::map) with a closure that can fail. When it fails on a later value the
    /// last good one stays and [`derive_error`](Self::derive_error) says why.
    ///
    /// # Errors
    ///
    /// What `derive` returned for the current value, since there is no last good one to keep.
    ///
    /// # Panics
    ///
    /// If `derive` panics on the current value.
    ///
    /// ```
    /// use live_value::Publisher;
    ///
    /// let text = Publisher::new(String::from("8080"));
    /// let port = text.live().try_map(|text| text.parse::<u16>())?;
    ///
    /// text.publish(String::from("eighty"));
    /// assert_eq!(*port.load(), 8080);
    /// assert_eq!(port.derive_error().unwrap().version().get(), 2);
    ///
    /// text.publish(String::from("80"));
    /// assert_eq!(*port.load(), 80);
    /// assert!(port.derive_error().is_none());
    /// # Ok::<(), std::num::ParseIntError>(())
    /// ```
    pub fn try_map<U, E, F>(&self, derive: F) -> Result<Live<U>, E>
    where
        U: Send + Sync + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
        F: Fn(&T) -> Result<U, E> + Send + Sync + 'static,
    {
        derive::derive(&self.shared, derive).map(|shared| Live { shared })
    }

    /// Like [`map`](Self::map), but only for values whose key is another one than that of the value
    /// before: otherwise nothing is computed or published and no watch is woken. For what is dear to
    /// follow, such as a connection pool that is rebuilt, and does not depend on all of the value.
    ///
    /// What is computed keeps the version that it was computed from, so it does not tell whether it
    /// is in step. The last key is kept until a value with another one is published.
    ///
    /// # Panics
    ///
    /// If `key` or `derive` panics on the current value.
    ///
    /// ```
    /// use live_value::Publisher;
    ///
    /// let account = Publisher::new(("app", "healthy"));
    /// let pool = account.live().map_by_key(|account| account.0, |account| account.0.to_uppercase());
    /// let mut watch = pool.watch();
    ///
    /// account.publish(("app", "degraded"));
    /// assert_eq!(watch.seen(), pool.version());
    /// account.publish(("app2", "degraded"));
    /// assert_eq!(*watch.load(), "APP2");
    /// assert_eq!(pool.version().get(), 3);
    /// ```
    pub fn map_by_key<K, U, P, F>(&self, key: P, derive: F) -> Live<U>
    where
        K: PartialEq + Send + 'static,
        U: Send + Sync + 'static,
        P: Fn(&T) -> K + Send + Sync + 'static,
        F: Fn(&T) -> U + Send + Sync + 'static,
    {
        match derive::derive_by_key(&self.shared, key, derive::infallible(derive)) {
            Ok(shared) => Live { shared },
            Err(never) => match never {},
        }
    }

    /// Like [`map_by_key`](Self::map_by_key) with a closure that can fail. After a failure the next
    /// value is derived whatever its key.
    ///
    /// # Errors
    ///
    /// What `derive` returned for the current value, since there is no last good one to keep.
    ///
    /// # Panics
    ///
    /// If `key` or `derive` panics on the current value.
    pub fn try_map_by_key<K, U, E, P, F>(&self, key: P, derive: F) -> Result<Live<U>, E>
    where
        K: PartialEq + Send + 'static,
        U: Send + Sync + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
        P: Fn(&T) -> K + Send + Sync + 'static,
        F: Fn(&T) -> Result<U, E> + Send + Sync + 'static,
    {
        derive::derive_by_key(&self.shared, key, derive).map(|shared| Live { shared })
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

/// Shows the version, never the value: it may be a secret.
impl<T> fmt::Debug for Live<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("version", &self.version()).finish_non_exhaustive()
    }
}

/// A loaded value with its version. It borrows nothing, so it can be kept, sent and awaited over;
/// as long as it lives, so does the value.
pub struct Guard<T> {
    snapshot: Loaded<Snapshot<T>>,
}

impl<T> Guard<T> {
    pub(crate) fn new(snapshot: Loaded<Snapshot<T>>) -> Self {
        Self { snapshot }
    }

    /// The version of this value.
    #[inline]
    #[must_use]
    pub fn version(&self) -> Version {
        self.snapshot.version
    }
}

impl<T> Deref for Guard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.snapshot.value
    }
}

/// Shows the version, never the value: it may be a secret.
impl<T> fmt::Debug for Guard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("version", &self.version()).finish_non_exhaustive()
    }
}

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use crate::panics::Panics;
use crate::shared::Shared;
use crate::sync::{AtomicU64, Mutex, Step, left_out, lock};
use crate::version::Version;

/// Why a derived value stayed behind the value it is computed from.
///
/// It is a state, not an event: it is there from the publish that could not be derived until one
/// that could. See [`Live::derive_error`](crate::Live::derive_error).
pub struct DeriveError {
    version: Version,
    kind: DeriveErrorKind,
    source: Option<BoxError>,
}

/// What went wrong in a derivation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeriveErrorKind {
    /// The closure returned an error, which is the source of the [`DeriveError`] and shows in its
    /// `Debug`: a closure that derives from a secret must keep it out of its errors.
    Failed,
    /// The closure panicked. The message went to the panic hook and is not kept: it may quote the
    /// value.
    Panicked,
}

type BoxError = Box<dyn Error + Send + Sync>;

impl DeriveError {
    /// The version that could not be derived.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> DeriveErrorKind {
        self.kind
    }
}

impl fmt::Display for DeriveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            DeriveErrorKind::Failed => write!(f, "version {} could not be derived", self.version),
            DeriveErrorKind::Panicked => {
                write!(f, "the derivation panicked on version {}", self.version)
            }
        }
    }
}

impl fmt::Debug for DeriveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeriveError")
            .field("version", &self.version)
            .field("kind", &self.kind)
            .field("source", &self.source)
            .finish()
    }
}

impl Error for DeriveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// What a parent knows of a value derived from it.
pub(crate) trait Follow<T>: Send + Sync {
    /// Called by one thread at a time, without any lock held. Panics of wakers and destructors go
    /// on to the caller after all the rest was done.
    fn follow(&self, parent: &Shared<T>);
}

/// What a derived value knows of its parent. Dropping it unregisters the derivation.
pub(crate) trait Origin: Send + Sync {
    fn fault(&self) -> Option<Arc<DeriveError>>;
}

/// Derives from the current value of `parent`, and from each later one on the publisher's side.
pub(crate) fn derive<T, U, E, F>(parent: &Arc<Shared<T>>, derive: F) -> Result<Arc<Shared<U>>, E>
where
    T: Send + Sync + 'static,
    U: Send + Sync + 'static,
    E: Into<BoxError> + 'static,
    F: Fn(&T) -> Result<U, E> + Send + Sync + 'static,
{
    let (version, value) = {
        let current = parent.load();
        (current.version, derive(&current.value)?)
    };
    let derive = move |value: &T| -> Result<Option<U>, E> { derive(value).map(Some) };
    Ok(follow(parent, (version, value), derive))
}

/// The same, but only for values whose key differs from that of the value that was derived last.
pub(crate) fn derive_by_key<T, U, E, K, F>(
    parent: &Arc<Shared<T>>,
    key: impl Fn(&T) -> K + Send + Sync + 'static,
    derive: F,
) -> Result<Arc<Shared<U>>, E>
where
    T: Send + Sync + 'static,
    U: Send + Sync + 'static,
    E: Into<BoxError> + 'static,
    K: PartialEq + Send + 'static,
    F: Fn(&T) -> Result<U, E> + Send + Sync + 'static,
{
    let (version, first, value) = {
        let current = parent.load();
        let first = key(&current.value);
        (current.version, first, derive(&current.value)?)
    };
    let last = Last(Mutex::new(Some(first)));
    let derive = move |value: &T| -> Result<Option<U>, E> {
        let key = key(value);
        if last.is(&key) {
            return Ok(None);
        }
        let derived = derive(value)?;
        last.set(key);
        Ok(Some(derived))
    };
    Ok(follow(parent, (version, value), derive))
}

/// The key of the value that was derived last; none after a failure. Only the thread that derives
/// comes here, so the lock, under which no foreign code runs, is never waited for.
struct Last<K>(Mutex<Option<K>>);

impl<K: PartialEq> Last<K> {
    /// Whether it is this one. If not it is forgotten, so that nothing is kept of a value that was
    /// replaced by one that cannot be derived.
    fn is(&self, key: &K) -> bool {
        let last = lock(&self.0).take();
        let is_same = last.as_ref().is_some_and(|last| last == key);
        if is_same {
            *lock(&self.0) = last;
        }
        is_same
    }

    fn set(&self, key: K) {
        let replaced = lock(&self.0).replace(key);
        drop(replaced);
    }
}

/// A value that was just derived from a version of `parent`, and follows it from now on.
fn follow<T, U, E, F>(
    parent: &Arc<Shared<T>>,
    (version, value): (Version, U),
    derive: F,
) -> Arc<Shared<U>>
where
    T: Send + Sync + 'static,
    U: Send + Sync + 'static,
    E: Into<BoxError> + 'static,
    F: Fn(&T) -> Result<Option<U>, E> + Send + Sync + 'static,
{
    let key = parent.reserve_key();
    let mut registration = None;
    let target = Arc::new_cyclic(|target| {
        let follower: Arc<dyn Follow<T>> = Arc::new(Derivation {
            derive,
            target: Weak::clone(target),
            attempted: AtomicU64::new(version.get()),
        });
        registration = Some(Arc::downgrade(&follower));
        let link = Link { parent: Arc::clone(parent), key, _follower: follower };
        Shared::derived(version, value, Arc::new(link))
    });
    if let Some(follower) = registration {
        parent.register(key, follower, version);
    }
    target
}

/// An infallible closure in the shape of a fallible one.
pub(crate) fn infallible<T, U>(
    derive: impl Fn(&T) -> U + Send + Sync,
) -> impl Fn(&T) -> Result<U, Infallible> + Send + Sync {
    move |value| Ok(derive(value))
}

struct Derivation<U, F> {
    /// Nothing where the value that there is stands for the new version as well.
    derive: F,
    target: Weak<Shared<U>>,
    /// The last version handed to the closure, whatever came of it.
    attempted: AtomicU64,
}

impl<T, U, E, F> Follow<T> for Derivation<U, F>
where
    U: Send + Sync,
    E: Into<BoxError>,
    F: Fn(&T) -> Result<Option<U>, E> + Send + Sync,
{
    fn follow(&self, parent: &Shared<T>) {
        // In this order: a value that is read after "closed" is the last one.
        let closed = !left_out(Step::ClosedBeforeValue) && parent.is_closed();
        let mut panics = Panics::default();
        panics.run(|| self.catch_up(parent));
        let closed = closed || (left_out(Step::ClosedBeforeValue) && parent.is_closed());
        if closed && let Some(target) = self.target.upgrade() {
            panics.run(|| target.close());
        }
        panics.go_on();
    }
}

impl<U, F> Derivation<U, F> {
    fn catch_up<T, E>(&self, parent: &Shared<T>)
    where
        E: Into<BoxError>,
        F: Fn(&T) -> Result<Option<U>, E>,
    {
        let current = parent.load();
        let version = current.version;
        // Relaxed: only the holder of the parent's turn comes here.
        if self.attempted.swap(version.get(), Ordering::Relaxed) == version.get() {
            return;
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            (self.derive)(&current.value).map_err(Into::<BoxError>::into)
        }));
        drop(current);
        // The closure may have dropped the last reader of what it computes.
        let Some(target) = self.target.upgrade() else { return };
        match outcome {
            Ok(Ok(Some(value))) => target.publish_as(version, value),
            Ok(Ok(None)) => target.mend(),
            Ok(Err(error)) => target.fail(DeriveError {
                version,
                kind: DeriveErrorKind::Failed,
                source: Some(error),
            }),
            Err(_) => {
                target.fail(DeriveError { version, kind: DeriveErrorKind::Panicked, source: None })
            }
        }
    }
}

/// Held by the derived value. It keeps the closure, and the parent as long as that is open: the
/// middle of a chain lives on what is derived from it.
struct Link<T> {
    parent: Arc<Shared<T>>,
    key: u64,
    _follower: Arc<dyn Follow<T>>,
}

impl<T: Send + Sync> Origin for Link<T> {
    fn fault(&self) -> Option<Arc<DeriveError>> {
        self.parent.fault()
    }
}

impl<T> Drop for Link<T> {
    fn drop(&mut self) {
        self.parent.unregister(self.key);
    }
}

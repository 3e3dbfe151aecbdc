use std::cell::RefCell;
use std::future::Future;
use std::mem::{self, ManuallyDrop};
use std::ops::Deref;
use std::sync::Arc;

use crate::context::Context;
use crate::scoped::Scoped;

thread_local! {
    /// That of the task which this thread runs now. It is `None` again whenever nothing runs in one, so that
    /// there is nothing to drop, and it can be asked for as long as the thread lives.
    static CURRENT: RefCell<ManuallyDrop<Option<SharedContext>>> =
        const { RefCell::new(ManuallyDrop::new(None)) };
}

/// A [`Context`] that is not changed any more, of which a clone is a pointer: for layers that run a
/// request in it again and again.
///
/// ```
/// use request_context::{Context, Id, SharedContext};
///
/// let context = SharedContext::new(Context::new().with_request_id(Id::new("01J9ZK3V7C")?));
/// context.clone().sync_scope(|| {
///     assert_eq!(SharedContext::current().as_ref(), Some(&context));
/// });
/// assert_eq!(context.request_id.as_ref().map(|id| id.as_str()), Some("01J9ZK3V7C"));
/// # Ok::<(), request_context::InvalidId>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SharedContext(Arc<Context>);

impl SharedContext {
    /// As it is now.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self(Arc::new(context))
    }

    /// The context of the running task, if it runs in one.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.with(|current| Option::clone(&current.borrow()))
    }

    /// What is known, to add to it. Whoever has a clone of this keeps what it was: then this becomes a copy.
    ///
    /// ```
    /// use request_context::{Actor, Id, SharedContext};
    ///
    /// let before = SharedContext::default();
    /// let mut after = before.clone();
    /// after.make_mut().actor = Some(Actor::user(Id::new("alice")?));
    /// assert!(before.actor.is_none() && after.actor.is_some());
    /// # Ok::<(), request_context::InvalidId>(())
    /// ```
    pub fn make_mut(&mut self) -> &mut Context {
        Arc::make_mut(&mut self.0)
    }

    /// Whether the running task runs in this very one, of which there may be equals.
    #[must_use]
    pub fn is_current(&self) -> bool {
        Self::with_current(|current| current.is_some_and(|current| std::ptr::eq(current, &**self)))
    }

    /// Runs a future in this context. What it spawns does not inherit it.
    pub fn scope<F: Future>(self, future: F) -> Scoped<F> {
        Scoped::new(self, future)
    }

    /// Runs a closure in this context.
    ///
    /// # Panics
    /// Within [`Context::with_current`], which looks at another one.
    pub fn sync_scope<R>(self, work: impl FnOnce() -> R) -> R {
        within(&mut Some(self), work)
    }

    pub(crate) fn with_current<R>(look: impl FnOnce(Option<&Context>) -> R) -> R {
        CURRENT.with(|current| look(current.borrow().as_deref()))
    }
}

/// Runs `work` in the context that the slot has. It is back there when `work` ends, however that comes about.
pub(crate) fn within<R>(slot: &mut Option<SharedContext>, work: impl FnOnce() -> R) -> R {
    let _back = enter(slot);
    work()
}

/// Makes the context that the slot has the current one, until what this gives is dropped.
#[inline]
pub(crate) fn enter(slot: &mut Option<SharedContext>) -> Back<'_> {
    change(slot);
    Back(slot)
}

pub(crate) struct Back<'a>(&'a mut Option<SharedContext>);

impl Drop for Back<'_> {
    #[inline]
    fn drop(&mut self) {
        change(self.0);
    }
}

/// What is current changes places with what the slot has.
fn change(slot: &mut Option<SharedContext>) {
    CURRENT.with(|current| mem::swap(&mut **current.borrow_mut(), slot));
}

impl Deref for SharedContext {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.0
    }
}

impl From<Context> for SharedContext {
    fn from(context: Context) -> Self {
        Self::new(context)
    }
}

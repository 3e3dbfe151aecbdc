use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;

use crate::context::Context;
use crate::scoped::Scoped;

tokio::task_local! {
    static CURRENT: SharedContext;
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
        CURRENT.try_with(Self::clone).ok()
    }

    /// Runs a future in this context. What it spawns does not inherit it.
    pub fn scope<F: Future>(self, future: F) -> Scoped<F> {
        Scoped::new(CURRENT.scope(self, future))
    }

    /// Runs a closure in this context.
    pub fn sync_scope<R>(self, work: impl FnOnce() -> R) -> R {
        CURRENT.sync_scope(self, work)
    }

    pub(crate) fn with_current<R>(look: impl FnOnce(Option<&Context>) -> R) -> R {
        if CURRENT.try_with(|_| ()).is_ok() {
            CURRENT.with(|context| look(Some(context)))
        } else {
            look(None)
        }
    }
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

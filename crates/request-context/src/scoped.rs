use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};

use pin_project_lite::pin_project;
use tokio::task::futures::TaskLocalFuture;

use crate::shared::SharedContext;

pin_project! {
    /// A future that runs in a [`Context`], by [`Context::scope`]. It is dropped in it, too.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Scoped<F> {
        #[pin]
        inner: TaskLocalFuture<SharedContext, F>,
    }
}

impl<F> Scoped<F> {
    pub(crate) fn new(inner: TaskLocalFuture<SharedContext, F>) -> Self {
        Self { inner }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        self.project().inner.poll(task)
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").finish_non_exhaustive()
    }
}

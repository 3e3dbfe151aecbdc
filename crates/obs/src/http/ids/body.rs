use std::fmt;
use std::pin::Pin;
use std::task::{self, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use request_context::Context;

pin_project! {
    /// The body of an answer, which runs in the context of its request.
    pub struct ScopedBody<B> {
        #[pin]
        inner: B,
        context: Context,
    }
}

impl<B> ScopedBody<B> {
    pub(super) const fn new(inner: B, context: Context) -> Self {
        Self { inner, context }
    }
}

impl<B: Body> Body for ScopedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        this.context.clone().sync_scope(|| this.inner.poll_frame(task))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> fmt::Debug for ScopedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedBody").finish_non_exhaustive()
    }
}

impl<B: Default> Default for ScopedBody<B> {
    fn default() -> Self {
        Self::new(B::default(), Context::new())
    }
}

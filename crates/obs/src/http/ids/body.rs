use std::fmt;
use std::pin::Pin;
use std::task::{self, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use request_context::{Scoped, SharedContext};

pin_project! {
    /// The body of an answer, which runs in the context of its request, and is dropped in it.
    pub struct ScopedBody<B> {
        #[pin]
        inner: Scoped<B>,
    }
}

impl<B> ScopedBody<B> {
    pub(super) const fn new(inner: B, context: SharedContext) -> Self {
        Self { inner: Scoped::new(context, inner) }
    }
}

impl<B: Body> Body for ScopedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = self.project().inner.run(
            |inner| inner.poll_frame(task),
            |frame, inner| match frame {
                Poll::Ready(None) => true,
                Poll::Ready(Some(Ok(_))) => inner.is_end_stream(),
                Poll::Ready(Some(Err(_))) | Poll::Pending => false,
            },
        );
        polled.unwrap_or(Poll::Ready(None))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.get().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.get().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B> fmt::Debug for ScopedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedBody").finish_non_exhaustive()
    }
}

impl<B: Default> Default for ScopedBody<B> {
    fn default() -> Self {
        Self::new(B::default(), SharedContext::default())
    }
}

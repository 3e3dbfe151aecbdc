use std::fmt;
use std::pin::Pin;
use std::task::{self, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use request_context::SharedContext;

pin_project! {
    /// The body of an answer, which runs in the context of its request, and is dropped in it.
    pub struct ScopedBody<B> {
        // Until this is dropped.
        #[pin]
        inner: Option<B>,
        context: SharedContext,
    }

    impl<B> PinnedDrop for ScopedBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.context.clone().sync_scope(|| this.inner.set(None));
        }
    }
}

impl<B> ScopedBody<B> {
    pub(super) const fn new(inner: B, context: SharedContext) -> Self {
        Self { inner: Some(inner), context }
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
        let Some(inner) = this.inner.as_pin_mut() else { return Poll::Ready(None) };
        this.context.clone().sync_scope(|| inner.poll_frame(task))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(Body::size_hint).unwrap_or_default()
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

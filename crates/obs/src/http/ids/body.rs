use std::fmt;
use std::pin::Pin;
use std::task::{self, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use request_context::SharedContext;

pin_project! {
    /// The body of an answer, which runs in the context of its request, and is dropped in it.
    pub struct ScopedBody<B> {
        // Until its end, or this is dropped.
        #[pin]
        inner: Option<B>,
        context: SharedContext,
    }

    impl<B> PinnedDrop for ScopedBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.inner.is_some() {
                this.context.clone().sync_scope(|| this.inner.set(None));
            }
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
        let mut this = self.project();
        if this.inner.is_none() {
            return Poll::Ready(None);
        }
        this.context.clone().sync_scope(|| {
            let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
                return Poll::Ready(None);
            };
            let frame = inner.as_mut().poll_frame(task);
            let has_ended = match &frame {
                Poll::Ready(None) => true,
                Poll::Ready(Some(Ok(_))) => inner.is_end_stream(),
                Poll::Ready(Some(Err(_))) | Poll::Pending => false,
            };
            if has_ended {
                // Here, where the context is at hand: nothing is left to be dropped in it later.
                this.inner.set(None);
            }
            frame
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
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

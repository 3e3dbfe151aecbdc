use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{self, Poll, ready};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::exchange::Exchange;
use super::labels::Failure;

pin_project! {
    /// The body of a request, whose bytes are counted as they are read.
    pub struct CountedBody<B> {
        #[pin]
        inner: B,
        bytes: Option<Arc<AtomicU64>>,
    }
}

pin_project! {
    /// The body of an answer; its end is that of the request. It is polled and dropped in the request's span.
    pub struct MeteredBody<B> {
        // Until this is dropped.
        #[pin]
        inner: Option<B>,
        exchange: Option<Box<Exchange>>,
    }

    impl<B> PinnedDrop for MeteredBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(exchange) = this.exchange {
                // Before the exchange, which tells how it ended.
                exchange.leave(|| this.inner.set(None));
            }
        }
    }
}

impl<B> CountedBody<B> {
    pub(super) const fn new(inner: B, bytes: Option<Arc<AtomicU64>>) -> Self {
        Self { inner, bytes }
    }
}

impl<B> MeteredBody<B> {
    pub(super) fn new(inner: B, exchange: Option<Box<Exchange>>) -> Self {
        Self { inner: Some(inner), exchange: exchange.filter(|exchange| !exchange.is_finished) }
    }
}

/// The bytes of data in a frame, if it is one of data.
fn size<B: Body>(frame: &Frame<B::Data>) -> u64 {
    frame.data_ref().and_then(|data| u64::try_from(data.remaining()).ok()).unwrap_or_default()
}

impl<B: Body> Body for CountedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(task));
        if let (Some(Ok(frame)), Some(bytes)) = (&frame, this.bytes) {
            bytes.fetch_add(size::<B>(frame), Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: Body> Body for MeteredBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let Some(mut inner) = this.inner.as_pin_mut() else { return Poll::Ready(None) };
        let Some(exchange) = this.exchange.as_mut() else { return inner.poll_frame(task) };
        let frame = ready!(exchange.run(|| inner.as_mut().poll_frame(task)));
        match &frame {
            Some(Ok(frame)) => exchange.response_bytes += size::<B>(frame),
            Some(Err(_)) => exchange.fail(Failure::Body),
            None => exchange.finish(),
        }
        if inner.is_end_stream() {
            exchange.finish();
        }
        if exchange.is_finished {
            *this.exchange = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl<B: Default> Default for CountedBody<B> {
    fn default() -> Self {
        Self::new(B::default(), None)
    }
}

impl<B: Default> Default for MeteredBody<B> {
    fn default() -> Self {
        Self::new(B::default(), None)
    }
}

impl<B> fmt::Debug for CountedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountedBody").finish_non_exhaustive()
    }
}

impl<B> fmt::Debug for MeteredBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeteredBody").finish_non_exhaustive()
    }
}

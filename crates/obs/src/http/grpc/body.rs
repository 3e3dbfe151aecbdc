use std::fmt;
use std::pin::Pin;
use std::task::{self, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::call::Call;
use super::meter::Code;

pin_project! {
    /// The body of an answer to a call, whose trailers say how the call ended.
    pub struct GrpcBody<B> {
        #[pin]
        inner: B,
        call: Option<Call>,
    }
}

impl<B> GrpcBody<B> {
    pub(super) const fn new(inner: B, call: Option<Call>) -> Self {
        Self { inner, call }
    }
}

impl<B: Body> Body for GrpcBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(call) = this.call else { return this.inner.poll_frame(task) };
        let frame = ready!(call.run(|| this.inner.as_mut().poll_frame(task)));
        match &frame {
            Some(Ok(frame)) => frame.trailers_ref().into_iter().for_each(|t| call.told(t)),
            Some(Err(_)) | None => call.end(Code::UNKNOWN),
        }
        if this.inner.is_end_stream() {
            // Servers do not ask again.
            call.end(Code::UNKNOWN);
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

impl<B> fmt::Debug for GrpcBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcBody").finish_non_exhaustive()
    }
}

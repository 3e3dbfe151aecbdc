use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll, ready};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::body::GrpcBody;
use super::call::Call;
use super::meter::Code;

pin_project! {
    /// The answer of a [`GrpcService`](super::GrpcService).
    pub struct GrpcFuture<F> {
        #[pin]
        inner: F,
        call: Option<Call>,
    }
}

impl<F> GrpcFuture<F> {
    pub(super) const fn new(inner: F, call: Option<Call>) -> Self {
        Self { inner, call }
    }
}

impl<F, R, E> Future for GrpcFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
{
    type Output = Result<Response<GrpcBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = match this.call {
            Some(call) => call.run(|| this.inner.poll(task)),
            None => this.inner.poll(task),
        };
        let result = ready!(result);
        let mut call = this.call.take();
        if let Some(call) = &mut call {
            match &result {
                Ok(response) => {
                    call.told(response.headers());
                    call.answered(response.status());
                    if response.body().is_end_stream() {
                        // Neither here nor in trailers: nothing follows.
                        call.end(Code::UNKNOWN);
                    }
                }
                Err(_) => call.end(Code::UNKNOWN),
            }
        }
        Poll::Ready(result.map(|response| response.map(|body| GrpcBody::new(body, call))))
    }
}

impl<F> fmt::Debug for GrpcFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcFuture").finish_non_exhaustive()
    }
}

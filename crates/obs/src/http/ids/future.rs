use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, ready};

use http::{HeaderMap, HeaderName, HeaderValue, Response};
use pin_project_lite::pin_project;
use request_context::{Id, Scoped};

use super::body::ScopedBody;
use super::layer::Config;

pin_project! {
    /// The answer of a [`RequestIdService`](super::RequestIdService).
    pub struct RequestIdFuture<F> {
        #[pin]
        inner: Scoped<F>,
        answers: Option<Arc<Config>>,
    }
}

impl<F> RequestIdFuture<F> {
    #[inline]
    pub(super) const fn new(inner: Scoped<F>, answers: Option<Arc<Config>>) -> Self {
        Self { inner, answers }
    }
}

impl<F, R, E> Future for RequestIdFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<ScopedBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut inner = this.inner;
        let mut response = ready!(inner.as_mut().poll(task))?;
        let context = inner.end().unwrap_or_default();
        if let Some(config) = this.answers.take() {
            let headers = response.headers_mut();
            answer(headers, &config.request_header, context.request_id.as_ref());
            answer(headers, &config.correlation_header, context.correlation_id.as_ref());
        }
        Poll::Ready(Ok(response.map(|body| ScopedBody::new(body, context))))
    }
}

/// Ids that a layer outside of ours made may have characters that no header takes.
fn answer(headers: &mut HeaderMap, header: &HeaderName, id: Option<&Id>) {
    if let Some(Ok(value)) = id.map(|id| HeaderValue::from_str(id.as_str())) {
        headers.insert(header.clone(), value);
    }
}

impl<F> fmt::Debug for RequestIdFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestIdFuture").finish_non_exhaustive()
    }
}

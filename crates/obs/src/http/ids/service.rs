use std::sync::Arc;
use std::task::{self, Poll};

use http::{Request, Response};
use request_context::Scoped;
use tower_service::Service;

use super::body::ScopedBody;
use super::future::RequestIdFuture;
use super::layer::Config;

/// What [`RequestIdLayer`](super::RequestIdLayer) makes of a service.
#[derive(Debug, Clone)]
#[must_use]
pub struct RequestIdService<S> {
    pub(super) inner: S,
    pub(super) config: Arc<Config>,
}

impl<S, B, R> Service<Request<B>> for RequestIdService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<ScopedBody<R>>;
    type Error = S::Error;
    type Future = RequestIdFuture<S::Future>;

    fn poll_ready(&mut self, task: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let context = self.config.learn(&mut request);
        let answers = self.config.answers_ids.then(|| Arc::clone(&self.config));
        RequestIdFuture::new(
            Scoped::make(context, request, |request| self.inner.call(request)),
            answers,
        )
    }
}

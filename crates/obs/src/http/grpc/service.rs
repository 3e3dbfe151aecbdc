use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Instant;

use http::{Request, Response, header};
use tower_service::Service;

use super::body::GrpcBody;
use super::call::Call;
use super::future::GrpcFuture;
use super::meter::CallMeter;

/// What [`GrpcLayer`](super::GrpcLayer) makes of a service.
#[derive(Debug, Clone)]
#[must_use]
pub struct GrpcService<S> {
    pub(super) inner: S,
    pub(super) meter: Arc<CallMeter>,
}

impl<S, B, R> Service<Request<B>> for GrpcService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<GrpcBody<R>>;
    type Error = S::Error;
    type Future = GrpcFuture<S::Future>;

    fn poll_ready(&mut self, task: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let kind = request.headers().get(header::CONTENT_TYPE);
        if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
            return GrpcFuture::new(self.inner.call(request), None);
        }
        let mut call = Call {
            meter: Arc::clone(&self.meter),
            uri: request.uri().clone(),
            begun: Instant::now(),
            is_running: false,
            is_ended: false,
        };
        let future = call.run(|| self.inner.call(request));
        GrpcFuture::new(future, Some(call))
    }
}

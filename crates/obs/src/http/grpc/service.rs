use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Instant;

use http::{HeaderMap, Request, Response, header};
use http_body::Body;
use tower_service::Service;

use super::body::GrpcBody;
use super::call::Call;
use super::future::GrpcFuture;
use super::meter::CallMeter;
use crate::http::traced::trace_of_span;

/// What [`GrpcLayer`](super::GrpcLayer) makes of a service.
#[derive(Debug, Clone)]
#[must_use]
pub struct GrpcService<S> {
    pub(super) inner: S,
    pub(super) meter: Arc<CallMeter>,
    pub(super) now: fn() -> Instant,
}

impl<S, B, R> Service<Request<B>> for GrpcService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    type Response = Response<GrpcBody<R>>;
    type Error = S::Error;
    type Future = GrpcFuture<S::Future>;

    fn poll_ready(&mut self, task: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if !is_call(request.headers()) {
            return GrpcFuture::new(self.inner.call(request), None);
        }
        let mut call = Call {
            meter: Arc::clone(&self.meter),
            uri: request.uri().clone(),
            begun: (self.now)(),
            now: self.now,
            context: trace_of_span(),
            is_running: false,
            is_ended: false,
        };
        let future = call.run(|| self.inner.call(request));
        GrpcFuture::new(future, Some(call))
    }
}

/// Whether it is gRPC over HTTP/2 (grpc/grpc, doc/PROTOCOL-HTTP2.md): `application/grpc`, or that and `+proto`.
/// `application/grpc-web` is not.
fn is_call(headers: &HeaderMap) -> bool {
    const KIND: &[u8] = b"application/grpc";
    let kind = headers.get(header::CONTENT_TYPE).map_or(&[][..], |kind| kind.as_bytes());
    kind.split_at_checked(KIND.len()).is_some_and(|(kind, rest)| {
        kind.eq_ignore_ascii_case(KIND) && matches!(rest.first(), None | Some(b'+' | b';'))
    })
}

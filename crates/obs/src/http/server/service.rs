use std::sync::Arc;
use std::sync::Once;
use std::task::{self, Poll};

use http::{Request, Response};
use http_body::Body;
use request_context::Context;
use tower_service::Service;
use tracing::Span;

use super::arrival::Arrival;
use super::body::{CountedBody, MeteredBody};
use super::exchange::Exchange;
use super::future::ServerFuture;
use super::labels::{self, Labels, Method, Version};
use super::layer::Config;
use super::span;
use crate::http::traced::known_context;

/// What [`ServerLayer`](super::ServerLayer) makes of a service.
#[derive(Debug, Clone)]
#[must_use]
pub struct ServerService<S> {
    pub(super) inner: S,
    pub(super) config: Arc<Config>,
}

impl<S, B, R> Service<Request<B>> for ServerService<S>
where
    S: Service<Request<CountedBody<B>>, Response = Response<R>>,
    B: Body,
    R: Body,
{
    type Response = Response<MeteredBody<R>>;
    type Error = S::Error;
    type Future = ServerFuture<S::Future>;

    fn poll_ready(&mut self, task: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut exchange = self.begin(&request);
        let bytes = exchange.request_bytes.clone();
        let request = request.map(|body| CountedBody::new(body, bytes));
        let future = exchange.run_on(request, |request| self.inner.call(request));
        ServerFuture::new(future, exchange)
    }
}

impl<S> ServerService<S> {
    fn begin<B: Body>(&self, request: &Request<B>) -> Box<Exchange> {
        let shared = known_context(request.extensions());
        let context = shared.as_deref();
        if context.is_none() {
            say_order();
        }
        let route = (self.config.route)(request.extensions());
        let labels = Labels {
            method: Method::of(request.method()),
            version: Version::of(request.version()),
            scheme: labels::scheme(request, context, self.config.scheme),
            status: None,
            failure: None,
        };
        let span = self.span(request, context, route, &labels);
        let logs = self.config.logs_access;
        let exchange = Box::new(Exchange {
            route: Arc::clone(self.config.meter.route(route)),
            begun: (self.config.now)(),
            now: self.config.now,
            span,
            context: shared,
            // Most requests have no body: nothing is counted then, in nothing that is shared.
            request_bytes: (!request.body().is_end_stream()).then(Arc::default),
            response_bytes: 0,
            expected: None,
            access: logs.then(|| Box::new((request.method().clone(), request.uri().clone()))),
            labels,
            is_running: false,
            is_finished: false,
        });
        // Last: what panics before this has not begun, and leaves nothing to count down.
        exchange.route.begin(&exchange.labels);
        exchange
    }

    fn span<B>(
        &self,
        request: &Request<B>,
        context: Option<&Context>,
        route: Option<&str>,
        labels: &Labels,
    ) -> Span {
        if let Some(decision) = &self.config.decision {
            let parent = context.and_then(|context| context.trace);
            if !decision.has_span(&Arrival { method: labels.method.as_str(), route, parent }) {
                return Span::none();
            }
        }
        span::of(request, labels, route, context)
    }
}

/// Once in a program: it is the same for every request.
fn say_order() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        tracing::warn!(
            "requests have no context: `RequestIdLayer` is missing, or stands within `ServerLayer` instead of around it, or a layer between them hands requests to another task (`RequestIdLayer::extend_requests`)"
        );
    });
}

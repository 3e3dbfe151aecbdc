use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use request_context::Scheme;
use tower_layer::Layer;

use super::arrival::SpanDecision;
use super::meter::Meter;
use super::route::matched_route;
use super::service::ServerService;

/// Gives each request a span, measures it, and on request logs a line when it has ended.
///
/// A request ends with its answer's body: streaming answers count as active until they are sent or
/// given up. `error.type` says how one ended that has no status, or one of 500 and more: `panic`, `cancelled`
/// (nobody waited for the end), `service` and `body` (the service or the body failed).
///
/// Labels are what the service knows: the pattern of a route, never a path; the methods of the standards, and
/// `_OTHER`. The recorder is installed before the first request: series stay with the one that they
/// were made by.
///
/// It stands within [`RequestIdLayer`](super::super::RequestIdLayer), which knows the trace.
#[derive(Clone)]
#[must_use]
pub struct ServerLayer {
    pub(super) config: Config,
}

#[derive(Clone)]
pub(super) struct Config {
    pub(super) meter: Arc<Meter>,
    pub(super) route: fn(&http::Extensions) -> Option<&str>,
    pub(super) decision: Option<Arc<dyn SpanDecision>>,
    pub(super) scheme: Scheme,
    pub(super) logs_access: bool,
    pub(super) now: fn() -> Instant,
}

impl ServerLayer {
    /// Spans for all requests, as far as the filter takes `obs::http` at level `info`; routes by
    /// [`MatchedRoute`](super::MatchedRoute); no records of access.
    pub fn new() -> Self {
        let config = Config {
            meter: Arc::new(Meter::new()),
            route: matched_route,
            decision: None,
            scheme: Scheme::Http,
            logs_access: false,
            now: Instant::now,
        };
        Self { config }
    }

    /// Where the route that was matched stands in the extensions of a request: `axum_route` for axum.
    pub fn route_by(mut self, route: fn(&http::Extensions) -> Option<&str>) -> Self {
        self.config.route = route;
        self
    }

    /// Which requests have spans: instead of all of them.
    pub fn decide_spans(mut self, decision: impl SpanDecision) -> Self {
        self.config.decision = Some(Arc::new(decision));
        self
    }

    /// The scheme of requests of which nothing else says it: instead of `http`.
    pub const fn usual_scheme(mut self, scheme: Scheme) -> Self {
        self.config.scheme = scheme;
        self
    }

    /// Logs a line for each request that ended, of the target `obs::http::access`: at level `error` where the service
    /// failed (a status of 500 or more, no answer, a body that failed, a panic), else at level `info`.
    pub const fn log_access(mut self) -> Self {
        self.config.logs_access = true;
        self
    }

    /// What says how much time went by: instead of [`Instant::now`].
    pub const fn clock(mut self, now: fn() -> Instant) -> Self {
        self.config.now = now;
        self
    }
}

impl Default for ServerLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for ServerLayer {
    type Service = ServerService<S>;

    fn layer(&self, inner: S) -> ServerService<S> {
        ServerService { inner, config: Arc::new(self.config.clone()) }
    }
}

impl fmt::Debug for ServerLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerLayer").field("config", &self.config).finish_non_exhaustive()
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("scheme", &self.scheme)
            .field("logs_access", &self.logs_access)
            .finish_non_exhaustive()
    }
}

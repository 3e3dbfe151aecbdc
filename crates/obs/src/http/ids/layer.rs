use std::sync::Arc;

use http::{HeaderName, Request};
use request_context::{Id, SharedContext, TraceContext, TraceFlags};
use tower_layer::Layer;

use super::header::{CORRELATION_ID, REQUEST_ID, take_id, take_parent, take_state};
use super::service::RequestIdService;
use crate::http::traced::known_context;
use crate::record::{random_span_id, random_trace_id};

/// Gives each request its ids: the trace by `traceparent` (and what tracing systems say of it by `tracestate`), the
/// request's own id, and the correlation id that crosses services.
///
/// They stand in a [`Context`](request_context::Context), the current one while the service and the body of its answer run. What
/// a layer outside of it knows already (origin, actor, also ids) is kept: it runs the request in a context, too, or
/// gives the request a [`SharedContext`] as an extension.
///
/// What comes from others is taken only if it is an id: one header, at most 128 bytes of visible ASCII
/// without spaces. All else is replaced, taken out of the request, and counted (`obs.http.refused_ids`).
/// Ids that are made name a request and keep no secret: who sees some of them may guess others.
///
/// ```
/// use obs::http::RequestIdLayer;
/// use http::HeaderName;
///
/// // Behind a proxy of ours that sets `x-request-id` itself.
/// let layer = RequestIdLayer::new()
///     .trust_request_id(HeaderName::from_static("x-request-id"))
///     .answer_ids();
/// # drop(layer);
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct RequestIdLayer {
    config: Config,
}

#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) correlation_header: HeaderName,
    pub(super) request_header: HeaderName,
    trusts_request_id: bool,
    follows_traces: bool,
    pub(super) answers_ids: bool,
    extends_requests: bool,
    make_id: fn() -> Id,
}

impl RequestIdLayer {
    /// Follows the caller's trace, takes the correlation id from `x-correlation-id`, makes a request
    /// id, and answers none of them.
    pub const fn new() -> Self {
        let config = Config {
            correlation_header: CORRELATION_ID,
            request_header: REQUEST_ID,
            trusts_request_id: false,
            follows_traces: true,
            answers_ids: false,
            extends_requests: false,
            make_id: random_id,
        };
        Self { config }
    }

    /// Takes the correlation id from this header, and answers it there.
    pub fn correlation_header(mut self, header: HeaderName) -> Self {
        self.config.correlation_header = header;
        self
    }

    /// Takes the request id from this header: for services that only a proxy of one's own reaches,
    /// which sets it.
    pub fn trust_request_id(mut self, header: HeaderName) -> Self {
        self.config.request_header = header;
        self.config.trusts_request_id = true;
        self
    }

    /// Begins a trace with each request, whatever the caller says: for services that anybody reaches,
    /// who otherwise chooses which traces his requests belong to and whether they are sampled. What the caller
    /// says is taken out of the request, so that nobody behind us follows it either.
    pub const fn start_traces(mut self) -> Self {
        self.config.follows_traces = false;
        self
    }

    /// Answers carry the request id (`x-request-id`, or the header that it is taken from) and the
    /// correlation id.
    pub const fn answer_ids(mut self) -> Self {
        self.config.answers_ids = true;
        self
    }

    /// Requests carry the context as an extension as well, a [`SharedContext`]: where a layer within this one hands them
    /// to another task (`tower::buffer`), which runs in no context, or a handler wants it from there.
    pub const fn extend_requests(mut self) -> Self {
        self.config.extends_requests = true;
        self
    }

    /// What makes ids: instead of 32 hexadecimal digits from a generator that each thread seeds from the
    /// operating system.
    pub const fn make_ids_by(mut self, make: fn() -> Id) -> Self {
        self.config.make_id = make;
        self
    }
}

impl Default for RequestIdLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for RequestIdLayer {
    type Service = RequestIdService<S>;

    fn layer(&self, inner: S) -> RequestIdService<S> {
        RequestIdService { inner, config: Arc::new(self.config.clone()) }
    }
}

impl Config {
    /// What is known of the request, ids included.
    pub(super) fn learn<B>(&self, request: &mut Request<B>) -> SharedContext {
        let mut shared = known_context(request.extensions()).unwrap_or_default();
        let context = shared.make_mut();
        let headers = request.headers_mut();
        // Read even if it is known already: what is no id does not go on.
        let parent = take_parent(headers, self.follows_traces);
        let correlation_id = take_id(headers, &self.correlation_header, "correlation_id");
        let trusted = self.trusts_request_id.then_some(&self.request_header);
        let request_id = trusted.and_then(|header| take_id(headers, header, "request_id"));
        let state = parent.and_then(|_| take_state(headers));
        let trace = *context.trace.get_or_insert_with(|| parent.unwrap_or_else(new_trace));
        // An outer layer may know of another trace, which it does not belong to.
        if parent.is_some_and(|parent| parent.trace_id == trace.trace_id) {
            context.trace_state = context.trace_state.take().or(state);
        }
        let request_id = context
            .request_id
            .get_or_insert_with(|| request_id.unwrap_or_else(self.make_id))
            .clone();
        // The request is the first of the whole: one id less to make and to look for.
        context.correlation_id.get_or_insert_with(|| correlation_id.unwrap_or(request_id));
        if self.extends_requests {
            request.extensions_mut().insert(shared.clone());
        }
        shared
    }
}

/// A trace that begins here. The span stands for this hop, whether or not anything records it.
fn new_trace() -> TraceContext {
    TraceContext::new(random_trace_id(), random_span_id()).with_flags(TraceFlags::RANDOM)
}

fn random_id() -> Id {
    Id::from(random_trace_id())
}

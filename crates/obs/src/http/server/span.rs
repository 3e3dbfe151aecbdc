use http::Request;
use request_context::Context;
use tracing::Span;
use tracing::field::{Empty, display};

use super::arrival::SpanName;
use super::labels::OTHER;
use super::query::Query;

/// What a span is made of.
pub(super) struct Parts<'a> {
    pub(super) method: &'static str,
    pub(super) scheme: &'static str,
    pub(super) version: &'static str,
    pub(super) route: Option<&'a str>,
}

/// The span of a request, by the names of the conventions. Its parent is what the context of the
/// request says, never a span of the connection, which is of another trace. Where nothing takes
/// it, none of this is looked at.
pub(super) fn of<B>(request: &Request<B>, parts: &Parts<'_>, context: Option<&Context>) -> Span {
    let Parts { method, scheme, version, route } = *parts;
    let original = || (method == OTHER).then(|| display(request.method()));
    let origin = || context.and_then(|context| context.origin.as_ref());
    let agent =
        || request.headers().get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    tracing::info_span!(
        target: "obs::http",
        parent: None,
        "http_request",
        otel.name = %SpanName { method, route },
        otel.kind = "server",
        http.request.method = method,
        http.request.method_original = original(),
        http.route = route,
        url.path = request.uri().path(),
        url.query = request.uri().query().map(|query| display(Query(query))),
        url.scheme = scheme,
        network.protocol.version = version,
        user_agent.original = agent(),
        client.address = origin().map(|origin| display(origin.client.value)),
        network.peer.address = origin().map(|origin| display(origin.peer.ip())),
        http.response.status_code = Empty,
        error.type = Empty,
        otel.status_code = Empty,
    )
}

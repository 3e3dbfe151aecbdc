use http::Request;
use request_context::Context;
use tracing::Span;
use tracing::field::{Empty, display};

use super::arrival::SpanName;
use super::labels::{Labels, Method};
use super::query::Query;

/// The span of a request, by the names of the conventions. Its parent is what the context of the
/// request says, never a span of the connection, which is of another trace. Where nothing takes
/// it, none of this is looked at.
pub(super) fn of<B>(
    request: &Request<B>,
    labels: &Labels,
    route: Option<&str>,
    context: Option<&Context>,
) -> Span {
    let Labels { method, scheme, version, .. } = *labels;
    let original = || (method == Method::Other).then(|| display(request.method()));
    let origin = || context.and_then(|context| context.origin.as_ref());
    let agent =
        || request.headers().get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    tracing::info_span!(
        target: "obs::http",
        parent: None,
        "http_request",
        otel.name = %SpanName { method, route },
        otel.kind = "server",
        http.request.method = method.as_str(),
        http.request.method_original = original(),
        http.route = route,
        url.path = request.uri().path(),
        url.query = request.uri().query().map(|query| display(Query(query))),
        url.scheme = scheme.as_str(),
        network.protocol.version = version.as_str(),
        user_agent.original = agent(),
        client.address = origin().map(|origin| display(origin.client.value)),
        network.peer.address = origin().map(|origin| display(origin.peer.ip())),
        http.response.status_code = Empty,
        error.type = Empty,
        otel.status_code = Empty,
    )
}

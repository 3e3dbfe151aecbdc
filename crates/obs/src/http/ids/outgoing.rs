use http::{HeaderMap, HeaderValue};
use request_context::{Context, TraceContext};

use super::header::{CORRELATION_ID, TRACEPARENT, TRACESTATE};
use crate::record::current_ids;

/// Writes what the next service is to know into the headers of a request to it: `traceparent`, with
/// the span that this thread is in as the parent, and `x-correlation-id`. What stood there is
/// replaced, and a `tracestate` that belongs to another trace is taken out. The request id is not passed on: it is of this hop.
///
/// Whoever gives them to services of others tells those what belongs together; nothing else is in them.
///
/// ```
/// use http::HeaderMap;
/// use obs::http::write_outgoing_headers;
/// use request_context::{Context, Id};
///
/// let context = Context::new().with_correlation_id(Id::new("order-7")?);
/// let mut headers = HeaderMap::new();
/// context.sync_scope(|| write_outgoing_headers(&mut headers));
/// assert_eq!(headers["x-correlation-id"], "order-7");
/// # Ok::<(), request_context::InvalidId>(())
/// ```
pub fn write_outgoing_headers(headers: &mut HeaderMap) {
    let ids = current_ids();
    let trace = ids.trace_id.zip(ids.span_id);
    let trace = trace.map(|(trace, span)| TraceContext::new(trace, span).with_flags(ids.flags));
    let stood: Option<TraceContext> =
        headers.get(TRACEPARENT).and_then(|stood| stood.to_str().ok()?.parse().ok());
    if stood.map(|stood| stood.trace_id) != ids.trace_id {
        headers.remove(TRACESTATE);
    }
    let parent = trace.and_then(|trace| HeaderValue::try_from(trace.to_string()).ok());
    let id = ids.correlation_id.or_else(|| Context::current()?.correlation_id);
    let id = id.and_then(|id| HeaderValue::from_str(id.as_str()).ok());
    for (header, value) in [(TRACEPARENT, parent), (CORRELATION_ID, id)] {
        match value {
            Some(value) => drop(headers.insert(header, value)),
            None => drop(headers.remove(header)),
        }
    }
}

use http::{HeaderMap, HeaderName, HeaderValue};
use request_context::{Context, TraceContext, TraceId};

use super::header::{CORRELATION_ID, TRACEPARENT, TRACESTATE};
use crate::record::current_ids;

/// Writes what the next service is to know into the headers of a request to it: `traceparent`, with
/// the span that this thread is in as the parent, `tracestate` as it came with that trace, and `x-correlation-id`. What stood
/// there is replaced, but for a `tracestate` that stands beside a `traceparent` of the same trace: whoever put it there knows more.
/// The request id is not passed on: it is of this hop.
///
/// Whoever gives them to services of others tells those what belongs together, and what the caller's tracing systems said of
/// it; nothing else is in them.
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
    let is_of_trace = trace.is_some() && stood.map(|stood| stood.trace_id) == ids.trace_id;
    if !is_of_trace || !headers.contains_key(TRACESTATE) {
        set(headers, TRACESTATE, trace.and_then(|trace| state_of(trace.trace_id)));
    }
    let parent = trace.and_then(|trace| HeaderValue::try_from(trace.to_string()).ok());
    let id = ids.correlation_id.or_else(|| of_context(|context| context.correlation_id.clone()));
    let id = id.and_then(|id| HeaderValue::from_str(id.as_str()).ok());
    set(headers, TRACEPARENT, parent);
    set(headers, CORRELATION_ID, id);
}

/// What came with this trace, if the running task's context is of it.
fn state_of(trace: TraceId) -> Option<HeaderValue> {
    of_context(|context| {
        let state = context.trace_state.as_ref()?;
        let is_its_own = context.trace.is_some_and(|known| known.trace_id == trace);
        is_its_own.then(|| HeaderValue::from_str(state.as_str()).ok()).flatten()
    })
}

fn of_context<T>(look: impl FnOnce(&Context) -> Option<T>) -> Option<T> {
    Context::with_current(|context| look(context?))
}

fn set(headers: &mut HeaderMap, header: HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => drop(headers.insert(header, value)),
        None => drop(headers.remove(header)),
    }
}

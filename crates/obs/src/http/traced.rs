//! What is known of a request, and which span the examples of metrics name: the one that measures, not that of the
//! caller.

use http::Extensions;
use request_context::{Context, SharedContext, TraceContext, TraceFlags};
use tracing::Span;

use crate::record::{Ids, current_ids, span_of};

/// What layers outside know of a request: what they gave it, else what it runs in.
pub(super) fn known_context(extensions: &Extensions) -> Option<SharedContext> {
    extensions.get::<SharedContext>().cloned().or_else(SharedContext::current)
}

/// The context of a request with its own span, if its trace is sampled and it has one.
pub(super) fn in_span(context: SharedContext, span: &Span) -> SharedContext {
    if let Some(mut trace) = context.trace.filter(is_sampled)
        && let Some(Some(record)) =
            span.with_subscriber(|(id, dispatch)| span_of(dispatch, id, None))
    {
        name(&mut trace, record.ids());
        return Context::clone(&context).with_trace(trace).into();
    }
    context
}

/// The trace of the running task with the span that this thread is in, if it is sampled.
pub(super) fn trace_of_span() -> Option<Context> {
    let mut trace = Context::with_current(|context| context?.trace.filter(is_sampled))?;
    name(&mut trace, &current_ids());
    Some(Context::new().with_trace(trace))
}

fn is_sampled(trace: &TraceContext) -> bool {
    trace.flags.contains(TraceFlags::SAMPLED)
}

fn name(trace: &mut TraceContext, ids: &Ids) {
    if let Some(span) = ids.span_id.filter(|_| ids.trace_id == Some(trace.trace_id)) {
        trace.span_id = span;
    }
}

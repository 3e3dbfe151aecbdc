use std::fmt;

use request_context::TraceContext;

use super::labels::Method;

/// What is known of a request before a span is made for it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Arrival<'a> {
    /// `GET`, for example; `_OTHER` if the conventions do not know it.
    pub method: &'static str,
    /// The route that was matched, if one was.
    pub route: Option<&'a str>,
    /// The span of the caller, or this hop of a trace that begins here.
    pub parent: Option<TraceContext>,
}

/// Decides whether a request has a span, before anything is written down for it.
///
/// Requests without one are measured as all others; what is logged in them has the ids of their
/// context. Closures decide, too:
///
/// ```
/// use obs::http::{Arrival, ServerLayer};
///
/// let layer = ServerLayer::new()
///     .decide_spans(|arrival: &Arrival<'_>| arrival.route != Some("/healthz"));
/// # drop(layer);
/// ```
pub trait SpanDecision: Send + Sync + 'static {
    /// Whether this request has a span.
    fn has_span(&self, arrival: &Arrival<'_>) -> bool;
}

impl<F> SpanDecision for F
where
    F: Fn(&Arrival<'_>) -> bool + Send + Sync + 'static,
{
    fn has_span(&self, arrival: &Arrival<'_>) -> bool {
        self(arrival)
    }
}

/// What a span of a server is called: `{method} {http.route}`, else `{method}`; `HTTP` for methods that
/// the conventions do not know.
pub(super) struct SpanName<'a> {
    pub(super) method: Method,
    pub(super) route: Option<&'a str>,
}

impl fmt::Display for SpanName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.method == Method::Other { "HTTP" } else { self.method.as_str() })?;
        match self.route {
            Some(route) => write!(f, " {route}"),
            None => Ok(()),
        }
    }
}

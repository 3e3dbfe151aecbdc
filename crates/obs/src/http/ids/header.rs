use std::sync::LazyLock;

use http::{HeaderMap, HeaderName};
use request_context::{Id, InvalidTracestate, TraceContext, TraceState};

use crate::http::metrics::name;
use crate::record::RedactedKeys;

pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(super) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
pub(super) const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken from others, in bytes: a UUID has 36, what proxies make up to 64.
const LONGEST: usize = 128;

/// Why what stood in a header is no id.
#[derive(Debug, Clone, Copy)]
enum Refused {
    Twice,
    TooLong,
    Invalid,
}

/// The id that a header holds. What is no id is taken out of the request, so that nobody behind us
/// shows it either, and counted.
pub(super) fn take_id(
    headers: &mut HeaderMap,
    header: &HeaderName,
    what: &'static str,
) -> Option<Id> {
    take(headers, header, what, |value| {
        if value.len() > LONGEST {
            return Err(Refused::TooLong);
        }
        if tells(value) {
            return Err(Refused::Invalid);
        }
        Id::new(value).map_err(|_| Refused::Invalid)
    })
}

/// Whether it would be redacted in any other text: ids are shown as they are, on every line.
fn tells(id: &str) -> bool {
    static KEYS: LazyLock<RedactedKeys> = LazyLock::new(RedactedKeys::default);
    KEYS.redacted(id).is_some()
}

/// The parent that the caller names, if it is `wanted`; several are none, by section 3.2.1 of W3C Trace Context.
/// Without a parent that counts, what else the caller says of its trace does not go on (section 3.3).
pub(super) fn take_parent(headers: &mut HeaderMap, wanted: bool) -> Option<TraceContext> {
    let parent = take(headers, &TRACEPARENT, "traceparent", |value| {
        if value.len() > LONGEST {
            return Err(Refused::TooLong);
        }
        value.parse().map_err(|_| Refused::Invalid)
    });
    let parent = parent.filter(|_| wanted);
    if parent.is_none() {
        headers.remove(&TRACEPARENT);
        headers.remove(&TRACESTATE);
    }
    parent
}

/// What the caller says of the trace beside its ids. What is none is taken out of the request, and counted.
pub(super) fn take_state(headers: &mut HeaderMap) -> Option<TraceState> {
    let mut lines = headers.get_all(&TRACESTATE).iter().peekable();
    lines.peek()?;
    // A line that is no text is no member either.
    let lines = lines.map(|line| line.to_str().unwrap_or("\0"));
    let refused = match TraceState::of_lines(lines) {
        Ok(state) => return Some(state),
        // Nothing is wrong with saying nothing.
        Err(InvalidTracestate::Empty) => None,
        Err(InvalidTracestate::TooLong) => Some(Refused::TooLong),
        Err(InvalidTracestate::Twice) => Some(Refused::Twice),
        Err(_) => Some(Refused::Invalid),
    };
    headers.remove(&TRACESTATE);
    if let Some(refused) = refused {
        count(refused, "tracestate");
    }
    None
}

fn count(refused: Refused, what: &'static str) {
    let reason = match refused {
        Refused::Twice => "twice",
        Refused::TooLong => "too_long",
        Refused::Invalid => "invalid",
    };
    metrics::counter!(name::REFUSED_IDS, "header" => what, "reason" => reason).increment(1);
}

fn take<T>(
    headers: &mut HeaderMap,
    header: &HeaderName,
    what: &'static str,
    read: impl FnOnce(&str) -> Result<T, Refused>,
) -> Option<T> {
    let mut values = headers.get_all(header).iter();
    let value = values.next()?;
    let found = if values.next().is_some() {
        Err(Refused::Twice)
    } else {
        // Visible ASCII only: neither line breaks nor escapes nor bytes that are no text.
        value.to_str().map_err(|_| Refused::Invalid).and_then(read)
    };
    match found {
        Ok(found) => Some(found),
        Err(refused) => {
            headers.remove(header);
            count(refused, what);
            None
        }
    }
}

//! Members of the objects that the layouts write.

use std::time::SystemTime;

use tracing_core::Level;

use crate::log::names::{Reserved, each_visible, error_name};
use crate::log::text::{digits, escaped, string, write_value};
use crate::log::time::write_rfc3339;
use crate::record::{PREFIX, Record, Value, Visible};

/// `before`, which ends in a colon, and a text.
pub(super) fn text_member(before: &[u8], text: &str, line: &mut Vec<u8>) {
    line.extend_from_slice(before);
    string(text, line);
}

/// `before`, which ends in a quote, and what needs no escape.
pub(super) fn plain_member(before: &[u8], text: &[u8], line: &mut Vec<u8>) {
    line.extend_from_slice(before);
    line.extend_from_slice(text);
    line.push(b'"');
}

/// `before`, which ends in a quote, and a time as RFC 3339 has it.
pub(super) fn time_member(before: &[u8], time: SystemTime, line: &mut Vec<u8>) {
    line.extend_from_slice(before);
    write_rfc3339(time, line);
    line.push(b'"');
}

/// The ids of trace and span in hexadecimal digits, by names that end in a quote.
pub(super) fn trace_members(record: &Record<'_>, trace: &[u8], span: &[u8], line: &mut Vec<u8>) {
    if let Some(id) = record.ids.trace_id {
        plain_member(trace, &id.to_hex(), line);
    }
    if let Some(id) = record.ids.span_id {
        plain_member(span, &id.to_hex(), line);
    }
}

/// The ids of the request, which every layout has by the same names.
pub(super) fn request_members(record: &Record<'_>, line: &mut Vec<u8>) {
    if let Some(id) = &record.ids.request_id {
        text_member(br#","request_id":"#, id.as_str(), line);
    }
    if let Some(id) = &record.ids.correlation_id {
        text_member(br#","correlation_id":"#, id.as_str(), line);
    }
}

/// The names of the spans, the outermost first.
pub(super) fn spans_member(record: &Record<'_>, line: &mut Vec<u8>) {
    line.extend_from_slice(br#","spans":["#);
    for (number, name) in span_names(record).into_iter().enumerate() {
        if number > 0 {
            line.push(b',');
        }
        string(name, line);
    }
    line.push(b']');
}

/// The most spans whose names and fields are shown. Functions that call themselves have spans without end.
pub(super) const MOST_SPANS: usize = 32;

/// The names of the innermost spans, the outermost of them first; `…` for those further out.
pub(super) fn span_names<'a>(record: &Record<'a>) -> Vec<&'a str> {
    let mut spans = record.spans().map(|span| span.name());
    let mut names: Vec<&str> = spans.by_ref().take(MOST_SPANS).collect();
    names.extend(spans.next().map(|_| "…"));
    names.reverse();
    names
}

/// `before`, which ends in a quote, and `file:line`.
pub(super) fn source_member(before: &[u8], source: (&str, u32), line: &mut Vec<u8>) {
    line.extend_from_slice(before);
    escaped(source.0, line);
    line.push(b':');
    digits(source.1.into(), line);
    line.push(b'"');
}

/// All fields, beside each other.
pub(super) fn field_members(record: &Record<'_>, reserved: &Reserved, line: &mut Vec<u8>) {
    let errors = reserved.error_names(record);
    each_visible(record, |Visible { name, mark, value, is_plain }| {
        line.extend_from_slice(b",\"");
        if reserved.has(name, mark) {
            line.extend_from_slice(PREFIX.as_bytes());
        }
        if let Some(own) = error_name(&errors, name) {
            line.extend_from_slice(own.as_bytes());
        } else if mark.is_plain() {
            line.extend_from_slice(name.as_bytes());
        } else {
            escaped(name, line);
        }
        match value {
            Value::Text(text) if is_plain => plain_member(b"\":\"", text.as_bytes(), line),
            value => {
                line.extend_from_slice(b"\":");
                write_value(value, line);
            }
        }
    });
}

/// The level in capital letters.
pub(super) const fn upper(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

/// The level in small letters.
pub(super) const fn lower(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

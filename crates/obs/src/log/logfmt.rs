use crate::log::layout::Layout;
use crate::log::members::lower;
use crate::log::names::{Reserved, each_visible};
use crate::log::text::{misleads, plain, plain_bytes, written};
use crate::log::time::write_rfc3339;
use crate::record::{PREFIX, REDACTED, Record, Resource, Value, Visible};

/// `name=value` after each other, as [Heroku's logfmt](https://brandur.org/logfmt) and what reads it
/// ([Loki](https://grafana.com/docs/loki/latest/query/log_queries/#logfmt)) have it: `ts`, `level`, `target`, `msg`,
/// ids, then fields.
///
/// Values with spaces, quotes, `=` or anything but printable characters stand in quotes, escaped as in JSON; in
/// names such characters are written as `%` and two hexadecimal digits for each byte. No value can look like
/// another field or another line.
#[derive(Debug, Clone)]
pub struct Logfmt {
    reserved: Reserved,
    resource: Vec<u8>,
}

const NAMES: Reserved = Reserved::new(&[
    "ts",
    "level",
    "target",
    "msg",
    "trace_id",
    "span_id",
    "request_id",
    "correlation_id",
    "span",
]);

impl Logfmt {
    /// The layout.
    #[must_use]
    pub const fn new() -> Self {
        Self { reserved: NAMES, resource: Vec::new() }
    }

    /// With what the service says of itself, by OpenTelemetry's names.
    #[must_use]
    pub fn with_resource(mut self, resource: &Resource) -> Self {
        self = Self::new();
        for (name, value) in resource.iter() {
            let name = self.reserved.take(name);
            pair(&name, value, &mut self.resource);
        }
        self
    }
}

impl Default for Logfmt {
    fn default() -> Self {
        Self::new()
    }
}

impl Layout for Logfmt {
    fn write(&self, record: &Record<'_>, line: &mut Vec<u8>) {
        line.extend_from_slice(b"ts=");
        write_rfc3339(record.time, line);
        line.extend_from_slice(b" level=");
        line.extend_from_slice(lower(record.level).as_bytes());
        pair("target", record.target, line);
        pair("msg", record.message, line);
        if let Some(id) = record.ids.trace_id {
            line.extend_from_slice(b" trace_id=");
            line.extend_from_slice(&id.to_hex());
        }
        if let Some(id) = record.ids.span_id {
            line.extend_from_slice(b" span_id=");
            line.extend_from_slice(&id.to_hex());
        }
        for (name, id) in
            [("request_id", &record.ids.request_id), ("correlation_id", &record.ids.correlation_id)]
        {
            if let Some(id) = id {
                pair(name, id.as_str(), line);
            }
        }
        if let Some(span) = record.span {
            pair("span", span.name(), line);
        }
        line.extend_from_slice(&self.resource);
        each_visible(record, |Visible { name, mark, value, .. }| {
            line.push(b' ');
            if self.reserved.has(name, mark) {
                line.extend_from_slice(PREFIX.as_bytes());
            }
            write_name(name, line);
            line.push(b'=');
            write_value(value, line);
        });
        line.push(b'\n');
    }
}

fn pair(name: &str, value: &str, line: &mut Vec<u8>) {
    line.push(b' ');
    write_name(name, line);
    line.push(b'=');
    quoted_if_needed(value, line);
}

/// No two names become one: `%` itself is written so, too.
pub(super) fn write_name(name: &str, line: &mut Vec<u8>) {
    if name.is_empty() {
        line.extend_from_slice(b"%");
    }
    for character in name.chars() {
        let is_plain = character.is_alphanumeric()
            || character.is_ascii_punctuation() && !matches!(character, '=' | '"' | '\\' | '%');
        let mut bytes = [0; 4];
        let bytes = character.encode_utf8(&mut bytes).as_bytes();
        if is_plain {
            line.extend_from_slice(bytes);
        } else {
            bytes.iter().for_each(|byte| written(format_args!("%{byte:02x}"), line));
        }
    }
}

pub(super) fn write_value(value: Value<'_>, line: &mut Vec<u8>) {
    match value {
        Value::Text(text) => quoted_if_needed(text, line),
        Value::Redacted => line.extend_from_slice(REDACTED.as_bytes()),
        Value::F64(number) if !number.is_finite() => written(format_args!("{number}"), line),
        value => plain(value, line),
    }
}

fn quoted_if_needed(text: &str, line: &mut Vec<u8>) {
    let is_plain = |c: char| !c.is_whitespace() && !misleads(c) && !matches!(c, '"' | '=' | '\\');
    let is_ascii = plain_bytes(text.as_bytes()) == text.len();
    let has_end = |byte: &u8| matches!(byte, b' ' | b'=');
    let needs_none =
        if is_ascii { !text.as_bytes().iter().any(has_end) } else { text.chars().all(is_plain) };
    if text.is_empty() || !needs_none {
        super::text::string(text, line);
    } else {
        line.extend_from_slice(text.as_bytes());
    }
}

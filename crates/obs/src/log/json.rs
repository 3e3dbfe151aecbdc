use crate::log::layout::Layout;
use crate::log::members::{
    field_members, plain_member, request_members, source_member, spans_member, text_member,
    time_member, trace_members, upper,
};
use crate::log::names::{Rendered, Reserved};
use crate::record::{Record, Resource};

/// One object a line: ids and fields beside each other, those of an inner span over those of an
/// outer one, those of the event over all.
///
/// `timestamp`, `level`, `target`, `message`, `trace_id`, `span_id`, `request_id`, `correlation_id` and `span`
/// are its own names, after those of OpenTelemetry's
/// [JSON logs](https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/); a field that is
/// called like one of them is written with `field.` before it.
#[derive(Debug, Clone)]
pub struct JsonFlat {
    reserved: Reserved,
    resource: Rendered,
    has_span_list: bool,
    has_source: bool,
}

const NAMES: Reserved = Reserved::new(&[
    "timestamp",
    "level",
    "target",
    "message",
    "trace_id",
    "span_id",
    "request_id",
    "correlation_id",
    "span",
    "spans",
    "source",
]);

impl JsonFlat {
    /// The layout.
    #[must_use]
    pub fn new() -> Self {
        Self {
            reserved: NAMES,
            resource: Rendered::default(),
            has_span_list: false,
            has_source: false,
        }
    }

    /// With what the service says of itself, by OpenTelemetry's names.
    #[must_use]
    pub fn with_resource(mut self, resource: &Resource) -> Self {
        self.reserved = NAMES;
        self.resource = Rendered::members(resource, &[], &mut self.reserved);
        self
    }

    /// With `spans`: the names of all of them, the outermost first.
    #[must_use]
    pub const fn with_span_list(mut self) -> Self {
        self.has_span_list = true;
        self
    }

    /// With `source`: the file and line that it comes from.
    #[must_use]
    pub const fn with_source(mut self) -> Self {
        self.has_source = true;
        self
    }
}

impl Default for JsonFlat {
    fn default() -> Self {
        Self::new()
    }
}

impl Layout for JsonFlat {
    fn write(&self, record: &Record<'_>, line: &mut Vec<u8>) {
        time_member(br#"{"timestamp":""#, record.time, line);
        plain_member(br#","level":""#, upper(record.level).as_bytes(), line);
        text_member(br#","target":"#, record.target, line);
        text_member(br#","message":"#, record.message, line);
        trace_members(record, br#","trace_id":""#, br#","span_id":""#, line);
        request_members(record, line);
        if let Some(span) = record.span {
            text_member(br#","span":"#, span.name(), line);
        }
        if self.has_span_list {
            spans_member(record, line);
        }
        if let Some(source) = record.source.filter(|_| self.has_source) {
            source_member(br#","source":""#, source, line);
        }
        line.extend_from_slice(self.resource.bytes());
        field_members(record, &self.reserved, line);
        line.extend_from_slice(b"}\n");
    }
}

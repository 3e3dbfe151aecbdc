use request_context::TraceFlags;
use tracing_core::Level;

use crate::log::layout::Layout;
use crate::log::members::{field_members, plain_member, request_members, text_member, time_member};
use crate::log::names::{Renamed, Rendered, Reserved};
use crate::log::text::{digits, escaped, string};
use crate::record::{Record, Resource};

/// One object a line as the agents of Google Cloud read it: the special fields of its
/// [structured logging](https://docs.cloud.google.com/logging/docs/structured-logging) `severity`, `time`, `message`,
/// `logging.googleapis.com/trace`, `…/spanId`, `…/trace_sampled` and `…/sourceLocation`.
///
/// Errors carry the `@type`, `serviceContext` and `context.reportLocation` by which
/// [Error Reporting](https://docs.cloud.google.com/error-reporting/docs/formatting-error-messages) takes them.
#[derive(Debug, Clone)]
pub struct GoogleCloud {
    reserved: Reserved,
    resource: Rendered,
    /// `"serviceContext":{…}`, with a comma before it.
    service: Vec<u8>,
    /// `projects/…/traces/`, escaped, or nothing.
    traces: Vec<u8>,
}

const NAMES: Reserved = Reserved::new(&[
    "severity",
    "logging.googleapis.com/severity",
    "time",
    "timestamp",
    "timestampSeconds",
    "timestampNanos",
    "message",
    "target",
    "httpRequest",
    "labels",
    "@type",
    "eventTime",
    "serviceContext",
    "context",
    "request_id",
    "correlation_id",
    "logging.googleapis.com/trace",
    "logging.googleapis.com/spanId",
    "logging.googleapis.com/trace_sampled",
    "logging.googleapis.com/sourceLocation",
    "logging.googleapis.com/insertId",
    "logging.googleapis.com/labels",
    "logging.googleapis.com/operation",
    "logging.googleapis.com/httpRequest",
    "logging.googleapis.com/http_request",
    "logging.googleapis.com/logName",
    "logging.googleapis.com/monitored_resource",
    "logging.googleapis.com/local_resource_id",
]);

/// What makes an entry an error for Error Reporting.
const REPORTED: &[u8] =
    br#","@type":"type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent""#;

/// They stand in `serviceContext`.
const RENAMED: Renamed<'_> = &[(Resource::SERVICE_NAME, None), (Resource::SERVICE_VERSION, None)];

impl GoogleCloud {
    /// The layout, for a service.
    #[must_use]
    pub fn new(resource: &Resource) -> Self {
        let mut reserved = NAMES;
        let rendered = Rendered::members(resource, RENAMED, &mut reserved);
        let mut service = Vec::new();
        if let Some(name) = resource.get(Resource::SERVICE_NAME) {
            text_member(br#","serviceContext":{"service":"#, name, &mut service);
            if let Some(version) = resource.get(Resource::SERVICE_VERSION) {
                text_member(br#","version":"#, version, &mut service);
            }
            service.push(b'}');
        }
        Self { reserved, resource: rendered, service, traces: Vec::new() }
    }

    /// With the project that the traces are in: their names are then whole, and the log shows them.
    #[must_use]
    pub fn with_project(mut self, project: &str) -> Self {
        self.traces.clear();
        self.traces.extend_from_slice(b"projects/");
        escaped(project, &mut self.traces);
        self.traces.extend_from_slice(b"/traces/");
        self
    }
}

impl Layout for GoogleCloud {
    fn write(&self, record: &Record<'_>, line: &mut Vec<u8>) {
        plain_member(br#"{"severity":""#, severity(record.level), line);
        time_member(br#","time":""#, record.time, line);
        text_member(br#","message":"#, record.message, line);
        text_member(br#","target":"#, record.target, line);
        self.write_trace(record, line);
        if let Some((file, number)) = record.source {
            text_member(br#","logging.googleapis.com/sourceLocation":{"file":"#, file, line);
            // An `int64`, which is a text in the JSON of Protocol Buffers.
            line.extend_from_slice(br#","line":""#);
            digits(number.into(), line);
            line.extend_from_slice(br#""}"#);
        }
        request_members(record, line);
        line.extend_from_slice(&self.service);
        if record.level == Level::ERROR {
            write_report(record, line);
        }
        line.extend_from_slice(self.resource.bytes());
        field_members(record, &self.reserved, line);
        line.extend_from_slice(b"}\n");
    }
}

impl GoogleCloud {
    fn write_trace(&self, record: &Record<'_>, line: &mut Vec<u8>) {
        if let Some(id) = record.ids.trace_id {
            line.extend_from_slice(br#","logging.googleapis.com/trace":""#);
            line.extend_from_slice(&self.traces);
            line.extend_from_slice(&id.to_hex());
            let sampled: &[u8] =
                if record.ids.flags.contains(TraceFlags::SAMPLED) { b"true" } else { b"false" };
            line.extend_from_slice(br#"","logging.googleapis.com/trace_sampled":"#);
            line.extend_from_slice(sampled);
        }
        if let Some(id) = record.ids.span_id {
            plain_member(br#","logging.googleapis.com/spanId":""#, &id.to_hex(), line);
        }
    }
}

/// The place is what an error without a stack is grouped by. A stack keeps OpenTelemetry's name: in `stack_trace` it would
/// be looked at before the message, and stacks of Rust are none that [are read](https://docs.cloud.google.com/error-reporting/reference/rest/v1beta1/projects.events/report#ReportedErrorEvent).
fn write_report(record: &Record<'_>, line: &mut Vec<u8>) {
    line.extend_from_slice(REPORTED);
    if let Some((file, number)) = record.source {
        text_member(br#","context":{"reportLocation":{"filePath":"#, file, line);
        line.extend_from_slice(br#","lineNumber":"#);
        digits(number.into(), line);
        line.extend_from_slice(br#","functionName":"#);
        string(record.target, line);
        line.extend_from_slice(b"}}");
    }
}

/// Of [`LogSeverity`](https://docs.cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogSeverity), which has
/// nothing below `DEBUG`.
const fn severity(level: Level) -> &'static [u8] {
    match level {
        Level::ERROR => b"ERROR",
        Level::WARN => b"WARNING",
        Level::INFO => b"INFO",
        Level::DEBUG | Level::TRACE => b"DEBUG",
    }
}

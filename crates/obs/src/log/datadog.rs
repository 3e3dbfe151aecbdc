use crate::log::layout::Layout;
use crate::log::members::{
    field_members, lower, plain_member, request_members, text_member, time_member, trace_members,
};
use crate::log::names::{Errors, MESSAGE, Renamed, Rendered, Reserved, STACK, TYPE};
use crate::log::text::digits;
use crate::record::{Record, Resource};

/// One object a line as Datadog reads it: its
/// [reserved attributes](https://docs.datadoghq.com/logs/log_configuration/attributes_naming_convention/) `status`,
/// `service`, `host`, `message`, with `env` and `version` of
/// [unified service tagging](https://docs.datadoghq.com/getting_started/tagging/unified_service_tagging/).
///
/// Trace and span are `trace_id` and `span_id` in hexadecimal digits, as
/// [OpenTelemetry has them](https://docs.datadoghq.com/opentelemetry/correlate/logs_and_traces/).
/// Errors are [`error.kind`, `error.message`, `error.stack`](https://docs.datadoghq.com/error_tracking/logs), by which
/// Error Tracking takes them, where they are OpenTelemetry's `exception.type`, `.message`, `.stacktrace`. What Datadog takes
/// for the status, the time or the origin of a log is written with `field.` before it where it is a field:
/// `status = 200` does not become its status.
#[derive(Debug, Clone)]
pub struct Datadog {
    reserved: Reserved,
    resource: Rendered,
    is_decimal: bool,
}

/// What its own remappers read for date, status, service, host, message and trace, too.
const NAMES: Reserved = Reserved::new(&[
    "timestamp",
    "@timestamp",
    "_timestamp",
    "Timestamp",
    "eventTime",
    "date",
    "published_date",
    "syslog.timestamp",
    "status",
    "severity",
    "level",
    "syslog.severity",
    "message",
    "msg",
    "log",
    "logger.name",
    "service",
    "syslog.appname",
    "dd.service",
    "env",
    "dd.env",
    "version",
    "dd.version",
    "host",
    "hostname",
    "syslog.hostname",
    "source",
    "ddsource",
    "ddtags",
    "trace_id",
    "span_id",
    "dd.trace_id",
    "dd.span_id",
    "contextMap.dd.trace_id",
    "request_id",
    "correlation_id",
])
.with_errors(ERRORS);

const ERRORS: Errors = [(TYPE, "error.kind"), (MESSAGE, "error.message"), (STACK, "error.stack")];

const RENAMED: Renamed<'_> = &[
    (Resource::SERVICE_NAME, Some("service")),
    (Resource::SERVICE_VERSION, Some("version")),
    (Resource::ENVIRONMENT, Some("env")),
    (Resource::HOST_NAME, Some("host")),
];

impl Datadog {
    /// The layout, for a service.
    #[must_use]
    pub fn new(resource: &Resource) -> Self {
        let mut reserved = NAMES;
        let resource = Rendered::members(resource, RENAMED, &mut reserved);
        Self { reserved, resource, is_decimal: false }
    }

    /// With `dd.trace_id` and `dd.span_id` in decimal digits, of 64 bits each, instead of the hexadecimal ones: what
    /// traces of Datadog's own libraries are [found by](https://docs.datadoghq.com/tracing/other_telemetry/connect_logs_and_traces/opentelemetry/).
    #[must_use]
    pub const fn with_decimal_ids(mut self) -> Self {
        self.is_decimal = true;
        self
    }
}

impl Layout for Datadog {
    fn write(&self, record: &Record<'_>, line: &mut Vec<u8>) {
        time_member(br#"{"timestamp":""#, record.time, line);
        plain_member(br#","status":""#, lower(record.level).as_bytes(), line);
        text_member(br#","logger.name":"#, record.target, line);
        text_member(br#","message":"#, record.message, line);
        if self.is_decimal {
            decimal_members(record, line);
        } else {
            trace_members(record, br#","trace_id":""#, br#","span_id":""#, line);
        }
        request_members(record, line);
        line.extend_from_slice(self.resource.bytes());
        field_members(record, &self.reserved, line);
        line.extend_from_slice(b"}\n");
    }
}

/// As texts: a number of 64 bits is more than most readers of JSON keep.
fn decimal_members(record: &Record<'_>, line: &mut Vec<u8>) {
    if let Some(id) = record.ids.trace_id {
        line.extend_from_slice(br#","dd.trace_id":""#);
        let low = id.to_u128() & u128::from(u64::MAX);
        digits(u64::try_from(low).unwrap_or_default(), line);
        line.push(b'"');
    }
    if let Some(id) = record.ids.span_id {
        line.extend_from_slice(br#","dd.span_id":""#);
        digits(id.to_u64(), line);
        line.push(b'"');
    }
}

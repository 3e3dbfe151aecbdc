use std::time::{Duration, UNIX_EPOCH};

use crate::log::layout::Layout;
use crate::log::members::{
    field_members, plain_member, request_members, text_member, trace_members, upper,
};
use crate::log::names::{Errors, MESSAGE, Renamed, Rendered, Reserved, STACK, TYPE};
use crate::log::text::digits;
use crate::record::{Record, Resource};

/// One object a line as New Relic reads it: `timestamp` in milliseconds, `level`, `message`, `trace.id`,
/// `span.id`, `entity.name`, `service.name` and `hostname`, by the names of its
/// [Log API](https://docs.newrelic.com/docs/logs/log-api/introduction-log-api/) and of what it makes of
/// [OpenTelemetry's logs](https://docs.newrelic.com/docs/opentelemetry/best-practices/opentelemetry-best-practices-logs/).
///
/// OpenTelemetry's `exception.type`, `.message`, `.stacktrace` are `error.class`, `error.message`, `error.stack`, as its
/// [log extensions](https://github.com/newrelic/java-log-extensions) have them.
#[derive(Debug, Clone)]
pub struct NewRelic {
    reserved: Reserved,
    resource: Rendered,
}

const NAMES: Reserved = Reserved::new(&[
    "timestamp",
    "level",
    "log.level",
    "logger.name",
    "message",
    "trace.id",
    "span.id",
    "entity.guid",
    "entity.guids",
    "entity.name",
    "entity.type",
    "hostname",
    "request_id",
    "correlation_id",
    "logtype",
])
.with_errors(ERRORS);

const ERRORS: Errors = [(TYPE, "error.class"), (MESSAGE, "error.message"), (STACK, "error.stack")];

const RENAMED: Renamed<'_> = &[(Resource::HOST_NAME, Some("hostname"))];

impl NewRelic {
    /// The layout, for a service: its name is that of the entity, too.
    #[must_use]
    pub fn new(resource: &Resource) -> Self {
        let mut reserved = NAMES;
        let mut rendered = Rendered::members(resource, RENAMED, &mut reserved);
        if let Some(name) = resource.get(Resource::SERVICE_NAME) {
            rendered.push("entity.name", name);
        }
        Self { reserved, resource: rendered }
    }

    /// With the GUID by which New Relic knows the service.
    #[must_use]
    pub fn with_entity_guid(mut self, guid: &str) -> Self {
        self.resource.push("entity.guid", guid);
        self
    }
}

impl Layout for NewRelic {
    fn write(&self, record: &Record<'_>, line: &mut Vec<u8>) {
        let since = record.time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        line.extend_from_slice(br#"{"timestamp":"#);
        digits(u64::try_from(since.as_millis()).unwrap_or(u64::MAX), line);
        plain_member(br#","level":""#, upper(record.level).as_bytes(), line);
        text_member(br#","logger.name":"#, record.target, line);
        text_member(br#","message":"#, record.message, line);
        trace_members(record, br#","trace.id":""#, br#","span.id":""#, line);
        request_members(record, line);
        line.extend_from_slice(self.resource.bytes());
        field_members(record, &self.reserved, line);
        line.extend_from_slice(b"}\n");
    }
}

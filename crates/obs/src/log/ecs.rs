use crate::log::layout::Layout;
use crate::log::members::{plain_member, text_member, time_member, trace_members, upper};
use crate::log::names::{
    ErrorNames, Errors, MESSAGE, Renamed, Rendered, Reserved, STACK, TYPE, each_visible,
    error_name, has_visible,
};
use crate::log::nested::{Member, Owned, write_nested};
use crate::log::text::{digits, escaped, plain, write_value};
use crate::record::{Mark, PREFIX, Record, Resource, Value, Visible};

/// One object a line by the [Elastic Common Schema](https://www.elastic.co/docs/reference/ecs), in the order that
/// the [specification of its logs](https://github.com/elastic/ecs-logging/tree/main/spec) asks for: `@timestamp`,
/// `log.level`, `message`, `ecs.version`, then `log.logger`, `trace.id`, `span.id`, `service.*` and fields.
///
/// A field `error` becomes `error.message`; OpenTelemetry's `exception.type`, `.message`, `.stacktrace` become `error.type`,
/// `error.message`, `error.stack_trace`. One that is called like an object of the schema (`user`, `http`), or
/// like what the layout writes, is written with `field.` before it: an index refuses a document in which an
/// object is a text. So are numbers, as texts, that it does not take where it has seen others: those that are not finite,
/// and integers beyond 64 bits with a sign (`long`). That a name is a value in one line and an object in another (`a`,
/// `a.b`) no line can know: such names are the application's to avoid.
#[derive(Debug, Clone)]
pub struct Ecs {
    reserved: Reserved,
    resource: Rendered,
    attributes: Vec<(String, Box<str>)>,
    is_nested: bool,
}

/// The version of the schema whose names are used.
const VERSION: &str = "8.11.0";

const NAMES: Reserved = Reserved::new(&[
    "@timestamp",
    "log.level",
    "log.logger",
    "log.origin",
    "log.origin.file",
    "log.origin.file.name",
    "log.origin.file.line",
    "message",
    "ecs.version",
    "trace.id",
    "span.id",
    "transaction.id",
    "http.request.id",
    "request_id",
    "correlation_id",
    "service.name",
    "service.version",
    "service.environment",
    "service.node.name",
    "host.hostname",
    // The objects at its top.
    "agent",
    "as",
    "client",
    "cloud",
    "container",
    "data_stream",
    "destination",
    "device",
    "dll",
    "dns",
    "ecs",
    "email",
    "error",
    "event",
    "faas",
    "file",
    "gen_ai",
    "geo",
    "group",
    "hash",
    "host",
    "http",
    "interface",
    "labels",
    "log",
    "network",
    "observer",
    "orchestrator",
    "organization",
    "package",
    "process",
    "registry",
    "related",
    "rule",
    "server",
    "service",
    "source",
    "span",
    "threat",
    "tls",
    "trace",
    "transaction",
    "url",
    "user",
    "user_agent",
    "volume",
    "vulnerability",
    "x509",
])
.with_errors(ERRORS);

/// Of its [error fields](https://www.elastic.co/docs/reference/ecs/ecs-error).
const ERRORS: Errors =
    [(TYPE, "error.type"), (MESSAGE, ERROR_MESSAGE), (STACK, "error.stack_trace")];

const RENAMED: Renamed<'_> = &[
    (Resource::SERVICE_NAME, Some("service.name")),
    (Resource::SERVICE_VERSION, Some("service.version")),
    (Resource::ENVIRONMENT, Some("service.environment")),
    (Resource::SERVICE_INSTANCE_ID, Some("service.node.name")),
    (Resource::HOST_NAME, Some("host.hostname")),
];

/// What a field that holds an error is mostly called.
const ERROR: &str = "error";
const ERROR_MESSAGE: &str = "error.message";

impl Ecs {
    /// Names with dots, as the specification has them.
    #[must_use]
    pub fn new(resource: &Resource) -> Self {
        let mut reserved = NAMES;
        let mut attributes = Vec::new();
        let mut rendered = Rendered::default();
        for (attribute, value) in resource.iter() {
            let name = match RENAMED.iter().find(|(known, _)| *known == attribute) {
                Some((_, name)) => name.unwrap_or(attribute).to_owned(),
                None => reserved.take(attribute),
            };
            rendered.push(&name, value);
            attributes.push((name, value.into()));
        }
        Self { reserved, resource: rendered, attributes, is_nested: false }
    }

    /// Objects within each other instead of names with dots: for readers that do not take these apart. It
    /// is slower.
    #[must_use]
    pub fn nested(resource: &Resource) -> Self {
        Self { is_nested: true, ..Self::new(resource) }
    }

    /// The name by which a field is written.
    fn rename<'n>(
        &self,
        errors: &ErrorNames,
        (name, mark): (&'n str, Mark),
        value: Value<'_>,
        has_message: bool,
    ) -> (&'static str, &'n str) {
        if name == ERROR && !has_message {
            ("", ERROR_MESSAGE)
        } else if let Some(own) = error_name(errors, name) {
            ("", own)
        } else if self.reserved.has(name, mark) || !is_indexed(value) {
            (PREFIX, name)
        } else {
            ("", name)
        }
    }

    /// Whether something else than a field `error` is the message of the error.
    fn has_message(&self, record: &Record<'_>) -> bool {
        self.reserved.has(ERROR_MESSAGE, Mark::of(ERROR_MESSAGE))
            || has_visible(record, ERROR_MESSAGE)
            || record.fields.has(MESSAGE, Mark::of(MESSAGE))
    }

    fn write_flat(&self, record: &Record<'_>, line: &mut Vec<u8>) {
        plain_member(br#","log.level":""#, upper(record.level).as_bytes(), line);
        text_member(br#","message":"#, record.message, line);
        plain_member(br#","ecs.version":""#, VERSION.as_bytes(), line);
        text_member(br#","log.logger":"#, record.target, line);
        if let Some((file, number)) = record.source {
            text_member(br#","log.origin.file.name":"#, file, line);
            line.extend_from_slice(br#","log.origin.file.line":"#);
            digits(number.into(), line);
        }
        trace_members(record, br#","trace.id":""#, br#","span.id":""#, line);
        if let Some(id) = &record.ids.request_id {
            text_member(br#","http.request.id":"#, id.as_str(), line);
        }
        if let Some(id) = &record.ids.correlation_id {
            text_member(br#","correlation_id":"#, id.as_str(), line);
        }
        line.extend_from_slice(self.resource.bytes());
        let (has_message, errors) = (self.has_message(record), self.reserved.error_names(record));
        each_visible(record, |Visible { name, mark, value, .. }| {
            let (before, name) = self.rename(&errors, (name, mark), value, has_message);
            line.extend_from_slice(b",\"");
            line.extend_from_slice(before.as_bytes());
            escaped(name, line);
            line.extend_from_slice(b"\":");
            if is_indexed(value) {
                write_value(value, line);
            } else {
                line.push(b'"');
                plain(value, line);
                line.push(b'"');
            }
        });
    }

    fn write_nested(&self, record: &Record<'_>, line: &mut Vec<u8>) {
        text_member(br#","message":"#, record.message, line);
        line.push(b',');
        let (has_message, errors) = (self.has_message(record), self.reserved.error_names(record));
        // Late fields lie behind a lock: what is shown of them is copied.
        let mut fields: Vec<(String, Owned)> = Vec::new();
        each_visible(record, |Visible { name, mark, value, .. }| {
            let (before, name) = self.rename(&errors, (name, mark), value, has_message);
            let value = if is_indexed(value) { Owned::of(value) } else { Owned::text(value) };
            fields.push((format!("{before}{name}"), value));
        });
        let trace = record.ids.trace_id.map(|id| id.to_string());
        let span = record.ids.span_id.map(|id| id.to_string());
        let ids = [
            ("trace.id", trace.as_deref()),
            ("span.id", span.as_deref()),
            ("http.request.id", record.ids.request_id.as_ref().map(|id| id.as_str())),
            ("correlation_id", record.ids.correlation_id.as_ref().map(|id| id.as_str())),
            ("log.level", Some(upper(record.level))),
            ("log.logger", Some(record.target)),
            ("log.origin.file.name", record.source.map(|(file, _)| file)),
            ("ecs.version", Some(VERSION)),
        ];
        let ids = ids.into_iter().filter_map(|(name, id)| Some((name, Value::Text(id?))));
        let number = record.source.map(|(_, line)| Value::U64(line.into()));
        let mut members: Vec<Member<'_>> = ids.collect();
        members.extend(number.map(|number| ("log.origin.file.line", number)));
        members.extend(self.attributes.iter().map(|(name, value)| (&**name, Value::Text(value))));
        members.extend(fields.iter().map(|(name, value)| (&**name, value.value())));
        write_nested(&mut members, line);
    }
}

/// Whether a [numeric field](https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/number) takes it, if
/// it is a number.
fn is_indexed(value: Value<'_>) -> bool {
    match value {
        Value::F64(number) => number.is_finite(),
        Value::U64(number) => i64::try_from(number).is_ok(),
        Value::I128(number) => i64::try_from(number).is_ok(),
        Value::U128(number) => i64::try_from(number).is_ok(),
        Value::Text(_) | Value::I64(_) | Value::Bool(_) | Value::Redacted => true,
    }
}

impl Layout for Ecs {
    fn write(&self, record: &Record<'_>, line: &mut Vec<u8>) {
        time_member(br#"{"@timestamp":""#, record.time, line);
        if self.is_nested {
            self.write_nested(record, line);
        } else {
            self.write_flat(record, line);
        }
        line.extend_from_slice(b"}\n");
    }
}

use std::ffi::OsString;

use tracing_core::LevelFilter;

use crate::record::{Filter, Limits, Resource};

/// What variables of the environment say, by the names of OpenTelemetry's specification
/// ("Environment Variable Specification", 1.50) and `RUST_LOG`. An empty value says nothing; one that
/// makes no sense is left out, with a warning (ibid., "Configuration types").
#[derive(Debug, Clone, Default)]
pub(super) struct Environment {
    pub(super) filter: Option<Filter>,
    resource: Vec<(String, String)>,
    own_level: Option<LevelFilter>,
    value_bytes: Option<usize>,
    fields: Option<usize>,
    pub(super) warnings: Vec<String>,
}

/// Of two variables for one limit the first decides.
const VALUE_LENGTH: [&str; 2] =
    ["OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"];
const FIELD_COUNT: [&str; 2] =
    ["OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"];

/// What the values of variables are, for warnings.
const FILTER: &str =
    "levels and targets as `info,hyper=warn,app::store=debug`, without spans and fields";
const LEVEL: &str = "`none`, `error`, `warn`, `info`, `debug` or `trace`";
const NUMBER: &str = "a whole number from 1 to 2147483647";
const BOOLEAN: &str = "`true` or `false`";
const ATTRIBUTES: &str = "`key=value,key=value`, with `%2C` for a comma in them";

/// The shortest length that values are cut at, in bytes.
const LEAST_VALUE: usize = 128;

impl Environment {
    pub(super) fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut found = Found::of(variables);
        let filter = found.parsed("RUST_LOG", FILTER, |text| text.parse::<Filter>().ok());
        let own_level = found.parsed("OTEL_LOG_LEVEL", LEVEL, level);
        let value_bytes = VALUE_LENGTH.map(|name| found.parsed(name, NUMBER, number));
        let fields = FIELD_COUNT.map(|name| found.parsed(name, NUMBER, number));
        let attributes = found.parsed("OTEL_RESOURCE_ATTRIBUTES", ATTRIBUTES, attributes);
        let mut resource = attributes.unwrap_or_default();
        if let Some(name) = found.parsed("OTEL_SERVICE_NAME", "", |text| Some(text.to_owned())) {
            resource.push((Resource::SERVICE_NAME.to_owned(), name));
        }
        if found.parsed("OTEL_SDK_DISABLED", BOOLEAN, boolean) == Some(true) {
            let message = "`OTEL_SDK_DISABLED` has no effect: there is nothing here that exports by OTLP, and logs \
                and metrics stay";
            found.warnings.push(message.to_owned());
        }
        Self {
            filter,
            resource,
            own_level,
            value_bytes: value_bytes.into_iter().flatten().next(),
            fields: fields.into_iter().flatten().next(),
            warnings: found.warnings,
        }
    }

    /// What the program says of itself, and what the environment adds ("Resource SDK", "Specifying
    /// resource information via an environment variable": the program's own comes first).
    pub(super) fn resource(&self, own: Resource) -> Resource {
        let mut resource = Resource::default();
        for (name, value) in &self.resource {
            resource = resource.with(name, value);
        }
        own.iter().fold(resource, |resource, (name, value)| resource.with(name, value))
    }

    /// The filter, with the level of what this crate says of itself, unless the filter has one for it.
    pub(super) fn filter(&self, filter: Filter) -> Filter {
        match self.own_level.filter(|_| !filter.names("obs")) {
            Some(level) => filter.with_target("obs", level),
            None => filter,
        }
    }

    /// Of what nobody else told: the length of values, and how many fields there are.
    pub(super) fn limits(&self, mut limits: Limits, are_told: [bool; 2]) -> Limits {
        let [is_value_told, are_fields_told] = are_told;
        if let Some(bytes) = self.value_bytes.filter(|_| !is_value_told) {
            // Messages are cut there, too: they have to stay legible.
            limits.value_bytes = bytes.max(LEAST_VALUE);
        }
        if let Some(fields) = self.fields.filter(|_| !are_fields_told) {
            limits.fields = fields;
        }
        limits
    }
}

/// Those variables that may be meant, as text.
struct Found {
    variables: Vec<(String, String)>,
    warnings: Vec<String>,
}

impl Found {
    fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut found = Self { variables: Vec::new(), warnings: Vec::new() };
        for (name, value) in variables {
            let Ok(name) = name.into_string() else { continue };
            if name != "RUST_LOG" && !name.starts_with("OTEL_") {
                continue;
            }
            match value.into_string() {
                Ok(value) if value.trim().is_empty() => {}
                Ok(value) => found.variables.push((name, value)),
                Err(_) => found.warnings.push(format!("`{name}` is left out: it is not UTF-8")),
            }
        }
        found
    }

    /// What a variable says. A warning tells the form that it should have and does not quote it: it may be a secret
    /// that went astray.
    fn parsed<T>(
        &mut self,
        name: &str,
        form: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let (_, value) = self.variables.iter().find(|(known, _)| known == name)?;
        let parsed = parse(value.trim());
        if parsed.is_none() {
            self.warnings.push(format!("`{name}` is left out: it should be {form}"));
        }
        parsed
    }
}

fn level(text: &str) -> Option<LevelFilter> {
    let is_word = !text.chars().all(|c| c.is_ascii_digit());
    let name = if text.eq_ignore_ascii_case("none") { "off" } else { text };
    name.parse().ok().filter(|_| is_word)
}

/// From 1 to 2³¹ − 1: a record without any value is of no use to anybody.
fn number(text: &str) -> Option<usize> {
    let number: u32 = text.parse().ok()?;
    (1..=i32::MAX.unsigned_abs()).contains(&number).then_some(number as usize)
}

fn boolean(text: &str) -> Option<bool> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("true") { Some(true) } else { is("false").then_some(false) }
}

/// `key1=value1,key2=value2` with `,`, `=` and other characters as `%2C`. One that is wrong spoils all
/// ("Resource SDK": "in case of any error … the entire environment variable value SHOULD be discarded").
fn attributes(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (decoded(name.trim())?, decoded(value.trim())?);
        (!name.is_empty()).then_some((name, value))
    });
    pairs.collect()
}

/// RFC 3986, section 2.1.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        bytes.push(match byte {
            b'%' => u8::try_from(digit(rest.next())? << 4 | digit(rest.next())?).ok()?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

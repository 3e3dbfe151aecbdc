use std::fmt;
use std::thread;
use std::time::SystemTime;

use tracing_core::Level;

use crate::record::{Fields, Ids, Record, SpanRecord};
use crate::testing::FieldValue;

/// A record as an output would have been given it: redacted and bounded.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CapturedRecord {
    /// When.
    pub time: SystemTime,
    /// How serious it is.
    pub level: Level,
    /// The module that it comes from, or whatever was given as its target.
    pub target: String,
    /// The file and line that it comes from, if they are known.
    pub source: Option<(String, u32)>,
    /// The message, or nothing.
    pub message: String,
    /// Its own fields, in the order in which they were given.
    pub fields: Vec<(String, FieldValue)>,
    /// The spans that it happened in, the innermost first.
    pub spans: Vec<CapturedSpan>,
    /// By which it is found again.
    pub ids: Ids,
    /// The name of the thread that logged it, if it has one.
    pub thread: Option<String>,
}

/// A span as it was when something was logged in it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CapturedSpan {
    /// Its name.
    pub name: String,
    /// The module that it is of, or whatever was given as its target.
    pub target: String,
    /// Its fields, each name once: what was recorded last.
    pub fields: Vec<(String, FieldValue)>,
    /// Its ids.
    pub ids: Ids,
}

impl CapturedRecord {
    pub(super) fn of(record: &Record<'_>) -> Self {
        Self {
            time: record.time,
            level: record.level,
            target: record.target.to_owned(),
            source: record.source.map(|(file, line)| (file.to_owned(), line)),
            message: record.message.to_owned(),
            fields: pairs(record.fields),
            spans: record.spans().map(CapturedSpan::of).collect(),
            ids: record.ids.clone(),
            thread: thread::current().name().map(str::to_owned),
        }
    }

    /// What a field holds: its own one, else that of the innermost span which has it, as layouts show it.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&FieldValue> {
        let of_spans = || self.spans.iter().find_map(|span| span.field(name));
        last(&self.fields, name).or_else(of_spans)
    }

    /// The innermost span of this name that it happened in.
    #[must_use]
    pub fn span(&self, name: &str) -> Option<&CapturedSpan> {
        self.spans.iter().find(|span| span.name == name)
    }
}

impl CapturedSpan {
    fn of(span: &SpanRecord) -> Self {
        let mut fields: Vec<(String, FieldValue)> = Vec::new();
        span.each_fields(|found| {
            let mut new = pairs(found);
            new.retain(|(name, _)| last(&fields, name).is_none());
            fields.splice(0..0, new);
        });
        let (name, target) = (span.name().to_owned(), span.target().to_owned());
        Self { name, target, fields, ids: span.ids().clone() }
    }

    /// What a field holds.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&FieldValue> {
        last(&self.fields, name)
    }
}

fn pairs(fields: &Fields) -> Vec<(String, FieldValue)> {
    fields.iter().map(|(name, value)| (name.to_owned(), FieldValue::of(value))).collect()
}

fn last<'a>(fields: &'a [(String, FieldValue)], name: &str) -> Option<&'a FieldValue> {
    fields.iter().rev().find_map(|(known, value)| (known == name).then_some(value))
}

/// A text of a record, and where it stands.
pub(super) struct Text<'a> {
    pub(super) place: Place<'a>,
    pub(super) text: &'a str,
}

/// Where a text stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    Message,
    Target,
    FieldName,
    Field(&'a str),
    Ids,
}

impl Place<'_> {
    /// The place, but for what is a secret itself.
    pub(super) fn shown(self, secret: &secret_canary::Canary) -> String {
        match self {
            Self::Message => "the message".to_owned(),
            Self::Target => "the target".to_owned(),
            Self::FieldName => "the name of a field".to_owned(),
            Self::Field(name) if secret.find(name.as_bytes()).is_none() => {
                format!("the field `{name}`")
            }
            Self::Field(_) => "a field".to_owned(),
            Self::Ids => "the ids".to_owned(),
        }
    }
}

impl CapturedRecord {
    /// Every text in it.
    pub(super) fn texts(&self) -> impl Iterator<Item = Text<'_>> + '_ {
        let text = |place, text| Text { place, text };
        let own = [text(Place::Message, &*self.message), text(Place::Target, &*self.target)];
        let fields = self.spans.iter().flat_map(|span| &span.fields).chain(&self.fields);
        let fields = fields.flat_map(move |(name, value)| {
            let value = value.as_str().unwrap_or_default();
            [text(Place::FieldName, &**name), text(Place::Field(name), value)]
        });
        let ids = [&self.ids.request_id, &self.ids.correlation_id].into_iter().flatten();
        own.into_iter().chain(fields).chain(ids.map(move |id| text(Place::Ids, id.as_str())))
    }
}

/// As one line: `WARN app::jobs: "job failed" attempt=3 in http_request > job (src/jobs.rs:42)`.
impl fmt::Display for CapturedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {:?}", self.level, self.target, self.message)?;
        for (name, value) in &self.fields {
            write!(f, " {}={value}", name.escape_debug())?;
        }
        for (at, span) in self.spans.iter().rev().enumerate() {
            write!(f, " {} {}", if at == 0 { "in" } else { ">" }, span.name)?;
        }
        match &self.source {
            Some((file, line)) => write!(f, " ({file}:{line})"),
            None => Ok(()),
        }
    }
}

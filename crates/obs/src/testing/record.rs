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

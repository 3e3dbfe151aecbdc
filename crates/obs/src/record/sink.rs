use std::fmt;
use std::time::{Duration, SystemTime};

use tracing_core::Level;

use crate::record::fields::Fields;
use crate::record::ids::Ids;
use crate::record::span::SpanRecord;

/// Something that was logged: redacted, bounded, with its ids. It borrows what is used again for the
/// next one; a sink that keeps it copies what it needs.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Record<'a> {
    /// When.
    pub time: SystemTime,
    /// How serious it is.
    pub level: Level,
    /// The module that it comes from, or whatever was given as its target.
    pub target: &'a str,
    /// The file and line that it comes from, if they are known.
    pub source: Option<(&'a str, u32)>,
    /// The message, or nothing.
    pub message: &'a str,
    /// Its own fields.
    pub fields: &'a Fields,
    /// The innermost span that it happened in; the others are found from there.
    pub span: Option<&'a SpanRecord>,
    /// By which it is found again.
    pub ids: &'a Ids,
}

impl<'a> Record<'a> {
    /// The spans that it happened in, the innermost first.
    pub fn spans(&self) -> impl Iterator<Item = &'a SpanRecord> + use<'a> {
        std::iter::successors(self.span, |span| span.parent())
    }
}

/// Whatever takes records: a log, an exporter, a tracker of errors, a test.
///
/// It is called where something is logged, with nothing but what may be shown. It does not block,
/// and it does not log: what it logs does not come back to it. If it panics, that is told by the hook of panics alone: the
/// others get the record, and who logs goes on.
pub trait RecordSink: fmt::Debug + Send + Sync + 'static {
    /// Takes a record.
    fn record(&self, record: &Record<'_>);

    /// Brings what was taken to where it goes, for so long at most; whether all of it is there.
    fn flush(&self, within: Duration) -> bool {
        let _ = within;
        true
    }
}

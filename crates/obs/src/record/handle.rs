use std::fmt::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing_core::{Dispatch, Level, span};

use crate::record::capture::contained;
use crate::record::core::{Core, current_span, span_of};
#[cfg(feature = "admin")]
use crate::record::fields::REDACTED;
use crate::record::fields::{CUT, Fields, Value};
use crate::record::filter::Filter;
#[cfg(feature = "admin")]
use crate::record::redact::Part;
use crate::record::span::SpanRecord;

/// Something to be logged that no macro logs: a panic, what a library says in a way of its own.
///
/// ```
/// use obs::record::{Note, RecordLayer, Value};
/// use tracing_core::Level;
///
/// let handle = RecordLayer::builder().build().handle();
/// let fields = [("attempt", Value::U64(3)), ("password", Value::Text("hunter2"))];
/// handle.record(&Note::new(Level::WARN, "app::jobs").with_fields(&fields), &"job failed");
/// ```
#[derive(Clone, Copy)]
pub struct Note<'a> {
    pub(crate) level: Level,
    pub(crate) target: &'a str,
    pub(crate) source: Option<(&'a str, u32)>,
    fields: &'a [(&'a str, Value<'a>)],
}

impl<'a> Note<'a> {
    /// How serious it is, and the module that it comes from or what else it is told by: 256 bytes of it are shown.
    #[must_use]
    pub const fn new(level: Level, target: &'a str) -> Self {
        Self { level, target, source: None, fields: &[] }
    }

    /// With the file and line that it comes from; 1 KiB of the file's name is shown.
    #[must_use]
    pub const fn at(mut self, file: &'a str, line: u32) -> Self {
        self.source = Some((file, line));
        self
    }

    /// With fields. Those with sensitive names are not shown.
    #[must_use]
    pub const fn with_fields(mut self, fields: &'a [(&'a str, Value<'a>)]) -> Self {
        self.fields = fields;
        self
    }
}

/// The most that is shown of a target and of the name of a file, in bytes: paths of modules stay far below.
const LONGEST_TARGET: usize = 256;
const LONGEST_FILE: usize = 1 << 10;

/// So many bytes of a text at most, and whether that is not all of it.
fn beginning(text: &str, most: usize) -> (&str, bool) {
    let end = text.floor_char_boundary(most);
    (text.get(..end).unwrap_or_default(), end < text.len())
}

impl fmt::Debug for Note<'_> {
    /// Without its values: nothing has looked at them yet.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Note");
        shown.field("level", &self.level).field("target", &self.target);
        shown.field("source", &self.source).finish_non_exhaustive()
    }
}

/// What stands beside a [`RecordLayer`](super::RecordLayer) once it is installed: it changes the filter,
/// and it takes what is not logged by `tracing`.
#[derive(Debug, Clone)]
pub struct RecordHandle(pub(crate) Arc<Core>);

impl RecordHandle {
    /// Which levels of which targets are taken.
    #[must_use]
    pub fn filter(&self) -> Arc<Filter> {
        self.0.filter.load_full()
    }

    /// Makes a record, if the filter takes it: redacted and bounded as any other, in the span that this
    /// thread is in.
    pub fn record(&self, note: &Note<'_>, message: &dyn fmt::Display) {
        if self.takes(note) {
            self.record_in(note, message, current_span(Some(self.0.number)).as_deref());
        }
    }

    /// The same, whatever the filter takes: for what is said of a change of the filter itself.
    pub(crate) fn record_anyway(&self, note: &Note<'_>, message: &dyn fmt::Display) {
        self.record_message_in(note, message, current_span(Some(self.0.number)).as_deref());
    }

    /// What the layer knows of a span.
    pub(crate) fn span_of(&self, dispatch: &Dispatch, id: &span::Id) -> Option<Arc<SpanRecord>> {
        span_of(dispatch, id, Some(self.0.number))
    }

    /// The same, in a span that is known.
    pub(crate) fn record_in(
        &self,
        note: &Note<'_>,
        message: &dyn fmt::Display,
        span: Option<&SpanRecord>,
    ) {
        if self.takes(note) {
            self.record_message_in(note, message, span);
        }
    }

    fn record_message_in(
        &self,
        note: &Note<'_>,
        message: &dyn fmt::Display,
        span: Option<&SpanRecord>,
    ) {
        self.record_fields_in(note, span, |fields, core| {
            let redact = |text: &mut String, part| core.redaction.redact(text, part);
            fields.set_message(
                &core.limits,
                |text| contained(text, |text| write!(text, "{message}")),
                redact,
            );
            for (name, value) in note.fields {
                let value = core.shown(name, *value);
                fields.push_named(name, &core.limits, value, redact);
            }
        });
    }

    /// For whoever has more to say than a message and a few fields.
    #[cfg(feature = "log-bridge")]
    pub(crate) fn record_fields(&self, note: &Note<'_>, fill: impl FnOnce(&mut Fields, &Core)) {
        if self.takes(note) {
            self.record_fields_in(note, current_span(Some(self.0.number)).as_deref(), fill);
        }
    }

    fn record_fields_in(
        &self,
        note: &Note<'_>,
        span: Option<&SpanRecord>,
        fill: impl FnOnce(&mut Fields, &Core),
    ) {
        let core = &*self.0;
        let (target, is_cut) = beginning(note.target, LONGEST_TARGET);
        let mut target = core.redaction.target(target, is_cut);
        if is_cut {
            target.to_mut().push_str(CUT);
        }
        let source = note.source.map(|(file, line)| (beginning(file, LONGEST_FILE).0, line));
        let note = Note { target: &target, source, ..*note };
        core.give(&note, span, |scratch| fill(&mut scratch.fields, core));
    }

    fn takes(&self, note: &Note<'_>) -> bool {
        note.level <= self.0.filter.load().level_of(note.target)
    }

    /// A text without what may not be shown of it.
    #[cfg(feature = "admin")]
    pub(crate) fn redacted(&self, mut text: String) -> String {
        let part = Part::of(&text, 0, false);
        self.0.redaction.redact(&mut text, part);
        text
    }

    /// What may be shown of a text by this name.
    #[cfg(feature = "admin")]
    pub(crate) fn shown(&self, name: &str, text: &str) -> String {
        match self.0.shown(name, Value::Text(text)) {
            Value::Redacted => REDACTED.to_owned(),
            _ => self.redacted(text.to_owned()),
        }
    }

    /// Brings what every sink took to where it goes, for so long at most in all; whether all of it is
    /// there.
    #[must_use]
    pub fn flush(&self, within: Duration) -> bool {
        let begin = Instant::now();
        let flush = |all: bool, sink: &Arc<_>| {
            let sink: &Arc<dyn super::RecordSink> = sink;
            let left = within.saturating_sub(begin.elapsed());
            catch_unwind(AssertUnwindSafe(|| sink.flush(left))).unwrap_or(false) && all
        };
        self.0.sinks.iter().fold(true, flush)
    }
}

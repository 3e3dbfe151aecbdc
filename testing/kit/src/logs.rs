use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing::{Dispatch, Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::capture::{Capture, Piece};

/// Records everything that is traced, whatever its level: events with all their fields, and what is
/// recorded of spans. Clones share what was recorded.
///
/// ```
/// use service_test_kit::{Canary, LogCapture};
///
/// let (logs, _guard) = LogCapture::start();
/// tracing::info!(target: "app", user = 7, "signed in");
/// assert_eq!(logs.lines()[0].to_string(), "INFO app: message=signed in user=7");
///
/// Canary::named("example").assert_absent_from(&[&logs]);
/// ```
#[derive(Clone, Default)]
pub struct LogCapture(Arc<Mutex<Vec<LogLine>>>);

/// An event, a span that begins, or what was added to one.
#[derive(Clone)]
#[non_exhaustive]
pub struct LogLine {
    /// The level.
    pub level: Level,
    /// The target: the module, unless it was given.
    pub target: String,
    /// The name of the span, if it is about one.
    pub span: Option<String>,
    /// The fields as they were recorded; an event's text is the field `message`.
    pub fields: Vec<(String, String)>,
}

impl LogCapture {
    /// Nothing recorded yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Records what this thread traces, until the guard is dropped; tests beside it do not disturb
    /// it. A test on a runtime of several
    /// threads takes [`layer`](Self::layer) instead, in a subscriber that it sets for all of them
    /// or for its future.
    #[must_use = "recording ends when the guard is dropped"]
    pub fn start() -> (Self, DefaultGuard) {
        let capture = Self::new();
        let subscriber = tracing_subscriber::registry().with(capture.layer());
        (capture, tracing::subscriber::set_default(subscriber))
    }

    /// A layer that records here, for a subscriber of the test's own.
    #[must_use]
    pub fn layer(
        &self,
    ) -> impl Layer<tracing_subscriber::Registry> + Send + Sync + 'static + use<> {
        Recorder { capture: self.clone(), _second: Dispatch::new(NoSubscriber::new()) }
    }

    /// What was recorded, in order.
    #[must_use]
    pub fn lines(&self) -> Vec<LogLine> {
        self.lock().clone()
    }

    /// Whether a line has this in its text, its fields or the name of its span.
    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        self.lock().iter().any(|line| line.to_string().contains(text))
    }

    /// Forgets what was recorded.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<LogLine>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Capture for LogCapture {
    fn pieces(&self) -> Vec<Piece> {
        let of = |line: LogLine| {
            let place = match &line.span {
                Some(span) => format!("the span `{span}` of `{}`", line.target),
                None => format!("an event of `{}`", line.target),
            };
            Piece::new(place, line.to_string())
        };
        self.lines().into_iter().map(of).collect()
    }
}

/// Shows how much was recorded.
impl fmt::Debug for LogCapture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogCapture").field("lines", &self.lock().len()).finish()
    }
}

/// `LEVEL target: name=value …`
impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:", self.level, self.target)?;
        if let Some(span) = &self.span {
            write!(f, " span {span}")?;
        }
        self.fields.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

/// Shows its place, and the names of its fields.
impl fmt::Debug for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.fields.iter().map(|(name, _)| name).collect();
        f.debug_struct("LogLine")
            .field("level", &self.level)
            .field("target", &self.target)
            .field("span", &self.span)
            .field("fields", &names)
            .finish_non_exhaustive()
    }
}

struct Recorder {
    capture: LogCapture,
    /// Where a process has one subscriber, `tracing` asks of every event first met whether anyone
    /// listens on the thread that meets it, and remembers the answer for all threads: an event of a
    /// test beside this one would be lost here. With a second one it asks both.
    _second: Dispatch,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, _id: &Id, _context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let metadata = attributes.metadata();
        self.push(metadata, Some(metadata.name()), fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(span) = context.span(id) {
            self.push(span.metadata(), Some(span.name()), fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.push(event.metadata(), None, fields);
    }
}

impl Recorder {
    fn push(&self, metadata: &tracing::Metadata<'_>, span: Option<&str>, fields: Fields) {
        self.capture.lock().push(LogLine {
            level: *metadata.level(),
            target: metadata.target().to_owned(),
            span: span.map(str::to_owned),
            fields: fields.0,
        });
    }
}

#[derive(Default)]
struct Fields(Vec<(String, String)>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name().to_owned(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name().to_owned(), value.to_owned()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = format!("{value} {value:?}");
        let mut next = value.source();
        while let Some(source) = next.filter(|_| text.len() < 64 << 10) {
            let _ = write!(text, ": {source} {source:?}");
            next = source.source();
        }
        self.0.push((field.name().to_owned(), text));
    }
}

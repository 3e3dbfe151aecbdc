use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tracing_core::Level;

use crate::log::layout::Layout;
use crate::log::writer::{Dropped, Voice, Writer};
use crate::record::{Fields, Filter, Ids, Limits, Mark, Record, RecordSink, Value};

/// Records as lines: a [`Layout`] and a [`Writer`].
///
/// ```
/// use std::time::Duration;
///
/// use obs::log::{JsonFlat, LogOutput, Standard, Writer};
/// use obs::record::RecordLayer;
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let (writer, guard) = Writer::builder("stdout").start(Standard::output()?)?;
/// let output = LogOutput::builder(JsonFlat::new(), &writer).build();
/// let layer = RecordLayer::builder().sink(output).build();
/// tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
///     tracing::info!(port = 8080, "listening");
/// });
/// assert_eq!(guard.shutdown(Duration::from_secs(5)).written, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct LogOutput {
    layout: Arc<dyn Layout>,
    writer: Writer,
    filter: Option<Filter>,
    now: fn() -> SystemTime,
}

/// Builds a [`LogOutput`].
#[derive(Debug)]
pub struct LogOutputBuilder(LogOutput);

impl LogOutput {
    /// Records in this layout, to where this writer writes.
    pub fn builder(layout: impl Layout, writer: &Writer) -> LogOutputBuilder {
        LogOutputBuilder(Self {
            layout: Arc::new(layout),
            writer: writer.clone(),
            filter: None,
            now: SystemTime::now,
        })
    }

    fn write(&self, record: &Record<'_>) {
        with_line(|line| {
            self.layout.write(record, line);
            self.writer.append(line);
        });
    }
}

impl LogOutputBuilder {
    /// What this output takes of what the [`RecordLayer`](crate::record::RecordLayer) lets through:
    /// instead of all of it.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.0.filter = Some(filter);
        self
    }

    /// What says what time it is, for lines of the output's own: instead of [`SystemTime::now`].
    #[must_use]
    pub fn clock(mut self, now: fn() -> SystemTime) -> Self {
        self.0.now = now;
        self
    }

    /// The output, for [`RecordLayerBuilder::sink`](crate::record::RecordLayerBuilder::sink).
    #[must_use]
    pub fn build(self) -> Arc<LogOutput> {
        let output = self.0;
        let layout = Arc::clone(&output.layout);
        output.writer.set_voice(Box::new(OfDrops { layout, now: output.now }));
        Arc::new(output)
    }
}

impl RecordSink for LogOutput {
    fn record(&self, record: &Record<'_>) {
        if let Some(filter) = &self.filter
            && record.level > filter.level_of(record.target)
        {
            return;
        }
        self.write(record);
    }

    fn flush(&self, within: Duration) -> bool {
        self.writer.flush(within)
    }
}

/// Says in the output's layout what was dropped, also when the output itself is gone.
struct OfDrops {
    layout: Arc<dyn Layout>,
    now: fn() -> SystemTime,
}

impl Voice for OfDrops {
    fn of_drops(&self, dropped: &Dropped, output: &str, line: &mut Vec<u8>) {
        let reasons = [("full", dropped.full), ("io", dropped.io), ("closed", dropped.closed)];
        let mut fields = Fields::new();
        let limits = Limits::default();
        fields.push_named("output", &limits, Value::Text(output), |_, _| {});
        for (reason, count) in reasons.into_iter().filter(|(_, count)| *count > 0) {
            fields.push(reason, Mark::of(reason), Value::U64(count), &limits);
        }
        let message = format!("{} log records dropped", dropped.sum());
        self.layout.write(&own_record((self.now)(), &message, &fields, &Ids::default()), line);
    }
}

/// A record of what the log says of itself.
fn own_record<'a>(
    time: SystemTime,
    message: &'a str,
    fields: &'a Fields,
    ids: &'a Ids,
) -> Record<'a> {
    let target = "obs::log";
    Record { time, level: Level::WARN, target, source: None, message, fields, span: None, ids }
}

thread_local! {
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What a thread keeps for its next line at most.
const LONGEST_KEPT: usize = 64 << 10;

/// Runs `work` with an empty line, one that this thread uses again if it is free.
fn with_line(work: impl FnOnce(&mut Vec<u8>)) {
    let mut work = Some(work);
    let _ = LINE.try_with(|line| {
        if let (Ok(mut line), Some(work)) = (line.try_borrow_mut(), work.take()) {
            line.clear();
            work(&mut line);
            line.shrink_to(LONGEST_KEPT);
        }
    });
    if let Some(work) = work {
        work(&mut Vec::new());
    }
}

impl fmt::Debug for LogOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogOutput")
            .field("layout", &self.layout)
            .field("writer", &self.writer)
            .field("filter", &self.filter)
            .finish()
    }
}

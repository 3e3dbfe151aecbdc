use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use tracing_core::Level;

use crate::log::layout::Layout;
use crate::log::left_out::{LeftOut, LeftOutCounts};
use crate::log::limit::{Places, Quotas, RateLimit, Verdict, Which};
use crate::log::sample::Sampling;
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
    takes: ArcSwap<Takes>,
    places: Places,
    left_out: LeftOutCounts,
    now: fn() -> SystemTime,
}

/// What an output takes. All of it changes at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Takes {
    pub(crate) filter: Option<Filter>,
    pub(crate) sampling: Option<Sampling>,
    pub(crate) quotas: Option<Quotas>,
}

/// Builds a [`LogOutput`].
#[derive(Debug)]
pub struct LogOutputBuilder {
    layout: Arc<dyn Layout>,
    writer: Writer,
    takes: Takes,
    now: fn() -> SystemTime,
}

impl LogOutput {
    /// Records in this layout, to where this writer writes.
    pub fn builder(layout: impl Layout, writer: &Writer) -> LogOutputBuilder {
        LogOutputBuilder {
            layout: Arc::new(layout),
            writer: writer.clone(),
            takes: Takes::default(),
            now: SystemTime::now,
        }
    }

    /// Takes something else from now on.
    #[cfg(feature = "settings")]
    pub(crate) fn choose(&self, takes: Takes) {
        self.takes.store(Arc::new(takes));
    }

    /// What it left out so far; what its filter did not take is not among it.
    pub fn left_out(&self) -> LeftOut {
        self.left_out.read()
    }

    /// Whether a record is left out by sampling or limit, and counted.
    fn leaves_out(&self, takes: &Takes, record: &Record<'_>) -> bool {
        if takes.sampling.as_ref().is_some_and(|sampling| !sampling.takes(record)) {
            count(&self.left_out.sampled, &self.writer.left_out().sampled);
            return true;
        }
        match takes.quotas.map(|quotas| self.places.judge(record, quotas)) {
            None | Some(Verdict::Take { suppressed: 0 }) => false,
            Some(Verdict::Take { suppressed }) => {
                let place =
                    Place { level: record.level, target: record.target, source: record.source };
                self.say_suppressed(place, suppressed, record.time);
                false
            }
            Some(Verdict::Suppress) => {
                count(&self.left_out.limited, &self.writer.left_out().limited);
                true
            }
        }
    }

    fn say_suppressed(&self, place: Place<'_>, suppressed: u64, time: SystemTime) {
        let mut fields = Fields::new();
        let name = "suppressed";
        fields.push(name, Mark::of(name), Value::U64(suppressed), &Limits::default());
        let message = format!("{suppressed} log records suppressed");
        let ids = Ids::default();
        self.write(&own_record(place, time, &message, &fields, &ids));
    }

    fn say_all_suppressed(&self, which: Which) {
        let now = (self.now)();
        self.places.each_suppressed(now, which, |about, suppressed| {
            let source = about.source.as_ref().map(|(file, line)| (&**file, *line));
            let place = Place { level: about.level, target: &about.target, source };
            self.say_suppressed(place, suppressed, now);
        });
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
        self.takes.filter = Some(filter);
        self
    }

    /// Takes only a share of what its filter takes.
    #[must_use]
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.takes.sampling = Some(sampling);
        self
    }

    /// Limits how often each place is heard, of what is left after sampling.
    #[must_use]
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.takes.quotas = Some(limit.quotas());
        self
    }

    /// What says what time it is, for lines of the output's own: instead of [`SystemTime::now`].
    #[must_use]
    pub fn clock(mut self, now: fn() -> SystemTime) -> Self {
        self.now = now;
        self
    }

    /// The output, for [`RecordLayerBuilder::sink`](crate::record::RecordLayerBuilder::sink).
    #[must_use]
    pub fn build(self) -> Arc<LogOutput> {
        let Self { layout, writer, takes, now } = self;
        writer.set_voice(Box::new(OfDrops { layout: Arc::clone(&layout), now }));
        let (places, left_out) = (Places::default(), LeftOutCounts::default());
        let takes = ArcSwap::from_pointee(takes);
        let output = Arc::new(LogOutput { layout, writer, takes, places, left_out, now });
        let weak = Arc::downgrade(&output);
        output.writer.on_tick(move |_| {
            weak.upgrade().iter().for_each(|output| output.say_all_suppressed(Which::Silent))
        });
        output
    }
}

impl RecordSink for LogOutput {
    fn record(&self, record: &Record<'_>) {
        let takes = self.takes.load();
        if let Some(filter) = &takes.filter
            && record.level > filter.level_of(record.target)
        {
            return;
        }
        if !self.leaves_out(&takes, record) {
            self.write(record);
        }
    }

    /// Says first what was suppressed and not said yet.
    fn flush(&self, within: Duration) -> bool {
        self.say_all_suppressed(Which::All);
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
        let place = Place { level: Level::WARN, target: "obs::log", source: None };
        let ids = Ids::default();
        self.layout.write(&own_record(place, (self.now)(), &message, &fields, &ids), line);
    }
}

/// Counts a record for its output, and for its writer.
fn count(of_output: &AtomicU64, of_writer: &AtomicU64) {
    of_output.fetch_add(1, Ordering::Relaxed);
    of_writer.fetch_add(1, Ordering::Relaxed);
}

/// What a line of the log's own is about.
struct Place<'a> {
    level: Level,
    target: &'a str,
    source: Option<(&'a str, u32)>,
}

/// A record of what the log says of itself.
const fn own_record<'a>(
    place: Place<'a>,
    time: SystemTime,
    message: &'a str,
    fields: &'a Fields,
    ids: &'a Ids,
) -> Record<'a> {
    let Place { level, target, source } = place;
    Record { time, level, target, source, message, fields, span: None, ids }
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
            .field("takes", &self.takes.load())
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

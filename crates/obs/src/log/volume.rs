use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tracing_core::Level;

use crate::log::metrics;
use crate::record::{Record, RecordSink};

/// The levels, as metrics have them.
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// Threads count beside each other in so many places.
const SHARDS: usize = 8;

/// Counts records by level, whatever outputs make of them: a [`RecordSink`] beside the others, for the metric
/// `log.records`.
///
/// ```
/// use std::sync::Arc;
///
/// use obs::log::{LogVolume, Standard, Writer};
/// use obs::record::RecordLayer;
///
/// let volume = Arc::new(LogVolume::new());
/// let layer = RecordLayer::builder().sink(Arc::<LogVolume>::clone(&volume)).build();
/// let (writer, _guard) = Writer::builder("stderr").start(Standard::error()?)?;
/// writer.on_tick(move |_| volume.publish());
/// # drop(layer); Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct LogVolume {
    shards: [Shard; SHARDS],
}

/// On lines of its own, so that threads do not take it away from each other: processors fetch two lines
/// of 64 bytes at a time.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard([AtomicU64; 5]);

impl LogVolume {
    /// Nothing was counted yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many records of a level there were.
    #[must_use]
    pub fn count(&self, level: Level) -> u64 {
        let of = |shard: &Shard| {
            shard.0.get(place_of(level)).map_or(0, |count| count.load(Ordering::Relaxed))
        };
        self.shards.iter().map(of).sum()
    }

    /// Gives the counts to the facade `metrics`: before it is asked, or from time to time.
    pub fn publish(&self) {
        let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
        for (name, level) in LEVELS.into_iter().zip(levels) {
            metrics::publish_volume(name, self.count(level));
        }
    }
}

impl RecordSink for LogVolume {
    fn record(&self, record: &Record<'_>) {
        let shard = self.shards.get(shard_of_thread());
        let count = shard.and_then(|shard| shard.0.get(place_of(record.level)));
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

const fn place_of(level: Level) -> usize {
    match level {
        Level::ERROR => 0,
        Level::WARN => 1,
        Level::INFO => 2,
        Level::DEBUG => 3,
        Level::TRACE => 4,
    }
}

fn shard_of_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
    }
    SHARD.try_with(Cell::get).unwrap_or_default()
}

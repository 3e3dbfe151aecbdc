mod batch;
mod shared;
mod target;
mod thread;
mod totals;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::batch::Batch;
use self::shared::Shared;
pub(crate) use self::shared::Voice;
pub use self::target::{Standard, Stream, Target};
pub use self::totals::{Dropped, Health, Status, TargetError, Totals};
use crate::log::left_out::LeftOutCounts;

/// Takes lines without waiting for anything, and writes them from a thread of its own.
///
/// Whoever hands in a line copies its bytes under a short lock. The thread takes all that has
/// gathered and writes it in one go. What does not fit is dropped, counted by the reason, told by the
/// metric `log.output.records`, and said in the log as soon as something can be said there.
///
/// A target that fails is tried again, with pauses of 20 ms up to 2 s, and meanwhile its records
/// are kept as far as there is room. A target that does not come back keeps nobody waiting but
/// the thread.
///
/// `std::process::exit`, `abort` and signals end the process without a drop of the guard: what waits then is lost, unless
/// [`flush`](Self::flush) or [`WriterGuard::shutdown`] was called before. A child that `fork` makes without `exec` has a copy of
/// what waits but not the thread: nothing that it logs is written, a lock that was held just then stays held, and the
/// guard's end waits for nothing. Start writers after the fork; `std::process::Command`, which runs `exec`, is not concerned.
///
/// ```
/// use std::time::Duration;
///
/// use obs::log::{Standard, Writer};
///
/// let (writer, guard) = Writer::builder("stderr").start(Standard::error()?)?;
/// assert!(writer.append(b"a line\n"));
/// let totals = guard.shutdown(Duration::from_secs(5));
/// assert_eq!((totals.taken, totals.written, totals.dropped.sum()), (1, 1, 0));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Writer(Arc<Shared>);

/// Builds a [`Writer`].
#[derive(Debug, Clone)]
pub struct WriterBuilder {
    name: Box<str>,
    room: usize,
    within: Duration,
}

/// Ends a [`Writer`], so that nothing is lost that could be written. Keep it in `main`.
#[derive(Debug)]
#[must_use = "when it is dropped, the writer ends"]
pub struct WriterGuard {
    shared: Arc<Shared>,
    within: Duration,
}

/// The least and the most room for records that wait, in bytes.
const LEAST_ROOM: usize = 64 << 10;
const MOST_ROOM: usize = 1 << 30;

impl Writer {
    /// A writer that is called `name` in metrics, and in what it says of itself.
    pub fn builder(name: &str) -> WriterBuilder {
        WriterBuilder { name: name.into(), room: 8 << 20, within: Duration::from_secs(5) }
    }

    /// Hands in a record: one line, or several that stay together, with the line feed. Does not wait
    /// for the target; `false` when the record was dropped.
    pub fn append(&self, record: &[u8]) -> bool {
        self.0.append(record)
    }

    /// Waits until what was handed in so far is written, for so long at most; whether it is. It is not if something was
    /// handed in after the end.
    #[must_use]
    pub fn flush(&self, within: Duration) -> bool {
        self.0.flush(within)
    }

    /// How it is, and what became of the records so far.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.status()
    }

    /// Calls `task` about once a second, from the thread of the writer: for what is due by time. While
    /// the target fails it is called between two tries, so every two seconds at least; while a call of the target does
    /// not come back it is not called.
    pub fn on_tick(&self, task: impl Fn(Instant) + Send + Sync + 'static) {
        self.0.add_tick(Arc::new(task));
    }

    /// Counts for all outputs that write here: in the metric they are one.
    pub(crate) fn left_out(&self) -> &LeftOutCounts {
        &self.0.left_out
    }

    pub(crate) fn set_voice(&self, voice: Box<dyn Voice>) {
        self.0.set_voice(voice);
    }
}

impl WriterBuilder {
    /// How many bytes of records may wait to be written: instead of 8 MiB; 64 KiB at least, 1 GiB at
    /// most. Twice that is taken in addresses; in memory, what was ever needed.
    #[must_use]
    pub fn room(mut self, bytes: usize) -> Self {
        self.room = bytes.clamp(LEAST_ROOM, MOST_ROOM);
        self
    }

    /// How long the guard waits when it is dropped: instead of 5 seconds.
    #[must_use]
    pub const fn drop_within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system starts no more threads.
    pub fn start(self, target: impl Target) -> io::Result<(Writer, WriterGuard)> {
        let Self { name, room, within } = self;
        let batch = Batch::with_room(room);
        let shared = Arc::new(Shared::new(name, room));
        let of_thread = Arc::clone(&shared);
        let target: Box<dyn Target> = Box::new(target);
        std::thread::Builder::new()
            // Linux shows 15 bytes of it.
            .name("obs-log-writer".to_owned())
            .spawn(move || thread::run(&of_thread, target, batch))?;
        Ok((Writer(Arc::clone(&shared)), WriterGuard { shared, within }))
    }
}

impl WriterGuard {
    /// Takes nothing any more, writes what waits, for so long at most, and says what became of all
    /// records. It waits for no runtime and no lock that others hold for long.
    pub fn shutdown(self, within: Duration) -> Totals {
        self.shared.close(within)
    }
}

impl Drop for WriterGuard {
    fn drop(&mut self) {
        self.shared.close(self.within);
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use metric_table::Metric;
use tokio::runtime::{Handle, RuntimeFlavor, RuntimeMetrics};

use super::ThreadCount;
use super::beat::{Beat, Pulse};
use super::table;
use super::worker::{Reading, Worker};
use crate::metric::{Buckets, MetricSource, Samples, SourceError};

/// A runtime of tokio, as a source of metrics. It is asked from outside, and so answers while the runtime is
/// wedged.
///
/// ```
/// use obs::metric::{Exposition, MetricRecorder};
/// use obs::runtime::TokioRuntime;
///
/// let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
/// let source = TokioRuntime::new("app", runtime.handle());
/// // Tells how late tasks run.
/// runtime.spawn(source.heartbeat());
///
/// // Of a service: `Observability::builder().metric_source(source)`.
/// let recorder = MetricRecorder::builder().source(source).build();
/// let mut page = Vec::new();
/// recorder.render(Exposition::Text, &mut page)?;
/// assert!(String::from_utf8(page)?.contains("tokio_runtime_workers{tokio_runtime_name=\"app\"} 2\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// | metric | what is there without `--cfg tokio_unstable` |
/// |---|---|
/// | `tokio.runtime.workers`, `.tasks`, `.global_queue.depth` | all |
/// | `tokio.runtime.worker.busy.time`, `.parks`, `.utilization`, `.stall` | all |
/// | `tokio.runtime.scheduling.delay`, `.heartbeat.overdue` | with a [`heartbeat`](Self::heartbeat) |
/// | `tokio.runtime.blocking_threads` | with a [`ThreadCount`] |
/// | `.blocking_threads.idle`, `.blocking_queue.depth`, `.forced_yields`, `.worker.queue.depth`, `.worker.steals`, `.worker.polls` | nothing |
///
/// Once the heartbeat has ended, as it does with its runtime, nothing is said any more. Of a runtime without threads of its own
/// (`new_current_thread`) it also says that somebody drives it all the time: one without a heartbeat may be left between two calls
/// of `block_on`, so that its worker is never shown as stuck.
#[derive(Clone)]
pub struct TokioRuntime {
    name: Arc<str>,
    metrics: RuntimeMetrics,
    /// Whether its workers are threads of its own.
    has_threads: bool,
    threads: Option<ThreadCount>,
    beat: Arc<Beat>,
    seen: Arc<Mutex<Workers>>,
}

#[derive(Debug)]
struct Workers {
    all: Vec<Worker>,
    /// When the share was last made, and how long all had been busy then.
    at: Instant,
    busy: Duration,
    utilization: f64,
}

/// A share of less time says little.
const SHORTEST: Duration = Duration::from_secs(1);

impl TokioRuntime {
    /// The runtime of this handle, under a name that the program gives it.
    #[must_use]
    pub fn new(name: &str, handle: &Handle) -> Self {
        let (metrics, now) = (handle.metrics(), Instant::now());
        let all: Vec<_> =
            readings(&metrics, false).map(|(reading, _)| Worker::new(reading, now)).collect();
        let busy = readings(&metrics, false).map(|(reading, _)| reading.busy).sum();
        Self {
            name: name.into(),
            has_threads: handle.runtime_flavor() != RuntimeFlavor::CurrentThread,
            metrics,
            threads: None,
            beat: Arc::new(Beat::new(now)),
            seen: Arc::new(Mutex::new(Workers { all, at: now, busy, utilization: 0.0 })),
        }
    }

    /// With its threads counted.
    #[must_use]
    pub fn with_threads(mut self, threads: ThreadCount) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Ten times a second tells how late it is. To be spawned in this runtime, which needs its time driver; it does not end by
    /// itself.
    pub fn heartbeat(&self) -> impl Future<Output = ()> + Send + 'static {
        Arc::clone(&self.beat).run()
    }

    /// Whether a worker can be stuck. Without tasks it cannot: it has yet to begin, or the runtime is gone. Who lends its thread
    /// to a runtime may have left it: that is known only of one whose heartbeat was started to be kept alive.
    fn may_work(&self, pulse: Pulse) -> bool {
        (self.has_threads || pulse != Pulse::Never) && self.metrics.num_alive_tasks() > 0
    }

    fn say_workers(&self, now: Instant, pulse: Pulse, samples: &mut Samples<'_>) {
        let may_work = self.may_work(pulse);
        let (mut busy, mut stall) = (Duration::ZERO, Duration::ZERO);
        let mut workers = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, (worker, (reading, parks))) in
            workers.all.iter_mut().zip(readings(&self.metrics, may_work)).enumerate()
        {
            let seen = worker.see(reading, now);
            busy += seen.busy;
            stall = stall.max(seen.stall);
            let index = index.to_string();
            let labels = [(table::RUNTIME, &*self.name), (table::WORKER, index.as_str())];
            samples.sample(&table::BUSY, &labels, seen.busy.as_secs_f64());
            samples.sample(&table::PARKS, &labels, parks as f64);
        }
        let utilization = workers.utilization(now, busy);
        drop(workers);
        let labels = [(table::RUNTIME, &*self.name)];
        samples.sample(&table::UTILIZATION, &labels, utilization);
        samples.sample(&table::STALL, &labels, stall.as_secs_f64());
    }

    fn say_threads(&self, samples: &mut Samples<'_>) {
        let Some(threads) = &self.threads else { return };
        // Workers are threads of the same pool, but for one that somebody else lends.
        let workers = if self.has_threads { self.metrics.num_workers() } else { 0 };
        let blocking = threads.count().saturating_sub(workers);
        let labels = [(table::RUNTIME, &*self.name)];
        samples.sample(&table::BLOCKING_THREADS, &labels, blocking as f64);
    }

    /// What there is only if tokio was compiled for it.
    #[cfg(tokio_unstable)]
    fn say_unstable(&self, samples: &mut Samples<'_>) {
        let (metrics, labels) = (&self.metrics, [(table::RUNTIME, &*self.name)]);
        if self.threads.is_none() {
            let threads = metrics.num_blocking_threads() as f64;
            samples.sample(&table::BLOCKING_THREADS, &labels, threads);
        }
        let idle = metrics.num_idle_blocking_threads() as f64;
        samples.sample(&table::BLOCKING_IDLE, &labels, idle);
        samples.sample(&table::BLOCKING_QUEUE, &labels, metrics.blocking_queue_depth() as f64);
        let yields = metrics.budget_forced_yield_count() as f64;
        samples.sample(&table::FORCED_YIELDS, &labels, yields);
        for worker in 0..metrics.num_workers() {
            let index = worker.to_string();
            let labels = [(table::RUNTIME, &*self.name), (table::WORKER, index.as_str())];
            let queue = metrics.worker_local_queue_depth(worker) as f64;
            samples.sample(&table::LOCAL_QUEUE, &labels, queue);
            samples.sample(&table::STEALS, &labels, metrics.worker_steal_count(worker) as f64);
            samples.sample(&table::POLLED, &labels, metrics.worker_poll_count(worker) as f64);
        }
    }

    #[cfg(not(tokio_unstable))]
    #[expect(clippy::unused_self, reason = "as above")]
    const fn say_unstable(&self, _: &mut Samples<'_>) {}
}

/// What each worker says, and how often it went to sleep.
fn readings(metrics: &RuntimeMetrics, may_work: bool) -> impl Iterator<Item = (Reading, u64)> + '_ {
    (0..metrics.num_workers()).map(move |worker| {
        let reading = Reading {
            busy: metrics.worker_total_busy_duration(worker),
            parks_and_unparks: metrics.worker_park_unpark_count(worker),
            may_work,
        };
        (reading, metrics.worker_park_count(worker))
    })
}

impl Workers {
    fn utilization(&mut self, now: Instant, busy: Duration) -> f64 {
        let since = now.saturating_duration_since(self.at);
        if since >= SHORTEST {
            let possible = since.as_secs_f64() * self.all.len() as f64;
            let share = busy.saturating_sub(self.busy).as_secs_f64() / possible;
            (self.at, self.busy) = (now, busy);
            // What a worker tells when it comes back may be of the time before.
            self.utilization = share.min(1.0);
        }
        self.utilization
    }
}

impl MetricSource for TokioRuntime {
    fn name(&self) -> &'static str {
        "tokio"
    }

    fn metrics(&self) -> &'static [Metric] {
        table::OF_RUNTIME
    }

    fn collect(&self, samples: &mut Samples<'_>) -> Result<(), SourceError> {
        let now = Instant::now();
        let labels = [(table::RUNTIME, &*self.name)];
        let pulse = self.beat.pulse(now);
        match pulse {
            Pulse::Ended => return Ok(()),
            Pulse::Never => {}
            Pulse::Overdue(late) => {
                samples.sample(&table::OVERDUE, &labels, late.as_secs_f64());
                let (counts, sum) = self.beat.delays();
                let delays = Buckets::new(table::DELAYS, &counts).with_sum(sum);
                samples.histogram(&table::DELAY, &labels, delays);
            }
        }
        samples.sample(&table::WORKERS, &labels, self.metrics.num_workers() as f64);
        samples.sample(&table::TASKS, &labels, self.metrics.num_alive_tasks() as f64);
        let queue = self.metrics.global_queue_depth() as f64;
        samples.sample(&table::GLOBAL_QUEUE, &labels, queue);
        self.say_workers(now, pulse, samples);
        self.say_threads(samples);
        self.say_unstable(samples);
        Ok(())
    }
}

impl fmt::Debug for TokioRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioRuntime").field("name", &self.name).finish_non_exhaustive()
    }
}

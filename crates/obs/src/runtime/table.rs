use metric_table::Metric;

pub(super) const RUNTIME: &str = "tokio.runtime.name";
pub(super) const WORKER: &str = "tokio.worker.index";
pub(super) const TASK: &str = "tokio.task.name";

/// Of delays: tokio's timers are exact to a millisecond.
pub(super) const DELAYS: &[f64] =
    &[0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Of polls, which are to take less than 100 µs.
const POLLS: &[f64] = &[0.000_01, 0.000_1, 0.001, 0.01, 0.1, 1.0, 10.0];

pub(super) const WORKERS: Metric =
    Metric::gauge("tokio.runtime.workers", "{worker}", "worker threads of a runtime")
        .with_labels(&[RUNTIME]);
pub(super) const TASKS: Metric =
    Metric::gauge("tokio.runtime.tasks", "{task}", "tasks that have not ended")
        .with_labels(&[RUNTIME]);
pub(super) const GLOBAL_QUEUE: Metric = Metric::gauge(
    "tokio.runtime.global_queue.depth",
    "{task}",
    "tasks that wait for any worker to take them",
)
.with_labels(&[RUNTIME]);
pub(super) const BUSY: Metric = Metric::counter(
    "tokio.runtime.worker.busy.time",
    "s",
    "how long a worker worked, with what it has worked since it last told",
)
.with_labels(&[RUNTIME, WORKER]);
pub(super) const PARKS: Metric = Metric::counter(
    "tokio.runtime.worker.parks",
    "{park}",
    "how often a worker went to sleep because there was nothing to do",
)
.with_labels(&[RUNTIME, WORKER]);
pub(super) const UTILIZATION: Metric = Metric::gauge(
    "tokio.runtime.worker.utilization",
    "1",
    "the share of time in which workers worked, since they were last asked and a second at least",
)
.with_labels(&[RUNTIME]);
pub(super) const STALL: Metric = Metric::gauge(
    "tokio.runtime.worker.stall",
    "s",
    "how long at least the worker that is longest with one stretch of work has not come back to the scheduler",
)
.with_labels(&[RUNTIME]);
pub(super) const DELAY: Metric = Metric::histogram(
    "tokio.runtime.scheduling.delay",
    "s",
    "how late the heartbeat ran: timers, queues and workers together",
)
.with_labels(&[RUNTIME])
.with_buckets(DELAYS);
pub(super) const OVERDUE: Metric = Metric::gauge(
    "tokio.runtime.heartbeat.overdue",
    "s",
    "how late the heartbeat is now that is yet to run; 0 while it is not due",
)
.with_labels(&[RUNTIME]);
pub(super) const BLOCKING_THREADS: Metric = Metric::gauge(
    "tokio.runtime.blocking_threads",
    "{thread}",
    "threads for blocking work, idle ones among them",
)
.with_labels(&[RUNTIME]);
pub(super) const BLOCKING_IDLE: Metric = Metric::gauge(
    "tokio.runtime.blocking_threads.idle",
    "{thread}",
    "threads for blocking work that have none (`tokio_unstable`)",
)
.with_labels(&[RUNTIME]);
pub(super) const BLOCKING_QUEUE: Metric = Metric::gauge(
    "tokio.runtime.blocking_queue.depth",
    "{task}",
    "blocking work that waits for a thread (`tokio_unstable`)",
)
.with_labels(&[RUNTIME]);
pub(super) const FORCED_YIELDS: Metric = Metric::counter(
    "tokio.runtime.forced_yields",
    "{yield}",
    "how often tasks had to yield because their budget was used up (`tokio_unstable`)",
)
.with_labels(&[RUNTIME]);
pub(super) const LOCAL_QUEUE: Metric = Metric::gauge(
    "tokio.runtime.worker.queue.depth",
    "{task}",
    "tasks that wait for one worker (`tokio_unstable`)",
)
.with_labels(&[RUNTIME, WORKER]);
pub(super) const STEALS: Metric = Metric::counter(
    "tokio.runtime.worker.steals",
    "{task}",
    "tasks that a worker took from another one (`tokio_unstable`)",
)
.with_labels(&[RUNTIME, WORKER]);
pub(super) const POLLED: Metric = Metric::counter(
    "tokio.runtime.worker.polls",
    "{poll}",
    "how often a worker polled tasks (`tokio_unstable`)",
)
.with_labels(&[RUNTIME, WORKER]);

pub(super) const POLL: Metric =
    Metric::histogram("tokio.task.poll.duration", "s", "how long polls of watched tasks took")
        .with_labels(&[TASK])
        .with_buckets(POLLS);
pub(super) const TASK_DELAY: Metric = Metric::histogram(
    "tokio.task.scheduling.delay",
    "s",
    "how long watched tasks waited from when they were woken to when they ran",
)
.with_labels(&[TASK])
.with_buckets(&[
    0.000_1, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
]);
pub(super) const SLOW_POLLS: Metric = Metric::counter(
    "tokio.task.slow_polls",
    "{poll}",
    "polls of watched tasks that took longer than they may",
)
.with_labels(&[TASK]);
pub(super) const ACTIVE: Metric =
    Metric::gauge("tokio.task.active", "{task}", "watched tasks that have not ended")
        .with_labels(&[TASK]);

/// What a runtime says, as a source.
pub(super) const OF_RUNTIME: &[Metric] = &[
    WORKERS,
    TASKS,
    GLOBAL_QUEUE,
    BUSY,
    PARKS,
    UTILIZATION,
    STALL,
    DELAY,
    OVERDUE,
    BLOCKING_THREADS,
    BLOCKING_IDLE,
    BLOCKING_QUEUE,
    FORCED_YIELDS,
    LOCAL_QUEUE,
    STEALS,
    POLLED,
];

/// The metrics of [`TaskMetrics`](super::TaskMetrics), for the catalog. Those of a [`TokioRuntime`](super::TokioRuntime)
/// come with it as a source.
pub const METRICS: &[Metric] = &[POLL, TASK_DELAY, SLOW_POLLS, ACTIVE];

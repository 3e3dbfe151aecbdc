use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use metrics::{Counter, Histogram, SharedString, counter, gauge, histogram};
use pin_project_lite::pin_project;

use super::table;
use super::waker::Woken;
use crate::metric::kit::Active;

/// Ten times what tokio's maintainers advise between two points of `await` (Alice Ryhl, "Async: What is blocking?").
const SLOW: Duration = Duration::from_millis(1);

/// Watches tasks of one kind: how long their polls take, which of them are slow, and how long they wait to run after
/// they were woken. It needs no `--cfg tokio_unstable`, and no tokio.
///
/// ```
/// use obs::runtime::TaskMetrics;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let mailer = TaskMetrics::new("mailer");
/// let sent = tokio::spawn(mailer.monitor(async { 3 }));
/// assert_eq!(sent.await.ok(), Some(3));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TaskMetrics {
    name: SharedString,
    slow: Duration,
    polls: Histogram,
    delays: Histogram,
    slow_polls: Counter,
}

impl TaskMetrics {
    /// Those of tasks of this name, one of few that the program knows.
    #[must_use]
    pub fn new(name: impl Into<SharedString>) -> Self {
        let name = name.into();
        Self {
            slow: SLOW,
            polls: histogram!(table::POLL.name, table::TASK => name.clone()),
            delays: histogram!(table::TASK_DELAY.name, table::TASK => name.clone()),
            slow_polls: counter!(table::SLOW_POLLS.name, table::TASK => name.clone()),
            name,
        }
    }

    /// A poll that takes longer is slow; 1 ms if nothing else is said.
    #[must_use]
    pub const fn slow_after(mut self, longest: Duration) -> Self {
        self.slow = longest;
        self
    }

    /// Watches this future until it has ended or is dropped. What is spawned is to be watched as a whole: what waits beside it in
    /// the same task is woken by others.
    pub fn monitor<F: Future>(&self, future: F) -> Monitored<F> {
        let woken = Arc::new(Woken::new());
        Monitored {
            future,
            waker: Waker::from(Arc::clone(&woken)),
            woken,
            active: Some(Active::new(gauge!(table::ACTIVE.name, table::TASK => self.name.clone()))),
            metrics: self.clone(),
        }
    }
}

pin_project! {
    /// A future that is watched by [`TaskMetrics`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Monitored<F> {
        #[pin]
        future: F,
        metrics: TaskMetrics,
        woken: Arc<Woken>,
        waker: Waker,
        // Until its end.
        active: Option<Active>,
    }
}

impl<F: Future> Future for Monitored<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.woken.pass_to(cx.waker());
        let began = Instant::now();
        if let Some(delay) = this.woken.take(began) {
            this.metrics.delays.record(delay);
        }
        let _timed = Timed { began, metrics: this.metrics };
        let polled = this.future.poll(&mut Context::from_waker(this.waker));
        if polled.is_ready() {
            *this.active = None;
        }
        polled
    }
}

/// A poll, until it ends, in a panic too.
struct Timed<'a> {
    began: Instant,
    metrics: &'a TaskMetrics,
}

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        self.metrics.polls.record(took);
        if took > self.metrics.slow {
            self.metrics.slow_polls.increment(1);
        }
    }
}

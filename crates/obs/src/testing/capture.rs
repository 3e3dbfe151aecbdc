use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_core::{Dispatch, LevelFilter};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::metric::MetricRecorder;
use crate::record::{Filter, Record, RecordLayer, RecordLayerBuilder, RecordSink};
use crate::testing::scope::{Marker, Scope};
use crate::testing::{CapturedMetrics, CapturedRecord, Records, anchor, strays};

/// What is logged and measured by the work that it is given, and by nobody else.
///
/// ```
/// use obs::record::Carried;
/// use obs::testing::{Capture, FieldValue};
/// use tracing::Level;
///
/// # #[tokio::main] async fn main() {
/// let capture = Capture::new();
/// capture
///     .scope(async {
///         let task = async {
///             tracing::warn!(order = 7, password = "hunter2", "order refused");
///             metrics::counter!("orders.refused", "reason" => "stock").increment(1);
///         };
///         // Whatever is started elsewhere is captured if it is carried.
///         tokio::spawn(Carried::here().scope(task)).await
///     })
///     .await
///     .unwrap();
///
/// let refused = capture.records().with_message("refused").with_field("order", 7).expect_one();
/// assert_eq!(refused.field("password"), Some(&FieldValue::Redacted));
/// capture.records().at_least(Level::ERROR).expect_none();
/// assert_eq!(capture.metrics().counter("orders.refused", &[("reason", "stock")]), 1);
/// # }
/// ```
///
/// It goes by the thread that works (and by the task, in [`scope`](Self::scope)), not by the process: tests run in parallel
/// as ever. To be heard at all beside tests that have no subscriber, the first capture of a process leaves two
/// subscribers behind that hear nothing; nobody is kept from installing one.
#[must_use = "it captures nothing but what it is given"]
pub struct Capture {
    scope: Scope,
    store: Arc<Store>,
    /// How many strays there were when it was made.
    strays: usize,
}

/// Builds a [`Capture`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct CaptureBuilder {
    records: RecordLayerBuilder,
    recorder: Option<MetricRecorder>,
}

impl Capture {
    /// Takes records of every level, redacted as by default, and metrics without a catalog.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// For a service that has rules of its own.
    pub fn builder() -> CaptureBuilder {
        let everything = Filter::up_to(LevelFilter::TRACE);
        CaptureBuilder { records: RecordLayer::builder().filter(everything), recorder: None }
    }

    /// Captures what `work` does on this thread.
    pub fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        self.scope.enter(work)
    }

    /// Captures what a future does, on whichever thread it is polled, and when it is dropped before its end.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        Scope::around(Some(self.scope.clone()), future)
    }

    /// The subscriber, for `WithSubscriber::with_subscriber` and threads of others. Metrics do not come by it.
    #[must_use]
    pub fn dispatch(&self) -> Dispatch {
        self.scope.dispatch.clone()
    }

    /// What was logged until now, in order.
    pub fn records(&self) -> Records {
        let (records, left_out) = self.store.kept();
        Records::new(records, left_out, self.strays())
    }

    /// What was measured until now.
    #[must_use]
    pub fn metrics(&self) -> CapturedMetrics {
        CapturedMetrics::new(self.scope.recorder.clone())
    }

    /// What was logged since this was made, anywhere in the process where no capture is; `None` unless
    /// [`watch_strays`](crate::testing::watch_strays) was called.
    #[must_use]
    pub fn strays(&self) -> Option<Vec<CapturedRecord>> {
        strays::since(self.strays)
    }
}

impl CaptureBuilder {
    /// The layer of the service, with its own keys, shapes, limits and filter.
    pub fn records(mut self, records: RecordLayerBuilder) -> Self {
        self.records = records;
        self
    }

    /// The recorder of the service, with its own catalog and limits.
    pub fn metrics(mut self, recorder: MetricRecorder) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// The capture.
    pub fn build(self) -> Capture {
        anchor::hold();
        let store = Arc::new(Store::default());
        let layer = self.records.sink(Arc::<Store>::clone(&store)).build();
        let recorder = self.recorder.unwrap_or_else(|| MetricRecorder::builder().build());
        let subscriber = tracing_subscriber::registry().with(Marker(recorder.clone())).with(layer);
        let scope = Scope { dispatch: Dispatch::new(subscriber), recorder };
        Capture { scope, store, strays: strays::count() }
    }
}

impl Default for Capture {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = self.store.kept().0.len();
        f.debug_struct("Capture").field("records", &records).finish_non_exhaustive()
    }
}

/// The most records that are kept: a test that logs without end does not take all memory.
const MOST: usize = 100_000;

/// Keeps records.
#[derive(Debug, Default)]
pub(super) struct Store(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    records: Vec<Arc<CapturedRecord>>,
    left_out: usize,
}

impl Store {
    pub(super) fn kept(&self) -> (Vec<Arc<CapturedRecord>>, usize) {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (kept.records.clone(), kept.left_out)
    }
}

impl RecordSink for Store {
    fn record(&self, record: &Record<'_>) {
        let record = Arc::new(CapturedRecord::of(record));
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.records.len() < MOST {
            kept.records.push(record);
        } else {
            kept.left_out += 1;
        }
    }
}

//! How tokio is doing: its runtimes, and tasks that are to be watched.
//!
//! OpenTelemetry has no names for this; ours begin with `tokio.runtime.` and `tokio.task.` ([`METRICS`]).

mod beat;
mod source;
mod table;
mod task;
mod threads;
mod waker;
mod worker;

pub use source::TokioRuntime;
pub use table::METRICS;
pub use task::{Monitored, TaskMetrics};
pub use threads::ThreadCount;

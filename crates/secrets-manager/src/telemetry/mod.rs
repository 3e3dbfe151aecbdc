//! What operators see: spans and events of `tracing`, and metrics of the `metrics` facade.
//!
//! Names of secrets stand in spans and events, where they are as many as there are calls. Labels of
//! metrics are of closed sets.

mod call;
mod gauges;
mod names;
mod turn;

pub(crate) use call::{Call, Route};
pub(crate) use gauges::{Gauges, loaded, lost, running};
pub use metric_table::{Metric, MetricKind};
pub use names::METRICS;
pub(crate) use turn::{Turn, started, stopped};

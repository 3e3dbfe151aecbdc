//! What is measured: a recorder for the facade [`metrics`], with exemplars and bounded series.

mod backend;
mod builder;
mod cell;
mod coding;
mod exemplar;
mod exposition;
mod family;
mod histogram;
mod install;
pub mod kit;
mod labels;
mod own;
mod page;
#[cfg(feature = "testing")]
mod read;
mod recorder;
mod render;
mod source;
#[cfg(feature = "stock-prometheus")]
mod stock;
mod table;
mod typed;

pub use backend::MetricBackend;
pub use builder::MetricRecorderBuilder;
pub use coding::ContentCoding;
pub use exposition::Exposition;
pub use install::InstallError;
pub use own::METRICS;
pub use page::MetricPage;
#[cfg(feature = "testing")]
pub(crate) use read::{Held, Reading};
pub use recorder::MetricRecorder;
pub use source::{Buckets, MetricSource, Samples, SourceError};
#[cfg(feature = "stock-prometheus")]
pub use stock::StockPrometheus;
pub use typed::{CounterOf, GaugeOf, HistogramOf, LabelValue, Labels};

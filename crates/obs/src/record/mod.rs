//! What everything that is logged becomes, once: redacted, bounded, with its ids.

#[cfg(feature = "log-bridge")]
mod bridge;
mod capture;
mod carried;
mod core;
mod expiry;
mod fields;
mod filter;
mod foreign;
mod handle;
mod ids;
mod layer;
mod name;
mod redact;
mod resource;
mod scratch;
mod signs;
mod sink;
mod site;
mod span;

#[cfg(feature = "http")]
pub(crate) use core::current_ids;
pub(crate) use core::current_span;
#[cfg(feature = "http")]
pub(crate) use core::span_of;
pub(crate) use foreign::SharedFilter;
pub(crate) use ids::random as random_number;
#[cfg(feature = "http")]
pub(crate) use ids::random_span_id;
#[cfg(any(feature = "admin", feature = "http"))]
pub(crate) use ids::random_trace_id;
pub(crate) use name::{Mark, PREFIX, Seen};
pub(crate) use signs::Signs;

#[cfg(feature = "log-bridge")]
pub use bridge::{BridgeError, LogBridge};
pub use carried::Carried;
pub(crate) use fields::Visible;
pub use fields::{CUT, Fields, Limits, REDACTED, Value};
pub use filter::{Filter, FilterError};
pub use foreign::{Layers, RecordLayers};
pub use handle::{Note, RecordHandle};
pub use ids::Ids;
pub use layer::{RecordLayer, RecordLayerBuilder};
pub use redact::RedactedKeys;
#[cfg(feature = "redact-patterns")]
pub use redact::{RedactedShapes, Shape};
pub use resource::Resource;
pub use sink::{Record, RecordSink};
pub use span::SpanRecord;

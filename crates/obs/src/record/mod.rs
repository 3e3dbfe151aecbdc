//! What everything that is logged becomes, once: redacted, bounded, with its ids.

mod capture;
mod fields;
mod filter;
mod ids;
mod layer;
mod redact;
mod sink;
mod site;
mod span;

pub use fields::{CUT, Fields, Limits, REDACTED, Value};
pub use filter::{Filter, FilterError};
pub use ids::Ids;
pub use layer::{RecordLayer, RecordLayerBuilder};
pub use redact::RedactedKeys;
pub use sink::{Record, RecordSink};
pub use span::SpanRecord;

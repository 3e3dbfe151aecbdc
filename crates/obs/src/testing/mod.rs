//! What is logged and measured in one test, for tests of services: feature `testing`.
//!
//! A [`Capture`] is of the work that it is given, not of the process: tests that run at the same time do not
//! see each other. Records come through the [`RecordLayer`](crate::record::RecordLayer) of production, redacted and
//! bounded, so that a test sees what would be written.
//!
//! What it does not see:
//! - what threads and tasks log that were started without [`Carried`](crate::record::Carried), which takes the
//!   capture along. [`watch_strays`] tells of them;
//! - what libraries say by the facade `log`, and panics: their logger and hook are the process's;
//! - what is measured by handles (`metrics::Counter` and the like) that were made before the capture, or outside of it.

mod anchor;
mod capture;
mod histogram;
mod metrics;
mod record;
mod records;
mod scope;
mod secret;
mod strays;
mod value;

pub use capture::{Capture, CaptureBuilder};
pub use histogram::CapturedHistogram;
pub use metrics::CapturedMetrics;
pub use record::{CapturedRecord, CapturedSpan};
pub use records::Records;
pub(crate) use scope::Scope;
pub use secret_canary::Canary;
pub use strays::{StraysError, watch_strays};
pub use value::FieldValue;

//! Audit events: who read, fetched and changed which secret, with which outcome.

mod error;
mod fetch;
mod witness;
pub(crate) mod words;
mod write;

pub use error::NotRecorded;
pub(crate) use witness::Witness;
pub(crate) use write::WriteRecord;

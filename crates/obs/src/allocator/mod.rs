//! What the allocator has, and from the system: the counterpart of what others measure of their garbage collection.

mod error;
mod jemalloc;
mod table;

pub use error::AllocatorError;
pub use jemalloc::Jemalloc;
pub use table::METRICS;

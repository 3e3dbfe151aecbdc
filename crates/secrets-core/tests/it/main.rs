//! The contract's types and the in-memory provider, through the public interface.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

#[cfg(all(feature = "conformance", feature = "memory"))]
mod conformance;
mod contract;
#[cfg(feature = "memory")]
mod memory;

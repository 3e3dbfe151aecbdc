//! `live-value` through its public interface.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod deriving;
mod hostile_closures;
mod hostile_wakers;
mod loading;
mod memory;
mod model;
mod publishing;
mod stress;
mod support;
mod watching;

#[global_allocator]
static PROBE: probe::Probe = probe::Probe::new();

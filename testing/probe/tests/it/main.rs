//! What the probe sees, and what it must not miss.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

mod counting;
mod scanning;

use probe::Probe;

#[global_allocator]
static PROBE: Probe = Probe::new();

//! Tests of the local providers through their public faces.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

#[cfg(all(feature = "env", feature = "dotenv", feature = "directory", feature = "serde"))]
mod config;
#[cfg(all(feature = "env", feature = "dotenv", feature = "directory"))]
mod conformance;
#[cfg(feature = "directory")]
mod directory;
#[cfg(feature = "dotenv")]
mod dotenv;
#[cfg(feature = "env")]
mod env;
#[cfg(all(feature = "env", feature = "dotenv", feature = "directory"))]
mod identity;
#[cfg(feature = "directory")]
mod kubelet;
#[cfg(feature = "store")]
mod store;
#[cfg_attr(
    not(all(feature = "env", feature = "dotenv", feature = "directory")),
    allow(dead_code, reason = "some of it is for the tests of what is left out")
)]
mod support;
#[cfg(all(feature = "env", feature = "dotenv", feature = "directory"))]
mod swaps;

/// Looks into every block that is freed, for secrets that were not wiped.
#[global_allocator]
static PROBE: probe::Probe = probe::Probe::new();

//! The manager as its users see it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod access;
mod aliases;
mod anchors;
mod audit;
#[cfg(feature = "aws")]
mod aws;
mod batches;
mod bounds;
mod clocks;
mod conformance;
mod expiring;
mod expiring_use;
mod fallback;
mod fallback_model;
mod first_reads;
mod handles;
mod hints;
mod hit_path;
mod lint;
mod lockout;
mod model;
mod outages;
mod overtaken;

mod postgres;
mod promises;
mod races;
mod redis;
mod report;
mod required;
mod resolving;
mod resource;
mod rules;
mod settings;
mod shelf;
#[cfg(feature = "snapshot")]
mod snapshot;
mod staged;
mod staleness;
mod subscription;
mod support;
mod telemetry;
mod using;
mod views;
mod wiping;
mod writes;

use probe::Probe;

#[global_allocator]
static PROBE: Probe = Probe::new();

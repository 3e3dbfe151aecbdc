//! Settings as applications load them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod durations;
mod hostile;
mod killed;
mod layers;
mod problems;
mod reload;
mod secrets;
mod subtrees;
mod support;
mod types;

//! The double as its clients see it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod client;
mod kms;
mod metadata;
mod secrets_basics;
mod signatures;
mod sts;
mod wire;

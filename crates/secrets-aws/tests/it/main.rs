//! The providers of this crate on AWS as tests have it: our double, moto, and boto3 beside us.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod batch;
mod beside;
#[cfg(feature = "sqs")]
mod changes;
mod config;
mod conformance;
mod creation;
mod deletion;
mod environment;
mod faults;
mod identity;
#[cfg(feature = "kms")]
mod keys;
#[cfg(feature = "kms")]
mod kms;
mod lists;
mod network;
mod reading;
mod retry;
mod server;
#[cfg(feature = "kms")]
mod signing;
mod staging;
mod support;
mod sweep;
#[cfg(feature = "kms")]
mod wiped;

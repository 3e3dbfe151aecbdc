//! The double as its clients see it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod boto3_beside;
mod boto3_secrets;
mod client;
mod events;
mod faults;
mod hostile;
mod kms;
mod metadata;
mod process;
mod rules;
mod sdk;
mod secrets_access;
mod secrets_basics;
mod secrets_deletion;
mod secrets_labels;
mod secrets_lists;
mod secrets_replicas;
mod secrets_rotation;
mod signatures;
mod sqs;
mod sts;
mod wire;

//! The trail as its users see it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod archive;
mod crashes;
mod hostile;
mod ocsf;
mod processes;
mod reading;
mod support;
mod tampering;
mod writing;

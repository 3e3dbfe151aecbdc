//! Real peers: installed, started, asked, ended.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod boto3;
mod moto;

/// The process id of a client.
fn pid(boto3: &peers::Boto3) -> String {
    let shown = format!("{boto3:?}");
    let (_, rest) = shown.split_once("pid: ").unwrap();
    rest.split(' ').next().unwrap().to_owned()
}

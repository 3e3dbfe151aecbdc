//! Clients of the SDK: one for each identity and region, over one HTTP client.

mod caller;
mod clients;
mod code;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]
mod hosts_tests;
mod http;
mod identity;
mod observer;
mod retry;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]
mod tests;

pub use caller::Caller;
pub use clients::AwsClients;

/// Where a call goes, when the configuration does not say it: what an ARN tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Route<'a> {
    /// The account, 12 digits.
    pub(crate) account: Option<&'a str>,
    /// The region.
    pub(crate) region: Option<&'a str>,
}

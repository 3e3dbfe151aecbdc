//! What a service says of AWS: where, as whom, through what.

/// Where AWS is and whom the service acts as there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct AwsConfig {
    /// The region, such as `eu-west-1`; that of the environment or the profile when `None`.
    pub region: Option<String>,
    /// The URL of all services instead of those that AWS has for the region.
    pub endpoint: Option<String>,
}

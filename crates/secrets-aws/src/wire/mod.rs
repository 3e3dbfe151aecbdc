//! Clients of the SDK: one for each identity and region, over one HTTP client.

use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use secrets_core::Result;

use crate::config::AwsConfig;

/// The clients of one configuration, shared by the providers that are made of it. Clones share them.
#[derive(Debug, Clone)]
pub struct AwsClients(Arc<SdkConfig>);

/// Where a call goes, when the configuration does not say it: what an ARN tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Route<'a> {
    /// The account, 12 digits.
    pub(crate) account: Option<&'a str>,
    /// The region.
    pub(crate) region: Option<&'a str>,
}

impl AwsClients {
    /// Reads what the configuration points at. No call is made.
    ///
    /// # Errors
    /// `InvalidValue` for a configuration that cannot be.
    pub async fn connect(config: AwsConfig) -> Result<Self> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(region) = config.region {
            loader = loader.region(Region::new(region));
        }
        if let Some(endpoint) = config.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        Ok(Self(Arc::new(loader.load().await)))
    }

    /// The client for secrets there.
    pub(crate) fn secrets_manager(
        &self,
        _route: Route<'_>,
    ) -> Result<aws_sdk_secretsmanager::Client> {
        Ok(aws_sdk_secretsmanager::Client::new(&self.0))
    }

    /// The client for keys there.
    #[cfg(feature = "kms")]
    pub(crate) fn kms(&self, _route: Route<'_>) -> Result<aws_sdk_kms::Client> {
        Ok(aws_sdk_kms::Client::new(&self.0))
    }
}

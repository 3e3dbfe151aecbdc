use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrets_core::{
    Error, ErrorKind, GetOptions, Result, SecretProvider, SecretRef, SecretReference,
    SecretResolver, SecretValue,
};

/// What has the secrets of a provider, if there is one. Each is waited for as long as this.
pub(super) fn resolver(
    from: Option<&Arc<dyn SecretProvider>>,
    limit: Duration,
) -> Arc<dyn SecretResolver> {
    match from {
        Some(provider) => Arc::new(CredentialsFrom { provider: Arc::clone(provider), limit }),
        None => Arc::new(NoCredentials),
    }
}

/// The secrets of the provider that `credentials_from` names, as they are there.
#[derive(Debug)]
struct CredentialsFrom {
    provider: Arc<dyn SecretProvider>,
    limit: Duration,
}

#[async_trait]
impl SecretResolver for CredentialsFrom {
    async fn resolve(&self, reference: &SecretReference) -> Result<SecretValue> {
        let name = SecretRef::from(reference.name());
        let call = self.provider.get_secret(&name, GetOptions::default());
        let Ok(secret) = tokio::time::timeout(self.limit, call).await else {
            let message = "the provider did not answer within `start_timeout`";
            return Err(Error::new(ErrorKind::Timeout, message));
        };
        let secret = secret?;
        match reference.field() {
            None => Ok(secret.value),
            Some(field) => secret.value.json_field(field),
        }
    }
}

/// There are no secrets: a plan that asks all the same did not say that it needs any.
#[derive(Debug)]
struct NoCredentials;

#[async_trait]
impl SecretResolver for NoCredentials {
    async fn resolve(&self, _reference: &SecretReference) -> Result<SecretValue> {
        let message = "the provider has no `credentials_from` that would have this secret";
        Err(Error::new(ErrorKind::Unsupported, message))
    }
}

use std::sync::Arc;

use async_trait::async_trait;
use secrets_core::{
    Error, ErrorKind, GetOptions, Result, SecretProvider, SecretRef, SecretReference,
    SecretResolver, SecretValue,
};

/// What has the secrets of a provider, if there is one.
pub(super) fn resolver(from: Option<&Arc<dyn SecretProvider>>) -> Arc<dyn SecretResolver> {
    match from {
        Some(provider) => Arc::new(CredentialsFrom(Arc::clone(provider))),
        None => Arc::new(NoCredentials),
    }
}

/// The secrets of the provider that `credentials_from` names, as they are there.
#[derive(Debug)]
struct CredentialsFrom(Arc<dyn SecretProvider>);

#[async_trait]
impl SecretResolver for CredentialsFrom {
    async fn resolve(&self, reference: &SecretReference) -> Result<SecretValue> {
        let name = SecretRef::from(reference.name());
        let secret = self.0.get_secret(&name, GetOptions::default()).await?;
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

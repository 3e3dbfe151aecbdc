//! AWS Secrets Manager.

use crate::wire::{AwsClients, Route};

/// Secrets in AWS Secrets Manager.
#[derive(Debug, Clone)]
pub struct SecretsManagerProvider {
    clients: AwsClients,
}

impl SecretsManagerProvider {
    /// Over these clients.
    pub fn new(clients: &AwsClients) -> Self {
        Self { clients: clients.clone() }
    }

    pub(crate) fn client(&self) -> secrets_core::Result<aws_sdk_secretsmanager::Client> {
        self.clients.secrets_manager(Route::default())
    }
}

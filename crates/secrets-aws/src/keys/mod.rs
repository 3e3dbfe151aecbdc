//! AWS KMS.

use crate::wire::{AwsClients, Route};

/// Keys in AWS KMS.
#[derive(Debug, Clone)]
pub struct KmsProvider {
    clients: AwsClients,
}

impl KmsProvider {
    /// Over these clients.
    pub fn new(clients: &AwsClients) -> Self {
        Self { clients: clients.clone() }
    }

    pub(crate) fn client(&self) -> secrets_core::Result<aws_sdk_kms::Client> {
        self.clients.kms(Route::default())
    }
}

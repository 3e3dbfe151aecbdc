use secrets_core::{ErrorKind, Health, Operation, Result};

use crate::error::{Call, send};
use crate::provider::SecretsManagerProvider;
use crate::wire::Route;

impl SecretsManagerProvider {
    /// Lists one secret. Who may not list is answered all the same, and known to AWS.
    pub(super) async fn probe(&self) -> Result<Health> {
        let client = self.clients().secrets_manager(Route::default());
        let client = client.map_err(|error| error.with_operation(Operation::Health))?;
        let call = Call::read(Operation::Health, "ListSecrets");
        match send!(call, client.list_secrets().max_results(1)) {
            Ok(_) => {}
            Err(failure) if failure.kind() == ErrorKind::PermissionDenied => {}
            Err(failure) => return Err(failure.into()),
        }
        if self.batching().is_denied() {
            return Ok(Health::degraded(
                "`secretsmanager:BatchGetSecretValue` is denied: secrets are read one by one",
            ));
        }
        Ok(Health::healthy())
    }
}

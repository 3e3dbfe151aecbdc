use secrets_core::{ErrorKind, Health, HealthStatus, Operation, Result};

#[cfg(feature = "changes")]
use crate::changes::Hearing;
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
        let mut findings = Vec::new();
        if self.batching().is_denied() {
            let denied =
                "`secretsmanager:BatchGetSecretValue` is denied: secrets are read one by one";
            findings.push(denied.into());
        }
        #[cfg(feature = "changes")]
        findings.extend(self.hearing().map(Hearing::findings).unwrap_or_default());
        let mut health = Health::healthy();
        if !findings.is_empty() {
            health.status = HealthStatus::Degraded;
            health.findings = findings;
        }
        Ok(health)
    }
}

use secrets_core::{Result, SecretRef};

use crate::error::send;
use crate::provider::SecretsManagerProvider;

/// Whether a resource policy may open a secret to everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PublicAccess {
    /// Such a policy is refused (`BlockPublicPolicy`).
    #[default]
    Blocked,
    /// It is taken.
    InsecureAllowed,
}

/// What AWS has against a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyProblem {
    /// The name of the check.
    pub check: String,
    /// What it found.
    pub message: String,
}

impl SecretsManagerProvider {
    /// The resource policy of a secret, as JSON; `None` where it has none.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied`, or that AWS cannot be reached.
    pub async fn resource_policy(&self, reference: &SecretRef) -> Result<Option<String>> {
        let session = self.session_for(reference, None)?;
        let call = session.read("GetResourcePolicy");
        let request = session.client.get_resource_policy().secret_id(session.id());
        let output = send!(call, request).map_err(|failure| session.told(failure))?;
        Ok(output.resource_policy.filter(|policy| !policy.is_empty()))
    }

    /// Replaces the resource policy of a secret.
    ///
    /// # Errors
    /// `InvalidValue` for a policy that is not well formed, or that opens the secret to everybody
    /// where that is blocked; `NotFound`, `PermissionDenied`.
    pub async fn put_resource_policy(
        &self,
        reference: &SecretRef,
        policy: &str,
        public: PublicAccess,
    ) -> Result<()> {
        let session = self.session_for(reference, None)?;
        let call = session.write("PutResourcePolicy");
        let request = session
            .client
            .put_resource_policy()
            .secret_id(session.id())
            .resource_policy(policy)
            .block_public_policy(public == PublicAccess::Blocked);
        send!(call, request).map(drop).map_err(|failure| session.told(failure))
    }

    /// What AWS would have against a policy for this secret; empty where it passes. Nothing is
    /// changed.
    ///
    /// # Errors
    /// `InvalidValue` for what is no policy at all; `NotFound`, `PermissionDenied`.
    pub async fn validate_resource_policy(
        &self,
        reference: &SecretRef,
        policy: &str,
    ) -> Result<Vec<PolicyProblem>> {
        let session = self.session_for(reference, None)?;
        let call = session.read("ValidateResourcePolicy");
        let request = session
            .client
            .validate_resource_policy()
            .secret_id(session.id())
            .resource_policy(policy);
        let output = send!(call, request).map_err(|failure| session.told(failure))?;
        let found = output.validation_errors.unwrap_or_default().into_iter().map(|entry| {
            let (check, message) = (entry.check_name, entry.error_message);
            PolicyProblem { check: check.unwrap_or_default(), message: message.unwrap_or_default() }
        });
        let mut problems: Vec<_> = found.collect();
        if !output.policy_validation_passed && problems.is_empty() {
            let message = "AWS refuses the policy and does not say why".to_owned();
            problems.push(PolicyProblem { check: String::new(), message });
        }
        Ok(problems)
    }

    /// Takes the resource policy of a secret away. Repeating it is harmless.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied`.
    pub async fn delete_resource_policy(&self, reference: &SecretRef) -> Result<()> {
        let session = self.session_for(reference, None)?;
        let call = session.write("DeleteResourcePolicy");
        let request = session.client.delete_resource_policy().secret_id(session.id());
        send!(call, request).map(drop).map_err(|failure| session.told(failure))
    }
}

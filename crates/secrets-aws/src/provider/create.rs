use aws_sdk_secretsmanager::types::ReplicaRegionType;
use secrets_core::{
    ErrorKind, Operation, Precondition, Result, SecretRef, SecretValue, SetOptions, VersionInfo,
    WriteStage,
};

use crate::provider::SecretsManagerProvider;
use crate::provider::replication::{Overwrite, ReplicaRegion};

/// What a secret is created with beside its value.
///
/// ```
/// use secrets_aws::{NewSecret, ReplicaRegion};
///
/// let new = NewSecret::default()
///     .with_kms_key("alias/billing")
///     .with_replica(ReplicaRegion::new("eu-central-1").with_kms_key("alias/billing"));
/// # let _ = new;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct NewSecret {
    kms_key: Option<Box<str>>,
    replicas: Vec<ReplicaRegion>,
    overwrite: Overwrite,
}

impl NewSecret {
    /// The KMS key that it is encrypted with: an id, an ARN or an alias. The provider's unless it is
    /// said.
    pub fn with_kms_key(mut self, key: &str) -> Self {
        self.kms_key = Some(key.into());
        self
    }

    /// A region that it is copied to from the beginning.
    pub fn with_replica(mut self, region: ReplicaRegion) -> Self {
        self.replicas.push(region);
        self
    }

    /// What to do where a region has a secret of that name already.
    pub fn with_overwrite(mut self, overwrite: Overwrite) -> Self {
        self.overwrite = overwrite;
        self
    }

    pub(super) fn kms_key(&self) -> Option<&str> {
        self.kms_key.as_deref()
    }

    pub(super) fn replicas(&self) -> Option<Vec<ReplicaRegionType>> {
        let regions = self.replicas.iter().map(ReplicaRegion::to_request);
        (!self.replicas.is_empty()).then(|| regions.collect())
    }

    pub(super) fn overwrites(&self) -> Option<bool> {
        (!self.replicas.is_empty()).then_some(self.overwrite == Overwrite::Force)
    }
}

impl SecretsManagerProvider {
    /// Creates a secret under a KMS key of its own, with copies in other regions, in one request: its
    /// value never lies under another key. Of the options the token and the metadata count.
    /// [`replicas`](Self::replicas) tells how far the copies are.
    ///
    /// # Errors
    /// `AlreadyExists`; `Unsupported` for a pending value, or one upon another version; else those of
    /// `set_secret`.
    pub async fn create_secret(
        &self,
        reference: &SecretRef,
        value: SecretValue,
        options: SetOptions,
        new: &NewSecret,
    ) -> Result<VersionInfo> {
        let is_first = options.stage == WriteStage::Current
            && matches!(options.precondition, Precondition::Any | Precondition::Absent);
        if !is_first {
            let session = self.session(reference, Operation::SetSecret)?;
            let message = "a secret that is created has no version but the one that is current";
            return Err(session.error(ErrorKind::Unsupported, message));
        }
        self.set(reference, value, options.when(Precondition::Absent), new).await
    }
}

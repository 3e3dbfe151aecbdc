use std::time::SystemTime;

use aws_sdk_secretsmanager::types::{ReplicaRegionType, ReplicationStatusType, StatusType};
use secrets_core::{Error, ErrorKind, NativeId, Result, SecretRef};

use crate::arn::Arn;
use crate::error::send;
use crate::provider::SecretsManagerProvider;
use crate::provider::session::time;

/// A copy of a secret in another region.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replica {
    /// The region.
    pub region: String,
    /// The KMS key there; the account's `aws/secretsmanager` where AWS tells none.
    pub kms_key: Option<String>,
    /// How it is.
    pub status: ReplicaStatus,
    /// What AWS says of it, mostly of what failed.
    pub message: Option<String>,
    /// The day on which it was last read there.
    pub last_accessed: Option<SystemTime>,
}

/// How a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplicaStatus {
    /// It has every change.
    InSync,
    /// It is being made, or changed.
    InProgress,
    /// It could not be made.
    Failed,
    /// A status that this library does not know.
    Unknown,
}

/// A region that a secret is copied to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaRegion {
    region: String,
    kms_key: Option<String>,
}

impl ReplicaRegion {
    /// Under that region's `aws/secretsmanager`.
    pub fn new(region: impl Into<String>) -> Self {
        Self { region: region.into(), kms_key: None }
    }

    /// Under this key of that region.
    #[must_use]
    pub fn with_kms_key(mut self, key: impl Into<String>) -> Self {
        self.kms_key = Some(key.into());
        self
    }

    /// As requests take it.
    pub(super) fn to_request(&self) -> ReplicaRegionType {
        let region = ReplicaRegionType::builder().region(&self.region);
        region.set_kms_key_id(self.kms_key.clone()).build()
    }
}

/// What to do where the region has a secret of that name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overwrite {
    /// Nothing: the copy fails.
    #[default]
    Refuse,
    /// Replace it.
    Force,
}

impl SecretsManagerProvider {
    /// Copies a secret to other regions, and keeps the copies in step. Copying takes its time:
    /// [`replicas`](Self::replicas) tells how far it is.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied`, `InvalidValue` for a region that AWS does not take.
    pub async fn replicate(
        &self,
        reference: &SecretRef,
        regions: &[ReplicaRegion],
        overwrite: Overwrite,
    ) -> Result<Vec<Replica>> {
        let session = self.session_for(reference, None)?;
        let call = session.write("ReplicateSecretToRegions");
        let request = session
            .client
            .replicate_secret_to_regions()
            .secret_id(session.id())
            .set_add_replica_regions(Some(regions.iter().map(ReplicaRegion::to_request).collect()))
            .force_overwrite_replica_secret(overwrite == Overwrite::Force);
        let output = send!(call, request).map_err(|failure| session.told(failure))?;
        Ok(replicas(&output.replication_status.unwrap_or_default()))
    }

    /// Deletes the copies in these regions; a secret that has copies cannot be deleted. Returns
    /// those that are left.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied`, `InvalidValue`.
    pub async fn remove_replicas(
        &self,
        reference: &SecretRef,
        regions: &[&str],
    ) -> Result<Vec<Replica>> {
        let session = self.session_for(reference, None)?;
        let regions = regions.iter().map(|region| (*region).to_owned()).collect();
        let call = session.write("RemoveRegionsFromReplication");
        let request = session
            .client
            .remove_regions_from_replication()
            .secret_id(session.id())
            .set_remove_replica_regions(Some(regions));
        let output = send!(call, request).map_err(|failure| session.told(failure))?;
        Ok(replicas(&output.replication_status.unwrap_or_default()))
    }

    /// The copies of a secret.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied`.
    pub async fn replicas(&self, reference: &SecretRef) -> Result<Vec<Replica>> {
        let session = self.session_for(reference, None)?;
        let described = session.describe().await.map_err(|failure| session.told(failure))?;
        Ok(replicas(described.0.replication_status()))
    }

    /// Makes the copy in `region` a secret of its own, as after the loss of the primary region. The
    /// secret has to be named by its ARN, which names the same secret in every region.
    ///
    /// # Errors
    /// `InvalidName` for another reference; `NotFound`, `PermissionDenied`.
    pub async fn detach_replica(&self, arn: &NativeId, region: &str) -> Result<SecretRef> {
        let there = in_region(arn, region)?;
        let session = self.session_for(&there, None)?;
        let call = session.write("StopReplicationToReplica");
        let request = session.client.stop_replication_to_replica().secret_id(session.id());
        send!(call, request).map_err(|failure| session.told(failure))?;
        Ok(there)
    }
}

fn in_region(arn: &NativeId, region: &str) -> Result<SecretRef> {
    let parts = Arn::parse(arn.as_str()).filter(|parts| parts.secret().is_some());
    let parts = parts.ok_or_else(|| {
        Error::new(ErrorKind::InvalidName, "a copy is found by the ARN of its secret")
    })?;
    let there = format!(
        "arn:{}:{}:{region}:{}:{}",
        parts.partition, parts.service, parts.account, parts.resource
    );
    Ok(SecretRef::Native(NativeId::new(&there)?))
}

fn replicas(statuses: &[ReplicationStatusType]) -> Vec<Replica> {
    let replica = |one: &ReplicationStatusType| Replica {
        region: one.region().unwrap_or_default().to_owned(),
        kms_key: one.kms_key_id.clone(),
        status: match one.status() {
            Some(StatusType::InSync) => ReplicaStatus::InSync,
            Some(StatusType::InProgress) => ReplicaStatus::InProgress,
            Some(StatusType::Failed) => ReplicaStatus::Failed,
            _ => ReplicaStatus::Unknown,
        },
        message: one.status_message.clone(),
        last_accessed: time(one.last_accessed_date()),
    };
    statuses.iter().map(replica).collect()
}

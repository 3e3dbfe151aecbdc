use std::time::SystemTime;

use aws_sdk_kms::types::{KeyManagerType, KeyMetadata, KeyState as SdkState, KeyUsageType};
use aws_smithy_types::DateTime;
use secrets_core::{KeyRef, Result, SignatureAlgorithm, VersionId};

use super::provider::KmsProvider;
use super::sign::algorithms;
use super::wrap::{answered, incomplete};
use crate::error::{Call, send};

/// What KMS says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// Its ARN.
    pub key: KeyRef,
    /// Whether it can be used.
    pub state: KeyState,
    /// What for.
    pub usage: KeyUsage,
    /// Sort and length, by AWS's name: `SYMMETRIC_DEFAULT`, `RSA_3072`, `ECC_NIST_P256`.
    pub spec: Box<str>,
    /// Where its material comes from, by AWS's name: `AWS_KMS`, `EXTERNAL`, `AWS_CLOUDHSM`.
    pub origin: Box<str>,
    /// Whether AWS made it for one of its services; such a key cannot be managed.
    pub is_aws_managed: bool,
    /// Whether it has or is a replica in other regions.
    pub is_multi_region: bool,
    /// The material that wraps now; told of symmetric keys.
    pub material: Option<VersionId>,
    /// What it signs with, as far as [`SignatureAlgorithm`] has it.
    pub algorithms: Vec<SignatureAlgorithm>,
    /// When it was made.
    pub created: Option<SystemTime>,
    /// When it will be deleted, while that is scheduled.
    pub deletion: Option<SystemTime>,
}

/// Whether a key can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyState {
    /// It can.
    Enabled,
    /// Not until somebody enables it.
    Disabled,
    /// Not unless somebody cancels the deletion, and enables it.
    PendingDeletion,
    /// Another one, by AWS's name: `PendingImport`, `Creating`, `Unavailable`.
    Other(Box<str>),
}

/// What a key is for; one key has one use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyUsage {
    /// It wraps.
    Wrap,
    /// It signs.
    Sign,
    /// Another use, by AWS's name: `GENERATE_VERIFY_MAC`, `KEY_AGREEMENT`.
    Other(Box<str>),
}

impl KmsProvider {
    /// What KMS says of a key, also of one that cannot be used. It tells what an alias stands for.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied`, or that it cannot be reached.
    pub async fn describe_key(&self, key: &KeyRef) -> Result<KeyInfo> {
        let call = Call::read(None, "DescribeKey");
        let (client, target) = self.at(key, None)?;
        let request = client.describe_key().key_id(target.id()).set_grant_tokens(self.tokens());
        let told = send!(call, request)?.key_metadata.ok_or_else(|| incomplete(&call))?;
        info(&call, told)
    }
}

fn info(call: &Call, told: KeyMetadata) -> Result<KeyInfo> {
    let material = told.current_key_material_id.as_deref();
    Ok(KeyInfo {
        key: answered(call, told.arn)?,
        state: told.key_state.as_ref().map(state).ok_or_else(|| incomplete(call))?,
        usage: told.key_usage.as_ref().map(usage).ok_or_else(|| incomplete(call))?,
        spec: told.key_spec.as_ref().map(|spec| spec.as_str().into()).unwrap_or_default(),
        origin: told.origin.as_ref().map(|origin| origin.as_str().into()).unwrap_or_default(),
        is_aws_managed: told.key_manager == Some(KeyManagerType::Aws),
        is_multi_region: told.multi_region.unwrap_or_default(),
        material: material.map(VersionId::new).transpose().map_err(|_| incomplete(call))?,
        algorithms: algorithms(
            told.signing_algorithms.as_deref().unwrap_or_default(),
            told.key_spec.as_ref(),
        ),
        created: told.creation_date.as_ref().and_then(time),
        deletion: told.deletion_date.as_ref().and_then(time),
    })
}

fn state(state: &SdkState) -> KeyState {
    match state {
        SdkState::Enabled => KeyState::Enabled,
        SdkState::Disabled => KeyState::Disabled,
        SdkState::PendingDeletion => KeyState::PendingDeletion,
        other => KeyState::Other(other.as_str().into()),
    }
}

fn usage(usage: &KeyUsageType) -> KeyUsage {
    match usage {
        KeyUsageType::EncryptDecrypt => KeyUsage::Wrap,
        KeyUsageType::SignVerify => KeyUsage::Sign,
        other => KeyUsage::Other(other.as_str().into()),
    }
}

/// A time as this library has it; `None` for one outside of what the platform counts.
pub(super) fn time(told: &DateTime) -> Option<SystemTime> {
    SystemTime::try_from(*told).ok()
}

//! One KMS key.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::grant::Grant;
use super::material::{AesMaterial, Failed, Material, Rotated};
use super::refuse;
use super::spec::{KeySpec, Usage};
use crate::policy::Policy;
use crate::service::Refusal;
use crate::stamp;

pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// Where a key is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyState {
    Enabled,
    Disabled,
    PendingDeletion { at: SystemTime },
    PendingImport,
}

impl KeyState {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion { .. } => "PendingDeletion",
            Self::PendingImport => "PendingImport",
        }
    }
}

/// What an operation asks of a key's state (AWS KMS Developer Guide, "Key states of AWS KMS keys").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Use of the key, and grants on it.
    Enabled,
    /// Management that a key on its way out refuses.
    NotPendingDeletion,
    /// Looking at it, its policy, retiring grants.
    Nothing,
}

/// How the use of a key that is pending deletion is refused: AWS documents both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LeavingKey {
    /// `KMSInvalidStateException`.
    #[default]
    IsInvalid,
    /// `DisabledException`, with a text that says what it is.
    IsDisabled,
}

/// Who manages it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manager {
    Customer,
    /// Behind an alias `alias/aws/…`: only the service named there uses it, for callers of its account.
    Aws,
}

/// Automatic rotation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    pub(super) days: i64,
    pub(super) next: SystemTime,
}

/// One KMS key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) arn: String,
    pub(super) id: String,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) spec: KeySpec,
    pub(super) manager: Manager,
    pub(super) external: bool,
    pub(super) created: SystemTime,
    pub(super) description: String,
    pub(super) state: KeyState,
    pub(super) material: Material,
    pub(super) schedule: Option<Schedule>,
    /// When an on-demand rotation that is under way began.
    pub(super) rotating_since: Option<SystemTime>,
    pub(super) policy_text: String,
    pub(super) policy: Policy,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) grants: Vec<Grant>,
}

impl Key {
    /// Whether it is in a state for this.
    pub(super) fn is_ready(&self, needs: Needs, leaving: LeavingKey) -> Result<(), Refusal> {
        match (needs, self.state) {
            (Needs::Nothing, _) | (_, KeyState::Enabled) => Ok(()),
            (Needs::Enabled, KeyState::PendingDeletion { .. })
                if leaving == LeavingKey::IsDisabled =>
            {
                Err(refuse::leaving(&self.arn))
            }
            (_, KeyState::PendingDeletion { .. }) => {
                Err(refuse::invalid_state(&self.arn, "is pending deletion."))
            }
            (Needs::NotPendingDeletion, _) => Ok(()),
            (Needs::Enabled, KeyState::Disabled) => Err(refuse::disabled(&self.arn)),
            (Needs::Enabled, KeyState::PendingImport) => {
                Err(refuse::invalid_state(&self.arn, "is pending import."))
            }
        }
    }

    /// Whether it is a key for this, as the operation named says.
    pub(super) fn is_for(&self, usage: Usage, operation: &str) -> Result<(), Refusal> {
        if self.spec.usage() == usage {
            return Ok(());
        }
        Err(refuse::invalid_usage(&self.arn, self.spec.usage().name(), operation))
    }

    /// Whether a grant on it has this token.
    pub(super) fn has_token(&self, token: &str) -> bool {
        self.grants.iter().any(|grant| grant.tokens.iter().any(|own| own == token))
    }

    /// Carries out the rotations that are due, each with a new material: the one on demand that is under way, then those of the
    /// schedule. A disabled key waits (SDK: `GetKeyRotationStatus`).
    pub(super) fn rotate_if_due(&mut self, now: SystemTime, takes: Duration) -> Result<(), Failed> {
        if let Some(began) = self.rotating_since
            && stamp::later(began, takes) <= now
        {
            self.rotating_since = None;
            self.add_material(stamp::later(began, takes), Rotated::OnDemand)?;
        }
        if self.state != KeyState::Enabled {
            return Ok(());
        }
        while let Some(schedule) = self.schedule
            && schedule.next <= now
        {
            self.add_material(schedule.next, Rotated::Automatically)?;
            let next = stamp::later(schedule.next, days(schedule.days));
            self.schedule = Some(Schedule { next, ..schedule });
        }
        Ok(())
    }

    fn add_material(&mut self, at: SystemTime, how: Rotated) -> Result<(), Failed> {
        if let Material::Symmetric(materials) = &mut self.material {
            materials.push(AesMaterial::generate(at, how)?);
        }
        Ok(())
    }

    /// `KeyMetadata` as `CreateKey` and `DescribeKey` answer it.
    pub(super) fn metadata(&self) -> Value {
        let mut metadata = json!({
            "AWSAccountId": self.account,
            "KeyId": self.id,
            "Arn": self.arn,
            "CreationDate": stamp::epoch(self.created),
            "Enabled": self.state == KeyState::Enabled,
            "Description": self.description,
            "KeyUsage": self.spec.usage().name(),
            "KeyState": self.state.name(),
            "Origin": if self.external { "EXTERNAL" } else { "AWS_KMS" },
            "KeyManager": if self.manager == Manager::Aws { "AWS" } else { "CUSTOMER" },
            "CustomerMasterKeySpec": self.spec.name(),
            "KeySpec": self.spec.name(),
            "MultiRegion": false,
        });
        if let KeyState::PendingDeletion { at } = self.state {
            set(&mut metadata, "DeletionDate", stamp::epoch(at));
        }
        match self.spec.usage() {
            Usage::EncryptDecrypt => {
                set(&mut metadata, "EncryptionAlgorithms", json!(["SYMMETRIC_DEFAULT"]));
            }
            Usage::SignVerify => {
                set(&mut metadata, "SigningAlgorithms", json!(self.spec.signing_algorithms()));
            }
            Usage::GenerateVerifyMac => {
                let algorithm = self.spec.mac_algorithm().map(|(name, _)| name);
                set(&mut metadata, "MacAlgorithms", json!([algorithm]));
            }
        }
        if let Some(current) = self.material.current() {
            set(&mut metadata, "CurrentKeyMaterialId", json!(current.id));
        }
        metadata
    }
}

/// Sets a member of an object.
pub(super) fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

/// So many days.
pub(super) fn days(count: i64) -> Duration {
    DAY * u32::try_from(count).unwrap_or_default()
}

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod arn;
#[cfg(feature = "changes")]
mod changes;
mod config;
mod error;
mod provider;
mod quiet;
mod wire;

#[cfg(feature = "kms")]
mod keys;

pub use secrets_core;

#[cfg(fuzzing)]
pub use arn::fuzz_arn;
#[cfg(feature = "sqs")]
pub use changes::ChangeQueue;
#[cfg(feature = "changes")]
pub use changes::{ChangeFeed, Heard, NotAnEvent};
pub use config::{
    AccountId, AwsConfig, ConfigError, ConfigProblem, Container, Endpoints, Identity, Instance,
    InvalidAccountId, KeySource, Network, Partition, Profile, Proxy, Role, RotatedKeys, StaticKeys,
    WebIdentity,
};
#[cfg(feature = "kms")]
pub use keys::{
    Alias, DeletionWindow, GrantToken, KeyAlias, KeyInfo, KeyRotation, KeyState, KeyUsage,
    KmsProvider, RotationPeriod, RotationRecord,
};
pub use provider::{
    NewSecret, Overwrite, PasswordRules, PolicyProblem, PublicAccess, Replica, ReplicaRegion,
    ReplicaStatus, RotationOutcome, RotationPlan, RotationSchedule, RotationStart, RotationStatus,
    SecretsManagerBuilder, SecretsManagerProvider,
};
pub use wire::{AwsClients, Caller};

use std::num::NonZeroU64;
use std::time::SystemTime;

use secrets_core::{ErrorKind, ProviderId, SecretRef, VersionId};

use crate::report::HandleState;

/// What became of a secret that a handle holds; no value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecretChange {
    /// Its provider.
    pub provider: ProviderId,
    /// The secret, or the alias by which it is held.
    pub reference: SecretRef,
    /// Which version handles showed before.
    pub from: VersionId,
    /// Which one they show now. The same, where the state alone changed, or where a provider without
    /// versions gave another value.
    pub to: VersionId,
    /// Whether it is another value, or other metadata of the version.
    pub is_new: bool,
    /// What they showed before.
    pub before: HandleState,
    /// What they show now.
    pub after: HandleState,
    /// What the provider said last, where it was an error.
    pub error: Option<ErrorKind>,
    /// When, by the manager's clock.
    pub at: SystemTime,
}

/// What [`SecretChanges`](crate::SecretChanges) gives.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeNotice {
    /// Something changed.
    Change(SecretChange),
    /// So many changes were missed, for the subscriber was slow: those before the next one.
    Missed(NonZeroU64),
}

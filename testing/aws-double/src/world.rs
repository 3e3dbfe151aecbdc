//! What the services of one double share.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::SystemTime,
};

use serde_json::Value;

use crate::{
    calls::CallLog,
    clock::Clock,
    faults::Faults,
    grants::Grants,
    identity::{Identities, Identity},
    random::Sequence,
    service::Refusal,
};

/// Which account and region the double itself is, for what names none.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    /// 12 digits.
    pub(crate) account: String,
    /// Such as `eu-west-1`.
    pub(crate) region: String,
}

/// The partition a region belongs to: `aws`, `aws-cn`, `aws-us-gov` (SDK: partitions.json).
pub(crate) fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

/// A change that a service tells the others of, as a row of CloudTrail would.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// The service, such as `secretsmanager`.
    pub(crate) source: &'static str,
    /// The operation or service event, such as `PutSecretValue` or `RotationSucceeded`.
    pub(crate) name: String,
    /// Whether the service did it by itself: a service event, not a call of the API.
    pub(crate) by_service: bool,
    /// The ARN of what changed.
    pub(crate) resource: String,
    /// The request as CloudTrail has it: without values.
    pub(crate) request: BTreeMap<String, Value>,
    /// Beside the request: what a service event tells, or the answer, without values.
    pub(crate) details: BTreeMap<String, Value>,
    /// The account of the resource.
    pub(crate) account: String,
    /// The region of the resource.
    pub(crate) region: String,
    /// Who called.
    pub(crate) principal: String,
    /// The id of the request.
    pub(crate) request_id: String,
    /// When.
    pub(crate) at: SystemTime,
}

/// What is told of changes.
pub(crate) trait Observer: Send + Sync {
    /// A change was committed.
    fn changed(&self, world: &World, change: &Change);
}

/// What a service may ask KMS for on behalf of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyUse {
    /// To encrypt a new value: `kms:GenerateDataKey`.
    Encrypt,
    /// To read one: `kms:Decrypt`.
    Decrypt,
}

/// Whose key, which, what for.
#[derive(Debug)]
pub(crate) struct KeyRequest<'a> {
    /// The key as the secret names it: id, ARN, alias or alias ARN.
    pub(crate) key: &'a str,
    /// What for.
    pub(crate) purpose: KeyUse,
    /// The caller.
    pub(crate) identity: &'a Identity,
    /// The service that asks, such as `secretsmanager`.
    pub(crate) service: &'static str,
    /// The encryption context: for a secret its ARN and version (User Guide, "Secrets Manager encryption context").
    pub(crate) context: &'a BTreeMap<String, String>,
    /// The region of the call.
    pub(crate) region: &'a str,
    /// The double's time.
    pub(crate) now: SystemTime,
}

/// KMS as other services use it.
pub(crate) trait KeyAccess: Send + Sync {
    /// Whether the key may be used so.
    ///
    /// # Errors
    ///
    /// What KMS would answer: `NotFoundException`, `DisabledException`, `KMSInvalidStateException`, `AccessDeniedException`.
    fn authorize(&self, world: &World, request: &KeyRequest<'_>) -> Result<(), Refusal>;
}

/// What the services of one double share.
pub(crate) struct World {
    pub(crate) home: Home,
    pub(crate) clock: Clock,
    pub(crate) identities: Identities,
    pub(crate) grants: Grants,
    pub(crate) faults: Faults,
    pub(crate) calls: CallLog,
    pub(crate) chance: Sequence,
    observers: Mutex<Vec<Arc<dyn Observer>>>,
    keys: OnceLock<Arc<dyn KeyAccess>>,
}

impl World {
    pub(crate) fn new(home: Home, seed: u64) -> Self {
        Self {
            home,
            clock: Clock::new(),
            identities: Identities::default(),
            grants: Grants::default(),
            faults: Faults::default(),
            calls: CallLog::default(),
            chance: Sequence::new(seed),
            observers: Mutex::new(Vec::new()),
            keys: OnceLock::new(),
        }
    }

    /// Tells this observer of every change from now on.
    pub(crate) fn observe(&self, observer: Arc<dyn Observer>) {
        self.observers.lock().unwrap_or_else(PoisonError::into_inner).push(observer);
    }

    /// Tells the observers of a change. Call it without holding a lock of one's own.
    pub(crate) fn tell(&self, change: &Change) {
        let observers = self.observers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for observer in observers {
            observer.changed(self, change);
        }
    }

    /// Makes this the KMS that other services ask; the first one stays.
    pub(crate) fn use_keys(&self, keys: Arc<dyn KeyAccess>) {
        let _ = self.keys.set(keys);
    }

    /// Whether a key may be used; yes for any if the double has no KMS.
    ///
    /// # Errors
    ///
    /// What KMS answers.
    pub(crate) fn authorize_key(&self, request: &KeyRequest<'_>) -> Result<(), Refusal> {
        self.keys.get().map_or(Ok(()), |keys| keys.authorize(self, request))
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("home", &self.home).finish_non_exhaustive()
    }
}

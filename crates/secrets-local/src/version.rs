//! Versions for backends that have none.

use std::fmt;
use std::time::SystemTime;

use hmac::{Hmac, KeyInit, Mac};
use secrets_core::{Result, Stage, StageSet, VersionId, VersionInfo};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::config::ConfigError;

/// Bytes of the key: the block of SHA-256, which HMAC takes as it is.
const KEY_LEN: usize = 64;
/// Bytes of the MAC that make an id: enough that two values never meet by chance.
const ID_LEN: usize = 16;

/// Makes ids of versions out of values: HMAC-SHA-256 (RFC 2104) under a random key that lives as
/// long as the provider. An id changes exactly when the value does, and says nothing about it to
/// anybody without the key: a plain hash would let a weak password be guessed from a log.
pub(crate) struct VersionIds {
    key: Box<Zeroizing<[u8; KEY_LEN]>>,
}

impl VersionIds {
    /// A maker of ids with a key of its own.
    pub(crate) fn random(provider: &'static str) -> Result<Self, ConfigError> {
        let mut key = Box::new(Zeroizing::new([0; KEY_LEN]));
        getrandom::fill(key.as_mut_slice()).map_err(|_| {
            ConfigError::one(provider, "the operating system gives no random numbers")
        })?;
        Ok(Self { key })
    }

    /// The current version of `entry`, whose value is `value`.
    pub(crate) fn current(
        &self,
        entry: &str,
        value: &[u8],
        created: SystemTime,
    ) -> Result<VersionInfo> {
        let info = VersionInfo::new(self.id(entry, value)?, created);
        Ok(info.with_stages(StageSet::EMPTY.with(Stage::Current)))
    }

    pub(crate) fn id(&self, entry: &str, value: &[u8]) -> Result<VersionId> {
        let mut mac = Hmac::<Sha256>::new((&**self.key).into());
        // The length first, so that no entry's end is taken for a value's begin.
        mac.update(&(entry.len() as u64).to_le_bytes());
        mac.update(entry.as_bytes());
        mac.update(value);
        let tag = mac.finalize().into_bytes();
        let hex: String = tag.iter().take(ID_LEN).map(|byte| format!("{byte:02x}")).collect();
        VersionId::new(&hex)
    }
}

impl fmt::Debug for VersionIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VersionIds").finish_non_exhaustive()
    }
}

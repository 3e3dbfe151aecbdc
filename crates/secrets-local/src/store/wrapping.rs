//! Wrapping keys: records of a kind of their own, and what is sealed under them.

use std::sync::Arc;

use secrets_core::{
    DataKey, Error, ErrorKind, KeyRef, Result, VersionId, VersionInfo, VersionState, WrapContext,
    WrappedKey, WrappingVersion,
};
use zeroize::Zeroizing;

use super::crypto::{
    Aead, KEY_LEN, NotAuthentic, Schedule, SymmetricKey, associated_data, on_wiped_stack,
    random_array, same,
};
use super::environment::Entropy;
use super::format::{StoreId, VersionKey};
use super::index::{Content, Entry, Version};
use super::index_codec::MAX_KEY_NAME_LEN;
use super::record::{RecordKind, RecordPlace};
use super::snapshot::Snapshot;
use super::transaction::Transaction;

/// The longest key that is wrapped, in bytes.
pub(crate) const MAX_WRAPPED_LEN: usize = 4096;
/// The first byte of what is wrapped.
const FORM: u8 = 1;
/// The domain of a wrapped key's associated data.
const DOMAIN: &[u8] = b"mainstay wrapped key 1";

fn no_key() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such wrapping key")
}

fn no_version() -> Error {
    Error::new(ErrorKind::NotFound, "the version of the wrapping key is gone")
}

fn altered() -> Error {
    let message = "the wrapped key was altered, or its context is another";
    Error::new(ErrorKind::Integrity, message)
}

/// A version of a wrapping key, ready to use.
struct WrappingKey<'a> {
    store: StoreId,
    key: &'a KeyRef,
    version: VersionKey,
    commitment: [u8; KEY_LEN],
    aead: Aead,
}

impl WrappingKey<'_> {
    fn aad(&self, context: &WrapContext) -> Vec<u8> {
        associated_data(&[
            DOMAIN,
            self.store.as_bytes(),
            self.key.as_str().as_bytes(),
            self.version.as_bytes(),
            &context.to_aad(),
        ])
    }

    fn wrap(
        &self,
        entropy: &dyn Entropy,
        plain: &[u8],
        context: &WrapContext,
    ) -> Result<WrappedKey> {
        if plain.is_empty() || plain.len() > MAX_WRAPPED_LEN {
            let message = format!("a key to wrap takes 1 to {MAX_WRAPPED_LEN} bytes");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let sealed = self.aead.seal(&random_array(entropy)?, &self.aad(context), plain)?;
        let mut ciphertext = Vec::with_capacity(1 + KEY_LEN + sealed.len());
        ciphertext.push(FORM);
        ciphertext.extend_from_slice(&self.commitment);
        ciphertext.extend_from_slice(&sealed);
        Ok(WrappedKey::new(self.key.clone(), Some(self.version.to_id()?), ciphertext))
    }

    fn unwrap(&self, wrapped: &WrappedKey, context: &WrapContext) -> Result<DataKey> {
        let body = wrapped.ciphertext.strip_prefix(&[FORM]).ok_or_else(altered)?;
        let (commitment, sealed) = body.split_first_chunk::<KEY_LEN>().ok_or_else(altered)?;
        if !same(commitment, &self.commitment) {
            return Err(altered());
        }
        let opened = self.aead.open(&self.aad(context), sealed);
        let mut plain = opened.map_err(|NotAuthentic| altered())?;
        Ok(DataKey::from_boxed(std::mem::take(&mut *plain)))
    }
}

impl Snapshot {
    fn key_entry(&self, key: &KeyRef) -> Result<&Entry> {
        self.index.keys.get(key).map(|entry| &**entry).ok_or_else(no_key)
    }

    fn wrapping_key<'a>(&self, key: &'a KeyRef, version: &Version) -> Result<WrappingKey<'a>> {
        let record = match version.content {
            Content::Enabled(record) => record,
            Content::Disabled(_) => {
                let message = "the version of the wrapping key is disabled";
                return Err(Error::new(ErrorKind::Disabled, message));
            }
            Content::Destroyed => {
                let message = "the version of the wrapping key is destroyed";
                return Err(Error::new(ErrorKind::Destroyed, message));
            }
        };
        let store = self.header.store;
        let plain: Zeroizing<Box<[u8]>> = self.read(place(key, version.id), record)?;
        on_wiped_stack(|| {
            let schedule = Schedule::new(store.as_bytes(), &plain);
            Ok(WrappingKey {
                store,
                key,
                version: version.id,
                commitment: schedule.commitment("wrapping commitment")?,
                aead: Aead::new(&schedule.key("wrapping key")?),
            })
        })
    }

    /// Wraps under the newest version.
    pub(crate) fn wrap(
        &self,
        entropy: &dyn Entropy,
        key: &KeyRef,
        plain: &[u8],
        context: &WrapContext,
    ) -> Result<WrappedKey> {
        let entry = self.key_entry(key)?;
        let current = entry.labels.current.and_then(|id| entry.version(id));
        self.wrapping_key(key, current.ok_or_else(no_version)?)?.wrap(entropy, plain, context)
    }

    pub(crate) fn unwrap(&self, wrapped: &WrappedKey, context: &WrapContext) -> Result<DataKey> {
        let entry = self.key_entry(&wrapped.key)?;
        let id = wrapped.version.as_ref().and_then(VersionKey::from_id).ok_or_else(altered)?;
        let version = entry.version(id).ok_or_else(no_version)?;
        self.wrapping_key(&wrapped.key, version)?.unwrap(wrapped, context)
    }

    pub(crate) fn wrapping_version(&self, wrapped: &WrappedKey) -> Result<WrappingVersion> {
        let entry = self.key_entry(&wrapped.key)?;
        let id = wrapped.version.as_ref().and_then(VersionKey::from_id).ok_or_else(altered)?;
        if entry.labels.current == Some(id) {
            return Ok(WrappingVersion::Current);
        }
        entry.version(id).map(|_| WrappingVersion::Superseded).ok_or_else(no_version)
    }

    pub(crate) fn key_versions(&self, key: &KeyRef) -> Result<Vec<VersionInfo>> {
        let entry = self.key_entry(key)?;
        entry.versions.iter().map(|version| version.info(&entry.labels)).collect()
    }
}

fn place(key: &KeyRef, version: VersionKey) -> RecordPlace<'_> {
    RecordPlace::new(RecordKind::WrappingKey, key.as_str(), version)
}

impl Transaction<'_> {
    /// Makes a new wrapping key.
    pub(crate) fn create_key(&mut self, key: &KeyRef) -> Result<VersionId> {
        if key.as_str().len() > MAX_KEY_NAME_LEN {
            let message = format!("a wrapping key's name takes {MAX_KEY_NAME_LEN} bytes at most");
            return Err(Error::new(ErrorKind::InvalidName, message));
        }
        if self.index.keys.contains_key(key) {
            return Err(Error::new(ErrorKind::AlreadyExists, "the wrapping key exists"));
        }
        self.add_key_version(key, Entry::new(self.now))
    }

    /// Makes a new version, which wraps from now on; the older ones still open what they wrapped.
    pub(crate) fn rotate_key(&mut self, key: &KeyRef) -> Result<VersionId> {
        let entry = self.key_entry(key)?;
        self.add_key_version(key, entry)
    }

    pub(crate) fn set_key_version_state(
        &mut self,
        key: &KeyRef,
        version: &VersionId,
        state: VersionState,
    ) -> Result<()> {
        let mut entry = self.key_entry(key)?;
        let id = VersionKey::from_id(version).ok_or_else(no_version)?;
        if entry.set_state(id, state)? { self.put_key(key, entry) } else { Ok(()) }
    }

    fn key_entry(&self, key: &KeyRef) -> Result<Entry> {
        self.index.keys.get(key).map(|entry| Entry::clone(entry)).ok_or_else(no_key)
    }

    fn add_key_version(&mut self, key: &KeyRef, mut entry: Entry) -> Result<VersionId> {
        let id = self.new_version()?;
        let bytes = SymmetricKey::random(&*self.environment.entropy)?;
        let record = self.add_record(place(key, id), bytes.as_bytes())?;
        entry.versions.push(Version {
            id,
            created: self.now,
            content: Content::Enabled(record),
            content_type: None,
            not_before: None,
            expires: None,
            token: None,
        });
        entry.labels.previous = entry.labels.current;
        entry.labels.current = Some(id);
        self.put_key(key, entry)?;
        id.to_id()
    }

    fn put_key(&mut self, key: &KeyRef, mut entry: Entry) -> Result<()> {
        entry.revision = self.random()?;
        entry.updated = self.now;
        self.index.keys.insert(key.clone(), Arc::new(entry));
        self.touch();
        Ok(())
    }
}

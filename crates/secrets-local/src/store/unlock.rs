use std::fmt;
use std::sync::Arc;

use secrets_core::{DataKey, KeyProvider, KeyRef, WrapContext};

use super::crypto::SymmetricKey;
use super::engine::Unlocked;
use super::environment::{Entropy, Environment};
use super::error::{Result, StoreError, StoreErrorKind};
use super::format::{Header, StoreId};
use super::key_file::{KeyFile, Warning};
use super::passphrase::{Passphrase, PassphraseCost};
use super::runtime::blocking;
use super::slot::{SealMethod, Slot, SlotBody, SlotId, SlotKey, provider_slot};

/// What opens a key slot: given to open a store, to create one, and to add a slot.
#[derive(Clone)]
#[non_exhaustive]
pub enum Unlock {
    /// A passphrase, stretched by Argon2id.
    Passphrase(Passphrase),
    /// A file of 32 random bytes.
    KeyFile(KeyFile),
    /// A key service. Only slots of exactly this key are asked for: what a file says never chooses
    /// a key.
    Provider {
        /// The service.
        provider: Arc<dyn KeyProvider>,
        /// Its key, by the name that it writes into what it wraps.
        key: KeyRef,
    },
}

impl From<Passphrase> for Unlock {
    fn from(passphrase: Passphrase) -> Self {
        Self::Passphrase(passphrase)
    }
}

impl From<KeyFile> for Unlock {
    fn from(key_file: KeyFile) -> Self {
        Self::KeyFile(key_file)
    }
}

impl fmt::Debug for Unlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passphrase(passphrase) => passphrase.fmt(f),
            Self::KeyFile(key_file) => key_file.fmt(f),
            Self::Provider { key, .. } => {
                f.debug_struct("Provider").field("key", key).finish_non_exhaustive()
            }
        }
    }
}

impl Unlock {
    pub(crate) fn warnings(&self) -> &[Warning] {
        match self {
            Self::KeyFile(key_file) => key_file.warnings(),
            _ => &[],
        }
    }

    pub(crate) fn is_provider(&self) -> bool {
        matches!(self, Self::Provider { .. })
    }

    /// Finds the data key by the slots of a header. Key derivation runs off the executor.
    pub(crate) async fn find_data_key(&self, header: Header) -> Result<Unlocked> {
        if let Self::Provider { provider, key } = self {
            let data_key = unwrap(&**provider, key, &header).await?;
            return Ok(Unlocked { data_key, slot_key: None });
        }
        let unlock = self.clone();
        blocking(move || {
            let (_, slot_key, data_key) = unlock.find_slot(&header)?;
            Ok(Unlocked { data_key, slot_key: Some(slot_key) })
        })
        .await
    }

    /// Finds the slot that this opens. Not for providers.
    pub(crate) fn find_slot<'a>(
        &self,
        header: &'a Header,
    ) -> Result<(&'a Slot, SlotKey, SymmetricKey)> {
        let mut tried = 0;
        for slot in &header.slots {
            let Some(key) = self.slot_key(slot)? else { continue };
            tried += 1;
            if let Some(data_key) = slot.open(header.store, &key)? {
                return Ok((slot, key, data_key));
            }
        }
        let what = match self {
            Self::Passphrase(_) => "passphrase",
            Self::KeyFile(_) => "key file",
            Self::Provider { .. } => "provider",
        };
        let message = match tried {
            0 => format!("the store has no slot for a {what}"),
            _ => format!("no slot opens with this {what}, or its slot was altered"),
        };
        Err(StoreError::new(StoreErrorKind::WrongKey, message))
    }

    fn slot_key(&self, slot: &Slot) -> Result<Option<SlotKey>> {
        match (self, &slot.body) {
            (Self::Passphrase(passphrase), SlotBody::Passphrase { cost, seal }) => {
                SlotKey::from_passphrase(passphrase, *cost, &seal.salt).map(Some)
            }
            (Self::KeyFile(key_file), SlotBody::KeyFile { seal }) => {
                SlotKey::from_key_file(key_file, &seal.salt).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Gets ready to seal a data key into a new slot, which may take long.
    pub(crate) async fn prepare(
        &self,
        environment: &Environment,
        cost: PassphraseCost,
        store: StoreId,
        data_key: &SymmetricKey,
    ) -> Result<Sealing> {
        match self {
            Self::Provider { provider, key } => {
                let wrapped = wrap(&**provider, key, store, data_key).await?;
                provider_slot(SlotId::new(0), wrapped).map(Sealing::Wrapped)
            }
            Self::Passphrase(passphrase) => {
                let (passphrase, entropy) = (passphrase.clone(), Arc::clone(&environment.entropy));
                blocking(move || SealMethod::passphrase(&*entropy, &passphrase, cost))
                    .await
                    .map(Sealing::Method)
            }
            Self::KeyFile(key_file) => {
                SealMethod::key_file(&*environment.entropy, key_file).map(Sealing::Method)
            }
        }
    }
}

/// All that is needed to make a slot for a data key.
pub(crate) enum Sealing {
    Method(SealMethod),
    /// Wrapped already; the slot's number is still to be set.
    Wrapped(Slot),
}

impl Sealing {
    /// The slot, and its key where this process has it.
    pub(crate) fn seal(
        self,
        entropy: &dyn Entropy,
        store: StoreId,
        id: SlotId,
        data_key: &SymmetricKey,
    ) -> Result<(Slot, Option<SlotKey>)> {
        match self {
            Self::Method(method) => {
                let slot = Slot::seal(entropy, store, id, &method, data_key)?;
                Ok((slot, Some(method.into_key())))
            }
            Self::Wrapped(slot) => Ok((Slot { id, ..slot }, None)),
        }
    }
}

/// What a provider binds to the data key of a store.
fn context(store: StoreId) -> Result<WrapContext> {
    WrapContext::new()
        .with("purpose", "mainstay-store-data-key")
        .and_then(|context| context.with("store", &store.to_string()))
        .map_err(|error| {
            StoreError::new(StoreErrorKind::Internal, "no context to wrap with").with_source(error)
        })
}

fn provider_failed(error: secrets_core::Error) -> StoreError {
    StoreError::new(StoreErrorKind::KeyProvider, "the key provider failed").with_source(error)
}

pub(crate) async fn wrap(
    provider: &dyn KeyProvider,
    key: &KeyRef,
    store: StoreId,
    data_key: &SymmetricKey,
) -> Result<secrets_core::WrappedKey> {
    let plain = DataKey::from_boxed(Box::from(data_key.as_bytes().as_slice()));
    provider.wrap_key(key, &plain, &context(store)?).await.map_err(provider_failed)
}

async fn unwrap(provider: &dyn KeyProvider, key: &KeyRef, header: &Header) -> Result<SymmetricKey> {
    let context = context(header.store)?;
    let mut failed = None;
    for slot in &header.slots {
        let SlotBody::Provider { wrapped } = &slot.body else { continue };
        if wrapped.key != *key {
            continue;
        }
        match provider.unwrap_key(wrapped, &context).await {
            Ok(plain) => {
                return SymmetricKey::from_slice(plain.expose_secret()).ok_or_else(|| {
                    StoreError::integrity(format!("slot {} holds no data key", slot.id))
                });
            }
            Err(error) => failed = Some(provider_failed(error)),
        }
    }
    Err(failed.unwrap_or_else(|| {
        let message = format!("the store has no slot of the provider's key `{key}`");
        StoreError::new(StoreErrorKind::WrongKey, message)
    }))
}

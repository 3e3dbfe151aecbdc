use std::fmt;
use std::sync::Arc;

use secrets_core::{DataKey, ErrorKind, KeyProvider, KeyRef, WrapContext, WrappedKey};

use super::crypto::{KEY_LEN, SymmetricKey, same};
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
    /// A key service. Only slots of this key are asked for: what a file says never chooses a key.
    ///
    /// A service may answer under another name than it was asked by (an alias). Such slots are
    /// found too: where no slot has the name given here, the service wraps 32 zero bytes once, and
    /// slots of the name that it answers with are taken. Who may unwrap but not wrap gives the name
    /// that [`slots`](super::FileStore::slots) shows.
    Provider {
        /// The service.
        provider: Arc<dyn KeyProvider>,
        /// Its key.
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
        if matches!(self, Self::Passphrase(_)) {
            PassphraseCost::check_total(header.slots.iter().filter_map(Slot::passphrase_cost))?;
        }
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

/// Wraps the data key, and opens what came back: a slot that does not open must not be written.
pub(crate) async fn wrap(
    provider: &dyn KeyProvider,
    key: &KeyRef,
    store: StoreId,
    data_key: &SymmetricKey,
) -> Result<WrappedKey> {
    let context = context(store)?;
    let plain = DataKey::from_boxed(Box::from(data_key.as_bytes().as_slice()));
    let wrapped = provider.wrap_key(key, &plain, &context).await.map_err(provider_failed)?;
    let opened = provider.unwrap_key(&wrapped, &context).await.map_err(provider_failed)?;
    let opened = SymmetricKey::from_slice(opened.expose_secret());
    if opened.is_some_and(|opened| same(opened.as_bytes(), data_key.as_bytes())) {
        return Ok(wrapped);
    }
    let message = "the key provider does not give back the key that it wrapped";
    Err(StoreError::new(StoreErrorKind::KeyProvider, message))
}

async fn unwrap(provider: &dyn KeyProvider, key: &KeyRef, header: &Header) -> Result<SymmetricKey> {
    let context = context(header.store)?;
    if let Some(found) = unwrap_slots_of(provider, key, header, &context).await? {
        return Ok(found);
    }
    if header.slots.iter().any(|slot| matches!(slot.body, SlotBody::Provider { .. })) {
        let named = own_name(provider, key, &context).await?;
        if let Some(found) = unwrap_slots_of(provider, &named, header, &context).await? {
            return Ok(found);
        }
    }
    Err(no_slot_of(key))
}

fn no_slot_of(key: &KeyRef) -> StoreError {
    let message = format!("the store has no slot of the provider's key `{key}`");
    StoreError::new(StoreErrorKind::WrongKey, message)
}

/// The name that a provider gives to a key itself, told by what it wraps.
async fn own_name(
    provider: &dyn KeyProvider,
    key: &KeyRef,
    context: &WrapContext,
) -> Result<KeyRef> {
    let plain = DataKey::from_boxed(Box::new([0; KEY_LEN]));
    match provider.wrap_key(key, &plain, context).await {
        Ok(wrapped) => Ok(wrapped.key),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(no_slot_of(key).with_source(error))
        }
        Err(error) => Err(provider_failed(error)),
    }
}

/// The data key by the slots of exactly this key; `None` when there are none.
async fn unwrap_slots_of(
    provider: &dyn KeyProvider,
    key: &KeyRef,
    header: &Header,
    context: &WrapContext,
) -> Result<Option<SymmetricKey>> {
    let mut failed = None;
    for slot in &header.slots {
        let SlotBody::Provider { wrapped } = &slot.body else { continue };
        if wrapped.key != *key {
            continue;
        }
        match provider.unwrap_key(wrapped, context).await {
            Ok(plain) => {
                let data_key = SymmetricKey::from_slice(plain.expose_secret());
                return data_key.map(Some).ok_or_else(|| {
                    StoreError::integrity(format!("slot {} holds no data key", slot.id))
                });
            }
            Err(error) => failed = Some(provider_failed(error)),
        }
    }
    failed.map_or(Ok(None), Err)
}

//! Key slots: each holds the data key, sealed under a key of its own.

use std::fmt;

use secrets_core::WrappedKey;

use super::bytes::{Malformed, Reader, Writer};
use super::crypto::{
    Aead, KEY_LEN, NONCE_LEN, Schedule, SymmetricKey, TAG_LEN, associated_data, on_wiped_stack,
    random_array, same,
};
use super::environment::Entropy;
use super::error::{Result, StoreError, StoreErrorKind};
use super::format::StoreId;
use super::key_file::KeyFile;
use super::passphrase::{Passphrase, PassphraseCost};

/// Bytes of the salt of a slot.
pub(crate) const SALT_LEN: usize = 16;
/// The longest body of a slot in bytes: what the key services of the clouds return is far shorter.
const MAX_BODY_LEN: usize = 16 * 1024;
/// Number, kind, padding and length of the body.
const FRAME_LEN: usize = 12;
/// The domain of a slot's associated data.
const DOMAIN: &[u8] = b"mainstay slot 1";

const KIND_PASSPHRASE: u8 = 1;
const KIND_KEY_FILE: u8 = 2;
const KIND_PROVIDER: u8 = 3;

/// The number of a key slot in its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId(u32);

impl SlotId {
    /// The slot with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One way to the data key.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) id: SlotId,
    pub(crate) body: SlotBody,
}

#[derive(Debug, Clone)]
pub(crate) enum SlotBody {
    Passphrase { cost: PassphraseCost, seal: KeySeal },
    KeyFile { seal: KeySeal },
    Provider { wrapped: WrappedKey },
}

/// The data key under a key encryption key, with a commitment to the latter: without it, one
/// ciphertext could be made to open under many passphrases (partitioning oracle; Len, Grubbs,
/// Ristenpart, USENIX Security 2021).
#[derive(Debug, Clone)]
pub(crate) struct KeySeal {
    pub(crate) salt: [u8; SALT_LEN],
    commitment: [u8; KEY_LEN],
    sealed: [u8; NONCE_LEN + KEY_LEN + TAG_LEN],
}

/// A key encryption key; kept while the store is open, to follow a `rekey` by another process.
pub(crate) struct SlotKey {
    commitment: [u8; KEY_LEN],
    aead: Aead,
}

impl fmt::Debug for SlotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SlotKey([REDACTED])")
    }
}

impl SlotKey {
    fn derive(salt: &[u8; SALT_LEN], input: &[u8]) -> Result<Self> {
        on_wiped_stack(|| {
            let schedule = Schedule::new(salt, input);
            Ok(Self {
                commitment: schedule.commitment("slot commitment")?,
                aead: Aead::new(&schedule.key("slot key")?),
            })
        })
    }

    pub(crate) fn from_passphrase(
        passphrase: &Passphrase,
        cost: PassphraseCost,
        salt: &[u8; SALT_LEN],
    ) -> Result<Self> {
        let stretched = passphrase.stretch(cost, salt)?;
        Self::derive(salt, stretched.as_bytes())
    }

    pub(crate) fn from_key_file(key_file: &KeyFile, salt: &[u8; SALT_LEN]) -> Result<Self> {
        Self::derive(salt, key_file.key().as_bytes())
    }

    /// True when this is the key of that slot, as far as the slot tells.
    pub(crate) fn fits(&self, seal: &KeySeal) -> bool {
        same(&self.commitment, &seal.commitment)
    }
}

impl Slot {
    /// Seals the data key under `key` into the slot's body.
    pub(crate) fn seal(
        entropy: &dyn Entropy,
        store: StoreId,
        id: SlotId,
        method: &SealMethod,
        data_key: &SymmetricKey,
    ) -> Result<Self> {
        let mut slot = Self { id, body: method.unsealed_body() };
        let nonce = random_array(entropy)?;
        let aad = slot.aad(store);
        let sealed = on_wiped_stack(|| method.key.aead.seal(&nonce, &aad, data_key.as_bytes()))?;
        if let (Some(seal), Ok(sealed)) = (slot.seal_mut(), sealed.try_into()) {
            seal.sealed = sealed;
        }
        Ok(slot)
    }

    /// The data key, when `key` is the slot's. `None` says that it is another key.
    pub(crate) fn open(&self, store: StoreId, key: &SlotKey) -> Result<Option<SymmetricKey>> {
        let Some(seal) = self.key_seal().filter(|seal| key.fits(seal)) else {
            return Ok(None);
        };
        let plain = on_wiped_stack(|| key.aead.open(&self.aad(store), &seal.sealed).ok());
        let data_key = plain.and_then(|plain| SymmetricKey::from_slice(&plain));
        data_key.map(Some).ok_or_else(|| {
            StoreError::integrity(format!(
                "slot {} is altered: its key fits, its seal does not",
                self.id
            ))
        })
    }

    pub(crate) fn passphrase_cost(&self) -> Option<PassphraseCost> {
        match &self.body {
            SlotBody::Passphrase { cost, .. } => Some(*cost),
            _ => None,
        }
    }

    pub(crate) fn key_seal(&self) -> Option<&KeySeal> {
        match &self.body {
            SlotBody::Passphrase { seal, .. } | SlotBody::KeyFile { seal } => Some(seal),
            SlotBody::Provider { .. } => None,
        }
    }

    fn seal_mut(&mut self) -> Option<&mut KeySeal> {
        match &mut self.body {
            SlotBody::Passphrase { seal, .. } | SlotBody::KeyFile { seal } => Some(seal),
            SlotBody::Provider { .. } => None,
        }
    }

    /// Everything of the slot but the sealed key itself.
    fn aad(&self, store: StoreId) -> Vec<u8> {
        let mut fields = Vec::with_capacity(FRAME_LEN + 64);
        fields.put_u32(self.id.0);
        fields.put_u8(self.body.kind());
        if let SlotBody::Passphrase { cost, .. } = &self.body {
            cost.encode(&mut fields);
        }
        if let Some(seal) = self.key_seal() {
            fields.put(&seal.salt);
            fields.put(&seal.commitment);
        }
        associated_data(&[DOMAIN, store.as_bytes(), &fields])
    }

    pub(crate) fn encoded_len(&self) -> usize {
        FRAME_LEN + self.body.encoded_len()
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.put_u32(self.id.0);
        out.put_u8(self.body.kind());
        out.put(&[0; 3]);
        out.put_u32(u32::try_from(self.body.encoded_len()).unwrap_or(u32::MAX));
        self.body.encode(out);
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.encoded_len());
        self.encode(&mut bytes);
        bytes
    }

    /// True when this is the slot's key, as far as the slot tells.
    pub(crate) fn is_of(&self, key: &SlotKey) -> bool {
        self.key_seal().is_some_and(|seal| key.fits(seal))
    }

    pub(crate) fn parse(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let id = SlotId(reader.u32()?);
        let kind = reader.u8()?;
        if reader.array::<3>()? != [0; 3] {
            return Err(Malformed);
        }
        let len = reader.u32()? as usize;
        if len > MAX_BODY_LEN {
            return Err(Malformed);
        }
        let mut body = Reader::new(reader.bytes(len)?);
        let parsed = SlotBody::parse(kind, &mut body)?;
        body.end()?;
        Ok(Self { id, body: parsed })
    }
}

/// A key encryption key and what is stored of how to get it.
pub(crate) struct SealMethod {
    key: SlotKey,
    salt: [u8; SALT_LEN],
    cost: Option<PassphraseCost>,
}

impl SealMethod {
    pub(crate) fn passphrase(
        entropy: &dyn Entropy,
        passphrase: &Passphrase,
        cost: PassphraseCost,
    ) -> Result<Self> {
        let salt = random_array(entropy)?;
        let key = SlotKey::from_passphrase(passphrase, cost, &salt)?;
        Ok(Self { key, salt, cost: Some(cost) })
    }

    pub(crate) fn key_file(entropy: &dyn Entropy, key_file: &KeyFile) -> Result<Self> {
        let salt = random_array(entropy)?;
        let key = SlotKey::from_key_file(key_file, &salt)?;
        Ok(Self { key, salt, cost: None })
    }

    /// The method of an existing slot, with its key: what `rekey` seals a new data key with.
    pub(crate) fn of_slot(slot: &Slot, key: SlotKey) -> Option<Self> {
        Some(Self { key, salt: slot.key_seal()?.salt, cost: slot.passphrase_cost() })
    }

    pub(crate) fn into_key(self) -> SlotKey {
        self.key
    }

    fn unsealed_body(&self) -> SlotBody {
        let seal = KeySeal {
            salt: self.salt,
            commitment: self.key.commitment,
            sealed: [0; NONCE_LEN + KEY_LEN + TAG_LEN],
        };
        match self.cost {
            Some(cost) => SlotBody::Passphrase { cost, seal },
            None => SlotBody::KeyFile { seal },
        }
    }
}

impl SlotBody {
    fn kind(&self) -> u8 {
        match self {
            Self::Passphrase { .. } => KIND_PASSPHRASE,
            Self::KeyFile { .. } => KIND_KEY_FILE,
            Self::Provider { .. } => KIND_PROVIDER,
        }
    }

    fn encoded_len(&self) -> usize {
        match self {
            Self::Passphrase { .. } => PassphraseCost::ENCODED_LEN + KeySeal::ENCODED_LEN,
            Self::KeyFile { .. } => KeySeal::ENCODED_LEN,
            Self::Provider { wrapped } => wrapped.to_bytes().len(),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Passphrase { cost, seal } => {
                cost.encode(out);
                seal.encode(out);
            }
            Self::KeyFile { seal } => seal.encode(out),
            Self::Provider { wrapped } => out.put(&wrapped.to_bytes()),
        }
    }

    fn parse(kind: u8, reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        match kind {
            KIND_PASSPHRASE => {
                let cost = PassphraseCost::parse(reader)?;
                Ok(Self::Passphrase { cost, seal: KeySeal::parse(reader)? })
            }
            KIND_KEY_FILE => Ok(Self::KeyFile { seal: KeySeal::parse(reader)? }),
            KIND_PROVIDER => {
                let bytes = reader.bytes(reader.remaining())?;
                let wrapped = WrappedKey::from_bytes(bytes).map_err(|_| Malformed)?;
                Ok(Self::Provider { wrapped })
            }
            _ => Err(Malformed),
        }
    }
}

impl KeySeal {
    const ENCODED_LEN: usize = SALT_LEN + KEY_LEN + NONCE_LEN + KEY_LEN + TAG_LEN;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put(&self.salt);
        out.put(&self.commitment);
        out.put(&self.sealed);
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { salt: reader.array()?, commitment: reader.array()?, sealed: reader.array()? })
    }
}

/// The slot's body is longer than the format takes.
pub(crate) fn provider_slot(id: SlotId, wrapped: WrappedKey) -> Result<Slot> {
    let slot = Slot { id, body: SlotBody::Provider { wrapped } };
    if slot.body.encoded_len() > MAX_BODY_LEN {
        return Err(StoreError::new(
            StoreErrorKind::OutOfBounds,
            "the wrapped key of the provider is too long for a slot",
        ));
    }
    Ok(slot)
}

//! The key schedule and the sealing of byte strings. The layouts are in
//! `crates/secrets-local/docs/store-format.md`.

use std::fmt;

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::bytes::Writer;
use super::environment::Entropy;
use super::error::{Result, StoreError, StoreErrorKind};
use super::format::StoreId;
use super::record::RecordCipher;

/// Bytes of every symmetric key here.
pub(crate) const KEY_LEN: usize = 32;
/// Bytes of an XChaCha20-Poly1305 nonce (draft-irtf-cfrg-xchacha, section 2).
pub(crate) const NONCE_LEN: usize = 24;
/// Bytes of a Poly1305 tag (RFC 8439, section 2.5).
pub(crate) const TAG_LEN: usize = 16;
/// What a sealed record is longer than its plaintext: the nonce before it, the tag behind it.
pub(crate) const SEALED_OVERHEAD: usize = NONCE_LEN + TAG_LEN;

/// A symmetric key on the heap, so that moves leave no copies behind; wiped when dropped.
pub(crate) struct SymmetricKey(Box<[u8; KEY_LEN]>);

impl SymmetricKey {
    pub(crate) fn random(entropy: &dyn Entropy) -> Result<Self> {
        Self::filled(|bytes| fill(entropy, bytes))
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; KEY_LEN] = bytes.try_into().ok()?;
        let mut key = Self(Box::new([0; KEY_LEN]));
        key.0.copy_from_slice(bytes);
        Some(key)
    }

    /// A key whose bytes `fill` writes in place.
    pub(crate) fn filled(fill: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<Self> {
        let mut key = Self(Box::new([0; KEY_LEN]));
        fill(key.0.as_mut_slice())?;
        Ok(key)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl Clone for SymmetricKey {
    fn clone(&self) -> Self {
        let mut copy = Self(Box::new([0; KEY_LEN]));
        copy.0.copy_from_slice(self.0.as_slice());
        copy
    }
}

impl Drop for SymmetricKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SymmetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SymmetricKey([REDACTED])")
    }
}

pub(crate) fn fill(entropy: &dyn Entropy, bytes: &mut [u8]) -> Result<()> {
    entropy.fill(bytes).map_err(|error| {
        StoreError::new(StoreErrorKind::Internal, "no random bytes").with_source(error)
    })
}

pub(crate) fn random_array<const N: usize>(entropy: &dyn Entropy) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(entropy, &mut bytes)?;
    Ok(bytes)
}

/// How much of the stack is overwritten after work on keys: more than the primitives use of it
/// (the most is Argon2's, of some blocks of 1 KiB).
const STACK_WORDS: usize = 1024;

/// Runs work on keys and overwrites the stack that it ran on. The primitives keep what they hash, and
/// what they derive keys from, in arrays there, and wipe some of them. What `work` gives must hold
/// keys on the heap only, or it is copied to where this does not reach.
pub(crate) fn on_wiped_stack<T>(work: impl FnOnce() -> T) -> T {
    let answer = in_a_frame_of_its_own(work);
    wipe_stack();
    answer
}

#[inline(never)]
fn in_a_frame_of_its_own<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// Its array lies where the frames of the work lay, since both were called from the same one.
#[inline(never)]
fn wipe_stack() {
    let mut words = [0_u64; STACK_WORDS];
    words.zeroize();
    std::hint::black_box(&words);
}

/// HKDF-SHA256 (RFC 5869) of one input key; the labels separate what is derived. Made and used
/// [`on_wiped_stack`].
pub(crate) struct Schedule(Hkdf<Sha256>);

impl Schedule {
    pub(crate) fn new(salt: &[u8], input: &[u8]) -> Self {
        Self(Hkdf::new(Some(salt), input))
    }

    pub(crate) fn key(&self, label: &str) -> Result<SymmetricKey> {
        SymmetricKey::filled(|out| self.expand(label, out))
    }

    /// A value that commits to the input key: published, and useless for anything else.
    pub(crate) fn commitment(&self, label: &str) -> Result<[u8; KEY_LEN]> {
        let mut out = [0; KEY_LEN];
        self.expand(label, &mut out)?;
        Ok(out)
    }

    fn expand(&self, label: &str, out: &mut [u8]) -> Result<()> {
        self.0
            .expand_multi_info(&[b"mainstay store v1 ", label.as_bytes()], out)
            .map_err(|_| StoreError::new(StoreErrorKind::Internal, "key derivation failed"))
    }
}

/// XChaCha20-Poly1305 under one key.
pub(crate) struct Aead(Box<XChaCha20Poly1305>);

/// The seal did not open: other key, other associated data, or altered bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAuthentic;

impl Aead {
    pub(crate) fn new(key: &SymmetricKey) -> Self {
        Self::from_bytes(key.as_bytes())
    }

    pub(crate) fn from_bytes(key: &[u8; KEY_LEN]) -> Self {
        Self(Box::new(XChaCha20Poly1305::new(key.into())))
    }

    /// Seals into one new buffer of the exact size: nonce, ciphertext, tag.
    pub(crate) fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>> {
        let mut sealed = vec![0; plain.len() + SEALED_OVERHEAD];
        let tag = sealed.split_first_chunk_mut::<NONCE_LEN>().and_then(|(head, body)| {
            *head = *nonce;
            let (out, tag) = body.split_last_chunk_mut::<TAG_LEN>()?;
            let buffer = InOutBuf::new(plain, out).ok()?;
            *tag = self.0.encrypt_inout_detached(nonce.into(), aad, buffer).ok()?.into();
            Some(())
        });
        tag.map(|()| sealed).ok_or_else(too_long)
    }

    /// Seals `buffer` in place and gives the tag.
    pub(crate) fn seal_in_place(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; TAG_LEN]> {
        self.0
            .encrypt_inout_detached(nonce.into(), aad, buffer.into())
            .map(Into::into)
            .map_err(|_| too_long())
    }

    /// Opens what [`seal`](Self::seal) made, into a buffer of the exact size.
    pub(crate) fn open(
        &self,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Box<[u8]>>, NotAuthentic> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(NotAuthentic)?;
        let (cipher, tag) = body.split_last_chunk::<TAG_LEN>().ok_or(NotAuthentic)?;
        let mut plain = Zeroizing::new(vec![0; cipher.len()].into_boxed_slice());
        let buffer = InOutBuf::new(cipher, &mut plain).map_err(|_| NotAuthentic)?;
        self.0
            .decrypt_inout_detached(nonce.into(), aad, buffer, tag.into())
            .map_err(|_| NotAuthentic)?;
        Ok(plain)
    }

    /// Opens `buffer` in place; on failure it still holds the ciphertext.
    pub(crate) fn open_in_place(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), NotAuthentic> {
        self.0
            .decrypt_inout_detached(nonce.into(), aad, buffer.into(), tag.into())
            .map_err(|_| NotAuthentic)
    }
}

fn too_long() -> StoreError {
    StoreError::new(StoreErrorKind::OutOfBounds, "too long to be sealed")
}

/// Compares public tags and commitments without telling where they differ.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// HMAC-SHA256 (RFC 2104) over length-prefixed parts.
pub(crate) fn mac(key: &SymmetricKey, parts: &[&[u8]]) -> Result<[u8; 32]> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key.as_bytes())
        .map_err(|_| StoreError::new(StoreErrorKind::Internal, "no key for the fingerprint"))?;
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    Ok(mac.finalize().into_bytes().into())
}

/// Associated data in its one form: each part after its length as four bytes, little-endian.
pub(crate) fn associated_data(parts: &[&[u8]]) -> Vec<u8> {
    let mut aad = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        aad.put_u32(u32::try_from(part.len()).unwrap_or(u32::MAX));
        aad.put(part);
    }
    aad
}

/// Everything that is derived from the data key of one store.
pub(crate) struct StoreKeys {
    data_key: SymmetricKey,
    commitment: [u8; KEY_LEN],
    records: RecordCipher,
    index: Aead,
}

impl StoreKeys {
    pub(crate) fn derive(store: StoreId, data_key: SymmetricKey) -> Result<Self> {
        on_wiped_stack(|| {
            let schedule = Schedule::new(store.as_bytes(), data_key.as_bytes());
            Ok(Self {
                commitment: schedule.commitment("commitment")?,
                records: RecordCipher::with_key(store, &schedule.key("records")?),
                index: Aead::new(&schedule.key("index")?),
                data_key,
            })
        })
    }

    pub(crate) fn data_key(&self) -> &SymmetricKey {
        &self.data_key
    }

    pub(crate) fn commitment(&self) -> &[u8; KEY_LEN] {
        &self.commitment
    }

    pub(crate) fn records(&self) -> &RecordCipher {
        &self.records
    }

    pub(crate) fn index(&self) -> &Aead {
        &self.index
    }
}

impl fmt::Debug for StoreKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKeys([REDACTED])")
    }
}

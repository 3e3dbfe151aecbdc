use std::fmt;

use secrets_core::{SecretName, SecretValue, VersionId};
use zeroize::Zeroizing;

use super::crypto::{Aead, NotAuthentic, SymmetricKey, random_array};
use super::environment::Entropy;
use super::error::{Result, StoreError, StoreErrorKind};
use super::format::{StoreId, VersionKey};
use super::snapshot::unless_cut;

/// Bytes of a record's associated data before the name.
const PLACE_LEN: usize = 1 + 16 + 16;
/// The longest name: of a secret and of a wrapping key alike.
const MAX_NAME_LEN: usize = 256;

/// Seals and opens the records of a store: XChaCha20-Poly1305 under a random nonce, bound to the
/// store, the kind of record, the name and the version.
///
/// The store uses this for every value. By itself it is of use to measure, and to read a record
/// that was cut out of a file.
///
/// # What the caller must see to
///
/// - **The key is random, and chosen by nobody else.** XChaCha20-Poly1305 does not commit to its key:
///   who knows two keys can make one record that opens under both, to different values. A key that
///   comes from a passphrase, or is one of several to be tried, needs a commitment that is compared
///   before anything is opened with it. In the store the header commits to the data key that the
///   records' key is derived from.
/// - **The key is for the records of one store**, of this kind, and for nothing else.
/// - **A version id is used once.** What is authentic under a name and a version stays so: a record
///   that was replaced under the same id can be put back. The store writes no version twice.
///
/// ```
/// use secrets_core::SecretName;
/// use secrets_local::store::hazmat::RecordCipher;
/// use secrets_local::store::{OsEntropy, StoreId, VersionKey};
///
/// let cipher = RecordCipher::new(StoreId::from_bytes([1; 16]), &[7; 32]);
/// let name = SecretName::new("db/password")?;
/// let version = VersionKey::from_bytes([2; 16]);
///
/// let sealed = cipher.seal(&OsEntropy, &name, version, b"correct horse")?;
/// assert_eq!(cipher.open(&name, version, &sealed)?.expose_secret(), b"correct horse");
/// assert!(cipher.open(&SecretName::new("db/other")?, version, &sealed).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RecordCipher {
    store: StoreId,
    aead: Aead,
}

impl RecordCipher {
    /// How many bytes a sealed record has more than its value: a nonce of 24, a tag of 16.
    pub const OVERHEAD: usize = super::crypto::SEALED_OVERHEAD;

    /// A cipher for the records of `store` under `key`, which must be used for nothing else.
    pub fn new(store: StoreId, key: &[u8; 32]) -> Self {
        Self { store, aead: Aead::from_bytes(key) }
    }

    pub(crate) fn with_key(store: StoreId, key: &SymmetricKey) -> Self {
        Self::new(store, key.as_bytes())
    }

    /// Seals a value: nonce, ciphertext and tag in one buffer.
    ///
    /// # Errors
    /// [`Internal`](super::StoreErrorKind::Internal) when no random bytes can be had.
    pub fn seal(
        &self,
        entropy: &dyn Entropy,
        name: &SecretName,
        version: VersionKey,
        value: &[u8],
    ) -> Result<Vec<u8>> {
        self.seal_at(entropy, RecordPlace::secret(name, version), value)
    }

    /// Opens what [`seal`](Self::seal) made.
    ///
    /// # Errors
    /// [`Integrity`](super::StoreErrorKind::Integrity) when the bytes were altered or belong
    /// elsewhere.
    pub fn open(
        &self,
        name: &SecretName,
        version: VersionKey,
        sealed: &[u8],
    ) -> Result<SecretValue> {
        let place = RecordPlace::secret(name, version);
        let mut plain =
            self.open_at(place, sealed).map_err(|NotAuthentic| place.not_authentic())?;
        Ok(SecretValue::from_boxed(std::mem::take(&mut *plain)))
    }

    pub(crate) fn seal_at(
        &self,
        entropy: &dyn Entropy,
        place: RecordPlace<'_>,
        value: &[u8],
    ) -> Result<Vec<u8>> {
        let nonce = random_array(entropy)?;
        let mut buffer = [0; PLACE_LEN + MAX_NAME_LEN];
        let aad = place.associated_data(self.store, &mut buffer).ok_or_else(name_too_long)?;
        self.aead.seal(&nonce, aad, value)
    }

    pub(crate) fn open_at(
        &self,
        place: RecordPlace<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Box<[u8]>>, NotAuthentic> {
        let mut buffer = [0; PLACE_LEN + MAX_NAME_LEN];
        let aad = place.associated_data(self.store, &mut buffer).ok_or(NotAuthentic)?;
        self.aead.open(aad, sealed)
    }
}

fn name_too_long() -> StoreError {
    StoreError::new(StoreErrorKind::OutOfBounds, "the name is too long for a record")
}

impl fmt::Debug for RecordCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordCipher").field("store", &self.store).finish_non_exhaustive()
    }
}

/// What a record is of, so that neither kind can stand for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordKind {
    Secret = 1,
    WrappingKey = 2,
}

/// What a sealed record belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordPlace<'a> {
    kind: RecordKind,
    name: &'a str,
    version: VersionKey,
}

impl<'a> RecordPlace<'a> {
    pub(crate) fn new(kind: RecordKind, name: &'a str, version: VersionKey) -> Self {
        Self { kind, name, version }
    }

    pub(crate) fn secret(name: &'a SecretName, version: VersionKey) -> Self {
        Self::new(RecordKind::Secret, name.as_str(), version)
    }

    /// What is authenticated with a record: kind, store and version, which have fixed lengths, and
    /// the name behind them. One form for each place; the key it is used with is for records alone.
    fn associated_data<'b>(
        &self,
        store: StoreId,
        buffer: &'b mut [u8; PLACE_LEN + MAX_NAME_LEN],
    ) -> Option<&'b [u8]> {
        let name = self.name.as_bytes();
        let aad = buffer.get_mut(..PLACE_LEN + name.len())?;
        let (fixed, rest) = aad.split_first_chunk_mut::<PLACE_LEN>()?;
        let (kind, ids) = fixed.split_first_mut()?;
        let (first, second) = ids.split_at_mut_checked(16)?;
        *kind = self.kind as u8;
        first.copy_from_slice(store.as_bytes());
        second.copy_from_slice(self.version.as_bytes());
        rest.copy_from_slice(name);
        Some(aad)
    }

    /// The error that names this record.
    pub(crate) fn not_authentic(self) -> StoreError {
        StoreError::integrity(format!("{self} is altered"))
    }

    /// The error for a record whose bytes could not be read.
    pub(crate) fn unreadable(self, error: std::io::Error) -> StoreError {
        unless_cut(error, format!("cannot read {self}"), || self.not_authentic())
    }
}

impl fmt::Display for RecordPlace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, version } = self;
        let what = match kind {
            RecordKind::Secret => "secret",
            RecordKind::WrappingKey => "wrapping key",
        };
        write!(f, "the record of {what} `{name}`, version {version}")
    }
}

impl VersionKey {
    /// The id as the contract writes it: 32 hexadecimal digits.
    pub(crate) fn to_id(self) -> secrets_core::Result<VersionId> {
        VersionId::new(&self.to_string())
    }

    /// The version that an id of the contract means; `None` for an id that no store minted.
    pub(crate) fn from_id(id: &VersionId) -> Option<Self> {
        super::format::parse_hex(id.as_str()).map(Self::from_bytes)
    }
}

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretSlice};

use crate::capability::Support;
use crate::error::{Error, ErrorKind, Result};
use crate::provider::ProviderId;
use crate::value::SecretValue;
use crate::version::VersionId;

const MAX_TEXT: usize = 2048;

/// Which key encryption key: the provider's own name for it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyRef(Arc<str>);

impl KeyRef {
    /// Takes a key's name, ARN or URL.
    ///
    /// # Errors
    /// `InvalidName` when it is empty, longer than 2,048 bytes, or not graphic ASCII.
    pub fn new(key: &str) -> Result<Self> {
        let sound =
            (1..=MAX_TEXT).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
        if !sound {
            return Err(Error::new(ErrorKind::InvalidName, "not the name of a key"));
        }
        Ok(Self(key.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// The length of a data key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyLen {
    /// 16 bytes.
    Bits128,
    /// 32 bytes.
    Bits256,
    /// 64 bytes.
    Bits512,
}

impl KeyLen {
    /// The length in bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Bits128 => 16,
            Self::Bits256 => 32,
            Self::Bits512 => 64,
        }
    }
}

/// A data key in the clear, wiped when dropped.
pub struct DataKey(SecretSlice<u8>);

impl DataKey {
    /// Takes over a key.
    pub fn from_boxed(bytes: Box<[u8]>) -> Self {
        Self(SecretSlice::from(bytes))
    }

    /// The key's bytes.
    pub fn expose_secret(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// The key as a secret's value.
    pub fn to_value(&self) -> SecretValue {
        SecretValue::copy_from_slice(self.expose_secret())
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey([REDACTED])")
    }
}

/// A data key under a key encryption key. Not secret; it names the key and, where the service
/// tells, the version that wraps it (Google decrypts by key alone: informational there).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WrappedKey {
    /// The key encryption key.
    pub key: KeyRef,
    /// Its version.
    pub version: Option<VersionId>,
    /// The wrapped bytes, in the provider's form.
    pub ciphertext: Vec<u8>,
}

impl WrappedKey {
    /// A wrapped key.
    pub fn new(key: KeyRef, version: Option<VersionId>, ciphertext: Vec<u8>) -> Self {
        Self { key, version, ciphertext }
    }

    /// The form to store: `0x01`, then key, version (empty when unknown) and ciphertext, each after
    /// its length as four bytes, big-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let version = self.version.as_ref().map_or("", VersionId::as_str);
        let mut bytes = vec![1];
        for part in [self.key.as_str().as_bytes(), version.as_bytes(), &self.ciphertext] {
            push_part(&mut bytes, part);
        }
        bytes
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// `Integrity` when the bytes are not the form of a wrapped key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::parse(bytes).ok_or_else(|| Error::new(ErrorKind::Integrity, "not a wrapped key"))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[1])?;
        let (key, rest) = take_part(rest, MAX_TEXT)?;
        let (version, rest) = take_part(rest, MAX_TEXT)?;
        let (ciphertext, rest) = take_part(rest, usize::MAX)?;
        if !rest.is_empty() {
            return None;
        }
        let version = match version {
            [] => None,
            id => Some(VersionId::new(std::str::from_utf8(id).ok()?).ok()?),
        };
        let key = KeyRef::new(std::str::from_utf8(key).ok()?).ok()?;
        Some(Self { key, version, ciphertext: ciphertext.to_vec() })
    }
}

/// The length fits: names and facts are bounded when they are made, and no service's wrapped key is
/// anywhere near 4 GiB.
fn push_part(bytes: &mut Vec<u8>, part: &[u8]) {
    let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes.extend_from_slice(part);
}

fn take_part(bytes: &[u8], max: usize) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
    if len > max { None } else { rest.split_at_checked(len) }
}

/// Facts bound to a wrapped key: it opens only with the same ones. Not secret; a cloud's key
/// service may log them.
///
/// ```
/// use secrets_core::WrapContext;
///
/// let context = WrapContext::new().with("tenant", "acme")?.with("purpose", "invoices")?;
/// assert!(context.with("tenant", "other").is_err());
/// # Ok::<(), secrets_core::ContextError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WrapContext(BTreeMap<Box<str>, Box<str>>);

/// Why a fact cannot join a [`WrapContext`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// The fact is there already.
    #[error("`{name}` is in the context already")]
    Duplicate {
        /// Which fact.
        name: Box<str>,
    },
    /// A name or value is empty or longer than 2,048 bytes.
    #[error("a context's names and values take 1 to 2048 bytes")]
    Length,
}

impl WrapContext {
    /// No facts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fact.
    ///
    /// # Errors
    /// [`ContextError`] for a duplicate, or a name or value of unfit length.
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, ContextError> {
        let fits = |text: &str| (1..=MAX_TEXT).contains(&text.len());
        if !fits(name) || !fits(value) {
            return Err(ContextError::Length);
        }
        match self.0.insert(name.into(), value.into()) {
            None => Ok(self),
            Some(_) => Err(ContextError::Duplicate { name: name.into() }),
        }
    }

    /// The facts, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The canonical bytes to authenticate: `0x01`, the number of facts as four bytes, then names
    /// and values in byte order of the names, each after its length as four bytes, big-endian.
    pub fn to_aad(&self) -> Vec<u8> {
        let mut bytes = vec![1];
        bytes.extend_from_slice(&u32::try_from(self.0.len()).unwrap_or(u32::MAX).to_be_bytes());
        for (name, value) in self.iter() {
            push_part(&mut bytes, name.as_bytes());
            push_part(&mut bytes, value.as_bytes());
        }
        bytes
    }
}

/// What a key provider can do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyCapabilities {
    /// Whether the service itself binds the context; emulated where the key is wrapped together with
    /// a hash of the context.
    pub context_binding: Support,
    /// Whether rewrapping happens inside the service.
    pub rewrap: Support,
    /// Whether the service makes data keys itself.
    pub generate: Support,
    /// Whether [`wrapping_version`](KeyProvider::wrapping_version) tells; emulated where that takes
    /// another question than the wrapped key answers by itself.
    pub wrapping_version: Support,
    /// Whether it tells so of what [`wrap_key`](KeyProvider::wrap_key) wrapped, too. AWS names the
    /// version of what was made or rewrapped, and not of what was wrapped.
    pub version_of_wrapped: Support,
    /// The longest key that can be wrapped, in bytes.
    pub plaintext_len: usize,
}

impl KeyCapabilities {
    /// Everything native, keys of up to `plaintext_len` bytes.
    pub const fn native(plaintext_len: usize) -> Self {
        Self {
            context_binding: Support::Native,
            rewrap: Support::Native,
            generate: Support::Native,
            wrapping_version: Support::Native,
            version_of_wrapped: Support::Native,
            plaintext_len,
        }
    }
}

/// Which version of its key a wrapped key is under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WrappingVersion {
    /// The one that wraps now (AWS: the current key material; Google: the primary version).
    Current,
    /// One that only opens any more: rewrapping brings it under the current one.
    Superseded,
    /// The service does not tell.
    Unknown,
}

/// A service that wraps data keys under keys that never leave it.
#[async_trait]
pub trait KeyProvider: fmt::Debug + Send + Sync + 'static {
    /// Which service, and as whom: what a [`KeyRef`] is relative to, so part of every cache key and
    /// audit record. Not `id`, since one type may provide secrets as well.
    fn key_provider_id(&self) -> &ProviderId;

    /// What it can do.
    fn key_capabilities(&self) -> &KeyCapabilities;

    /// Makes a data key, in the clear and wrapped.
    ///
    /// # Errors
    /// `NotFound` for an unknown key, `Disabled`, `PermissionDenied`, or that it cannot be reached.
    async fn generate_data_key(
        &self,
        key: &KeyRef,
        len: KeyLen,
        context: &WrapContext,
    ) -> Result<(DataKey, WrappedKey)>;

    /// Wraps a data key.
    ///
    /// # Errors
    /// As [`generate_data_key`](Self::generate_data_key); `TooLarge`.
    async fn wrap_key(
        &self,
        key: &KeyRef,
        data_key: &DataKey,
        context: &WrapContext,
    ) -> Result<WrappedKey>;

    /// Opens a wrapped key.
    ///
    /// # Errors
    /// `Integrity` when it was changed or the context is another; `NotFound` when the key that
    /// wrapped it is gone.
    async fn unwrap_key(&self, wrapped: &WrappedKey, context: &WrapContext) -> Result<DataKey>;

    /// Wraps the same data key under the newest version of `to`.
    ///
    /// # Errors
    /// As [`unwrap_key`](Self::unwrap_key) and [`wrap_key`](Self::wrap_key).
    async fn rewrap_key(
        &self,
        wrapped: &WrappedKey,
        to: &KeyRef,
        context: &WrapContext,
    ) -> Result<WrappedKey> {
        let data_key = self.unwrap_key(wrapped, context).await?;
        self.wrap_key(to, &data_key, context).await
    }

    /// Which version of its key a wrapped key is under, so that after a rotation only what is
    /// superseded need be rewrapped. It goes by what the wrapped key says of itself: whether that is
    /// true, and whether that version still opens, opening tells.
    ///
    /// # Errors
    /// `NotFound` when the key or that version of it is gone. `Unknown` is no error.
    async fn wrapping_version(&self, _wrapped: &WrappedKey) -> Result<WrappingVersion> {
        Ok(WrappingVersion::Unknown)
    }
}

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretSlice};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::error::{Error, ErrorKind, Result};
use crate::version::VersionInfo;

/// The bytes of a secret, with an optional media type.
///
/// Clones share the bytes; they are wiped when the last clone is dropped. The only ways out are
/// [`expose_secret`](Self::expose_secret) and [`expose_secret_text`](Self::expose_secret_text):
/// search a code base for `expose_secret` and every place where a secret leaves is found. There is
/// no `Display`, `Serialize`, `Deref` or `AsRef`, and `==` is replaced by [`ct_eq`](Self::ct_eq).
///
/// ```
/// use secrets_core::SecretValue;
///
/// let value = SecretValue::from_string("correct horse".to_owned());
/// assert_eq!(value.expose_secret_text()?, "correct horse");
/// assert_eq!(format!("{value:?}"), "SecretValue([REDACTED])");
/// # Ok::<(), secrets_core::Error>(())
/// ```
#[derive(Clone)]
pub struct SecretValue(Arc<Shared>);

/// What clones share.
struct Shared {
    bytes: Bytes,
    /// Few values have one: it takes up as little room as can be.
    content_type: Option<Box<Box<str>>>,
}

enum Bytes {
    /// The first `len` are the value, all others zero. They lie in one block with the counts, so
    /// that a reader who comes to a value for the first time waits for memory once.
    Short {
        len: u8,
        room: [u8; SHORT],
    },
    Long(SecretSlice<u8>),
}

/// Passwords and keys are shorter. With all that lies beside them this makes a block of 104 bytes.
const SHORT: usize = 78;

impl Drop for Bytes {
    fn drop(&mut self) {
        match self {
            Self::Short { room, .. } => room.zeroize(),
            // Wipes itself.
            Self::Long(_) => {}
        }
    }
}

impl From<Bytes> for SecretValue {
    fn from(bytes: Bytes) -> Self {
        Self(Arc::new(Shared { bytes, content_type: None }))
    }
}

impl SecretValue {
    /// Takes the bytes of a buffer and wipes it, with its spare capacity. A large buffer that has none
    /// is taken over as it is.
    pub fn from_vec(mut bytes: Vec<u8>) -> Self {
        if bytes.capacity() == bytes.len() {
            return Self::from_boxed(bytes.into_boxed_slice());
        }
        let value = Self::copy_from_slice(&bytes);
        bytes.zeroize();
        value
    }

    /// Takes the bytes of a text; see [`from_vec`](Self::from_vec).
    pub fn from_string(text: String) -> Self {
        Self::from_vec(text.into_bytes())
    }

    /// Takes the bytes of a buffer and wipes it; a large one is taken over as it is.
    pub fn from_boxed(mut bytes: Box<[u8]>) -> Self {
        match Self::short(&bytes) {
            Some(value) => {
                bytes.zeroize();
                value
            }
            None => Self::long(bytes),
        }
    }

    /// Copies the bytes; wiping the original is the caller's business.
    pub fn copy_from_slice(bytes: &[u8]) -> Self {
        Self::short(bytes).unwrap_or_else(|| Self::long(Box::from(bytes)))
    }

    /// The bytes come in when the block has its place: moving them there would leave a copy behind.
    fn short(bytes: &[u8]) -> Option<Self> {
        let wanted = u8::try_from(bytes.len()).ok().filter(|len| usize::from(*len) <= SHORT)?;
        let mut value = Self::from(Bytes::Short { len: wanted, room: [0; SHORT] });
        let Bytes::Short { room, .. } = &mut Arc::get_mut(&mut value.0)?.bytes else { return None };
        room.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(value)
    }

    fn long(bytes: Box<[u8]>) -> Self {
        Self::from(Bytes::Long(SecretSlice::from(bytes)))
    }

    /// The same bytes with a media type, such as `application/json`.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<Box<str>>) -> Self {
        if Arc::get_mut(&mut self.0).is_none() {
            self = Self::copy_from_slice(self.expose_secret());
        }
        if let Some(shared) = Arc::get_mut(&mut self.0) {
            shared.content_type = Some(Box::new(content_type.into()));
        }
        self
    }

    /// The secret bytes.
    pub fn expose_secret(&self) -> &[u8] {
        match &self.0.bytes {
            Bytes::Short { len, room } => room.get(..usize::from(*len)).unwrap_or_default(),
            Bytes::Long(bytes) => bytes.expose_secret(),
        }
    }

    /// The secret as text.
    ///
    /// # Errors
    /// `InvalidValue` when the bytes are not UTF-8.
    pub fn expose_secret_text(&self) -> Result<&str> {
        std::str::from_utf8(self.expose_secret())
            .map_err(|_| Error::new(ErrorKind::InvalidValue, "the secret is not UTF-8 text"))
    }

    /// The media type, where one was set.
    pub fn content_type(&self) -> Option<&str> {
        self.0.content_type.as_deref().map(|text| &**text)
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.expose_secret().len()
    }

    /// True when there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Compares the bytes in a time that depends on their lengths alone.
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.expose_secret().ct_eq(other.expose_secret()).into()
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue([REDACTED])")
    }
}

/// A secret's value together with the version it belongs to.
// In this order, which puts the value beside the tag of a state: who reads many secrets by handle waits
// for memory once less.
#[derive(Debug, Clone)]
#[repr(C)]
pub struct Secret {
    /// The value.
    pub value: SecretValue,
    /// The version that was read.
    pub version: VersionInfo,
}

impl Secret {
    /// A value of a version.
    pub fn new(value: SecretValue, version: VersionInfo) -> Self {
        Self { value, version }
    }
}

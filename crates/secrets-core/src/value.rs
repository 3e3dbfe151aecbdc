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
pub struct SecretValue(Arc<Inner>);

struct Inner {
    bytes: SecretSlice<u8>,
    content_type: Option<Box<str>>,
}

impl SecretValue {
    /// Takes over a buffer. Where it has spare capacity its bytes move to one of the exact size and
    /// it is wiped, since shrinking in place may leave residue behind.
    pub fn from_vec(mut bytes: Vec<u8>) -> Self {
        if bytes.capacity() == bytes.len() {
            return Self::from_boxed(bytes.into_boxed_slice());
        }
        let value = Self::copy_from_slice(&bytes);
        bytes.zeroize();
        value
    }

    /// Takes over a text; see [`from_vec`](Self::from_vec).
    pub fn from_string(text: String) -> Self {
        Self::from_vec(text.into_bytes())
    }

    /// Takes over a buffer of the exact size.
    pub fn from_boxed(bytes: Box<[u8]>) -> Self {
        Self(Arc::new(Inner { bytes: SecretSlice::from(bytes), content_type: None }))
    }

    /// Copies the bytes; wiping the original is the caller's business.
    pub fn copy_from_slice(bytes: &[u8]) -> Self {
        Self::from_boxed(Box::from(bytes))
    }

    /// The same bytes with a media type, such as `application/json`.
    #[must_use]
    pub fn with_content_type(self, content_type: impl Into<Box<str>>) -> Self {
        let content_type = Some(content_type.into());
        let bytes = match Arc::try_unwrap(self.0) {
            Ok(inner) => inner.bytes,
            Err(shared) => SecretSlice::from(Box::from(shared.bytes.expose_secret())),
        };
        Self(Arc::new(Inner { bytes, content_type }))
    }

    /// The secret bytes.
    pub fn expose_secret(&self) -> &[u8] {
        self.0.bytes.expose_secret()
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
        self.0.content_type.as_deref()
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
#[derive(Debug, Clone)]
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

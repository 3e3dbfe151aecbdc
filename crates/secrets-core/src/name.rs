use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest name, in bytes. The shortest limit of a cloud (Azure Key Vault, 127 characters) is
/// checked when the name is encoded for it.
const MAX_LEN: usize = 256;

/// The provider-neutral name of a secret: segments of `[a-z0-9._-]` joined by `/`.
///
/// Lower case only, so that no two names meet in a store that ignores case; no segment is empty or
/// starts with a dot, so that no name can climb or hide in a folder; 256 bytes at most. How a name
/// looks in a backend is the business of [`NameRules`](crate::NameRules).
///
/// ```
/// use secrets_core::SecretName;
///
/// let name: SecretName = "billing/db-password".parse()?;
/// assert_eq!(name.as_str(), "billing/db-password");
/// assert!("../etc/passwd".parse::<SecretName>().is_err());
/// # Ok::<(), secrets_core::InvalidName>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretName(Arc<str>);

/// Why a text is not a [`SecretName`], or cannot be expressed in a backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidName {
    /// The name has no characters.
    #[error("the name is empty")]
    Empty,
    /// The name, or its form in the backend, is too long.
    #[error("the name takes {len} bytes where at most {max} fit")]
    TooLong {
        /// Bytes needed.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A character outside the alphabet.
    #[error("character {character:?} at byte {at} is not one of a-z, 0-9, `.`, `_`, `-`, `/`")]
    Character {
        /// The character, shown escaped.
        character: char,
        /// Its offset in bytes.
        at: usize,
    },
    /// A segment between slashes is empty.
    #[error("the segment at byte {at} is empty")]
    EmptySegment {
        /// The segment's offset in bytes.
        at: usize,
    },
    /// A segment starts with a dot.
    #[error("the segment at byte {at} starts with a dot")]
    LeadingDot {
        /// The segment's offset in bytes.
        at: usize,
    },
    /// The name is reserved by the backend, or a native id is not well formed for it.
    #[error("the name is not usable here: {reason}")]
    NotUsable {
        /// What is wrong, without the name itself.
        reason: &'static str,
    },
}

impl SecretName {
    /// Parses a name.
    ///
    /// # Errors
    /// [`InvalidName`] says which rule the text breaks and where.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        if name.is_empty() {
            return Err(InvalidName::Empty);
        }
        if name.len() > MAX_LEN {
            return Err(InvalidName::TooLong { len: name.len(), max: MAX_LEN });
        }
        if let Some((at, character)) = name.char_indices().find(|(_, c)| !is_name_char(*c)) {
            return Err(InvalidName::Character { character, at });
        }
        let mut at = 0;
        for segment in name.split('/') {
            match segment.as_bytes().first() {
                None => return Err(InvalidName::EmptySegment { at }),
                Some(b'.') => return Err(InvalidName::LeadingDot { at }),
                Some(_) => at += segment.len() + 1,
            }
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts between the slashes; at least one.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

fn is_name_char(c: char) -> bool {
    matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-' | '/')
}

impl FromStr for SecretName {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, InvalidName> {
        Self::new(name)
    }
}

impl TryFrom<&str> for SecretName {
    type Error = InvalidName;

    fn try_from(name: &str) -> Result<Self, InvalidName> {
        Self::new(name)
    }
}

impl AsRef<str> for SecretName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

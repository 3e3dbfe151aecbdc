use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::name::{InvalidName, SecretName};

/// The longest native id in bytes: the longest ARN of AWS.
const MAX_NATIVE_LEN: usize = 2048;

/// The longest field name in a reference, in bytes.
const MAX_FIELD_LEN: usize = 256;

/// Which secret: by the neutral name, or by what the backend itself calls it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SecretRef {
    /// A provider-neutral name.
    Name(SecretName),
    /// An existing entry under a foreign name, or an ARN; the provider parses it.
    Native(NativeId),
}

impl SecretRef {
    /// The neutral name, where this is one.
    pub fn name(&self) -> Option<&SecretName> {
        match self {
            Self::Name(name) => Some(name),
            Self::Native(_) => None,
        }
    }
}

impl From<SecretName> for SecretRef {
    fn from(name: SecretName) -> Self {
        Self::Name(name)
    }
}

impl From<&SecretName> for SecretRef {
    fn from(name: &SecretName) -> Self {
        Self::Name(name.clone())
    }
}

impl From<NativeId> for SecretRef {
    fn from(id: NativeId) -> Self {
        Self::Native(id)
    }
}

impl From<&SecretRef> for SecretRef {
    fn from(reference: &SecretRef) -> Self {
        reference.clone()
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Native(id) => write!(f, "native:{id}"),
        }
    }
}

/// What a backend itself calls a secret. Only its form is checked here: 1 to 2,048 bytes of
/// printable text, no white space at the ends, no bidirectional controls.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NativeId(Arc<str>);

impl NativeId {
    /// Takes a backend's name.
    ///
    /// # Errors
    /// [`InvalidName`] says which rule the text breaks.
    pub fn new(id: &str) -> Result<Self, InvalidName> {
        check_text(id, MAX_NATIVE_LEN)?;
        if id.trim().len() != id.len() {
            return Err(InvalidName::NotUsable { reason: "white space at an end" });
        }
        Ok(Self(id.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_text(text: &str, max: usize) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty);
    }
    if text.len() > max {
        return Err(InvalidName::TooLong { len: text.len(), max });
    }
    match text.char_indices().find(|(_, c)| misleads(*c)) {
        Some((at, character)) => Err(InvalidName::Character { character, at }),
        None => Ok(()),
    }
}

/// Control characters and the bidirectional controls of Unicode Standard Annex 9, which make a
/// name look like another.
fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

impl fmt::Display for NativeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NativeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// A reference to a secret in a configuration: `secret://name` or `secret://name#field`.
///
/// The field is all that follows the first `#` and names a field of a JSON secret.
///
/// ```
/// use secrets_core::SecretReference;
///
/// let reference: SecretReference = "secret://billing/db#password".parse()?;
/// assert_eq!(reference.name().as_str(), "billing/db");
/// assert_eq!(reference.field(), Some("password"));
/// # Ok::<(), secrets_core::InvalidName>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretReference {
    name: SecretName,
    field: Option<Box<str>>,
}

impl SecretReference {
    /// The scheme that starts every reference.
    pub const SCHEME: &'static str = "secret://";

    /// A reference to a whole secret.
    pub fn new(name: SecretName) -> Self {
        Self { name, field: None }
    }

    /// The same with a field.
    ///
    /// # Errors
    /// [`InvalidName`] when it is empty, longer than 256 bytes, or has a control character or a
    /// bidirectional control.
    pub fn with_field(mut self, field: &str) -> Result<Self, InvalidName> {
        check_text(field, MAX_FIELD_LEN)?;
        self.field = Some(field.into());
        Ok(self)
    }

    /// The secret's name.
    pub fn name(&self) -> &SecretName {
        &self.name
    }

    /// The field of a JSON secret, where one is asked for.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }
}

impl FromStr for SecretReference {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let rest = text
            .strip_prefix(Self::SCHEME)
            .ok_or(InvalidName::NotUsable { reason: "a reference starts with `secret://`" })?;
        match rest.split_once('#') {
            None => Ok(Self::new(SecretName::new(rest)?)),
            Some((name, field)) => Self::new(SecretName::new(name)?).with_field(field),
        }
    }
}

impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::SCHEME, self.name)?;
        match &self.field {
            Some(field) => write!(f, "#{field}"),
            None => Ok(()),
        }
    }
}

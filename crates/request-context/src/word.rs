use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::trace::TraceId;

/// The longest [`Id`], in bytes: an AWS ARN takes up to 2,048, but those of secrets stay below this.
const MAX_ID: usize = 1024;
const MAX_CODE: usize = 64;

/// A word of the program's own: an operation, a kind of thing, a reason. Only text that stands in
/// the source code can become one, so nothing that is read at run time can slip into it.
///
/// ```
/// use request_context::Code;
///
/// const ROTATE: Code = Code::new("rotate_secret");
/// assert_eq!(ROTATE.as_str(), "rotate_secret");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(&'static str);

impl Code {
    /// A word of lower-case letters, digits, `_`, `-`, `.` and `:`, 1 to 64 of them.
    ///
    /// # Panics
    /// When it is not: in a constant, which is where it belongs, that is an error of the compiler.
    #[must_use]
    #[expect(clippy::panic, reason = "an error of the compiler in a constant")]
    pub const fn new(word: &'static str) -> Self {
        let bytes = word.as_bytes();
        let mut rest = bytes;
        while let [first, others @ ..] = rest {
            let is_fit = first.is_ascii_lowercase()
                || first.is_ascii_digit()
                || matches!(first, b'_' | b'-' | b'.' | b':');
            if !is_fit {
                panic!("a code takes lower-case letters, digits, `_`, `-`, `.` and `:`");
            }
            rest = others;
        }
        if bytes.is_empty() || bytes.len() > MAX_CODE {
            panic!("a code takes 1 to 64 bytes");
        }
        Self(word)
    }

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

/// What identifies somebody or something: a user's id, a session's, a secret's name, an ARN.
///
/// It is one token of bounded length, so no sentence, document or key file fits. There is no
/// conversion from a type that holds a secret; which texts are identifiers is for the caller to know.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(Arc<str>);

/// Why a text is no [`Id`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidId {
    /// It is empty.
    Empty,
    /// It is longer than 1,024 bytes.
    TooLong,
    /// It has a space, a control character, an invisible one, or one that changes the direction.
    Character,
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("an identifier is not empty"),
            Self::TooLong => write!(f, "an identifier takes at most {MAX_ID} bytes"),
            Self::Character => {
                f.write_str("an identifier has no spaces, control or formatting characters")
            }
        }
    }
}

impl std::error::Error for InvalidId {}

impl Id {
    /// Takes an identifier: 1 to 1,024 bytes without white space, control characters, and characters
    /// that do not show or that reorder text.
    ///
    /// # Errors
    /// [`InvalidId`], which does not quote it.
    pub fn new(id: &str) -> Result<Self, InvalidId> {
        match id.len() {
            0 => Err(InvalidId::Empty),
            1..=MAX_ID if id.chars().all(shows) => Ok(Self(id.into())),
            1..=MAX_ID => Err(InvalidId::Character),
            _ => Err(InvalidId::TooLong),
        }
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a character can stand in a log without misleading who reads it: Unicode's default
/// ignorable and bidirectional formatting characters cannot (UAX #9, UTS #39).
fn shows(character: char) -> bool {
    let formats = matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    );
    !formats && !character.is_whitespace() && !character.is_control()
}

impl From<Code> for Id {
    fn from(code: Code) -> Self {
        Self(code.0.into())
    }
}

impl From<TraceId> for Id {
    /// The 32 hexadecimal digits.
    fn from(id: TraceId) -> Self {
        Self(str::from_utf8(&id.to_hex()).unwrap_or_default().into())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

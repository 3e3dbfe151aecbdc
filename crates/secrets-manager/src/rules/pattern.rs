use std::fmt;

use regex_lite::{Regex, RegexBuilder};
use serde::Deserialize;

/// The longest pattern, in bytes.
const MAX_PATTERN: usize = 1024;

/// What a compiled pattern may take, in bytes: the time of a match is at most its number of
/// instructions times the length of the value.
const MAX_COMPILED: usize = 64 << 10;

/// The longest value that is matched: what AWS and Google keep at most.
pub(crate) const MAX_VALUE: usize = 64 << 10;

/// A regular expression that the whole of a value has to match, as if it stood between `^(?:` and
/// `)$` without the multi-line flag: `[0-9]+` matches `123`, and neither `123x` nor `123` with a
/// line end behind it.
///
/// The syntax is that of the crate `regex-lite` 0.1: no look-around, no back references, `\w`, `\d`,
/// `\s` and `(?i)` for ASCII alone. Matching takes a time that is linear in the value, whatever the pattern. A
/// pattern takes 1,024 bytes at most and compiles to 64 KiB at most. What is not UTF-8, or longer than
/// 65,536 bytes, matches no pattern.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern {
    text: String,
    whole: Regex,
}

/// Why a text is no [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a pattern that can be used: {reason}")]
pub struct InvalidPattern {
    reason: String,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// [`InvalidPattern`] when it is no regular expression, or a larger one than is allowed.
    pub fn new(pattern: &str) -> Result<Self, InvalidPattern> {
        if pattern.len() > MAX_PATTERN {
            return Err(InvalidPattern {
                reason: format!("it is longer than {MAX_PATTERN} bytes"),
            });
        }
        // By itself first: `a)(?:b` is none, and would be one in parentheses.
        compile(pattern)?;
        // A comment at its end (flag `x`) ends with the line.
        let whole = compile(&format!(r"\A(?:{pattern})\z"))
            .or_else(|_| compile(&format!("\\A(?:{pattern}\n)\\z")))?;
        Ok(Self { text: pattern.to_owned(), whole })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn matches(&self, value: &[u8]) -> bool {
        value.len() <= MAX_VALUE
            && std::str::from_utf8(value).is_ok_and(|text| self.whole.is_match(text))
    }
}

fn compile(pattern: &str) -> Result<Regex, InvalidPattern> {
    RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED)
        .build()
        .map_err(|error| InvalidPattern { reason: error.to_string() })
}

impl TryFrom<String> for Pattern {
    type Error = InvalidPattern;

    fn try_from(pattern: String) -> Result<Self, InvalidPattern> {
        Self::new(&pattern)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.text).finish()
    }
}

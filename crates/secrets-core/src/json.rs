//! One field of a JSON secret, without making the others.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};
use crate::value::SecretValue;

impl SecretValue {
    /// One field of a JSON object: the characters of a string, the JSON text of anything else.
    ///
    /// The other fields are skipped, never copied, and looked at no closer than that takes (a lone
    /// surrogate in one of them goes unnoticed); the field itself is copied once, into a buffer of
    /// its exact size that is wiped like any secret.
    ///
    /// ```
    /// use secrets_core::SecretValue;
    ///
    /// let secret = SecretValue::copy_from_slice(br#"{"user":"app","password":"s3\u0063ret"}"#);
    /// assert_eq!(secret.json_field("password")?.expose_secret(), b"s3cret");
    /// # Ok::<(), secrets_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidValue` when the secret is not one JSON object, when the field stands in it twice, is
    /// `null`, or holds a lone surrogate; `NotFound` when the object does not have it.
    pub fn json_field(&self, field: &str) -> Result<Self> {
        let document = self.expose_secret();
        // The parser's error for anything but an object holds a copy of what it found instead,
        // and would free it unwiped.
        if !document.trim_ascii_start().starts_with(b"{") {
            return Err(invalid("the secret is not one JSON object"));
        }
        let mut json = serde_json::Deserializer::from_slice(document);
        let raw = FieldSeed(field)
            .deserialize(&mut json)
            .and_then(|raw| json.end().map(|()| raw))
            // The parser's own messages can quote the document, so only the place is kept.
            .map_err(|error| not_an_object(&error))?;
        match raw {
            Found::Once(raw) => field_value(raw.get()),
            Found::Missing => Err(Error::new(ErrorKind::NotFound, "no such field in the secret")),
            Found::Twice => Err(invalid("the field stands twice in the secret")),
        }
    }
}

fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidValue, message)
}

fn not_an_object(error: &serde_json::Error) -> Error {
    let message = format!(
        "the secret is not one JSON object (line {}, column {})",
        error.line(),
        error.column()
    );
    Error::new(ErrorKind::InvalidValue, message)
}

enum Found<'de> {
    Missing,
    Once(&'de RawValue),
    Twice,
}

struct FieldSeed<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for FieldSeed<'_> {
    type Value = Found<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Found<'de>, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FieldSeed<'_> {
    type Value = Found<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found<'de>, A::Error> {
        let mut found = Found::Missing;
        // Keys too are taken raw: unescaping them in the parser would leave copies behind.
        while let Some(key) = map.next_key::<&'de RawValue>()? {
            if !is_field(key.get(), self.0) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let raw = map.next_value::<&'de RawValue>()?;
            found = match found {
                Found::Missing => Found::Once(raw),
                Found::Once(_) | Found::Twice => Found::Twice,
            };
        }
        Ok(found)
    }
}

/// Compares a key as it stands in the document with a field name.
fn is_field(key: &str, field: &str) -> bool {
    let inner = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
    Unescape(inner).map(Result::ok).eq(field.chars().map(Some))
}

fn field_value(raw: &str) -> Result<SecretValue> {
    if raw == "null" {
        return Err(invalid("the field is null"));
    }
    let Some(inner) = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) else {
        return Ok(SecretValue::copy_from_slice(raw.as_bytes()));
    };
    // Measured first, so that no growing buffer leaves copies behind.
    let len = Unescape(inner).try_fold(0, |len, c| c.map(|c| len + c.len_utf8()))?;
    let mut bytes = zeroize::Zeroizing::new(vec![0; len]);
    let mut rest = bytes.as_mut_slice();
    for c in Unescape(inner) {
        let written = c?.encode_utf8(rest).len();
        rest = rest.split_at_mut_checked(written).map(|(_, rest)| rest).unwrap_or_default();
    }
    Ok(SecretValue::from_vec(std::mem::take(&mut *bytes)))
}

/// The characters of a JSON string body (RFC 8259, section 7).
struct Unescape<'a>(&'a str);

impl Unescape<'_> {
    fn next_char(&mut self) -> Option<char> {
        let mut chars = self.0.chars();
        let c = chars.next()?;
        self.0 = chars.as_str();
        Some(c)
    }

    fn escaped(&mut self) -> Result<char> {
        let kind = self.next_char().ok_or_else(bad_escape)?;
        Ok(match kind {
            '"' | '\\' | '/' => kind,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode(),
            _ => return Err(bad_escape()),
        })
    }

    fn unicode(&mut self) -> Result<char> {
        let first = self.hex4()?;
        if let Some(c) = char::from_u32(first) {
            return Ok(c);
        }
        let is_pair = (0xd800..0xdc00).contains(&first)
            && self.next_char() == Some('\\')
            && self.next_char() == Some('u');
        let second = if is_pair { self.hex4()? } else { 0 };
        if !(0xdc00..0xe000).contains(&second) {
            return Err(bad_escape());
        }
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        char::from_u32(code).ok_or_else(bad_escape)
    }

    fn hex4(&mut self) -> Result<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.next_char().and_then(|c| c.to_digit(16)).ok_or_else(bad_escape)?;
            code = code << 4 | digit;
        }
        Ok(code)
    }
}

impl Iterator for Unescape<'_> {
    type Item = Result<char>;

    fn next(&mut self) -> Option<Result<char>> {
        match self.next_char()? {
            '\\' => Some(self.escaped()),
            c => Some(Ok(c)),
        }
    }
}

fn bad_escape() -> Error {
    invalid("the field has an escape that is no character")
}

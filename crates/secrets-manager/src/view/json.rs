use std::fmt;

use secrets_core::SecretValue;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::view::error::{ViewError, ViewFault};

/// The parser's message may quote the value, so the place alone is kept.
pub(crate) fn parse<T: DeserializeOwned>(value: &SecretValue) -> Result<T, ViewError> {
    serde_json::from_slice(value.expose_secret()).map_err(|error| {
        // What is wrong before its first byte shows at that.
        let (line, column) = (error.line(), error.column().max(1));
        ViewError::new(ViewFault::Json { line, column })
    })
}

/// That it is an object, whatever is in it.
pub(crate) fn object(value: &SecretValue) -> Result<(), ViewError> {
    parse::<Object>(value).map(|Object| ())
}

struct Object;

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object)
    }
}

impl<'de> Visitor<'de> for Object {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(self)
    }
}

/// Reads a field of JSON into a [`SecretValue`], so that no copy of it stays in memory: for
/// `#[serde(deserialize_with = "secrets_manager::view::secret_value")]`. A string is read as its
/// characters, anything else as its JSON text.
///
/// It reads from serde_json alone, and not within `#[serde(flatten)]`, untagged and internally tagged
/// enums: these copy what they read before it comes here.
///
/// # Errors
/// When the field is `null`, or the format is another one.
pub fn secret_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretValue, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    of_raw(raw).ok_or_else(|| D::Error::custom("the field holds no value"))
}

/// The characters of a string, or the text of anything else; `None` for `null`.
pub(crate) fn of_raw(raw: &RawValue) -> Option<SecretValue> {
    const NAME: &str = "v";
    let raw = raw.get().as_bytes();
    let (before, after) = (format!("{{\"{NAME}\":"), b"}");
    // Measured first, so that no growing buffer leaves copies behind.
    let mut document = Vec::with_capacity(before.len() + raw.len() + after.len());
    document.extend_from_slice(before.as_bytes());
    document.extend_from_slice(raw);
    document.extend_from_slice(after);
    SecretValue::from_vec(document).json_field(NAME).ok()
}

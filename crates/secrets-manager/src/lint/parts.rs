//! The parts of a value that are secret by themselves.

use std::collections::BTreeSet;

use secrets_core::SecretValue;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::lint::{settings_file, words};
use crate::rules;

/// More fields are not looked at.
const MAX_FIELDS: usize = 256;

pub(super) struct Part {
    /// As in [`Subject::Secret`](crate::lint::Subject::Secret).
    pub(super) label: String,
    pub(super) value: SecretValue,
}

/// The password of a URL, the secret fields of a JSON object, or the whole. Nothing of what is no
/// password or key by its name or form.
pub(super) fn of(name: &str, value: &SecretValue) -> Vec<Part> {
    let bytes = value.expose_secret();
    if bytes.trim_ascii_start().starts_with(b"{")
        && let Some(fields) = fields(bytes)
    {
        let secret = fields.into_iter().filter(|field| words::is_secret_name(field));
        let part = |field: String| {
            let value = value.json_field(&field).ok()?;
            // A document may have any text for a name.
            let is_shown = settings_file::is_plain(&field);
            let label = if is_shown { format!("#{field}") } else { "a field".to_owned() };
            Some(Part { label, value })
        };
        return secret.filter_map(part).collect();
    }
    let text = std::str::from_utf8(bytes).unwrap_or_default().trim();
    if let Some(password) = rules::password_of_url(text) {
        if password.is_empty() {
            return Vec::new();
        }
        let value = SecretValue::copy_from_slice(password.as_bytes());
        return vec![Part { label: "password".to_owned(), value }];
    }
    let is_public = text.starts_with("-----BEGIN ") && !text.contains("PRIVATE KEY-----");
    if words::is_plain_name(name) || is_public {
        return Vec::new();
    }
    vec![Part { label: String::new(), value: value.clone() }]
}

/// The names of an object's fields; nothing else is copied. `None` when it is none.
fn fields(document: &[u8]) -> Option<BTreeSet<String>> {
    let mut json = serde_json::Deserializer::from_slice(document);
    let fields = Names.deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(fields)
}

struct Names;

impl<'de> DeserializeSeed<'de> for Names {
    type Value = BTreeSet<String>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Names {
    type Value = BTreeSet<String>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            map.next_value::<IgnoredAny>()?;
            if names.len() < MAX_FIELDS {
                names.insert(name);
            }
        }
        Ok(names)
    }
}

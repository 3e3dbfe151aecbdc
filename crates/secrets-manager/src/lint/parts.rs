//! The parts of a value that are secret by themselves.

use std::fmt;

use secrets_core::SecretValue;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::lint::{settings_file, words};
use crate::rules;
use crate::view::json::of_raw;

/// More fields and elements, of all objects and lists within each other, are not looked at.
const MOST: usize = 4_096;

/// Nor are more secret ones.
const MOST_PARTS: usize = 256;

/// Nor are those that lie deeper: each is read once for each level.
const DEEPEST: usize = 16;

pub(super) struct Part {
    /// As in [`Subject::Secret`](crate::lint::Subject::Secret).
    pub(super) label: String,
    pub(super) value: SecretValue,
}

/// What was found to be secret in a value.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) all: Vec<Part>,
    /// There is more than was looked at.
    pub(super) is_cut: bool,
    seen: usize,
}

/// The password of a URL, the secret fields of a JSON object and of what lies within it, or the whole.
/// Nothing of what is no password or key by its name or form.
pub(super) fn of(name: &str, value: &SecretValue) -> Parts {
    let (bytes, mut parts) = (value.expose_secret(), Parts::default());
    if bytes.trim_ascii_start().starts_with(b"{")
        && let Ok(Inside::Object(fields)) = serde_json::from_slice(bytes)
    {
        parts.fields(fields, "", (false, 0));
        return parts;
    }
    parts.all.extend(whole(name, value));
    parts
}

fn whole(name: &str, value: &SecretValue) -> Option<Part> {
    let text = std::str::from_utf8(value.expose_secret()).unwrap_or_default().trim();
    if let Some(password) = rules::password_of_url(text) {
        let value = SecretValue::copy_from_slice(password.as_bytes());
        return (!value.is_empty()).then(|| Part { label: "password".to_owned(), value });
    }
    let is_public = text.starts_with("-----BEGIN ") && !text.contains("PRIVATE KEY-----");
    let is_secret = !words::is_plain_name(name) && !is_public;
    is_secret.then(|| Part { label: String::new(), value: value.clone() })
}

impl Parts {
    /// `within` is what the object is called in a label; `is_within` whether that is the name of what
    /// is secret: then so is all that bears no plain name.
    fn fields(
        &mut self,
        fields: Vec<(String, &RawValue)>,
        within: &str,
        (is_within, depth): (bool, usize),
    ) {
        for (name, raw) in fields {
            let is_secret =
                words::is_secret_name(&name) || (is_within && !words::is_plain_name(&name));
            let label = match within {
                "" => name,
                _ => format!("{within}.{name}"),
            };
            self.look(raw, &label, (is_secret, depth));
        }
    }

    fn look(&mut self, raw: &RawValue, label: &str, (is_secret, depth): (bool, usize)) {
        self.seen += 1;
        let is_scalar = !raw.get().starts_with(['{', '[']);
        if self.seen > MOST || (depth >= DEEPEST && !is_scalar) {
            self.is_cut = true;
        } else if is_scalar {
            let has_room = self.all.len() < MOST_PARTS;
            self.is_cut |= is_secret && !has_room;
            self.all.extend((is_secret && has_room).then(|| part(raw, label)).flatten());
        } else {
            match serde_json::from_str(raw.get()) {
                Ok(Inside::Object(fields)) => self.fields(fields, label, (is_secret, depth + 1)),
                Ok(Inside::List(elements)) => elements
                    .into_iter()
                    .for_each(|raw| self.look(raw, label, (is_secret, depth + 1))),
                // The document as a whole was read already.
                Err(_) => {}
            }
        }
    }
}

fn part(raw: &RawValue, label: &str) -> Option<Part> {
    // A document may have any text for a name.
    let is_shown = settings_file::is_plain(label);
    let label = if is_shown { format!("#{label}") } else { "a field".to_owned() };
    Some(Part { label, value: of_raw(raw)? })
}

/// An object or a list with its values as they stand in the document; nothing of them is copied.
enum Inside<'a> {
    Object(Vec<(String, &'a RawValue)>),
    List(Vec<&'a RawValue>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Inside<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Inside<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object or list")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    if fields.len() <= MOST {
                        fields.push(field);
                    }
                }
                Ok(Inside::Object(fields))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = list.next_element()? {
                    if elements.len() <= MOST {
                        elements.push(element);
                    }
                }
                Ok(Inside::List(elements))
            }
        }

        json.deserialize_any(Either)
    }
}

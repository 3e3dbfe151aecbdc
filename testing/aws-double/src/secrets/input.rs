//! What operations are given, read with AWS's checks.

use std::time::SystemTime;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::model::Payload;
use crate::service::Refusal;

/// The largest value, in bytes (quota page: "Secret value size").
const LARGEST: usize = 65_536;

/// The input of an operation.
#[derive(Clone, Copy)]
pub(super) struct Input<'a>(pub(super) &'a Value);

impl<'a> Input<'a> {
    /// A text that may be missing.
    pub(super) fn text(self, name: &str) -> Result<Option<&'a str>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(serialization()),
        }
    }

    /// A text that must be there.
    pub(super) fn required(self, name: &str) -> Result<&'a str, Refusal> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    /// A switch, off if it is missing.
    pub(super) fn flag(self, name: &str) -> Result<bool, Refusal> {
        Ok(self.optional_flag(name)?.unwrap_or(false))
    }

    /// A switch that may be missing.
    pub(super) fn optional_flag(self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(on)) => Ok(Some(*on)),
            Some(_) => Err(serialization()),
        }
    }

    /// A whole number within bounds.
    pub(super) fn integer(self, name: &str, from: i64, to: i64) -> Result<Option<i64>, Refusal> {
        let number = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value.as_i64().ok_or_else(serialization)?,
        };
        let relation = if number < from {
            format!("greater than or equal to {from}")
        } else if number > to {
            format!("less than or equal to {to}")
        } else {
            return Ok(Some(number));
        };
        Err(constraint(name, &format!("Member must have value {relation}")))
    }

    /// How many results a page may have.
    pub(super) fn page_size(self, most: usize) -> Result<usize, Refusal> {
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let asked = self.integer("MaxResults", 1, limit)?;
        Ok(asked.and_then(|n| usize::try_from(n).ok()).unwrap_or(most))
    }

    /// Texts, `None` if the list is missing or empty.
    pub(super) fn texts(self, name: &str, most: usize) -> Result<Option<Vec<&'a str>>, Refusal> {
        let Some(items) = self.items(name)? else { return Ok(None) };
        if items.len() > most {
            return Err(constraint(
                name,
                &format!("Member must have length less than or equal to {most}"),
            ));
        }
        items
            .iter()
            .map(|i| i.as_str().ok_or_else(serialization))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// Objects, `None` if the list is missing or empty.
    pub(super) fn items(self, name: &str) -> Result<Option<&'a Vec<Value>>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(items)) => Ok((!items.is_empty()).then_some(items)),
            Some(_) => Err(serialization()),
        }
    }

    /// An object that may be missing.
    pub(super) fn object(self, name: &str) -> Result<Option<&'a Value>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(object @ Value::Object(_)) => Ok(Some(object)),
            Some(_) => Err(serialization()),
        }
    }

    /// The token of a write. SDKs always send one; a request without it is refused.
    pub(super) fn token(self) -> Result<&'a str, Refusal> {
        let token = self.text("ClientRequestToken")?.ok_or_else(|| {
            Refusal::new(
                "InvalidRequestException",
                "You must provide a ClientRequestToken value. We recommend a UUID-type value.",
            )
        })?;
        if !(32..=64).contains(&token.len()) {
            return Err(Refusal::new(
                "InvalidParameterException",
                "ClientRequestToken must be 32-64 characters long.",
            ));
        }
        Ok(token)
    }

    /// The value: a text or bytes, not both.
    pub(super) fn payload(self) -> Result<Option<Payload>, Refusal> {
        let text = self.text("SecretString")?;
        let binary = self.text("SecretBinary")?;
        let (name, payload) = match (text, binary) {
            (Some(_), Some(_)) => {
                return Err(Refusal::new(
                    "InvalidParameterException",
                    "You can't specify both a binary secret value and a string secret value in the \
                     same secret.",
                ));
            }
            (None, None) => return Ok(None),
            (Some(text), None) => ("SecretString", Payload::Text(text.to_owned())),
            (None, Some(encoded)) => {
                let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| serialization())?;
                ("SecretBinary", Payload::Binary(bytes))
            }
        };
        if payload.len() > LARGEST {
            return Err(constraint(
                name,
                &format!("Member must have length less than or equal to {LARGEST}"),
            ));
        }
        if payload.len() == 0 {
            return Err(constraint(name, "Member must have length greater than or equal to 1"));
        }
        Ok(Some(payload))
    }

    /// Tags, `None` if there are none.
    pub(super) fn tags(self) -> Result<Option<Vec<(String, String)>>, Refusal> {
        let Some(items) = self.items("Tags")? else { return Ok(None) };
        let tag = |item: &Value| {
            let field = |name: &str| item.get(name).and_then(Value::as_str);
            let key = field("Key").unwrap_or_default();
            let value = field("Value").unwrap_or_default();
            if key.is_empty() || key.len() > 128 || value.len() > 256 {
                return Err(constraint("Tags", "Member must be a valid tag"));
            }
            if key.to_lowercase().starts_with("aws:") {
                return Err(Refusal::new(
                    "InvalidParameterException",
                    "Tag keys that start with aws: are reserved.",
                ));
            }
            Ok((key.to_owned(), value.to_owned()))
        };
        items.iter().map(tag).collect::<Result<_, _>>().map(Some)
    }
}

/// Milliseconds since the epoch, as positions in lists carry them.
pub(super) fn millis(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A member of the input that breaks the model's bounds.
pub(super) fn constraint(name: &str, what: &str) -> Refusal {
    let mut letters = name.chars();
    let first = letters.next().map(|c| c.to_ascii_lowercase()).into_iter();
    let member: String = first.chain(letters).collect();
    Refusal::new(
        "ValidationException",
        format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: {what}"
        ),
    )
}

fn missing(name: &str) -> Refusal {
    constraint(name, "Member must not be null")
}

fn serialization() -> Refusal {
    Refusal::new("SerializationException", "")
}

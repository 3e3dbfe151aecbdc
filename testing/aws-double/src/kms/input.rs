//! Reading an operation's input, with the words of AWS for what is wrong about it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::service::Refusal;

/// The input of one operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a>(pub(crate) &'a Value);

/// What fails a constraint of the model: `at` is the member's name in lower camel case.
pub(crate) fn invalid(value: &str, at: &str, constraint: &str) -> Refusal {
    Refusal::new(
        "ValidationException",
        format!(
            "1 validation error detected: Value '{value}' at '{}' failed to satisfy constraint: {constraint}",
            lower_first(at)
        ),
    )
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

fn wrong_type(at: &str) -> Refusal {
    Refusal::new("SerializationException", format!("{at} is of another type"))
}

impl<'a> Input<'a> {
    /// A text that may be missing.
    pub(crate) fn text(self, at: &str) -> Result<Option<&'a str>, Refusal> {
        match self.0.get(at) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong_type(at)),
        }
    }

    /// A text that must be there.
    pub(crate) fn required(self, at: &str) -> Result<&'a str, Refusal> {
        self.text(at)?.ok_or_else(|| invalid("null", at, "Member must not be null")).and_then(
            |text| {
                if text.is_empty() {
                    let least = "Member must have length greater than or equal to 1";
                    return Err(invalid("", at, least));
                }
                Ok(text)
            },
        )
    }

    /// A flag, false if missing.
    pub(crate) fn flag(self, at: &str) -> Result<bool, Refusal> {
        match self.0.get(at) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(wrong_type(at)),
        }
    }

    /// A whole number within bounds, if there.
    pub(crate) fn number(self, at: &str, from: i64, to: i64) -> Result<Option<i64>, Refusal> {
        let number = match self.0.get(at) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value.as_i64().ok_or_else(|| wrong_type(at))?,
        };
        if number < from {
            let least = format!("Member must have value greater than or equal to {from}");
            return Err(invalid(&number.to_string(), at, &least));
        }
        if number > to {
            let most = format!("Member must have value less than or equal to {to}");
            return Err(invalid(&number.to_string(), at, &most));
        }
        Ok(Some(number))
    }

    /// Bytes that must be there, `1..=most` of them. What they are is never told back.
    pub(crate) fn blob(self, at: &str, most: usize) -> Result<Vec<u8>, Refusal> {
        let text = self.text(at)?.ok_or_else(|| invalid("null", at, "Member must not be null"))?;
        let bytes = STANDARD.decode(text).map_err(|_| wrong_type(at))?;
        if bytes.is_empty() {
            let least = "Member must have length greater than or equal to 1";
            return Err(invalid("java.nio.HeapByteBuffer", at, least));
        }
        if bytes.len() > most {
            let most = format!("Member must have length less than or equal to {most}");
            return Err(invalid("java.nio.HeapByteBuffer", at, &most));
        }
        Ok(bytes)
    }

    /// A map of texts, empty if missing.
    pub(crate) fn map(self, at: &str) -> Result<BTreeMap<String, String>, Refusal> {
        let map = match self.0.get(at) {
            None | Some(Value::Null) => return Ok(BTreeMap::new()),
            Some(Value::Object(map)) => map,
            Some(_) => return Err(wrong_type(at)),
        };
        map.iter()
            .map(|(key, value)| {
                let value = value.as_str().ok_or_else(|| wrong_type(at))?;
                Ok((key.clone(), value.to_owned()))
            })
            .collect()
    }

    /// A list of texts, empty if missing.
    pub(crate) fn list(self, at: &str) -> Result<Vec<&'a str>, Refusal> {
        let list = match self.0.get(at) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(wrong_type(at)),
        };
        list.iter().map(|item| item.as_str().ok_or_else(|| wrong_type(at))).collect()
    }

    /// A list of structures, empty if missing.
    pub(crate) fn items(self, at: &str) -> Result<Vec<Input<'a>>, Refusal> {
        match self.0.get(at) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(list)) => Ok(list.iter().map(Input).collect()),
            Some(_) => Err(wrong_type(at)),
        }
    }

    /// A structure, if there.
    pub(crate) fn part(self, at: &str) -> Option<Input<'a>> {
        self.0.get(at).filter(|value| value.is_object()).map(Input)
    }
}

/// Bytes as JSON services write them.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

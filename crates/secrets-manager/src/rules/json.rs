//! JSON with fields that have to be there.

use secrets_core::{ErrorKind, SecretValue};
use serde::de::IgnoredAny;

use crate::rules::JsonFault;

/// What is wrong with a document. Nothing of it is copied but the fields, into buffers that are
/// wiped.
pub(super) fn faults(value: &SecretValue, fields: &[String]) -> Vec<JsonFault> {
    let Ok(text) = std::str::from_utf8(value.expose_secret()) else {
        return vec![JsonFault::NotJson];
    };
    // What is ignored is skipped without recursion, however deep it is nested.
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return vec![JsonFault::NotJson];
    }
    if !fields.is_empty() && !text.trim_start().starts_with('{') {
        return vec![JsonFault::NotObject];
    }
    fields.iter().filter_map(|field| fault_of(value, field)).collect()
}

fn fault_of(value: &SecretValue, name: &str) -> Option<JsonFault> {
    let field = name.to_owned();
    match value.json_field(name) {
        Ok(found) if is_empty(found.expose_secret()) => Some(JsonFault::EmptyField { field }),
        Ok(_) => None,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Some(JsonFault::MissingField { field })
        }
        Err(_) => Some(JsonFault::UnclearField { field }),
    }
}

/// Blank, or a list or object with nothing in it.
fn is_empty(found: &[u8]) -> bool {
    let mut shown = found.iter().filter(|byte| !byte.is_ascii_whitespace());
    match (shown.next(), shown.next(), shown.next()) {
        (None, ..) => true,
        (Some(first), Some(last), None) => matches!((first, last), (b'[', b']') | (b'{', b'}')),
        _ => false,
    }
}

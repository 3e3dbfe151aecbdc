//! The parser and the writer by themselves, for the fuzzer.

use super::config::Substitution;
use super::document::{self, Document};
use super::edit;

/// The entries of a file in order, with their values where they have one; nothing when the file is
/// refused.
pub fn read(bytes: &[u8], substitution: Substitution) -> Option<Vec<(String, Option<String>)>> {
    let (_, text) = document::decode(bytes).ok()?;
    let document = Document::parse(text).ok()?;
    let entries = document.resolve(substitution).into_iter();
    let entries = entries.map(|entry| {
        let value = entry.value.ok().map(|value| value.as_str().to_owned());
        (entry.key.to_owned(), value)
    });
    Some(entries.collect())
}

/// The text with another value for a key; nothing when the text or the change is refused.
pub fn set(text: &str, key: &str, value: &str) -> Option<String> {
    let document = Document::parse(text).ok()?;
    Some(edit::set(&document, key, value).ok()?.as_str().to_owned())
}

/// The text without a key.
pub fn remove(text: &str, key: &str) -> Option<String> {
    let document = Document::parse(text).ok()?;
    Some(edit::remove(&document, key).ok()?.as_str().to_owned())
}

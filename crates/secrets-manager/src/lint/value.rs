//! What is wrong with a value by itself.

use secrets_core::SecretValue;

use crate::known::{self, KnownSort};
use crate::lint::code::LintCode;
use crate::rules;

/// Nine different characters have less. Of 300,000 random values of 16 hexadecimal digits (64 bits)
/// none had, of as many of 12 letters and digits (71 bits) 166.
const WEAK_BITS: f64 = 33.0;

/// Of a value as it lies in its provider.
pub(super) fn codes_of_whole(value: &SecretValue) -> impl Iterator<Item = LintCode> + use<> {
    let bytes = value.expose_secret();
    let is_empty = bytes.trim_ascii().is_empty();
    // Files of several lines end with a line end.
    let is_document = bytes.trim_ascii().contains(&b'\n') || bytes.starts_with(b"{");
    let is_padded = !is_empty && !is_document && bytes.trim_ascii().len() < bytes.len();
    // Bytes that are no text begin and end as they happen to.
    let is_text = std::str::from_utf8(bytes).is_ok();
    let codes = [(is_empty, LintCode::Empty), (is_padded && is_text, LintCode::Whitespace)];
    codes.into_iter().filter(|(is_so, _)| *is_so).map(|(_, code)| code)
}

/// Of a part that is secret by itself. What many know is told as that alone.
pub(super) fn codes_of_part(value: &SecretValue) -> impl Iterator<Item = LintCode> + use<> {
    let bytes = value.expose_secret().trim_ascii();
    let code = match known::sort_of(bytes) {
        _ if bytes.is_empty() => None,
        Some(KnownSort::Placeholder) => Some(LintCode::Placeholder),
        Some(KnownSort::Default) => Some(LintCode::Default),
        Some(KnownSort::Published) => Some(LintCode::Published),
        None => (rules::entropy_estimate(bytes) < WEAK_BITS).then_some(LintCode::Weak),
    };
    code.into_iter()
}

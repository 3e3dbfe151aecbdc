//! Finds planted secrets in text, in the renderings that leaks take.

use std::error::Error as StdError;
use std::fmt::{Debug, Write};

/// Text that stands in every value the suite writes, and the forms in which it may reappear.
#[derive(Clone)]
pub(super) struct Canary {
    text: String,
    forms: Vec<String>,
}

impl Canary {
    /// A canary of its own for each run, so that what an earlier run left behind is not taken for a
    /// leak of this one.
    pub(super) fn new(run: &str) -> Self {
        let text = format!("c4nary{run}");
        Self { forms: forms(text.as_bytes()), text }
    }

    /// Watches for this secret, too. One of a few bytes would be found everywhere.
    pub(super) fn watch(&mut self, secret: &[u8]) {
        if secret.len() >= 6 {
            self.forms.extend(forms(secret));
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        self.forms.iter().any(|form| text.contains(form.as_str()))
    }

    pub(super) fn is_in_debug(&self, shown: &impl Debug) -> bool {
        self.is_in(&format!("{shown:?}"))
    }

    /// Where an error shows it: in its `Display`, its `Debug`, or those of a source.
    pub(super) fn place_in_error(&self, error: &(dyn StdError + 'static)) -> Option<&'static str> {
        let mut next = Some(error);
        let mut is_source = false;
        while let Some(error) = next {
            let places = [
                (format!("{error}"), "its text", "the text of a source"),
                (format!("{error:?}"), "its debug form", "the debug form of a source"),
            ];
            for (text, place, place_in_source) in places {
                if self.is_in(&text) {
                    return Some(if is_source { place_in_source } else { place });
                }
            }
            next = error.source();
            is_source = true;
        }
        None
    }
}

/// The bytes as they are (where they are text), in hexadecimal, as a list of numbers, and in base64
/// at each of the three offsets.
fn forms(bytes: &[u8]) -> Vec<String> {
    let mut forms = vec![hex(bytes), hex(bytes).to_ascii_uppercase(), numbers(bytes)];
    forms.extend(std::str::from_utf8(bytes).map(str::to_owned));
    forms.extend((0..3).filter_map(|skip| bytes.get(skip..)).map(base64));
    forms.retain(|form| !form.is_empty());
    forms
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// As a derived `Debug` of a byte vector prints them.
fn numbers(bytes: &[u8]) -> String {
    let list = format!("{bytes:?}");
    list.trim_matches(['[', ']']).to_owned()
}

/// The whole groups of three bytes, in the alphabet of RFC 4648, section 4: what does not depend on
/// the bytes that follow.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks_exact(3) {
        let bits = group.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        for shift in [18, 12, 6, 0] {
            text.extend(ALPHABET.get(bits >> shift & 63).copied().map(char::from));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rendering_of_the_canary_is_found() {
        let canary = Canary::new("0a1b2c3d4e5f");
        let value = format!("x{}y", canary.text());
        let bytes = value.as_bytes();
        let renderings = [
            value.clone(),
            format!("{bytes:?}"),
            hex(bytes),
            hex(bytes).to_ascii_uppercase(),
            base64(bytes),
            base64(format!("-{value}").as_bytes()),
            base64(format!("--{value}").as_bytes()),
        ];
        for text in renderings {
            assert!(canary.is_in(&text), "not found in {text}");
        }
        assert!(!canary.is_in("c4nary of another run"));
        assert!(!canary.is_in(""));
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        assert_eq!(base64(b"foobar"), "Zm9vYmFy");
        assert_eq!(base64(&[0xfb, 0xff, 0xbf]), "+/+/");
    }
}

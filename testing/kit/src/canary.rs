use std::fmt;

use secrets_core::SecretValue;

use crate::capture::Capture;
use crate::encoding::{Form, compact, forms};

/// A secret that a test plants and then looks for wherever it must not be: in logs, audit events,
/// error texts, responses, files.
///
/// It is found as it is, in base64 and base64url at any offset, in hexadecimal, percent-encoded, as
/// a list of numbers, escaped as JSON, HTML, Rust's `Debug` or bytes, in UTF-16, and reversed; of a value
/// of 16 bytes or more any eight in a row are found, too. Base64, hexadecimal and lists are found as well
/// where they are broken into lines or groups. Compressed, encrypted or hashed forms are not.
///
/// ```
/// use service_test_kit::Canary;
///
/// let canary = Canary::named("db password");
/// let leak = format!("could not connect: postgres://app:{}@db", canary.text());
///
/// assert!(canary.leaks_in(&[&"could not connect".to_owned()]).is_empty());
/// assert_eq!(canary.leaks_in(&[&leak])[0].to_string(), "as it is in text");
/// ```
#[derive(Clone)]
pub struct Canary {
    text: String,
    forms: Vec<Form>,
}

impl Canary {
    /// A canary of 32 letters and digits, always the same for the same name. Two in one test have
    /// two names.
    #[must_use]
    pub fn named(name: &str) -> Self {
        const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
        // FNV-1a of the name, drawn on; it has to look like nothing else, not to be secret.
        let mut state = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut text = String::from("c4naRy");
        for _ in 0..26 {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            let at = usize::try_from(state >> 59).unwrap_or(0);
            text.extend(ALPHABET.get(at).copied().map(char::from));
        }
        Self { forms: forms(text.as_bytes()), text }
    }

    /// Looks for a secret that the test got from elsewhere, such as a generated password. The text of a
    /// value that is no UTF-8 is empty.
    ///
    /// # Panics
    /// If it has fewer than six bytes: it would be found where it is not.
    #[must_use]
    #[track_caller]
    #[allow(clippy::panic, reason = "an assertion for tests")]
    pub fn of(value: &SecretValue) -> Self {
        let bytes = value.expose_secret();
        if bytes.len() < 6 {
            panic!("a canary has six bytes at least");
        }
        let text = std::str::from_utf8(bytes).unwrap_or_default().to_owned();
        Self { forms: forms(bytes), text }
    }

    /// The canary as text, to plant it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The canary as a secret, to plant it.
    #[must_use]
    pub fn value(&self) -> SecretValue {
        SecretValue::copy_from_slice(self.text.as_bytes())
    }

    /// Where the canary is found, each piece once.
    #[must_use]
    pub fn leaks_in(&self, captures: &[&dyn Capture]) -> Vec<Leak> {
        let pieces = captures.iter().flat_map(|capture| capture.pieces());
        pieces
            .filter_map(|piece| {
                let compact = compact(&piece.bytes);
                let form = self.forms.iter().find(|form| form.is_in(&piece.bytes, &compact))?;
                Some(Leak { place: piece.place, form: form.name })
            })
            .collect()
    }

    /// The one assertion: none of what was captured has the canary in it, in any form.
    ///
    /// # Panics
    /// If it is there, naming each place and form.
    #[track_caller]
    #[allow(clippy::panic, reason = "an assertion for tests")]
    pub fn assert_absent_from(&self, captures: &[&dyn Capture]) {
        let leaks = self.leaks_in(captures);
        if !leaks.is_empty() {
            let places: Vec<String> = leaks.iter().map(Leak::to_string).collect();
            panic!("the secret was found {}", places.join(", "));
        }
    }
}

/// Shows nothing of it: a test that prints its canary would find it.
impl fmt::Debug for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canary").finish_non_exhaustive()
    }
}

/// A place where a canary was found, and the form that it has there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leak {
    /// Which piece of which capture.
    pub place: String,
    /// How it is written there.
    pub form: &'static str,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.form, self.place)
    }
}

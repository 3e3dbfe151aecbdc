use std::fmt;

use crate::form::Forms;

/// A secret that a test plants, and every form in which it may reappear.
///
/// ```
/// use secret_canary::Canary;
///
/// let canary = Canary::named("api key");
/// assert_eq!(canary.find(canary.text().to_uppercase().as_bytes()), None, "that is another text");
/// ```
#[derive(Clone)]
pub struct Canary {
    text: String,
    forms: Forms,
}

/// What is shorter would be found where it is not.
const SHORTEST: usize = 6;

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
        Self { forms: Forms::of(text.as_bytes()), text }
    }

    /// A secret that the test got from elsewhere, such as a generated password.
    ///
    /// # Panics
    /// If it has fewer than six bytes: it would be found where it is not.
    #[must_use]
    #[track_caller]
    #[expect(clippy::panic, reason = "an assertion for tests")]
    pub fn of(secret: &[u8]) -> Self {
        if secret.len() < SHORTEST {
            panic!("a canary has six bytes at least");
        }
        let text = std::str::from_utf8(secret).unwrap_or_default().to_owned();
        Self { forms: Forms::of(secret), text }
    }

    /// The canary as text, to plant it; empty if it is none.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The form in which it is in these bytes, if it is there.
    #[must_use]
    pub fn find(&self, bytes: &[u8]) -> Option<&'static str> {
        self.forms.find(bytes)
    }
}

/// Shows nothing of it: a test that prints its canary would find it.
impl fmt::Debug for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canary").finish_non_exhaustive()
    }
}

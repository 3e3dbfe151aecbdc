use std::fmt;

use secrets_core::SecretValue;

use crate::capture::Capture;

/// A secret that a test plants and then looks for wherever it must not be: in logs, audit events,
/// error texts, responses, files.
///
/// It is found in every form that a [`secret_canary::Canary`] is found in: plain, in part, in the usual encodings.
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
pub struct Canary(secret_canary::Canary);

impl Canary {
    /// A canary of 32 letters and digits, always the same for the same name. Two in one test have
    /// two names.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(secret_canary::Canary::named(name))
    }

    /// Looks for a secret that the test got from elsewhere, such as a generated password. The text of a
    /// value that is no UTF-8 is empty.
    ///
    /// # Panics
    /// If it has fewer than six bytes: it would be found where it is not.
    #[must_use]
    #[track_caller]
    pub fn of(value: &SecretValue) -> Self {
        Self(secret_canary::Canary::of(value.expose_secret()))
    }

    /// The canary as text, to plant it.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.text()
    }

    /// The canary as a secret, to plant it.
    #[must_use]
    pub fn value(&self) -> SecretValue {
        SecretValue::copy_from_slice(self.text().as_bytes())
    }

    /// Where the canary is found, each piece once.
    #[must_use]
    pub fn leaks_in(&self, captures: &[&dyn Capture]) -> Vec<Leak> {
        let pieces = captures.iter().flat_map(|capture| capture.pieces());
        pieces
            .filter_map(|piece| {
                let form = self.0.find(&piece.bytes)?;
                Some(Leak { place: piece.place, form })
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

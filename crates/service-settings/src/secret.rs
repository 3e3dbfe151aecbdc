use std::fmt;

use secrets_core::{Result, SecretReference, SecretResolver, SecretValue};
use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::decode::SECRET;

/// A setting that is a secret: a reference to where it is kept, or, for development, the value.
///
/// What it holds is never shown: not in `Debug`, not in a problem, not by `explain`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SecretSetting {
    /// `secret://name#field`, to be resolved by whoever holds the secrets.
    Reference(SecretReference),
    /// The value itself stands in the settings. It does not begin as a reference does, with capitals
    /// or with a letter wrong: that is refused.
    Inline(SecretValue),
}

impl SecretSetting {
    /// The value: looked up if this is a reference.
    ///
    /// # Errors
    /// Those of the resolver.
    pub async fn resolve(&self, resolver: &dyn SecretResolver) -> Result<SecretValue> {
        match self {
            Self::Reference(reference) => resolver.resolve(reference).await,
            Self::Inline(value) => Ok(value.clone()),
        }
    }

    /// Whether the value itself stands in the settings, where everybody who reads them sees it.
    #[must_use]
    pub const fn is_inline(&self) -> bool {
        matches!(self, Self::Inline(_))
    }
}

impl<'de> Deserialize<'de> for SecretSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(SECRET, Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = SecretSetting;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret, as `secret://name#field`")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        inner: D,
    ) -> Result<SecretSetting, D::Error> {
        inner.deserialize_str(self)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SecretSetting, E> {
        if !is_meant_as_reference(text) {
            return Ok(SecretSetting::Inline(SecretValue::copy_from_slice(text.as_bytes())));
        }
        // The error does not quote what it refuses.
        text.parse().map(SecretSetting::Reference).map_err(|_| {
            E::custom("the reference to a secret has not the form `secret://name#field`")
        })
    }
}

/// What is nearly a reference is none by mistake: as a value it would be a wrong secret in silence.
fn is_meant_as_reference(text: &str) -> bool {
    let text = text.trim_start().as_bytes();
    let begins = |with: &str| {
        text.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with.as_bytes()))
    };
    ["secret:", "secret//", "secrets:/"].into_iter().any(begins)
}

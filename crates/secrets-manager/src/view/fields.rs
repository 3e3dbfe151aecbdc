use std::fmt;

use secrets_core::{ErrorKind, SecretValue};

use crate::view::error::{ViewError, ViewFault};

/// Fields of one version of a JSON secret.
pub struct Fields(Vec<(Box<str>, SecretValue)>);

impl Fields {
    pub(crate) fn parse(names: &[Box<str>], value: &SecretValue) -> Result<Self, ViewError> {
        let fields = names.iter().map(|name| {
            let field = value.json_field(name).map_err(|error| {
                // Which of the two it is the parser alone knows, and tells by what it says it about.
                let is_object = error.kind() == ErrorKind::NotFound || is_object(value);
                let fault = match is_object {
                    true => ViewFault::Field { name: name.clone() },
                    false => ViewFault::Json { line: 1, column: 1 },
                };
                ViewError::new(fault)
            })?;
            Ok((name.clone(), field))
        });
        fields.collect::<Result<_, _>>().map(Self)
    }

    /// A field that the view was asked for.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&SecretValue> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, value)| value)
    }
}

fn is_object(value: &SecretValue) -> bool {
    let mut json = serde_json::Deserializer::from_slice(value.expose_secret());
    let is_object = value.expose_secret().trim_ascii_start().starts_with(b"{");
    let skipped: Result<serde::de::IgnoredAny, _> = serde::Deserialize::deserialize(&mut json);
    is_object && skipped.is_ok() && json.end().is_ok()
}

/// Shows the names.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

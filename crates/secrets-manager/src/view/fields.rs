use std::fmt;

use secrets_core::{ErrorKind, SecretValue};

use crate::view::error::{ViewError, ViewFault};
use crate::view::json;

/// Fields of one version of a JSON secret.
pub struct Fields(Vec<(Box<str>, SecretValue)>);

impl Fields {
    pub(crate) fn parse(names: &[Box<str>], value: &SecretValue) -> Result<Self, ViewError> {
        if names.is_empty() {
            json::object(value)?;
        }
        let fields = names.iter().map(|name| {
            let field = value.json_field(name).map_err(|error| {
                // Which of the two it is the parser alone knows, and tells by what it says it about.
                let fault = match (error.kind(), json::object(value)) {
                    (ErrorKind::NotFound, _) | (_, Ok(())) => {
                        ViewFault::Field { name: name.clone() }
                    }
                    (_, Err(error)) => return error,
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

/// Shows the names.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

use async_trait::async_trait;

use crate::error::Result;
use crate::reference::SecretReference;
use crate::value::SecretValue;

/// Turns a reference in a configuration into the value it stands for.
#[async_trait]
pub trait SecretResolver: Send + Sync {
    /// The value behind `secret://name#field`.
    ///
    /// # Errors
    /// Those of reading the secret; `InvalidValue` when the field is asked of what is not a JSON
    /// object, `NotFound` when the object does not have it.
    async fn resolve(&self, reference: &SecretReference) -> Result<SecretValue>;
}

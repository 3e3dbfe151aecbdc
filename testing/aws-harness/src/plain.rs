//! The other client.

use async_trait::async_trait;
use secrets_core::{Error, ErrorKind, Result, SecretValue};

const ABSENT: &str = "ResourceNotFoundException";
/// Of a read: there is one, and it is to be deleted.
const SCHEDULED: &str = "InvalidRequestException";

/// The code with which AWS refuses a call, such as `ResourceNotFoundException`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    code: String,
}

impl Refused {
    /// By its code; where there was no answer, by what there was instead.
    pub fn new(code: impl Into<String>) -> Self {
        Self { code: code.into() }
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::new(ErrorKind::Internal, refused.code)
    }
}

/// Four operations of Secrets Manager, as a client makes them that knows nothing of the provider under test.
#[async_trait]
pub trait PlainClient: Send + Sync {
    /// `GetSecretValue` of the current version; `None` where the answer holds no value.
    ///
    /// # Errors
    /// The code of the refusal.
    async fn get(&self, id: &str) -> Result<Option<SecretValue>, Refused>;

    /// `PutSecretValue`: text as `SecretString`, anything else as `SecretBinary`.
    ///
    /// # Errors
    /// The code of the refusal.
    async fn put(&self, id: &str, value: &SecretValue) -> Result<(), Refused>;

    /// `CreateSecret` with a value.
    ///
    /// # Errors
    /// The code of the refusal.
    async fn create(&self, name: &str, value: &SecretValue) -> Result<(), Refused>;

    /// `DeleteSecret` without a window to restore it in.
    ///
    /// # Errors
    /// The code of the refusal.
    async fn delete(&self, id: &str) -> Result<(), Refused>;
}

/// What is not there, or on its way out, has no value.
pub(crate) async fn read(client: &impl PlainClient, id: &str) -> Result<Option<SecretValue>> {
    match client.get(id).await {
        Err(refused) if [ABSENT, SCHEDULED].contains(&refused.code()) => Ok(None),
        answer => Ok(answer?),
    }
}

pub(crate) async fn write(client: &impl PlainClient, id: &str, value: &SecretValue) -> Result<()> {
    match client.put(id, value).await {
        Err(refused) if refused.code() == ABSENT => Ok(client.create(id, value).await?),
        written => Ok(written?),
    }
}

pub(crate) async fn remove(client: &impl PlainClient, id: &str) -> Result<()> {
    match client.delete(id).await {
        Err(refused) if refused.code() == ABSENT => Ok(()),
        deleted => Ok(deleted?),
    }
}

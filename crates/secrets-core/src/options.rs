use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::metadata::MetadataPatch;
use crate::version::{VersionId, VersionSelector, WriteStage};

/// How to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct GetOptions {
    /// Which version.
    pub version: VersionSelector,
    /// What to do about bounds of validity.
    pub validity: Validity,
}

impl GetOptions {
    /// Reads this version, minding its validity.
    pub fn version(version: VersionSelector) -> Self {
        Self { version, validity: Validity::Enforce }
    }

    /// Reads whether valid or not; rotation needs it.
    #[must_use]
    pub fn ignore_validity(mut self) -> Self {
        self.validity = Validity::Ignore;
        self
    }
}

/// What a read does about `not_before` and `expires`.
///
/// Providers leave this to the one wrapper that enforces validity, and ignore the option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Validity {
    /// Minds them.
    #[default]
    Enforce,
    /// Reads all the same.
    Ignore,
}

/// How to write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SetOptions {
    /// Whether the value is current at once or waits for promotion.
    pub stage: WriteStage,
    /// What must hold for the write to happen.
    pub precondition: Precondition,
    /// Makes repeating the call harmless.
    pub token: Option<IdempotencyKey>,
    /// Changes of metadata that go with the value.
    pub metadata: MetadataPatch,
}

impl SetOptions {
    /// The value becomes current, whatever was there.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value waits for promotion.
    pub fn pending() -> Self {
        Self { stage: WriteStage::Pending, ..Self::default() }
    }

    /// Sets what must hold.
    #[must_use]
    pub fn when(mut self, precondition: Precondition) -> Self {
        self.precondition = precondition;
        self
    }

    /// Makes repeating the call harmless.
    #[must_use]
    pub fn with_token(mut self, token: IdempotencyKey) -> Self {
        self.token = Some(token);
        self
    }

    /// Sets metadata with the value.
    #[must_use]
    pub fn with_metadata(mut self, metadata: MetadataPatch) -> Self {
        self.metadata = metadata;
        self
    }
}

/// What must hold for a change to be made. A provider that cannot check it answers `Unsupported`
/// and never ignores it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Precondition {
    /// Nothing.
    #[default]
    Any,
    /// The secret does not exist.
    Absent,
    /// This version is current.
    CurrentIs(VersionId),
    /// The secret or the version has not changed since this was read.
    Etag(Etag),
}

/// An opaque guard against lost updates, typed by what it guards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Etag {
    /// Of a secret.
    Secret(Box<str>),
    /// Of a version.
    Version(Box<str>),
}

/// A token that makes repeating a write harmless: the same token with the same content is the
/// same write, with other content it is a `Conflict`.
///
/// 32 to 64 letters, digits and hyphens, as AWS's `ClientRequestToken`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Box<str>);

impl IdempotencyKey {
    /// Takes a token.
    ///
    /// # Errors
    /// `InvalidValue` when it is not 32 to 64 letters, digits and hyphens.
    pub fn new(token: &str) -> Result<Self> {
        let sound = (32..=64).contains(&token.len())
            && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !sound {
            let message = "an idempotency key is 32 to 64 letters, digits and hyphens";
            return Err(Error::new(ErrorKind::InvalidValue, message));
        }
        Ok(Self(token.into()))
    }

    /// A token of 16 random bytes, in hexadecimal.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(token.into())
    }

    /// The token as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeleteMode {
    /// It can be restored for some time.
    Recoverable {
        /// For how long; the backend's default when `None`. AWS takes 7 to 30 days, Azure only its
        /// vault's setting, Google has no such deletion.
        window: Option<Duration>,
    },
    /// It is gone when the call returns.
    Immediate,
}

/// The outcome of a promotion.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Promoted {
    /// The version that is current now. On backends without labels (Azure, Google) promotion writes
    /// a new version, so this may differ from the pending one.
    pub current: VersionId,
    /// The version that was current before.
    pub previous: Option<VersionId>,
}

impl Promoted {
    /// A promotion's outcome.
    pub fn new(current: VersionId, previous: Option<VersionId>) -> Self {
        Self { current, previous }
    }
}

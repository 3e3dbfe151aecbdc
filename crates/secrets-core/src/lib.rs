#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod capability;
mod change;
mod clock;
mod codec;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod health;
#[cfg(feature = "json")]
mod json;
mod key;
#[cfg(feature = "memory")]
pub mod memory;
mod metadata;
mod name;
mod options;
mod page;
mod provider;
mod reference;
mod request;
mod resolver;
mod signer;
mod state;
mod sugar;
mod value;
mod version;

pub use async_trait::async_trait;

pub use capability::{Capabilities, Cas, CasSupport, Consistency, Limits, Scope, Staging, Support};
pub use change::{ChangeHint, ChangeStream};
pub use clock::{Clock, ManualClock, SystemClock};
pub use codec::{DecodedName, NameCase, NameRules};
pub use error::{Effect, Error, ErrorKind, Operation, Result, Retry};
pub use health::{Health, HealthStatus};
pub use key::{
    ContextError, DataKey, KeyCapabilities, KeyLen, KeyProvider, KeyRef, WrapContext, WrappedKey,
    WrappingVersion,
};
pub use metadata::{Change, Deleted, Deletion, MetadataPatch, SecretInfo, Tags};
pub use name::{InvalidName, SecretName};
pub use options::{
    DeleteMode, Etag, GetOptions, IdempotencyKey, Precondition, Promoted, SetOptions, Validity,
};
pub use page::{DeletedSecrets, Page, PageRequest, PageToken, SecretFilter};
pub use provider::{ProviderId, SecretProvider};
pub use reference::{NativeId, SecretRef, SecretReference};
pub use request::RequestIds;
pub use resolver::SecretResolver;
pub use signer::{PublicKey, Signature, SignatureAlgorithm, Signer, SignerCapabilities, ToSign};
pub use state::SecretState;
pub use sugar::{PageStream, SecretProviderExt};
pub use value::{Secret, SecretValue};
pub use version::{
    Stage, StageSet, VersionId, VersionInfo, VersionSelector, VersionState, WriteStage,
};

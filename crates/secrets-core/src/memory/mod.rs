//! A provider in memory that behaves like one of three clouds, with faults on demand: for the tests
//! of whatever is built on [`SecretProvider`](crate::SecretProvider).
//!
//! A service that passes its tests on all three [personalities](Personality) does not lean on what
//! one cloud happens to do. Nothing leaves the process, nothing sleeps by itself, and no runtime is
//! needed.
//!
//! ```
//! use secrets_core::memory::{MemoryProvider, Personality};
//! use secrets_core::{IdempotencyKey, SecretName, SecretProvider, SecretProviderExt, SecretRef};
//! use secrets_core::{SecretValue, SetOptions};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> secrets_core::Result<()> {
//! for personality in Personality::ALL {
//!     let provider = MemoryProvider::new(personality);
//!     let db = SecretRef::from(SecretName::new("billing/db-password")?);
//!     let base = provider.put_text("billing/db-password", "correct horse").await?;
//!
//!     // A rotation: written, tested, promoted.
//!     let value = SecretValue::from_string("battery staple".to_owned());
//!     let pending = provider.set_secret(&db, value, SetOptions::pending()).await?;
//!     // Whoever knows nothing of rotations still reads what works.
//!     assert_eq!(provider.outside().read(&db)?.value.expose_secret(), b"correct horse");
//!
//!     let token = IdempotencyKey::from_random([7; 16]);
//!     let promoted = provider.promote(&db, &pending.id, &base.id, &token).await?;
//!     assert_eq!(provider.outside().read(&db)?.value.expose_secret(), b"battery staple");
//!     assert_eq!(promoted.previous, Some(base.id));
//! }
//! # Ok(()) }
//! ```
//!
//! # The personalities
//!
//! Each is two parts: the cloud, a store that keeps its cloud's rules and knows none of ours, and
//! the adapter, which does with that cloud's requests what a provider for it has to do. A call of
//! the provider is one or more such requests; [`log`](MemoryProvider::log) shows them.
//!
//! | | AWS Secrets Manager | Azure Key Vault | Google Secret Manager |
//! |---|---|---|---|
//! | plain read | label `AWSCURRENT` | newest version, disabled or not | newest version, whatever its state |
//! | pending | label `AWSPENDING` | companion secret `…-pending` | companion secret `…_pending` |
//! | promotion | compare-and-move of labels | appends; tags name token and predecessor | appends between two annotations; alias `previous` |
//! | `CurrentIs`, `promote` | enforced | detected | detected |
//! | metadata guarded by etag | no | no | enforced |
//! | token | id of the version | tag of the version | annotation, the last 16 |
//! | deletion | 7 to 30 days, or forced | the vault's time, in two phases; then purge | final |
//! | states of versions | – | disable | disable, destroy (also delayed) |
//! | tags | secret, 50 | version, 11 (4 more are ours) | secret, 64 labels in lower case |
//! | bounds of validity | – (no read returns tags) | version | secret, by annotation |
//! | largest value | 65,536 bytes | 25,600 characters; other bytes as base64 | 65,536 bytes |
//! | media type of a value | not kept | kept | not kept |
//!
//! Where a rule comes from stands with the code, and where it is *assumed* the code says so. A secret
//! under a foreign name has no companion, so it cannot have a pending
//! value on Azure and Google.
//!
//! # Faults
//!
//! [`Faults`] are rules: which [`Fault`], at which call of which operation, at which of its requests,
//! how often by chance. A seed means one schedule, for ever.
//!
//! ```
//! use secrets_core::memory::{Fault, FaultRule, Faults, MemoryProvider, Personality};
//! use secrets_core::{Effect, ErrorKind, IdempotencyKey, Operation, SecretName, SecretProvider};
//! use secrets_core::{SecretRef, SecretValue, SetOptions};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let provider = MemoryProvider::new(Personality::Azure);
//! let rule = FaultRule::new(Fault::LostReply).on(Operation::SetSecret).call(1);
//! provider.inject(Faults::seeded(1).with(rule))?;
//!
//! let db = SecretRef::from(SecretName::new("db")?);
//! let write = || {
//!     let token = IdempotencyKey::from_random([7; 16]);
//!     let value = SecretValue::from_string("correct horse".to_owned());
//!     provider.set_secret(&db, value, SetOptions::new().with_token(token))
//! };
//! // The write happened, and its caller cannot know; the token makes repeating it harmless.
//! let lost = write().await.unwrap_err();
//! assert_eq!((lost.kind(), lost.effect()), (ErrorKind::Timeout, Effect::Unknown));
//! write().await?;
//! assert_eq!(provider.calls(Operation::SetSecret), 2);
//! # Ok(()) }
//! ```
//!
//! # Time
//!
//! The clock comes from outside, and so does whatever waits. A [`ManualClock`](crate::ManualClock)
//! is both: sleeping on it moves it forward. Then a deletion window of 30 days, or Azure's phases of
//! seconds, pass in no time; see [`MemoryBuilder`].

mod adapter;
mod aws;
mod azure;
mod builder;
mod fault;
mod gate;
mod google;
mod guard;
mod hint;
mod log;
mod outside;
mod paging;
mod personality;
mod provider;
mod random;
mod session;
mod settings;
mod shelf;
mod sleep;

pub use builder::MemoryBuilder;
pub use fault::{Chance, Fault, FaultRule, Faults};
pub use gate::Gate;
pub use log::{LogEntry, Outcome};
pub use outside::Outside;
pub use personality::Personality;
pub use provider::MemoryProvider;
pub use settings::MemoryConfigError;
pub use shelf::Lag;
pub use sleep::{Sleep, SleepFuture};

//! Starting without the provider: an encrypted copy of the values that were last known.
//!
//! While [`run`](crate::SecretManager::run) is at work, the values that handles hold are written to one
//! file, a [`FileStore`] of `secrets-local`. When the service starts
//! anew while its provider cannot be reached (unavailable, timed out or throttled), they are served
//! from there: as stale, since the provider last confirmed them, and for no longer than
//! [`max_age`](Snapshot::with_max_age) after that.
//!
//! ```
//! use secrets_core::memory::{Chance, Fault, FaultRule, Faults, MemoryProvider, Personality};
//! use secrets_core::{SecretProviderExt, SecretState};
//! use secrets_manager::SecretManager;
//! use secrets_manager::snapshot::{KeyFile, Snapshot};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = |name| folder.path().join(name);
//! # let provider = MemoryProvider::new(Personality::Aws);
//! # provider.put_text("billing/db-password", "correct horse").await?;
//! let key = KeyFile::generate(path("snapshot.key"))?;
//! let snapshot = Snapshot::at(path("snapshot"), key);
//!
//! let manager = SecretManager::builder(provider.clone()).snapshot(snapshot.clone()).build()?;
//! let running = tokio::spawn(manager.run());
//! let password = manager.handle("billing/db-password").await?;
//! # while manager.snapshot().unwrap().entries == 0 { tokio::time::sleep(std::time::Duration::from_millis(20)).await; }
//!
//! // The service ends, and starts anew while the provider is down.
//! # running.abort(); drop((manager, password));
//! provider.inject(Faults::seeded(1).with(FaultRule::new(Fault::Unavailable)))?;
//! let manager = SecretManager::builder(provider).snapshot(snapshot).build()?;
//! tokio::spawn(manager.run());
//! let password = manager.handle("billing/db-password").await?;
//! assert_eq!(password.load().secret().unwrap().value.expose_secret(), b"correct horse");
//! assert_eq!(manager.usage().restored, 1);
//! # Ok(()) }
//! ```
//!
//! # When it serves, and when not
//!
//! | the provider | a value from the snapshot |
//! |---|---|
//! | cannot be reached, or limits the rate, and the cache has no value | is served, as stale; each is told by a `tracing` warning, all by [`Usage::restored`](crate::Usage::restored) |
//! | answers later | is replaced by what it answers |
//! | says not found, disabled, destroyed or pending deletion | is not served from then on, and leaves the file |
//! | is written to by this process: a deletion, a promotion, another value | the same for what there was before |
//! | denies access, or does not accept the identity | is not served, or no longer, and leaves the file: who was denied a secret does not have it back by starting anew. Once the provider gives it again it is written again |
//!
//! | the file | what follows |
//! |---|---|
//! | is not there | there is nothing to serve; it is made once there are values |
//! | was changed, cut, is another store, or one that this key does not open | it is refused and left alone: remove it to begin anew |
//! | is older than one that was seen | the same; across restarts where the store has a [`state_folder`](secrets_local::store::StoreBuilder::state_folder) |
//! | was written for other providers, or another identity | the same |
//! | cannot be read or written for now | it is tried again |
//!
//! All of this is in [`SecretManager::snapshot`](crate::SecretManager::snapshot), with the last error, and in
//! `tracing` warnings; a start goes on without.
//!
//! | a value in the file | what follows |
//! |---|---|
//! | was confirmed longer ago than `max_age` by the clock on the wall | it is not served; it leaves the file with the next value that is written |
//! | was confirmed in the future, by more than five minutes | it is not served: the clock was set back, so its age is not known |
//! | was replaced, by whomever | the old one leaves the file as soon as this process has read the new one: it keeps no versions |
//!
//! How many secrets may be known to be gone before that is written is bounded by
//! [`max_absent`](crate::CachePolicy::with_max_absent), as it happens while nobody runs `run` or the file cannot be
//! written. Beyond that nothing is served from the file until it is, and then the file keeps what is in the
//! cache alone.
//!
//! A clock that is set back by less than a value is old makes it look younger; nothing in a file can tell.
//! Whoever has the key and the file has the values. A key in the provider's own cloud may be out of
//! reach together with the provider.

mod config;
mod entry;
mod error;
mod file;
mod holding;
mod keeper;
mod status;

pub use secrets_local::store::{FileStore, KeyFile, Passphrase, StoreBuilder, Unlock};

pub use config::{Coverage, Snapshot};
pub use error::{SnapshotError, SnapshotErrorKind};
pub(crate) use keeper::Keeper;
pub use status::{SnapshotFile, SnapshotStatus};

//! The suite that every provider, and every wrapper around one, has to pass.
//!
//! It is driven by [`Capabilities`](crate::Capabilities), in both directions: what a provider
//! declares has to work, and what it declares not to have has to answer `Unsupported` and change
//! nothing. Every check is named and says which rule of the contract it proves ([`checks`]); the
//! [`Report`] says of each what was expected and what was seen, and never shows a value.
//!
//! | who | what to write | what to call |
//! |---|---|---|
//! | the author of a provider | a [`Harness`]: the provider, a run id, a way to wait, hooks | [`run`] |
//! | the same, of a backend whose changes show late | one [`Harness`] for each of several backends | [`run_side_by_side`] |
//! | the author of a wrapper | `MemoryHarness::wrap` (feature `memory`) | [`run`], on each personality |
//! | the author of a key provider | a [`KeyHarness`] | [`run_keys`] |
//! | the author of a signer | a [`SignerHarness`] | [`run_signer`] |
//!
//! The suite needs no runtime but the provider's own. It may run against a shared account: all its
//! names start with [`RunId`]'s part, and it takes away what it wrote as well as the provider can
//! ([`Report::leftovers`] tells what stayed). Where changes show late it asks again, for as long as
//! [`Harness::patience`] says; throttled calls are made again.
//!
//! # A provider of your own
//!
//! This one reads from a table that somebody else fills, which is what the plain writer stands for.
//!
//! ```
//! use std::{collections::HashMap, fmt, sync::{Arc, Mutex}, time::{Duration, SystemTime}};
//! use secrets_core::conformance::{self, Harness, PlainWriter, RunId};
//! use secrets_core::*;
//!
//! type Table = Arc<Mutex<HashMap<String, SecretValue>>>;
//!
//! struct TableProvider { id: ProviderId, capabilities: Capabilities, rules: NameRules, table: Table }
//!
//! # impl fmt::Debug for TableProvider {
//! #     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
//! #         f.debug_struct("TableProvider").finish_non_exhaustive()
//! #     }
//! # }
//! fn refusal(kind: ErrorKind, message: &'static str) -> Error {
//!     Error::new(kind, message).with_operation(Operation::GetSecret)
//! }
//!
//! #[async_trait]
//! impl SecretProvider for TableProvider {
//!     fn id(&self) -> &ProviderId { &self.id }
//!     fn capabilities(&self) -> &Capabilities { &self.capabilities }
//!     fn name_rules(&self) -> &NameRules { &self.rules }
//!     async fn get_secret(&self, r: &SecretRef, o: GetOptions) -> Result<Secret> {
//!         if o.version != VersionSelector::Current {
//!             return Err(refusal(ErrorKind::Unsupported, "there are no versions here"));
//!         }
//!         let key = match r {
//!             SecretRef::Name(name) => self.rules.encode(name)
//!                 .map_err(|reason| Error::from(reason).with_operation(Operation::GetSecret))?,
//!             SecretRef::Native(id) => id.as_str().to_owned(),
//!             _ => return Err(refusal(ErrorKind::Unsupported, "not a name")),
//!         };
//!         let value = self.table.lock().unwrap().get(&key).cloned();
//!         let value = value.ok_or_else(|| refusal(ErrorKind::NotFound, "no such entry"))?;
//!         Ok(Secret::new(value, VersionInfo::new(VersionId::new("1")?, SystemTime::UNIX_EPOCH)))
//!     }
//! }
//!
//! struct TableHarness { run: RunId, table: Table }
//!
//! #[async_trait]
//! impl Harness for TableHarness {
//!     fn provider(&self) -> Arc<dyn SecretProvider> {
//!         Arc::new(TableProvider {
//!             id: ProviderId::new("table", "example", ""),
//!             capabilities: Capabilities::read_only(Consistency::Strong, Limits::new(65_536)),
//!             rules: NameRules::new(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_', b'_', 128),
//!             table: self.table.clone(),
//!         })
//!     }
//!     fn run_id(&self) -> &RunId { &self.run }
//!     async fn sleep(&self, time: Duration) { tokio::time::sleep(time).await }
//!     fn plain_writer(&self) -> Option<&dyn PlainWriter> { Some(self) }
//! }
//!
//! #[async_trait]
//! impl PlainWriter for TableHarness {
//!     async fn write(&self, native: &str, value: SecretValue) -> Result<()> {
//!         self.table.lock().unwrap().insert(native.to_owned(), value);
//!         Ok(())
//!     }
//!     async fn remove(&self, native: &str) -> Result<()> {
//!         self.table.lock().unwrap().remove(native);
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let harness = TableHarness { run: RunId::random(), table: Table::default() };
//! // In a test: `unwrap` prints the readable report where a check fails.
//! let report = conformance::run(&harness).await.into_result().unwrap();
//! assert!(report.count("passed") >= 30);
//! assert_eq!(report.leftovers, []);
//! # }
//! ```
//!
//! # What a failure looks like
//!
//! ```text
//! failed    promotion.stale-base: a promotion from a base that is not current is refused
//!   rule      `promote` with a base that is not current is `Conflict` and changes nothing: the pending
//!             value still waits.
//!   step      promote from a base that is not current
//!   expected  an error of kind `conflict`
//!   seen      success
//! ```
//!
//! A check for which a hook is missing is *not run*, which is not *passed*: the report is not
//! conformant until the harness has the hook or says in [`Harness::waives`] why it cannot have it.
//!
//! # How the suite is tested
//!
//! Each check is failed by at least one planted defect, and each passes on at least one sound
//! provider; both are tests of this crate, in `tests/it/conformance`.

mod batch;
mod canary;
mod check;
mod context;
mod deletion;
mod dropping;
mod harness;
mod hints;
mod identity;
mod join;
mod key_checks;
mod keys;
mod leaks;
mod listing;
#[cfg(feature = "memory")]
mod memory;
mod metadata;
mod names;
mod observe;
mod outcome;
mod pages;
mod preconditions;
mod promotion;
mod reads;
mod recovery;
mod refusals;
mod report;
mod signer_checks;
mod signers;
mod snapshot;
mod staging;
mod states;
mod suite;
mod tokens;
mod validity;
mod values;
mod versions;
mod writers;

pub use check::{Because, Capability, Check, Failure};
pub use harness::{ClockHand, Harness, Hook, PlainReader, PlainWriter, RunId, ValueClass};
pub use keys::{KeyHarness, KeyRotator, key_checks, run_keys};
#[cfg(feature = "memory")]
pub use memory::MemoryHarness;
pub use report::{CheckResult, NotConformant, Outcome, Report};
pub use signers::{SignerHarness, run_signer, signer_checks};
pub use suite::{checks, run, run_only, run_side_by_side};

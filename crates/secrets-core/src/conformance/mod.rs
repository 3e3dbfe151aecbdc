//! The conformance suite.

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
mod pages;
mod preconditions;
mod promotion;
mod reads;
mod recovery;
mod refusals;
mod report;
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
pub use keys::{KeyHarness, key_checks, run_keys};
#[cfg(feature = "memory")]
pub use memory::MemoryHarness;
pub use report::{CheckResult, NotConformant, Outcome, Report};
pub use suite::{checks, run, run_only};

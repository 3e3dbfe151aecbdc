#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod book;
mod builder;
mod cached;
mod flight;
mod guard;
mod handle;
mod held;
mod hints;
mod hit;
mod index;
mod inner;
mod jitter;
mod line;
mod manager;
mod many;
mod moment;
mod policy;
mod provider;
mod pulse;
mod runner;
mod source;
mod store;
mod unusable;
mod upsets;
mod usage;
mod validity;
mod write;

pub use live_value::{Closed, Guard, Live, Version};
pub use secrets_core;

pub use builder::{BuildError, SecretManagerBuilder};
pub use cached::CachedProvider;
pub use handle::SecretHandle;
pub use hit::Hit;
pub use jitter::Jitter;
pub use manager::SecretManager;
pub use policy::{Backoff, CachePolicy, Upkeep};
pub use runner::AlreadyRunning;
pub use unusable::{Unusable, UnusableKind};
pub use usage::Usage;
pub use validity::{EnforceValidity, ValidityObserver, ValidityPolicy};

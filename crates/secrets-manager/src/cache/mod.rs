//! The cache: lines of values over providers, the index by name, handles, and what refreshes them.

pub(crate) mod asker;
mod book;
pub(crate) mod cached;
mod flight;
mod guard;
pub(crate) mod handle;
pub(crate) mod held;
mod hints;
pub(crate) mod hit;
mod index;
pub(crate) mod inner;
pub(crate) mod jitter;
pub(crate) mod last_known;
pub(crate) mod line;
mod many;
mod moment;
mod outlet;
pub(crate) mod policy;
mod provider;
pub(crate) mod pulse;
pub(crate) mod runner;
pub(crate) mod source;
pub(crate) mod store;
pub(crate) mod unusable;
mod upsets;
pub(crate) mod usage;
mod write;

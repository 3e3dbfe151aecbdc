//! Google Secret Manager: numbered versions.

mod adapter;
mod foreign;
mod journal;
mod lookup;
mod metadata;
mod project;
mod promotion;
mod write;

pub(crate) use adapter::GoogleAdapter;

//! Azure Key Vault: the newest version wins.

mod adapter;
mod deletion;
mod encoding;
mod foreign;
mod lookup;
mod promotion;
mod tags;
mod vault;
mod write;

pub(crate) use adapter::AzureAdapter;

//! The names of the secrets in the store.

/// The password that the services log in with.
pub(crate) const STORED_PASSWORD: &str = "app/password";
/// What the settings call it.
pub(crate) const PASSWORD: &str = "password";
/// The key of the audit trail, which the settings name.
pub(crate) const CHAIN_KEY: &str = "audit/chain-key";
/// The token that may change the resource's passwords.
pub(crate) const ADMIN_TOKEN: &str = "resource/admin-token";

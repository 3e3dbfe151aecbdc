//! The names of the secrets, where they are kept and in the settings.

/// The password that the services log in with.
pub(crate) const STORED_PASSWORD: &str = "app/password";
/// What the settings call it.
pub(crate) const PASSWORD: &str = "password";
/// The key of the audit trail.
pub(crate) const STORED_CHAIN_KEY: &str = "audit/chain-key";
/// What the settings call it.
pub(crate) const CHAIN_KEY: &str = "chain";
/// The token that may change the resource's passwords.
pub(crate) const STORED_ADMIN_TOKEN: &str = "resource/admin-token";
/// What the settings call it.
pub(crate) const ADMIN_TOKEN: &str = "admin";

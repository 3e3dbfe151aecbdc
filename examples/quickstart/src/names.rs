//! The names of the secrets in the store.

/// The password that the services log in with.
pub(crate) const PASSWORD: &str = "app/password";
/// The token that may change the resource's passwords.
pub(crate) const ADMIN_TOKEN: &str = "resource/admin-token";

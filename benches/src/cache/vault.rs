use futures_executor::block_on;
use secret_vault::{
    MockSecretsSource, SecretName, SecretVaultBuilder, SecretVaultRef, SecretVaultView,
};
use secret_vault_value::SecretValue;

use super::draws::{Draws, glimpse};
use crate::harness::Case;
use crate::names::value;

/// `secret-vault` without encryption in memory, read by references that were made beforehand, as
/// its documentation shows.
pub(super) fn case(draws: &Draws) -> Case {
    let reference = |name: &String| SecretVaultRef::new(SecretName::from(name));
    let references: Vec<_> = draws.names().iter().map(reference).collect();
    let secret = |(number, reference): (usize, &SecretVaultRef)| {
        (reference.clone(), SecretValue::new(value(number).to_vec()))
    };
    let source = MockSecretsSource::new(references.iter().enumerate().map(secret).collect());
    let vault = SecretVaultBuilder::with_source(source)
        .without_encryption()
        .with_secret_refs(references.iter().collect())
        .build()
        .unwrap();
    // `refresh` would take hours for 100,000: it compares all with all.
    block_on(vault.refresh_only(|_| true)).unwrap();
    draws.async_case(async move |draw| {
        let secret = vault.require_secret_by_ref(&references[draw.number]).await.unwrap();
        glimpse(secret.value.as_sensitive_bytes())
    })
}

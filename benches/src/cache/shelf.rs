use std::collections::HashMap;
use std::time::SystemTime;

use async_trait::async_trait;
use secrets_core::{
    Capabilities, Consistency, Error, ErrorKind, GetOptions, Limits, NameRules, ProviderId, Result,
    Secret, SecretName, SecretProvider, SecretRef, SecretValue, VersionId, VersionInfo,
};

use crate::names::value;

/// The secret with this number, with a version.
pub(super) fn secret(number: usize) -> Secret {
    let version = VersionId::new(&format!("{number}")).unwrap();
    let version = VersionInfo::new(version, SystemTime::UNIX_EPOCH);
    Secret::new(SecretValue::copy_from_slice(&value(number)), version)
}

/// A provider that answers at once, each time with a value of its own in memory, as one does that
/// fetches or decrypts.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    id: ProviderId,
    capabilities: Capabilities,
    rules: NameRules,
    numbers: HashMap<SecretRef, usize>,
}

impl Shelf {
    pub(super) fn new(names: &[String]) -> Self {
        let entry = |(number, name): (usize, &String)| {
            (SecretRef::Name(SecretName::new(name).unwrap()), number)
        };
        Self {
            id: ProviderId::new("shelf", "benches", ""),
            capabilities: Capabilities::read_only(Consistency::Strong, Limits::new(1024)),
            rules: NameRules::new(|byte| byte.is_ascii_alphanumeric(), b'-', 64),
            numbers: names.iter().enumerate().map(entry).collect(),
        }
    }
}

#[async_trait]
impl SecretProvider for Shelf {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn name_rules(&self) -> &NameRules {
        &self.rules
    }

    async fn get_secret(&self, reference: &SecretRef, _options: GetOptions) -> Result<Secret> {
        let number = self.numbers.get(reference);
        let number = number.ok_or_else(|| Error::new(ErrorKind::NotFound, "not on the shelf"))?;
        Ok(secret(*number))
    }
}

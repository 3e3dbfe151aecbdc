//! Suite `start`: a service reads all secrets that it requires and holds each to its rules, from a
//! provider that takes 20 ms for a call. One call after the other would take ten seconds.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use secrets_core::{
    Capabilities, Consistency, GetOptions, Limits, NameRules, ProviderId, Result, Secret,
    SecretName, SecretProvider, SecretRef, SecretValue, Support, VersionId, VersionInfo,
};
use secrets_manager::{SecretManager, SecretRules};
use tokio::runtime::Builder;

use crate::harness::{Case, Row};

const SECRETS: usize = 500;
const CALL: Duration = Duration::from_millis(20);
/// An eighth of one call each.
const BOUND: Duration = Duration::from_millis(1_250);

pub(crate) fn rows() -> Vec<Row> {
    let rows = [
        ("start/required secrets, one call each", Support::No),
        ("start/required secrets, one call for all", Support::Native),
    ];
    rows.map(|(path, batch)| Row {
        path,
        threads: 1,
        size: SECRETS,
        unit: "secrets",
        ours: case(batch),
        within: Some(BOUND),
        peers: Vec::new(),
    })
    .into()
}

/// A manager with an empty cache each time.
fn case(batch: Support) -> Case {
    let rules = SecretRules::new().with_min_length(16).with_min_entropy_bits(40);
    let name = |number| SecretName::new(&format!("service/secret-{number}")).unwrap();
    let required: Arc<[_]> = (0..SECRETS).map(|number| (name(number), rules.clone())).collect();
    let case = Case::new(move || {
        let required = Arc::clone(&required);
        move |operations| {
            let runtime = Builder::new_current_thread().enable_time().build().unwrap();
            for _ in 0..operations {
                runtime.block_on(async {
                    let manager = SecretManager::builder(Distant::new(batch)).build().unwrap();
                    manager.check_required(&required).await.unwrap();
                });
            }
        }
    });
    case.by_wall()
}

/// Every call of it takes its time.
#[derive(Debug)]
struct Distant {
    id: ProviderId,
    capabilities: Capabilities,
    rules: NameRules,
}

impl Distant {
    fn new(batch: Support) -> Self {
        let mut capabilities = Capabilities::read_only(Consistency::Strong, Limits::new(1024));
        capabilities.batch = batch;
        Self {
            id: ProviderId::new("distant", "benches", ""),
            capabilities,
            rules: NameRules::new(|byte| byte.is_ascii_graphic(), b'%', 256),
        }
    }
}

fn secret() -> Secret {
    let version = VersionInfo::new(VersionId::new("1").unwrap(), SystemTime::UNIX_EPOCH);
    Secret::new(SecretValue::copy_from_slice(b"q7Zt0vR2mXc9LbW4kH5n"), version)
}

#[async_trait]
impl SecretProvider for Distant {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn name_rules(&self) -> &NameRules {
        &self.rules
    }

    async fn get_secret(&self, _reference: &SecretRef, _options: GetOptions) -> Result<Secret> {
        tokio::time::sleep(CALL).await;
        Ok(secret())
    }

    async fn get_secrets(&self, wanted: &[(SecretRef, GetOptions)]) -> Result<Vec<Result<Secret>>> {
        tokio::time::sleep(CALL).await;
        Ok(wanted.iter().map(|_| Ok(secret())).collect())
    }
}

//! Connects providers: those that have the credentials of others before these.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use secrets_core::{Error, ErrorKind, Result, SecretProvider};

use super::credentials::resolver;
use super::error::ProviderFailure;
use super::plan::{Connected, ProviderPlan};
use super::providers::Planned;
use super::start::StartWarning;
use crate::time_limit::TimeLimit;

pub(super) type Providers = BTreeMap<String, Arc<dyn SecretProvider>>;

/// Connects all of them, as many at a time as can be. Where some fail, all that do are told, beside
/// what deserves attention about the others.
pub(super) async fn connect(
    mut waiting: BTreeMap<String, Planned>,
    limit: Duration,
) -> (std::result::Result<Providers, Vec<ProviderFailure>>, Vec<StartWarning>) {
    let mut connected = Providers::new();
    let mut warnings = Vec::new();
    let mut failures: BTreeMap<String, ProviderFailure> = BTreeMap::new();
    while !waiting.is_empty() {
        let is_due = |_: &String, planned: &mut Planned| {
            let from = planned.credentials_from.as_ref();
            from.is_none_or(|from| connected.contains_key(from) || failures.contains_key(from))
        };
        let due: Vec<_> = waiting.extract_if(.., is_due).collect();
        if due.is_empty() {
            // Cycles are problems of the settings, which are looked for before.
            break;
        }
        let calls = due.into_iter().map(|(name, planned)| {
            let from = planned.credentials_from.as_ref().map(|from| connected.get(from).cloned());
            let told = planned.options.place();
            async move { (name, told, one(planned, from, limit).await) }
        });
        for (name, told, outcome) in join_all(calls).await {
            match outcome {
                Ok(Connected { provider, warnings: found }) => {
                    let warning = |message| StartWarning { provider: told.clone(), message };
                    warnings.extend(found.into_iter().map(warning));
                    connected.insert(name, provider);
                }
                Err(error) => {
                    failures.insert(name, ProviderFailure { provider: told, error });
                }
            }
        }
    }
    let outcome = match failures.is_empty() {
        true => Ok(connected),
        false => Err(failures.into_values().collect()),
    };
    (outcome, warnings)
}

async fn one(
    planned: Planned,
    from: Option<Option<Arc<dyn SecretProvider>>>,
    limit: Duration,
) -> Result<Connected> {
    if let Some(None) = from {
        let message = "it was not tried: the provider that has its credentials failed";
        return Err(Error::new(ErrorKind::Unavailable, message));
    }
    let secrets = resolver(from.flatten().as_ref(), limit);
    let ProviderPlan { connect, .. } = planned.plan;
    let Ok(connected) = tokio::time::timeout(limit, connect(secrets)).await else {
        let message = "it was not connected within `start_timeout`";
        return Err(Error::new(ErrorKind::Timeout, message));
    };
    let connected = connected?;
    Ok(match planned.timeout {
        Some(limit) => Connected {
            provider: Arc::new(TimeLimit::new(connected.provider, limit)),
            warnings: connected.warnings,
        },
        None => connected,
    })
}

//! From settings to a running manager.

mod audited;
mod hostile;
mod network;
mod problems;
mod reload;
#[cfg(feature = "snapshot")]
mod snapshots;
mod stacks;
mod starting;

use std::ffi::OsString;
use std::sync::Arc;

use secrets_core::SecretProvider;
use secrets_manager::service_settings::{Format, Layers, Problem, Problems, Rules, Subtree};
use secrets_manager::{ProviderPlan, Registry, SecretManagerSettings, StartError, Started};

/// As a service has them.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    pub(crate) secrets: SecretManagerSettings,
}

impl Rules for Service {
    fn problems(&self) -> Vec<Problem> {
        self.secrets.problems()
    }
}

pub(crate) fn layers(text: &str) -> Layers<Service> {
    Layers::new().defaults(Format::Toml, text)
}

pub(crate) fn variables<const N: usize>(all: [(&str, &str); N]) -> Vec<(OsString, OsString)> {
    all.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

pub(crate) fn settings(text: &str) -> SecretManagerSettings {
    parse(text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Read, and not checked: for settings that use types of the tests.
pub(crate) fn parse(text: &str) -> Result<SecretManagerSettings, Problems> {
    Subtree::parse(Format::Toml, "app.toml", text)?.read::<Service>().map(|service| service.secrets)
}

/// All that is wrong, one on a line, without the count.
pub(crate) fn wrong(text: &str) -> Vec<String> {
    told(layers(text).load().expect_err("problems"))
}

pub(crate) fn told(problems: impl IntoIterator<Item = Problem>) -> Vec<String> {
    let mut told: Vec<_> = problems.into_iter().map(|problem| problem.to_string()).collect();
    told.sort();
    told
}

/// A type `memory`, whose `scope` chooses among the providers that are given.
pub(crate) fn registry(providers: Vec<Arc<dyn SecretProvider>>) -> Registry {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        scope: String,
    }
    Registry::new().register("memory", move |options: &Subtree| -> Result<_, Problems> {
        let Options { scope } = options.read()?;
        let found = providers.iter().find(|provider| provider.id().scope() == scope);
        match found {
            Some(provider) => Ok(ProviderPlan::ready(Arc::clone(provider))),
            None => Err(options.problem("scope", "there is no such scope").into()),
        }
    })
}

pub(crate) async fn started(text: &str, registry: &Registry) -> Started {
    settings(text).start(registry).await.unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) async fn refused(text: &str, registry: &Registry) -> StartError {
    settings(text).start(registry).await.expect_err("a start that fails")
}

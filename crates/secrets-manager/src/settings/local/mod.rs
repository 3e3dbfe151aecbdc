//! The providers of `secrets-local`, made of settings.

mod file;

use secrets_core::SecretProvider;
use secrets_local::directory::{DirectoryConfig, DirectoryProvider};
use secrets_local::dotenv::{DotenvConfig, DotenvProvider};
use secrets_local::env::{EnvConfig, EnvProvider};
use serde::de::DeserializeOwned;
use service_settings::{Problem, Problems, Subtree};

use super::plan::ProviderPlan;
use super::registry::Registry;

pub(super) fn register(registry: Registry) -> Registry {
    registry
        .register("env", |options: &Subtree| {
            plan(options, EnvConfig::problems, EnvProvider::from_process)
        })
        .register("dotenv", |options: &Subtree| {
            plan(options, DotenvConfig::problems, DotenvProvider::new)
        })
        .register("directory", |options: &Subtree| {
            plan(options, DirectoryConfig::problems, DirectoryProvider::new)
        })
        .register("file", file::plan)
}

/// Of a configuration that reads itself, and knows what is wrong with it.
fn plan<C, P, E>(
    options: &Subtree,
    problems: fn(&C) -> Vec<String>,
    provider: fn(C) -> Result<P, E>,
) -> Result<ProviderPlan, Problems>
where
    C: DeserializeOwned,
    P: SecretProvider,
    E: std::error::Error,
{
    let config: C = options.read()?;
    let told = |problem: String| -> Problem { options.problem_quoting("", &problem) };
    Problems::none_or(problems(&config).into_iter().map(told))?;
    let provider = provider(config).map_err(|error| told(error.to_string()))?;
    Ok(ProviderPlan::ready(provider))
}

//! The account as the suite sees it, and the plain SDK as a client that knows nothing of the library.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use aws_sdk_secretsmanager::primitives::Blob;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType};
use secrets_aws::{AwsClients, AwsConfig, SecretsManagerProvider};
use secrets_core::conformance::{Harness, Hook, PlainReader, PlainWriter, RunId, ValueClass};
use secrets_core::{
    Capabilities, Consistency, Error, ErrorKind, InvalidName, Result, SecretName, SecretProvider,
    SecretValue,
};

use crate::Failure;
use crate::args::Request;

/// A double has a clock of its own, which nobody moves here.
const ON_A_DOUBLE: Duration = Duration::from_millis(20);

/// An account, and what of it belongs to this run.
pub(crate) struct Account {
    provider: SecretsManagerProvider,
    plain: Client,
    prefix: String,
    run: RunId,
    is_double: bool,
}

impl Account {
    pub(crate) async fn connect(request: &Request) -> Result<Self, Failure> {
        let mut config = AwsConfig::in_region(&request.region);
        let region = Region::new(request.region.clone());
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).region(region);
        if let Some(url) = &request.endpoint {
            config = config.with_endpoint(url);
            loader = loader.endpoint_url(url);
        }
        // What is wrong with the endpoint is said here, before the other client is made.
        let clients = AwsClients::connect(config).await?;
        Ok(Self {
            provider: SecretsManagerProvider::new(&clients),
            plain: Client::new(&loader.load().await),
            prefix: request.prefix.clone(),
            run: RunId::random(),
            is_double: request.is_on_a_double(),
        })
    }

    /// What the names of this run begin with.
    pub(crate) fn root(&self) -> String {
        format!("{}/{}", self.prefix, self.run)
    }

    pub(crate) fn provider_id(&self) -> String {
        self.provider.id().to_string()
    }

    /// Deletes what is left of this run, deleted secrets that can be restored among it.
    ///
    /// # Errors
    /// The names of what is left all the same, or why nobody knows.
    pub(crate) async fn clear(&self) -> Result<(), Vec<String>> {
        let root = format!("{}/", self.root());
        let filter = Filter::builder().key(FilterNameStringType::Name).values(&root).build();
        let mut pages = self
            .plain
            .list_secrets()
            .include_planned_deletion(true)
            .filters(filter)
            .into_paginator()
            .send();
        let mut left = Vec::new();
        while let Some(page) = pages.next().await {
            let Ok(page) = page else {
                left.push(format!("{root}*"));
                break;
            };
            let names = page.secret_list().iter().filter_map(|entry| entry.name());
            for name in names.filter(|name| name.starts_with(&root)) {
                // Lists are behind: what is gone already is no failure.
                if self.remove(name).await.is_err() {
                    left.push(name.to_owned());
                }
            }
        }
        if left.is_empty() { Ok(()) } else { Err(left) }
    }
}

#[async_trait]
impl Harness for Account {
    fn provider(&self) -> Arc<dyn SecretProvider> {
        Arc::new(self.provider.clone())
    }

    fn run_id(&self) -> &RunId {
        &self.run
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(if self.is_double { time.min(ON_A_DOUBLE) } else { time }).await;
    }

    async fn time_limit(&self) {
        tokio::time::sleep(Duration::from_secs(30 * 60)).await;
    }

    fn patience(&self, capabilities: &Capabilities) -> Duration {
        match capabilities.consistency {
            Consistency::Eventual { within } => within.saturating_mul(3),
            _ => Duration::from_secs(30),
        }
    }

    fn lateness(&self, _: &Capabilities) -> Duration {
        if self.is_double { ON_A_DOUBLE } else { Duration::from_secs(5) }
    }

    fn name(&self, label: &str) -> Result<SecretName, InvalidName> {
        SecretName::new(&format!("{}/{label}", self.root()))
    }

    fn plain_reader(&self) -> Option<&dyn PlainReader> {
        Some(self)
    }

    fn plain_writer(&self) -> Option<&dyn PlainWriter> {
        Some(self)
    }

    fn takes(&self, class: ValueClass) -> bool {
        class != ValueClass::Empty
    }

    fn waives(&self, hook: Hook) -> Option<&'static str> {
        (hook == Hook::Clock).then_some("nobody moves the clock of an account")
    }
}

fn failed(error: &impl ProvideErrorMetadata) -> Error {
    let code = error.code().unwrap_or("no answer").to_owned();
    Error::new(ErrorKind::Internal, code)
}

#[async_trait]
impl PlainReader for Account {
    async fn read(&self, native: &str) -> Result<Option<SecretValue>> {
        match self.plain.get_secret_value().secret_id(native).send().await {
            Ok(answer) => Ok(match (answer.secret_string, answer.secret_binary) {
                (Some(text), _) => Some(SecretValue::from_string(text)),
                (None, Some(bytes)) => Some(SecretValue::from_vec(bytes.into_inner())),
                (None, None) => None,
            }),
            Err(error) => match error.code() {
                // There is none, or it is to be deleted.
                Some("ResourceNotFoundException" | "InvalidRequestException") => Ok(None),
                _ => Err(failed(&error)),
            },
        }
    }
}

#[async_trait]
impl PlainWriter for Account {
    async fn write(&self, native: &str, value: SecretValue) -> Result<()> {
        let text = value.expose_secret_text().ok().map(str::to_owned);
        let bytes = text.is_none().then(|| Blob::new(value.expose_secret().to_vec()));
        let put = self.plain.put_secret_value().secret_id(native);
        let put = put.set_secret_string(text.clone()).set_secret_binary(bytes.clone()).send().await;
        let Err(error) = put else { return Ok(()) };
        if error.code() != Some("ResourceNotFoundException") {
            return Err(failed(&error));
        }
        let create = self.plain.create_secret().name(native);
        let created = create.set_secret_string(text).set_secret_binary(bytes).send().await;
        created.map(drop).map_err(|error| failed(&error))
    }

    async fn remove(&self, native: &str) -> Result<()> {
        let delete = self.plain.delete_secret().secret_id(native);
        match delete.force_delete_without_recovery(true).send().await {
            Err(error) if error.code() != Some("ResourceNotFoundException") => Err(failed(&error)),
            _ => Ok(()),
        }
    }
}

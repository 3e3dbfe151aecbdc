//! The account as the suite sees it, and the plain SDK as a client that knows nothing of the library.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region};
use aws_harness::{AwsHarness, Passing, PlainClient, Refused};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use aws_sdk_secretsmanager::primitives::Blob;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType};
use secrets_aws::{AwsClients, AwsConfig, SecretsManagerProvider};
use secrets_core::SecretValue;
use secrets_core::conformance::{Harness, PlainWriter};

use crate::Failure;
use crate::args::Request;

/// How long reads of a server on this machine are asked again: it is not waited for.
const ON_A_DOUBLE: Duration = Duration::from_millis(20);

/// An account, and what of it belongs to this run.
pub(crate) struct Account(AwsHarness<Plain>);

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
        let provider = SecretsManagerProvider::builder(&clients);
        let (provider, time) = if request.is_on_a_double() {
            (provider.with_read_patience(ON_A_DOUBLE), Passing::AtOnce)
        } else {
            (provider, Passing::Account)
        };
        let plain = Plain(Client::new(&loader.load().await));
        let harness = AwsHarness::new(Arc::new(provider.build()), plain, time);
        Ok(Self(harness.under(&request.prefix)))
    }

    /// As the suite sees it.
    pub(crate) fn harness(&self) -> &impl Harness {
        &self.0
    }

    /// Asks whether the account is there and lets us in, before a hundred checks say that it does not.
    pub(crate) async fn greet(&self) -> Result<(), Failure> {
        self.0.provider().health().await?;
        Ok(())
    }

    /// What the names of this run begin with.
    pub(crate) fn root(&self) -> String {
        self.0.root()
    }

    pub(crate) fn provider_id(&self) -> String {
        self.0.provider().id().to_string()
    }

    /// Deletes what is left of this run, deleted secrets that can be restored among it.
    ///
    /// # Errors
    /// The names of what is left all the same, or why nobody knows.
    pub(crate) async fn clear(&self) -> Result<(), Vec<String>> {
        let root = format!("{}/", self.root());
        let filter = Filter::builder().key(FilterNameStringType::Name).values(&root).build();
        let Plain(client) = self.0.client();
        let mut pages = client
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
                if self.0.remove(name).await.is_err() {
                    left.push(name.to_owned());
                }
            }
        }
        if left.is_empty() { Ok(()) } else { Err(left) }
    }
}

/// The plain SDK.
pub(crate) struct Plain(Client);

fn refused(error: &impl ProvideErrorMetadata) -> Refused {
    Refused::new(error.code().unwrap_or("no answer"))
}

/// A value as the SDK writes it: text or bytes.
fn content(value: &SecretValue) -> (Option<String>, Option<Blob>) {
    match value.expose_secret_text() {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(Blob::new(value.expose_secret().to_vec()))),
    }
}

#[async_trait]
impl PlainClient for Plain {
    async fn get(&self, id: &str) -> Result<Option<SecretValue>, Refused> {
        let answer = self.0.get_secret_value().secret_id(id).send().await;
        let answer = answer.map_err(|error| refused(&error))?;
        Ok(match (answer.secret_string, answer.secret_binary) {
            (Some(text), _) => Some(SecretValue::from_string(text)),
            (None, Some(bytes)) => Some(SecretValue::from_vec(bytes.into_inner())),
            (None, None) => None,
        })
    }

    async fn put(&self, id: &str, value: &SecretValue) -> Result<(), Refused> {
        let (text, bytes) = content(value);
        let put = self.0.put_secret_value().secret_id(id);
        let put = put.set_secret_string(text).set_secret_binary(bytes).send().await;
        put.map(drop).map_err(|error| refused(&error))
    }

    async fn create(&self, name: &str, value: &SecretValue) -> Result<(), Refused> {
        let (text, bytes) = content(value);
        let create = self.0.create_secret().name(name);
        let create = create.set_secret_string(text).set_secret_binary(bytes).send().await;
        create.map(drop).map_err(|error| refused(&error))
    }

    async fn delete(&self, id: &str) -> Result<(), Refused> {
        let delete = self.0.delete_secret().secret_id(id).force_delete_without_recovery(true);
        delete.send().await.map(drop).map_err(|error| refused(&error))
    }
}

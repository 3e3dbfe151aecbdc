#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod plain;
mod time;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrets_core::conformance::{
    ClockHand, Harness, Hook, PlainReader, PlainWriter, RunId, ValueClass,
};
use secrets_core::{Capabilities, InvalidName, Result, SecretName, SecretProvider, SecretValue};

pub use plain::{PlainClient, Refused};
pub use time::Passing;

/// A provider of AWS Secrets Manager, and a client `C` that knows nothing of it, as the suite sees them.
#[derive(Clone)]
#[must_use]
pub struct AwsHarness<C> {
    provider: Arc<dyn SecretProvider>,
    client: C,
    time: Passing,
    run: RunId,
    prefix: Option<String>,
    credentials: Vec<SecretValue>,
}

impl<C: PlainClient> AwsHarness<C> {
    /// A run of its own, by a random [`RunId`].
    pub fn new(provider: Arc<dyn SecretProvider>, client: C, time: Passing) -> Self {
        let (run, credentials) = (RunId::random(), Vec::new());
        Self { provider, client, time, run, prefix: None, credentials }
    }

    /// Names begin with this, and the id of the run behind it; otherwise as the suite has them.
    pub fn under(mut self, prefix: &str) -> Self {
        self.prefix = Some(prefix.to_owned());
        self
    }

    /// What the provider signs with: it must not show either.
    pub fn with_credential(mut self, secret: SecretValue) -> Self {
        self.credentials.push(secret);
        self
    }

    /// What the names of this run begin with.
    #[must_use]
    pub fn root(&self) -> String {
        format!("{}/{}", self.prefix.as_deref().unwrap_or("conformance"), self.run)
    }

    /// The client beside the provider.
    pub fn client(&self) -> &C {
        &self.client
    }
}

/// Shows neither keys nor clients.
impl<C> std::fmt::Debug for AwsHarness<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwsHarness")
            .field("provider", self.provider.id())
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl<C: PlainClient> Harness for AwsHarness<C> {
    fn provider(&self) -> Arc<dyn SecretProvider> {
        Arc::clone(&self.provider)
    }

    fn run_id(&self) -> &RunId {
        &self.run
    }

    async fn sleep(&self, time: Duration) {
        self.time.sleep(time).await;
    }

    async fn time_limit(&self) {
        tokio::time::sleep(self.time.limit()).await;
    }

    fn patience(&self, capabilities: &Capabilities) -> Duration {
        self.time.patience(capabilities)
    }

    fn lateness(&self, _: &Capabilities) -> Duration {
        self.time.lateness()
    }

    fn hints_within(&self) -> Duration {
        self.time.hints_within()
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

    fn clock(&self) -> Option<&dyn ClockHand> {
        self.time.can_be_moved().then_some(self)
    }

    fn takes(&self, class: ValueClass) -> bool {
        class != ValueClass::Empty
    }

    fn credentials(&self) -> Vec<SecretValue> {
        self.credentials.clone()
    }

    fn waives(&self, hook: Hook) -> Option<&'static str> {
        (hook == Hook::Clock).then_some("nobody moves the clock there")
    }
}

#[async_trait]
impl<C: PlainClient> ClockHand for AwsHarness<C> {
    async fn advance(&self, by: Duration) {
        self.time.advance(by);
    }
}

#[async_trait]
impl<C: PlainClient> PlainReader for AwsHarness<C> {
    async fn read(&self, native: &str) -> Result<Option<SecretValue>> {
        plain::read(&self.client, native).await
    }
}

#[async_trait]
impl<C: PlainClient> PlainWriter for AwsHarness<C> {
    async fn write(&self, native: &str, value: SecretValue) -> Result<()> {
        plain::write(&self.client, native, &value).await
    }

    async fn remove(&self, native: &str) -> Result<()> {
        plain::remove(&self.client, native).await
    }
}

#[cfg(test)]
mod tests;

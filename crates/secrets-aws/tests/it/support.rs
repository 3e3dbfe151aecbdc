//! Providers on the servers of tests, and boto3 beside them.

use std::sync::Arc;
use std::time::Duration;

use aws_double::{AwsDouble, AwsDoubleBuilder, Consistency};
use aws_harness::{AwsHarness, Passing, PlainClient, Refused};
use peers::{Boto3, Credentials, Moto};
use secrets_aws::{AwsClients, AwsConfig, Identity, Network, SecretsManagerProvider, StaticKeys};
use secrets_core::conformance::{self, Harness, Report};
use secrets_core::{SecretName, SecretRef, SecretValue, async_trait};
use serde_json::{Value, json};

pub(crate) const REGION: &str = "eu-west-1";

/// Fails at once where a test would leave this host.
pub(crate) fn loopback(url: &str) -> &str {
    assert!(url.starts_with("http://127.0.0.1:"), "`{url}` is not on loopback");
    url
}

pub(crate) async fn clients(url: &str) -> AwsClients {
    clients_as(url, "AKIAIOSFODNN7EXAMPLE", "secret").await
}

pub(crate) async fn clients_as(url: &str, key: &str, secret: &str) -> AwsClients {
    let keys = StaticKeys::new(key, text(secret));
    let config = AwsConfig::in_region(REGION)
        .with_endpoint(loopback(url))
        .with_identity(Identity::StaticKeys(keys));
    AwsClients::connect(config).await.unwrap()
}

/// Whose calls are made once and not again.
pub(crate) async fn clients_in_one_attempt(url: &str, key: &str, secret: &str) -> AwsClients {
    let keys = StaticKeys::new(key, text(secret));
    let config = AwsConfig::in_region(REGION)
        .with_endpoint(loopback(url))
        .with_identity(Identity::StaticKeys(keys))
        .with_network(Network::default().with_attempts(1));
    AwsClients::connect(config).await.unwrap()
}

pub(crate) fn name(text: &str) -> SecretRef {
    SecretName::new(text).unwrap().into()
}

pub(crate) fn text(text: &str) -> SecretValue {
    SecretValue::from_string(text.to_owned())
}

/// moto, a provider on it, and boto3 as somebody else's client.
pub(crate) struct OnMoto {
    _moto: Moto,
    pub(crate) boto3: Boto3,
    pub(crate) provider: SecretsManagerProvider,
}

impl OnMoto {
    pub(crate) async fn start() -> Self {
        let moto = Moto::start().unwrap();
        let keys = Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret");
        let boto3 = Boto3::start(moto.url(), REGION, &keys).unwrap();
        let clients = clients(moto.url()).await;
        let provider = SecretsManagerProvider::builder(&clients)
            // moto is consistent at once.
            .with_read_patience(Duration::ZERO)
            .build();
        Self { _moto: moto, boto3, provider }
    }

    pub(crate) fn harness(&self) -> AwsHarness<Plain<'_>> {
        AwsHarness::new(Arc::new(self.provider.clone()), Plain(&self.boto3), Passing::AtOnce)
    }
}

/// A double whose delays are shorter, where calls wait for them in real time. Lists stay five minutes
/// behind.
pub(crate) fn quick() -> AwsDoubleBuilder {
    let reads = Duration::from_millis(50);
    AwsDouble::builder()
        .region(REGION)
        .consistency(Consistency { reads, ..Consistency::default() })
        .deletion_takes(Duration::from_millis(20))
}

/// Our double with its delays, a provider on it, and boto3 as somebody else's client.
pub(crate) struct OnDouble {
    pub(crate) double: AwsDouble,
    pub(crate) boto3: Boto3,
    pub(crate) provider: SecretsManagerProvider,
}

impl OnDouble {
    pub(crate) async fn start() -> Self {
        Self::of(quick()).await
    }

    pub(crate) async fn of(builder: AwsDoubleBuilder) -> Self {
        let double = builder.start().await.unwrap();
        let keys = double.credentials();
        let boto3 = Credentials::new(keys.access_key(), keys.secret_key());
        let boto3 = Boto3::start(double.url(), REGION, &boto3).unwrap();
        let clients = clients_as(double.url(), keys.access_key(), keys.secret_key()).await;
        let provider = SecretsManagerProvider::builder(&clients)
            .with_read_patience(Duration::from_millis(200))
            .build();
        Self { double, boto3, provider }
    }

    /// Time is the double's.
    pub(crate) fn harness(&self) -> AwsHarness<Plain<'_>> {
        let clock = self.double.clock().clone();
        let time = Passing::Clock(Arc::new(move |by| clock.advance(by)));
        AwsHarness::new(Arc::new(self.provider.clone()), Plain(&self.boto3), time)
            .with_credential(text(self.double.credentials().secret_key()))
    }

    pub(crate) async fn boto3(&self, operation: &str, parameters: Value) -> Value {
        self.boto3.call("secretsmanager", operation, parameters).await.unwrap()
    }

    /// Lets reads see what was written.
    pub(crate) fn settle(&self) {
        self.double.clock().advance(Duration::from_secs(1));
    }
}

/// The value in an answer of `GetSecretValue`.
pub(crate) fn value(answer: &Value) -> SecretValue {
    match answer["SecretString"].as_str() {
        Some(string) => text(string),
        None => SecretValue::from_vec(Boto3::to_bytes(&answer["SecretBinary"]).unwrap()),
    }
}

/// A value as boto3's users write it.
pub(crate) fn content(value: &SecretValue) -> (&'static str, Value) {
    match value.expose_secret_text() {
        Ok(text) => ("SecretString", json!(text)),
        Err(_) => ("SecretBinary", Boto3::bytes(value.expose_secret())),
    }
}

/// boto3 as the suite's other client.
pub(crate) struct Plain<'a>(&'a Boto3);

impl Plain<'_> {
    async fn call(&self, operation: &str, parameters: Value) -> Result<Value, Refused> {
        let answer = self.0.call("secretsmanager", operation, parameters).await;
        answer.map_err(|refused| Refused::new(refused.code))
    }
}

#[async_trait]
impl PlainClient for Plain<'_> {
    async fn get(&self, id: &str) -> Result<Option<SecretValue>, Refused> {
        // Named, since moto gives an older value without; to AWS it is the same.
        let asked = json!({ "SecretId": id, "VersionStage": "AWSCURRENT" });
        Ok(Some(value(&self.call("GetSecretValue", asked).await?)))
    }

    async fn put(&self, id: &str, value: &SecretValue) -> Result<(), Refused> {
        let (field, content) = content(value);
        let put = json!({ "SecretId": id, field: content });
        self.call("PutSecretValue", put).await.map(drop)
    }

    async fn create(&self, name: &str, value: &SecretValue) -> Result<(), Refused> {
        let (field, content) = content(value);
        self.call("CreateSecret", json!({ "Name": name, field: content })).await.map(drop)
    }

    async fn delete(&self, id: &str) -> Result<(), Refused> {
        let delete = json!({ "SecretId": id, "ForceDeleteWithoutRecovery": true });
        self.call("DeleteSecret", delete).await.map(drop)
    }
}

/// The suite on doubles side by side: it waits for their delays together.
pub(crate) async fn conformance_of(doubles: &[OnDouble]) -> Report {
    let harnesses: Vec<_> = doubles.iter().map(OnDouble::harness).collect();
    let harnesses: Vec<_> = harnesses.iter().map(|one| one as &dyn Harness).collect();
    conformance::run_side_by_side(&harnesses).await
}

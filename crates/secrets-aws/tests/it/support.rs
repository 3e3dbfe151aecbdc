//! Providers on the servers of tests, and boto3 beside them.

use std::sync::Arc;
use std::time::Duration;

use aws_double::{AwsDouble, AwsDoubleBuilder, Consistency};
use peers::{Boto3, Credentials, Moto};
use secrets_aws::{AwsClients, AwsConfig, Identity, Network, SecretsManagerProvider, StaticKeys};
use secrets_core::conformance::{
    ClockHand, Harness, Hook, PlainReader, PlainWriter, RunId, ValueClass,
};
use secrets_core::{Capabilities, Result, SecretName, SecretProvider, SecretRef, SecretValue};
use secrets_core::{Error, ErrorKind, async_trait};
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
    pub(crate) run: RunId,
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
        Self { _moto: moto, boto3, provider, run: RunId::random() }
    }
}

#[async_trait]
impl Harness for OnMoto {
    fn provider(&self) -> Arc<dyn SecretProvider> {
        Arc::new(self.provider.clone())
    }

    fn run_id(&self) -> &RunId {
        &self.run
    }

    async fn sleep(&self, _: Duration) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    async fn time_limit(&self) {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }

    fn patience(&self, _: &Capabilities) -> Duration {
        Duration::ZERO
    }

    fn lateness(&self, _: &Capabilities) -> Duration {
        Duration::ZERO
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
        (hook == Hook::Clock).then_some("moto's time is the host's")
    }
}

#[async_trait]
impl PlainReader for OnMoto {
    async fn read(&self, native: &str) -> Result<Option<SecretValue>> {
        read_by_boto3(&self.boto3, native).await
    }
}

#[async_trait]
impl PlainWriter for OnMoto {
    async fn write(&self, native: &str, value: SecretValue) -> Result<()> {
        write_by_boto3(&self.boto3, native, &value).await
    }

    async fn remove(&self, native: &str) -> Result<()> {
        remove_by_boto3(&self.boto3, native).await
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
    pub(crate) run: RunId,
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
        Self { double, boto3, provider, run: RunId::random() }
    }

    pub(crate) async fn boto3(&self, operation: &str, parameters: Value) -> Value {
        self.boto3.call("secretsmanager", operation, parameters).await.unwrap()
    }

    /// Lets reads see what was written.
    pub(crate) fn settle(&self) {
        self.double.clock().advance(Duration::from_secs(1));
    }
}

#[async_trait]
impl Harness for OnDouble {
    fn provider(&self) -> Arc<dyn SecretProvider> {
        Arc::new(self.provider.clone())
    }

    fn run_id(&self) -> &RunId {
        &self.run
    }

    async fn sleep(&self, time: Duration) {
        self.double.clock().advance(time);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    async fn time_limit(&self) {
        tokio::time::sleep(Duration::from_secs(120)).await;
    }

    /// Lists are five minutes behind.
    fn patience(&self, _: &Capabilities) -> Duration {
        Duration::from_secs(15 * 60)
    }

    fn plain_reader(&self) -> Option<&dyn PlainReader> {
        Some(self)
    }

    fn plain_writer(&self) -> Option<&dyn PlainWriter> {
        Some(self)
    }

    fn clock(&self) -> Option<&dyn ClockHand> {
        Some(self)
    }

    fn takes(&self, class: ValueClass) -> bool {
        class != ValueClass::Empty
    }

    fn credentials(&self) -> Vec<SecretValue> {
        vec![text(self.double.credentials().secret_key())]
    }
}

#[async_trait]
impl ClockHand for OnDouble {
    async fn advance(&self, by: Duration) {
        self.double.clock().advance(by);
    }
}

#[async_trait]
impl PlainReader for OnDouble {
    async fn read(&self, native: &str) -> Result<Option<SecretValue>> {
        read_by_boto3(&self.boto3, native).await
    }
}

#[async_trait]
impl PlainWriter for OnDouble {
    async fn write(&self, native: &str, value: SecretValue) -> Result<()> {
        write_by_boto3(&self.boto3, native, &value).await
    }

    async fn remove(&self, native: &str) -> Result<()> {
        remove_by_boto3(&self.boto3, native).await
    }
}

/// What boto3 reads that names no version.
pub(crate) async fn read_by_boto3(boto3: &Boto3, id: &str) -> Result<Option<SecretValue>> {
    // Named, since moto gives an older value without; to AWS it is the same.
    let asked = json!({ "SecretId": id, "VersionStage": "AWSCURRENT" });
    match boto3.call("secretsmanager", "GetSecretValue", asked).await {
        Ok(answer) => Ok(Some(value(&answer))),
        Err(refused) if refused.code == "ResourceNotFoundException" => Ok(None),
        Err(refused) if refused.code == "InvalidRequestException" => Ok(None),
        Err(refused) => Err(Error::new(ErrorKind::Internal, refused.code)),
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

pub(crate) async fn write_by_boto3(boto3: &Boto3, id: &str, value: &SecretValue) -> Result<()> {
    let (field, content) = content(value);
    let put = json!({ "SecretId": id, field: content });
    let put = boto3.call("secretsmanager", "PutSecretValue", put).await;
    let written = match put {
        Err(refused) if refused.code == "ResourceNotFoundException" => {
            let create = json!({ "Name": id, field: content });
            boto3.call("secretsmanager", "CreateSecret", create).await
        }
        put => put,
    };
    written.map(drop).map_err(|refused| Error::new(ErrorKind::Internal, refused.code))
}

pub(crate) async fn remove_by_boto3(boto3: &Boto3, id: &str) -> Result<()> {
    let delete = json!({ "SecretId": id, "ForceDeleteWithoutRecovery": true });
    let deleted = boto3.call("secretsmanager", "DeleteSecret", delete).await;
    match deleted {
        Err(refused) if refused.code != "ResourceNotFoundException" => {
            Err(Error::new(ErrorKind::Internal, refused.code))
        }
        _ => Ok(()),
    }
}

//! Keys for tests: where they are, who makes them, and the suites' harnesses over them.

use std::sync::{Arc, OnceLock};

use aws_double::AwsDouble;
use peers::{Boto3, Credentials, Moto};
use secrets_aws::secrets_core::conformance::{KeyHarness, KeyRotator};
use secrets_aws::secrets_core::{
    KeyProvider, KeyRef, Result, SecretValue, WrapContext, async_trait,
};
use secrets_aws::{AwsClients, AwsConfig, Identity, KmsProvider, StaticKeys};
use serde_json::{Value, json};

pub(crate) const REGION: &str = "eu-west-1";

/// The secret of the user on moto, which knows no users. No word of an error is like it.
const SECRET: &str = "wJalrXUtnFEMIoftests0";

/// A KMS with our provider and boto3 in front of it.
pub(crate) struct Kms {
    pub(crate) provider: KmsProvider,
    pub(crate) boto3: Boto3,
    secret: SecretValue,
}

impl Kms {
    /// moto, one for all tests: it ends with the process. Each test makes keys of its own.
    pub(crate) async fn moto() -> Self {
        static MOTO: OnceLock<Moto> = OnceLock::new();
        let moto = MOTO.get_or_init(|| Moto::start().unwrap());
        Self::at(moto.url(), "AKIAIOSFODNN7TESTS00", SECRET).await
    }

    /// A double of its own, whose user may do everything.
    pub(crate) async fn double() -> (AwsDouble, Self) {
        let double = AwsDouble::builder().region(REGION).start().await.unwrap();
        let user = double.credentials();
        let kms = Self::at(double.url(), user.access_key(), user.secret_key()).await;
        (double, kms)
    }

    async fn at(url: &str, id: &str, secret: &str) -> Self {
        let boto3 = Boto3::start(url, REGION, &Credentials::new(id, secret)).unwrap();
        let provider = provider(url, id, secret).await;
        Self { provider, boto3, secret: SecretValue::copy_from_slice(secret.as_bytes()) }
    }

    /// A key by its ARN.
    pub(crate) async fn key(&self, parameters: Value) -> KeyRef {
        let made = self.boto3.call("kms", "CreateKey", parameters).await.unwrap();
        KeyRef::new(made["KeyMetadata"]["Arn"].as_str().unwrap()).unwrap()
    }

    pub(crate) async fn wrapping_key(&self) -> KeyRef {
        self.key(json!({})).await
    }

    /// An ARN as all keys here have, of none of them.
    pub(crate) async fn unknown_key(&self) -> KeyRef {
        let known = self.wrapping_key().await;
        let (place, _) = known.as_str().rsplit_once('/').unwrap();
        KeyRef::new(&format!("{place}/00000000-0000-4000-8000-000000000000")).unwrap()
    }

    pub(crate) async fn harness(&self) -> Keys {
        let (key, other_key) = (self.wrapping_key().await, self.wrapping_key().await);
        let unknown_key = self.unknown_key().await;
        let (provider, secret) = (self.provider.clone(), self.secret.clone());
        Keys { provider, secret, key, other_key, unknown_key }
    }
}

/// Our provider as this user of this endpoint, which has to be on this machine.
pub(crate) async fn provider(url: &str, id: &str, secret: &str) -> KmsProvider {
    let rest = url.strip_prefix("http://127.0.0.1:");
    assert!(rest.is_some_and(|port| port.parse::<u16>().is_ok()), "`{url}` is not on loopback");
    let keys = StaticKeys::new(id, SecretValue::copy_from_slice(secret.as_bytes()));
    let config =
        AwsConfig::in_region(REGION).with_endpoint(url).with_identity(Identity::StaticKeys(keys));
    KmsProvider::new(&AwsClients::connect(config).await.unwrap())
}

pub(crate) fn context() -> WrapContext {
    WrapContext::new().with("tenant", "acme").unwrap().with("purpose", "tests: ä").unwrap()
}

/// Two keys that wrap.
pub(crate) struct Keys {
    provider: KmsProvider,
    secret: SecretValue,
    key: KeyRef,
    other_key: KeyRef,
    unknown_key: KeyRef,
}

impl KeyHarness for Keys {
    fn provider(&self) -> Arc<dyn KeyProvider> {
        Arc::new(self.provider.clone())
    }

    fn title(&self) -> String {
        "AWS KMS".to_owned()
    }

    fn key(&self) -> KeyRef {
        self.key.clone()
    }

    fn other_key(&self) -> KeyRef {
        self.other_key.clone()
    }

    fn unknown_key(&self) -> KeyRef {
        self.unknown_key.clone()
    }

    fn rotator(&self) -> Option<&dyn KeyRotator> {
        Some(self)
    }

    fn credentials(&self) -> Vec<SecretValue> {
        vec![self.secret.clone()]
    }
}

#[async_trait]
impl KeyRotator for Keys {
    async fn rotate(&self, key: &KeyRef) -> Result<()> {
        self.provider.rotate_key_now(key).await
    }
}

//! AWS Secrets Manager, made of settings.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
#[cfg(feature = "aws-changes")]
use secrets_aws::ChangeQueue;
use secrets_aws::{
    AwsClients, AwsConfig, Identity, KeySource, Network, Proxy, RotatedKeys,
    SecretsManagerProvider, StaticKeys,
};
use secrets_core::{Error, ErrorKind, Result, SecretReference, SecretResolver, SecretValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use service_settings::{
    DurationSetting, Problem, ProblemKind, Problems, Rules, SecretSetting, Subtree, nearest,
};

use super::network::NetworkOptions;
use super::plan::{Connected, ProviderPlan};
use super::registry::Registry;

pub(super) fn register(registry: Registry) -> Registry {
    registry.register("aws", plan)
}

/// The options that [`AwsConfig`] does not read, or not in this form.
const OURS: [&str; 5] = ["change_queue", "kms_key", "network", "retry", "static_keys"];

/// What the options say, but for secrets that they refer to.
#[derive(Debug)]
struct AwsOptions {
    config: AwsConfig,
    network: NetworkOptions,
    keys: Option<KeyOptions>,
    kms_key: Option<KmsKey>,
    #[cfg_attr(not(feature = "aws-changes"), expect(dead_code, reason = "it is refused before"))]
    change_queue: Option<String>,
}

fn plan(options: &Subtree) -> std::result::Result<ProviderPlan, Problems> {
    let mut problems = Vec::new();
    let network = part(options, "network", &mut problems, Subtree::read_checked);
    let retry: RetryOptions =
        part(options, "retry", &mut problems, Subtree::read_checked).unwrap_or_default();
    let keys: Option<KeyOptions> = part(options, "static_keys", &mut problems, Subtree::read);
    let kms_key = part(options, "kms_key", &mut problems, Subtree::read);
    let change_queue = part(options, "change_queue", &mut problems, Subtree::read);
    if change_queue.is_some() && !cfg!(feature = "aws-changes") {
        let message =
            "queues are not compiled in; turn on the feature `aws-changes` of secrets-manager";
        problems.push(options.problem("change_queue", message));
    }
    let rest = OURS.into_iter().fold(options.clone(), |rest, name| rest.without(name));
    match rest.read::<AwsConfig>() {
        Ok(mut config) => {
            config.network = transport(options, network.as_ref(), &retry);
            problems.extend(unusable(options, config.clone(), keys.as_ref()));
            Problems::none_or(problems)?;
            let network = network.unwrap_or_default();
            Ok(AwsOptions { config, network, keys, kms_key, change_queue }.planned())
        }
        Err(found) => {
            problems.extend(found.into_iter().map(|found| with_our_names(options, found)));
            Err(Problems::none_or(problems)
                .err()
                .unwrap_or_else(|| options.missing("region").into()))
        }
    }
}

/// What stands under a name, if it can be read.
fn part<T: DeserializeOwned>(
    options: &Subtree,
    name: &str,
    problems: &mut Vec<Problem>,
    read: fn(&Subtree) -> std::result::Result<T, Problems>,
) -> Option<T> {
    let part = options.part(name)?;
    read(&part).map_err(|found| problems.extend(found)).ok()
}

/// What [`AwsConfig`] says of a name that it does not know, and that is nearly one of ours.
fn with_our_names(options: &Subtree, mut problem: Problem) -> Problem {
    let is_open = problem.kind == ProblemKind::UnknownKey && !problem.message.ends_with("meant?");
    let key = problem.path.strip_prefix(options.path()).filter(|_| is_open);
    let key = key.map(|key| key.strip_prefix('.').unwrap_or(key));
    if let Some(near) = key.and_then(|key| nearest(key, OURS)) {
        problem.message = format!("nothing has this name; is `{near}` meant?");
    }
    problem
}

/// All that is wrong with the whole, with the keys as far as they are known.
fn unusable(options: &Subtree, mut config: AwsConfig, keys: Option<&KeyOptions>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(keys) = keys {
        if options.part("identity").is_some() {
            let message = "there are `static_keys` as well: the service is one of the two";
            problems.push(options.problem("identity", message));
        }
        config.identity = Identity::StaticKeys(keys.stand_in());
    }
    let has_keys = keys.is_some();
    problems.extend(config.problems_by_setting().iter().map(|found| {
        let setting = match found.setting() {
            "identity" if has_keys => "static_keys",
            // The file of authorities is read when the provider is connected.
            setting => setting,
        };
        options.problem_quoting(setting, &found.to_string())
    }));
    problems
}

/// Times that are not set are those of [`Network`], which know that there are several attempts.
fn transport(options: &Subtree, network: Option<&NetworkOptions>, retry: &RetryOptions) -> Network {
    let mut transport = Network::default();
    let is_set = |name| options.part("network").is_some_and(|part| part.part(name).is_some());
    if let Some(network) = network {
        if is_set("connect_timeout") {
            transport.connect_timeout = network.connect_timeout.get();
        }
        if is_set("timeout") {
            transport.timeout = network.timeout.get();
        }
        transport.proxy = network.proxy.as_ref().map(|proxy| Proxy::new(proxy.as_str()));
    }
    if let Some(attempts) = retry.attempts {
        transport.attempts = attempts;
    }
    if let Some(budget) = retry.budget {
        transport.retry_budget = budget;
    }
    if let Some(time) = retry.operation_timeout {
        transport.operation_timeout = time.get();
    }
    transport
}

/// How patiently AWS is asked again.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RetryOptions {
    attempts: Option<u32>,
    budget: Option<u16>,
    operation_timeout: Option<DurationSetting>,
}

impl Rules for RetryOptions {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.attempts.is_some_and(|attempts| !(1..=10).contains(&attempts)) {
            problems.push(Problem::invalid("attempts", "is not between 1 and 10"));
        }
        let (least, most) = (Duration::from_millis(100), Duration::from_secs(60 * 60));
        let outside = self.operation_timeout.and_then(|time| time.outside(least, most));
        problems.extend(outside.map(|message| Problem::invalid("operation_timeout", message)));
        problems
    }
}

/// The id of an access key, which is no secret and may be kept beside one: a key that is rotated has
/// another id.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
enum KeyId {
    Plain(String),
    Kept(SecretReference),
}

impl TryFrom<String> for KeyId {
    type Error = &'static str;

    fn try_from(text: String) -> std::result::Result<Self, Self::Error> {
        if !text.starts_with(SecretReference::SCHEME) {
            return Ok(Self::Plain(text));
        }
        let malformed = "the reference to a secret has not the form `secret://name#field`";
        text.parse().map(Self::Kept).map_err(|_| malformed)
    }
}

impl KeyId {
    async fn resolve(&self, secrets: &dyn SecretResolver) -> Result<String> {
        match self {
            Self::Plain(id) => Ok(id.clone()),
            Self::Kept(reference) => {
                Ok(secrets.resolve(reference).await?.expose_secret_text()?.to_owned())
            }
        }
    }
}

/// An access key whose secret parts are kept elsewhere.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyOptions {
    access_key_id: KeyId,
    secret_access_key: SecretSetting,
    session_token: Option<SecretSetting>,
}

impl KeyOptions {
    /// With what is known of them before anything is asked for.
    fn stand_in(&self) -> StaticKeys {
        let known = |setting: &SecretSetting| match setting {
            SecretSetting::Inline(value) => value.clone(),
            _ => SecretValue::copy_from_slice(b"referred-to"),
        };
        let id = match &self.access_key_id {
            KeyId::Plain(id) => id.clone(),
            KeyId::Kept(_) => "REFERREDREFERRED".to_owned(),
        };
        self.with(id, known(&self.secret_access_key), self.session_token.as_ref().map(known))
    }

    /// The key as it is now, in one piece: an id that is another one afterwards was not that of the
    /// secret which was read in between.
    async fn resolve(&self, secrets: &dyn SecretResolver) -> Result<StaticKeys> {
        let mut id = self.access_key_id.resolve(secrets).await?;
        for _ in 0..MOST_READS {
            let secret = self.secret_access_key.resolve(secrets).await?;
            let token = match &self.session_token {
                Some(token) => Some(token.resolve(secrets).await?),
                None => None,
            };
            let after = self.access_key_id.resolve(secrets).await?;
            if after == id {
                return Ok(self.with(id, secret, token));
            }
            id = after;
        }
        let message = "the keys were replaced each time that they were read";
        Err(Error::new(ErrorKind::Unavailable, message))
    }

    fn with(&self, id: String, secret: SecretValue, token: Option<SecretValue>) -> StaticKeys {
        let mut keys = StaticKeys::new(id, secret);
        keys.session_token = token;
        keys
    }

    /// Whether there is somebody to ask for others.
    fn is_kept_elsewhere(&self) -> bool {
        matches!(self.access_key_id, KeyId::Kept(_))
            || !self.secret_access_key.is_inline()
            || self.session_token.as_ref().is_some_and(|token| !token.is_inline())
    }

    async fn identity(self, secrets: Arc<dyn SecretResolver>) -> Result<Identity> {
        let first = self.resolve(&*secrets).await?;
        Ok(match self.is_kept_elsewhere() {
            true => Identity::RotatedKeys(RotatedKeys::new(first, Kept { keys: self, secrets })),
            false => Identity::StaticKeys(first),
        })
    }
}

/// Keys are read so often at most when they are replaced meanwhile.
const MOST_READS: u32 = 3;

/// Keys as the provider that has them has them now.
struct Kept {
    keys: KeyOptions,
    secrets: Arc<dyn SecretResolver>,
}

#[async_trait]
impl KeySource for Kept {
    async fn keys(&self) -> Result<StaticKeys> {
        self.keys.resolve(&*self.secrets).await
    }
}

/// The id, the ARN or an alias of a key, which takes 2,048 characters at most (Secrets Manager's API
/// reference, `CreateSecret`).
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct KmsKey(String);

impl TryFrom<String> for KmsKey {
    type Error = &'static str;

    fn try_from(text: String) -> std::result::Result<Self, Self::Error> {
        let fits = (1..=2048).contains(&text.len())
            && text.bytes().all(|letter| letter.is_ascii_graphic());
        if fits { Ok(Self(text)) } else { Err("this is no id, ARN or alias of a key") }
    }
}

impl AwsOptions {
    fn planned(self) -> ProviderPlan {
        let secrets = [
            ("network.proxy_password", self.network.proxy_password.clone()),
            (
                "static_keys.secret_access_key",
                self.keys.as_ref().map(|keys| keys.secret_access_key.clone()),
            ),
            (
                "static_keys.session_token",
                self.keys.as_ref().and_then(|keys| keys.session_token.clone()),
            ),
        ];
        let id = match self.keys.as_ref().map(|keys| &keys.access_key_id) {
            Some(KeyId::Kept(reference)) => Some(SecretSetting::Reference(reference.clone())),
            _ => None,
        };
        let plan = ProviderPlan::new(|secrets| self.connect(secrets));
        let plan = match &id {
            Some(id) => plan.needing("static_keys.access_key_id", id),
            None => plan,
        };
        secrets.iter().fold(plan, |plan, (path, secret)| match secret {
            Some(secret) => plan.needing(path, secret),
            None => plan,
        })
    }

    async fn connect(self, secrets: Arc<dyn SecretResolver>) -> Result<Connected> {
        #[cfg(feature = "aws-changes")]
        let change_queue = self.change_queue;
        let Self { mut config, network, keys, kms_key, .. } = self;
        config.network.ca_pem = network.read_ca_file()?;
        if let Some(user) = network.proxy_user
            && let Some(password) = network.proxy_password
            && let Some(proxy) = &mut config.network.proxy
        {
            proxy.credentials = Some((user, password.resolve(&*secrets).await?));
        }
        if let Some(keys) = keys {
            config.identity = keys.identity(secrets).await?;
        }
        let clients = AwsClients::connect(config).await?;
        let mut builder = SecretsManagerProvider::builder(&clients);
        if let Some(KmsKey(key)) = kms_key {
            builder = builder.with_kms_key(&key);
        }
        #[cfg(feature = "aws-changes")]
        if let Some(url) = change_queue {
            builder = builder.with_change_queue(ChangeQueue::new(&clients, &url)?);
        }
        Ok(Connected::new(builder.build()))
    }
}

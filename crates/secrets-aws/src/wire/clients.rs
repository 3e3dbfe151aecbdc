use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::config::retry::RetryPartition;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::app_name::AppName;
use aws_types::region::Region;
use aws_types::sdk_config::StalledStreamProtectionConfig;
use secrets_core::{Error, ErrorKind, Result};

use super::identity::source::{self, Source, Ways};
use super::identity::{Cached, Links, Times};
use super::observer::{NoCache, Observer};
use super::retry::{self, Corrections};
use super::{Route, http};
use crate::config::{AccountId, AwsConfig, ConfigError, Identity, Network, Partition, Role};

/// How many pairs of identity and region are kept: accounts times regions of a large company. ARNs
/// may come from anywhere, so for one more the one that was asked for least recently goes. Calls that
/// are under way go on, and credentials stay.
const MOST_CLIENTS: usize = 64;

/// The clients of one configuration, shared by the providers that are made of it: one for each
/// identity and region, made when it is first needed (64 are kept), over one pool of connections, one budget
/// of retries and one cache of credentials for each identity. Clones share them.
///
/// ```no_run
/// use secrets_aws::{AwsClients, AwsConfig, SecretsManagerProvider};
///
/// # async fn run() -> secrets_aws::secrets_core::Result<()> {
/// let clients = AwsClients::connect(AwsConfig::in_region("eu-west-1")).await?;
/// let secrets = SecretsManagerProvider::new(&clients);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AwsClients(Arc<Shared>);

struct Shared {
    config: AwsConfig,
    /// What all clients have in common: no region, no identity, no endpoint of ours.
    base: SdkConfig,
    region: Region,
    partition: Partition,
    budget: RetryPartition,
    own: Cached,
    accounts: Mutex<BTreeMap<AccountId, Cached>>,
    pairs: Mutex<Pairs>,
}

#[derive(Default)]
struct Pairs {
    /// With the count of when each was last asked for.
    kept: BTreeMap<Key, (Arc<Pair>, u64)>,
    asked: u64,
}

/// Whose roles are assumed, and in which region.
type Key = (Option<AccountId>, String);

/// The clients of one identity in one region.
struct Pair {
    sdk: SdkConfig,
    credentials: Cached,
    secrets_manager: OnceLock<aws_sdk_secretsmanager::Client>,
    sts: OnceLock<aws_sdk_sts::Client>,
    #[cfg(feature = "kms")]
    kms: OnceLock<aws_sdk_kms::Client>,
    #[cfg(feature = "sqs")]
    sqs: OnceLock<aws_sdk_sqs::Client>,
}

impl AwsClients {
    /// Reads what the configuration points at. No call is made.
    ///
    /// # Errors
    /// `InvalidValue` with all that is wrong with the configuration (see [`ConfigError`]).
    pub async fn connect(config: AwsConfig) -> Result<Self> {
        ConfigError::unless_empty(config.problems())?;
        let out = http::client(&config)?;
        Self::connect_by(config, out).await
    }

    /// The same by another way out.
    pub(super) async fn connect_by(config: AwsConfig, out: SharedHttpClient) -> Result<Self> {
        let direct = http::direct(&config.network)?;
        let found = source::find(&config, Ways { out: &out, direct: &direct }).await?;
        let (region, partition) = place(&config, found.region)?;
        let base = base(&config, found.environment.as_ref(), out);
        let budget = retry::budget(&config.network);
        let own = own(&config, found.source, &direct, |credentials, role_region| {
            let region = role_region.map_or_else(|| region.clone(), Region::new);
            sts(&config, &base, &budget, region, credentials)
        });
        Ok(Self(Arc::new(Shared {
            config,
            base,
            region,
            partition,
            budget,
            own,
            accounts: Mutex::default(),
            pairs: Mutex::default(),
        })))
    }

    /// The region that calls go to unless an ARN names another.
    #[must_use]
    pub fn region(&self) -> &str {
        self.0.region.as_ref()
    }

    /// The partition that all of them lie in.
    #[must_use]
    pub fn partition(&self) -> Partition {
        self.0.partition
    }

    /// The regions that there are clients for, a service's own identity's.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Vec<String> {
        let pairs = self.0.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.kept.keys().map(|(_, region)| region.clone()).collect()
    }

    /// What tells these clients from others: where they ask.
    pub(crate) fn scope(&self) -> String {
        let config = &self.0.config;
        let endpoint = config.endpoints.secrets_manager.as_ref().or(config.endpoint.as_ref());
        match endpoint {
            Some(url) => format!("{} at {url}", self.region()),
            None => self.region().to_owned(),
        }
    }

    /// And as whom, as far as the configuration tells.
    pub(crate) fn acts_as(&self) -> String {
        let config = &self.0.config;
        if let Some(role) = config.assume_role.last() {
            return role.role_arn.clone();
        }
        match &config.identity {
            Identity::StaticKeys(keys) => keys.access_key_id.clone(),
            Identity::RotatedKeys(keys) => keys.first().access_key_id.clone(),
            Identity::Profile(profile) => format!("profile {}", profile.name),
            Identity::WebIdentity(web) => web.role_arn.clone(),
            Identity::Container(_) => "container".to_owned(),
            Identity::Instance(_) => "instance".to_owned(),
            Identity::DefaultChain => String::new(),
        }
    }

    /// The client for secrets there.
    pub(crate) fn secrets_manager(
        &self,
        route: Route<'_>,
    ) -> Result<aws_sdk_secretsmanager::Client> {
        let pair = self.0.pair(route)?;
        let client = pair.secrets_manager.get_or_init(|| {
            let mut builder = aws_sdk_secretsmanager::config::Builder::from(&pair.sdk)
                .retry_partition(self.0.budget.clone())
                .retry_classifier(Corrections::of(&self.0.config.network))
                .interceptor(self.0.observer(&pair));
            let own = self.0.config.endpoints.secrets_manager.clone();
            if let Some(url) = own.or_else(|| self.0.config.endpoint.clone()) {
                builder = builder.endpoint_url(url);
            }
            aws_sdk_secretsmanager::Client::from_conf(builder.build())
        });
        Ok(client.clone())
    }

    /// The client that asks STS as whoever goes there. The SDK gives what a call took from the budget
    /// back with the client, so there is one for all.
    pub(super) fn sts(&self, route: Route<'_>) -> Result<aws_sdk_sts::Client> {
        let pair = self.0.pair(route)?;
        let client = pair.sts.get_or_init(|| {
            let credentials = pair.credentials.clone();
            let signer = (SharedCredentialsProvider::new(credentials.clone()), credentials);
            let region = pair.sdk.region().unwrap_or(&self.0.region).clone();
            sts(&self.0.config, &self.0.base, &self.0.budget, region, Some(signer))
        });
        Ok(client.clone())
    }

    /// The client for keys there.
    #[cfg(feature = "kms")]
    pub(crate) fn kms(&self, route: Route<'_>) -> Result<aws_sdk_kms::Client> {
        let pair = self.0.pair(route)?;
        let client = pair.kms.get_or_init(|| {
            let mut builder = aws_sdk_kms::config::Builder::from(&pair.sdk)
                .retry_partition(self.0.budget.clone())
                .retry_classifier(Corrections::of(&self.0.config.network))
                .interceptor(self.0.observer(&pair));
            let own = self.0.config.endpoints.kms.clone();
            if let Some(url) = own.or_else(|| self.0.config.endpoint.clone()) {
                builder = builder.endpoint_url(url);
            }
            aws_sdk_kms::Client::from_conf(builder.build())
        });
        Ok(client.clone())
    }

    /// The client for queues there. An answer may be waited for this much longer than others.
    #[cfg(feature = "sqs")]
    pub(crate) fn sqs(
        &self,
        route: Route<'_>,
        longer: std::time::Duration,
    ) -> Result<aws_sdk_sqs::Client> {
        let pair = self.0.pair(route)?;
        let client = pair.sqs.get_or_init(|| {
            let mut network = self.0.config.network.clone();
            network.timeout += longer;
            network.operation_timeout += longer;
            let mut builder = aws_sdk_sqs::config::Builder::from(&pair.sdk)
                .timeout_config(timeouts(&network))
                .retry_partition(self.0.budget.clone())
                .retry_classifier(Corrections::of(&network))
                .interceptor(self.0.observer(&pair));
            let own = self.0.config.endpoints.sqs.clone();
            if let Some(url) = own.or_else(|| self.0.config.endpoint.clone()) {
                builder = builder.endpoint_url(url);
            }
            aws_sdk_sqs::Client::from_conf(builder.build())
        });
        Ok(client.clone())
    }
}

impl Shared {
    fn observer(&self, pair: &Pair) -> Observer {
        Observer { credentials: Some(pair.credentials.clone()) }
    }

    fn pair(&self, route: Route<'_>) -> Result<Arc<Pair>> {
        let account = route.account.and_then(|account| {
            let known = AccountId::new(account).ok()?;
            self.config.accounts.contains_key(&known).then_some(known)
        });
        let region = match route.region {
            Some(region) => self.checked(region)?,
            None => self.region.clone(),
        };
        let key = (account, region.as_ref().to_owned());
        let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.asked += 1;
        let asked = pairs.asked;
        if let Some((pair, last)) = pairs.kept.get_mut(&key) {
            *last = asked;
            return Ok(Arc::clone(pair));
        }
        if pairs.kept.len() >= MOST_CLIENTS {
            let oldest = pairs.kept.iter().min_by_key(|(_, (_, last))| *last);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                pairs.kept.remove(&oldest);
            }
        }
        let credentials = self.identity(key.0.as_ref());
        let sdk = self
            .base
            .to_builder()
            .region(region)
            .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
            .build();
        let pair = Arc::new(Pair {
            sdk,
            credentials,
            secrets_manager: OnceLock::new(),
            sts: OnceLock::new(),
            #[cfg(feature = "kms")]
            kms: OnceLock::new(),
            #[cfg(feature = "sqs")]
            sqs: OnceLock::new(),
        });
        pairs.kept.insert(key, (Arc::clone(&pair), asked));
        Ok(pair)
    }

    /// A region becomes a part of a host name, and an ARN may come from anywhere.
    fn checked(&self, region: &str) -> Result<Region> {
        match Partition::of_region(region) {
            Some(found) if found == self.partition => Ok(Region::new(region.to_owned())),
            Some(found) => Err(Error::new(
                ErrorKind::InvalidValue,
                format!(
                    "the region `{region}` lies in the partition `{found}`, the service in `{}`",
                    self.partition
                ),
            )),
            None => {
                Err(Error::new(ErrorKind::InvalidValue, "the ARN names no region that is known"))
            }
        }
    }

    /// Whom calls are made as for what lies in that account.
    fn identity(&self, account: Option<&AccountId>) -> Cached {
        let Some((account, chain)) =
            account.and_then(|account| self.config.accounts.get_key_value(account))
        else {
            return self.own.clone();
        };
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let found = accounts.entry(account.clone()).or_insert_with(|| {
            assume(&self.config, self.own.clone(), chain, |credentials, region| {
                let region = region.map_or_else(|| self.region.clone(), Region::new);
                sts(&self.config, &self.base, &self.budget, region, credentials)
            })
        });
        found.clone()
    }
}

fn place(config: &AwsConfig, found: Option<Region>) -> Result<(Region, Partition), ConfigError> {
    let region = found.ok_or_else(|| {
        ConfigError::one("there is no `region`, in the environment or the profile neither")
    })?;
    match (Partition::of_region(region.as_ref()), config.partition) {
        (None, _) => {
            Err(ConfigError::one(format!("`{region}` is no region of a partition that is known")))
        }
        (Some(found), Some(own)) if found != own => Err(ConfigError::one(format!(
            "the region `{region}` lies in the partition `{found}`, not in `{own}`"
        ))),
        (Some(found), _) => Ok((region, found)),
    }
}

/// What all clients have in common.
fn base(config: &AwsConfig, environment: Option<&SdkConfig>, http: SharedHttpClient) -> SdkConfig {
    let network = &config.network;
    let builder = environment.map_or_else(SdkConfig::builder, SdkConfig::to_builder);
    let mut builder = builder
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .retry_config(retry::config(network))
        .timeout_config(timeouts(network))
        // A body that stands still for as long is given up, whatever the attempt has left.
        .stalled_stream_protection(
            StalledStreamProtectionConfig::enabled().grace_period(network.connect_timeout).build(),
        )
        .identity_cache(NoCache);
    builder.set_region(None);
    builder.set_credentials_provider(None);
    if config.fips {
        builder = builder.use_fips(true);
    }
    if config.dual_stack {
        builder = builder.use_dual_stack(true);
    }
    if let Ok(name) = AppName::new("mainstay") {
        builder = builder.app_name(name);
    }
    builder.build()
}

pub(super) fn timeouts(network: &Network) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(network.connect_timeout)
        .operation_attempt_timeout(network.timeout)
        .operation_timeout(network.operation_timeout)
        .build()
}

/// Whose requests to STS these are: nobody's when a token is exchanged.
type Signer = Option<(SharedCredentialsProvider, Cached)>;

fn sts(
    config: &AwsConfig,
    base: &SdkConfig,
    budget: &RetryPartition,
    region: Region,
    signer: Signer,
) -> aws_sdk_sts::Client {
    let (provider, credentials) = signer.unzip();
    let mut sdk = base.to_builder().region(region);
    sdk.set_credentials_provider(provider);
    let observer = Observer { credentials };
    let mut builder = aws_sdk_sts::config::Builder::from(&sdk.build())
        .retry_partition(budget.clone())
        .retry_classifier(Corrections::of(&config.network))
        .interceptor(observer);
    if let Some(url) = config.endpoints.sts.clone().or_else(|| config.endpoint.clone()) {
        builder = builder.endpoint_url(url);
    }
    aws_sdk_sts::Client::from_conf(builder.build())
}

/// The identity of the service: its source, and the roles assumed from it.
fn own(
    config: &AwsConfig,
    source: Source,
    direct: &SharedHttpClient,
    mut sts: impl FnMut(Signer, Option<String>) -> aws_sdk_sts::Client,
) -> Cached {
    let links = Links { clock: &config.clock, times: times(config) };
    let first = match source {
        Source::Given(provider) => links.source(&config.identity, provider),
        Source::Exchanged(web) => links.exchanged(&web, sts(None, None)),
        Source::Agent(container) => links.agent(&container, direct.clone()),
        Source::Rotated(keys) => links.rotated(&keys),
    };
    assume(config, first, &config.assume_role, sts)
}

fn assume(
    config: &AwsConfig,
    from: Cached,
    chain: &[Role],
    mut sts: impl FnMut(Signer, Option<String>) -> aws_sdk_sts::Client,
) -> Cached {
    let links = Links { clock: &config.clock, times: times(config) };
    chain.iter().fold(from, |from, role| {
        links.assumed(&from, role, |provider, signer| {
            sts(Some((provider, signer)), role.sts_region.clone())
        })
    })
}

/// A fetch is one call of STS with its repetitions (the SDK's other sources take less), and as much
/// again for each inner link that has nothing yet.
fn times(config: &AwsConfig) -> Times {
    let links = config.assume_role.len()
        + config.accounts.values().map(Vec::len).max().unwrap_or_default()
        + 1;
    let links = u32::try_from(links).unwrap_or(u32::MAX);
    Times {
        fetch: config.network.operation_timeout.saturating_mul(links),
        wait: config.network.timeout.mul_f32(0.9),
    }
}

impl fmt::Debug for AwsClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsClients")
            .field("region", &self.0.region)
            .field("partition", &self.0.partition)
            .field("identity", &self.0.own)
            .finish_non_exhaustive()
    }
}

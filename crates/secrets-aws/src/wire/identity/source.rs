//! Where credentials come from before any role is assumed.

use aws_config::imds;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::region::Region;

use crate::config::{
    AwsConfig, ConfigError, Container, Identity, Instance, Profile, RotatedKeys, StaticKeys,
    WebIdentity,
};
use crate::wire::clients::timeouts;
use crate::wire::retry;

/// What the environment was asked for: the credentials, and with the default chain or a profile
/// what the configuration left open.
pub(crate) struct Found {
    pub(crate) source: Source,
    /// With the default chain: endpoints, FIPS and dual stack of the environment.
    pub(crate) environment: Option<SdkConfig>,
    pub(crate) region: Option<Region>,
}

pub(crate) enum Source {
    Given(SharedCredentialsProvider),
    /// A token is exchanged for them, by a client of STS.
    Exchanged(WebIdentity),
    /// The agent of a container gives them.
    Agent(Container),
    /// Whoever has those of the application gives them.
    Rotated(RotatedKeys),
}

/// The two ways out: the one that a proxy may be on, and the one to what is on the machine.
pub(crate) struct Ways<'a> {
    pub(crate) out: &'a SharedHttpClient,
    pub(crate) direct: &'a SharedHttpClient,
}

/// Finds them. No call is made.
pub(crate) async fn find(config: &AwsConfig, ways: Ways<'_>) -> Result<Found, ConfigError> {
    let region = config.region.clone().map(Region::new);
    let given = |provider: SharedCredentialsProvider, region| Found {
        source: Source::Given(provider),
        environment: None,
        region,
    };
    Ok(match &config.identity {
        Identity::DefaultChain => return default_chain(config, region, ways.out).await,
        Identity::StaticKeys(keys) => {
            given(SharedCredentialsProvider::new(credentials(keys)?), region)
        }
        Identity::RotatedKeys(keys) => {
            Found { source: Source::Rotated(keys.clone()), environment: None, region }
        }
        Identity::Profile(profile) => {
            let own = ProviderConfig::without_region()
                .with_http_client(ways.out.clone())
                .with_retry_config(retry::config(&config.network))
                .with_timeout_config(timeouts(&config.network));
            let (provider, found) = self::profile(profile, region, own).await;
            given(provider, found)
        }
        Identity::WebIdentity(web) => {
            Found { source: Source::Exchanged(web.clone()), environment: None, region }
        }
        Identity::Container(container) => {
            Found { source: Source::Agent(container.clone()), environment: None, region }
        }
        Identity::Instance(instance) => {
            given(self::instance(instance, region.clone(), ways.direct)?, region)
        }
    })
}

/// What the chain asks by itself it asks as often and as long as all else is asked.
async fn default_chain(
    config: &AwsConfig,
    region: Option<Region>,
    http: &SharedHttpClient,
) -> Result<Found, ConfigError> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.clone())
        .retry_config(retry::config(&config.network))
        .timeout_config(timeouts(&config.network));
    if let Some(region) = region {
        loader = loader.region(region);
    }
    let loaded = loader.load().await;
    let provider = loaded
        .credentials_provider()
        .ok_or_else(|| ConfigError::one("the default chain has no source of credentials"))?;
    let region = loaded.region().cloned();
    Ok(Found { source: Source::Given(provider), environment: Some(loaded), region })
}

/// Keys as the SDK has them.
pub(super) fn credentials(keys: &StaticKeys) -> Result<Credentials, ConfigError> {
    let text = |value: &secrets_core::SecretValue| match value.expose_secret_text() {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(ConfigError::one("a secret of the static keys is not text")),
    };
    let token = keys.session_token.as_ref().map(text).transpose()?;
    let secret = text(&keys.secret_access_key)?;
    Ok(Credentials::new(&keys.access_key_id, secret, token, keys.expires, "static"))
}

async fn profile(
    profile: &Profile,
    region: Option<Region>,
    config: ProviderConfig,
) -> (SharedCredentialsProvider, Option<Region>) {
    let mut files = EnvConfigFiles::builder()
        .include_default_config_file(profile.config_file.is_none())
        .include_default_credentials_file(profile.credentials_file.is_none());
    if let Some(path) = &profile.config_file {
        files = files.with_file(EnvConfigFileKind::Config, path);
    }
    if let Some(path) = &profile.credentials_file {
        files = files.with_file(EnvConfigFileKind::Credentials, path);
    }
    let files = files.build();
    let region = match region {
        Some(region) => Some(region),
        None => {
            let regions = ProfileFileRegionProvider::builder()
                .configure(&config)
                .profile_name(&profile.name)
                .profile_files(files.clone());
            regions.build().region().await
        }
    };
    let provider = ProfileFileCredentialsProvider::builder()
        .configure(&config.with_region(region.clone()))
        .profile_name(&profile.name)
        .profile_files(files);
    (SharedCredentialsProvider::new(provider.build()), region)
}

fn instance(
    instance: &Instance,
    region: Option<Region>,
    http: &SharedHttpClient,
) -> Result<SharedCredentialsProvider, ConfigError> {
    let config =
        ProviderConfig::without_region().with_region(region).with_http_client(http.clone());
    let endpoint = instance.endpoint.as_deref().unwrap_or("http://169.254.169.254");
    let client = imds::Client::builder()
        .configure(&config)
        .endpoint(endpoint)
        .map_err(|_| ConfigError::one("the URL of the instance's metadata cannot be used"))?
        .build();
    let mut provider = imds::credentials::ImdsCredentialsProvider::builder()
        .configure(&config)
        .imds_client(client);
    if let Some(role) = &instance.role {
        provider = provider.profile(role);
    }
    Ok(SharedCredentialsProvider::new(provider.build()))
}

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
    AwsConfig, ConfigError, Container, Identity, Instance, Profile, StaticKeys, WebIdentity,
};

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
        Identity::DefaultChain => return default_chain(region, ways.out).await,
        Identity::StaticKeys(keys) => given(static_keys(keys)?, region),
        Identity::Profile(profile) => {
            let (provider, found) = self::profile(profile, region, ways.out).await;
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

async fn default_chain(
    region: Option<Region>,
    http: &SharedHttpClient,
) -> Result<Found, ConfigError> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http.clone());
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

fn static_keys(keys: &StaticKeys) -> Result<SharedCredentialsProvider, ConfigError> {
    let text = |value: &secrets_core::SecretValue| match value.expose_secret_text() {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(ConfigError::one("a secret of the static keys is not text")),
    };
    let token = keys.session_token.as_ref().map(text).transpose()?;
    Ok(SharedCredentialsProvider::new(Credentials::new(
        &keys.access_key_id,
        text(&keys.secret_access_key)?,
        token,
        keys.expires,
        "static",
    )))
}

async fn profile(
    profile: &Profile,
    region: Option<Region>,
    http: &SharedHttpClient,
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
    let config = ProviderConfig::without_region().with_http_client(http.clone());
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

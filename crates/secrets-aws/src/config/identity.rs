use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use secrets_core::{Result, SecretValue, async_trait};

/// Whom the service acts as, before any role is assumed.
///
/// Only the default chain and a profile read the environment. The chain does so by AWS's own rules
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>):
/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_PROFILE`,
/// `AWS_CONFIG_FILE`, `AWS_SHARED_CREDENTIALS_FILE`, `AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_ROLE_ARN`,
/// `AWS_ROLE_SESSION_NAME`, `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`,
/// `AWS_CONTAINER_CREDENTIALS_FULL_URI`, `AWS_CONTAINER_AUTHORIZATION_TOKEN` and `…_TOKEN_FILE`,
/// `AWS_EC2_METADATA_DISABLED`, `AWS_EC2_METADATA_SERVICE_ENDPOINT` and `…_ENDPOINT_MODE`; and for
/// what the configuration leaves open `AWS_REGION`, `AWS_DEFAULT_REGION`, `AWS_ENDPOINT_URL` and
/// `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS`, `AWS_USE_FIPS_ENDPOINT`,
/// `AWS_USE_DUALSTACK_ENDPOINT`, `HOME`. It ends at the address of the instance, which takes a
/// few seconds to fail where there is none: name the identity in production.
#[derive(Debug, Clone, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Identity {
    /// Environment, shared files, web identity, container, instance: the first that is there.
    #[default]
    DefaultChain,
    /// Keys that the application holds. Not from settings, which hold references to secrets only.
    #[cfg_attr(feature = "serde", serde(skip))]
    StaticKeys(StaticKeys),
    /// Keys that are replaced while the service runs. Not from settings either.
    #[cfg_attr(feature = "serde", serde(skip))]
    RotatedKeys(RotatedKeys),
    /// A profile of the shared files.
    Profile(Profile),
    /// A token that somebody else issued, from a file: EKS service accounts, OIDC.
    WebIdentity(WebIdentity),
    /// The credentials of an ECS task or an EKS pod, from the address that its agent has.
    Container(Container),
    /// The role of an EC2 instance, from its metadata service (version 2 only).
    Instance(Instance),
}

/// An access key. Its `Debug` shows the id alone.
#[derive(Clone)]
#[non_exhaustive]
pub struct StaticKeys {
    /// The id of the access key, which is no secret.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: SecretValue,
    /// The token of temporary keys.
    pub session_token: Option<SecretValue>,
    /// When temporary keys end.
    pub expires: Option<SystemTime>,
}

impl StaticKeys {
    /// Keys that do not expire.
    #[must_use]
    pub fn new(access_key_id: impl Into<String>, secret_access_key: SecretValue) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key,
            session_token: None,
            expires: None,
        }
    }

    /// Makes them temporary.
    #[must_use]
    pub fn with_session(mut self, token: SecretValue, expires: SystemTime) -> Self {
        self.session_token = Some(token);
        self.expires = Some(expires);
        self
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let is_id = |byte: u8| byte.is_ascii_alphanumeric();
        // 16 to 128 word characters (IAM API reference, AccessKey).
        if !(16..=128).contains(&self.access_key_id.len()) || !self.access_key_id.bytes().all(is_id)
        {
            problems
                .push("the id of the access key is not 16 to 128 letters and digits".to_owned());
        }
        let values = [Some(&self.secret_access_key), self.session_token.as_ref()];
        for value in values.into_iter().flatten() {
            let usable = value.expose_secret_text().is_ok_and(|text| {
                !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
            });
            if !usable {
                problems.push(
                    "a secret of the static keys is empty or has a character that no key has"
                        .to_owned(),
                );
            }
        }
        problems
    }
}

impl fmt::Debug for StaticKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticKeys")
            .field("access_key_id", &self.access_key_id)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Whoever has an access key of the service as it is now: a secret of another store, most often.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// The access key as it is now. Asked for the first time when a call needs it, then when it is about to
    /// end (every 15 minutes where it does not), and when AWS does not know the last one any more.
    ///
    /// # Errors
    /// Those of reading it. The error of a call that needs the key tells their kind alone.
    async fn keys(&self) -> Result<StaticKeys>;
}

/// An access key that is replaced while the service runs: what is asked of AWS meanwhile does not
/// fail, where the new key is to be had before the old one ends to be good.
///
/// ```
/// use secrets_aws::secrets_core::{Result, SecretProvider, SecretProviderExt, SecretValue, async_trait};
/// use secrets_aws::{AwsConfig, Identity, KeySource, RotatedKeys, StaticKeys};
///
/// /// A secret of another provider, `id secret`, as whoever rotates keys writes it.
/// struct Kept<P>(P);
///
/// #[async_trait]
/// impl<P: SecretProvider> KeySource for Kept<P> {
///     async fn keys(&self) -> Result<StaticKeys> {
///         let kept = self.0.read("aws/key").await?.value;
///         let (id, secret) = kept.expose_secret_text()?.split_once(' ').unwrap_or_default();
///         Ok(StaticKeys::new(id, SecretValue::from_string(secret.to_owned())))
///     }
/// }
/// # async fn run(other: impl SecretProvider) -> Result<()> {
/// let kept = Kept(other);
/// let keys = RotatedKeys::new(kept.keys().await?, kept);
/// let config = AwsConfig::in_region("eu-west-1").with_identity(Identity::RotatedKeys(keys));
/// # let _ = config;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RotatedKeys {
    first: StaticKeys,
    source: Arc<dyn KeySource>,
}

impl RotatedKeys {
    /// The keys as they are at the start, which tell this service from others, and who has them later.
    pub fn new(first: StaticKeys, source: impl KeySource + 'static) -> Self {
        Self { first, source: Arc::new(source) }
    }

    pub(crate) fn first(&self) -> &StaticKeys {
        &self.first
    }

    pub(crate) async fn now(&self) -> Result<StaticKeys> {
        self.source.keys().await
    }
}

impl fmt::Debug for RotatedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RotatedKeys").field("first", &self.first).finish_non_exhaustive()
    }
}

/// A profile of `~/.aws/config` and `~/.aws/credentials`, with what it refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The file of profiles, instead of that of the environment or of the home folder.
    #[cfg_attr(feature = "serde", serde(default))]
    pub config_file: Option<PathBuf>,
    /// The file of keys, instead of that of the environment or of the home folder.
    #[cfg_attr(feature = "serde", serde(default))]
    pub credentials_file: Option<PathBuf>,
}

impl Profile {
    /// The profile of this name in the files where they lie by default.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Names the two files.
    #[must_use]
    pub fn with_files(
        mut self,
        config: impl Into<PathBuf>,
        credentials: impl Into<PathBuf>,
    ) -> Self {
        self.config_file = Some(config.into());
        self.credentials_file = Some(credentials.into());
        self
    }
}

/// A role that a token from a file is exchanged for (AssumeRoleWithWebIdentity). The file is read
/// anew for every exchange, since whoever issues the token replaces it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct WebIdentity {
    /// The role.
    pub role_arn: String,
    /// The file of the token.
    pub token_file: PathBuf,
    /// The name of the session, which CloudTrail shows.
    #[cfg_attr(feature = "serde", serde(default = "super::role::default_session_name"))]
    pub session_name: String,
}

impl WebIdentity {
    /// This role for the token in this file.
    #[must_use]
    pub fn new(role_arn: impl Into<String>, token_file: impl Into<PathBuf>) -> Self {
        Self {
            role_arn: role_arn.into(),
            token_file: token_file.into(),
            session_name: super::role::default_session_name(),
        }
    }
}

/// Where the agent of a container gives its credentials
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Container {
    /// The whole URL: `https`, or `http` to loopback and to the addresses of ECS and EKS.
    pub url: String,
    /// The file of the token that the agent asks for; read anew for every request.
    #[cfg_attr(feature = "serde", serde(default))]
    pub token_file: Option<PathBuf>,
}

impl Container {
    /// The agent at this URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), token_file: None }
    }

    /// The agent of EKS pods, with the token file that EKS mounts.
    #[must_use]
    pub fn with_token_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.token_file = Some(file.into());
        self
    }
}

/// The metadata service of an instance. While it is unwell the SDK goes on with the last
/// credentials that it gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Instance {
    /// Its URL instead of `http://169.254.169.254`.
    pub endpoint: Option<String>,
    /// The instance profile, when it should not be asked for.
    pub role: Option<String>,
}

impl Instance {
    /// Another address.
    #[must_use]
    pub fn with_endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }
}

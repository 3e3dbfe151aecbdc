//! What a service says of AWS: where, as whom, through what.

#[cfg(feature = "serde")]
mod deserialize;
mod endpoint;
mod error;
mod identity;
mod network;
mod place;
mod role;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use secrets_core::{Clock, SystemClock};

pub use endpoint::Endpoints;
pub(crate) use endpoint::is_loopback;
pub use error::{ConfigError, ConfigProblem};
pub use identity::{
    Container, Identity, Instance, KeySource, Profile, RotatedKeys, StaticKeys, WebIdentity,
};
pub use network::{Network, Proxy};
pub use place::{AccountId, InvalidAccountId, Partition};
pub use role::Role;

/// Where AWS is and whom the service acts as there.
///
/// The identity, then the roles of `assume_role` one from the other, give whom all calls are made
/// as. A secret or a key that is named by an ARN of one of the `accounts` is reached as the last
/// role of that account's chain, which begins where `assume_role` ends; one of any other account
/// as the service itself, which the policies of that account may allow. The region of an ARN
/// chooses whose endpoint is called.
///
/// ```
/// use secrets_aws::{AccountId, AwsConfig, Role};
///
/// let config = AwsConfig::in_region("eu-west-1")
///     .with_role(Role::new("arn:aws:iam::111122223333:role/billing"))
///     .with_account(
///         AccountId::new("444455556666")?,
///         [Role::new("arn:aws:iam::444455556666:role/secrets-reader").with_external_id("b7")],
///     );
/// assert!(config.problems().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct AwsConfig {
    /// The region, such as `eu-west-1`. With the default chain or a profile it may be left to those.
    pub region: Option<String>,
    /// The partition; that of the region unless set, which it must agree with.
    pub partition: Option<Partition>,
    /// The URL of all services, in all regions, instead of those that AWS has.
    pub endpoint: Option<String>,
    /// URLs of single services, which come before `endpoint`.
    pub endpoints: Endpoints,
    /// Allows endpoints without TLS that are not on this machine. Whoever sits between reads every
    /// secret.
    pub insecure_http_endpoint: bool,
    /// Calls the endpoints with validated cryptography (FIPS 140). It does not make this process's
    /// own TLS a validated one.
    pub fips: bool,
    /// Calls the endpoints that have IPv6 beside IPv4.
    pub dual_stack: bool,
    /// Whom the service acts as, before any role is assumed.
    pub identity: Identity,
    /// The roles that it assumes, one from the other.
    pub assume_role: Vec<Role>,
    /// The roles that it assumes for what is named by an ARN of these accounts.
    pub accounts: BTreeMap<AccountId, Vec<Role>>,
    /// How AWS is reached.
    pub network: Network,
    #[cfg_attr(feature = "serde", serde(skip, default = "system_clock"))]
    pub(crate) clock: Arc<dyn Clock>,
}

fn system_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

impl Default for AwsConfig {
    fn default() -> Self {
        Self {
            region: None,
            partition: None,
            endpoint: None,
            endpoints: Endpoints::default(),
            insecure_http_endpoint: false,
            fips: false,
            dual_stack: false,
            identity: Identity::default(),
            assume_role: Vec::new(),
            accounts: BTreeMap::new(),
            network: Network::default(),
            clock: system_clock(),
        }
    }
}

impl AwsConfig {
    /// The default chain of credentials in this region.
    #[must_use]
    pub fn in_region(region: impl Into<String>) -> Self {
        Self { region: Some(region.into()), ..Self::default() }
    }

    /// Sets the URL of all services.
    #[must_use]
    pub fn with_endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Sets URLs of single services.
    #[must_use]
    pub fn with_endpoints(mut self, endpoints: Endpoints) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// Allows endpoints without TLS that are not on this machine.
    #[must_use]
    pub fn with_insecure_http_endpoint(mut self) -> Self {
        self.insecure_http_endpoint = true;
        self
    }

    /// Sets whom the service acts as, before any role is assumed.
    #[must_use]
    pub fn with_identity(mut self, identity: Identity) -> Self {
        self.identity = identity;
        self
    }

    /// Adds a role, which is assumed from those before it.
    #[must_use]
    pub fn with_role(mut self, role: Role) -> Self {
        self.assume_role.push(role);
        self
    }

    /// Sets the roles that are assumed for what is named by an ARN of this account.
    #[must_use]
    pub fn with_account(
        mut self,
        account: AccountId,
        chain: impl IntoIterator<Item = Role>,
    ) -> Self {
        self.accounts.insert(account, chain.into_iter().collect());
        self
    }

    /// Sets how AWS is reached.
    #[must_use]
    pub fn with_network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Sets the clock that credentials expire by. Requests are signed by the system's, which the SDK
    /// corrects by what AWS answers.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The partition, as far as the configuration tells it.
    pub(crate) fn partition(&self) -> Option<Partition> {
        self.partition.or_else(|| self.region.as_deref().and_then(Partition::of_region))
    }

    /// What makes this configuration unusable; empty when it is sound.
    pub fn problems(&self) -> Vec<String> {
        self.problems_by_setting().iter().map(ToString::to_string).collect()
    }

    /// [`problems`](Self::problems) with the settings that they are about.
    ///
    /// ```
    /// use secrets_aws::AwsConfig;
    ///
    /// let config = AwsConfig::in_region("eu-west-1").with_endpoint("ftp://internal");
    /// assert_eq!(config.problems_by_setting()[0].setting(), "endpoint");
    /// ```
    pub fn problems_by_setting(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let mut add = |setting: &str, found: Vec<String>| {
            problems.extend(found.into_iter().map(|found| ConfigProblem::new(setting, found)));
        };
        add("region", self.place_problems());
        let all = self.endpoint.iter().map(|url| ("endpoint", url));
        for (name, url) in all.chain(self.endpoints.all()) {
            let found = endpoint::problem(name, url, self.insecure_http_endpoint);
            let within = if name == "endpoint" { "" } else { "endpoints." };
            add(&format!("{within}{name}"), found.into_iter().collect());
        }
        add(if self.fips { "fips" } else { "dual_stack" }, self.variant_problems());
        add("identity", self.identity_problems());
        let from = match self.identity {
            Identity::WebIdentity(_) => role::From::Role,
            _ => role::From::Other,
        };
        add("assume_role", role::chain_problems(&self.assume_role, from, self.partition()));
        for (account, chain) in &self.accounts {
            let from = if self.assume_role.is_empty() { from } else { role::From::Role };
            let found = self.account_problems(account, chain, from);
            add(&format!("accounts.{account}"), found);
        }
        add("network", self.network.problems());
        problems
    }

    fn place_problems(&self) -> Vec<String> {
        let Some(region) = &self.region else {
            let is_told = matches!(self.identity, Identity::DefaultChain | Identity::Profile(_));
            return if is_told { Vec::new() } else { vec!["there is no `region`".to_owned()] };
        };
        match (Partition::of_region(region), self.partition) {
            (None, _) => vec![format!("`{region}` is no region of a partition that is known")],
            (Some(found), Some(own)) if found != own => {
                vec![format!(
                    "the region `{region}` lies in the partition `{found}`, not in `{own}`"
                )]
            }
            _ => Vec::new(),
        }
    }

    fn variant_problems(&self) -> Vec<String> {
        let is_set = self.endpoint.is_some() || self.endpoints.all().next().is_some();
        if is_set && (self.fips || self.dual_stack) {
            return vec!["`fips` and `dual_stack` choose endpoints, and one is set".to_owned()];
        }
        Vec::new()
    }

    fn identity_problems(&self) -> Vec<String> {
        match &self.identity {
            Identity::DefaultChain => Vec::new(),
            Identity::StaticKeys(keys) => keys.problems(),
            Identity::RotatedKeys(keys) => keys.first().problems(),
            Identity::Profile(profile) if profile.name.is_empty() => {
                vec!["the name of the profile is empty".to_owned()]
            }
            Identity::Profile(_) => Vec::new(),
            Identity::WebIdentity(web) => {
                let WebIdentity { role_arn, token_file, session_name } = web;
                let partition = self.partition();
                let mut problems = role::web_identity_problems(role_arn, session_name, partition);
                if token_file.as_os_str().is_empty() {
                    problems.push("the file of the web identity's token is not named".to_owned());
                }
                problems
            }
            Identity::Container(container) => {
                endpoint::container_problem(&container.url).into_iter().collect()
            }
            Identity::Instance(instance) => instance
                .endpoint
                .as_deref()
                .and_then(endpoint::instance_problem)
                .into_iter()
                .collect(),
        }
    }

    fn account_problems(
        &self,
        account: &AccountId,
        chain: &[Role],
        from: role::From,
    ) -> Vec<String> {
        let mut problems = role::chain_problems(chain, from, self.partition());
        match chain.last() {
            None => problems.push(format!("the account `{account}` has no role")),
            Some(role) if role.account() != Some(account.as_str()) => problems.push(format!(
                "the last role of the account `{account}` is `{}`, which is another account's",
                role.role_arn
            )),
            Some(_) => {}
        }
        problems
    }
}

impl fmt::Debug for AwsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsConfig")
            .field("region", &self.region)
            .field("partition", &self.partition)
            .field("endpoint", &self.endpoint)
            .field("endpoints", &self.endpoints)
            .field("fips", &self.fips)
            .field("dual_stack", &self.dual_stack)
            .field("identity", &self.identity)
            .field("assume_role", &self.assume_role)
            .field("accounts", &self.accounts)
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}

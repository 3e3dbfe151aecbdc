//! Whom calls are made as: sources of credentials, the roles assumed from them, and a cache at
//! every link.

mod cached;
mod container;
mod failure;
mod held;
mod role;
mod rotated;
pub(super) mod source;

use std::sync::Arc;

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sts::Client;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use secrets_core::Clock;

pub(crate) use cached::Cached;
pub(super) use cached::Times;

use crate::config::{Container, Identity, Role, RotatedKeys, WebIdentity};
use crate::quiet::quietly;

/// A source of the SDK whose logs nobody listens to: they hold requests and answers, tokens and keys.
#[derive(Debug)]
struct Quiet(SharedCredentialsProvider);

impl ProvideCredentials for Quiet {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(quietly(self.0.provide_credentials()))
    }
}

/// What makes links of a chain.
pub(super) struct Links<'a> {
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) times: Times,
}

impl Links<'_> {
    /// The first link, of one of the SDK's sources.
    pub(super) fn source(&self, identity: &Identity, source: SharedCredentialsProvider) -> Cached {
        let source = SharedCredentialsProvider::new(Quiet(source));
        let link = match identity {
            Identity::DefaultChain => "the default chain",
            Identity::StaticKeys(_) | Identity::RotatedKeys(_) => "the static keys",
            Identity::Profile(profile) => {
                return self.link(format!("the profile `{}`", profile.name), |_| source);
            }
            Identity::WebIdentity(_) => "the web identity",
            Identity::Container(_) => "the container",
            Identity::Instance(_) => "the instance",
        };
        self.link(link.to_owned(), |_| source)
    }

    /// The first link, of a token that is exchanged.
    pub(super) fn exchanged(&self, web: &WebIdentity, sts: Client) -> Cached {
        self.link(format!("the web identity for the role `{}`", web.role_arn), |link| {
            SharedCredentialsProvider::new(role::ExchangedToken { link, sts, web: web.clone() })
        })
    }

    /// The first link, of keys that the application replaces.
    pub(super) fn rotated(&self, keys: &RotatedKeys) -> Cached {
        self.link("the keys of the application".to_owned(), |link| {
            SharedCredentialsProvider::new(rotated::Rotated { link, keys: keys.clone() })
        })
    }

    /// The first link, of the agent of a container.
    pub(super) fn agent(&self, container: &Container, http: SharedHttpClient) -> Cached {
        self.link("the container".to_owned(), |link| {
            SharedCredentialsProvider::new(container::Agent::new(link, container.clone(), http))
        })
    }

    /// A role that is assumed from a link; `sts` makes the client that signs as that one.
    pub(super) fn assumed(
        &self,
        from: &Cached,
        role: &Role,
        sts: impl FnOnce(SharedCredentialsProvider, Cached) -> Client,
    ) -> Cached {
        let sts = sts(SharedCredentialsProvider::new(from.settled()), from.clone());
        self.link(format!("the role `{}`", role.role_arn), |link| {
            SharedCredentialsProvider::new(role::AssumedRole { link, sts, role: role.clone() })
        })
    }

    fn link(
        &self,
        name: String,
        source: impl FnOnce(Arc<str>) -> SharedCredentialsProvider,
    ) -> Cached {
        let link: Arc<str> = name.into();
        let source = source(Arc::clone(&link));
        Cached::new(link, source, Arc::clone(self.clock), self.times)
    }
}

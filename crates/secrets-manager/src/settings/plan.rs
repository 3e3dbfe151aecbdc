use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use secrets_core::{Result, SecretProvider, SecretResolver};
use service_settings::SecretSetting;

type Connect =
    Box<dyn FnOnce(Arc<dyn SecretResolver>) -> BoxFuture<'static, Result<Connected>> + Send>;

/// How a provider is made, its options read and sound: what is left is to connect.
#[must_use]
pub struct ProviderPlan {
    /// The paths of references to secrets.
    pub(super) needs: Vec<String>,
    pub(super) connect: Connect,
}

impl ProviderPlan {
    /// A provider that is there already: made of its options alone.
    pub fn ready(provider: impl SecretProvider) -> Self {
        Self::new(move |_| ready(Ok(Connected::new(provider))))
    }

    /// What connects, when a manager is started that uses this provider. The resolver has the secrets
    /// of the provider that `credentials_from` names, not cached; it may be kept, for when a
    /// credential is renewed.
    pub fn new<F, A>(connect: F) -> Self
    where
        F: FnOnce(Arc<dyn SecretResolver>) -> A + Send + 'static,
        A: Future<Output = Result<Connected>> + Send + 'static,
    {
        Self { needs: Vec::new(), connect: Box::new(|secrets| connect(secrets).boxed()) }
    }

    /// Tells of a secret among the options, at this path from them: if it is a reference, it is a
    /// problem when there is no `credentials_from`.
    pub fn needing(mut self, path: &str, secret: &SecretSetting) -> Self {
        if !secret.is_inline() {
            self.needs.push(path.to_owned());
        }
        self
    }
}

/// Shows which secrets are needed.
impl fmt::Debug for ProviderPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderPlan").field("needs", &self.needs).finish_non_exhaustive()
    }
}

/// A provider that is ready, and what deserves attention about it.
#[derive(Debug, Clone)]
#[must_use]
pub struct Connected {
    pub(super) provider: Arc<dyn SecretProvider>,
    pub(super) warnings: Vec<String>,
}

impl Connected {
    /// A provider.
    pub fn new(provider: impl SecretProvider) -> Self {
        Self { provider: Arc::new(provider), warnings: Vec::new() }
    }

    /// With something that works and deserves attention, such as a key file that others can read.
    pub fn with_warning(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }
}

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use secrets_core::{
    Capabilities, ChangeStream, Clock, DeleteMode, Deleted, Error, ErrorKind, GetOptions, Health,
    IdempotencyKey, MetadataPatch, NameRules, Operation, Page, PageRequest, Precondition, Promoted,
    ProviderId, Result, Secret, SecretFilter, SecretInfo, SecretProvider, SecretRef, SecretValue,
    SetOptions, Validity, VersionId, VersionInfo, VersionState,
};

/// What is done about a version outside its bounds of validity.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum ValidityPolicy {
    /// It is refused, as `Expired` or `NotYetValid`.
    #[default]
    Deny,
    /// It is served, and the observer is told.
    Warn(Arc<dyn ValidityObserver>),
}

/// Is told of versions that are served outside their bounds of validity: by the manager once for
/// each value, by [`EnforceValidity`] at each read.
pub trait ValidityObserver: Send + Sync + 'static {
    /// This version is served although it has expired or is not valid yet, as `kind` says.
    fn outside_validity(&self, reference: &SecretRef, version: &VersionInfo, kind: ErrorKind);
}

impl<F: Fn(&SecretRef, &VersionInfo, ErrorKind) + Send + Sync + 'static> ValidityObserver for F {
    fn outside_validity(&self, reference: &SecretRef, version: &VersionInfo, kind: ErrorKind) {
        self(reference, version, kind);
    }
}

impl fmt::Debug for ValidityPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deny => "Deny",
            Self::Warn(_) => "Warn",
        })
    }
}

/// The one rule about bounds of validity: the manager's reads and [`EnforceValidity`] ask it.
#[derive(Debug, Clone)]
pub(crate) struct ValidityRule {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) policy: ValidityPolicy,
}

impl ValidityRule {
    /// Whether a version must not be served at `wall`.
    pub(crate) fn refuses(&self, version: &VersionInfo, wall: SystemTime) -> Option<Error> {
        match self.policy {
            ValidityPolicy::Deny => outside(version, wall),
            ValidityPolicy::Warn(_) => None,
        }
    }

    /// The same now; the clock is read only where there are bounds.
    pub(crate) fn refuses_now(&self, version: &VersionInfo) -> Option<Error> {
        if !has_bounds(version) {
            return None;
        }
        self.refuses(version, self.clock.now())
    }

    /// What the observer is to be told of a version that is served at `wall`.
    pub(crate) fn warns_of(&self, version: &VersionInfo, wall: SystemTime) -> Option<ErrorKind> {
        match self.policy {
            ValidityPolicy::Deny => None,
            ValidityPolicy::Warn(_) => outside(version, wall).map(|error| error.kind()),
        }
    }

    pub(crate) fn warn(&self, reference: &SecretRef, version: &VersionInfo, kind: ErrorKind) {
        if let ValidityPolicy::Warn(observer) = &self.policy {
            observer.outside_validity(reference, version, kind);
        }
    }

    fn enforce(&self, reference: &SecretRef, validity: Validity, secret: Secret) -> Result<Secret> {
        if validity == Validity::Ignore || !has_bounds(&secret.version) {
            return Ok(secret);
        }
        let wall = self.clock.now();
        if let Some(error) = self.refuses(&secret.version, wall) {
            return Err(error);
        }
        if let Some(kind) = self.warns_of(&secret.version, wall) {
            self.warn(reference, &secret.version, kind);
        }
        Ok(secret)
    }
}

pub(crate) fn has_bounds(version: &VersionInfo) -> bool {
    version.not_before.is_some() || version.expires.is_some()
}

/// When the validity of a version changes next, seen from `wall`.
pub(crate) fn next_bound(version: &VersionInfo, wall: SystemTime) -> Option<SystemTime> {
    [version.not_before, version.expires].into_iter().flatten().filter(|at| *at > wall).min()
}

fn outside(version: &VersionInfo, wall: SystemTime) -> Option<Error> {
    version.check_validity(wall).err().map(|error| error.with_operation(Operation::GetSecret))
}

/// Minds bounds of validity over any provider: reads of a version that has expired or is not valid
/// yet are refused, or reported, by the policy. [`SecretManager`](crate::SecretManager) does the
/// same by itself; this is for providers that are used without it.
///
/// Providers themselves ignore bounds of validity, since the clouds treat them in three ways (Azure:
/// informational; Google: the secret is deleted; AWS: none). A read with
/// [`Validity::Ignore`](secrets_core::Validity) passes.
///
/// ```
/// use secrets_core::memory::{MemoryProvider, Personality};
/// use secrets_core::{Change, ErrorKind, ManualClock, MetadataPatch, SecretProvider, SecretRef};
/// use secrets_core::{SecretName, SecretProviderExt, SecretValue, SetOptions};
/// use secrets_manager::{EnforceValidity, ValidityPolicy};
/// use std::sync::Arc;
/// use std::time::{Duration, SystemTime};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
/// let clock = ManualClock::at(start);
/// let provider = MemoryProvider::builder(Personality::Azure).clock(Arc::new(clock.clone())).build()?;
/// let provider = EnforceValidity::new(provider, Arc::new(clock.clone()), ValidityPolicy::Deny);
///
/// let expires = MetadataPatch::new().expires(Change::Set(start + Duration::from_secs(60)));
/// let name = SecretRef::from(SecretName::new("db")?);
/// let value = SecretValue::copy_from_slice(b"hunter2");
/// provider.set_secret(&name, value, SetOptions::new().with_metadata(expires)).await?;
///
/// assert!(provider.read("db").await.is_ok());
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(provider.read("db").await.unwrap_err().kind(), ErrorKind::Expired);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct EnforceValidity<P> {
    inner: P,
    rule: ValidityRule,
}

impl<P: SecretProvider> EnforceValidity<P> {
    /// Minds the bounds of what `inner` reads, by this clock.
    pub fn new(inner: P, clock: Arc<dyn Clock>, policy: ValidityPolicy) -> Self {
        Self { inner, rule: ValidityRule { clock, policy } }
    }

    /// The provider underneath.
    pub fn inner(&self) -> &P {
        &self.inner
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<P: SecretProvider> SecretProvider for EnforceValidity<P> {
    fn id(&self) -> &ProviderId {
        self.inner.id()
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn name_rules(&self) -> &NameRules {
        self.inner.name_rules()
    }

    async fn get_secret(&self, reference: &SecretRef, options: GetOptions) -> Result<Secret> {
        let validity = options.validity;
        let secret = self.inner.get_secret(reference, options).await?;
        self.rule.enforce(reference, validity, secret)
    }

    async fn get_secrets(&self, wanted: &[(SecretRef, GetOptions)]) -> Result<Vec<Result<Secret>>> {
        let answers = self.inner.get_secrets(wanted).await?;
        let judged = wanted.iter().zip(answers).map(|((reference, options), answer)| {
            self.rule.enforce(reference, options.validity, answer?)
        });
        Ok(judged.collect())
    }

    async fn set_secret(
        &self,
        reference: &SecretRef,
        value: SecretValue,
        options: SetOptions,
    ) -> Result<VersionInfo> {
        self.inner.set_secret(reference, value, options).await
    }

    async fn promote(
        &self,
        reference: &SecretRef,
        pending: &VersionId,
        base: &VersionId,
        token: &IdempotencyKey,
    ) -> Result<Promoted> {
        self.inner.promote(reference, pending, base, token).await
    }

    async fn discard_pending(&self, reference: &SecretRef, pending: &VersionId) -> Result<()> {
        self.inner.discard_pending(reference, pending).await
    }

    async fn update_metadata(
        &self,
        reference: &SecretRef,
        version: Option<&VersionId>,
        patch: MetadataPatch,
        precondition: Precondition,
    ) -> Result<()> {
        self.inner.update_metadata(reference, version, patch, precondition).await
    }

    async fn set_version_state(
        &self,
        reference: &SecretRef,
        version: &VersionId,
        state: VersionState,
    ) -> Result<()> {
        self.inner.set_version_state(reference, version, state).await
    }

    async fn describe_secret(&self, reference: &SecretRef) -> Result<SecretInfo> {
        self.inner.describe_secret(reference).await
    }

    async fn list_versions(
        &self,
        reference: &SecretRef,
        page: PageRequest,
    ) -> Result<Page<VersionInfo>> {
        self.inner.list_versions(reference, page).await
    }

    async fn list_secrets(
        &self,
        filter: &SecretFilter,
        page: PageRequest,
    ) -> Result<Page<SecretInfo>> {
        self.inner.list_secrets(filter, page).await
    }

    async fn delete_secret(&self, reference: &SecretRef, mode: DeleteMode) -> Result<Deleted> {
        self.inner.delete_secret(reference, mode).await
    }

    async fn restore_secret(&self, reference: &SecretRef) -> Result<()> {
        self.inner.restore_secret(reference).await
    }

    async fn purge_secret(&self, reference: &SecretRef) -> Result<()> {
        self.inner.purge_secret(reference).await
    }

    fn changes(&self) -> Option<ChangeStream> {
        self.inner.changes()
    }

    async fn health(&self) -> Result<Health> {
        self.inner.health().await
    }
}

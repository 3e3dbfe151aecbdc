use std::fmt;
use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use secrets_core::{
    Capabilities, ChangeStream, DeleteMode, Deleted, Error, ErrorKind, GetOptions, Health,
    IdempotencyKey, MetadataPatch, NameRules, Operation, Page, PageRequest, Precondition, Promoted,
    ProviderId, Result, Secret, SecretFilter, SecretInfo, SecretProvider, SecretRef, SecretValue,
    SetOptions, VersionId, VersionInfo, VersionState,
};

/// Bounds how long each read of a provider may take: retries of its own, waits for a token and all.
/// What takes longer is `Timeout`.
///
/// Put around the providers of a chain, it lets a read go on to the next one when one of them hangs.
/// Writes take the time that they take: only their caller knows how long that may be, and a write that
/// is given up has an outcome that nobody knows.
///
/// ```
/// use secrets_core::SecretProviderExt;
/// use secrets_core::memory::{MemoryProvider, Personality};
/// use secrets_manager::{Fallback, OnUnavailable, TimeLimit};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cloud = MemoryProvider::new(Personality::Aws);
/// let local = MemoryProvider::builder(Personality::Google).scope("local").build()?;
/// local.put_text("billing/db", "local").await?;
///
/// let cloud = TimeLimit::new(cloud, Duration::from_secs(2));
/// let chain = Fallback::new(cloud).then(local).on_unavailable(OnUnavailable::Fall);
/// assert_eq!(chain.read("billing/db").await?.value.expose_secret(), b"local");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TimeLimit<P> {
    inner: P,
    limit: Duration,
}

impl<P: SecretProvider> TimeLimit<P> {
    /// Gives each read of `inner` this time.
    pub fn new(inner: P, limit: Duration) -> Self {
        Self { inner, limit }
    }

    /// The provider underneath.
    pub fn inner(&self) -> &P {
        &self.inner
    }

    async fn limited<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        tokio::time::timeout(self.limit, call).await.unwrap_or_else(|_| {
            let message = "the provider did not answer within its time limit";
            Err(Error::new(ErrorKind::Timeout, message).with_operation(operation))
        })
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<P: SecretProvider> SecretProvider for TimeLimit<P> {
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
        self.limited(Operation::GetSecret, self.inner.get_secret(reference, options)).await
    }

    async fn get_secrets(&self, wanted: &[(SecretRef, GetOptions)]) -> Result<Vec<Result<Secret>>> {
        self.limited(Operation::GetSecrets, self.inner.get_secrets(wanted)).await
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
        self.limited(Operation::DescribeSecret, self.inner.describe_secret(reference)).await
    }

    async fn list_versions(
        &self,
        reference: &SecretRef,
        page: PageRequest,
    ) -> Result<Page<VersionInfo>> {
        self.limited(Operation::ListVersions, self.inner.list_versions(reference, page)).await
    }

    async fn list_secrets(
        &self,
        filter: &SecretFilter,
        page: PageRequest,
    ) -> Result<Page<SecretInfo>> {
        self.limited(Operation::ListSecrets, self.inner.list_secrets(filter, page)).await
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
        self.limited(Operation::Health, self.inner.health()).await
    }
}

/// Shows the provider's identity and the limit.
impl<P: SecretProvider> fmt::Debug for TimeLimit<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeLimit")
            .field("provider", self.inner.id())
            .field("limit", &self.limit)
            .finish()
    }
}

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::capability::Capabilities;
use crate::change::ChangeStream;
use crate::codec::NameRules;
use crate::error::{Error, Operation, Result};
use crate::health::{Health, HealthStatus};
use crate::metadata::{Deleted, MetadataPatch, SecretInfo};
use crate::options::{DeleteMode, GetOptions, IdempotencyKey, Precondition, Promoted, SetOptions};
use crate::page::{Page, PageRequest, SecretFilter};
use crate::reference::SecretRef;
use crate::value::{Secret, SecretValue};
use crate::version::{VersionId, VersionInfo, VersionState};

/// Which backend, which part of it, and as whom: part of every cache key, so that one identity
/// never reads what another was given.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ProviderId(Arc<Parts>);

#[derive(PartialEq, Eq, Hash)]
struct Parts {
    kind: Box<str>,
    scope: Box<str>,
    identity: Box<str>,
}

impl ProviderId {
    /// `kind` is the sort of backend (`aws`, `file`), `scope` the account, vault, project or path,
    /// `identity` whom the provider acts as (empty where there is only one).
    pub fn new(kind: &str, scope: &str, identity: &str) -> Self {
        Self(Arc::new(Parts { kind: kind.into(), scope: scope.into(), identity: identity.into() }))
    }

    /// The sort of backend.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The account, vault, project or path.
    pub fn scope(&self) -> &str {
        &self.0.scope
    }

    /// Whom the provider acts as.
    pub fn identity(&self) -> &str {
        &self.0.identity
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.kind, self.0.scope)?;
        match &*self.0.identity {
            "" => Ok(()),
            identity => write!(f, " as {identity}"),
        }
    }
}

impl fmt::Debug for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProviderId({self})")
    }
}

/// A backend that keeps secrets. For implementers; callers find shorter calls in
/// [`SecretProviderExt`](crate::SecretProviderExt).
///
/// Only reading is required. Every other method answers `Unsupported` unless it is implemented, and
/// [`capabilities`](Self::capabilities) says which are: a wrapper must forward all of them and
/// carries `#[deny(clippy::missing_trait_methods)]`. Every future may be dropped at any point; a
/// write that was dropped may or may not have happened.
#[async_trait]
pub trait SecretProvider: fmt::Debug + Send + Sync + 'static {
    /// Which backend, and as whom.
    fn id(&self) -> &ProviderId;

    /// What it can do.
    fn capabilities(&self) -> &Capabilities;

    /// How it writes names.
    fn name_rules(&self) -> &NameRules;

    /// Reads one version of a secret.
    ///
    /// # Errors
    /// `NotFound`, `Disabled`, `Destroyed`, `PendingDeletion`, `PermissionDenied`, `InvalidName`, or
    /// that the backend cannot be reached.
    async fn get_secret(&self, reference: &SecretRef, options: GetOptions) -> Result<Secret>;

    /// Reads many secrets, each as [`get_secret`](Self::get_secret) would with the same options; the
    /// answers stand in the order of the questions, and one that fails does not fail the others.
    /// Without a batch call of the backend this reads one after the other.
    ///
    /// # Errors
    /// Only what fails for all of them.
    async fn get_secrets(&self, wanted: &[(SecretRef, GetOptions)]) -> Result<Vec<Result<Secret>>> {
        let mut answers = Vec::with_capacity(wanted.len());
        for (reference, options) in wanted {
            answers.push(self.get_secret(reference, options.clone()).await);
        }
        Ok(answers)
    }

    /// Writes a new version, creating the secret if need be.
    ///
    /// # Errors
    /// `Conflict` when the precondition does not hold or the token was used for other content;
    /// `AlreadyExists` for `Precondition::Absent`; `PendingDeletion`, `TooLarge`, `InvalidName`,
    /// `InvalidValue`, `Unsupported`. See [`effect`](Error::effect) for what happened to the data.
    async fn set_secret(
        &self,
        _reference: &SecretRef,
        _value: SecretValue,
        _options: SetOptions,
    ) -> Result<VersionInfo> {
        Err(no(Operation::SetSecret))
    }

    /// Makes the pending version current, provided that `base` still is; what was current becomes
    /// previous. The token makes repeating the call harmless.
    ///
    /// # Errors
    /// `Conflict` when `base` is not current; `NotFound` when `pending` does not wait.
    async fn promote(
        &self,
        _reference: &SecretRef,
        _pending: &VersionId,
        _base: &VersionId,
        _token: &IdempotencyKey,
    ) -> Result<Promoted> {
        Err(no(Operation::Promote))
    }

    /// Takes a pending version away. Repeating it is harmless.
    ///
    /// # Errors
    /// `Conflict` when another version waits.
    async fn discard_pending(&self, _reference: &SecretRef, _pending: &VersionId) -> Result<()> {
        Err(no(Operation::DiscardPending))
    }

    /// Changes metadata of a secret (`version` is `None`) or of one version.
    ///
    /// # Errors
    /// `Conflict` when the precondition does not hold; `Unsupported` for what the backend lacks.
    async fn update_metadata(
        &self,
        _reference: &SecretRef,
        _version: Option<&VersionId>,
        _patch: MetadataPatch,
        _precondition: Precondition,
    ) -> Result<()> {
        Err(no(Operation::UpdateMetadata))
    }

    /// Enables, disables or destroys a version.
    ///
    /// # Errors
    /// `Destroyed` when it is destroyed already and another state is asked for; `InvalidValue` for
    /// `VersionState::Empty`.
    async fn set_version_state(
        &self,
        _reference: &SecretRef,
        _version: &VersionId,
        _state: VersionState,
    ) -> Result<()> {
        Err(no(Operation::SetVersionState))
    }

    /// What is known of a secret; works on deleted ones that can be restored.
    ///
    /// # Errors
    /// `NotFound`.
    async fn describe_secret(&self, _reference: &SecretRef) -> Result<SecretInfo> {
        Err(no(Operation::DescribeSecret))
    }

    /// One page of a secret's versions, in no promised order.
    ///
    /// # Errors
    /// `NotFound`; `InvalidValue` for a token that is not this provider's.
    async fn list_versions(
        &self,
        _reference: &SecretRef,
        _page: PageRequest,
    ) -> Result<Page<VersionInfo>> {
        Err(no(Operation::ListVersions))
    }

    /// One page of secrets. Foreign entries are listed by their native id; companions are hidden.
    ///
    /// # Errors
    /// `InvalidValue` for a token that is not this provider's.
    async fn list_secrets(
        &self,
        _filter: &SecretFilter,
        _page: PageRequest,
    ) -> Result<Page<SecretInfo>> {
        Err(no(Operation::ListSecrets))
    }

    /// Deletes a secret with its companion.
    ///
    /// # Errors
    /// `NotFound`; `Unsupported` for a mode or a window that the backend does not have.
    async fn delete_secret(&self, _reference: &SecretRef, _mode: DeleteMode) -> Result<Deleted> {
        Err(no(Operation::DeleteSecret))
    }

    /// Takes a deletion back.
    ///
    /// # Errors
    /// `NotFound` when it is not deleted, or not recoverable any more.
    async fn restore_secret(&self, _reference: &SecretRef) -> Result<()> {
        Err(no(Operation::RestoreSecret))
    }

    /// Makes a recoverable deletion final.
    ///
    /// # Errors
    /// `NotFound` when it is not deleted.
    async fn purge_secret(&self, _reference: &SecretRef) -> Result<()> {
        Err(no(Operation::PurgeSecret))
    }

    /// Hints at changes, where the backend gives them.
    fn changes(&self) -> Option<ChangeStream> {
        None
    }

    /// How the backend is. Must be cheap: no value is read.
    ///
    /// # Errors
    /// Those of the call that it makes.
    async fn health(&self) -> Result<Health> {
        Ok(Health { status: HealthStatus::Unknown, findings: Vec::new() })
    }
}

fn no(operation: Operation) -> Error {
    Error::unsupported(operation, "this provider does not have the operation")
}

/// A shared provider is a provider.
#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<P: SecretProvider + ?Sized> SecretProvider for Arc<P> {
    fn id(&self) -> &ProviderId {
        (**self).id()
    }

    fn capabilities(&self) -> &Capabilities {
        (**self).capabilities()
    }

    fn name_rules(&self) -> &NameRules {
        (**self).name_rules()
    }

    async fn get_secret(&self, reference: &SecretRef, options: GetOptions) -> Result<Secret> {
        (**self).get_secret(reference, options).await
    }

    async fn get_secrets(&self, wanted: &[(SecretRef, GetOptions)]) -> Result<Vec<Result<Secret>>> {
        (**self).get_secrets(wanted).await
    }

    async fn set_secret(
        &self,
        reference: &SecretRef,
        value: SecretValue,
        options: SetOptions,
    ) -> Result<VersionInfo> {
        (**self).set_secret(reference, value, options).await
    }

    async fn promote(
        &self,
        reference: &SecretRef,
        pending: &VersionId,
        base: &VersionId,
        token: &IdempotencyKey,
    ) -> Result<Promoted> {
        (**self).promote(reference, pending, base, token).await
    }

    async fn discard_pending(&self, reference: &SecretRef, pending: &VersionId) -> Result<()> {
        (**self).discard_pending(reference, pending).await
    }

    async fn update_metadata(
        &self,
        reference: &SecretRef,
        version: Option<&VersionId>,
        patch: MetadataPatch,
        precondition: Precondition,
    ) -> Result<()> {
        (**self).update_metadata(reference, version, patch, precondition).await
    }

    async fn set_version_state(
        &self,
        reference: &SecretRef,
        version: &VersionId,
        state: VersionState,
    ) -> Result<()> {
        (**self).set_version_state(reference, version, state).await
    }

    async fn describe_secret(&self, reference: &SecretRef) -> Result<SecretInfo> {
        (**self).describe_secret(reference).await
    }

    async fn list_versions(
        &self,
        reference: &SecretRef,
        page: PageRequest,
    ) -> Result<Page<VersionInfo>> {
        (**self).list_versions(reference, page).await
    }

    async fn list_secrets(
        &self,
        filter: &SecretFilter,
        page: PageRequest,
    ) -> Result<Page<SecretInfo>> {
        (**self).list_secrets(filter, page).await
    }

    async fn delete_secret(&self, reference: &SecretRef, mode: DeleteMode) -> Result<Deleted> {
        (**self).delete_secret(reference, mode).await
    }

    async fn restore_secret(&self, reference: &SecretRef) -> Result<()> {
        (**self).restore_secret(reference).await
    }

    async fn purge_secret(&self, reference: &SecretRef) -> Result<()> {
        (**self).purge_secret(reference).await
    }

    fn changes(&self) -> Option<ChangeStream> {
        (**self).changes()
    }

    async fn health(&self) -> Result<Health> {
        (**self).health().await
    }
}

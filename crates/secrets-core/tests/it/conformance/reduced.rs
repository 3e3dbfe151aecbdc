//! A sound provider that has less than the one beneath, and says so.

use std::sync::Arc;

use secrets_core::{
    Capabilities, ChangeStream, DecodedName, DeleteMode, Deleted, Error, ErrorKind, GetOptions,
    IdempotencyKey, MetadataPatch, NameRules, Operation, Page, PageRequest, Precondition, Promoted,
    ProviderId, Result, Secret, SecretFilter, SecretInfo, SecretProvider, SecretRef, SecretValue,
    SetOptions, Staging, VersionId, VersionInfo, VersionSelector, VersionState, WriteStage,
    async_trait,
};

/// Refuses what its capabilities do not have, and forwards the rest.
#[derive(Debug)]
pub(crate) struct Reduced {
    inner: Arc<dyn SecretProvider>,
    capabilities: Capabilities,
    has_names_only: bool,
}

impl Reduced {
    /// Takes away what `reduce` takes away.
    pub(crate) fn new(
        inner: Arc<dyn SecretProvider>,
        reduce: impl FnOnce(&mut Capabilities),
    ) -> Self {
        let mut capabilities = inner.capabilities().clone();
        reduce(&mut capabilities);
        Self { inner, capabilities, has_names_only: false }
    }

    /// Takes foreign names away, too.
    pub(crate) fn names_only(mut self) -> Self {
        self.has_names_only = true;
        self
    }

    fn check_name(&self, operation: Operation, r: &SecretRef) -> Result<()> {
        match r {
            SecretRef::Native(id)
                if self.has_names_only
                    && self.name_rules().decode(id.as_str()) == DecodedName::Foreign =>
            {
                let message = "not a name";
                Err(Error::new(ErrorKind::InvalidName, message).with_operation(operation))
            }
            _ => Ok(()),
        }
    }

    fn check_patch(&self, operation: Operation, patch: &MetadataPatch) -> Result<()> {
        let tags = patch.set_tags.len() + patch.remove_tags.len() > 0;
        if tags || !patch.description.is_keep() {
            need(self.capabilities.tags.is_available(), operation)?;
        }
        if !patch.not_before.is_keep() || !patch.expires.is_keep() {
            need(self.capabilities.validity.is_available(), operation)?;
        }
        Ok(())
    }

    fn stages(&self) -> bool {
        self.capabilities.staging != Staging::No
    }
}

fn need(has: bool, operation: Operation) -> Result<()> {
    if has { Ok(()) } else { Err(Error::unsupported(operation, "not here")) }
}

#[async_trait]
impl SecretProvider for Reduced {
    fn id(&self) -> &ProviderId {
        self.inner.id()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn name_rules(&self) -> &NameRules {
        self.inner.name_rules()
    }

    async fn get_secret(&self, r: &SecretRef, o: GetOptions) -> Result<Secret> {
        let has = match o.version {
            VersionSelector::Previous => self.capabilities.previous.is_available(),
            VersionSelector::Pending => self.stages(),
            VersionSelector::Id(_) => self.capabilities.versions.is_available(),
            _ => true,
        };
        need(has, Operation::GetSecret)?;
        self.check_name(Operation::GetSecret, r)?;
        self.inner.get_secret(r, o).await
    }

    async fn set_secret(
        &self,
        r: &SecretRef,
        v: SecretValue,
        o: SetOptions,
    ) -> Result<VersionInfo> {
        let (operation, c) = (Operation::SetSecret, &self.capabilities);
        need(c.write.is_available(), operation)?;
        self.check_name(operation, r)?;
        need(o.stage == WriteStage::Current || self.stages(), operation)?;
        need(o.precondition == Precondition::Any || c.cas.set != secrets_core::Cas::No, operation)?;
        need(o.token.is_none() || c.idempotency.is_available(), operation)?;
        self.check_patch(operation, &o.metadata)?;
        self.inner.set_secret(r, v, o).await
    }

    async fn promote(
        &self,
        r: &SecretRef,
        pending: &VersionId,
        base: &VersionId,
        token: &IdempotencyKey,
    ) -> Result<Promoted> {
        need(self.stages(), Operation::Promote)?;
        self.inner.promote(r, pending, base, token).await
    }

    async fn discard_pending(&self, r: &SecretRef, v: &VersionId) -> Result<()> {
        need(self.stages(), Operation::DiscardPending)?;
        self.inner.discard_pending(r, v).await
    }

    async fn update_metadata(
        &self,
        r: &SecretRef,
        v: Option<&VersionId>,
        patch: MetadataPatch,
        guard: Precondition,
    ) -> Result<()> {
        self.check_patch(Operation::UpdateMetadata, &patch)?;
        self.inner.update_metadata(r, v, patch, guard).await
    }

    async fn set_version_state(
        &self,
        r: &SecretRef,
        v: &VersionId,
        state: VersionState,
    ) -> Result<()> {
        self.inner.set_version_state(r, v, state).await
    }

    async fn describe_secret(&self, r: &SecretRef) -> Result<SecretInfo> {
        need(self.capabilities.describe.is_available(), Operation::DescribeSecret)?;
        self.inner.describe_secret(r).await
    }

    async fn list_versions(&self, r: &SecretRef, page: PageRequest) -> Result<Page<VersionInfo>> {
        need(self.capabilities.versions.is_available(), Operation::ListVersions)?;
        self.inner.list_versions(r, page).await
    }

    async fn list_secrets(
        &self,
        filter: &SecretFilter,
        page: PageRequest,
    ) -> Result<Page<SecretInfo>> {
        need(self.capabilities.list.is_available(), Operation::ListSecrets)?;
        self.inner.list_secrets(filter, page).await
    }

    async fn delete_secret(&self, r: &SecretRef, mode: DeleteMode) -> Result<Deleted> {
        let has = match mode {
            DeleteMode::Immediate => self.capabilities.delete,
            _ => self.capabilities.recover,
        };
        need(has.is_available(), Operation::DeleteSecret)?;
        self.inner.delete_secret(r, mode).await
    }

    async fn restore_secret(&self, r: &SecretRef) -> Result<()> {
        need(self.capabilities.recover.is_available(), Operation::RestoreSecret)?;
        self.inner.restore_secret(r).await
    }

    async fn purge_secret(&self, r: &SecretRef) -> Result<()> {
        need(self.capabilities.recover.is_available(), Operation::PurgeSecret)?;
        self.inner.purge_secret(r).await
    }

    fn changes(&self) -> Option<ChangeStream> {
        self.capabilities.changes.is_available().then(|| self.inner.changes()).flatten()
    }
}

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::capability::{
    Capabilities, Cas, CasSupport, Consistency, Limits, Scope, Staging, Support,
};
use crate::codec::NameRules;
use crate::error::Result;
use crate::health::Health;
use crate::memory::adapter::{
    Adapter, Foreign, Place, health_of, listed, not_found, passes, version_id,
};
use crate::memory::azure::encoding::MAX_VALUE;
use crate::memory::azure::lookup::{Home, companion_info, info, main_info, pending_id, secret};
use crate::memory::azure::tags::{self, MAX_USER_TAGS};
use crate::memory::azure::vault::{Attributes, AzureError, Patch, Vault};
use crate::memory::azure::write::not_earlier;
use crate::memory::paging::ListId;
use crate::memory::session::{Access, Failure, Session};
use crate::memory::settings::Settings;
use crate::metadata::{Change, Deleted, Deletion, MetadataPatch, SecretInfo};
use crate::options::{DeleteMode, IdempotencyKey, Precondition, Promoted, SetOptions};
use crate::page::{DeletedSecrets, Page, PageRequest, SecretFilter};
use crate::value::{Secret, SecretValue};
use crate::version::{
    Stage, StageSet, VersionId, VersionInfo, VersionSelector, VersionState, WriteStage,
};

/// A provider over [`Vault`].
pub(crate) struct AzureAdapter {
    vault: Arc<Mutex<Vault>>,
    capabilities: Capabilities,
    window: Duration,
}

/// Letters, digits and `-`, 127 characters, whatever their case (Key Vault, "About keys, secrets,
/// and certificates").
pub(crate) static RULES: NameRules =
    NameRules::new(|b| b.is_ascii_alphanumeric() || b == b'-', b'-', 127)
        .case_insensitive()
        .with_companion_suffix("-pending");

fn capabilities() -> Capabilities {
    let consistency = Consistency::Eventual { within: Duration::ZERO };
    let limits = Limits::new(MAX_VALUE).with_tags(MAX_USER_TAGS);
    let mut capabilities = Capabilities::read_only(consistency, limits);
    capabilities.write = Support::Native;
    capabilities.staging = Staging::Companion;
    capabilities.previous = Support::Emulated;
    capabilities.versions = Support::Native;
    capabilities.cas = CasSupport { set: Cas::Detected, promote: Cas::Detected, metadata: Cas::No };
    capabilities.idempotency = Support::Emulated;
    capabilities.list = Support::Native;
    capabilities.describe = Support::Native;
    capabilities.tags = Support::Native;
    capabilities.tags_scope = Scope::Version;
    capabilities.validity = Support::Native;
    capabilities.validity_scope = Scope::Version;
    capabilities.delete = Support::Emulated;
    capabilities.recover = Support::Native;
    capabilities.disable = Support::Native;
    capabilities
}

impl AzureAdapter {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            vault: Arc::new(Mutex::new(Vault::new(settings))),
            capabilities: settings.adjust(capabilities()),
            window: settings.recovery_window(),
        }
    }

    pub(super) fn vault(&self) -> MutexGuard<'_, Vault> {
        self.vault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn max_value(&self) -> usize {
        self.capabilities.limits.value_len
    }

    pub(super) fn window(&self) -> Duration {
        self.window
    }

    async fn get_current(&self, session: &Session<'_>, place: &Place) -> Result<Secret> {
        match self.bundle(session, &place.main, None).await {
            Ok(bundle) => secret(&bundle, info(&bundle.attributes, CURRENT)?),
            Err(Failure::Refused(AzureError::SecretNotFound)) => {
                Err(self.absence(session, place).await?)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    async fn get_main(&self, session: &Session<'_>, place: &Place, id: &str) -> Result<Secret> {
        match self.bundle(session, &place.main, Some(id)).await {
            Ok(bundle) => {
                let newest = self.current(session, place).await?;
                secret(&bundle, main_info(&bundle.attributes, &newest)?)
            }
            Err(Failure::Refused(AzureError::SecretNotFound)) => {
                Err(self.absence(session, place).await?)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// One version without its value: reading it says so, unless it is disabled.
    async fn attributes(&self, session: &Session<'_>, name: &str, id: &str) -> Result<Attributes> {
        match self.bundle(session, name, Some(id)).await {
            Ok(bundle) => Ok(bundle.attributes),
            Err(Failure::Refused(AzureError::SecretDisabled)) => {
                let versions = self.versions_of(session, name).await?;
                let version = versions.into_iter().find(|version| version.id == id);
                version.ok_or_else(|| not_found("no such version"))
            }
            Err(failure) => Err(failure.into()),
        }
    }

    fn home<'a>(place: &'a Place, version: &'a VersionId) -> Result<(&'a str, &'a str)> {
        match Home::of(version) {
            Home::Main(id) => Ok((&place.main, id)),
            Home::Companion(id) => {
                let companion = place.companion.as_deref();
                Ok((companion.ok_or_else(|| not_found("no such version"))?, id))
            }
        }
    }
}

const CURRENT: StageSet = StageSet::EMPTY.with(Stage::Current);

fn summary(name: &str, attributes: &Attributes, deletion: Option<Deletion>) -> Option<SecretInfo> {
    let mut info = SecretInfo::new(listed(&RULES, name)?);
    info.updated = Some(attributes.updated);
    info.deletion = deletion;
    info.tags = tags::of_user(&attributes.tags);
    info.description = attributes.tags.get(tags::DESCRIPTION).cloned();
    Some(info)
}

#[async_trait]
impl Adapter for AzureAdapter {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn rules(&self) -> &NameRules {
        &RULES
    }

    async fn get(
        &self,
        session: &Session<'_>,
        place: &Place,
        version: &VersionSelector,
    ) -> Result<Secret> {
        match version {
            VersionSelector::Current => self.get_current(session, place).await,
            VersionSelector::Previous => {
                let newest = self.current(session, place).await?;
                let previous = newest.tags.get(tags::PREDECESSOR);
                let message = "the current version does not name the one before it";
                let previous = previous.ok_or_else(|| not_found(message))?;
                let bundle = self.bundle(session, &place.main, Some(previous)).await?;
                secret(&bundle, main_info(&bundle.attributes, &newest)?)
            }
            VersionSelector::Pending => {
                let newest = self.current(session, place).await?;
                let waiting = self.waiting(session, place, &newest).await?;
                let waiting = waiting.ok_or_else(|| not_found("no version is pending"))?;
                secret(&waiting, companion_info(&waiting.attributes)?)
            }
            VersionSelector::Id(id) => match Home::of(id) {
                Home::Main(id) => self.get_main(session, place, id).await,
                Home::Companion(_) => {
                    let (companion, id) = Self::home(place, id)?;
                    let bundle = self.bundle(session, companion, Some(id)).await?;
                    secret(&bundle, companion_info(&bundle.attributes)?)
                }
            },
        }
    }

    async fn set(
        &self,
        session: &Session<'_>,
        place: &Place,
        value: SecretValue,
        options: SetOptions,
    ) -> Result<VersionInfo> {
        match options.stage {
            WriteStage::Current => self.set_current(session, place, &value, &options).await,
            WriteStage::Pending => self.set_pending(session, place, &value, &options).await,
        }
    }

    async fn promote(
        &self,
        session: &Session<'_>,
        place: &Place,
        pending: &VersionId,
        base: &VersionId,
        token: &IdempotencyKey,
    ) -> Result<Promoted> {
        self.promote_pending(session, place, pending, base, token).await
    }

    async fn discard(
        &self,
        session: &Session<'_>,
        place: &Place,
        pending: &VersionId,
    ) -> Result<()> {
        self.discard_waiting(session, place, pending).await
    }

    async fn update(
        &self,
        session: &Session<'_>,
        place: &Place,
        version: Option<&VersionId>,
        patch: MetadataPatch,
        _: Precondition,
    ) -> Result<()> {
        let (name, attributes) = match version {
            None => (place.main.as_str(), self.current(session, place).await?),
            Some(version) => {
                let (name, id) = Self::home(place, version)?;
                (name, self.attributes(session, name, id).await?)
            }
        };
        let tags = Some(tags::replaced(&attributes.tags, &patch)?);
        let not_before = match patch.not_before {
            Change::Set(time) => Change::Set(not_earlier(time)),
            change => change,
        };
        let expires = patch.expires;
        let change = Patch { enabled: None, tags, not_before, expires };
        let work = |vault: &mut Vault, at| vault.patch(at, name, &attributes.id, change);
        Ok(self.send(session, "PATCH secret", Access::Write, work).await?)
    }

    async fn set_state(
        &self,
        session: &Session<'_>,
        place: &Place,
        version: &VersionId,
        state: VersionState,
    ) -> Result<()> {
        let (name, id) = Self::home(place, version)?;
        let enabled = Some(state == VersionState::Enabled);
        let change = Patch { enabled, ..Patch::default() };
        let work = |vault: &mut Vault, at| vault.patch(at, name, id, change);
        Ok(self.send(session, "PATCH secret", Access::Write, work).await?)
    }

    async fn describe(&self, session: &Session<'_>, place: &Place) -> Result<SecretInfo> {
        let unknown = || not_found("no such secret");
        let Some(newest) = self.newest(session, &place.main).await? else {
            let read = |vault: &mut Vault, at| vault.get_deleted(at, &place.main);
            let (newest, deletion) =
                self.send(session, "GET deleted secret", Access::Read, read).await?;
            return summary(&place.main, &newest, Some(deletion)).ok_or_else(unknown);
        };
        let waiting = self.waiting(session, place, &newest).await?;
        let mut info = summary(&place.main, &newest, None).ok_or_else(unknown)?;
        let previous = newest.tags.get(tags::PREDECESSOR);
        info.current = Some(version_id(&newest.id)?);
        info.previous = previous.map(|id| version_id(id)).transpose()?;
        let pending = waiting.map(|bundle| version_id(&pending_id(&bundle.attributes)));
        info.pending = pending.transpose()?;
        Ok(info)
    }

    async fn versions(
        &self,
        session: &Session<'_>,
        place: &Place,
        page: PageRequest,
    ) -> Result<Page<VersionInfo>> {
        let list = ListId::new("azure versions", &place.main);
        let start = list.start(&page)?;
        let newest = self.current(session, place).await?;
        let mut items = Vec::new();
        if start.is_none()
            && let Some(waiting) = self.waiting(session, place, &newest).await?
        {
            items.push(companion_info(&waiting.attributes)?);
            // A page of one is full already: the list of the others begins with the next one.
            if page.limit.is_some_and(|limit| limit.get() == 1) {
                return Ok(Page::new(items, Some(list.token(""))));
            }
        }
        let taken = u32::try_from(items.len()).unwrap_or(0);
        let limit = page.limit.and_then(|limit| (limit.get() - taken).try_into().ok());
        let read =
            |vault: &mut Vault, at| Ok(vault.versions(at, &place.main, start.as_deref(), limit));
        let (versions, last) = self.send(session, "GET versions", Access::Read, read).await?;
        for version in &versions {
            items.push(main_info(version, &newest)?);
        }
        Ok(Page::new(items, last.map(|last| list.token(&last))))
    }

    async fn list(
        &self,
        session: &Session<'_>,
        filter: &SecretFilter,
        page: PageRequest,
    ) -> Result<Page<SecretInfo>> {
        let list = ListId::new("azure secrets", &format!("{filter:?}"));
        let start = list.start(&page)?;
        let (mut deleted, mut after) = (filter.deleted == DeletedSecrets::Only, None);
        // The vault has two lists; the token says in which one the page before ended.
        if let Some((which, name)) = start.as_deref().and_then(|start| start.split_once(':')) {
            deleted = which == "deleted";
            after = (!name.is_empty()).then_some(name);
        }
        let (entries, last) = if deleted {
            let read = |vault: &mut Vault, at| Ok(vault.list_deleted(at, after, page.limit));
            let (all, last) = self.send(session, "GET deleted secrets", Access::Read, read).await?;
            let all = all.into_iter().map(|(name, newest, end)| (name, newest, Some(end)));
            (all.collect::<Vec<_>>(), last.map(|last| format!("deleted:{last}")))
        } else {
            let read = |vault: &mut Vault, at| Ok(vault.list(at, after, page.limit));
            let (all, last) = self.send(session, "GET secrets", Access::Read, read).await?;
            let all = all.into_iter().map(|(name, newest)| (name, newest, None));
            let more = match (last, filter.deleted) {
                (Some(last), _) => Some(format!("there:{last}")),
                (None, DeletedSecrets::Include) => Some("deleted:".to_owned()),
                (None, _) => None,
            };
            (all.collect(), more)
        };
        let infos = entries.iter().filter_map(|(name, newest, end)| summary(name, newest, *end));
        let items = infos.filter(|info| passes(filter, info)).collect();
        Ok(Page::new(items, last.map(|last| list.token(&last))))
    }

    async fn delete(
        &self,
        session: &Session<'_>,
        place: &Place,
        mode: DeleteMode,
    ) -> Result<Deleted> {
        self.delete_both(session, place, mode).await
    }

    async fn restore(&self, session: &Session<'_>, place: &Place) -> Result<()> {
        self.restore_both(session, place).await
    }

    async fn purge(&self, session: &Session<'_>, place: &Place) -> Result<()> {
        self.purge_both(session, place, "the secret is not deleted").await
    }

    async fn health(&self, session: &Session<'_>) -> Result<Health> {
        Ok(health_of(self.orphans(session).await?))
    }

    fn foreign(&self) -> &dyn Foreign {
        self
    }
}

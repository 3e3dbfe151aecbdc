use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::capability::{
    Capabilities, Cas, CasSupport, Consistency, Limits, Scope, Staging, Support,
};
use crate::codec::NameRules;
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::health::Health;
use crate::memory::adapter::{
    Adapter, Foreign, Place, health_of, listed, not_found, orphans, passes,
};
use crate::memory::google::journal;
use crate::memory::google::lookup::{
    Home, companion_info, main_id, main_info, pending_id, unreadable,
};
use crate::memory::google::metadata;
use crate::memory::google::project::{GoogleError, MAX_LABELS, MAX_VALUE, Project, SecretMeta};
use crate::memory::paging::ListId;
use crate::memory::session::{Access, Failure, Session};
use crate::memory::settings::Settings;
use crate::metadata::{Deleted, MetadataPatch, SecretInfo};
use crate::options::{DeleteMode, Etag, IdempotencyKey, Precondition, Promoted, SetOptions};
use crate::page::{DeletedSecrets, Page, PageRequest, SecretFilter};
use crate::value::{Secret, SecretValue};
use crate::version::{VersionId, VersionInfo, VersionSelector, VersionState};

/// A provider over [`Project`].
pub(crate) struct GoogleAdapter {
    project: Arc<Mutex<Project>>,
    capabilities: Capabilities,
}

/// Letters, digits, `-` and `_`, 255 characters (API reference, `CreateSecret`).
pub(crate) static RULES: NameRules =
    NameRules::new(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_', b'_', 255)
        .with_companion_suffix("_pending");

fn capabilities() -> Capabilities {
    let consistency = Consistency::ExactVersion { others_within: Duration::ZERO };
    let limits = Limits::new(MAX_VALUE).with_tags(MAX_LABELS);
    let mut capabilities = Capabilities::read_only(consistency, limits);
    capabilities.write = Support::Native;
    capabilities.staging = Staging::Companion;
    capabilities.previous = Support::Emulated;
    capabilities.versions = Support::Native;
    let (set, promote) = (Cas::Detected, Cas::Detected);
    capabilities.cas = CasSupport { set, promote, metadata: Cas::Enforced };
    capabilities.idempotency = Support::Emulated;
    capabilities.list = Support::Native;
    capabilities.describe = Support::Native;
    capabilities.tags = Support::Native;
    capabilities.tags_scope = Scope::Secret;
    capabilities.validity = Support::Emulated;
    capabilities.validity_scope = Scope::Secret;
    capabilities.delete = Support::Native;
    capabilities.disable = Support::Native;
    capabilities.destroy = Support::Native;
    capabilities
}

impl GoogleAdapter {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            project: Arc::new(Mutex::new(Project::new(settings))),
            capabilities: settings.adjust(capabilities()),
        }
    }

    pub(super) fn project(&self) -> MutexGuard<'_, Project> {
        self.project.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn max_value(&self) -> usize {
        self.capabilities.limits.value_len
    }
}

fn summary(name: &str, secret: &SecretMeta) -> Option<SecretInfo> {
    let mut info = SecretInfo::new(listed(&RULES, name)?);
    info.created = Some(secret.created);
    info.tags = secret.labels.clone();
    info.description = metadata::description(secret);
    info.etag = Some(Etag::Secret(secret.etag.as_str().into()));
    Some(info)
}

#[async_trait]
impl Adapter for GoogleAdapter {
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
            VersionSelector::Current => self.read_current(session, place).await,
            VersionSelector::Previous => self.read_previous(session, place).await,
            VersionSelector::Pending => {
                let secret = self.meta(session, &place.main).await?;
                let waiting = self.waiting(session, place, &secret).await?;
                let waiting = waiting.ok_or_else(|| not_found("no version is pending"))?;
                self.read_companion(session, place, waiting.number).await
            }
            VersionSelector::Id(id) => match Home::of(id)? {
                Home::Main(number) => self.read_number(session, place, number).await,
                Home::Companion(number) => self.read_companion(session, place, number).await,
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
        self.set_stage(session, place, &value, &options).await
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
        _: Option<&VersionId>,
        patch: MetadataPatch,
        precondition: Precondition,
    ) -> Result<()> {
        let etag = match &precondition {
            Precondition::Etag(Etag::Secret(etag)) => Some(&**etag),
            Precondition::Etag(Etag::Version(_)) => {
                let message = "the etag is of a version, and the secret is to be changed";
                return Err(Error::new(ErrorKind::InvalidValue, message));
            }
            _ => None,
        };
        self.patch(session, &place.main, &patch, etag).await
    }

    async fn set_state(
        &self,
        session: &Session<'_>,
        place: &Place,
        version: &VersionId,
        state: VersionState,
    ) -> Result<()> {
        let (name, number) = match Home::of(version)? {
            Home::Main(number) => (Some(place.main.as_str()), number),
            Home::Companion(number) => (place.companion.as_deref(), number),
        };
        let name = name.ok_or_else(|| not_found("no such version"))?;
        let request = match state {
            VersionState::Enabled => "EnableSecretVersion",
            VersionState::Disabled => "DisableSecretVersion",
            VersionState::Destroyed => "DestroySecretVersion",
            VersionState::Empty => {
                return Err(Error::unsupported(Operation::SetVersionState, "no state to set"));
            }
        };
        let work = |google: &mut Project, at| google.set_state(at, name, number, state);
        match self.send(session, request, Access::Write, work).await {
            // Refused because it is destroyed: which is what was asked for, or rules it out.
            Err(Failure::Refused(GoogleError::FailedPrecondition)) => {
                if state == VersionState::Destroyed {
                    return Ok(());
                }
                Err(unreadable(VersionState::Destroyed))
            }
            done => Ok(done?),
        }
    }

    async fn describe(&self, session: &Session<'_>, place: &Place) -> Result<SecretInfo> {
        let secret = self.meta(session, &place.main).await?;
        let latest = self.latest(session, &place.main).await?;
        let waiting = self.waiting(session, place, &secret).await?;
        let mut info = summary(&place.main, &secret).ok_or_else(|| not_found("no such secret"))?;
        info.current = (latest > 0).then(|| main_id(latest)).transpose()?;
        info.previous = journal::before(&secret, latest).map(main_id).transpose()?;
        info.pending = waiting.map(|version| pending_id(version.number)).transpose()?;
        Ok(info)
    }

    async fn versions(
        &self,
        session: &Session<'_>,
        place: &Place,
        page: PageRequest,
    ) -> Result<Page<VersionInfo>> {
        let list = ListId::new("google versions", &place.main);
        let start = list.start(&page)?;
        let secret = self.meta(session, &place.main).await?;
        let latest = self.latest(session, &place.main).await?;
        let mut items = Vec::new();
        if start.is_none()
            && let Some(waiting) = self.waiting(session, place, &secret).await?
        {
            items.push(companion_info(&waiting)?);
            // A page of one is full already: the list of the others begins with the next one.
            if page.limit == Some(NonZeroU32::MIN) {
                return Ok(Page::new(items, Some(list.token(""))));
            }
        }
        let taken = u32::try_from(items.len()).unwrap_or(0);
        let limit = page.limit.and_then(|limit| (limit.get() - taken).try_into().ok());
        let below = start.and_then(|start| start.parse().ok());
        let read = |google: &mut Project, at| google.versions(at, &place.main, below, limit);
        let (versions, last) = self.send(session, "ListSecretVersions", Access::Read, read).await?;
        for version in &versions {
            items.push(main_info(&secret, version, latest)?);
        }
        Ok(Page::new(items, last.map(|last| list.token(&last))))
    }

    async fn list(
        &self,
        session: &Session<'_>,
        filter: &SecretFilter,
        page: PageRequest,
    ) -> Result<Page<SecretInfo>> {
        let list = ListId::new("google secrets", &format!("{filter:?}"));
        let start = list.start(&page)?;
        if filter.deleted == DeletedSecrets::Only {
            return Ok(Page::new(Vec::new(), None));
        }
        let read = |google: &mut Project, at| Ok(google.list(at, start.as_deref(), page.limit));
        let (secrets, last) = self.send(session, "ListSecrets", Access::Read, read).await?;
        let infos = secrets.iter().filter_map(|(name, secret)| summary(name, secret));
        let items = infos.filter(|info| passes(filter, info)).collect();
        Ok(Page::new(items, last.map(|last| list.token(&last))))
    }

    /// The companion goes first: a call that ends half-way leaves the secret where it was.
    async fn delete(&self, session: &Session<'_>, place: &Place, _: DeleteMode) -> Result<Deleted> {
        if let Some(companion) = &place.companion {
            let delete = |google: &mut Project, at| google.delete(at, companion);
            match self.send(session, "DeleteSecret", Access::Write, delete).await {
                Ok(()) | Err(Failure::Refused(GoogleError::NotFound)) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        let delete = |google: &mut Project, at| google.delete(at, &place.main);
        self.send(session, "DeleteSecret", Access::Write, delete).await?;
        Ok(Deleted::Gone)
    }

    async fn restore(&self, _: &Session<'_>, _: &Place) -> Result<()> {
        Err(Error::unsupported(Operation::RestoreSecret, "a deletion is final here"))
    }

    async fn purge(&self, _: &Session<'_>, _: &Place) -> Result<()> {
        Err(Error::unsupported(Operation::PurgeSecret, "a deletion is final here"))
    }

    async fn health(&self, session: &Session<'_>) -> Result<Health> {
        let names = |google: &mut Project, at| {
            let (all, _) = google.list(at, None, Some(NonZeroU32::MAX));
            Ok(all.into_iter().map(|(name, _)| name).collect())
        };
        let names: Vec<String> = self.send(session, "ListSecrets", Access::Read, names).await?;
        Ok(health_of(orphans(&RULES, &names)))
    }

    fn foreign(&self) -> &dyn Foreign {
        self
    }
}

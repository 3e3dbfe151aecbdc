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
    Adapter, Foreign, Place, conflict, listed, not_found, passes, version_id,
};
use crate::memory::aws::cloud::{
    AwsCloud, AwsError, AwsSecret, Described, Label, MAX_BATCH, MAX_TAGS, MAX_VALUE, Wanted,
};
use crate::memory::paging::ListId;
use crate::memory::session::{Access, Failure, Refusal, Session};
use crate::memory::settings::Settings;
use crate::memory::shelf::Moment;
use crate::metadata::{Deleted, MetadataPatch, SecretInfo};
use crate::options::{DeleteMode, IdempotencyKey, Precondition, Promoted, SetOptions};
use crate::page::{DeletedSecrets, Page, PageRequest, SecretFilter};
use crate::value::{Secret, SecretValue};
use crate::version::{
    Stage, StageSet, VersionId, VersionInfo, VersionSelector, VersionState, WriteStage,
};

/// How often to ask whether a forced deletion has taken effect.
const MAX_WAITS: u32 = 10;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A provider over [`AwsCloud`].
pub(crate) struct AwsAdapter {
    cloud: Arc<Mutex<AwsCloud>>,
    capabilities: Capabilities,
    window: Duration,
    force_delay: Duration,
}

/// ASCII letters, digits and `/_+=.@-`, 512 bytes (API reference, `CreateSecret`). `+` stands in no
/// neutral name, so every name is its own form.
pub(crate) static RULES: NameRules =
    NameRules::new(|b| b.is_ascii_alphanumeric() || b"/_+=.@-".contains(&b), b'+', 512);

fn capabilities() -> Capabilities {
    let consistency = Consistency::Eventual { within: Duration::ZERO };
    let limits = Limits::new(MAX_VALUE).with_tags(MAX_TAGS).with_batch(MAX_BATCH);
    let mut capabilities = Capabilities::read_only(consistency, limits);
    capabilities.write = Support::Native;
    capabilities.staging = Staging::Labels;
    capabilities.previous = Support::Native;
    capabilities.versions = Support::Native;
    capabilities.cas = CasSupport { set: Cas::Enforced, promote: Cas::Enforced, metadata: Cas::No };
    capabilities.idempotency = Support::Native;
    capabilities.list = Support::Native;
    capabilities.batch = Support::Native;
    capabilities.describe = Support::Native;
    capabilities.tags = Support::Native;
    capabilities.tags_scope = Scope::Secret;
    // Tags could carry bounds, but no read of a value returns tags: each would cost a second call.
    capabilities.validity = Support::No;
    capabilities.delete = Support::Native;
    capabilities.recover = Support::Native;
    capabilities
}

impl AwsAdapter {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            cloud: Arc::new(Mutex::new(AwsCloud::new(settings))),
            capabilities: settings.adjust(capabilities()),
            window: settings.recovery_window(),
            force_delay: settings.deleting,
        }
    }

    pub(super) fn cloud(&self) -> MutexGuard<'_, AwsCloud> {
        self.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn max_value(&self) -> usize {
        self.capabilities.limits.value_len
    }

    pub(super) async fn send<T>(
        &self,
        session: &Session<'_>,
        request: &'static str,
        access: Access,
        work: impl FnOnce(&mut AwsCloud, Moment) -> Result<T, AwsError> + Send,
    ) -> Result<T, Failure<AwsError>> {
        session.request(request, access, |at| work(&mut self.cloud(), at)).await
    }

    pub(super) async fn described(
        &self,
        session: &Session<'_>,
        place: &Place,
    ) -> Result<AwsSecret, Failure<AwsError>> {
        let name = &place.main;
        self.send(session, "DescribeSecret", Access::Read, |aws, at| aws.describe(at, name)).await
    }

    /// The secret, unless it is scheduled for deletion.
    pub(super) async fn living(&self, session: &Session<'_>, place: &Place) -> Result<AwsSecret> {
        let secret = self.described(session, place).await?;
        match secret.deletion {
            Some(_) => Err(AwsError::ScheduledForDeletion.to_error()),
            None => Ok(secret),
        }
    }

    pub(super) async fn move_label(
        &self,
        session: &Session<'_>,
        place: &Place,
        label: Label,
        (from, to): (Option<&str>, Option<&str>),
    ) -> Result<()> {
        let access = if label == Label::Staged { Access::Prepare } else { Access::Write };
        let name = &place.main;
        let work = |aws: &mut AwsCloud, at| aws.move_label(at, name, label, from, to);
        Ok(self.send(session, "UpdateSecretVersionStage", access, work).await?)
    }

    async fn batch(
        &self,
        session: &Session<'_>,
        places: &[Place],
    ) -> Result<Vec<Result<Secret>>, Failure<AwsError>> {
        let read = |aws: &mut AwsCloud, at| {
            let one = |place: &Place| {
                let answer = aws.get(at, &place.main, Wanted::Label(Label::Current));
                answer.map_err(Refusal::to_error).and_then(|(value, v)| secret(value, &v))
            };
            Ok(places.iter().map(one).collect())
        };
        self.send(session, "BatchGetSecretValue", Access::Read, read).await
    }
}

pub(super) fn info(described: &Described) -> Result<VersionInfo> {
    let current = described.labels.contains(&Label::Current);
    let stages: StageSet = described
        .labels
        .iter()
        .filter_map(|label| match label {
            Label::Current => Some(Stage::Current),
            Label::Previous => Some(Stage::Previous),
            // A finished rotation may leave AWSPENDING where AWSCURRENT is: nothing waits then.
            Label::Pending if !current => Some(Stage::Pending),
            Label::Pending | Label::Staged => None,
        })
        .collect();
    let mut info = VersionInfo::new(version_id(&described.id)?, described.created);
    info.stages = stages;
    info.state = described.state;
    Ok(info)
}

fn secret(value: SecretValue, version: &Described) -> Result<Secret> {
    Ok(Secret::new(value, info(version)?))
}

fn summary(name: &str, secret: &AwsSecret) -> Result<Option<SecretInfo>> {
    let Some(reference) = listed(&RULES, name) else { return Ok(None) };
    let at = |label| secret.label(label).map(version_id).transpose();
    let mut info = SecretInfo::new(reference);
    info.created = Some(secret.created);
    info.updated = Some(secret.changed);
    info.deletion = secret.deletion;
    info.tags = secret.tags.clone();
    info.description = secret.description.clone();
    info.current = at(Label::Current)?;
    info.previous = at(Label::Previous)?;
    info.pending = at(Label::Pending)?.filter(|pending| Some(pending) != info.current.as_ref());
    Ok(Some(info))
}

#[async_trait]
impl Adapter for AwsAdapter {
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
        let wanted = match version {
            VersionSelector::Current => Wanted::Label(Label::Current),
            VersionSelector::Previous => Wanted::Label(Label::Previous),
            VersionSelector::Pending => Wanted::Label(Label::Pending),
            VersionSelector::Id(id) => Wanted::Version(id.as_str()),
        };
        let read = |aws: &mut AwsCloud, at| aws.get(at, &place.main, wanted);
        let (value, described) = self.send(session, "GetSecretValue", Access::Read, read).await?;
        let promoted = described.labels.contains(&Label::Current);
        if *version == VersionSelector::Pending && promoted {
            return Err(not_found("no version is pending"));
        }
        secret(value, &described)
    }

    async fn get_many(
        &self,
        session: &Session<'_>,
        wanted: Vec<(Result<Place>, VersionSelector)>,
    ) -> Result<Vec<Result<Secret>>> {
        let current = wanted.iter().filter(|(_, version)| *version == VersionSelector::Current);
        let places: Vec<Place> = current.filter_map(|(place, _)| place.clone().ok()).collect();
        let mut batched = Vec::with_capacity(places.len());
        for chunk in places.chunks(MAX_BATCH) {
            batched.extend(self.batch(session, chunk).await?);
        }
        let mut batched = batched.into_iter();
        let mut answers = Vec::with_capacity(wanted.len());
        for (place, version) in wanted {
            answers.push(match (place, version) {
                (Err(error), _) => Err(error),
                (Ok(_), VersionSelector::Current) => {
                    batched.next().unwrap_or_else(|| Err(not_found("no such secret")))
                }
                (Ok(place), version) => self.get(session, &place, &version).await,
            });
        }
        Ok(answers)
    }

    async fn set(
        &self,
        session: &Session<'_>,
        place: &Place,
        value: SecretValue,
        options: SetOptions,
    ) -> Result<VersionInfo> {
        let write = self.write(session, place, value, options)?;
        match (&write.options.stage, &write.options.precondition) {
            (WriteStage::Pending, _) => write.pending().await,
            (WriteStage::Current, Precondition::Absent) => write.absent().await,
            (WriteStage::Current, Precondition::CurrentIs(base)) => write.after(base).await,
            (WriteStage::Current, _) => write.any().await,
        }
    }

    async fn promote(
        &self,
        session: &Session<'_>,
        place: &Place,
        pending: &VersionId,
        base: &VersionId,
        _: &IdempotencyKey,
    ) -> Result<Promoted> {
        let secret = self.living(session, place).await?;
        let (pending, base) = (pending.as_str(), base.as_str());
        let waits = secret.label(Label::Pending) == Some(pending);
        if secret.label(Label::Current) == Some(pending) {
            if secret.label(Label::Previous) != Some(base) {
                return Err(conflict("the pending version was promoted from another base"));
            }
        } else {
            if secret.label(Label::Current) != Some(base) {
                return Err(conflict("the base is not current"));
            }
            if !waits {
                return Err(not_found("the version does not wait for promotion"));
            }
            // DescribeSecret does not tell whether the version has a value, and moving AWSCURRENT to
            // one that has none would leave every reader without a secret.
            let read = |aws: &mut AwsCloud, at| aws.get(at, &place.main, Wanted::Version(pending));
            self.send(session, "GetSecretValue", Access::Read, read).await?;
            let moved = (Some(base), Some(pending));
            self.move_label(session, place, Label::Current, moved).await?;
        }
        if waits {
            self.move_label(session, place, Label::Pending, (Some(pending), None)).await?;
        }
        Ok(Promoted::new(version_id(pending)?, Some(version_id(base)?)))
    }

    async fn discard(
        &self,
        session: &Session<'_>,
        place: &Place,
        pending: &VersionId,
    ) -> Result<()> {
        let secret = self.living(session, place).await?;
        match secret.label(Label::Pending) {
            None => Ok(()),
            Some(waiting) if waiting == pending.as_str() => {
                self.move_label(session, place, Label::Pending, (Some(waiting), None)).await
            }
            Some(_) => Err(conflict("another version is pending")),
        }
    }

    async fn update(
        &self,
        session: &Session<'_>,
        place: &Place,
        _: Option<&VersionId>,
        patch: MetadataPatch,
        _: Precondition,
    ) -> Result<()> {
        let secret = self.living(session, place).await?;
        self.patch(session, place, &secret.tags, &patch).await
    }

    async fn set_state(
        &self,
        _: &Session<'_>,
        _: &Place,
        _: &VersionId,
        _: VersionState,
    ) -> Result<()> {
        let message = "versions cannot be disabled or destroyed here";
        Err(Error::unsupported(Operation::SetVersionState, message))
    }

    async fn describe(&self, session: &Session<'_>, place: &Place) -> Result<SecretInfo> {
        let secret = self.described(session, place).await?;
        summary(&place.main, &secret)?.ok_or_else(|| not_found("no such secret"))
    }

    async fn versions(
        &self,
        session: &Session<'_>,
        place: &Place,
        page: PageRequest,
    ) -> Result<Page<VersionInfo>> {
        let list = ListId::new("aws versions", &place.main);
        let start = list.start(&page)?;
        let read =
            |aws: &mut AwsCloud, at| aws.versions(at, &place.main, start.as_deref(), page.limit);
        let (versions, last) =
            self.send(session, "ListSecretVersionIds", Access::Read, read).await?;
        let items = versions.iter().map(info).collect::<Result<_>>()?;
        Ok(Page::new(items, last.map(|last| list.token(&last))))
    }

    async fn list(
        &self,
        session: &Session<'_>,
        filter: &SecretFilter,
        page: PageRequest,
    ) -> Result<Page<SecretInfo>> {
        let list = ListId::new("aws secrets", &format!("{filter:?}"));
        let start = list.start(&page)?;
        let read = |aws: &mut AwsCloud, at| Ok(aws.list(at, start.as_deref(), page.limit));
        let (secrets, last) = self.send(session, "ListSecrets", Access::Read, read).await?;
        let mut items = Vec::new();
        for (name, secret) in &secrets {
            let wanted = match filter.deleted {
                DeletedSecrets::Exclude => secret.deletion.is_none(),
                DeletedSecrets::Include => true,
                DeletedSecrets::Only => secret.deletion.is_some(),
            };
            if let Some(info) = summary(name, secret)?.filter(|info| wanted && passes(filter, info))
            {
                items.push(info);
            }
        }
        Ok(Page::new(items, last.map(|last| list.token(&last))))
    }

    async fn delete(
        &self,
        session: &Session<'_>,
        place: &Place,
        mode: DeleteMode,
    ) -> Result<Deleted> {
        let window = match mode {
            DeleteMode::Immediate => {
                self.described(session, place).await?;
                self.force(session, place).await?;
                return Ok(Deleted::Gone);
            }
            DeleteMode::Recoverable { window } => window.unwrap_or(self.window),
        };
        let whole_days = window.as_nanos().is_multiple_of(DAY.as_nanos());
        if !whole_days || !(7 * DAY..=30 * DAY).contains(&window) {
            let message = "a deleted secret is kept for 7 to 30 whole days";
            return Err(Error::unsupported(Operation::DeleteSecret, message));
        }
        let delete = |aws: &mut AwsCloud, at| aws.delete(at, &place.main, window);
        let deletion = self.send(session, "DeleteSecret", Access::Write, delete).await?;
        Ok(Deleted::Recoverable(deletion))
    }

    async fn restore(&self, session: &Session<'_>, place: &Place) -> Result<()> {
        if self.described(session, place).await?.deletion.is_none() {
            return Err(not_found("the secret is not deleted"));
        }
        let restore = |aws: &mut AwsCloud, at| aws.restore(at, &place.main);
        Ok(self.send(session, "RestoreSecret", Access::Write, restore).await?)
    }

    async fn purge(&self, session: &Session<'_>, place: &Place) -> Result<()> {
        if self.described(session, place).await?.deletion.is_none() {
            return Err(not_found("the secret is not deleted"));
        }
        self.force(session, place).await
    }

    async fn health(&self, session: &Session<'_>) -> Result<Health> {
        let probe = |aws: &mut AwsCloud, at| Ok(aws.list(at, None, Some(NonZeroU32::MIN)));
        self.send(session, "ListSecrets", Access::Read, probe).await?;
        Ok(Health::healthy())
    }

    fn foreign(&self) -> &dyn Foreign {
        self
    }
}

impl AwsAdapter {
    /// A forced deletion takes effect later: asks until the secret is not described any more.
    async fn force(&self, session: &Session<'_>, place: &Place) -> Result<()> {
        let delete = |aws: &mut AwsCloud, at| aws.force_delete(at, &place.main);
        self.send(session, "DeleteSecret", Access::Write, delete).await?;
        for _ in 0..MAX_WAITS {
            match self.described(session, place).await {
                Err(Failure::Refused(AwsError::ResourceNotFound)) => return Ok(()),
                Err(failure) => return Err(failure.into()),
                Ok(_) => {
                    let message = "the deletion has begun and has not taken effect yet";
                    session.pause(self.force_delay, message).await?;
                }
            }
        }
        Err(Error::new(ErrorKind::Timeout, "a forced deletion does not take effect"))
    }
}

impl Foreign for AwsAdapter {
    fn read(&self, at: Moment, name: &str, version: Option<&str>) -> Result<Secret> {
        let wanted = version.map_or(Wanted::Label(Label::Current), Wanted::Version);
        let (value, described) = self.cloud().get(at, name, wanted).map_err(Refusal::to_error)?;
        secret(value, &described)
    }

    fn write(&self, at: Moment, name: &str, value: SecretValue) -> Result<VersionId> {
        let mut cloud = self.cloud();
        let token = cloud.token();
        let put = cloud.put(at, name, &token, value.clone(), &[Label::Current]);
        let put = match put {
            Err(AwsError::ResourceNotFound) => cloud.create(at, name, &token, value),
            put => put,
        };
        version_id(&put.map_err(Refusal::to_error)?.id)
    }

    fn delete(&self, at: Moment, name: &str) -> Result<()> {
        let deleted = self.cloud().delete(at, name, self.window);
        deleted.map(|_| ()).map_err(Refusal::to_error)
    }

    fn set_state(&self, _: Moment, _: &str, _: &str, _: VersionState) -> Result<()> {
        let message = "versions cannot be disabled or destroyed here";
        Err(Error::unsupported(Operation::SetVersionState, message))
    }

    fn names(&self, at: Moment) -> Vec<String> {
        let (secrets, _) = self.cloud().list(at, None, Some(NonZeroU32::MAX));
        let living = secrets.into_iter().filter(|(_, secret)| secret.deletion.is_none());
        living.map(|(name, _)| name).collect()
    }

    fn create_empty(&self, at: Moment, name: &str) -> Result<()> {
        self.cloud().create_empty(at, name).map_err(Refusal::to_error)
    }

    fn begin_rotation(&self, at: Moment, name: &str) -> Result<VersionId> {
        let id = self.cloud().begin_rotation(at, name).map_err(Refusal::to_error)?;
        version_id(&id)
    }
}

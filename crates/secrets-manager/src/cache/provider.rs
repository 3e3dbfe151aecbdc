//! The cached provider as a provider: reads go through the cache, writes through to it.

use std::collections::{HashMap, HashSet};
use std::iter;
use std::sync::Arc;

use async_trait::async_trait;
use audit_log::EntityActivity;
use futures_util::{StreamExt, stream};
use secrets_core::{
    Capabilities, ChangeHint, ChangeStream, DeleteMode, Deleted, Error, ErrorKind, GetOptions,
    Health, IdempotencyKey, MetadataPatch, NameRules, Operation, Page, PageRequest, Precondition,
    Promoted, ProviderId, Result, Secret, SecretFilter, SecretInfo, SecretProvider, SecretRef,
    SecretValue, SetOptions, Validity, VersionId, VersionInfo, VersionSelector, VersionState,
    WriteStage,
};

use crate::alias::{Aliases, Target};
use crate::audit::WriteRecord;
use crate::audit::words::{activity_of, creation};
use crate::cache::cached::{Asked, CachedProvider};
use crate::cache::inner::{Inner, lost_line};
use crate::cache::line::{Key, may_be_same};
use crate::cache::write::{Change, WriteTicket, of_pending, of_state, of_value};

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl SecretProvider for CachedProvider {
    fn id(&self) -> &ProviderId {
        self.source.provider.id()
    }

    /// Those of the provider underneath, but for consistency: what others write is seen after the
    /// time to live. What is written through this is seen at once.
    fn capabilities(&self) -> &Capabilities {
        &self.source.capabilities
    }

    fn name_rules(&self) -> &NameRules {
        self.source.provider.name_rules()
    }

    /// Reads through the cache; bounds of validity are minded by the manager's clock and policy.
    async fn get_secret(&self, reference: &SecretRef, options: GetOptions) -> Result<Secret> {
        let answer = self.look_up(reference, options).await;
        match &self.source.witness {
            None => answer,
            Some(witness) => witness.read(self.whole(reference), answer).await,
        }
    }

    /// What is in the cache comes from there; the rest is asked for in one call where the provider
    /// has such calls.
    async fn get_secrets(&self, wanted: &[(SecretRef, GetOptions)]) -> Result<Vec<Result<Secret>>> {
        let answers = self.look_up_many(wanted).await;
        let Some(witness) = &self.source.witness else { return answers };
        let references = wanted.iter().map(|(reference, _)| self.whole(reference));
        match answers {
            Ok(answers) => Ok(witness.read_many(references, answers).await),
            Err(error) => {
                let answers = vec![Err(error.clone()); wanted.len()];
                witness.read_many(references, answers).await;
                Err(error)
            }
        }
    }

    async fn set_secret(
        &self,
        reference: &SecretRef,
        value: SecretValue,
        options: SetOptions,
    ) -> Result<VersionInfo> {
        let reference = self.writable(reference, Operation::SetSecret)?;
        let what = (Operation::SetSecret, creation(&options));
        let record = self.write_record(what, reference, None).await?;
        let ticket = WriteTicket::begin(self.inner(), &self.source, reference);
        let (stage, is_plain) = (options.stage, options.metadata.is_empty());
        let call = self.source.provider.set_secret(reference, value.clone(), options);
        let written =
            self.source.route.call(Operation::SetSecret, Some(reference), record.watch(call)).await;
        let is_mixed = ticket.settle(&written, |version| match stage {
            WriteStage::Current => of_value(Secret::new(value, version.clone())),
            WriteStage::Pending if is_plain => of_pending(version),
            // Metadata may be of the secret as a whole.
            WriteStage::Pending => Change::Something,
        });
        record.end(&written, |version| Some(&version.id)).await;
        if is_mixed && written.is_ok() {
            self.see_current(reference).await;
        }
        written
    }

    async fn promote(
        &self,
        reference: &SecretRef,
        pending: &VersionId,
        base: &VersionId,
        token: &IdempotencyKey,
    ) -> Result<Promoted> {
        let reference = self.writable(reference, Operation::Promote)?;
        let what = (Operation::Promote, EntityActivity::Activate);
        let record = self.write_record(what, reference, Some(pending)).await?;
        let ticket = WriteTicket::begin(self.inner(), &self.source, reference);
        let call = self.source.provider.promote(reference, pending, base, token);
        let promoted =
            self.source.route.call(Operation::Promote, Some(reference), record.watch(call)).await;
        ticket.settle(&promoted, |to| Change::Promoted { to: to.clone(), base: base.clone() });
        record.end(&promoted, |promoted| Some(&promoted.current)).await;
        if promoted.is_ok() {
            self.see_current(reference).await;
        }
        promoted
    }

    async fn discard_pending(&self, reference: &SecretRef, pending: &VersionId) -> Result<()> {
        let reference = self.writable(reference, Operation::DiscardPending)?;
        let what = (Operation::DiscardPending, EntityActivity::Delete);
        let record = self.write_record(what, reference, Some(pending)).await?;
        let ticket = WriteTicket::begin(self.inner(), &self.source, reference);
        let call = self.source.provider.discard_pending(reference, pending);
        let discarded = self
            .source
            .route
            .call(Operation::DiscardPending, Some(reference), record.watch(call))
            .await;
        ticket.settle(&discarded, |()| Change::Pending(pending.clone()));
        record.end(&discarded, |()| None).await;
        discarded
    }

    async fn update_metadata(
        &self,
        reference: &SecretRef,
        version: Option<&VersionId>,
        patch: MetadataPatch,
        precondition: Precondition,
    ) -> Result<()> {
        let reference = self.writable(reference, Operation::UpdateMetadata)?;
        let what = (Operation::UpdateMetadata, EntityActivity::Update);
        let record = self.write_record(what, reference, version).await?;
        let ticket = WriteTicket::begin(self.inner(), &self.source, reference);
        let provider = &self.source.provider;
        let call = provider.update_metadata(reference, version, patch, precondition);
        let updated = self
            .source
            .route
            .call(Operation::UpdateMetadata, Some(reference), record.watch(call))
            .await;
        ticket.settle(&updated, |()| Change::Something);
        record.end(&updated, |()| None).await;
        updated
    }

    async fn set_version_state(
        &self,
        reference: &SecretRef,
        version: &VersionId,
        state: VersionState,
    ) -> Result<()> {
        let reference = self.writable(reference, Operation::SetVersionState)?;
        let what = (Operation::SetVersionState, activity_of(state));
        let record = self.write_record(what, reference, Some(version)).await?;
        let ticket = WriteTicket::begin(self.inner(), &self.source, reference);
        let call = self.source.provider.set_version_state(reference, version, state);
        let set = self
            .source
            .route
            .call(Operation::SetVersionState, Some(reference), record.watch(call))
            .await;
        ticket.settle(&set, |()| of_state(version, state));
        record.end(&set, |()| None).await;
        set
    }

    async fn describe_secret(&self, reference: &SecretRef) -> Result<SecretInfo> {
        let call = self.source.provider.describe_secret(self.whole(reference));
        self.source.route.call(Operation::DescribeSecret, Some(self.whole(reference)), call).await
    }

    async fn list_versions(
        &self,
        reference: &SecretRef,
        page: PageRequest,
    ) -> Result<Page<VersionInfo>> {
        let call = self.source.provider.list_versions(self.whole(reference), page);
        self.source.route.call(Operation::ListVersions, Some(self.whole(reference)), call).await
    }

    async fn list_secrets(
        &self,
        filter: &SecretFilter,
        page: PageRequest,
    ) -> Result<Page<SecretInfo>> {
        let call = self.source.provider.list_secrets(filter, page);
        self.source.route.call(Operation::ListSecrets, None, call).await
    }

    async fn delete_secret(&self, reference: &SecretRef, mode: DeleteMode) -> Result<Deleted> {
        let reference = self.writable(reference, Operation::DeleteSecret)?;
        let what = (Operation::DeleteSecret, EntityActivity::Delete);
        let record = self.write_record(what, reference, None).await?;
        let ticket = WriteTicket::begin(self.inner(), &self.source, reference);
        let call = self.source.provider.delete_secret(reference, mode);
        let deleted = self
            .source
            .route
            .call(Operation::DeleteSecret, Some(reference), record.watch(call))
            .await;
        ticket.settle(&deleted, |deleted| match deleted {
            Deleted::Recoverable(_) => Change::Deleted(ErrorKind::PendingDeletion),
            _ => Change::Deleted(ErrorKind::NotFound),
        });
        record.end(&deleted, |_| None).await;
        deleted
    }

    async fn restore_secret(&self, reference: &SecretRef) -> Result<()> {
        let reference = self.writable(reference, Operation::RestoreSecret)?;
        let what = (Operation::RestoreSecret, EntityActivity::Resume);
        let record = self.write_record(what, reference, None).await?;
        let ticket = WriteTicket::begin(self.inner(), &self.source, reference);
        let call = self.source.provider.restore_secret(reference);
        let restored = self
            .source
            .route
            .call(Operation::RestoreSecret, Some(reference), record.watch(call))
            .await;
        ticket.settle(&restored, |()| Change::Reopened);
        record.end(&restored, |()| None).await;
        restored
    }

    async fn purge_secret(&self, reference: &SecretRef) -> Result<()> {
        let reference = self.writable(reference, Operation::PurgeSecret)?;
        let what = (Operation::PurgeSecret, EntityActivity::Delete);
        let record = self.write_record(what, reference, None).await?;
        let ticket = WriteTicket::begin(self.inner(), &self.source, reference);
        let call = self.source.provider.purge_secret(reference);
        let purged = self
            .source
            .route
            .call(Operation::PurgeSecret, Some(reference), record.watch(call))
            .await;
        ticket.settle(&purged, |()| Change::Deleted(ErrorKind::NotFound));
        record.end(&purged, |()| None).await;
        purged
    }

    /// The provider's; a secret that may have changed is named by its aliases as well.
    fn changes(&self) -> Option<ChangeStream> {
        let (hints, inner) = (self.source.provider.changes()?, self.inner());
        if self.source.number != Aliases::SOURCE || inner.setting.aliases.len() == 0 {
            return Some(hints);
        }
        let inner = Arc::downgrade(inner);
        let spread = move |hint: ChangeHint| {
            let aliases = inner.upgrade().map(|inner| aliased(&inner, &hint)).unwrap_or_default();
            stream::iter(iter::once(hint).chain(aliases))
        };
        Some(hints.flat_map(spread).boxed())
    }

    async fn health(&self) -> Result<Health> {
        let call = self.source.provider.health();
        self.source.route.call(Operation::Health, None, call).await
    }
}

/// A hint at what it is about under the names of its aliases.
fn aliased(inner: &Inner, hint: &ChangeHint) -> Vec<ChangeHint> {
    let Some(reference) = &hint.reference else { return Vec::new() };
    let about = |target: &&Arc<Target>| may_be_same(&target.key.reference, reference);
    let targets = inner.setting.aliases.all().filter(about);
    targets.map(|target| ChangeHint::secret(SecretRef::from(&target.alias))).collect()
}

/// Each key once, in the order in which they first come.
fn unique<'a>(keys: impl Iterator<Item = &'a Key>) -> Vec<&'a Key> {
    let mut seen = HashSet::new();
    keys.filter(|key| seen.insert(*key)).collect()
}

impl CachedProvider {
    async fn look_up(&self, reference: &SecretRef, options: GetOptions) -> Result<Secret> {
        let is_plain = options == GetOptions::default();
        if let Some(name) = reference.name().filter(|_| is_plain)
            && let Some(secret) = self.checked_hit(name.as_str())
        {
            return Ok(secret);
        }
        let asked = self.asked(reference, options.version)?;
        let secret = self.inner().read(&asked.key).await?;
        asked.part(self.judge(secret, options.validity)?)
    }

    async fn look_up_many(
        &self,
        wanted: &[(SecretRef, GetOptions)],
    ) -> Result<Vec<Result<Secret>>> {
        let asked: Vec<_> =
            wanted.iter().map(|(r, options)| self.asked(r, options.version.clone())).collect();
        let keys = unique(asked.iter().filter_map(|asked| Some(&asked.as_ref().ok()?.key)));
        let answers = if self.capabilities().batch.is_available() {
            self.read_many(&keys).await?
        } else {
            // As many at a time as there may be refreshes; a caller may ask for thousands.
            let at_a_time = self.inner().setting.terms.policy.concurrent_refreshes.get();
            let reads = keys.iter().map(|key| async move { self.inner().read(key).await });
            let reads: Vec<_> = reads.collect();
            stream::iter(reads).buffered(at_a_time).collect().await
        };
        let answers: HashMap<_, _> = keys.into_iter().zip(answers).collect();
        let answer = |asked: &Result<Asked>, validity| {
            let asked = asked.as_ref().map_err(Error::clone)?;
            let answer = answers.get(&asked.key).cloned().unwrap_or_else(|| Err(lost_line()));
            asked.part(self.judge(answer?, validity)?)
        };
        let questions = asked.iter().zip(wanted);
        Ok(questions.map(|(asked, (_, options))| answer(asked, options.validity)).collect())
    }

    /// A write of which a record is kept, where one is.
    async fn write_record<'a>(
        &'a self,
        what: (Operation, EntityActivity),
        reference: &'a SecretRef,
        version: Option<&'a VersionId>,
    ) -> Result<WriteRecord<'a>> {
        WriteRecord::begin(self.source.witness.as_ref(), what, reference, version).await
    }

    /// The cache holds values whether they are valid or not; each question says what it wants.
    fn judge(&self, secret: Secret, validity: Validity) -> Result<Secret> {
        let refused: Option<Error> = match validity {
            Validity::Enforce => self.inner().setting.rule.refuses_now(&secret.version),
            Validity::Ignore => None,
        };
        refused.map_or(Ok(secret), Err)
    }

    /// Reads what a write made current before the write returns, if anybody has it in the cache; that
    /// it was written stands whether that succeeds or not.
    async fn see_current(&self, reference: &SecretRef) {
        let key = self.key(reference, VersionSelector::Current);
        if self.inner().with(|desk| desk.store.find(&key).is_some()) {
            // The error, if any, is kept with the entry.
            let _ = self.inner().read(&key).await;
        }
    }
}

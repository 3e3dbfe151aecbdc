//! The chain as a provider.

use async_trait::async_trait;
use futures_util::future::join_all;
use futures_util::{StreamExt, future, stream};
use secrets_core::{
    Capabilities, ChangeHint, ChangeStream, DeleteMode, Deleted, Error, GetOptions, Health,
    HealthStatus, IdempotencyKey, MetadataPatch, NameRules, Operation, Page, PageRequest,
    Precondition, Promoted, ProviderId, Result, Secret, SecretFilter, SecretInfo, SecretProvider,
    SecretRef, SecretValue, SetOptions, VersionId, VersionInfo, VersionState,
};

use crate::fallback::{Fallback, OnUnavailable};

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl SecretProvider for Fallback {
    /// Made of those of all providers: another chain never reads what a cache holds of this one.
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// The primary's. A name that another provider cannot express is not found there.
    fn name_rules(&self) -> &NameRules {
        self.members.primary.provider.name_rules()
    }

    async fn get_secret(&self, reference: &SecretRef, options: GetOptions) -> Result<Secret> {
        self.read(reference, &options).await
    }

    /// One batch for each provider; only what is missing goes on to the next. A provider without
    /// batches is asked for 16 at a time.
    async fn get_secrets(&self, wanted: &[(SecretRef, GetOptions)]) -> Result<Vec<Result<Secret>>> {
        self.read_many(wanted).await
    }

    async fn set_secret(
        &self,
        reference: &SecretRef,
        value: SecretValue,
        mut options: SetOptions,
    ) -> Result<VersionInfo> {
        let primary = &self.members.primary;
        options.precondition = self.called(options.precondition);
        let written = primary.provider.set_secret(reference, value, options).await;
        let written = written.map(|version| primary.marked_version(version));
        written.map_err(|error| primary.name(error))
    }

    async fn promote(
        &self,
        reference: &SecretRef,
        pending: &VersionId,
        base: &VersionId,
        token: &IdempotencyKey,
    ) -> Result<Promoted> {
        let primary = &self.members.primary;
        let (pending, base) = (primary.called(pending), primary.called(base));
        let promoted = primary.provider.promote(reference, &pending, &base, token).await;
        let promoted = promoted.map(|mut promoted| {
            promoted.current = primary.marked(promoted.current);
            promoted.previous = promoted.previous.map(|id| primary.marked(id));
            promoted
        });
        promoted.map_err(|error| primary.name(error))
    }

    async fn discard_pending(&self, reference: &SecretRef, pending: &VersionId) -> Result<()> {
        let primary = &self.members.primary;
        let pending = primary.called(pending);
        let discarded = primary.provider.discard_pending(reference, &pending).await;
        discarded.map_err(|error| primary.name(error))
    }

    async fn update_metadata(
        &self,
        reference: &SecretRef,
        version: Option<&VersionId>,
        patch: MetadataPatch,
        precondition: Precondition,
    ) -> Result<()> {
        let primary = &self.members.primary;
        let version = version.map(|version| primary.called(version));
        let precondition = self.called(precondition);
        let call =
            primary.provider.update_metadata(reference, version.as_ref(), patch, precondition);
        let updated = call.await;
        updated.map_err(|error| primary.name(error))
    }

    async fn set_version_state(
        &self,
        reference: &SecretRef,
        version: &VersionId,
        state: VersionState,
    ) -> Result<()> {
        let primary = &self.members.primary;
        let version = primary.called(version);
        let set = primary.provider.set_version_state(reference, &version, state).await;
        set.map_err(|error| primary.name(error))
    }

    /// Of the first provider that has it.
    async fn describe_secret(&self, reference: &SecretRef) -> Result<SecretInfo> {
        self.describe(reference).await
    }

    /// Of the first provider that has the secret.
    async fn list_versions(
        &self,
        reference: &SecretRef,
        page: PageRequest,
    ) -> Result<Page<VersionInfo>> {
        self.versions(reference, page).await
    }

    /// One provider after the other, without what an earlier one has.
    async fn list_secrets(
        &self,
        filter: &SecretFilter,
        page: PageRequest,
    ) -> Result<Page<SecretInfo>> {
        if !self.capabilities.list.is_available() {
            let message = "not every provider of the chain can list";
            return Err(Error::unsupported(Operation::ListSecrets, message));
        }
        self.list(filter, page).await
    }

    async fn delete_secret(&self, reference: &SecretRef, mode: DeleteMode) -> Result<Deleted> {
        let primary = &self.members.primary;
        let deleted = primary.provider.delete_secret(reference, mode).await;
        deleted.map_err(|error| primary.name(error))
    }

    async fn restore_secret(&self, reference: &SecretRef) -> Result<()> {
        let primary = &self.members.primary;
        let restored = primary.provider.restore_secret(reference).await;
        restored.map_err(|error| primary.name(error))
    }

    async fn purge_secret(&self, reference: &SecretRef) -> Result<()> {
        let primary = &self.members.primary;
        let purged = primary.provider.purge_secret(reference).await;
        purged.map_err(|error| primary.name(error))
    }

    /// The hints of all who give any. The stream ends as soon as one of theirs does: who listens
    /// again has not missed what that one had to say.
    fn changes(&self) -> Option<ChangeStream> {
        if !self.capabilities.changes.is_available() {
            return None;
        }
        let mut streams = Vec::new();
        for member in self.members.all() {
            let is_primary = self.members.is_primary(member);
            let Some(hints) = member.provider.changes() else { continue };
            // What is current there may be covered here.
            let primary = member.clone();
            let of_chain = move |mut hint: ChangeHint| {
                let version = hint.version.take().filter(|_| is_primary);
                hint.version = version.map(|version| primary.marked(version));
                Some(hint)
            };
            let with_end = hints.map(of_chain).chain(stream::once(future::ready(None)));
            streams.push(with_end.boxed());
        }
        if streams.is_empty() {
            return None;
        }
        let all = stream::select_all(streams);
        Some(all.take_while(|hint| future::ready(hint.is_some())).filter_map(future::ready).boxed())
    }

    /// Of all, asked at the same time. Healthy if all are; unhealthy or an error if the primary is,
    /// unless reads pass it over; degraded otherwise, with the findings of each under its name.
    async fn health(&self) -> Result<Health> {
        let calls = self.members.all().map(|member| member.provider.health());
        let answers = join_all(calls).await;
        let mut all = Health::healthy();
        for (member, answer) in self.members.all().zip(answers) {
            let is_vital = self.members.is_primary(member)
                && (self.on_unavailable == OnUnavailable::Fail || self.members.others.is_empty());
            let id = member.provider.id();
            let health = match answer {
                Ok(health) => health,
                Err(error) if is_vital => return Err(member.name(error)),
                Err(error) => Health::unhealthy(error.to_string()),
            };
            let status = match health.status {
                HealthStatus::Unhealthy if !is_vital => HealthStatus::Degraded,
                status => status,
            };
            all.status = worse(all.status, status);
            all.findings.extend(health.findings.iter().map(|text| format!("{id}: {text}").into()));
        }
        Ok(all)
    }
}

impl Fallback {
    /// A precondition of a write, in the primary's words.
    fn called(&self, precondition: Precondition) -> Precondition {
        match precondition {
            Precondition::CurrentIs(id) => {
                Precondition::CurrentIs(self.members.primary.called(&id))
            }
            other => other,
        }
    }
}

fn worse(one: HealthStatus, other: HealthStatus) -> HealthStatus {
    use HealthStatus::{Degraded, Healthy, Unhealthy, Unknown};
    let order = [Unhealthy, Degraded, Unknown, Healthy];
    order.into_iter().find(|status| [one, other].contains(status)).unwrap_or(Unknown)
}

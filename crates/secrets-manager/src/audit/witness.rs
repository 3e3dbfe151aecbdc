use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use audit_log::{
    Action, AuditLog, Class, Code, Context, Entity, EntityActivity, Event, Id, OnFailure, Outcome,
};
use futures_util::future::join_all;
use secrets_core::{
    Clock, Error, Operation, ProviderId, Result, Secret, SecretRef, VersionId, VersionSelector,
};
use tokio::time::Instant;

use crate::access::{Dues, Reader};
use crate::audit::error::NotRecorded;
use crate::audit::fetch::Fetch;
use crate::audit::words::{FETCH, HANDLE, LOADS, READ, SECRET, id_of, id_of_text, reason};
use crate::cache::handle::SecretHandle;
use crate::cache::hit::Hit;

/// Records what happens to the secrets of one provider.
pub(crate) struct Witness {
    log: AuditLog,
    clock: Arc<dyn Clock>,
    /// The provider, as it stands in events.
    store: Id,
    /// How long a reader waits for its event to be kept.
    limit: Duration,
    /// What cannot be recorded is refused.
    is_strict: bool,
}

/// What an event is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deed<'a> {
    pub(crate) code: Code,
    pub(crate) activity: EntityActivity,
    pub(crate) reference: &'a SecretRef,
    pub(crate) version: Option<&'a VersionId>,
}

impl Witness {
    pub(crate) fn new(
        log: AuditLog,
        clock: Arc<dyn Clock>,
        provider: &ProviderId,
        limit: Duration,
    ) -> Self {
        let is_strict = log.policy(Class::EntityManagement) == OnFailure::Refuse;
        let store = id_of_text(&provider.to_string());
        Self { log, clock, store, limit, is_strict }
    }

    pub(crate) const fn is_strict(&self) -> bool {
        self.is_strict
    }

    /// An event in the context of the running task.
    pub(crate) fn event(&self, deed: &Deed<'_>, outcome: Outcome) -> Event {
        let entity = Entity::new(SECRET, id_of(deed.reference)).with_store(self.store.clone());
        let entity = match deed.version {
            Some(version) => entity.with_version(id_of_text(version.as_str())),
            None => entity,
        };
        let action = Action::entity(deed.activity, entity);
        Event::new(action, self.clock.now()).with_outcome(outcome).with_code(deed.code)
    }

    /// How many events were lost.
    pub(crate) fn failures(&self) -> u64 {
        self.log.failures()
    }

    /// Takes an event along; the log counts what is lost.
    pub(crate) fn note(&self, event: &Event) {
        let _ = self.log.note(event);
    }

    /// By when a caller gives up on the trail.
    pub(crate) fn patience(&self) -> Instant {
        Instant::now() + self.limit
    }

    /// Records an event; where what cannot be recorded is refused, this returns once it is kept.
    pub(crate) async fn record(&self, event: &Event, by: Instant) -> Result<(), NotRecorded> {
        if !self.is_strict {
            self.note(event);
            return Ok(());
        }
        match tokio::time::timeout_at(by, self.log.record(event)).await {
            Ok(recorded) => recorded.map_err(NotRecorded::failed),
            Err(_) => Err(NotRecorded::late(self.limit)),
        }
    }

    /// A call of the provider that is about to be made, on behalf of whom `context` names.
    pub(crate) fn fetch<'a>(
        &'a self,
        reference: &'a SecretRef,
        selector: &'a VersionSelector,
        context: &Context,
    ) -> Fetch<'a> {
        let version = named_by(selector);
        let deed = Deed { code: FETCH, activity: EntityActivity::Read, reference, version };
        Fetch::new(self, deed, context)
    }

    /// The answer to a reader, once it is recorded.
    pub(crate) async fn read(
        &self,
        reference: &SecretRef,
        answer: Result<Secret>,
    ) -> Result<Secret> {
        let version = answer.as_ref().ok().map(|secret| &secret.version.id);
        let deed = Deed { code: READ, activity: EntityActivity::Read, reference, version };
        let event = self.event(&deed, outcome(answer.as_ref().err()));
        self.admit(&event, answer, Operation::GetSecret).await
    }

    /// The answers to a reader of many.
    pub(crate) async fn read_many<'a>(
        &self,
        references: impl Iterator<Item = &'a SecretRef>,
        answers: Vec<Result<Secret>>,
    ) -> Vec<Result<Secret>> {
        join_all(references.zip(answers).map(|(reference, answer)| self.read(reference, answer)))
            .await
    }

    /// A hit, where it can be given without waiting for its record.
    #[cold]
    pub(crate) fn hit(&self, secret: Id, hit: Hit) -> Option<Hit> {
        if self.is_strict {
            return None;
        }
        let entity = Entity::new(SECRET, secret).with_store(self.store.clone());
        let entity = entity.with_version(id_of_text(hit.secret().version.id.as_str()));
        let action = Action::entity(EntityActivity::Read, entity);
        self.note(&Event::new(action, self.clock.now()).with_code(READ));
        Some(hit)
    }

    /// Loads by handle in sum; false when they could not be recorded.
    pub(crate) fn loads(&self, dues: &Dues) -> bool {
        let version = named_by(&dues.key.selector);
        let (reference, activity) = (&dues.key.reference, EntityActivity::Read);
        let deed = Deed { code: LOADS, activity, reference, version };
        let event = self.event(&deed, Outcome::Success);
        let event = event.with_context(dues.reader.context()).with_aggregate(dues.aggregate);
        self.log.note(&event).is_ok()
    }

    /// A handle, once its issue is recorded.
    pub(crate) async fn issue(
        &self,
        reference: &SecretRef,
        reader: &Reader,
        handle: Result<SecretHandle>,
    ) -> Result<SecretHandle> {
        let version = handle.as_ref().ok().and_then(SecretHandle::secret_version);
        let activity = EntityActivity::Read;
        let version = version.as_ref();
        let deed = Deed { code: HANDLE, activity, reference, version };
        let mut event = self.event(&deed, outcome(handle.as_ref().err()));
        if event.context.actor.is_none() {
            event.context.actor = reader.actor();
        }
        self.admit(&event, handle, Operation::GetSecret).await
    }

    /// What was refused anyway is refused for its own reason.
    async fn admit<T>(&self, event: &Event, answer: Result<T>, what: Operation) -> Result<T> {
        let recorded = self.record(event, self.patience()).await;
        let value = answer?;
        recorded.map_err(|error| error.refuse(what))?;
        Ok(value)
    }
}

fn named_by(selector: &VersionSelector) -> Option<&VersionId> {
    match selector {
        VersionSelector::Id(id) => Some(id),
        _ => None,
    }
}

/// That of a read: one that failed gave nothing.
pub(crate) fn outcome(error: Option<&Error>) -> Outcome {
    error.map_or(Outcome::Success, |error| Outcome::Failure(reason(error.kind())))
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness")
            .field("store", &self.store)
            .field("is_strict", &self.is_strict)
            .finish_non_exhaustive()
    }
}

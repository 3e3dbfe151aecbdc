use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::capability::Capabilities;
use crate::change::ChangeStream;
use crate::codec::NameRules;
use crate::error::{Effect, Error, ErrorKind, Operation, Result, Retry};
use crate::health::Health;
use crate::metadata::{Deleted, MetadataPatch, SecretInfo};
use crate::options::{DeleteMode, GetOptions, IdempotencyKey, Precondition, Promoted, SetOptions};
use crate::page::{Page, PageRequest, SecretFilter};
use crate::provider::{ProviderId, SecretProvider};
use crate::reference::SecretRef;
use crate::value::{Secret, SecretValue};
use crate::version::{VersionId, VersionInfo, VersionState};

use super::canary::Canary;
use super::harness::Harness;

/// How often a throttled call is made again.
const TRIES: u32 = 6;

/// The provider under test, with an eye on everything that it returns. Throttled calls are made
/// again, so that the suite can run against real quotas.
pub(super) struct Observed<'h> {
    inner: Arc<dyn SecretProvider>,
    harness: &'h dyn Harness,
    canary: Canary,
    log: Mutex<Log>,
}

/// What was seen in the answers of one check.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Errors that show a planted secret: which, and where.
    pub(super) leaking_errors: Vec<String>,
    /// Results that show one in their debug form.
    pub(super) leaking_results: Vec<String>,
    /// Errors that name no operation, or another one.
    pub(super) misnamed_errors: Vec<String>,
    /// Refusals before any effect that do not say so.
    pub(super) vague_refusals: Vec<String>,
    /// How many answers were looked at.
    pub(super) answers: usize,
    /// Whether everything was called already to see its answers.
    pub(super) everything_was_called: bool,
}

impl<'h> Observed<'h> {
    pub(super) fn new(
        inner: Arc<dyn SecretProvider>,
        harness: &'h dyn Harness,
        canary: Canary,
    ) -> Self {
        Self { inner, harness, canary, log: Mutex::default() }
    }

    pub(super) fn inner(&self) -> &Arc<dyn SecretProvider> {
        &self.inner
    }

    pub(super) fn canary(&self) -> &Canary {
        &self.canary
    }

    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note<T: fmt::Debug>(&self, operation: Operation, result: &Result<T>) {
        let mut log = self.log();
        log.answers += 1;
        match result {
            Ok(shown) if self.canary.is_in_debug(shown) => {
                log.leaking_results.push(format!("the result of `{}`", operation.as_str()));
            }
            Ok(_) => {}
            Err(error) => self.note_error(&mut log, operation, error),
        }
    }

    fn note_error(&self, log: &mut Log, operation: Operation, error: &Error) {
        let which = format!("`{}` error of `{}`", error.kind().as_str(), operation.as_str());
        if let Some(place) = self.canary.place_in_error(error) {
            log.leaking_errors.push(format!("{which}: {place}"));
        }
        // One answer of a batch may be that of a single read.
        let is_named = match error.operation() {
            Some(Operation::GetSecret) => {
                matches!(operation, Operation::GetSecret | Operation::GetSecrets)
            }
            named => named == Some(operation),
        };
        if !is_named {
            let named = error.operation().map_or("none", Operation::as_str);
            log.misnamed_errors.push(format!("{which} names {named}"));
        }
        let is_early = matches!(
            error.kind(),
            ErrorKind::Unsupported
                | ErrorKind::InvalidName
                | ErrorKind::InvalidValue
                | ErrorKind::TooLarge
        );
        if is_early && error.effect() != Effect::NotApplied {
            log.vague_refusals.push(format!("{which} says {:?}", error.effect()));
        }
    }

    /// Waits before a throttled call is made again; false when it has been tried often enough.
    async fn may_retry<T>(&self, result: &Result<T>, tried: u32) -> bool {
        let Err(error) = result else { return false };
        let is_safe = error.kind() == ErrorKind::Throttled && error.effect() == Effect::NotApplied;
        if !is_safe || tried >= TRIES {
            return false;
        }
        let pause = match error.retry() {
            Retry::After(pause) => pause,
            _ => Duration::from_millis(250 << tried),
        };
        self.harness.sleep(pause).await;
        true
    }
}

/// Shows nothing of the provider: its own debug form is what is being tested.
impl fmt::Debug for Observed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").finish_non_exhaustive()
    }
}

macro_rules! observed {
    ($self:ident, $operation:ident, $call:expr) => {{
        let mut tried = 0;
        loop {
            let result = $call.await;
            $self.note(Operation::$operation, &result);
            tried += 1;
            if !$self.may_retry(&result, tried).await {
                break result;
            }
        }
    }};
}

/// The calls of the contract. Not the trait itself, which wants `'static`.
impl Observed<'_> {
    pub(super) fn id(&self) -> &ProviderId {
        self.inner.id()
    }

    pub(super) fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    pub(super) fn name_rules(&self) -> &NameRules {
        self.inner.name_rules()
    }

    pub(super) async fn get_secret(&self, r: &SecretRef, o: GetOptions) -> Result<Secret> {
        observed!(self, GetSecret, self.inner.get_secret(r, o.clone()))
    }

    pub(super) async fn get_secrets(
        &self,
        wanted: &[(SecretRef, GetOptions)],
    ) -> Result<Vec<Result<Secret>>> {
        let answers = observed!(self, GetSecrets, self.inner.get_secrets(wanted))?;
        for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            self.note_error(&mut self.log(), Operation::GetSecrets, error);
        }
        Ok(answers)
    }

    pub(super) async fn set_secret(
        &self,
        r: &SecretRef,
        value: SecretValue,
        o: SetOptions,
    ) -> Result<VersionInfo> {
        observed!(self, SetSecret, self.inner.set_secret(r, value.clone(), o.clone()))
    }

    pub(super) async fn promote(
        &self,
        r: &SecretRef,
        pending: &VersionId,
        base: &VersionId,
        token: &IdempotencyKey,
    ) -> Result<Promoted> {
        observed!(self, Promote, self.inner.promote(r, pending, base, token))
    }

    pub(super) async fn discard_pending(&self, r: &SecretRef, pending: &VersionId) -> Result<()> {
        observed!(self, DiscardPending, self.inner.discard_pending(r, pending))
    }

    pub(super) async fn update_metadata(
        &self,
        r: &SecretRef,
        version: Option<&VersionId>,
        patch: MetadataPatch,
        precondition: Precondition,
    ) -> Result<()> {
        observed!(
            self,
            UpdateMetadata,
            self.inner.update_metadata(r, version, patch.clone(), precondition.clone())
        )
    }

    pub(super) async fn set_version_state(
        &self,
        r: &SecretRef,
        version: &VersionId,
        state: VersionState,
    ) -> Result<()> {
        observed!(self, SetVersionState, self.inner.set_version_state(r, version, state))
    }

    pub(super) async fn describe_secret(&self, r: &SecretRef) -> Result<SecretInfo> {
        observed!(self, DescribeSecret, self.inner.describe_secret(r))
    }

    pub(super) async fn list_versions(
        &self,
        r: &SecretRef,
        page: PageRequest,
    ) -> Result<Page<VersionInfo>> {
        observed!(self, ListVersions, self.inner.list_versions(r, page.clone()))
    }

    pub(super) async fn list_secrets(
        &self,
        filter: &SecretFilter,
        page: PageRequest,
    ) -> Result<Page<SecretInfo>> {
        observed!(self, ListSecrets, self.inner.list_secrets(filter, page.clone()))
    }

    pub(super) async fn delete_secret(&self, r: &SecretRef, mode: DeleteMode) -> Result<Deleted> {
        observed!(self, DeleteSecret, self.inner.delete_secret(r, mode))
    }

    pub(super) async fn restore_secret(&self, r: &SecretRef) -> Result<()> {
        observed!(self, RestoreSecret, self.inner.restore_secret(r))
    }

    pub(super) async fn purge_secret(&self, r: &SecretRef) -> Result<()> {
        observed!(self, PurgeSecret, self.inner.purge_secret(r))
    }

    pub(super) fn changes(&self) -> Option<ChangeStream> {
        self.inner.changes()
    }

    pub(super) async fn health(&self) -> Result<Health> {
        observed!(self, Health, self.inner.health())
    }
}

use std::future::Future;

use audit_log::{EntityActivity, Event, Outcome};
use secrets_core::{Effect, Error, Operation, RequestIds, Result, SecretRef, VersionId};

use crate::audit::witness::{Deed, Witness};
use crate::audit::words::{CANCELLED, INTENDED, operation, reason, with_requests};

/// A write that is under way. Dropped before its outcome is known it is recorded as given up.
#[must_use = "call `end` with what became of it"]
pub(crate) struct WriteRecord<'a> {
    witness: Option<&'a Witness>,
    deed: Deed<'a>,
    requests: RequestIds,
    /// What is still to be recorded when this is dropped.
    rest: Option<Event>,
}

impl<'a> WriteRecord<'a> {
    /// Records the intent first where what is not recorded must not be done.
    pub(crate) async fn begin(
        witness: Option<&'a Witness>,
        what: (Operation, EntityActivity),
        reference: &'a SecretRef,
        version: Option<&'a VersionId>,
    ) -> Result<Self> {
        let deed = Deed { code: operation(what.0), activity: what.1, reference, version };
        let requests = RequestIds::new();
        let Some(known) = witness else { return Ok(Self { witness, deed, requests, rest: None }) };
        if known.is_strict() {
            let event = known.event(&deed, Outcome::Unknown(INTENDED));
            known.record(&event, known.patience()).await.map_err(|error| error.refuse(what.0))?;
        }
        let rest = Some(known.event(&deed, Outcome::Unknown(CANCELLED)));
        Ok(Self { witness, deed, requests, rest })
    }

    /// Makes the call.
    pub(crate) async fn watch<T>(&self, call: impl Future<Output = T>) -> T {
        match self.witness {
            Some(_) => self.requests.watch(call).await,
            None => call.await,
        }
    }

    /// Records what became of it; `written` gives the version that came of it. The write stands
    /// whether that succeeds or not. Dropped meanwhile, it may be recorded twice.
    pub(crate) async fn end<'r, T>(
        mut self,
        result: &'r Result<T>,
        written: impl FnOnce(&'r T) -> Option<&'r VersionId>,
    ) {
        let Some(witness) = self.witness else { return };
        let version = match result {
            Ok(done) => written(done),
            Err(error) => error.version(),
        };
        let deed = Deed { version: version.or(self.deed.version), ..self.deed };
        let error = result.as_ref().err();
        let event = witness.event(&deed, outcome(error));
        let event = with_requests(event, &self.requests, error);
        let _ = witness.record(self.rest.insert(event), witness.patience()).await;
        self.rest = None;
    }
}

impl Drop for WriteRecord<'_> {
    fn drop(&mut self) {
        if let (Some(witness), Some(event)) = (self.witness, self.rest.take()) {
            witness.note(&event);
        }
    }
}

/// An error that leaves open what happened to the data leaves the outcome open.
fn outcome(error: Option<&Error>) -> Outcome {
    let Some(error) = error else { return Outcome::Success };
    match error.effect() {
        Effect::NotApplied => Outcome::Failure(reason(error.kind())),
        _ => Outcome::Unknown(reason(error.kind())),
    }
}

use std::future::Future;

use audit_log::{Context, Event, Outcome};
use secrets_core::{Operation, RequestIds, Result, Secret};
use tokio::time::Instant;

use crate::audit::witness::{Deed, Witness, outcome};
use crate::audit::words::{CANCELLED, with_requests};

/// A call of the provider that is under way. Dropped before it ended, it is recorded as given up.
pub(crate) struct Fetch<'a> {
    witness: &'a Witness,
    deed: Deed<'a>,
    context: Context,
    requests: RequestIds,
    /// What is still to be recorded when this is dropped.
    rest: Option<Event>,
}

impl<'a> Fetch<'a> {
    pub(crate) fn new(witness: &'a Witness, deed: Deed<'a>, context: &Context) -> Self {
        let (context, requests) = (context.clone(), RequestIds::new());
        let mut fetch = Self { witness, deed, context, requests, rest: None };
        fetch.rest = Some(fetch.event(&deed, Outcome::Unknown(CANCELLED)));
        fetch
    }

    /// With the requests of a call that answers several.
    pub(crate) fn with_requests(mut self, requests: RequestIds) -> Self {
        self.requests = requests;
        self
    }

    /// Makes the call.
    pub(crate) async fn watch<T>(&self, call: impl Future<Output = T>) -> T {
        self.requests.watch(call).await
    }

    /// The answer, once it is recorded: by the deadline where it must be. What cannot be recorded
    /// then is not kept.
    pub(crate) async fn end(mut self, answer: Result<Secret>, by: Instant) -> Result<Secret> {
        let Ok(secret) = &answer else {
            // Nothing came in, so nobody waits.
            let error = answer.as_ref().err();
            let event = self.event(&self.deed, outcome(error));
            let event = with_requests(event, &self.requests, error);
            self.rest = Some(event);
            return answer;
        };
        let deed = Deed { version: Some(&secret.version.id), ..self.deed };
        let event = self.event(&deed, Outcome::Success);
        let event = with_requests(event, &self.requests, None);
        let recorded = self.witness.record(self.rest.insert(event), by).await;
        self.rest = None;
        recorded.map_err(|error| error.refuse(Operation::GetSecret))?;
        answer
    }

    fn event(&self, deed: &Deed<'_>, outcome: Outcome) -> Event {
        self.witness.event(deed, outcome).with_context(self.context.clone())
    }
}

impl Drop for Fetch<'_> {
    fn drop(&mut self) {
        if let Some(event) = self.rest.take() {
            self.witness.note(&event);
        }
    }
}

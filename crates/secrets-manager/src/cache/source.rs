use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use audit_log::Code;
use futures_util::FutureExt;
use futures_util::future::join_all;
use secrets_core::{
    Capabilities, Consistency, Error, ErrorKind, GetOptions, Operation, RequestIds, Result, Secret,
    SecretProvider, SecretRef, VersionSelector, VersionState,
};
use tokio::time::Instant;

use crate::audit::Witness;
use crate::cache::asker::Asker;
use crate::cache::guard;
use crate::cache::index::NameIndex;
use crate::cache::policy::CachePolicy;
use crate::telemetry::{Call, Route};

/// A provider and what belongs to it alone.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) number: usize,
    pub(crate) provider: Arc<dyn SecretProvider>,
    pub(crate) names: NameIndex,
    /// The provider's, with what caching does to them.
    pub(crate) capabilities: Capabilities,
    /// For how long answers may be older than our own writes.
    pub(crate) lag: Duration,
    /// How calls are called in spans and metrics.
    pub(crate) route: Route,
    /// Records who reads and changes what, where that is asked for.
    pub(crate) witness: Option<Witness>,
}

impl Source {
    pub(crate) fn new(
        number: usize,
        provider: Arc<dyn SecretProvider>,
        (policy, aliases): (&CachePolicy, usize),
        manager: Code,
        witness: Option<Witness>,
    ) -> Result<Self> {
        let route = Route::new(manager, provider.id());
        let mut capabilities = provider.capabilities().clone();
        let lag = guard::window(&capabilities);
        let within = guard::delay(&capabilities) + policy.ttl + policy.stale_while_revalidate;
        capabilities.consistency = Consistency::Eventual { within };
        let names = NameIndex::new(policy.max_entries.get().saturating_add(aliases))?;
        Ok(Self { number, provider, names, capabilities, lag, route, witness })
    }

    /// Whether one version can be asked for by its id.
    pub(crate) fn reads_versions(&self) -> bool {
        self.capabilities.versions.is_available()
    }

    /// One call of the provider: it ends in time, does not panic, and answers what was asked.
    pub(crate) async fn read(
        &self,
        reference: &SecretRef,
        selector: &VersionSelector,
        (deadline, asker): (Instant, &Asker),
    ) -> Result<Secret> {
        let fetch = self.witness.as_ref().map(|w| w.fetch(reference, selector, &asker.context()));
        // Bounds of validity are minded above the cache, where time goes on.
        let options = GetOptions::version(selector.clone()).ignore_validity();
        let call = async {
            let call = self.provider.get_secret(reference, options);
            match &fetch {
                Some(fetch) => fetch.watch(call).await,
                None => call.await,
            }
        };
        let call = contained(call, Operation::GetSecret, deadline);
        let about = Some(reference);
        let told = Call::begin(&self.route, Operation::GetSecret, about, Some(asker));
        let answer = told.see_through(call).await;
        let answer = answer.and_then(|secret| check(selector, secret));
        match fetch {
            Some(fetch) => fetch.end(answer, deadline).await,
            None => answer,
        }
    }

    /// Many at once, in the order of the questions, which say [`Validity::Ignore`] as above.
    pub(crate) async fn read_many<'w>(
        &'w self,
        wanted: &'w [(SecretRef, GetOptions)],
        (deadline, asker): (Instant, &Asker),
    ) -> Result<Vec<Result<Secret>>> {
        let told = Call::begin(&self.route, Operation::GetSecrets, None, Some(asker));
        let call = told.see_through(self.call_for_many(wanted, deadline));
        let Some(witness) = &self.witness else { return call.await };
        let context = asker.context();
        let requests = RequestIds::new();
        let fetch = |(reference, options): &'w (SecretRef, GetOptions)| {
            let fetch = witness.fetch(reference, &options.version, &context);
            fetch.with_requests(requests.clone())
        };
        let fetches: Vec<_> = wanted.iter().map(fetch).collect();
        let (answers, failure) = match requests.watch(call).await {
            Ok(answers) => (answers, None),
            Err(error) => (vec![Err(error.clone()); wanted.len()], Some(error)),
        };
        let ends = fetches.into_iter().zip(answers);
        let answers = join_all(ends.map(|(fetch, answer)| fetch.end(answer, deadline))).await;
        failure.map_or(Ok(answers), Err)
    }

    async fn call_for_many(
        &self,
        wanted: &[(SecretRef, GetOptions)],
        deadline: Instant,
    ) -> Result<Vec<Result<Secret>>> {
        let call = async { self.provider.get_secrets(wanted).await };
        let answers = contained(call, Operation::GetSecrets, deadline).await?;
        if answers.len() != wanted.len() {
            let message = "the provider gave another number of answers than was asked for";
            return Err(integrity(message, Operation::GetSecrets));
        }
        let checked = wanted
            .iter()
            .zip(answers)
            .map(|((_, o), answer)| answer.and_then(|secret| check(&o.version, secret)))
            // What is kept of them answers single reads as well.
            .map(|answer| answer.map_err(|error| error.with_operation(Operation::GetSecret)));
        Ok(checked.collect())
    }
}

async fn contained<T>(
    call: impl Future<Output = Result<T>> + Send,
    operation: Operation,
    deadline: Instant,
) -> Result<T> {
    let call = AssertUnwindSafe(call).catch_unwind();
    match tokio::time::timeout_at(deadline, call).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => {
            Err(Error::new(ErrorKind::Internal, "the provider panicked").with_operation(operation))
        }
        Err(_) => Err(late(operation)),
    }
}

pub(crate) fn late(operation: Operation) -> Error {
    Error::new(ErrorKind::Timeout, "the provider did not answer in time").with_operation(operation)
}

/// A provider that answers something else than was asked must not poison the cache.
fn check(selector: &VersionSelector, secret: Secret) -> Result<Secret> {
    if let VersionSelector::Id(asked) = selector
        && secret.version.id != *asked
    {
        let message = "the provider answered with another version than was asked for";
        return Err(integrity(message, Operation::GetSecret));
    }
    if secret.version.state != VersionState::Enabled {
        let message = "the provider answered with a version that cannot be read";
        return Err(integrity(message, Operation::GetSecret));
    }
    Ok(secret)
}

fn integrity(message: &'static str, operation: Operation) -> Error {
    Error::new(ErrorKind::Integrity, message).with_operation(operation)
}

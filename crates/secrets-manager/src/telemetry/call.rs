use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use audit_log::Code;
use secrets_core::{Operation, ProviderId, Result, SecretRef};
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::audit::words::{CANCELLED, id_of, operation, reason};
use crate::cache::asker::Asker;
use crate::telemetry::names::{label, name};

const OK: Code = Code::new("ok");

/// From where calls come and where they go: a provider of a manager, as it stands in labels.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) manager: Code,
    pub(crate) provider: Arc<str>,
}

/// A call of a provider that is under way. Dropped before it ended, it counts as cancelled.
pub(crate) struct Call<'a> {
    route: &'a Route,
    operation: Code,
    /// Taken only when this is dropped.
    span: Option<Span>,
    began: Instant,
    outcome: Code,
}

impl Route {
    pub(crate) fn new(manager: Code, provider: &ProviderId) -> Self {
        Self { manager, provider: provider.kind().into() }
    }

    /// Makes a call, and tells of it.
    pub(crate) async fn call<T>(
        &self,
        what: Operation,
        about: Option<&SecretRef>,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        Call::begin(self, what, about, None).see_through(call).await
    }
}

impl<'a> Call<'a> {
    pub(crate) fn begin(
        route: &'a Route,
        what: Operation,
        about: Option<&SecretRef>,
        asker: Option<&Asker>,
    ) -> Self {
        let what = operation(what);
        // Who reads spans is foreign code: a call is made whether it panics or not.
        let mut span = None;
        contained(|| span = Some(span_of(route, what, about, asker)));
        let call = Self { route, operation: what, span, began: Instant::now(), outcome: CANCELLED };
        contained(|| call.active().increment(1.0));
        call
    }

    pub(crate) async fn see_through<T>(
        mut self,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let span = self.span.clone().unwrap_or_else(Span::none);
        let answer = call.instrument(span).await;
        self.outcome = match &answer {
            Ok(_) => OK,
            Err(error) => reason(error.kind()),
        };
        answer
    }

    fn active(&self) -> metrics::Gauge {
        metrics::gauge!(
            name::CALLS_ACTIVE,
            label::MANAGER => self.route.manager.as_str(),
            label::PROVIDER => Arc::clone(&self.route.provider),
            label::OPERATION => self.operation.as_str(),
        )
    }
}

/// This may be in the course of an unwinding, so a panic in here would end the process.
impl Drop for Call<'_> {
    fn drop(&mut self) {
        contained(|| self.active().decrement(1.0));
        contained(|| {
            let duration = metrics::histogram!(
                name::CALL_DURATION,
                label::MANAGER => self.route.manager.as_str(),
                label::PROVIDER => Arc::clone(&self.route.provider),
                label::OPERATION => self.operation.as_str(),
                label::OUTCOME => self.outcome.as_str(),
            );
            duration.record(self.began.elapsed().as_secs_f64());
        });
        let (span, outcome) = (self.span.take(), self.outcome.as_str());
        contained(|| {
            if let Some(span) = span {
                span.record("outcome", outcome);
            }
        });
    }
}

fn span_of(route: &Route, what: Code, about: Option<&SecretRef>, asker: Option<&Asker>) -> Span {
    let span = tracing::info_span!(
        "secrets.provider.call",
        otel.kind = "client",
        secrets.manager = route.manager.as_str(),
        secrets.provider.kind = &*route.provider,
        secrets.operation = what.as_str(),
        secrets.name = Empty,
        secrets.asker = asker.map(Asker::as_str),
        secrets.attempt = asker.map(|asker| asker.attempt),
        outcome = Empty,
    );
    if let Some(reference) = about.filter(|_| !span.is_disabled()) {
        span.record("secrets.name", id_of(reference).as_str());
    }
    span
}

/// A recorder or subscriber that panics keeps nobody from what is told of.
fn contained(tell: impl FnOnce()) {
    drop(catch_unwind(AssertUnwindSafe(tell)));
}

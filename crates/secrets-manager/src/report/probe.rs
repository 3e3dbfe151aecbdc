use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::join_all;
use secrets_core::{Error, ErrorKind, Health, HealthStatus, Operation, Result};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::cache::inner::Setting;
use crate::cache::source::{Source, late};
use crate::report::health::ProviderHealth;

/// What the providers last said of themselves.
#[derive(Debug, Default)]
pub(crate) struct Probes(Mutex<Option<(Instant, Vec<ProviderHealth>)>>);

impl Probes {
    /// Asks all at the same time, unless they were asked lately. Who asks meanwhile waits for the
    /// same answers.
    pub(crate) async fn ask(&self, setting: &Setting) -> Vec<ProviderHealth> {
        let mut last = self.0.lock().await;
        if let Some((at, answers)) = &*last
            && at.elapsed() < setting.health.probe_ttl
        {
            return answers.clone();
        }
        let answers = join_all(setting.sources.iter().map(|source| ask(source, setting))).await;
        *last = Some((Instant::now(), answers.clone()));
        answers
    }
}

async fn ask(source: &Source, setting: &Setting) -> ProviderHealth {
    let began = Instant::now();
    let call = AssertUnwindSafe(async { source.provider.health().await }).catch_unwind();
    let call = async {
        match timeout(setting.health.timeout, call).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Error::new(ErrorKind::Internal, "the provider panicked")),
            Err(_) => Err(late(Operation::Health)),
        }
    };
    let answer: Result<Health> = source.route.call(Operation::Health, None, call).await;
    let (status, findings, error) = match answer {
        Ok(health) => (health.status, health.findings, None),
        Err(error) => (HealthStatus::Unknown, Vec::new(), Some(error.kind())),
    };
    let id = source.provider.id().clone();
    ProviderHealth { id, status, findings, error, took: began.elapsed() }
}

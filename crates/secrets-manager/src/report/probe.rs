use std::borrow::Cow;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::join_all;
use secrets_core::{Error, ErrorKind, Health, HealthStatus, Operation, Result};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::cache::inner::Setting;
use crate::cache::source::{Source, late};
use crate::report::health::ProviderHealth;

/// So many findings of a provider are shown.
const MOST_FINDINGS: usize = 16;

/// So many characters of each, as they were before they were escaped.
const LONGEST_FINDING: usize = 256;

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
        Ok(health) => (health.status, shown(health.findings), None),
        Err(error) => (HealthStatus::Unknown, Vec::new(), Some(error.kind())),
    };
    let id = source.provider.id().clone();
    ProviderHealth { id, status, findings, error, took: began.elapsed() }
}

/// The provider's own words may quote what it was answered: one line each, and no more than a person
/// reads.
fn shown(findings: Vec<Cow<'static, str>>) -> Vec<Cow<'static, str>> {
    let more = findings.len().saturating_sub(MOST_FINDINGS);
    let mut shown: Vec<_> = findings.into_iter().take(MOST_FINDINGS).map(one_line).collect();
    if more > 0 {
        shown.push(format!("and {more} more").into());
    }
    shown
}

fn one_line(finding: Cow<'static, str>) -> Cow<'static, str> {
    let is_cut = finding.char_indices().nth(LONGEST_FINDING).map(|(at, _)| at);
    let is_odd = |c: char| !c.is_ascii_graphic() && c != ' ' && c.escape_debug().len() > 1;
    if is_cut.is_none() && !finding.contains(is_odd) {
        return finding;
    }
    let mut line = String::new();
    for c in finding.get(..is_cut.unwrap_or(finding.len())).unwrap_or_default().chars() {
        if is_odd(c) {
            line.extend(c.escape_debug());
        } else {
            line.push(c);
        }
    }
    if is_cut.is_some() {
        line.push('…');
    }
    line.into()
}

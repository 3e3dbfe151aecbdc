//! What the suite says of harnesses: missing hooks, time limits, leftovers, credentials.

use std::sync::Arc;
use std::time::Duration;

use secrets_core::conformance::{
    self, Capability, Harness, Hook, MemoryHarness, Outcome, PlainWriter, Report, RunId,
};
use secrets_core::memory::{Fault, FaultRule, Faults, Gate, MemoryProvider, Personality};
use secrets_core::{
    Capabilities, Operation, Result, SecretName, SecretProvider, SecretRef, SecretValue, Support,
    async_trait,
};

use super::reduced::Reduced;

/// The in-memory harness with some hooks taken away, and a limit on the time of a check.
struct Bare {
    inner: MemoryHarness,
    run: RunId,
    waived: Option<(Hook, &'static str)>,
    writer: bool,
    credentials: Vec<SecretValue>,
}

impl Bare {
    fn new(inner: MemoryHarness) -> Self {
        let run = RunId::new("fixed").unwrap();
        Self { inner, run, waived: None, writer: false, credentials: Vec::new() }
    }
}

#[async_trait]
impl Harness for Bare {
    fn provider(&self) -> Arc<dyn SecretProvider> {
        self.inner.provider()
    }

    fn run_id(&self) -> &RunId {
        &self.run
    }

    async fn sleep(&self, time: Duration) {
        self.inner.sleep(time).await;
    }

    async fn time_limit(&self) {
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
    }

    fn plain_writer(&self) -> Option<&dyn PlainWriter> {
        self.writer.then_some(self)
    }

    fn waives(&self, hook: Hook) -> Option<&'static str> {
        self.waived.filter(|(waived, _)| *waived == hook).map(|(_, reason)| reason)
    }

    fn credentials(&self) -> Vec<SecretValue> {
        self.credentials.clone()
    }
}

/// Writes, and takes nothing away.
#[async_trait]
impl PlainWriter for Bare {
    async fn write(&self, native: &str, value: SecretValue) -> Result<()> {
        self.inner.plain_writer().unwrap().write(native, value).await
    }

    async fn remove(&self, _: &str) -> Result<()> {
        Err(secrets_core::Error::unsupported(Operation::DeleteSecret, "it only writes"))
    }
}

fn memory() -> MemoryHarness {
    MemoryHarness::new(MemoryProvider::builder(Personality::Aws)).unwrap()
}

async fn only(harness: &dyn Harness, ids: &[&str]) -> Report {
    let report = conformance::run_only(harness, |check| ids.contains(&check.id)).await;
    assert_eq!(report.results.len(), ids.len());
    report
}

#[tokio::test]
async fn a_check_without_its_hook_is_not_run_and_the_report_is_not_conformant() {
    let mut harness = Bare::new(memory());
    let checks = ["reads.same-bytes", "staging.hidden-outside"];
    let report = only(&harness, &checks).await;
    let missing = Outcome::NotRun { hook: Hook::PlainReader, waived: None };
    assert_eq!(report.outcome("staging.hidden-outside"), Some(&missing));
    assert!(!report.is_conformant());
    let shown = report.into_result().unwrap_err().to_string();
    assert!(shown.contains("not run   staging.hidden-outside: the harness has no `plain_reader`"));
    assert!(shown.contains("1 passed, 0 failed, 1 not run, 0 not applicable"), "{shown}");

    harness.waived = Some((Hook::PlainReader, "the backend has one client"));
    let report = only(&harness, &checks).await.into_result().unwrap();
    assert!(report.to_string().contains("(accepted: the backend has one client)"));
    assert_eq!(report.not_run().count(), 1);
}

#[tokio::test]
async fn a_run_in_which_nothing_passed_is_not_conformant() {
    let report = only(&memory(), &["states.disabled"]).await;
    let because = conformance::Because::NotDeclared(Capability::Disable);
    assert_eq!(report.outcome("states.disabled"), Some(&Outcome::NotApplicable { because }));
    assert!(!report.is_conformant());
}

#[tokio::test]
async fn a_provider_that_hangs_fails_within_the_time_limit_and_the_next_check_runs() {
    let harness = Bare::new(memory());
    let hang = FaultRule::new(Fault::Hang(Gate::new())).on(Operation::Health);
    harness.inner.memory().inject(Faults::none().with(hang)).unwrap();
    let report = only(&harness, &["identity.health", "reads.absent"]).await;
    let (check, failure) = report.failures().next().unwrap();
    assert_eq!((check.id, &*failure.seen), ("identity.health", "it did not end"));
    assert_eq!(report.outcome("reads.absent"), Some(&Outcome::Passed));
}

#[tokio::test]
async fn throttled_calls_are_made_again() {
    let harness = memory();
    let throttle = Fault::Throttled { retry_after: Duration::from_secs(30) };
    let rule = FaultRule::new(throttle).calls(1..=3);
    harness.memory().inject(Faults::none().with(rule)).unwrap();
    only(&harness, &["reads.same-bytes", "promotion.current"]).await.into_result().unwrap();
    assert!(harness.memory().faults_struck() > 6);
}

#[tokio::test]
async fn what_cannot_be_taken_away_is_told() {
    let read_only = |c: &mut Capabilities| *c = Capabilities::read_only(c.consistency, c.limits);
    let inner = memory().wrap(|provider| Arc::new(Reduced::new(provider, read_only)));
    let mut harness = Bare::new(inner);
    harness.writer = true;
    let report = only(&harness, &["reads.same-bytes"]).await.into_result().unwrap();
    let left: Vec<_> = report.leftovers.iter().map(ToString::to_string).collect();
    assert_eq!(left.len(), 1);
    assert!(left[0].starts_with("conformance/fixed/c"), "{left:?}");
    assert!(report.to_string().contains(&format!("left over `{}`", left[0])));
}

#[tokio::test]
async fn nothing_is_left_on_a_shared_account_and_what_was_there_stays() {
    for personality in Personality::ALL {
        let harness = MemoryHarness::new(MemoryProvider::builder(personality)).unwrap();
        let theirs = SecretRef::from(SecretName::new("theirs").unwrap());
        let outside = harness.memory().outside();
        outside.write(&theirs, SecretValue::copy_from_slice(b"theirs")).unwrap();
        let report = conformance::run(&harness).await.into_result().unwrap();
        assert_eq!(report.leftovers, []);
        assert_eq!(outside.names(), ["theirs"], "{personality:?}");
        assert_eq!(outside.read(&theirs).unwrap().value.expose_secret(), b"theirs");
    }
}

#[tokio::test]
async fn a_providers_own_credentials_must_not_show() {
    let mut harness = Bare::new(memory());
    harness.credentials = vec![SecretValue::copy_from_slice(b"MemoryProvider")];
    let report = only(&harness, &["leaks.provider"]).await;
    assert_eq!(report.count("failed"), 1, "the debug form holds the type's name: {report}");
}

#[tokio::test]
async fn a_wrapper_is_what_is_tested() {
    let harness = memory().wrap(|provider| {
        Arc::new(Reduced::new(provider, |c: &mut Capabilities| c.list = Support::No))
    });
    let report = only(&harness, &["refusals.list", "reads.same-bytes"]).await;
    assert_eq!(report.count("passed"), 2, "{report}");
}

#[tokio::test]
async fn a_run_can_be_a_task_of_its_own() {
    let run = tokio::spawn(async { conformance::run(&memory()).await.is_conformant() });
    assert!(run.await.unwrap());
}

#[test]
fn a_run_id_makes_names() {
    assert_ne!(RunId::random(), RunId::random());
    assert_eq!(RunId::random().as_str().len(), 12);
    for id in ["", "A", "a-b", "a/b", &"x".repeat(25)] {
        assert!(RunId::new(id).is_err(), "{id}");
    }
}

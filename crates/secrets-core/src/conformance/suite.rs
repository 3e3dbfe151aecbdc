use std::pin::Pin;

use crate::error::{ErrorKind, Result};
use crate::options::DeleteMode;
use crate::reference::SecretRef;
use crate::version::VersionSelector;

use super::canary::Canary;
use super::check::{Because, Capability, Check, Need, Stop, Verdict};
use super::context::{Cx, SecretItem};
use super::harness::{Harness, Hook};
use super::join;
use super::observe::Observed;
use super::report::{Outcome, Report};

/// The tables of all modules, in the order in which they run: what leaks is looked at last.
const MODULES: &[&[SecretItem]] = &[
    super::identity::CHECKS,
    super::reads::CHECKS,
    super::values::CHECKS,
    super::names::CHECKS,
    super::versions::CHECKS,
    super::staging::CHECKS,
    super::promotion::CHECKS,
    super::tokens::CHECKS,
    super::preconditions::CHECKS,
    super::writers::CHECKS,
    super::metadata::CHECKS,
    super::validity::CHECKS,
    super::listing::CHECKS,
    super::deletion::CHECKS,
    super::recovery::CHECKS,
    super::states::CHECKS,
    super::batch::CHECKS,
    super::hints::CHECKS,
    super::dropping::CHECKS,
    super::refusals::CHECKS,
    super::leaks::CHECKS,
];

/// Every check of the suite, whether it applies to a provider or not.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    items().map(|item| &item.check)
}

fn items() -> impl Iterator<Item = &'static SecretItem> {
    MODULES.iter().copied().flatten()
}

/// Runs the whole suite.
pub async fn run(harness: &dyn Harness) -> Report {
    run_only(harness, |_| true).await
}

/// Runs the checks that are picked, to work on one fault. The report holds these only.
pub async fn run_only(harness: &dyn Harness, pick: impl Fn(&Check) -> bool) -> Report {
    run_picked(harness, items().enumerate().filter(|(_, item)| pick(&item.check)).collect()).await
}

/// Runs the whole suite on several harnesses at once, each check on one of them: where a backend's changes show late,
/// most of a run is waiting. Every harness needs a backend of its own, and all of them alike. What leaks is looked at in
/// the answers of each; one report tells it all. All of it runs on the task that polls.
pub async fn run_side_by_side(harnesses: &[&dyn Harness]) -> Report {
    let (of, alone) = (harnesses.len(), items().count() - super::leaks::CHECKS.len());
    let shares = harnesses.iter().enumerate().map(|(at, harness)| {
        let is_its = |(number, _): &(usize, _)| *number >= alone || number % of == at;
        let picked = items().enumerate().filter(is_its).collect();
        Box::pin(run_picked(*harness, picked)) as Pin<Box<dyn Future<Output = Report> + Send + '_>>
    });
    merged(join::all(shares.collect()).await)
}

/// Of a check that ran on several the failure counts.
fn merged(shares: Vec<Report>) -> Report {
    let provider = shares.first().map(|share| share.provider.clone()).unwrap_or_default();
    let mut report = Report::new(provider);
    for check in checks() {
        let outcomes = || shares.iter().filter_map(|share| share.outcome(check.id));
        let failed = outcomes().find(|outcome| matches!(outcome, Outcome::Failed(_)));
        if let Some(outcome) = failed.or_else(|| outcomes().next()) {
            report.add(*check, outcome.clone());
        }
    }
    report.leftovers = shares.into_iter().flat_map(|share| share.leftovers).collect();
    report
}

async fn run_picked(harness: &dyn Harness, picked: Vec<(usize, &'static SecretItem)>) -> Report {
    let provider = harness.provider();
    let mut canary = Canary::new(harness.run_id().as_str());
    for credential in harness.credentials() {
        canary.watch(credential.expose_secret());
    }
    let observed = Observed::new(provider, harness, canary);
    let mut report = Report::new(observed.id().to_string());
    for (number, item) in picked {
        let cx = Cx::new(harness, &observed, number);
        let verdict = run_item(&cx, item).await;
        report.add(item.check, outcome(&cx, verdict));
        report.leftovers.extend(clean_up(&cx).await);
    }
    report
}

async fn run_item(cx: &Cx<'_>, item: &SecretItem) -> Verdict {
    for need in item.needs {
        meets(cx, *need)?;
    }
    let limit = cx.harness.time_limit();
    join::before((item.run)(cx), limit).await.unwrap_or_else(|| {
        let expected = "the check ends within the time limit of the harness";
        Err(Stop::failed("run the check", expected, "it did not end"))
    })
}

fn meets(cx: &Cx<'_>, need: Need) -> Verdict {
    match need {
        Need::Has(capability) if !cx.has(capability) => {
            Err(Stop::NotApplicable(Because::NotDeclared(capability)))
        }
        Need::Lacks(capability) if cx.has(capability) => {
            Err(Stop::NotApplicable(Because::Declared(capability)))
        }
        Need::Hook(hook) if !is_there(cx.harness, hook) => Err(Stop::NotRun(hook)),
        Need::Seed if !cx.has(Capability::Write) => meets(cx, Need::Hook(Hook::PlainWriter)),
        _ => Ok(()),
    }
}

fn is_there(harness: &dyn Harness, hook: Hook) -> bool {
    match hook {
        Hook::PlainReader => harness.plain_reader().is_some(),
        Hook::PlainWriter => harness.plain_writer().is_some(),
        Hook::Clock => harness.clock().is_some(),
        // No check of secrets needs one.
        Hook::KeyRotator => false,
    }
}

fn outcome(cx: &Cx<'_>, verdict: Verdict) -> Outcome {
    match verdict {
        Ok(()) => Outcome::Passed,
        Err(Stop::Failed(failure)) => {
            Outcome::Failed(failure.without_secrets(|text| cx.provider.canary().is_in(text)))
        }
        Err(Stop::NotApplicable(because)) => Outcome::NotApplicable { because },
        Err(Stop::NotRun(hook)) => Outcome::NotRun { hook, waived: cx.harness.waives(hook) },
    }
}

/// Takes away what the check wrote, as well as the provider can; what stays is returned.
async fn clean_up(cx: &Cx<'_>) -> Vec<SecretRef> {
    let mut leftovers = Vec::new();
    for entry in cx.touched() {
        let limit = cx.harness.time_limit();
        if join::before(is_taken_away(cx, &entry), limit).await != Some(true) {
            leftovers.push(entry);
        }
    }
    leftovers
}

async fn is_taken_away(cx: &Cx<'_>, entry: &SecretRef) -> bool {
    let provider = cx.provider.inner();
    if cx.has(Capability::Delete) {
        match provider.delete_secret(entry, DeleteMode::Immediate).await {
            Err(error) if error.kind() == ErrorKind::PendingDeletion => {}
            deleted => return is_gone(deleted),
        }
    }
    if cx.has(Capability::Recover) {
        let mode = DeleteMode::Recoverable { window: None };
        let deleted = provider.delete_secret(entry, mode).await;
        return is_gone(provider.purge_secret(entry).await) || is_gone(deleted);
    }
    match (cx.harness.plain_writer(), cx.native(entry)) {
        (Some(writer), Ok(native)) => writer.remove(&native).await.is_ok(),
        _ => !cx.has(Capability::Write) || is_gone(cx.get(entry, VersionSelector::Current).await),
    }
}

fn is_gone<T>(outcome: Result<T>) -> bool {
    match outcome {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

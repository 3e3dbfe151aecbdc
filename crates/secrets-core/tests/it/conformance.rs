//! The suite over the in-memory provider, and over broken ones.

mod broken;
mod defects;
mod harnesses;
mod keys;
mod reduced;
mod signers;

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use secrets_core::conformance::{self, MemoryHarness, Outcome, Report};
use secrets_core::memory::{MemoryBuilder, MemoryProvider, Personality};
use secrets_core::{Capabilities, Cas, CasSupport, Staging, Support};

use reduced::Reduced;

async fn report(builder: MemoryBuilder) -> Report {
    let harness = MemoryHarness::new(builder).unwrap();
    let report = conformance::run(&harness).await.into_result().unwrap();
    assert_eq!(report.leftovers, [], "{report}");
    report
}

#[tokio::test]
async fn every_personality_conforms() {
    for personality in Personality::ALL {
        report(MemoryProvider::builder(personality)).await;
    }
}

#[tokio::test]
async fn every_personality_conforms_when_reads_lag_and_deletion_takes_time() {
    for personality in [Personality::Aws, Personality::Azure] {
        let seconds = Duration::from_secs;
        let builder = MemoryProvider::builder(personality)
            .declared_delay(seconds(20))
            .propagation(seconds(3))
            .deleting_for(seconds(6))
            .recovering_for(seconds(4))
            .page_size(NonZeroU32::new(2).unwrap());
        report(builder).await;
    }
}

/// Sound providers that have less and less; the last one reads and does nothing else.
fn reductions() -> [fn(&mut Capabilities); 4] {
    [
        |c| {
            c.staging = Staging::No;
            c.cas = CasSupport::new(Cas::No, Cas::No, c.cas.metadata);
            c.previous = Support::No;
        },
        |c| {
            c.idempotency = Support::No;
            c.tags = Support::No;
            c.describe = Support::No;
        },
        |c| {
            c.versions = Support::No;
            c.delete = Support::No;
            c.list = Support::No;
        },
        |c| *c = Capabilities::read_only(c.consistency, c.limits),
    ]
}

#[tokio::test]
async fn providers_that_have_less_conform_and_every_check_passes_somewhere() {
    let mut checks: BTreeSet<_> = conformance::checks().map(|check| check.id).collect();
    let mut note = |report: Report| {
        for result in report.results.iter().filter(|result| result.outcome == Outcome::Passed) {
            checks.remove(result.check.id);
        }
    };
    for personality in Personality::ALL {
        note(report(MemoryProvider::builder(personality).announce_changes()).await);
        note(report(MemoryProvider::builder(personality)).await);
    }
    let harness = MemoryHarness::new(MemoryProvider::builder(Personality::Aws)).unwrap();
    let harness = harness
        .without_foreign()
        .wrap(|provider| Arc::new(Reduced::new(provider, |_| {}).names_only()));
    note(conformance::run(&harness).await.into_result().unwrap());
    for reduce in reductions() {
        let harness = MemoryHarness::new(MemoryProvider::builder(Personality::Aws)).unwrap();
        let harness = harness.wrap(|provider| Arc::new(Reduced::new(provider, reduce)));
        note(conformance::run(&harness).await.into_result().unwrap());
    }
    assert!(checks.is_empty(), "on no sound provider these checks pass: {checks:?}");
}

#[tokio::test]
async fn every_defect_is_found_by_the_checks_that_are_for_it() {
    let mut missed = Vec::new();
    for defect in defects::all() {
        let (name, fails) = (defect.name, defect.fails);
        let mut harness = MemoryHarness::new(defect.builder()).unwrap();
        if fails.contains(&"listing.no-foreign") {
            harness = harness.without_foreign();
        }
        let harness = harness.wrap(|provider| defect.plant(provider));
        let report = conformance::run_only(&harness, |check| fails.contains(&check.id)).await;
        for check in fails {
            match report.outcome(check) {
                Some(Outcome::Failed(_)) => {}
                other => missed.push(format!("{name}: {check} is {other:?}")),
            }
        }
        assert!(!report.to_string().contains("c4nary"), "a value is in the report of: {name}");
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// Each check is in the report once, as if it had run on one harness.
#[tokio::test]
async fn side_by_side_the_same_comes_out() {
    let builder = || MemoryProvider::builder(Personality::Aws).announce_changes();
    let alone = report(builder()).await;
    let harnesses: Vec<_> = (0..3).map(|_| MemoryHarness::new(builder()).unwrap()).collect();
    let all: Vec<&dyn conformance::Harness> = harnesses.iter().map(|one| one as _).collect();
    let together = conformance::run_side_by_side(&all).await;
    assert_eq!((together.results, together.leftovers), (alone.results, Vec::new()));
    assert!(!conformance::run_side_by_side(&[]).await.is_conformant());
}

/// Whichever of the harnesses ran into it, and what leaks also where only one answered so.
#[tokio::test]
async fn side_by_side_defects_are_found_all_the_same() {
    let mut missed = Vec::new();
    for defect in defects::all() {
        let (name, fails) = (defect.name, defect.fails);
        if !fails.iter().all(|check| check.starts_with("leaks.") || check.starts_with("errors.")) {
            continue;
        }
        let sound = MemoryHarness::new(defect.builder()).unwrap();
        let broken = MemoryHarness::new(defect.builder()).unwrap();
        let broken = broken.wrap(|provider| defect.plant(provider));
        let report = conformance::run_side_by_side(&[&sound, &broken]).await;
        for check in fails {
            match report.outcome(check) {
                Some(Outcome::Failed(_)) => {}
                other => missed.push(format!("{name}: {check} is {other:?}")),
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn every_check_has_a_defect() {
    let checks: BTreeSet<_> = conformance::checks().map(|check| check.id).collect();
    let found: BTreeSet<_> =
        defects::all().iter().flat_map(|defect| defect.fails).copied().collect();
    let without: Vec<_> = checks.difference(&found).collect();
    let unknown: Vec<_> = found.difference(&checks).collect();
    assert!(without.is_empty(), "no defect fails {without:?}");
    assert!(unknown.is_empty(), "there is no check {unknown:?}");
}

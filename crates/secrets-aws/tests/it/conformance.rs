//! The conformance suite of the contract.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use secrets_core::conformance;

use super::support::{OnDouble, OnMoto, conformance_of};

/// Where moto is not like AWS: the check, and what moto does.
const FAULTS_OF_MOTO: [(&str, &str); 5] = [
    ("versions.pages", "`ListSecretVersionIds` ignores `MaxResults`"),
    (
        "versions.absent",
        "`ListSecretVersionIds` of an absent secret is HTTP 500 with a page of HTML",
    ),
    (
        "promotion.late",
        "a put after `UpdateSecretVersionStage` leaves `AWSCURRENT` on two versions",
    ),
    ("metadata.description", "`UpdateSecret` with an empty description changes nothing"),
    ("recovery.no-writes", "`PutSecretValue` to a secret that is scheduled for deletion succeeds"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_provider_conforms_on_moto_but_for_what_moto_gets_wrong() {
    let on = OnMoto::start().await;
    let report = conformance::run(&on.harness()).await;
    let known: BTreeMap<_, _> = FAULTS_OF_MOTO.into_iter().collect();
    let failed: Vec<_> = report.failures().map(|(check, _)| check.id).collect();
    let expected = failed.iter().filter(|id| known.contains_key(*id)).count();
    assert!(failed.len() == known.len() && expected == known.len(), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_provider_conforms_on_the_double_with_its_delays() {
    let doubles = join_all((0..6).map(|_| OnDouble::start())).await;
    let report = conformance_of(&doubles).await;
    assert_eq!(report.results.len(), conformance::checks().count());
    assert!(report.is_conformant(), "{report}");
}

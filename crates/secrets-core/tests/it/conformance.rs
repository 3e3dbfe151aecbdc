//! The suite over the in-memory provider.

use std::num::NonZeroU32;
use std::time::Duration;

use secrets_core::conformance::{self, MemoryHarness, Report};
use secrets_core::memory::{MemoryBuilder, MemoryProvider, Personality};

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

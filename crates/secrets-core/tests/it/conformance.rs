//! The suite over the in-memory provider.

use secrets_core::conformance::{self, MemoryHarness};
use secrets_core::memory::{MemoryProvider, Personality};

#[tokio::test]
async fn every_personality_conforms() {
    for personality in [Personality::Aws] {
        let harness = MemoryHarness::new(MemoryProvider::builder(personality)).unwrap();
        let report = conformance::run(&harness).await;
        println!("{report}");
        report.into_result().unwrap();
    }
}

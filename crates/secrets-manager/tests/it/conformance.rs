//! What wraps a provider is one: the suite of the contract, on all personalities.

use std::sync::Arc;
use std::time::Duration;

use secrets_core::conformance::{
    self, ClockHand, Harness, Hook, MemoryHarness, PlainReader, PlainWriter, RunId, ValueClass,
};
use secrets_core::memory::{MemoryProvider, Personality};
use secrets_core::{
    Capabilities, InvalidName, SecretName, SecretProvider, SecretValue, async_trait,
};
use secrets_manager::{CachePolicy, EnforceValidity, SecretManager, Upkeep, ValidityPolicy};

use crate::support::{Running, millis, policy, secs};

/// The harness of the in-memory provider, where waiting moves tokio's clock too.
struct Paused(MemoryHarness);

impl Paused {
    fn new(personality: Personality) -> Self {
        let builder = MemoryProvider::builder(personality).announce_changes();
        Self(MemoryHarness::new(builder).unwrap())
    }

    fn wrap(self, wrap: impl FnOnce(Arc<dyn SecretProvider>) -> Arc<dyn SecretProvider>) -> Self {
        Self(self.0.wrap(wrap))
    }
}

#[async_trait]
impl Harness for Paused {
    fn provider(&self) -> Arc<dyn SecretProvider> {
        self.0.provider()
    }

    fn run_id(&self) -> &RunId {
        self.0.run_id()
    }

    async fn sleep(&self, time: Duration) {
        self.0.sleep(time).await;
        tokio::time::sleep(time).await;
    }

    async fn time_limit(&self) {
        tokio::time::sleep(secs(24 * 60 * 60)).await;
    }

    fn patience(&self, capabilities: &Capabilities) -> Duration {
        self.0.patience(capabilities)
    }

    fn lateness(&self, capabilities: &Capabilities) -> Duration {
        self.0.lateness(capabilities)
    }

    fn name(&self, label: &str) -> Result<SecretName, InvalidName> {
        self.0.name(label)
    }

    fn plain_reader(&self) -> Option<&dyn PlainReader> {
        self.0.plain_reader()
    }

    fn plain_writer(&self) -> Option<&dyn PlainWriter> {
        self.0.plain_writer()
    }

    fn clock(&self) -> Option<&dyn ClockHand> {
        self.0.clock()
    }

    fn takes(&self, class: ValueClass) -> bool {
        self.0.takes(class)
    }

    fn largest_value(&self) -> usize {
        self.0.largest_value()
    }

    fn credentials(&self) -> Vec<SecretValue> {
        self.0.credentials()
    }

    fn waives(&self, hook: Hook) -> Option<&'static str> {
        self.0.waives(hook)
    }
}

async fn conforms(harness: &Paused) {
    let report = conformance::run(harness).await;
    assert!(report.leftovers.is_empty(), "{report}");
    if let Err(error) = report.into_result() {
        panic!("{error}");
    }
}

fn manager(harness: &Paused, policy: CachePolicy) -> SecretManager {
    let clock = Arc::new(harness.0.manual_clock().clone());
    SecretManager::builder(harness.0.provider()).clock(clock).policy(policy).build().unwrap()
}

/// The cache keeps what it is given for as long as it may; nobody refreshes.
#[tokio::test(start_paused = true)]
async fn the_cache_conforms_without_a_run_future() {
    for personality in Personality::ALL {
        let harness = Paused::new(personality);
        let manager = manager(&harness, policy());
        conforms(&harness.wrap(|_| Arc::new(manager.cached().clone()))).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_cache_conforms_under_a_run_future() {
    for personality in Personality::ALL {
        for upkeep in [Upkeep::Held, Upkeep::All] {
            let harness = Paused::new(personality);
            let manager = manager(&harness, policy().with_upkeep(upkeep));
            let _running = Running::start(&manager).await;
            conforms(&harness.wrap(|_| Arc::new(manager.cached().clone()))).await;
        }
    }
}

/// A cache that is too small for anything, and one that is always late.
#[tokio::test(start_paused = true)]
async fn the_cache_conforms_at_its_bounds() {
    for personality in Personality::ALL {
        let one = 1.try_into().unwrap();
        let policy = policy().with_max_entries(one).with_max_absent(one).with_ttl(millis(1));
        let harness = Paused::new(personality);
        let manager = manager(&harness, policy);
        let _running = Running::start(&manager).await;
        conforms(&harness.wrap(|_| Arc::new(manager.cached().clone()))).await;
    }
}

#[tokio::test(start_paused = true)]
async fn validity_over_a_provider_and_over_a_cache_conforms() {
    for personality in Personality::ALL {
        let harness = Paused::new(personality);
        let clock = Arc::new(harness.0.manual_clock().clone());
        let enforced = |provider| {
            Arc::new(EnforceValidity::new(provider, clock, ValidityPolicy::Deny)) as Arc<_>
        };
        conforms(&harness.wrap(enforced)).await;

        let harness = Paused::new(personality);
        let clock = Arc::new(harness.0.manual_clock().clone());
        let manager = manager(&harness, policy());
        let cached = manager.cached().clone();
        let enforced = EnforceValidity::new(cached, clock, ValidityPolicy::Deny);
        conforms(&harness.wrap(|_| Arc::new(enforced))).await;
    }
}

//! What wraps a provider is one: the suite of the contract, on all personalities.

use std::sync::Arc;
use std::time::Duration;

use secrets_core::conformance::{
    self, ClockHand, Harness, Hook, MemoryHarness, PlainReader, PlainWriter, RunId, ValueClass,
};
use secrets_core::memory::{MemoryProvider, Personality};
use secrets_core::{
    Capabilities, InvalidName, NameRules, SecretName, SecretProvider, SecretValue, Staging,
    async_trait,
};
use secrets_manager::{
    Alias, CachePolicy, EnforceValidity, Fallback, OnUnavailable, SecretManager, Upkeep,
    ValidityPolicy,
};

use crate::shelf::{Entry, Shelf};
use crate::support::{Running, millis, policy, secs};

/// The harness of the in-memory provider, where waiting moves tokio's clock too.
pub(crate) struct Paused(pub(crate) MemoryHarness, Hand);

/// What a foreign client can write.
#[derive(Clone, Copy, PartialEq)]
enum Hand {
    /// Whatever the provider can, or it is not asked to.
    Any,
    /// Text, as Azure's clients: binary values are the provider's own encoding there.
    Text,
}

impl Paused {
    pub(crate) fn new(personality: Personality) -> Self {
        let builder = MemoryProvider::builder(personality).announce_changes();
        Self(MemoryHarness::new(builder).unwrap(), Hand::Any)
    }

    pub(crate) fn wrap(
        self,
        wrap: impl FnOnce(Arc<dyn SecretProvider>) -> Arc<dyn SecretProvider>,
    ) -> Self {
        Self(self.0.wrap(wrap), self.1)
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
        let is_text = class != ValueClass::NotUtf8;
        self.0.takes(class) && (is_text || self.1 == Hand::Any)
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

pub(crate) async fn conforms(harness: &Paused) {
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

/// Recorded, failing open and closed; and none of the credentials of the suite is in a record.
#[tokio::test(start_paused = true)]
async fn a_cache_that_is_recorded_conforms() {
    for personality in Personality::ALL {
        for (sink, log) in [crate::audit::open(), crate::audit::closed()] {
            let harness = Paused::new(personality);
            let clock = Arc::new(harness.0.manual_clock().clone());
            let builder = SecretManager::builder(harness.0.provider()).clock(clock);
            let manager = builder.policy(policy()).audit(log).build().unwrap();
            let _running = Running::start(&manager).await;
            let harness = harness.wrap(|_| Arc::new(manager.cached().clone()));
            conforms(&harness).await;
            let events = sink.take();
            assert!(events.len() > 200, "{} events", events.len());
            let events = format!("{events:?}");
            for credential in harness.credentials() {
                assert!(!events.contains(credential.expose_secret_text().unwrap()));
            }
        }
    }
}

/// Names that the suite does not use, of secrets that it does not know.
#[tokio::test(start_paused = true)]
async fn a_cache_with_aliases_conforms() {
    for personality in Personality::ALL {
        let harness = Paused::new(personality);
        let clock = Arc::new(harness.0.manual_clock().clone());
        let mut builder = SecretManager::builder(harness.0.provider()).clock(clock);
        let target = SecretName::new("somebody/else").unwrap();
        for (alias, field) in [("conformance/alias", "a"), ("alias", "b"), ("another/alias", "c")] {
            let alias = SecretName::new(alias).unwrap();
            builder = builder.alias(alias, Alias::new(&target).with_field(field));
        }
        let manager = builder.policy(policy()).build().unwrap();
        let _running = Running::start(&manager).await;
        conforms(&harness.wrap(|_| Arc::new(manager.cached().clone()))).await;
    }
}

/// Another store, of the next personality, that lives by the same clock.
pub(crate) fn another(harness: &Paused, personality: Personality) -> MemoryProvider {
    let next = match personality {
        Personality::Aws => Personality::Azure,
        Personality::Azure => Personality::Google,
        _ => Personality::Aws,
    };
    let clock = Arc::new(harness.0.manual_clock().clone());
    let builder = MemoryProvider::builder(next).scope("another").announce_changes();
    builder.clock(clock.clone()).sleeper(clock).build().unwrap()
}

/// A store that only reads, with secrets of other names.
fn readable(plain: bool) -> Shelf {
    let shelf = if plain { Shelf::plain("readable") } else { Shelf::new("readable") };
    shelf.with("other/one", Entry::current("v1")).with("conformance/other", Entry::current("v1"))
}

/// One that takes the names of an environment: in capitals, and short.
fn environment() -> Shelf {
    let allowed = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    let rules = NameRules::new(allowed, b'_', 48).upper_case();
    Shelf::plain("environment").named_by(rules).with("db", Entry::current("v1"))
}

#[tokio::test(start_paused = true)]
async fn chains_conform_whatever_comes_second() {
    for personality in Personality::ALL {
        for second in 0..5 {
            let harness = Paused::new(personality);
            let setting = if second == 0 { OnUnavailable::Fall } else { OnUnavailable::Fail };
            let second: Arc<dyn SecretProvider> = match second {
                0 | 1 => Arc::new(another(&harness, personality)),
                2 => Arc::new(readable(true)),
                3 => Arc::new(readable(false)),
                _ => Arc::new(environment()),
            };
            let chain = |first| Fallback::new(first).then(second).on_unavailable(setting);
            conforms(&harness.wrap(|first| Arc::new(chain(first)))).await;
        }
    }
}

/// All reads fall through a store that has nothing; writes are refused.
#[tokio::test(start_paused = true)]
async fn chains_conform_behind_a_read_only_primary() {
    for personality in Personality::ALL {
        for plain in [true, false] {
            let mut harness = Paused::new(personality);
            if personality == Personality::Azure {
                harness.1 = Hand::Text;
            }
            let rules = *harness.0.provider().name_rules();
            // The harness's hand writes by native ids: they are the second's.
            let first = if plain { Shelf::plain("first") } else { Shelf::new("first") };
            let first = first.able(|c| c.staging = Staging::No).named_by(rules);
            let chain = |second| Fallback::new(first).then(second);
            conforms(&harness.wrap(|second| Arc::new(chain(second)))).await;
        }
    }
}

/// A chain is a provider, so it may stand in another one.
#[tokio::test(start_paused = true)]
async fn chains_of_chains_conform() {
    for personality in Personality::ALL {
        let harness = Paused::new(personality);
        let inner = Fallback::new(readable(false)).then(another(&harness, personality));
        let chain = |first| Fallback::new(Fallback::new(first).then(environment())).then(inner);
        conforms(&harness.wrap(|first| Arc::new(chain(first)))).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_chain_behind_the_cache_conforms() {
    for personality in Personality::ALL {
        for is_running in [false, true] {
            let harness = Paused::new(personality);
            let clock = Arc::new(harness.0.manual_clock().clone());
            let chain = Fallback::new(harness.0.provider()).then(another(&harness, personality));
            let builder = SecretManager::builder(chain.then(environment()));
            let manager = builder.clock(clock).policy(policy()).build().unwrap();
            let running = if is_running { Some(Running::start(&manager).await) } else { None };
            conforms(&harness.wrap(|_| Arc::new(manager.cached().clone()))).await;
            drop(running);
        }
    }
}

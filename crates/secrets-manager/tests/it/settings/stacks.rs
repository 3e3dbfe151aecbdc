//! Every stack that settings can build is a provider by the suite of the contract.

use std::sync::Arc;

use secrets_core::SecretProvider;
use secrets_core::conformance::Harness;
use secrets_core::memory::Personality;
use secrets_manager::{EnforceValidity, SecretManager, ValidityPolicy};

use super::{registry, settings};
use crate::conformance::{Paused, another, conforms};
use crate::support::Running;

const LIMIT: &str = "timeout = '1h'";

/// What is in `[secrets]`, in the primary and in the other provider.
const STACKS: [[&str; 3]; 7] = [
    ["", "", ""],
    ["", LIMIT, ""],
    ["fallback = ['other']", "", ""],
    ["fallback = ['other']\nfall_back_on_unavailable = true", LIMIT, LIMIT],
    [
        "secret.app-field = { reference = 'somewhere/else', field = 'x' }\n\
         secret.app-previous = { reference = 'somewhere/else', version = 'previous' }\n\
         secret.app-plain = { reference = 'app-field' }\n\
         secret.app-native = { native = 'elsewhere' }",
        "",
        "",
    ],
    ["cache = { ttl = '50ms', stale_while_revalidate = '0s', upkeep = 'all' }", "", ""],
    ["fallback = ['other']\ncache = { max_entries = 1, max_absent = 1 }", LIMIT, LIMIT],
];

async fn manager(
    [head, main, other]: [&str; 3],
    harness: &Paused,
    second: Arc<dyn SecretProvider>,
) -> SecretManager {
    let first = harness.0.provider();
    let text = format!(
        "[secrets]\nprovider = 'main'\n{head}\n\
         [secrets.providers.main]\ntype = 'memory'\nscope = '{}'\n{main}\n\
         [secrets.providers.other]\ntype = 'memory'\nscope = '{}'\n{other}\n",
        first.id().scope(),
        second.id().scope(),
    );
    let registry = registry(vec![first, second]);
    let clock = Arc::new(harness.0.manual_clock().clone());
    let started = settings(&text).start_with(&registry, |builder| builder.clock(clock)).await;
    started.unwrap_or_else(|error| panic!("{error}")).manager
}

async fn built(stack: [&str; 3], personality: Personality) -> (Paused, SecretManager) {
    let harness = Paused::new(personality);
    let second = Arc::new(another(&harness, personality));
    let manager = manager(stack, &harness, second).await;
    (harness, manager)
}

/// Each stack with one personality, in turn.
fn in_turn() -> impl Iterator<Item = ([&'static str; 3], Personality)> {
    STACKS.into_iter().zip(Personality::ALL.into_iter().cycle())
}

#[tokio::test(start_paused = true)]
async fn every_stack_conforms() {
    for personality in Personality::ALL {
        for stack in STACKS {
            let (harness, manager) = built(stack, personality).await;
            conforms(&harness.wrap(|_| Arc::new(manager.cached().clone()))).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_stack_conforms_under_a_run_future() {
    for (stack, personality) in in_turn() {
        let (harness, manager) = built(stack, personality).await;
        let _running = Running::start(&manager).await;
        conforms(&harness.wrap(|_| Arc::new(manager.cached().clone()))).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_stack_conforms_with_bounds_of_validity_over_it() {
    for (stack, personality) in in_turn() {
        let (harness, manager) = built(stack, personality).await;
        let clock = Arc::new(harness.0.manual_clock().clone());
        let cached = manager.cached().clone();
        let enforced = EnforceValidity::new(cached, clock, ValidityPolicy::Deny);
        conforms(&harness.wrap(|_| Arc::new(enforced))).await;
    }
}

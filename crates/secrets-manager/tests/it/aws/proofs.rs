//! What AWS is asked, counted where it is answered.

use std::time::{Duration, SystemTime};

use aws_double::{AwsDouble, Fault, FaultRule, Policy, Role, Skew};
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use secrets_aws::{
    self as aws, AwsClients, AwsConfig, Identity, SecretsManagerProvider, StaticKeys,
};
use secrets_core::{ManualClock, SecretProviderExt, SecretValue};
use secrets_manager::{Registry, SecretManager};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{REGION, builder, loopback, options, put, settings_on, somebody_else, start_on};
use crate::settings::started;
use crate::support::text;

/// So many secrets, `app/0` and on.
async fn many(double: &AwsDouble, count: usize) {
    let other = somebody_else(double).await;
    let writes = stream::iter(0..count).map(|number| {
        let provider = other.manager.cached().clone();
        async move {
            let name = format!("app/{number}");
            provider.put_text(&name, &format!("the value of {number}")).await.unwrap();
        }
    });
    writes.buffer_unordered(8).collect::<Vec<()>>().await;
    double.clock().advance(Duration::from_secs(600));
    double.calls().clear();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_cold_reads_of_one_name_are_one_call() {
    let double = builder().start().await.unwrap();
    put(&double, &[("billing/db", "correct horse")]).await;
    let started = start_on(&double, "", "").await;
    double.calls().clear();
    // Slow enough that all of them come before the answer.
    double.faults().add(FaultRule::new(Fault::Slow(Duration::from_millis(500))));
    let mut reads = JoinSet::new();
    for _ in 0..10_000 {
        let manager = started.manager.clone();
        reads.spawn(async move { text(&manager.get("billing/db").await.unwrap()) });
    }
    while let Some(read) = reads.join_next().await {
        assert_eq!(read.unwrap(), "correct horse");
    }
    assert_eq!(double.calls().total(), 1, "{:#?}", double.calls().all());
}

fn required(count: usize) -> String {
    (0..count)
        .map(|n| format!("[secrets.secret.s{n}]\nreference = 'app/{n}'\nrequired = true\n"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_with_500_required_secrets_takes_30_calls_at_most() {
    let double = builder().start().await.unwrap();
    many(&double, 500).await;
    let text_of = settings_on(&double, "", &required(500));
    let started = started(&text_of, &Registry::new()).await;
    let calls = double.calls().total();
    assert!(calls <= 30, "{calls} calls");
    assert_eq!(text(&started.manager.get("s499").await.unwrap()), "the value of 499");
    assert_eq!(double.calls().total(), calls, "what was read at the start is not read again");

    // Who may not read batches starts all the same.
    let user = double.identities().user(double.account(), "reader");
    let arn = format!("arn:aws:iam::{}:user/reader", double.account());
    let may = Policy::new().allow(&["secretsmanager:GetSecretValue"], &["*"]);
    double.grants().set(&arn, may);
    double.calls().clear();
    let own = options(&double, &user);
    let text_of =
        format!("[secrets]\nprovider = 'main'\n[secrets.providers.main]\n{own}{}", required(40));
    crate::settings::started(&text_of, &Registry::new()).await;
    assert_eq!(double.calls().count("GetSecretValue"), 40);
}

/// Reads as fast as it can, by handle and by name, until it is dropped.
fn readers(manager: &SecretManager, count: usize) -> JoinSet<u64> {
    let mut readers = JoinSet::new();
    for reader in 0..2 {
        let manager = manager.clone();
        readers.spawn(async move {
            for read in 0.. {
                let name = format!("app/{}", (read + reader) % count);
                manager.get(&name).await.unwrap_or_else(|error| panic!("{error}"));
                if read % 64 == 0 {
                    sleep(Duration::from_millis(1)).await;
                }
            }
            0
        });
    }
    readers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steady_state_costs_calls_by_the_time_and_none_by_the_read() {
    const SECRETS: usize = 10;
    let double = builder().start().await.unwrap();
    many(&double, SECRETS).await;
    let started = start_on(&double, "cache = { ttl = '500ms' }", "").await;
    let running = tokio::spawn(started.run());
    let mut handles = Vec::new();
    for number in 0..SECRETS {
        handles.push(started.manager.handle(&format!("app/{number}")).await.unwrap());
    }
    let begun = Instant::now();
    double.calls().clear();
    let readers = readers(&started.manager, SECRETS);
    sleep(Duration::from_secs(4)).await;
    while double.calls().total() < 4 && begun.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(50)).await;
    }
    let calls = double.calls().total();
    let periods = begun.elapsed().as_secs_f64() / 0.5;
    drop(readers);
    // Each is asked for at 0.7 of its time to live at the earliest, and one more may be under way.
    let most = SECRETS as f64 * (periods / 0.7 + 1.0);
    assert!(calls as f64 <= most, "{calls} calls, {most} at most");
    assert!(calls >= 4, "it is asked at all: {calls}");
    assert!(handles.iter().all(|handle| handle.load().secret().is_some()));
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_account_is_not_hammered_and_handles_serve_on() {
    const SECRETS: usize = 10;
    const BUDGET: usize = 15;
    let double = builder().start().await.unwrap();
    many(&double, SECRETS).await;
    let head = "cache = { ttl = '300ms', stale_while_revalidate = '0s', backoff = { first = '1s', longest = '30s' } }";
    let more = format!("retry = {{ attempts = 3, budget = {BUDGET} }}\n");
    let started = start_on(&double, head, &more).await;
    let running = tokio::spawn(started.run());
    let mut handles = Vec::new();
    for number in 0..SECRETS {
        handles.push(started.manager.handle(&format!("app/{number}")).await.unwrap());
    }
    double.faults().add(FaultRule::new(Fault::Throttle));
    double.calls().clear();
    let begun = Instant::now();
    let mut was_stale = false;
    while begun.elapsed() < Duration::from_secs(10) {
        for handle in &handles {
            let state = handle.load();
            assert!(state.secret().is_some() && handle.load_checked().is_ok());
            was_stale |= format!("{:?}", &*state).contains("Stale");
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert!(was_stale, "what handles show is told to be stale");
    // At 0.5 s at the earliest after the first, then at doubling pauses: five times in ten seconds.
    let calls = double.calls().total();
    let most = SECRETS * 5 + BUDGET;
    assert!(calls <= most, "{calls} calls, {most} at most");
    assert!(
        double.calls().all().iter().all(|call| call.code.as_deref() == Some("ThrottlingException"))
    );

    double.faults().clear();
    let begun = Instant::now();
    while handles.iter().any(|handle| format!("{:?}", &*handle.load()).contains("Stale")) {
        assert!(begun.elapsed() < Duration::from_secs(120), "they are fresh again");
        sleep(Duration::from_millis(50)).await;
    }
    running.abort();
}

/// The sessions of both roles end again and again while secrets are read for the first time: a read
/// that failed would show.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_end_during_load_fail_no_read() {
    const ROUNDS: usize = 8;
    let double = builder().start().await.unwrap();
    many(&double, ROUNDS * 8).await;
    let account = double.account();
    let first = double.roles().add(account, Role::new("first").trusting(account));
    let second = double.roles().add(account, Role::new("second").trusting(&first));
    let life = Duration::from_secs(15 * 60);
    let keys = double.credentials();
    let secret = SecretValue::from_string(keys.secret_key().to_owned());
    // Settings know no clock but the machine's.
    let clock = ManualClock::at(SystemTime::now());
    let config = AwsConfig::in_region(REGION)
        .with_endpoint(loopback(double.url()))
        .with_identity(Identity::StaticKeys(StaticKeys::new(keys.access_key(), secret)))
        .with_role(aws::Role::new(&first).with_duration(life))
        .with_role(aws::Role::new(&second).with_duration(life))
        .with_clock(clock.clone());
    let clients = AwsClients::connect(config).await.unwrap();
    let provider = SecretsManagerProvider::new(&clients);
    let manager = SecretManager::builder(provider).build().unwrap();
    let mut passed = Duration::ZERO;
    for round in 0..ROUNDS {
        let names: Vec<_> = (0..8).map(|number| format!("app/{}", round * 8 + number)).collect();
        for read in join_all(names.iter().map(|name| manager.get(name))).await {
            read.unwrap_or_else(|error| panic!("round {round}: {error}"));
        }
        // Some are renewed ahead of their end, and some have ended before anybody asks.
        let step = if round % 2 == 0 { Duration::from_secs(12 * 60) } else { life };
        passed += step;
        clock.advance(step);
        double.clock().advance(step);
        double.clock().set_skew(Skew::Ahead(passed));
    }
    let assumed = double.calls().count("AssumeRole");
    assert!((ROUNDS..=4 * ROUNDS).contains(&assumed), "{assumed} sessions");
    // Signatures were, since the SDK has the machine's own clock for a part of them.
    let has_ended = |code: &String| code.starts_with("Expired");
    let ended = double.calls().all().into_iter().filter(|c| c.code.iter().any(has_ended)).count();
    assert_eq!(ended, 0, "nothing was asked with a session that had ended");
}

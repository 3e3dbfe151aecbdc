//! The clients, on the double.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_double::{AwsDouble, Fault, FaultRule};
use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use aws_sdk_secretsmanager::operation::RequestId;
use secrets_core::{ErrorKind, SecretValue};
use service_test_kit::{Canary, Capture, LogCapture, Shown};

use super::*;
use crate::config::{AccountId, AwsConfig, Identity, Network, Role, StaticKeys};

fn keys(double: &AwsDouble) -> Identity {
    let given = double.credentials();
    let secret = SecretValue::from_string(given.secret_key().to_owned());
    Identity::StaticKeys(StaticKeys::new(given.access_key(), secret))
}

fn config(double: &AwsDouble) -> AwsConfig {
    assert!(double.url().starts_with("http://127.0.0.1:"));
    AwsConfig::in_region("eu-west-1").with_identity(keys(double)).with_endpoint(double.url())
}

async fn start() -> AwsDouble {
    AwsDouble::builder().region("eu-west-1").strong().start().await.unwrap()
}

async fn connect(config: AwsConfig) -> AwsClients {
    AwsClients::connect(config).await.unwrap()
}

fn in_region(region: &str) -> Route<'_> {
    Route { account: None, region: Some(region) }
}

async fn read(client: &aws_sdk_secretsmanager::Client, name: &str) -> Result<String, String> {
    match client.get_secret_value().secret_id(name).version_stage("AWSCURRENT").send().await {
        Ok(found) => Ok(found.secret_string.unwrap_or_default()),
        Err(error) => Err(error.code().unwrap_or("no answer").to_owned()),
    }
}

#[tokio::test]
async fn a_quota_is_not_taken_for_throttling() {
    let double = start().await;
    let client = connect(config(&double)).await.secrets_manager(Route::default()).unwrap();
    double.faults().add(FaultRule::new(Fault::LimitExceeded).on("CreateSecret"));
    let refused = client.create_secret().name("a").secret_string("v").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("LimitExceededException"));
    assert!(refused.request_id().is_some());
    assert_eq!(double.calls().count("CreateSecret"), 1);
    // While throttling, which is HTTP 400 as well, passes.
    double.faults().add(FaultRule::new(Fault::Throttle).on("ListSecrets").times(2));
    client.list_secrets().send().await.unwrap();
    assert_eq!(double.calls().count("ListSecrets"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_services_draw_on_one_budget() {
    let double = start().await;
    double.faults().add(FaultRule::new(Fault::Throttle));
    let network = Network::default().with_retry_budget(12);
    let clients = connect(config(&double).with_network(network)).await;
    let calls: Vec<_> = (0..20)
        .flat_map(|_| {
            let secrets = clients.secrets_manager(Route::default()).unwrap();
            let elsewhere = clients.secrets_manager(in_region("eu-central-1")).unwrap();
            let clients = clients.clone();
            [
                tokio::spawn(async move { read(&secrets, "a").await.is_err() }),
                tokio::spawn(async move { read(&elsewhere, "a").await.is_err() }),
                tokio::spawn(async move { clients.caller().await.is_err() }),
            ]
        })
        .collect();
    let made = calls.len();
    for call in calls {
        assert!(call.await.unwrap());
    }
    assert_eq!(double.calls().total(), made + 12);
}

#[tokio::test]
async fn a_route_chooses_region_and_account() {
    let double = start().await;
    let other = "444455556666";
    let reader = aws_double::Role::new("reader").trusting("arn:aws:iam::111122223333:root");
    let arn = double.roles().add(other, reader);
    let config = config(&double).with_account(AccountId::new(other).unwrap(), [Role::new(arn)]);
    let clients = connect(config).await;
    let here = clients.secrets_manager(Route::default()).unwrap();
    here.create_secret().name("a").secret_string("here").send().await.unwrap();
    let there = Route { account: Some(other), region: Some("eu-central-1") };
    let there = clients.secrets_manager(there).unwrap();
    there.create_secret().name("a").secret_string("there").send().await.unwrap();
    assert_eq!(read(&here, "a").await.as_deref(), Ok("here"));
    assert_eq!(read(&there, "a").await.as_deref(), Ok("there"));
    let created = double.calls().of("CreateSecret");
    assert_eq!(created[0].region.as_deref(), Some("eu-west-1"));
    assert_eq!(created[1].region.as_deref(), Some("eu-central-1"));
    assert_ne!(created[0].access_key, created[1].access_key);
    // Nobody has a role in the third account: whoever we are is who asks.
    let third = Route { account: Some("777788889999"), region: None };
    assert_eq!(read(&clients.secrets_manager(third).unwrap(), "a").await.as_deref(), Ok("here"));
}

#[tokio::test]
async fn a_region_that_is_none_is_refused_before_any_call() {
    let double = start().await;
    let clients = connect(config(&double)).await;
    for region in ["eu-west-1.evil.example", "eu-west-1/", "", "us-isoz-east-1", "cn-north-1"] {
        let error = clients.secrets_manager(in_region(region)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue, "{region}");
    }
    let text = clients.secrets_manager(in_region("cn-north-1")).unwrap_err().to_string();
    assert!(text.contains("lies in the partition `aws-cn`, the service in `aws`"), "{text}");
    assert_eq!(double.calls().total(), 0);
}

#[tokio::test]
async fn an_endpoint_of_another_region_refuses_and_is_not_asked_again() {
    let double = start().await;
    let config = config(&double).with_endpoint(double.regional_url("us-east-1"));
    let client = connect(config).await.secrets_manager(Route::default()).unwrap();
    let refused = read(&client, "a").await.unwrap_err();
    assert_ne!(refused, "no answer");
    assert_eq!(double.calls().total(), 1);
}

#[tokio::test]
async fn there_is_one_client_for_each_pair_and_whoever_names_many_shuts_nobody_out() {
    let double = start().await;
    let clients = connect(config(&double)).await;
    let groups = ["af", "ap", "ca", "eu", "il", "me", "mx", "sa", "us"];
    let places =
        ["north", "south", "east", "west", "central", "northeast", "southeast", "southwest"];
    let regions: Vec<String> = groups
        .iter()
        .flat_map(|group| places.iter().map(move |place| format!("{group}-{place}-1")))
        .collect();
    assert!(regions.len() > 64);
    for _ in 0..3 {
        for region in &regions[..64] {
            clients.secrets_manager(in_region(region)).unwrap();
            #[cfg(feature = "kms")]
            clients.kms(in_region(region)).unwrap();
        }
    }
    assert_eq!(clients.kept().len(), 64);
    let own = clients.secrets_manager(Route::default()).unwrap();
    own.create_secret().name("a").secret_string("v").send().await.unwrap();
    // Whoever writes ARNs names region upon region, while the service goes on with its own.
    let slow = Fault::Slow(Duration::from_millis(300));
    double.faults().add(FaultRule::new(slow).on("ListSecrets").times(1));
    let begun = clients.secrets_manager(in_region(&regions[1])).unwrap();
    let under_way = tokio::spawn(async move { begun.list_secrets().send().await.is_ok() });
    for region in regions.iter().cycle().take(3 * regions.len()) {
        clients.secrets_manager(in_region(region)).unwrap();
        let kept = clients.kept();
        assert!(kept.len() == 64 && kept.iter().any(|kept| kept == "eu-west-1"), "{kept:?}");
        clients.secrets_manager(Route::default()).unwrap();
    }
    assert!(under_way.await.unwrap());
    assert_eq!(read(&own, "a").await.as_deref(), Ok("v"));
}

#[tokio::test]
async fn a_thousand_first_calls_assume_a_role_once() {
    let double = start().await;
    let reader = aws_double::Role::new("reader").trusting("arn:aws:iam::111122223333:root");
    let arn = double.roles().add("111122223333", reader);
    let clients = connect(config(&double).with_role(Role::new(arn))).await;
    let client = clients.secrets_manager(Route::default()).unwrap();
    let done = Arc::new(AtomicUsize::new(0));
    let calls: Vec<_> = (0..1000)
        .map(|_| {
            let (client, done) = (client.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                assert_eq!(read(&client, "none").await.unwrap_err(), "ResourceNotFoundException");
                done.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(done.load(Ordering::SeqCst), 1000);
    assert_eq!(double.calls().count("AssumeRole"), 1);
    let signers: BTreeSet<_> =
        double.calls().of("GetSecretValue").into_iter().map(|call| call.access_key).collect();
    assert_eq!(signers.len(), 1);
}

#[tokio::test]
async fn the_id_of_every_answer_is_traced_and_nothing_secret_is() {
    let double = start().await;
    let clients = connect(config(&double)).await;
    let client = clients.secrets_manager(Route::default()).unwrap();
    let canary = Canary::named("value");
    let given = SecretValue::from_string(double.credentials().secret_key().to_owned());
    let key = Canary::of(&given);
    let (logs, _guard) = LogCapture::start();
    client.create_secret().name("a").secret_string(canary.text()).send().await.unwrap();
    let found = client.get_secret_value().secret_id("a").send().await.unwrap();
    assert_eq!(found.secret_string(), Some(canary.text()));
    read(&client, "none").await.unwrap_err();
    for call in double.calls().all() {
        assert!(logs.contains(&call.request_id), "{call:?}");
    }
    let shown = Shown::new("the clients", &clients);
    let captures: [&dyn Capture; 2] = [&logs, &shown];
    key.assert_absent_from(&captures);
    canary.assert_absent_from(&captures);
}

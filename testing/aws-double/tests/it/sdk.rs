//! AWS's own client for Rust on the double: what it does about faults and wrong clocks.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_double::{AwsDouble, Fault, FaultRule, Skew};
use aws_sdk_secretsmanager::{
    Client,
    config::{
        BehaviorVersion, Config, Region, SharedHttpClient, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    error::ProvideErrorMetadata,
    operation::RequestId,
    primitives::Blob,
    types::{Filter, FilterNameStringType},
};
use aws_smithy_http_client::{Builder, Connector, proxy::ProxyConfig};

fn client(double: &AwsDouble) -> Client {
    waiting_for(double, Duration::from_secs(10))
}

fn waiting_for(double: &AwsDouble, attempt: Duration) -> Client {
    let keys = double.credentials();
    assert!(double.url().starts_with("http://127.0.0.1:"), "only loopback");
    let credentials = Credentials::new(keys.access_key(), keys.secret_key(), None, None, "test");
    let backoff = RetryConfig::standard().with_initial_backoff(Duration::from_millis(5));
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(attempt).build();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(double.url())
        .region(Region::new("eu-west-1"))
        .credentials_provider(credentials)
        .retry_config(backoff)
        .timeout_config(timeouts)
        .http_client(without_proxy())
        .build();
    Client::from_conf(config)
}

/// By itself the SDK takes a proxy from the environment, and would leave the machine.
fn without_proxy() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = Connector::builder().proxy_config(ProxyConfig::disabled());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector.build_http()
    })
}

async fn strong() -> (AwsDouble, Client) {
    let double = AwsDouble::builder().strong().start().await.unwrap();
    let client = client(&double);
    client.create_secret().name("x").secret_string("one").send().await.unwrap();
    double.calls().clear();
    (double, client)
}

fn statuses(double: &AwsDouble) -> Vec<u16> {
    double.calls().all().iter().map(|c| c.status).collect()
}

#[tokio::test]
async fn it_reads_and_writes() {
    let (_double, client) = strong().await;
    let blob = Blob::new([0, 255]);
    let put =
        client.put_secret_value().secret_id("x").secret_binary(blob.clone()).send().await.unwrap();
    assert_eq!(put.version_stages(), ["AWSCURRENT"]);
    let read = client.get_secret_value().secret_id("x").send().await.unwrap();
    assert_eq!(read.secret_binary(), Some(&blob));
    assert!(read.created_date().is_some() && read.secret_string().is_none());
    let filter = Filter::builder().key(FilterNameStringType::Name).values("x").build();
    let batch = client.batch_get_secret_value().filters(filter).send().await.unwrap();
    assert_eq!(batch.secret_values().len(), 1);
    for n in 0..5 {
        client.create_secret().name(format!("y{n}")).send().await.unwrap();
    }
    let pages = client.list_secrets().into_paginator().page_size(2).send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
    assert_eq!(pages.iter().map(|p| p.secret_list().len()).collect::<Vec<_>>(), [2, 2, 2]);
}

#[tokio::test]
async fn it_corrects_its_clock_by_the_doubles_date() {
    for skew in [Skew::Ahead(Duration::from_secs(900)), Skew::Behind(Duration::from_secs(900))] {
        let (double, client) = strong().await;
        double.clock().set_skew(skew);
        client.get_secret_value().secret_id("x").send().await.unwrap();
        assert_eq!(statuses(&double), [400, 200], "{skew:?}: refused once, then signed anew");
        client.get_secret_value().secret_id("x").send().await.unwrap();
        assert_eq!(statuses(&double).len(), 3, "it has learnt");
    }
}

#[tokio::test]
async fn it_tries_again_what_may_pass() {
    for (fault, first) in [
        (Fault::Throttle, 400),
        (Fault::Internal, 500),
        (Fault::Unavailable, 503),
        (Fault::Reset, 0),
        (Fault::LostReply, 0),
    ] {
        let (double, client) = strong().await;
        double.faults().add(FaultRule::new(fault.clone()).times(1));
        client.put_secret_value().secret_id("x").secret_string("two").send().await.unwrap();
        assert_eq!(statuses(&double), [first, 200], "{fault:?}");
        let versions = client.list_secret_version_ids().secret_id("x").send().await.unwrap();
        assert_eq!(versions.versions().len(), 2, "one token, one version");
    }
}

#[tokio::test]
async fn it_fails_on_what_is_no_answer() {
    let (soon, patient) = (Duration::from_millis(50), Duration::from_secs(10));
    for (fault, attempt) in
        [(Fault::TruncatedJson, patient), (Fault::Html, patient), (Fault::Hang, soon)]
    {
        let (double, _) = strong().await;
        let client = waiting_for(&double, attempt);
        double.faults().add(FaultRule::new(fault.clone()));
        assert!(client.get_secret_value().secret_id("x").send().await.is_err(), "{fault:?}");
    }
}

#[tokio::test]
async fn it_knows_the_code_the_text_and_the_request() {
    let (double, client) = strong().await;
    let error = client.get_secret_value().secret_id("absent").send().await.unwrap_err();
    let service = error.as_service_error().unwrap();
    assert!(service.is_resource_not_found_exception());
    assert_eq!(service.meta().message(), Some("Secrets Manager can't find the specified secret."));
    assert_eq!(error.code(), Some("ResourceNotFoundException"));
    assert_eq!(error.request_id(), Some(double.calls().all()[0].request_id.as_str()));
}

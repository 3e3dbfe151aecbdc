//! Where requests go, by partition, FIPS and dual stack: to a way out that keeps what it is asked for and
//! connects to nothing.

use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use secrets_core::SecretValue;

use super::{AwsClients, Route};
use crate::config::{AwsConfig, Identity, StaticKeys};

/// What was asked for: host, and region and service of the signature.
type Asked = (String, String);

#[derive(Debug, Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Asked>>>);

impl HttpClient for Recorder {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Recorder {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let host = request.uri().strip_prefix("https://").expect("TLS");
        let host = host.split('/').next().unwrap().to_owned();
        // `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`
        let signature = request.headers().get("authorization").unwrap();
        let scope: Vec<_> = signature.split(',').next().unwrap().split('/').collect();
        self.0.lock().unwrap().push((host, format!("{}/{}", scope[2], scope[3])));
        HttpConnectorFuture::ready(Err(ConnectorError::user("recorded".into())))
    }
}

/// What each service is asked at, with an ARN of another region where one is given.
async fn asked(config: AwsConfig, elsewhere: Option<&str>) -> Vec<Asked> {
    let keys = StaticKeys::new("AKIAIOSFODNN7EXAMPLE", SecretValue::from_string("x".to_owned()));
    let config = config.with_identity(Identity::StaticKeys(keys));
    assert!(config.problems().is_empty());
    let recorder = Recorder::default();
    let out = SharedHttpClient::new(recorder.clone());
    let clients = AwsClients::connect_by(config, out).await.unwrap();
    let route = Route { account: None, region: elsewhere };
    let secrets = clients.secrets_manager(route).unwrap();
    secrets.list_secrets().send().await.unwrap_err();
    clients.sts(route).unwrap().get_caller_identity().send().await.unwrap_err();
    #[cfg(feature = "kms")]
    clients.kms(route).unwrap().list_keys().send().await.unwrap_err();
    #[cfg(feature = "sqs")]
    {
        let queues = clients.sqs(route, std::time::Duration::ZERO).unwrap();
        queues.list_queues().send().await.unwrap_err();
    }
    recorder.0.lock().unwrap().clone()
}

fn in_region(region: &str, fips: bool, dual_stack: bool) -> AwsConfig {
    let mut config = AwsConfig::in_region(region);
    (config.fips, config.dual_stack) = (fips, dual_stack);
    config
}

/// `{}` stands for the service. The suffixes are those of AWS General Reference, "Service endpoints" and
/// "Dual-stack endpoints", of Amazon Web Services in China, "Endpoints", and of the SDK's table of
/// partitions.
const HOSTS: [(&str, bool, bool, &str); 15] = [
    ("eu-west-1", false, false, "{}.eu-west-1.amazonaws.com"),
    ("us-east-1", true, false, "{}-fips.us-east-1.amazonaws.com"),
    ("eu-west-1", false, true, "{}.eu-west-1.api.aws"),
    ("us-east-2", true, true, "{}-fips.us-east-2.api.aws"),
    ("cn-north-1", false, false, "{}.cn-north-1.amazonaws.com.cn"),
    ("cn-northwest-1", false, true, "{}.cn-northwest-1.api.amazonwebservices.com.cn"),
    ("us-gov-west-1", false, false, "{}.us-gov-west-1.amazonaws.com"),
    ("us-gov-east-1", true, false, "{}-fips.us-gov-east-1.amazonaws.com"),
    ("us-gov-west-1", false, true, "{}.us-gov-west-1.api.aws"),
    ("us-gov-west-1", true, true, "{}-fips.us-gov-west-1.api.aws"),
    ("eusc-de-east-1", false, false, "{}.eusc-de-east-1.amazonaws.eu"),
    ("us-iso-east-1", false, false, "{}.us-iso-east-1.c2s.ic.gov"),
    ("us-isob-east-1", false, false, "{}.us-isob-east-1.sc2s.sgov.gov"),
    ("eu-isoe-west-1", false, false, "{}.eu-isoe-west-1.cloud.adc-e.uk"),
    ("us-isof-south-1", false, false, "{}.us-isof-south-1.csp.hci.ic.gov"),
];

#[tokio::test]
async fn every_partition_has_hosts_of_its_own() {
    for (region, fips, dual_stack, host) in HOSTS {
        let asked = asked(in_region(region, fips, dual_stack), None).await;
        let services = ["secretsmanager", "sts", "kms", "sqs"];
        let expected: Vec<_> = services
            .iter()
            .filter(|service| match **service {
                "kms" => cfg!(feature = "kms"),
                "sqs" => cfg!(feature = "sqs"),
                _ => true,
            })
            .map(|service| {
                // The hosts of STS and SQS in GovCloud are FIPS ones by themselves, and have no other name.
                let is_fips_anyway = fips && !dual_stack && region.starts_with("us-gov-");
                let host = match *service {
                    "sts" | "sqs" if is_fips_anyway => host.replace("-fips", ""),
                    // The hosts of Secrets Manager have both stacks under one name.
                    "secretsmanager" => host
                        .replace("api.amazonwebservices.com.cn", "amazonaws.com.cn")
                        .replace("api.aws", "amazonaws.com"),
                    _ => host.to_owned(),
                };
                (host.replace("{}", service), format!("{region}/{service}"))
            })
            .collect();
        assert_eq!(asked, expected, "{region} {fips} {dual_stack}");
    }
}

/// An ARN chooses the region, and no more than that.
#[tokio::test]
async fn an_arn_of_another_region_keeps_the_choice_of_hosts() {
    for (own, elsewhere, host) in [
        ("us-east-1", "us-west-2", "sts-fips.us-west-2.api.aws"),
        ("us-gov-east-1", "us-gov-west-1", "sts-fips.us-gov-west-1.api.aws"),
    ] {
        let asked = asked(in_region(own, true, true), Some(elsewhere)).await;
        assert_eq!(asked[1], (host.to_owned(), format!("{elsewhere}/sts")));
    }
}

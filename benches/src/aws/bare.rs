//! The SDK as a service has it that uses nothing else: its defaults, with region, keys and endpoint.

use aws_sdk_secretsmanager::config::{Credentials, Region};

use super::place::{Place, REGION};

pub(super) fn credentials(place: &Place) -> Credentials {
    let keys = place.double.credentials();
    Credentials::new(keys.access_key(), keys.secret_key(), None, None, "benches")
}

pub(super) fn secrets_manager(place: &Place) -> aws_sdk_secretsmanager::Client {
    let config = aws_sdk_secretsmanager::Config::builder()
        .behavior_version_latest()
        .region(Region::new(REGION))
        .endpoint_url(place.double.url())
        .credentials_provider(credentials(place))
        .build();
    aws_sdk_secretsmanager::Client::from_conf(config)
}

pub(super) fn kms(place: &Place) -> aws_sdk_kms::Client {
    let config = aws_sdk_kms::Config::builder()
        .behavior_version_latest()
        .region(Region::new(REGION))
        .endpoint_url(place.double.url())
        .credentials_provider(credentials(place))
        .build();
    aws_sdk_kms::Client::from_conf(config)
}

//! AWS by settings alone, on the double.

#[cfg(feature = "aws-changes")]
mod hints;
mod options;
mod proofs;
mod stack;

use aws_double::{AwsDouble, AwsDoubleBuilder, Credentials};
use secrets_core::SecretProviderExt;
use secrets_manager::{Registry, Started};

use crate::settings::started;

const REGION: &str = "eu-west-1";

/// AWS in the region of the tests, with its delays.
pub(crate) fn builder() -> AwsDoubleBuilder {
    AwsDouble::builder().region(REGION)
}

/// Fails at once where a test would leave this host.
fn loopback(url: &str) -> &str {
    assert!(url.starts_with("http://127.0.0.1:"), "`{url}` is not on loopback");
    url
}

/// The options of a provider on the double, whose keys are those of this user.
pub(crate) fn options(double: &AwsDouble, keys: &Credentials) -> String {
    format!(
        "type = 'aws'\nregion = '{REGION}'\nendpoint = '{}'\n\
         static_keys = {{ access_key_id = '{}', secret_access_key = '{}' }}\n",
        loopback(double.url()),
        keys.access_key(),
        keys.secret_key(),
    )
}

/// Settings whose one provider is the double.
pub(crate) fn settings_on(double: &AwsDouble, head: &str, more: &str) -> String {
    let options = options(double, double.credentials());
    format!("[secrets]\nprovider = 'main'\n{head}\n[secrets.providers.main]\n{options}{more}")
}

pub(crate) async fn start_on(double: &AwsDouble, head: &str, more: &str) -> Started {
    started(&settings_on(double, head, more), &Registry::new()).await
}

/// A second client, which is not the service under test.
pub(crate) async fn somebody_else(double: &AwsDouble) -> Started {
    start_on(double, "", "").await
}

/// Writes these, and waits until reads see them.
pub(crate) async fn put(double: &AwsDouble, secrets: &[(&str, &str)]) {
    let other = somebody_else(double).await;
    for (name, value) in secrets {
        other.manager.cached().put_text(name, value).await.unwrap();
    }
    double.clock().advance(std::time::Duration::from_secs(600));
}

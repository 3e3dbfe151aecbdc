use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use aws_double::{AwsDouble, Fault, FaultRule};
use secrets_aws::{AwsClients, AwsConfig, Identity, StaticKeys};
use secrets_core::SecretValue;
use secrets_manager::{Registry, SecretManagerSettings, Started};
use service_settings::{Format, Subtree};

use super::{bare, runtime};
use crate::names::value;

pub(super) const REGION: &str = "eu-west-1";
/// What a call takes, where it is to take time.
pub(super) const CALL: Duration = Duration::from_millis(20);

/// AWS on loopback, with a number of secrets of 64 bytes. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) double: Arc<AwsDouble>,
    secrets: usize,
}

/// The name of a secret in AWS.
pub(super) fn name(number: usize) -> String {
    format!("service/secret-{number}")
}

/// The text of the secret with this number.
pub(super) fn text(number: usize) -> String {
    String::from_utf8(value(number).to_vec()).unwrap()
}

impl Place {
    pub(super) fn new(secrets: usize) -> Self {
        let double = AwsDouble::builder().region(REGION).strong().start_blocking().unwrap();
        assert!(double.url().starts_with("http://127.0.0.1:"), "{} is not loopback", double.url());
        let place = Self { double: Arc::new(double), secrets };
        runtime().block_on(async {
            let client = bare::secrets_manager(&place);
            for number in 0..secrets {
                let create = client.create_secret().name(name(number));
                create.secret_string(text(number)).send().await.unwrap();
            }
        });
        place
    }

    /// From now on every call takes its time.
    pub(super) fn distant(self) -> Self {
        self.double.faults().add(FaultRule::new(Fault::Slow(CALL)));
        self
    }

    /// How many calls were answered so far, for a case to count.
    pub(super) fn calls(&self) -> impl Fn() -> usize + Send + Sync + 'static {
        let double = Arc::clone(&self.double);
        move || double.calls().total()
    }

    pub(super) fn names(&self) -> Vec<String> {
        (0..self.secrets).map(name).collect()
    }

    /// Whom clients are, unless a case says otherwise: a user who may do everything.
    pub(super) fn config(&self) -> AwsConfig {
        let keys = self.double.credentials();
        let secret = SecretValue::from_string(keys.secret_key().to_owned());
        AwsConfig::in_region(REGION)
            .with_endpoint(self.double.url())
            .with_identity(Identity::StaticKeys(StaticKeys::new(keys.access_key(), secret)))
    }

    pub(super) async fn clients(&self) -> AwsClients {
        AwsClients::connect(self.config()).await.unwrap()
    }

    /// The settings of a service whose secrets are here; `head` belongs into their section.
    pub(super) fn settings(&self, head: &str) -> String {
        let keys = self.double.credentials();
        format!(
            "[secrets]\nprovider = 'main'\n{head}\n[secrets.providers.main]\ntype = 'aws'\n\
             region = '{REGION}'\nendpoint = '{}'\n\
             static_keys = {{ access_key_id = '{}', secret_access_key = '{}' }}\n",
            self.double.url(),
            keys.access_key(),
            keys.secret_key(),
        )
    }

    /// The same, with all secrets required: each is to have at least 32 bytes.
    pub(super) fn settings_requiring_all(&self) -> String {
        let mut text = self.settings("");
        for (number, name) in self.names().iter().enumerate() {
            let rules = "required = true\nrules = { min_length = 32 }";
            write!(text, "[secrets.secret.s{number}]\nreference = '{name}'\n{rules}\n").unwrap();
        }
        text
    }
}

/// A service starts, from the text of its settings on.
pub(super) async fn start(settings: &str) -> Started {
    let settings = Subtree::parse(Format::Toml, "service.toml", settings).unwrap();
    let settings = settings.part("secrets").unwrap().read::<SecretManagerSettings>().unwrap();
    settings.start(&Registry::new()).await.unwrap()
}

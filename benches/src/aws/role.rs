//! A service begins that acts as a role: 100 data keys are opened at once by two providers that have
//! the same clients. The role is assumed once for all of them.

use std::sync::Arc;

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region};
use futures_util::future::join_all;
use secrets_aws::{AwsClients, KmsProvider, Role};
use secrets_core::{KeyProvider, WrappedKey};

use super::keys::{Keys, context, data_key};
use super::place::REGION;
use super::{bare, from_nothing, runtime};
use crate::harness::{Case, Peer, Row};

const OPENED: usize = 100;
/// `AssumeRole`, and a call for each.
const CALLS: f64 = OPENED as f64 + 1.0;

pub(super) fn rows() -> Vec<Row> {
    let setting = Arc::new(Setting::new());
    let case = |case: Case| case.by_computing().rarely(9).counting(setting.keys.place.calls());
    vec![Row {
        path: "aws/KMS decrypts data keys at once, first as a role (CPU time)",
        threads: 1,
        size: OPENED,
        unit: "keys",
        ours: case(ours(&setting)).at_most_calls(CALLS),
        within: None,
        peers: vec![Peer::new("aws-sdk-kms 1.129 and aws-config 1.13", case(sdk(&setting)))],
    }]
}

struct Setting {
    keys: Keys,
    role: String,
    wrapped: WrappedKey,
}

impl Setting {
    fn new() -> Self {
        let keys = Keys::new();
        let double = &keys.place.double;
        let role = aws_double::Role::new("service").trusting(double.account());
        let role = double.roles().add(double.account(), role);
        let wrapped = runtime().block_on(async {
            let owner = KmsProvider::new(&keys.place.clients().await);
            owner.wrap_key(&keys.wrapping(), &data_key(), &context()).await.unwrap()
        });
        Self { keys, role, wrapped }
    }
}

fn ours(setting: &Arc<Setting>) -> Case {
    let setting = Arc::clone(setting);
    from_nothing(async move || {
        let config = setting.keys.place.config().with_role(Role::new(&setting.role));
        let clients = AwsClients::connect(config).await.unwrap();
        let providers = [KmsProvider::new(&clients), KmsProvider::new(&clients)];
        let context = context();
        let opened = join_all(
            (0..OPENED).map(|at| providers[at % 2].unwrap_key(&setting.wrapped, &context)),
        );
        let opened = opened.await;
        assert!(opened.iter().all(|key| key.as_ref().unwrap().expose_secret().len() == 32));
    })
}

/// The client of the role, with the SDK's own cache of credentials.
fn sdk(setting: &Arc<Setting>) -> Case {
    let setting = Arc::clone(setting);
    from_nothing(async move || {
        let place = &setting.keys.place;
        let base = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .endpoint_url(place.double.url())
            .credentials_provider(bare::credentials(place))
            .load()
            .await;
        let role = AssumeRoleProvider::builder(&setting.role).configure(&base);
        let role = role.session_name("service").build().await;
        let config = aws_sdk_kms::config::Builder::from(&base).credentials_provider(role).build();
        let client = aws_sdk_kms::Client::from_conf(config);
        let opened = join_all((0..OPENED).map(|_| {
            let wrapped = setting.wrapped.ciphertext.as_slice();
            let decrypt =
                client.decrypt().ciphertext_blob(aws_sdk_kms::primitives::Blob::new(wrapped));
            let decrypt = decrypt.key_id(setting.wrapped.key.as_str());
            context()
                .iter()
                .fold(decrypt, |decrypt, (name, value)| decrypt.encryption_context(name, value))
                .send()
        }));
        let opened = opened.await;
        assert!(opened.iter().all(|key| key.as_ref().unwrap().plaintext().is_some()));
    })
}

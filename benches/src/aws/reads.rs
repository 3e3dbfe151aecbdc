//! A secret is read through the provider, without a cache: the first one by a client that is built for
//! it, and further ones. The double answers at once; the time is what the client's thread computes.

use secrets_aws::SecretsManagerProvider;
use secrets_core::{GetOptions, SecretName, SecretProvider, SecretRef};

use super::place::{Place, name, text};
use super::{bare, connected, from_nothing};
use crate::harness::{Case, Peer, Row};

const SDK: &str = "aws-sdk-secretsmanager 1.125";

pub(super) fn rows() -> Vec<Row> {
    let place = Place::new(1);
    let case = |case: Case| case.by_computing().counting(place.calls());
    let row = |path, ours, sdk| Row {
        path,
        threads: 1,
        size: 1,
        unit: "secrets",
        ours: case(ours).at_most_calls(1.0),
        within: None,
        peers: vec![Peer::new(SDK, case(sdk))],
    };
    let (ours, sdk) = (place.clone(), place.clone());
    let first = from_nothing(async move || read(&provider(&ours).await).await);
    let first_of_sdk = from_nothing(async move || read_by(&bare::secrets_manager(&sdk)).await);
    let (ours, sdk) = (place.clone(), place.clone());
    let further = connected(async move || provider(&ours).await, async |ours| read(ours).await);
    let further_of_sdk =
        connected(async move || bare::secrets_manager(&sdk), async |client| read_by(client).await);
    vec![
        row("aws/build a client and read a secret (CPU time)", first, first_of_sdk),
        row("aws/read a secret (CPU time)", further, further_of_sdk),
    ]
}

async fn provider(place: &Place) -> SecretsManagerProvider {
    SecretsManagerProvider::new(&place.clients().await)
}

async fn read(provider: &SecretsManagerProvider) {
    let reference = SecretRef::from(SecretName::new(&name(0)).unwrap());
    let read = provider.get_secret(&reference, GetOptions::default()).await.unwrap();
    assert_eq!(read.value.expose_secret(), text(0).as_bytes());
}

async fn read_by(client: &aws_sdk_secretsmanager::Client) {
    let read = client.get_secret_value().secret_id(name(0)).send().await.unwrap();
    assert_eq!(read.secret_string(), Some(&*text(0)));
}

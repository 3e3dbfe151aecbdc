//! Operations of a key through `KmsProvider`, beside those of the bare client: one after the other, on
//! a connection that is kept. The double answers at once; the time is what the client's thread computes.

use std::sync::Arc;

use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeySpec, KeyUsageType, SigningAlgorithmSpec};
use secrets_aws::KmsProvider;
use secrets_core::{
    DataKey, KeyLen, KeyProvider, KeyRef, SignatureAlgorithm, Signer, ToSign, WrapContext,
};

use super::place::Place;
use super::{bare, connected, runtime};
use crate::harness::{Case, Peer, Row};

const SDK: &str = "aws-sdk-kms 1.129";
const DATA_KEY: [u8; 32] = [7; 32];
const MESSAGE: [u8; 256] = [b'm'; 256];
/// What a data key is bound to.
const CONTEXT: (&str, &str) = ("tenant", "acme");

pub(super) fn rows() -> Vec<Row> {
    let keys = Arc::new(Keys::new());
    vec![generate(&keys), encrypt(&keys), decrypt(&keys), sign(&keys)]
}

/// A key that wraps and one that signs, by their ARNs.
pub(super) struct Keys {
    pub(super) place: Place,
    wrapping: String,
    signing: String,
}

impl Keys {
    pub(super) fn new() -> Self {
        let place = Place::new(0);
        let (wrapping, signing) = runtime().block_on(async {
            let client = bare::kms(&place);
            let wrapping = client.create_key().send().await.unwrap();
            let signing = client
                .create_key()
                .key_usage(KeyUsageType::SignVerify)
                .key_spec(KeySpec::EccNistP256);
            let signing = signing.send().await.unwrap();
            let arn = |key: Option<aws_sdk_kms::types::KeyMetadata>| key.unwrap().arn.unwrap();
            (arn(wrapping.key_metadata), arn(signing.key_metadata))
        });
        Self { place, wrapping, signing }
    }

    pub(super) fn wrapping(&self) -> KeyRef {
        KeyRef::new(&self.wrapping).unwrap()
    }

    async fn ours(&self) -> KmsProvider {
        KmsProvider::new(&self.place.clients().await)
    }

    /// A row whose operation is one request of either.
    fn row(&self, path: &'static str, size: usize, [ours, sdk]: [Case; 2]) -> Row {
        let case = |case: Case| case.by_computing().counting(self.place.calls());
        Row {
            path,
            threads: 1,
            size,
            unit: "bytes",
            ours: case(ours).at_most_calls(1.0),
            within: None,
            peers: vec![Peer::new(SDK, case(sdk))],
        }
    }
}

pub(super) fn context() -> WrapContext {
    WrapContext::new().with(CONTEXT.0, CONTEXT.1).unwrap()
}

pub(super) fn data_key() -> DataKey {
    DataKey::from_boxed(DATA_KEY.into())
}

fn generate(keys: &Arc<Keys>) -> Row {
    let at = Arc::clone(keys);
    let ours = connected(
        async move || (at.ours().await, at.wrapping()),
        async |(ours, key)| {
            let made = ours.generate_data_key(key, KeyLen::Bits256, &context()).await.unwrap();
            assert_eq!(made.0.expose_secret().len(), 32);
        },
    );
    let at = Arc::clone(keys);
    let sdk = connected(
        async move || (bare::kms(&at.place), at.wrapping.clone()),
        async |(sdk, key)| {
            let make = sdk.generate_data_key().key_id(key).number_of_bytes(32);
            let made = make.encryption_context(CONTEXT.0, CONTEXT.1).send().await.unwrap();
            assert_eq!(made.plaintext().unwrap().as_ref().len(), 32);
        },
    );
    keys.row("aws/KMS makes a data key (CPU time)", 32, [ours, sdk])
}

fn encrypt(keys: &Arc<Keys>) -> Row {
    let at = Arc::clone(keys);
    let ours = connected(
        async move || (at.ours().await, at.wrapping(), data_key()),
        async |(ours, key, data_key)| {
            let wrapped = ours.wrap_key(key, data_key, &context()).await.unwrap();
            assert!(!wrapped.ciphertext.is_empty());
        },
    );
    let at = Arc::clone(keys);
    let sdk = connected(
        async move || (bare::kms(&at.place), at.wrapping.clone()),
        async |(sdk, key)| {
            let encrypt = sdk.encrypt().key_id(key).plaintext(Blob::new(DATA_KEY));
            let told = encrypt.encryption_context(CONTEXT.0, CONTEXT.1).send().await.unwrap();
            assert!(!told.ciphertext_blob().unwrap().as_ref().is_empty());
        },
    );
    keys.row("aws/KMS encrypts a data key (CPU time)", 32, [ours, sdk])
}

fn decrypt(keys: &Arc<Keys>) -> Row {
    let at = Arc::clone(keys);
    let ours = connected(
        async move || {
            let ours = at.ours().await;
            let wrapped = ours.wrap_key(&at.wrapping(), &data_key(), &context()).await.unwrap();
            (ours, wrapped)
        },
        async |(ours, wrapped)| {
            let opened = ours.unwrap_key(wrapped, &context()).await.unwrap();
            assert_eq!(opened.expose_secret(), DATA_KEY);
        },
    );
    let at = Arc::clone(keys);
    let sdk = connected(
        async move || {
            let sdk = bare::kms(&at.place);
            let encrypt = sdk.encrypt().key_id(&at.wrapping).plaintext(Blob::new(DATA_KEY));
            let told = encrypt.encryption_context(CONTEXT.0, CONTEXT.1).send().await.unwrap();
            (sdk, at.wrapping.clone(), told.ciphertext_blob.unwrap())
        },
        async |(sdk, key, wrapped)| {
            let decrypt = sdk.decrypt().key_id(key).ciphertext_blob(wrapped.clone());
            let told = decrypt.encryption_context(CONTEXT.0, CONTEXT.1).send().await.unwrap();
            assert_eq!(told.plaintext().unwrap().as_ref(), DATA_KEY);
        },
    );
    keys.row("aws/KMS decrypts a data key (CPU time)", 32, [ours, sdk])
}

/// Ours makes of KMS's DER what tokens have.
fn sign(keys: &Arc<Keys>) -> Row {
    let at = Arc::clone(keys);
    let ours = connected(
        async move || (at.ours().await, KeyRef::new(&at.signing).unwrap()),
        async |(ours, key)| {
            let algorithm = SignatureAlgorithm::Es256;
            let signed = ours.sign(key, algorithm, ToSign::Message(&MESSAGE)).await.unwrap();
            assert_eq!(signed.bytes.len(), 64);
        },
    );
    let at = Arc::clone(keys);
    let sdk = connected(
        async move || (bare::kms(&at.place), at.signing.clone()),
        async |(sdk, key)| {
            let sign = sdk.sign().key_id(key).message(Blob::new(MESSAGE));
            let sign = sign.signing_algorithm(SigningAlgorithmSpec::EcdsaSha256);
            assert!(sign.send().await.unwrap().signature().is_some());
        },
    );
    keys.row("aws/KMS signs (CPU time)", MESSAGE.len(), [ours, sdk])
}

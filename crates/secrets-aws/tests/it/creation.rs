//! What a secret is made with: its key, its copies, its tags and its description, in one request.

use std::time::Duration;

use secrets_aws::{NewSecret, Overwrite, ReplicaRegion, ReplicaStatus};
use secrets_core::{
    Change, Effect, ErrorKind, GetOptions, IdempotencyKey, MetadataPatch, NativeId, Precondition,
    SecretProvider, SecretRef, SetOptions, VersionId,
};
use serde_json::json;

use super::support::{OnDouble, REGION, name, text};

const ABROAD: &str = "eu-central-1";

async fn key(on: &OnDouble) -> String {
    let made = on.boto3.call("kms", "CreateKey", json!({})).await.unwrap();
    made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
}

async fn arn(on: &OnDouble, id: &str, region: &str) -> SecretRef {
    let described = on.boto3("DescribeSecret", json!({ "SecretId": id })).await;
    let arn = described["ARN"].as_str().unwrap().replace(REGION, region);
    NativeId::new(&arn).unwrap().into()
}

/// Its value never lies under another key, and the copies are there with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_made_with_its_own_key_and_its_copies_at_once() {
    let on = OnDouble::start().await;
    let (provider, id, own) = (&on.provider, name("db"), key(&on).await);
    let there = format!("alias/billing-in-{ABROAD}");
    let new = NewSecret::default()
        .with_kms_key(&own)
        .with_replica(ReplicaRegion::new(ABROAD).with_kms_key(&there));
    let metadata = MetadataPatch::new()
        .tag("team", "blue")
        .description(Change::Set("the database".to_owned()));
    let options =
        SetOptions::new().with_token(IdempotencyKey::from_random([7; 16])).with_metadata(metadata);
    let make = || provider.create_secret(&id, text("1"), options.clone(), &new);
    on.double.calls().clear();
    let made = make().await.unwrap();
    assert_eq!(on.double.calls().total(), 1);
    // By its token it is the same creation.
    assert_eq!(make().await.unwrap().id, made.id);
    on.double.clock().advance(Duration::from_secs(10));
    assert_eq!(provider.kms_key_of(&id).await.unwrap(), Some(own));
    let described = provider.describe_secret(&id).await.unwrap();
    assert_eq!(described.description.as_deref(), Some("the database"));
    assert_eq!(described.tags.get("team").map(String::as_str), Some("blue"));
    let copies = provider.replicas(&id).await.unwrap();
    let [copy] = copies.as_slice() else { panic!("{copies:?}") };
    assert_eq!((copy.region.as_str(), copy.status), (ABROAD, ReplicaStatus::InSync));
    assert_eq!(copy.kms_key.as_deref(), Some(there.as_str()));
    let read = provider.get_secret(&arn(&on, "db", ABROAD).await, GetOptions::default()).await;
    assert!(read.is_err_and(|error| error.to_string().contains("KMS")), "the key is not there");

    let again = provider.create_secret(&id, text("2"), SetOptions::new(), &new).await.unwrap_err();
    assert_eq!((again.kind(), again.effect()), (ErrorKind::AlreadyExists, Effect::NotApplied));
}

/// A copy does not take the place of a secret unless it is said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_the_name_abroad_is_replaced_on_demand_alone() {
    let on = OnDouble::start().await;
    let provider = &on.provider;
    let abroad = peers::Boto3::start(
        on.double.url(),
        ABROAD,
        &peers::Credentials::new(
            on.double.credentials().access_key(),
            on.double.credentials().secret_key(),
        ),
    )
    .unwrap();
    let read_abroad = async |id: &str| {
        on.double.clock().advance(Duration::from_secs(10));
        let read = abroad.call("secretsmanager", "GetSecretValue", json!({ "SecretId": id })).await;
        read.unwrap()["SecretString"].as_str().unwrap().to_owned()
    };
    for id in ["made", "copied"] {
        let foreign = json!({ "Name": id, "SecretString": "foreign" });
        abroad.call("secretsmanager", "CreateSecret", foreign).await.unwrap();
        let (reference, region) = (name(id), ReplicaRegion::new(ABROAD));
        let new = NewSecret::default().with_replica(region.clone());
        if id == "made" {
            let made = provider.create_secret(&reference, text("ours"), SetOptions::new(), &new);
            made.await.unwrap();
        } else {
            provider.set_secret(&reference, text("ours"), SetOptions::new()).await.unwrap();
            provider
                .replicate(&reference, std::slice::from_ref(&region), Overwrite::Refuse)
                .await
                .unwrap();
        }
        on.settle();
        let copies = provider.replicas(&reference).await.unwrap();
        assert_eq!(copies[0].status, ReplicaStatus::Failed, "{copies:?}");
        assert_eq!(read_abroad(id).await, "foreign");
        provider.replicate(&reference, &[region], Overwrite::Force).await.unwrap();
        assert_eq!(read_abroad(id).await, "ours");
    }
    abroad
        .call("secretsmanager", "CreateSecret", json!({ "Name": "forced", "SecretString": "old" }))
        .await
        .unwrap();
    let new = NewSecret::default()
        .with_replica(ReplicaRegion::new(ABROAD))
        .with_overwrite(Overwrite::Force);
    let options = SetOptions::new();
    provider.create_secret(&name("forced"), text("ours"), options, &new).await.unwrap();
    assert_eq!(read_abroad("forced").await, "ours");
}

/// What cannot be said of a first version is refused before any call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_version_is_current_and_follows_none() {
    let on = OnDouble::start().await;
    let (base, new) = (VersionId::new(&"0".repeat(36)).unwrap(), NewSecret::default());
    for options in [SetOptions::pending(), SetOptions::new().when(Precondition::CurrentIs(base))] {
        let made = on.provider.create_secret(&name("db"), text("1"), options, &new).await;
        assert_eq!(made.unwrap_err().kind(), ErrorKind::Unsupported);
    }
    assert_eq!(on.double.calls().total(), 0);
}

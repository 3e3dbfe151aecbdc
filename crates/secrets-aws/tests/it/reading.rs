//! What others wrote is read, and what is written here others read: boto3 beside the provider.

use secrets_core::{
    ErrorKind, GetOptions, MetadataPatch, NativeId, SecretProvider, SecretRef, SecretValue,
    SetOptions, Stage, VersionSelector,
};
use serde_json::json;

use super::support::{OnDouble, OnMoto, content, name, text, value};

fn binary() -> SecretValue {
    SecretValue::copy_from_slice(&[0, 159, 146, 150, 255])
}

async fn get(provider: &impl SecretProvider, id: &SecretRef, v: VersionSelector) -> SecretValue {
    provider.get_secret(id, GetOptions::version(v)).await.unwrap().value
}

/// Text, bytes and every stage, written by boto3 and read by the provider.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_boto3_writes_is_read() {
    let on = OnDouble::start().await;
    for (id, first, second) in [("text", text("old"), text("new")), ("bytes", binary(), binary())] {
        let (field, secret) = content(&first);
        on.boto3("CreateSecret", json!({ "Name": id, field: secret })).await;
        let (field, secret) = content(&second);
        on.boto3("PutSecretValue", json!({ "SecretId": id, field: secret })).await;
        let pending =
            json!({ "SecretId": id, field: content(&first).1, "VersionStages": ["AWSPENDING"] });
        on.boto3("PutSecretValue", pending).await;
        on.settle();
        let id = name(id);
        let read = [
            (VersionSelector::Current, &second),
            (VersionSelector::Previous, &first),
            (VersionSelector::Pending, &first),
        ];
        for (version, wanted) in read {
            assert!(get(&on.provider, &id, version).await.ct_eq(wanted));
        }
    }
}

/// Text lies where text is looked for, bytes where bytes are, with tags and stages.
async fn is_read_by_boto3(provider: &impl SecretProvider, boto3: &peers::Boto3, settle: impl Fn()) {
    let call = async |operation: &str, parameters| {
        boto3.call("secretsmanager", operation, parameters).await.unwrap()
    };
    for (id, secret, field) in
        [("text", text("plain \u{1f511}"), "SecretString"), ("bytes", binary(), "SecretBinary")]
    {
        let id_ref = name(id);
        let tags = MetadataPatch::new().tag("team", "blue");
        let options = SetOptions::new().with_metadata(tags);
        let current = provider.set_secret(&id_ref, secret.clone(), options).await.unwrap();
        let pending = provider.set_secret(&id_ref, binary(), SetOptions::pending()).await.unwrap();
        settle();
        let read = call("GetSecretValue", json!({ "SecretId": id })).await;
        assert!(read.get(field).is_some() && value(&read).ct_eq(&secret), "{id}");
        let described = call("DescribeSecret", json!({ "SecretId": id })).await;
        assert_eq!(described["Tags"], json!([{ "Key": "team", "Value": "blue" }]));
        let stages = &described["VersionIdsToStages"];
        assert_eq!(stages[current.id.as_str()], json!(["AWSCURRENT"]));
        assert_eq!(stages[pending.id.as_str()], json!(["AWSPENDING"]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_reads_what_is_written() {
    let on = OnDouble::start().await;
    is_read_by_boto3(&on.provider, &on.boto3, || on.settle()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_reads_what_is_written_on_moto() {
    let on = OnMoto::start().await;
    is_read_by_boto3(&on.provider, &on.boto3, || {}).await;
}

/// A value that another client keeps in `SecretBinary` although it is text stays there when it is
/// written back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_form_of_a_value_is_kept() {
    let on = OnDouble::start().await;
    let bytes = peers::Boto3::bytes(b"ascii keystore");
    on.boto3("CreateSecret", json!({ "Name": "store", "SecretBinary": bytes })).await;
    on.settle();
    let read = get(&on.provider, &name("store"), VersionSelector::Current).await;
    on.provider.set_secret(&name("store"), read, SetOptions::new()).await.unwrap();
    on.settle();
    let read = on.boto3("GetSecretValue", json!({ "SecretId": "store" })).await;
    assert_eq!(peers::Boto3::to_bytes(&read["SecretBinary"]).unwrap(), b"ascii keystore");
}

/// By name, by ARN, by ARN without its end; and the ARN whose end is taken for one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arns_are_read_and_the_suffix_trap_is_told() {
    let on = OnDouble::start().await;
    let provider = &on.provider;
    let native = |id: &str| SecretRef::from(NativeId::new(id).unwrap());
    for id in ["db/main", "db-master"] {
        let made = on.boto3("CreateSecret", json!({ "Name": id, "SecretString": id })).await;
        on.settle();
        let arn = made["ARN"].as_str().unwrap();
        let partial = arn.rsplit_once('-').unwrap().0;
        assert!(get(provider, &native(arn), VersionSelector::Current).await.ct_eq(&text(id)));
        assert!(get(provider, &name(id), VersionSelector::Current).await.ct_eq(&text(id)));
        let described = provider.describe_secret(&native(partial)).await;
        let read = provider.get_secret(&native(partial), GetOptions::default()).await;
        if id == "db/main" {
            assert!(read.unwrap().value.ct_eq(&text(id)));
            assert_eq!(described.unwrap().reference, native(arn));
        } else {
            for error in [read.unwrap_err(), described.unwrap_err()] {
                assert_eq!(error.kind(), ErrorKind::NotFound);
                assert!(error.to_string().contains("six characters"), "{error}");
                assert!(error.request_id().is_some());
            }
        }
    }
    let foreign = native("arn:aws:kms:eu-west-1:111122223333:key/1");
    let before = on.double.calls().total();
    let read = provider.get_secret(&foreign, GetOptions::default()).await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::InvalidName);
    assert_eq!(on.double.calls().total(), before, "refused before any call");
}

/// `RotateSecret` makes a pending version without a value; promoting it would leave every reader
/// without a secret.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pending_version_without_a_value_is_neither_read_nor_promoted() {
    let on = OnDouble::start().await;
    let (provider, id) = (&on.provider, name("db"));
    let base = provider.set_secret(&id, text("current"), SetOptions::new()).await.unwrap();
    let function = "arn:aws:lambda:eu-west-1:111122223333:function:rotate";
    on.double.rotations().fail(function);
    let plan = secrets_aws::RotationPlan::by_function(function)
        .with_schedule(secrets_aws::RotationSchedule::Days(30));
    let begun = provider.configure_rotation(&id, &plan).await.unwrap().unwrap();
    on.settle();
    let options = GetOptions::version(VersionSelector::Pending);
    let read = provider.get_secret(&id, options).await.unwrap_err();
    assert_eq!(read.kind(), ErrorKind::NotFound);
    let token = secrets_core::IdempotencyKey::from_random([7; 16]);
    let promoted = provider.promote(&id, &begun, &base.id, &token).await.unwrap_err();
    assert_eq!(promoted.kind(), ErrorKind::NotFound);
    on.settle();
    let current = provider.get_secret(&id, GetOptions::default()).await.unwrap();
    assert!(current.value.ct_eq(&text("current")));
    assert!(current.version.stages.contains(Stage::Current));
}

//! What others wrote is read, and what is written here others read: boto3 beside the provider.

use secrets_aws::SecretsManagerProvider;
use secrets_core::{
    ErrorKind, GetOptions, MetadataPatch, NativeId, SecretProvider, SecretRef, SecretValue,
    SetOptions, Stage, VersionId, VersionSelector,
};
use serde_json::json;

use super::server::{Answer, Server};
use super::support::{OnDouble, OnMoto, clients, content, name, text, value};

fn binary() -> SecretValue {
    SecretValue::copy_from_slice(&[0, 159, 146, 150, 255])
}

async fn get(provider: &impl SecretProvider, id: &SecretRef, v: VersionSelector) -> SecretValue {
    provider.get_secret(id, GetOptions::version(v)).await.unwrap().value
}

/// Text, bytes, every stage, tags and a description, written by boto3 and read by the provider.
async fn is_read_here(provider: &impl SecretProvider, boto3: &peers::Boto3, settle: impl Fn()) {
    let call = async |operation: &str, parameters| {
        boto3.call("secretsmanager", operation, parameters).await.unwrap()
    };
    for (id, first, second) in [("text", text("old"), text("new")), ("bytes", binary(), binary())] {
        let (field, secret) = content(&first);
        let tags = json!([{ "Key": "Team", "Value": "blue" }, { "Key": "empty", "Value": "" }]);
        let made = json!({ "Name": id, field: secret, "Tags": tags, "Description": "theirs" });
        call("CreateSecret", made).await;
        let (field, secret) = content(&second);
        call("PutSecretValue", json!({ "SecretId": id, field: secret })).await;
        let pending =
            json!({ "SecretId": id, field: content(&first).1, "VersionStages": ["AWSPENDING"] });
        let pending = call("PutSecretValue", pending).await;
        settle();
        let id = name(id);
        let read = [
            (VersionSelector::Current, &second),
            (VersionSelector::Previous, &first),
            (VersionSelector::Pending, &first),
        ];
        for (version, wanted) in read {
            assert!(get(provider, &id, version).await.ct_eq(wanted));
        }
        let described = provider.describe_secret(&id).await.unwrap();
        let tags: Vec<_> = described.tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(tags, [("Team", "blue"), ("empty", "")]);
        assert_eq!(described.description.as_deref(), Some("theirs"));
        assert_eq!(described.pending.unwrap().as_str(), pending["VersionId"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_boto3_writes_is_read() {
    let on = OnDouble::start().await;
    is_read_here(&on.provider, &on.boto3, || on.settle()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_boto3_writes_on_moto_is_read() {
    let on = OnMoto::start().await;
    is_read_here(&on.provider, &on.boto3, || {}).await;
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

/// What other services of AWS keep, such as the password of a database's master user: its name has a
/// `!`, which no name of ours has. It is listed, read by what the list says, by ARN and in a batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_secrets_of_other_services_are_read() {
    let on = OnDouble::start().await;
    let id = "rds!cluster-36d996b5-5fe6-4775-889e-c2ef1fedb072";
    let made = on.boto3("CreateSecret", json!({ "Name": id, "SecretString": "master" })).await;
    on.provider.set_secret(&name("db"), text("own"), SetOptions::new()).await.unwrap();
    on.double.clock().advance(std::time::Duration::from_secs(600));
    let listed = on.provider.list_secrets(&Default::default(), Default::default()).await.unwrap();
    let listed: Vec<_> = listed.items.into_iter().map(|info| info.reference).collect();
    let native = SecretRef::from(NativeId::new(id).unwrap());
    assert!(listed.contains(&native), "{listed:?}");
    let arn = made["ARN"].as_str().unwrap();
    let partial = arn.rsplit_once('-').unwrap().0;
    let by = [arn, partial].map(|arn| SecretRef::from(NativeId::new(arn).unwrap()));
    for reference in by.iter().chain(&listed) {
        get(&on.provider, reference, VersionSelector::Current).await;
        on.provider.describe_secret(reference).await.unwrap();
    }
    let wanted: Vec<_> = listed.into_iter().map(|id| (id, GetOptions::default())).collect();
    on.double.calls().clear();
    assert!(on.provider.get_secrets(&wanted).await.unwrap().iter().all(Result::is_ok));
    assert_eq!(on.double.calls().total(), 1, "in one batch");
    assert!(get(&on.provider, &native, VersionSelector::Current).await.ct_eq(&text("master")));
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

/// Text that would go to `SecretBinary` were it ours, and which others keep in `SecretString`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_with_control_characters_stays_text_for_others() {
    let on = OnDouble::start().await;
    let written = "form\u{c}feed \u{7f}\u{85}";
    on.boto3("CreateSecret", json!({ "Name": "page", "SecretString": written })).await;
    on.settle();
    let read = get(&on.provider, &name("page"), VersionSelector::Current).await;
    on.provider.set_secret(&name("page"), read, SetOptions::new()).await.unwrap();
    on.settle();
    let read = on.boto3("GetSecretValue", json!({ "SecretId": "page" })).await;
    assert_eq!(read["SecretString"], written);
}

/// AWS counts the bytes of UTF-8, and those of binary values before base64.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_of_the_largest_size_are_kept() {
    let on = OnDouble::start().await;
    let two_bytes = "\u{e9}".repeat(32_768);
    let cases = [text(&two_bytes), SecretValue::from_vec(vec![0xff; 65_536])];
    for (at, largest) in cases.into_iter().enumerate() {
        let id = name(&format!("large/{at}"));
        on.provider.set_secret(&id, largest.clone(), SetOptions::new()).await.unwrap();
        on.settle();
        assert!(get(&on.provider, &id, VersionSelector::Current).await.ct_eq(&largest));
        let boto3 = on.boto3("GetSecretValue", json!({ "SecretId": id.to_string() })).await;
        assert!(value(&boto3).ct_eq(&largest));
        let before = on.double.calls().total();
        let mut more = largest.expose_secret().to_vec();
        more.push(b'x');
        let more = SecretValue::from_vec(more);
        let refused = on.provider.set_secret(&id, more, SetOptions::new()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooLarge);
        assert_eq!(on.double.calls().total(), before, "refused before any call");
    }
}

/// Answers that got out of step are refused, whatever is in them.
#[tokio::test]
async fn an_answer_about_another_secret_or_version_is_refused() {
    let versions = ["0", "1"].map(|digit| digit.repeat(36));
    let told = json!({
        "Name": "other", "VersionId": versions[0], "SecretString": "hunter2-canary",
        "ARN": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:other-AbC123",
        "VersionStages": ["AWSCURRENT"],
    });
    let server = Server::start(move |_| Answer::new(200, told.to_string())).await;
    let provider = SecretsManagerProvider::new(&clients(&server.url).await);
    let id = |digit: usize| VersionSelector::Id(VersionId::new(&versions[digit]).unwrap());
    let arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbC123";
    let arn = SecretRef::from(NativeId::new(arn).unwrap());
    let wrong = [
        (name("db"), VersionSelector::Current),
        (name("db"), id(0)),
        (arn, VersionSelector::Current),
        (name("other"), id(1)),
    ];
    for (reference, version) in wrong {
        let read = provider.get_secret(&reference, GetOptions::version(version)).await;
        let refused = read.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Integrity, "{reference}");
        assert!(!format!("{refused:?} {refused}").contains("canary"));
    }
    for version in [VersionSelector::Current, id(0)] {
        get(&provider, &name("other"), version).await;
    }
}

/// No identity reaches from one partition into another: nothing is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_arn_of_another_partition_is_refused() {
    let on = OnDouble::start().await;
    on.provider.set_secret(&name("db"), text("1"), SetOptions::new()).await.unwrap();
    on.settle();
    let described = on.boto3("DescribeSecret", json!({ "SecretId": "db" })).await;
    let own = described["ARN"].as_str().unwrap();
    let native = |id: &str| SecretRef::from(NativeId::new(id).unwrap());
    let other = native(&own.replace("arn:aws:", "arn:aws-cn:"));
    on.double.calls().clear();
    let wanted = [&other, &native(own), &native(own.rsplit_once('-').unwrap().0)];
    let wanted = wanted.map(|id| (id.clone(), GetOptions::default()));
    let answers = on.provider.get_secrets(&wanted).await.unwrap();
    let refused = answers[0].as_ref().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidValue);
    assert!(refused.to_string().contains("partition"), "{refused}");
    assert!(answers[1].is_ok() && answers[2].is_ok());
    assert_eq!(on.double.calls().total(), 1);
}

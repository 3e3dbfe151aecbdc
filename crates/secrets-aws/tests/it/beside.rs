//! What Secrets Manager has beside the contract.

use std::time::Duration;

use aws_double::Fault;
use secrets_aws::{
    Overwrite, PasswordRules, PublicAccess, ReplicaRegion, ReplicaStatus, RotationOutcome,
    RotationPlan, RotationSchedule, RotationStart,
};
use secrets_core::{
    DeleteMode, Effect, ErrorKind, GetOptions, IdempotencyKey, SecretProvider, SetOptions,
    VersionId,
};
use serde_json::json;

use super::support::{OnDouble, name, text};

const FUNCTION: &str = "arn:aws:lambda:eu-west-1:111122223333:function:rotate";

fn plan() -> RotationPlan {
    RotationPlan::by_function(FUNCTION).with_schedule(RotationSchedule::Days(30))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_are_put_read_checked_and_taken_away() {
    let on = OnDouble::start().await;
    let (provider, id) = (&on.provider, name("db"));
    provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap();
    on.settle();
    assert_eq!(provider.resource_policy(&id).await.unwrap(), None);
    let policy = |principal: &str| {
        let statement = json!({
            "Effect": "Allow",
            "Principal": { "AWS": principal },
            "Action": "secretsmanager:GetSecretValue",
            "Resource": "*",
        });
        json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
    };
    let (narrow, open) = (policy("arn:aws:iam::444455556666:root"), policy("*"));
    provider.put_resource_policy(&id, &narrow, PublicAccess::Blocked).await.unwrap();
    on.settle();
    let read = provider.resource_policy(&id).await.unwrap().unwrap();
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(parsed(&read), parsed(&narrow));
    let refused = provider.put_resource_policy(&id, &open, PublicAccess::Blocked).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidValue);
    let refused = provider.put_resource_policy(&id, "{", PublicAccess::Blocked).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidValue);
    provider.put_resource_policy(&id, &open, PublicAccess::InsecureAllowed).await.unwrap();
    assert_eq!(provider.validate_resource_policy(&id, &narrow).await.unwrap(), []);
    assert!(!provider.validate_resource_policy(&id, &open).await.unwrap().is_empty());
    provider.delete_resource_policy(&id).await.unwrap();
    provider.delete_resource_policy(&id).await.unwrap();
    on.settle();
    assert_eq!(provider.resource_policy(&id).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_in_other_regions_are_made_kept_in_step_and_detached() {
    let on = OnDouble::start().await;
    let (provider, id) = (&on.provider, name("db"));
    provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap();
    on.settle();
    let regions = [ReplicaRegion::new("eu-central-1"), ReplicaRegion::new("us-east-1")];
    let made = provider.replicate(&id, &regions, Overwrite::Refuse).await.unwrap();
    assert_eq!(made.len(), 2);
    on.double.clock().advance(Duration::from_secs(10));
    let copies = provider.replicas(&id).await.unwrap();
    assert!(copies.iter().all(|copy| copy.status == ReplicaStatus::InSync), "{copies:?}");
    let described = on.boto3("DescribeSecret", json!({ "SecretId": "db" })).await;
    let arn = described["ARN"].as_str().unwrap();
    let there = arn.replace(super::support::REGION, "eu-central-1");
    let there = secrets_core::NativeId::new(&there).unwrap();
    let read = provider.get_secret(&there.clone().into(), GetOptions::default()).await.unwrap();
    assert!(read.value.ct_eq(&text("1")));
    // A secret with copies cannot be deleted, and a copy not written: it is said why.
    let window = None;
    for mode in [DeleteMode::Immediate, DeleteMode::Recoverable { window }] {
        let refused = provider.delete_secret(&id, mode).await.unwrap_err();
        assert_eq!((refused.kind(), refused.effect()), (ErrorKind::Conflict, Effect::NotApplied));
        let told = refused.to_string();
        assert!(told.contains("copies") && told.contains("eu-central-1, us-east-1"), "{told}");
    }
    let refused = provider.set_secret(&there.clone().into(), text("2"), SetOptions::new()).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert!(refused.to_string().contains("is one"), "{refused}");
    let arn = secrets_core::NativeId::new(arn).unwrap();
    let detached = provider.detach_replica(&arn, "eu-central-1").await.unwrap();
    assert_eq!(detached, there.into());
    let left = provider.remove_replicas(&id, &["us-east-1"]).await.unwrap();
    assert!(left.iter().all(|copy| copy.region != "us-east-1"), "{left:?}");
    let nowhere = secrets_core::NativeId::new("db").unwrap();
    let refused = provider.detach_replica(&nowhere, "eu-central-1").await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidName);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_keep_their_rules() {
    let on = OnDouble::start().await;
    let rules = PasswordRules::of_length(40).without_punctuation().without_characters("abcXYZ09");
    let one = on.provider.random_password(&rules).await.unwrap();
    let one = one.expose_secret_text().unwrap();
    assert_eq!(one.len(), 40);
    assert!(one.chars().all(|c| c.is_ascii_alphanumeric() && !"abcXYZ09".contains(c)), "{one}");
    let unfit = PasswordRules::of_length(0);
    let refused = on.provider.random_password(&unfit).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidValue);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_of_awss_own_is_configured_and_watched_to_its_end() {
    let on = OnDouble::start().await;
    let (provider, id) = (&on.provider, name("db"));
    provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap();
    on.settle();
    on.double.rotations().complete_with(FUNCTION, |_| "2".to_owned());
    let begun = provider.configure_rotation(&id, &plan()).await.unwrap().unwrap();
    let within = Duration::from_secs(10);
    let outcome = provider.watch_rotation(&id, &begun, within).await.unwrap();
    assert_eq!(outcome, RotationOutcome::Finished);
    on.settle();
    let current = provider.get_secret(&id, GetOptions::default()).await.unwrap();
    assert!(current.value.ct_eq(&text("2")) && current.version.id == begun);
    let status = provider.rotation_status(&id).await.unwrap();
    assert!(status.enabled && status.under_way.is_none() && status.last.is_some());
    assert_eq!((status.function.as_deref(), status.current), (Some(FUNCTION), Some(begun.clone())));
    let next = provider.rotate_now(&id, None).await.unwrap().unwrap();
    assert_ne!(next, begun);
}

/// What a plan says is what AWS is told, and a token begins one rotation however often it is sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_kept_to_and_a_token_begins_one_rotation() {
    let on = OnDouble::start().await;
    let (provider, id) = (&on.provider, name("db"));
    let first = provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap();
    on.settle();
    on.double.rotations().complete_with(FUNCTION, |event| format!("made for {}", event.token));
    let schedule = RotationSchedule::Expression("cron(0 8 1 * ? *)".to_owned());
    let later = RotationPlan::by_function(FUNCTION)
        .with_schedule(schedule)
        .with_window("3h")
        .starting(RotationStart::Scheduled);
    assert_eq!(provider.configure_rotation(&id, &later).await.unwrap(), None);
    on.settle();
    let rules = json!({ "ScheduleExpression": "cron(0 8 1 * ? *)", "Duration": "3h" });
    let described = on.boto3("DescribeSecret", json!({ "SecretId": "db" })).await;
    assert_eq!(described["RotationRules"], rules);
    assert_eq!(described["VersionIdsToStages"], json!({ first.id.as_str(): ["AWSCURRENT"] }));

    let token = IdempotencyKey::from_random([7; 16]);
    let begun = provider.rotate_now(&id, Some(&token)).await.unwrap();
    assert_eq!(begun.as_ref().map(VersionId::as_str), Some(token.as_str()));
    let again = provider.rotate_now(&id, Some(&token)).await.unwrap();
    assert_eq!(again, begun);
    on.settle();
    let versions = provider.list_versions(&id, Default::default()).await.unwrap();
    assert_eq!(versions.items.len(), 2, "{:?}", versions.items);
    let days = RotationPlan::by_function(FUNCTION).with_schedule(RotationSchedule::Days(45));
    provider.configure_rotation(&id, &days).await.unwrap();
    on.settle();
    let described = on.boto3("DescribeSecret", json!({ "SecretId": "db" })).await;
    assert_eq!(described["RotationRules"], json!({ "AutomaticallyAfterDays": 45 }));
}

/// An answer is lost, and what the next attempt hears is that something is in the way: the rotation
/// itself, under way or over already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_whose_answer_is_lost_has_begun() {
    let on = OnDouble::start().await;
    let (provider, id) = (&on.provider, name("db"));
    provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap();
    on.settle();
    on.double.rotations().complete_with(FUNCTION, |_| "2".to_owned());
    on.double.faults().script("RotateSecret", [Some(Fault::LostReply)]);
    let over = provider.configure_rotation(&id, &plan()).await.unwrap().unwrap();
    on.settle();
    let current = provider.get_secret(&id, GetOptions::default()).await.unwrap();
    assert!(current.version.id == over && current.value.ct_eq(&text("2")));

    on.double.rotations().fail(FUNCTION);
    let message = "A previous rotation isn't complete. That rotation will be reattempted.".into();
    let refusal = Fault::Refuse { status: 400, code: "InvalidRequestException".into(), message };
    on.double.faults().script("RotateSecret", [Some(Fault::LostReply), Some(refusal)]);
    let begun = provider.rotate_now(&id, None).await.unwrap().unwrap();
    on.settle();
    assert_eq!(provider.rotation_status(&id).await.unwrap().under_way, Some(begun));

    // A token that no version bears is refused for another reason.
    let refusal =
        Fault::Refuse { status: 400, code: "ResourceExistsException".into(), message: "".into() };
    on.double.faults().script("RotateSecret", [Some(refusal)]);
    let refused = provider.rotate_now(&id, None).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
}

/// A rotation that does not finish: what holds it up is told, and after a cancellation the next one
/// begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_rotation_is_explained_and_cleared() {
    let on = OnDouble::start().await;
    let (provider, id) = (&on.provider, name("db"));
    provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap();
    on.settle();
    on.double.rotations().fail(FUNCTION);
    let begun = provider.configure_rotation(&id, &plan()).await.unwrap().unwrap();
    on.settle();
    let within = Duration::from_millis(200);
    let outcome = provider.watch_rotation(&id, &begun, within).await.unwrap();
    assert_eq!(outcome, RotationOutcome::Stuck { has_value: false });
    let refused = provider.rotate_now(&id, None).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    let told = refused.to_string();
    assert!(told.contains(begun.as_str()) && told.contains("has no value"), "{told}");
    assert!(refused.request_id().is_some());

    assert_eq!(provider.cancel_rotation(&id).await.unwrap(), Some(begun.clone()));
    on.settle();
    assert_eq!(provider.cancel_rotation(&id).await.unwrap(), None, "repeating is harmless");
    let status = provider.rotation_status(&id).await.unwrap();
    assert!(!status.enabled && status.under_way.is_none());
    let outcome = provider.watch_rotation(&id, &begun, within).await.unwrap();
    assert_eq!(outcome, RotationOutcome::Dropped);
    on.double.rotations().complete_with(FUNCTION, |_| "2".to_owned());
    let begun = provider.configure_rotation(&id, &plan()).await.unwrap().unwrap();
    let outcome = provider.watch_rotation(&id, &begun, Duration::from_secs(10)).await.unwrap();
    assert_eq!(outcome, RotationOutcome::Finished);
}

/// A key for created secrets, and another one later; a key that cannot be used is told as that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_have_keys_of_their_own() {
    let on = OnDouble::start().await;
    let key = async || {
        let made = on.boto3.call("kms", "CreateKey", json!({})).await.unwrap();
        made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
    };
    let (first, second) = (key().await, key().await);
    let keys = on.double.credentials();
    let clients =
        super::support::clients_as(on.double.url(), keys.access_key(), keys.secret_key()).await;
    let provider = secrets_aws::SecretsManagerProvider::builder(&clients)
        .with_kms_key(&first)
        .with_read_patience(Duration::from_millis(200))
        .build();
    let id = name("db");
    provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap();
    on.settle();
    assert_eq!(provider.kms_key_of(&id).await.unwrap().as_ref(), Some(&first));
    provider.set_kms_key_of(&id, Some(&second)).await.unwrap();
    on.settle();
    assert_eq!(provider.kms_key_of(&id).await.unwrap().as_ref(), Some(&second));
    on.boto3.call("kms", "DisableKey", json!({ "KeyId": second })).await.unwrap();
    for _ in 0..2 {
        on.settle();
    }
    let read = provider.get_secret(&id, GetOptions::default()).await.unwrap_err();
    assert_eq!(read.kind(), ErrorKind::PermissionDenied, "{read}");
    assert!(read.to_string().contains("KMS"), "{read}");
}

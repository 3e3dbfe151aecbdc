//! The services beside Secrets Manager through boto3, which knows nothing of this crate.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_double::{AwsDouble, Issuer, Role};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_ASN1, UnparsedPublicKey};
use peers::{Boto3, Credentials, Moto};
use serde_json::{Value, json};

fn client(double: &AwsDouble, keys: &aws_double::Credentials) -> Boto3 {
    let credentials = Credentials::new(keys.access_key(), keys.secret_key());
    Boto3::start(double.url(), double.region(), &credentials).unwrap()
}

async fn ok(boto3: &Boto3, service: &str, operation: &str, input: Value) -> Value {
    let answer = boto3.call(service, operation, input).await;
    answer.unwrap_or_else(|refused| panic!("{service} {operation}: {refused:?}"))
}

async fn code(boto3: &Boto3, service: &str, operation: &str, input: Value) -> String {
    boto3.call(service, operation, input).await.unwrap_err().code
}

#[tokio::test]
async fn keys_work_by_boto3() {
    let double = AwsDouble::start().await.unwrap();
    let boto3 = client(&double, double.credentials());
    let kms = async |operation: &str, input| ok(&boto3, "kms", operation, input).await;
    let made = kms("CreateKey", json!({ "Description": "by boto3" })).await;
    let key = made["KeyMetadata"]["Arn"].clone();
    assert!(made["KeyMetadata"]["CreationDate"]["$time"].is_number());
    kms("CreateAlias", json!({ "AliasName": "alias/app", "TargetKeyId": key })).await;
    let context = json!({ "tenant": "a" });
    let input = json!({ "KeyId": "alias/app", "KeySpec": "AES_256", "EncryptionContext": context });
    let data_key = kms("GenerateDataKey", input).await;
    kms("RotateKeyOnDemand", json!({ "KeyId": key })).await;
    let open =
        json!({ "CiphertextBlob": data_key["CiphertextBlob"], "EncryptionContext": context });
    let opened = kms("Decrypt", open).await;
    assert_eq!((&opened["Plaintext"], &opened["KeyId"]), (&data_key["Plaintext"], &key));
    assert_eq!(opened["KeyMaterialId"], data_key["KeyMaterialId"]);
    let rotations =
        kms("ListKeyRotations", json!({ "KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL" }))
            .await;
    assert_eq!(rotations["Rotations"].as_array().unwrap().len(), 2);
    kms("EnableKeyRotation", json!({ "KeyId": key, "RotationPeriodInDays": 180 })).await;
    let status = kms("GetKeyRotationStatus", json!({ "KeyId": key })).await;
    assert_eq!(status["RotationPeriodInDays"], 180);
    let wrong = json!({ "CiphertextBlob": data_key["CiphertextBlob"] });
    assert_eq!(code(&boto3, "kms", "Decrypt", wrong).await, "InvalidCiphertextException");
    kms("DisableKey", json!({ "KeyId": key })).await;
    let refused = boto3
        .call("kms", "GenerateDataKey", json!({ "KeyId": key, "KeySpec": "AES_256" }))
        .await
        .unwrap_err();
    assert_eq!((refused.code.as_str(), refused.status), ("DisabledException", Some(400)));
    assert!(refused.request_id.is_some_and(|id| id.len() == 36));
    kms("ScheduleKeyDeletion", json!({ "KeyId": key, "PendingWindowInDays": 7 })).await;
    let described = kms("DescribeKey", json!({ "KeyId": key })).await;
    assert_eq!(described["KeyMetadata"]["KeyState"], "PendingDeletion");
    let input = json!({ "KeyId": key, "KeySpec": "AES_256" });
    assert_eq!(code(&boto3, "kms", "GenerateDataKey", input).await, "KMSInvalidStateException");
}

#[tokio::test]
async fn signatures_and_grants_work_by_boto3() {
    let double = AwsDouble::start().await.unwrap();
    let boto3 = client(&double, double.credentials());
    let kms = async |operation: &str, input| ok(&boto3, "kms", operation, input).await;
    let made =
        kms("CreateKey", json!({ "KeySpec": "ECC_NIST_P384", "KeyUsage": "SIGN_VERIFY" })).await;
    let key = made["KeyMetadata"]["KeyId"].clone();
    let input =
        json!({ "KeyId": key, "Message": Boto3::bytes(b"m"), "SigningAlgorithm": "ECDSA_SHA_384" });
    let signed = kms("Sign", input).await;
    let public = kms("GetPublicKey", json!({ "KeyId": key })).await;
    let bytes = |value: &Value| Boto3::to_bytes(value).unwrap();
    let public = UnparsedPublicKey::new(&ECDSA_P384_SHA384_ASN1, bytes(&public["PublicKey"]));
    public.verify(b"m", &bytes(&signed["Signature"])).unwrap();
    let input = json!({ "KeyId": key, "Message": Boto3::bytes(b"n"), "Signature": signed["Signature"], "SigningAlgorithm": "ECDSA_SHA_384" });
    assert_eq!(code(&boto3, "kms", "Verify", input).await, "KMSInvalidSignatureException");
    let grantee = "arn:aws:iam::111122223333:user/g";
    let grant =
        json!({ "KeyId": key, "GranteePrincipal": grantee, "Operations": ["Sign"], "Name": "n" });
    let made = kms("CreateGrant", grant).await;
    let listed = kms("ListGrants", json!({ "KeyId": key })).await;
    assert_eq!(
        (&listed["Grants"][0]["GrantId"], &listed["Grants"][0]["Operations"]),
        (&made["GrantId"], &json!(["Sign"]))
    );
    kms("RetireGrant", json!({ "GrantToken": made["GrantToken"] })).await;
    assert_eq!(kms("ListGrants", json!({ "KeyId": key })).await["Grants"], json!([]));
}

#[tokio::test]
async fn roles_work_by_boto3() {
    let double = AwsDouble::start().await.unwrap();
    let boto3 = client(&double, double.credentials());
    let role = Role::new("deployer").trusting("111122223333").external_id("agreed");
    let role = double.roles().add(double.account(), role);
    let mut input = json!({ "RoleArn": role, "RoleSessionName": "run", "DurationSeconds": 900 });
    assert_eq!(code(&boto3, "sts", "AssumeRole", input.clone()).await, "AccessDenied");
    input["ExternalId"] = json!("agreed");
    input["Tags"] = json!([{ "Key": "team", "Value": "a & <b>" }]);
    let assumed = ok(&boto3, "sts", "AssumeRole", input).await;
    let text = |name: &str| assumed["Credentials"][name].as_str().unwrap().to_owned();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let lasts = assumed["Credentials"]["Expiration"]["$time"].as_f64().unwrap() - now;
    assert!((890.0..=901.0).contains(&lasts), "{lasts}");
    let session = Credentials::new(&text("AccessKeyId"), &text("SecretAccessKey"))
        .with_session_token(&text("SessionToken"));
    let session = Boto3::start(double.url(), double.region(), &session).unwrap();
    let who = ok(&session, "sts", "GetCallerIdentity", json!({})).await;
    assert_eq!(who["Arn"], "arn:aws:sts::111122223333:assumed-role/deployer/run");
    double.clock().advance(Duration::from_secs(901));
    assert_eq!(code(&session, "sts", "GetCallerIdentity", json!({})).await, "ExpiredToken");
    assert_eq!(code(&session, "kms", "ListKeys", json!({})).await, "ExpiredTokenException");
}

#[tokio::test]
async fn web_identities_work_by_boto3() {
    let double = AwsDouble::start().await.unwrap();
    let boto3 = client(&double, double.credentials());
    let issuer = Issuer::generate("https://issuer.test").unwrap();
    double.issuers().add(double.account(), &issuer, &["sts.amazonaws.com"]);
    let role = Role::new("pod").trusting_tokens(double.account(), issuer.url(), "pod-1");
    let role = double.roles().add(double.account(), role);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let assume = async |claims: Value| {
        let token = issuer.token(&claims).unwrap();
        let input = json!({ "RoleArn": role, "RoleSessionName": "run", "WebIdentityToken": token });
        boto3.call("sts", "AssumeRoleWithWebIdentity", input).await
    };
    let good = json!({ "sub": "pod-1", "aud": "sts.amazonaws.com", "exp": now + 60 });
    let assumed = assume(good).await.unwrap();
    assert_eq!(
        (&assumed["SubjectFromWebIdentityToken"], &assumed["Provider"]),
        (&json!("pod-1"), &json!("https://issuer.test"))
    );
    let expired = json!({ "sub": "pod-1", "aud": "sts.amazonaws.com", "exp": now - 60 });
    assert_eq!(assume(expired).await.unwrap_err().code, "ExpiredTokenException");
    let other = json!({ "sub": "pod-1", "aud": "elsewhere", "exp": now + 60 });
    assert_eq!(assume(other).await.unwrap_err().code, "InvalidIdentityToken");
}

#[tokio::test]
async fn queues_work_by_boto3() {
    let double = AwsDouble::start().await.unwrap();
    let boto3 = client(&double, double.credentials());
    let sqs = async |operation: &str, input| ok(&boto3, "sqs", operation, input).await;
    let made = sqs(
        "CreateQueue",
        json!({ "QueueName": "q", "Attributes": { "VisibilityTimeout": "60" } }),
    )
    .await;
    let url = made["QueueUrl"].clone();
    let attributes = json!({ "kind": { "DataType": "String", "StringValue": "x" } });
    let sent = sqs(
        "SendMessage",
        json!({ "QueueUrl": url, "MessageBody": "ein Wort: ü", "MessageAttributes": attributes }),
    )
    .await;
    let input = json!({ "QueueUrl": url, "WaitTimeSeconds": 5, "MessageAttributeNames": ["All"], "AttributeNames": ["All"] });
    let got = sqs("ReceiveMessage", input).await;
    let message = &got["Messages"][0];
    assert_eq!(
        (&message["Body"], &message["MessageId"]),
        (&json!("ein Wort: ü"), &sent["MessageId"])
    );
    assert_eq!(message["MessageAttributes"]["kind"]["StringValue"], "x");
    assert_eq!(message["MD5OfMessageAttributes"], sent["MD5OfMessageAttributes"]);
    let receipt = message["ReceiptHandle"].clone();
    sqs(
        "ChangeMessageVisibility",
        json!({ "QueueUrl": url, "ReceiptHandle": receipt, "VisibilityTimeout": 30 }),
    )
    .await;
    let entries = json!([{ "Id": "a", "ReceiptHandle": receipt }]);
    sqs("DeleteMessageBatch", json!({ "QueueUrl": url, "Entries": entries })).await;
    let told =
        sqs("GetQueueAttributes", json!({ "QueueUrl": url, "AttributeNames": ["All"] })).await;
    assert_eq!(told["Attributes"]["ApproximateNumberOfMessagesNotVisible"], "0");
    let absent = json!({ "QueueName": "absent" });
    let refused = code(&boto3, "sqs", "GetQueueUrl", absent).await;
    assert_eq!(
        refused, "AWS.SimpleQueueService.NonExistentQueue",
        "the code of the query protocol"
    );
}

#[tokio::test]
async fn digests_of_attributes_are_those_of_moto() {
    let double = AwsDouble::start().await.unwrap();
    let moto = Moto::start().unwrap();
    let ours = client(&double, double.credentials());
    let theirs =
        Boto3::start(moto.url(), double.region(), &Credentials::new("AKIATEST", "secret")).unwrap();
    let attributes = json!({
        "text": { "DataType": "String", "StringValue": "grün" },
        "number": { "DataType": "Number", "StringValue": "-1.5" },
        "raw": { "DataType": "Binary.png", "BinaryValue": Boto3::bytes(&[0, 255, 7]) },
    });
    let mut digests = Vec::new();
    for boto3 in [&ours, &theirs] {
        let url =
            ok(boto3, "sqs", "CreateQueue", json!({ "QueueName": "q" })).await["QueueUrl"].clone();
        let input = json!({ "QueueUrl": url, "MessageBody": "b", "MessageAttributes": attributes });
        let sent = ok(boto3, "sqs", "SendMessage", input).await;
        digests.push((sent["MD5OfMessageBody"].clone(), sent["MD5OfMessageAttributes"].clone()));
    }
    assert!(digests[0].1.is_string());
    assert_eq!(digests[0], digests[1]);
}

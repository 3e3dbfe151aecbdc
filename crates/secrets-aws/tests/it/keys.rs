//! Data keys wrapped by KMS.

use std::time::Duration;

use aws_double::{Fault, FaultRule, LeavingKey, Policy};
use peers::{Boto3, Credentials};
use secrets_aws::secrets_core::conformance::{self, Outcome};
use secrets_aws::secrets_core::{
    DataKey, Effect, ErrorKind, KeyLen, KeyProvider as _, KeyRef, Operation, Signature,
    SignatureAlgorithm, Signer as _, ToSign, WrapContext, WrappedKey, WrappingVersion,
};
use secrets_aws::{
    AccountId, Alias, DeletionWindow, GrantToken, KeyState, KeyUsage, KmsProvider, RotationPeriod,
};
use serde_json::json;
use service_test_kit::{Canary, ErrorChain, LogCapture, Shown};

use crate::kms::{Kms, REGION, context};
use crate::server::{Answer, Server};
use crate::support::clients;

/// The checks that moto 5.2.5 fails, and what it does that AWS does not.
const MOTO_DIFFERS: [(&str, &str); 5] = [
    ("keys.context", "it runs the facts of a context together, without their lengths"),
    ("keys.tampered", "a ciphertext that names no key is `AccessDeniedException`"),
    ("keys.apart", "a ciphertext of another key is `AccessDeniedException`"),
    ("keys.version-current", "it names no key material"),
    ("keys.version-superseded", "it names no key material"),
];

#[tokio::test]
async fn the_double_conforms() {
    let (_double, kms) = Kms::double().await;
    let report = conformance::run_keys(&kms.harness().await).await.into_result().unwrap();
    assert_eq!((report.count("passed"), report.count("not run")), (17, 0), "{report}");
}

#[tokio::test]
async fn moto_conforms_but_for_what_it_does_not_do() {
    let kms = Kms::moto().await;
    let report = conformance::run_keys(&kms.harness().await).await;
    let failed: Vec<_> = report
        .results
        .iter()
        .filter(|result| matches!(result.outcome, Outcome::Failed(_)))
        .map(|result| result.check.id)
        .collect();
    assert_eq!(failed, MOTO_DIFFERS.map(|(check, _)| check), "{report}");
}

fn boto3_context() -> serde_json::Value {
    json!({ "tenant": "acme", "purpose": "tests: ä" })
}

async fn boto3_opens_ours_and_we_open_boto3s(kms: &Kms) {
    let key = kms.wrapping_key().await;
    let (ours, wrapped) =
        kms.provider.generate_data_key(&key, KeyLen::Bits256, &context()).await.unwrap();
    let again = kms.provider.wrap_key(&key, &ours, &context()).await.unwrap();
    for wrapped in [&wrapped, &again] {
        let asked = json!({
            "CiphertextBlob": Boto3::bytes(&wrapped.ciphertext),
            "EncryptionContext": boto3_context(),
        });
        let opened = kms.boto3.call("kms", "Decrypt", asked).await.unwrap();
        assert_eq!(Boto3::to_bytes(&opened["Plaintext"]).unwrap(), ours.expose_secret());
        assert_eq!(opened["KeyId"], key.as_str());
    }
    let asked = json!({
        "KeyId": key.as_str(),
        "Plaintext": Boto3::bytes(b"made by somebody else"),
        "EncryptionContext": boto3_context(),
    });
    let theirs = kms.boto3.call("kms", "Encrypt", asked).await.unwrap();
    let ciphertext = Boto3::to_bytes(&theirs["CiphertextBlob"]).unwrap();
    let theirs = WrappedKey::new(key, None, ciphertext);
    let opened = kms.provider.unwrap_key(&theirs, &context()).await.unwrap();
    assert_eq!(opened.expose_secret(), b"made by somebody else");
}

#[tokio::test]
async fn boto3_opens_ours_and_we_open_boto3s_on_both() {
    boto3_opens_ours_and_we_open_boto3s(&Kms::moto().await).await;
    boto3_opens_ours_and_we_open_boto3s(&Kms::double().await.1).await;
}

/// An alias says which key wraps, and no more once it is wrapped.
async fn what_an_alias_wrapped_names_its_key(kms: &Kms) {
    let (one, other) = (kms.wrapping_key().await, kms.wrapping_key().await);
    let alias = Alias::new("alias/tests/billing").unwrap();
    kms.provider.create_alias(&alias, &one).await.unwrap();
    let named = KeyRef::new(alias.as_str()).unwrap();
    let data_key = DataKey::from_boxed(Box::new(*b"sixteen bytes, or"));
    let wrapped = kms.provider.wrap_key(&named, &data_key, &context()).await.unwrap();
    assert_eq!(wrapped.key, one);
    let aliases = kms.provider.aliases_of(&one).await.unwrap();
    let arn = aliases[0].arn.clone().unwrap();
    assert_eq!((&*aliases[0].name, aliases.len()), (alias.as_str(), 1));
    assert!(one.as_str().ends_with(aliases[0].key_id.as_deref().unwrap()));

    kms.provider.move_alias(&alias, &other).await.unwrap();
    let opened = kms.provider.unwrap_key(&wrapped, &context()).await.unwrap();
    assert_eq!(opened.expose_secret(), data_key.expose_secret());
    let moved = kms.provider.rewrap_key(&wrapped, &arn, &context()).await.unwrap();
    assert_eq!(moved.key, other);
    let (_, made) =
        kms.provider.generate_data_key(&arn, KeyLen::Bits128, &context()).await.unwrap();
    assert_eq!(made.key, other);

    kms.provider.delete_alias(&alias).await.unwrap();
    let error = kms.provider.wrap_key(&named, &data_key, &context()).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::NotFound, Some(Operation::WrapKey)));
    assert!(kms.provider.unwrap_key(&moved, &context()).await.is_ok());
}

#[tokio::test]
async fn what_an_alias_wrapped_names_its_key_on_both() {
    what_an_alias_wrapped_names_its_key(&Kms::moto().await).await;
    what_an_alias_wrapped_names_its_key(&Kms::double().await.1).await;
}

/// What cannot be is refused without a call: nothing listens there.
#[tokio::test]
async fn what_cannot_be_is_refused_before_any_call() {
    let provider =
        crate::kms::provider("http://127.0.0.1:9", "AKIAIOSFODNN7TESTS00", "wJalrXUtnFEMIoftests0")
            .await;
    let key = KeyRef::new("arn:aws:kms:eu-west-1:111122223333:key/1").unwrap();
    let none = WrapContext::new();
    let data_key = |len| DataKey::from_boxed(vec![7; len].into());
    for (len, kind) in [(0, ErrorKind::InvalidValue), (4097, ErrorKind::TooLarge)] {
        let error = provider.wrap_key(&key, &data_key(len), &none).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (kind, Some(Operation::WrapKey)));
    }
    for len in [0, 6145] {
        let wrapped = WrappedKey::new(key.clone(), None, vec![7; len]);
        let error = provider.unwrap_key(&wrapped, &none).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.operation()),
            (ErrorKind::Integrity, Some(Operation::UnwrapKey))
        );
        let error = provider.rewrap_key(&wrapped, &key, &none).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.operation()),
            (ErrorKind::Integrity, Some(Operation::RewrapKey))
        );
    }
    let elsewhere = KeyRef::new("arn:aws:iam::111122223333:role/key").unwrap();
    let error = provider.wrap_key(&elsewhere, &data_key(16), &none).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.operation()),
        (ErrorKind::InvalidName, Some(Operation::WrapKey))
    );
    let silent = WrappedKey::new(key.clone(), None, vec![7; 100]);
    assert_eq!(provider.wrapping_version(&silent).await.unwrap(), WrappingVersion::Unknown);
    for name in [
        "",
        "alias/",
        "billing",
        "alias/a b",
        "alias/aws/s3",
        &format!("alias/{}", "a".repeat(251)),
    ] {
        assert_eq!(Alias::new(name).unwrap_err().kind(), ErrorKind::InvalidName);
    }
}

/// Every operation of the contract is the one request that it is called for.
#[tokio::test]
async fn an_operation_is_one_call() {
    let (double, kms) = Kms::double().await;
    let key = kms.wrapping_key().await;
    let calls = |operation: &str| {
        let made: Vec<_> = double.calls().all().into_iter().map(|call| call.operation).collect();
        double.calls().clear();
        assert_eq!(made, [format!("kms:{operation}")]);
    };
    double.calls().clear();
    let (data_key, wrapped) =
        kms.provider.generate_data_key(&key, KeyLen::Bits512, &context()).await.unwrap();
    calls("GenerateDataKey");
    kms.provider.wrap_key(&key, &data_key, &context()).await.unwrap();
    calls("Encrypt");
    kms.provider.unwrap_key(&wrapped, &context()).await.unwrap();
    calls("Decrypt");
    kms.provider.rewrap_key(&wrapped, &key, &context()).await.unwrap();
    calls("ReEncrypt");
    kms.provider.wrapping_version(&wrapped).await.unwrap();
    calls("DescribeKey");
    let foreign = WrapContext::new().with("tenant", "other").unwrap();
    kms.provider.unwrap_key(&wrapped, &foreign).await.unwrap_err();
    calls("Decrypt");
}

#[tokio::test]
async fn a_refusal_names_the_request_that_cloudtrail_shows() {
    let (double, kms) = Kms::double().await;
    let key = kms.wrapping_key().await;
    let wrapped = WrappedKey::new(key, None, vec![7; 200]);
    let error = kms.provider.unwrap_key(&wrapped, &context()).await.unwrap_err();
    let call = double.calls().of("kms:Decrypt").pop().unwrap();
    assert_eq!(error.kind(), ErrorKind::Integrity);
    assert_eq!(error.request_id(), Some(&*call.request_id));
    assert_eq!(call.code.as_deref(), Some("InvalidCiphertextException"));
}

/// A key that wraps, by what is said of it when it is used.
async fn kinds_of(kms: &Kms, key: &KeyRef, wrapped: &WrappedKey) -> [Option<ErrorKind>; 4] {
    let (provider, data_key) = (&kms.provider, DataKey::from_boxed(Box::new([7; 32])));
    [
        provider.generate_data_key(key, KeyLen::Bits256, &context()).await.err(),
        provider.wrap_key(key, &data_key, &context()).await.err(),
        provider.unwrap_key(wrapped, &context()).await.err(),
        provider.rewrap_key(wrapped, key, &context()).await.err(),
    ]
    .map(|error| error.map(|error| error.kind()))
}

#[tokio::test]
async fn the_state_of_a_key_decides_and_is_told() {
    let (double, kms) = Kms::double().await;
    let (key, provider) = (kms.wrapping_key().await, &kms.provider);
    let (_, wrapped) = provider.generate_data_key(&key, KeyLen::Bits256, &context()).await.unwrap();
    let info = provider.describe_key(&key).await.unwrap();
    assert_eq!(
        (info.key.clone(), info.state, info.usage),
        (key.clone(), KeyState::Enabled, KeyUsage::Wrap)
    );
    assert_eq!(
        (&*info.spec, &*info.origin, info.is_aws_managed),
        ("SYMMETRIC_DEFAULT", "AWS_KMS", false)
    );
    assert_eq!((info.material, info.deletion), (wrapped.version.clone(), None));

    provider.disable_key(&key).await.unwrap();
    assert_eq!(kinds_of(&kms, &key, &wrapped).await, [Some(ErrorKind::Disabled); 4]);
    assert_eq!(provider.describe_key(&key).await.unwrap().state, KeyState::Disabled);
    provider.enable_key(&key).await.unwrap();
    assert_eq!(kinds_of(&kms, &key, &wrapped).await, [None; 4]);

    let window = DeletionWindow::new(Duration::from_secs(7 * 86_400)).unwrap();
    let when = provider.schedule_key_deletion(&key, window).await.unwrap();
    let asked = when.duration_since(double.clock().now()).unwrap();
    assert!(asked <= Duration::from_secs(7 * 86_400), "{asked:?}");
    assert_eq!(kinds_of(&kms, &key, &wrapped).await, [Some(ErrorKind::PendingDeletion); 4]);
    let info = provider.describe_key(&key).await.unwrap();
    assert_eq!((info.state, info.deletion), (KeyState::PendingDeletion, Some(when)));
    let again = provider.schedule_key_deletion(&key, window).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::PendingDeletion);
    provider.cancel_key_deletion(&key).await.unwrap();
    assert_eq!(kinds_of(&kms, &key, &wrapped).await, [Some(ErrorKind::Disabled); 4]);
    provider.enable_key(&key).await.unwrap();
    assert_eq!(kinds_of(&kms, &key, &wrapped).await, [None; 4]);

    let longest = provider.schedule_key_deletion(&key, DeletionWindow::LONGEST).await.unwrap();
    let asked = longest.duration_since(double.clock().now()).unwrap();
    assert!(asked > Duration::from_secs(29 * 86_400), "{asked:?}");
    provider.cancel_key_deletion(&key).await.unwrap();
    provider.schedule_key_deletion(&key, window).await.unwrap();
    // AWS documents two codes for it.
    double.kms().set_leaving_key(LeavingKey::IsDisabled);
    assert_eq!(kinds_of(&kms, &key, &wrapped).await, [Some(ErrorKind::PendingDeletion); 4]);
    double.clock().advance(Duration::from_secs(8 * 86_400));
    assert_eq!(kinds_of(&kms, &key, &wrapped).await, [Some(ErrorKind::NotFound); 4]);
    let version = provider.wrapping_version(&wrapped).await.unwrap_err();
    assert_eq!(
        (version.kind(), version.operation()),
        (ErrorKind::NotFound, Some(Operation::WrappingVersion))
    );
}

#[tokio::test]
async fn rotation_by_the_clock_and_on_demand() {
    let (double, kms) = Kms::double().await;
    let (key, provider) = (kms.wrapping_key().await, &kms.provider);
    let (data_key, first) =
        provider.generate_data_key(&key, KeyLen::Bits256, &context()).await.unwrap();
    assert_eq!(provider.key_rotation(&key).await.unwrap().period, None);
    let period = RotationPeriod::new(Duration::from_secs(90 * 86_400)).unwrap();
    provider.enable_key_rotation(&key, period).await.unwrap();
    let rotation = provider.key_rotation(&key).await.unwrap();
    assert_eq!(rotation.period, Some(Duration::from_secs(90 * 86_400)));
    let due = rotation.next.unwrap().duration_since(double.clock().now()).unwrap();
    assert!(due > Duration::from_secs(89 * 86_400), "{due:?}");
    double.clock().advance(Duration::from_secs(91 * 86_400));
    assert_eq!(provider.wrapping_version(&first).await.unwrap(), WrappingVersion::Superseded);
    provider.disable_key_rotation(&key).await.unwrap();

    let second = provider.rewrap_key(&first, &key, &context()).await.unwrap();
    provider.rotate_key_now(&key).await.unwrap();
    assert_eq!(provider.wrapping_version(&second).await.unwrap(), WrappingVersion::Superseded);
    let records = provider.key_rotations(&key).await.unwrap();
    assert_eq!(records.len(), 2);
    assert_eq!(records.iter().filter(|record| record.was_asked_for).count(), 1);
    assert!(records.iter().any(|record| record.material == second.version));
    for wrapped in [&first, &second] {
        let opened = provider.unwrap_key(wrapped, &context()).await.unwrap();
        assert_eq!(opened.expose_secret(), data_key.expose_secret());
    }

    double.kms().set_rotation_takes(Duration::from_secs(60));
    provider.rotate_key_now(&key).await.unwrap();
    assert!(provider.key_rotation(&key).await.unwrap().asked.is_some());
    let error = provider.rotate_key_now(&key).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    double.clock().advance(Duration::from_secs(61));
    assert_eq!(provider.key_rotation(&key).await.unwrap().asked, None);
}

#[tokio::test]
async fn a_key_has_only_so_many_rotations_on_demand() {
    let (_double, kms) = Kms::double().await;
    let key = kms.wrapping_key().await;
    for _ in 0..25 {
        kms.provider.rotate_key_now(&key).await.unwrap();
    }
    let error = kms.provider.rotate_key_now(&key).await.unwrap_err();
    assert_eq!((error.kind(), error.is_transient()), (ErrorKind::QuotaExceeded, false));
    assert_eq!(kms.provider.key_rotations(&key).await.unwrap().len(), 25);
}

/// A user to whom nothing but a grant gives anything; the token tells what has not spread yet.
#[tokio::test]
async fn a_grant_token_tells_what_has_not_spread_yet() {
    let (double, kms) = Kms::double().await;
    let key = kms.wrapping_key().await;
    let (_, wrapped) =
        kms.provider.generate_data_key(&key, KeyLen::Bits256, &context()).await.unwrap();
    let user = double.identities().user(double.account(), "reader");
    let principal = format!("arn:aws:iam::{}:user/reader", double.account());
    double.grants().set(&principal, Policy::new());
    let reader = crate::kms::provider(double.url(), user.access_key(), user.secret_key()).await;
    let denied = reader.unwrap_key(&wrapped, &context()).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::PermissionDenied);

    let asked = json!({
        "KeyId": key.as_str(),
        "GranteePrincipal": principal,
        "Operations": ["Decrypt"],
        "Constraints": { "EncryptionContextSubset": { "tenant": "acme" } },
    });
    let granted = kms.boto3.call("kms", "CreateGrant", asked).await.unwrap();
    let denied = reader.unwrap_key(&wrapped, &context()).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::PermissionDenied);
    let token = GrantToken::new(granted["GrantToken"].as_str().unwrap()).unwrap();
    let with_token = reader.with_grant_tokens([token]);
    assert!(with_token.unwrap_key(&wrapped, &context()).await.is_ok());
    let other = WrapContext::new().with("tenant", "other").unwrap();
    let denied = with_token.unwrap_key(&wrapped, &other).await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::PermissionDenied);
    double.clock().advance(Duration::from_secs(301));
    assert!(reader.unwrap_key(&wrapped, &context()).await.is_ok());
    for unfit in ["", "a b", &"a".repeat(8193)] {
        assert_eq!(GrantToken::new(unfit).unwrap_err().kind(), ErrorKind::InvalidValue);
    }
}

/// One request knows one region: what is rewrapped into another passes through this process.
#[tokio::test]
async fn an_arn_says_which_region_is_asked() {
    let (double, kms) = Kms::double().await;
    let user = double.credentials();
    let keys = Credentials::new(user.access_key(), user.secret_key());
    let far = Boto3::start(double.url(), "us-west-2", &keys).unwrap();
    let made = far.call("kms", "CreateKey", json!({})).await.unwrap();
    let far = KeyRef::new(made["KeyMetadata"]["Arn"].as_str().unwrap()).unwrap();
    let (data_key, wrapped) =
        kms.provider.generate_data_key(&far, KeyLen::Bits256, &context()).await.unwrap();
    assert_eq!(wrapped.key, far);
    let near = kms.wrapping_key().await;
    double.calls().clear();
    let moved = kms.provider.rewrap_key(&wrapped, &near, &context()).await.unwrap();
    let calls = double.calls().all();
    let calls: Vec<_> =
        calls.iter().map(|call| (&*call.operation, call.region.as_deref().unwrap())).collect();
    assert_eq!(calls, [("kms:Decrypt", "us-west-2"), ("kms:Encrypt", REGION)]);
    let opened = kms.provider.unwrap_key(&moved, &context()).await.unwrap();
    assert_eq!(opened.expose_secret(), data_key.expose_secret());
}

/// Whoever writes where data lies can name a key of his own, which AWS lets this service use.
#[tokio::test]
async fn a_wrapped_key_cannot_choose_whose_key_opens_it() {
    let (double, kms) = Kms::double().await;
    let key = kms.wrapping_key().await;
    let (_, wrapped) =
        kms.provider.generate_data_key(&key, KeyLen::Bits256, &context()).await.unwrap();
    let own = key.as_str().split(':').nth(4).unwrap();
    let only = |account| kms.provider.only_in_accounts([AccountId::new(account).unwrap()]);
    let (strict, elsewhere) = (only(own), only("444455556666"));
    assert!(format!("{strict:?}").contains(own));
    // The limit goes with clones and grant tokens.
    strict.with_grant_tokens([]).unwrap_key(&wrapped, &context()).await.unwrap();
    double.calls().clear();
    let foreign = KeyRef::new(&key.as_str().replace(own, "444455556666")).unwrap();
    let theirs = WrappedKey::new(foreign.clone(), None, wrapped.ciphertext.clone());
    let nobodys = KeyRef::new(&key.as_str().replace(own, "")).unwrap();
    let nobodys = WrappedKey::new(nobodys, None, wrapped.ciphertext.clone());
    let signature = Signature::new(foreign.clone(), SignatureAlgorithm::Rs256, vec![7; 256]);
    let message = ToSign::Message(b"x");
    let refused = [
        strict.unwrap_key(&theirs, &context()).await.map(drop),
        strict.unwrap_key(&nobodys, &context()).await.map(drop),
        strict.clone().rewrap_key(&theirs, &key, &context()).await.map(drop),
        strict.rewrap_key(&wrapped, &foreign, &context()).await.map(drop),
        strict.verify(message, &signature).await,
        strict.describe_key(&foreign).await.map(drop),
        elsewhere.unwrap_key(&wrapped, &context()).await.map(drop),
        elsewhere.with_grant_tokens([]).unwrap_key(&wrapped, &context()).await.map(drop),
    ];
    for (at, refused) in refused.into_iter().enumerate() {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::PermissionDenied, "{at}");
    }
    // And never of another partition, nor where no region is.
    for (part, other) in [(":aws:", ":aws-cn:"), (":aws:", ":aws-iso:"), (REGION, "evil.example")] {
        let there = KeyRef::new(&key.as_str().replace(part, other)).unwrap();
        let there = WrappedKey::new(there, None, wrapped.ciphertext.clone());
        let error = kms.provider.unwrap_key(&there, &context()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue, "{other}");
        assert_eq!(error.operation(), Some(Operation::UnwrapKey), "{other}");
    }
    assert_eq!(double.calls().total(), 0);
}

/// No data key in any error, `Debug` form or log line, whatever AWS or what poses as it answers.
#[tokio::test]
async fn no_data_key_shows_anywhere() {
    let (logs, _guard) = LogCapture::start();
    let (double, kms) = Kms::double().await;
    let (key, canary) = (kms.wrapping_key().await, Canary::named("aws-kms"));
    let ours = || DataKey::from_boxed(canary.text().as_bytes().into());
    let wrapped = kms.provider.wrap_key(&key, &ours(), &context()).await.unwrap();
    let opened = kms.provider.unwrap_key(&wrapped, &context()).await.unwrap();
    assert_eq!(opened.expose_secret(), canary.text().as_bytes());
    let refusal =
        |code: &str, message: String| Fault::Refuse { status: 400, code: code.to_owned(), message };
    let mut errors = Vec::new();
    for fault in [
        Fault::Html,
        Fault::TruncatedJson,
        Fault::EmptyBody,
        Fault::LostReply,
        refusal("ValidationException", format!("Value '{}' at 'plaintext' failed", canary.text())),
        refusal("AccessDeniedException", canary.text().to_owned()),
        refusal("LimitExceededException", canary.text().to_owned()),
    ] {
        double.faults().add(FaultRule::new(fault.clone()).on("Encrypt"));
        errors.push(kms.provider.wrap_key(&key, &ours(), &context()).await.unwrap_err());
        double.faults().clear();
        // An answer that is cut holds a part of the key.
        if matches!(fault, Fault::Refuse { .. }) {
            continue;
        }
        double.faults().add(FaultRule::new(fault).on("Decrypt"));
        errors.push(kms.provider.unwrap_key(&wrapped, &context()).await.unwrap_err());
        double.faults().clear();
    }
    for error in &errors {
        assert_eq!(error.effect(), Effect::NotApplied, "{error}");
        canary.assert_absent_from(&[&ErrorChain::of(error)]);
    }
    let shown = Shown::new("the provider", &kms.provider);
    canary.assert_absent_from(&[&logs, &shown, &Shown::new("a data key", &opened)]);
}

#[tokio::test]
async fn keys_of_other_uses_do_not_wrap() {
    let (_double, kms) = Kms::double().await;
    let signing = kms.key(json!({ "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY" })).await;
    let error =
        kms.provider.generate_data_key(&signing, KeyLen::Bits256, &context()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
    let error = kms.provider.rotate_key_now(&signing).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unsupported, None));
    let info = kms.provider.describe_key(&signing).await.unwrap();
    assert_eq!((info.usage, info.material), (KeyUsage::Sign, None));
    assert_eq!(info.algorithms, [SignatureAlgorithm::Es256]);
}

#[test]
fn windows_and_periods_are_whole_days() {
    let days = |days: u64| Duration::from_secs(days * 86_400);
    for unfit in [
        days(0),
        days(6),
        days(31),
        days(7) + Duration::from_secs(1),
        days(8) + Duration::from_nanos(1),
    ] {
        assert_eq!(DeletionWindow::new(unfit).unwrap_err().kind(), ErrorKind::InvalidValue);
    }
    for unfit in [days(89), days(2561), Duration::MAX, days(100) + Duration::from_millis(1)] {
        assert_eq!(RotationPeriod::new(unfit).unwrap_err().kind(), ErrorKind::InvalidValue);
    }
    assert_eq!(DeletionWindow::new(days(30)).unwrap(), DeletionWindow::LONGEST);
    assert_eq!(RotationPeriod::new(days(365)).unwrap(), RotationPeriod::YEAR);
    assert!(RotationPeriod::new(days(2560)).is_ok());
}

/// An endpoint whose lists go on where they came from, as a broken proxy's can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_does_not_end_is_given_up() {
    let page = json!({ "Aliases": [], "Rotations": [], "NextMarker": "again", "Truncated": true });
    let server = Server::start(move |_| Answer::new(200, page.to_string())).await;
    let kms = KmsProvider::new(&clients(&server.url).await);
    let key = KeyRef::new("alias/a").unwrap();
    let told =
        [kms.aliases_of(&key).await.unwrap_err(), kms.key_rotations(&key).await.unwrap_err()];
    for error in told {
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.to_string().contains("does not end"), "{error}");
    }
}

/// Lists come in pages, and all of them are read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_of_a_key_are_read_to_their_end() {
    let server = Server::start(|asked| {
        let input: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
        let page: usize = input["Marker"].as_str().map_or(0, |marker| marker.parse().unwrap());
        let is_last = page == 2;
        let told = json!({
            "Aliases": [{ "AliasName": format!("alias/{page}") }],
            "Rotations": [{ "RotationType": "ON_DEMAND", "KeyMaterialId": format!("{page:064}") }],
            "NextMarker": (!is_last).then(|| (page + 1).to_string()),
            "Truncated": !is_last,
        });
        Answer::new(200, told.to_string())
    })
    .await;
    let kms = KmsProvider::new(&clients(&server.url).await);
    let key = KeyRef::new("alias/a").unwrap();
    let aliases = kms.aliases_of(&key).await.unwrap();
    let names: Vec<_> = aliases.iter().map(|alias| &*alias.name).collect();
    assert_eq!(names, ["alias/0", "alias/1", "alias/2"]);
    assert_eq!(kms.key_rotations(&key).await.unwrap().len(), 3);
}

/// A wrapped key is rewrapped only if the key that it names wrapped it, though this identity may use
/// the one that did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_key_wrapped_is_not_rewrapped() {
    let (_double, kms) = Kms::double().await;
    let (key, other) = (kms.wrapping_key().await, kms.wrapping_key().await);
    let (_, wrapped) =
        kms.provider.generate_data_key(&key, KeyLen::Bits256, &context()).await.unwrap();
    let claimed = WrappedKey::new(other.clone(), None, wrapped.ciphertext.clone());
    let refused = kms.provider.rewrap_key(&claimed, &other, &context()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Integrity);
    kms.provider.rewrap_key(&wrapped, &other, &context()).await.unwrap();
}

/// A data key that is not as long as it was asked for would be a weak one, or break its user.
#[tokio::test]
async fn a_data_key_of_another_length_is_refused() {
    let told = json!({
        "KeyId": "arn:aws:kms:eu-west-1:111122223333:key/1", "CiphertextBlob": "AAAA",
        "Plaintext": Boto3::bytes(&[7; 16])["$bytes"],
    });
    let server = Server::start(move |_| Answer::new(200, told.to_string())).await;
    let kms = KmsProvider::new(&clients(&server.url).await);
    let key = KeyRef::new("alias/a").unwrap();
    let made = kms.generate_data_key(&key, KeyLen::Bits256, &context()).await;
    assert_eq!(made.unwrap_err().kind(), ErrorKind::Internal);
    kms.generate_data_key(&key, KeyLen::Bits128, &context()).await.unwrap();
}

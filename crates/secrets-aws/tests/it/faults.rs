//! What goes wrong on the way: nothing is lost, nothing is told wrongly, and no value shows.

use aws_double::{Fault, FaultRule};
use secrets_aws::SecretsManagerProvider;
use secrets_core::{
    Effect, Error, ErrorKind, GetOptions, IdempotencyKey, MetadataPatch, Precondition, Retry,
    SecretProvider, SetOptions, Stage, VersionSelector,
};
use service_test_kit::{Canary, ErrorChain, LogCapture, Shown};

use super::support::{OnDouble, clients_in_one_attempt, name, text};

fn token(seed: u8) -> IdempotencyKey {
    IdempotencyKey::from_random([seed; 16])
}

/// A provider on the same double whose calls are made once.
async fn hasty(on: &OnDouble) -> SecretsManagerProvider {
    let keys = on.double.credentials();
    let clients =
        clients_in_one_attempt(on.double.url(), keys.access_key(), keys.secret_key()).await;
    SecretsManagerProvider::new(&clients)
}

/// The reply of each write is lost once: the SDK asks again, and there is one version.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reply_is_made_good_by_the_next_attempt() {
    let on = OnDouble::start().await;
    let (provider, id) = (&on.provider, name("db"));
    let lose = |operation| {
        on.double.faults().add(FaultRule::new(Fault::LostReply).on(operation).times(1));
    };
    lose("CreateSecret");
    let absent = SetOptions::new().when(Precondition::Absent);
    let first = provider.set_secret(&id, text("1"), absent).await.unwrap();
    lose("PutSecretValue");
    let second = provider.set_secret(&id, text("2"), SetOptions::new()).await.unwrap();
    lose("PutSecretValue");
    lose("UpdateSecretVersionStage");
    let upon = SetOptions::new().when(Precondition::CurrentIs(second.id.clone()));
    let third = provider.set_secret(&id, text("3"), upon).await.unwrap();
    lose("PutSecretValue");
    let pending = provider.set_secret(&id, text("4"), SetOptions::pending()).await.unwrap();
    on.settle();
    lose("UpdateSecretVersionStage");
    let promoted = provider.promote(&id, &pending.id, &third.id, &token(1)).await.unwrap();
    assert_eq!((&promoted.current, promoted.previous.as_ref()), (&pending.id, Some(&third.id)));
    on.settle();
    let mut versions = provider.list_versions(&id, Default::default()).await.unwrap().items;
    versions.sort_by_key(|version| version.created);
    let mut ids: Vec<_> = versions.iter().map(|version| version.id.clone()).collect();
    ids.sort();
    let mut wanted = vec![first.id, second.id, third.id, pending.id];
    wanted.sort();
    assert_eq!(ids, wanted);
    let current = provider.get_secret(&id, GetOptions::default()).await.unwrap();
    assert!(current.value.ct_eq(&text("4")));
    on.double.faults().clear();
}

/// Where no attempt is left the effect is unknown, and repeating the call with its token settles it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_reply_is_lost_is_settled_by_its_token() {
    let on = OnDouble::start().await;
    let (provider, id) = (hasty(&on).await, name("db"));
    let base = provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap();
    on.settle();
    for fault in [Fault::LostReply, Fault::Internal, Fault::Html, Fault::TruncatedJson] {
        let rule = FaultRule::new(fault.clone()).on("PutSecretValue").times(1);
        on.double.faults().add(rule);
        let error = provider.set_secret(&id, text("2"), SetOptions::new()).await.unwrap_err();
        assert_eq!(error.effect(), Effect::Unknown, "{fault:?}: {error:?}");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{fault:?}");
        assert_eq!(error.retry(), Retry::Backoff);
        on.double.faults().clear();
    }
    on.settle();
    let base = match provider.get_secret(&id, GetOptions::default()).await.unwrap() {
        current if current.value.ct_eq(&text("2")) => current.version.id,
        _ => base.id,
    };
    // Every step of a conditional write in turn.
    let mut base = base;
    for (step, operation, skip) in [
        (2, "PutSecretValue", 0),
        (3, "UpdateSecretVersionStage", 0),
        (4, "UpdateSecretVersionStage", 1),
    ] {
        let rule = FaultRule::new(Fault::LostReply).on(operation).skip(skip).times(1);
        on.double.faults().add(rule);
        let write = || {
            let upon = Precondition::CurrentIs(base.clone());
            let options = SetOptions::new().when(upon).with_token(token(step));
            provider.set_secret(&id, text(&format!("step {step}")), options)
        };
        let cut_off = write().await;
        on.settle();
        let written = match cut_off {
            Ok(written) => written,
            Err(error) => {
                assert_eq!(error.effect(), Effect::Unknown, "{error:?}");
                write().await.unwrap()
            }
        };
        on.settle();
        let current = provider.get_secret(&id, GetOptions::default()).await.unwrap();
        assert!(current.value.ct_eq(&text(&format!("step {step}"))), "step {step}");
        assert_eq!(current.version.id, written.id);
        let previous = GetOptions::version(VersionSelector::Previous);
        assert_eq!(provider.get_secret(&id, previous).await.unwrap().version.id, base);
        base = written.id;
        on.double.faults().clear();
    }
}

/// A refusal says that nothing happened, and only then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_say_that_nothing_happened() {
    let on = OnDouble::start().await;
    let (provider, id) = (hasty(&on).await, name("db"));
    let refusals = [
        (Fault::Throttle, ErrorKind::Throttled, Retry::Backoff),
        (Fault::LimitExceeded, ErrorKind::QuotaExceeded, Retry::Never),
    ];
    for (fault, kind, retry) in refusals {
        on.double.faults().add(FaultRule::new(fault).on("PutSecretValue").times(1));
        let error = provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (kind, retry));
        assert_eq!(error.effect(), Effect::NotApplied);
        assert!(error.request_id().is_some());
    }
    // The first attempt is carried out and its reply lost; the refusal of the second says nothing
    // of that.
    on.double.faults().clear();
    let scripted = [Some(Fault::LostReply), Some(Fault::Throttle), Some(Fault::Throttle)];
    on.provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap();
    on.double.faults().script("PutSecretValue", scripted);
    let error = on.provider.set_secret(&id, text("2"), SetOptions::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Throttled, "{error:?}");
    assert_eq!(error.effect(), Effect::Unknown, "{error:?}");
    // Nobody listens: no connection, no effect.
    let (url, keys) = (on.double.url().to_owned(), on.double.credentials().clone());
    drop(on);
    let clients = clients_in_one_attempt(&url, keys.access_key(), keys.secret_key()).await;
    let alone = SecretsManagerProvider::new(&clients);
    let error = alone.set_secret(&id, text("3"), SetOptions::new()).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Unavailable, Effect::NotApplied));
}

/// Value written, tags not: what is there is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_write_is_told_as_half() {
    let on = OnDouble::start().await;
    let (provider, id) = (hasty(&on).await, name("db"));
    provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap();
    on.settle();
    on.double.faults().add(FaultRule::new(Fault::Throttle).on("TagResource").times(1));
    let options = SetOptions::new().with_metadata(MetadataPatch::new().tag("a", "b"));
    let error = provider.set_secret(&id, text("2"), options).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Throttled, Effect::Partial));
    on.settle();
    let current = provider.get_secret(&id, GetOptions::default()).await.unwrap();
    assert_eq!(error.version(), Some(&current.version.id));
    assert!(current.value.ct_eq(&text("2")));

    let pending = provider.set_secret(&id, text("3"), SetOptions::pending()).await.unwrap();
    on.settle();
    let rule = FaultRule::new(Fault::Throttle).on("UpdateSecretVersionStage").skip(1).times(1);
    on.double.faults().add(rule);
    let base = current.version.id;
    let key = token(1);
    let promote = || provider.promote(&id, &pending.id, &base, &key);
    let error = promote().await.unwrap_err();
    assert_eq!((error.effect(), error.version()), (Effect::Partial, Some(&pending.id)));
    on.settle();
    promote().await.unwrap();
    on.settle();
    let current = provider.get_secret(&id, GetOptions::default()).await.unwrap();
    assert!(current.version.stages.contains(Stage::Current) && current.value.ct_eq(&text("3")));
    let waits = GetOptions::version(VersionSelector::Pending);
    assert_eq!(provider.get_secret(&id, waits).await.unwrap_err().kind(), ErrorKind::NotFound);
}

/// No value in any error, `Debug` form or log line, whatever AWS or what poses as it answers.
#[tokio::test]
async fn no_value_shows_anywhere() {
    let (logs, _guard) = LogCapture::start();
    let canary = Canary::named("aws-provider");
    let on = OnDouble::start().await;
    let (provider, id) = (hasty(&on).await, name("db"));
    provider.set_secret(&id, canary.value(), SetOptions::new()).await.unwrap();
    on.settle();
    let mut errors: Vec<Error> = Vec::new();
    let faults = [
        Fault::Throttle,
        Fault::Internal,
        Fault::Reset,
        Fault::LostReply,
        Fault::Html,
        Fault::TruncatedJson,
        Fault::EmptyBody,
        // As AWS does with parameters that it does not like.
        Fault::Refuse {
            status: 400,
            code: "ValidationException".to_owned(),
            message: format!("Value '{}' at 'secretString' failed", canary.text()),
        },
        Fault::Refuse {
            status: 400,
            code: "AccessDeniedException".to_owned(),
            message: canary.text().to_owned(),
        },
    ];
    for fault in faults {
        for operation in ["CreateSecret", "PutSecretValue", "GetSecretValue"] {
            let rule = FaultRule::new(fault.clone()).on(operation);
            // Carried out, so that what was answered is cut short or lost.
            on.double.faults().add(rule.after_commit());
        }
        errors.extend(provider.set_secret(&id, canary.value(), SetOptions::new()).await.err());
        errors.extend(provider.set_secret(&id, canary.value(), SetOptions::pending()).await.err());
        // Reading sends no value: AWS's text on a denial may be told, and is the double's here.
        let is_told = matches!(&fault, Fault::Refuse { code, .. } if code.starts_with("Access"));
        if !is_told {
            errors.extend(provider.get_secret(&id, GetOptions::default()).await.err());
        }
        on.double.faults().clear();
    }
    on.settle();
    let read = provider.get_secret(&id, GetOptions::default()).await.unwrap();
    assert!(errors.len() >= 16, "{}", errors.len());
    for error in &errors {
        let shown = Shown::new("error", error);
        canary.assert_absent_from(&[&ErrorChain::of(error), &shown]);
    }
    // What this library has to say of its calls is heard all the same.
    assert!(logs.contains("answer of AWS"));
    let shown = [Shown::new("secret", &read), Shown::new("provider", &provider)];
    canary.assert_absent_from(&[&shown[0], &shown[1], &logs]);
}

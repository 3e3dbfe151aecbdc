//! Every operation that changes something, with each fault at each of its requests: what the error
//! says of the effect is true, and the same call again brings it to its end.

use std::time::Duration;

use aws_double::{Fault, FaultRule};
use secrets_aws::SecretsManagerProvider;
use secrets_core::{
    DeleteMode, Effect, ErrorKind, GetOptions, IdempotencyKey, MetadataPatch, Precondition, Result,
    SecretProvider, SecretRef, SetOptions, VersionId,
};
use serde_json::{Value, json};

use super::support::{OnDouble, clients_in_one_attempt, name, text};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Create,
    Put,
    PutUpon,
    Stage,
    Promote,
    Discard,
    Tag,
    Schedule,
    Restore,
    Delete,
}

const CHANGES: [(Change, &[&str]); 10] = [
    (Change::Create, &["CreateSecret"]),
    (Change::Put, &["PutSecretValue"]),
    (Change::PutUpon, &["DescribeSecret", "PutSecretValue", "UpdateSecretVersionStage"]),
    (Change::Stage, &["DescribeSecret", "PutSecretValue"]),
    (Change::Promote, &["GetSecretValue", "UpdateSecretVersionStage"]),
    (Change::Discard, &["UpdateSecretVersionStage"]),
    (Change::Tag, &["DescribeSecret", "TagResource"]),
    (Change::Schedule, &["DeleteSecret"]),
    (Change::Restore, &["DescribeSecret", "RestoreSecret"]),
    (Change::Delete, &["DescribeSecret", "DeleteSecret"]),
];

/// A secret with a current and a pending version, and what changes it.
struct Subject {
    provider: SecretsManagerProvider,
    id: SecretRef,
    token: IdempotencyKey,
    base: Option<VersionId>,
    pending: Option<VersionId>,
}

impl Subject {
    async fn new(on: &OnDouble, provider: &SecretsManagerProvider, at: u8, change: Change) -> Self {
        let id = name(&format!("swept/{at}"));
        let (mut base, mut pending) = (None, None);
        if change != Change::Create {
            base =
                Some(on.provider.set_secret(&id, text("1"), SetOptions::new()).await.unwrap().id);
            on.settle();
        }
        if matches!(change, Change::Promote | Change::Discard) {
            let staged = on.provider.set_secret(&id, text("2"), SetOptions::pending()).await;
            pending = Some(staged.unwrap().id);
        }
        if change == Change::Restore {
            let mode = DeleteMode::Recoverable { window: None };
            on.provider.delete_secret(&id, mode).await.unwrap();
        }
        on.settle();
        let token = IdempotencyKey::from_random([at; 16]);
        Self { provider: provider.clone(), id, token, base, pending }
    }

    async fn make(&self, change: Change) -> Result<()> {
        let (p, id, token) = (&self.provider, &self.id, self.token.clone());
        let set = async |options: SetOptions| {
            p.set_secret(id, text("2"), options.with_token(token.clone())).await.map(drop)
        };
        match change {
            Change::Create => set(SetOptions::new().when(Precondition::Absent)).await,
            Change::Put => set(SetOptions::new()).await,
            Change::PutUpon => {
                let base = self.base.clone().unwrap();
                set(SetOptions::new().when(Precondition::CurrentIs(base))).await
            }
            Change::Stage => set(SetOptions::pending()).await,
            Change::Promote => {
                let (pending, base) = (self.pending.as_ref().unwrap(), self.base.as_ref().unwrap());
                p.promote(id, pending, base, &token).await.map(drop)
            }
            Change::Discard => p.discard_pending(id, self.pending.as_ref().unwrap()).await,
            Change::Tag => {
                let patch = MetadataPatch::new().tag("team", "blue");
                p.update_metadata(id, None, patch, Precondition::Any).await
            }
            Change::Schedule => {
                let mode = DeleteMode::Recoverable { window: None };
                p.delete_secret(id, mode).await.map(drop)
            }
            Change::Restore => p.restore_secret(id).await,
            Change::Delete => p.delete_secret(id, DeleteMode::Immediate).await.map(drop),
        }
    }
}

/// What boto3 sees of a secret.
async fn state(on: &OnDouble, id: &SecretRef) -> Value {
    on.settle();
    let described = json!({ "SecretId": id.to_string() });
    match on.boto3.call("secretsmanager", "DescribeSecret", described).await {
        Ok(mut told) => {
            let told = told.as_object_mut().unwrap();
            let kept = ["DeletedDate", "Tags", "VersionIdsToStages"];
            told.retain(|key, _| kept.contains(&key.as_str()));
            // A version that waits for its conditional move is nobody's to read.
            if let Some(versions) = told.get_mut("VersionIdsToStages") {
                let versions = versions.as_object_mut().unwrap();
                versions.retain(|_, labels| labels != &json!(["mainstay-staged"]));
            }
            json!(told)
        }
        Err(refused) => json!(refused.code),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_tell_the_truth_and_the_same_call_again_ends_it() {
    let on = OnDouble::start().await;
    let keys = on.double.credentials();
    let clients =
        clients_in_one_attempt(on.double.url(), keys.access_key(), keys.secret_key()).await;
    let hasty = SecretsManagerProvider::builder(&clients)
        .with_read_patience(Duration::from_millis(200))
        .build();
    let faults = || {
        [
            FaultRule::new(Fault::LostReply),
            FaultRule::new(Fault::Reset),
            FaultRule::new(Fault::Throttle),
            FaultRule::new(Fault::Internal),
            FaultRule::new(Fault::Internal).after_commit(),
            FaultRule::new(Fault::TruncatedJson),
        ]
    };
    let (mut at, mut failed) = (0, 0);
    for (change, requests) in CHANGES {
        for request in requests {
            for (which, fault) in faults().into_iter().enumerate() {
                at += 1;
                let case = format!("{change:?}, fault {which} at {request}");
                let subject = Subject::new(&on, &hasty, at, change).await;
                let before = state(&on, &subject.id).await;
                on.double.faults().add(fault.on(request).times(1));
                let made = subject.make(change).await;
                on.double.faults().clear();
                let after = state(&on, &subject.id).await;
                if let Err(error) = &made {
                    failed += 1;
                    let is_unchanged = before == after;
                    let is_true = match error.effect() {
                        Effect::NotApplied => is_unchanged,
                        Effect::Partial => !is_unchanged,
                        _ => true,
                    };
                    assert!(is_true, "{case}: {error:?}\n{before}\n{after}");
                    // Read again before trying again, says an unknown effect.
                    match subject.make(change).await {
                        Ok(()) => {}
                        Err(again) => {
                            let done = match change {
                                Change::Schedule => ErrorKind::PendingDeletion,
                                Change::Restore | Change::Delete => ErrorKind::NotFound,
                                _ => panic!("{case}: {error:?}, then {again:?}"),
                            };
                            assert_eq!(again.kind(), done, "{case}");
                        }
                    }
                }
                // What an undisturbed call leaves.
                let (got, wanted) = (state(&on, &subject.id).await, subject.expected(change));
                assert_eq!(labels(&got), wanted, "{case}: {got}");
            }
        }
    }
    // `TagResource` answers with nothing, of which the half is the whole.
    assert_eq!((at, failed), (17 * 6, 17 * 6 - 1));
}

/// Dropped at each request, before it is carried out and after: nothing untested is current, and the
/// same call again brings it to its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_dropped_is_gone_on_with() {
    let on = OnDouble::start().await;
    let mut at = 0;
    for (change, requests) in CHANGES {
        for request in requests {
            for fault in [Fault::Hang, Fault::Slow(Duration::from_secs(30))] {
                at += 1;
                let case = format!("{change:?}, {fault:?} at {request}");
                let subject = Subject::new(&on, &on.provider, at, change).await;
                on.double.faults().add(FaultRule::new(fault).on(request).times(1));
                let struck = on.double.faults().struck() + 1;
                tokio::select! {
                    made = subject.make(change) => panic!("{case}: {made:?}"),
                    () = on.double.faults().have_struck(struck) => {}
                }
                on.double.faults().clear();
                on.settle();
                if matches!(change, Change::Stage | Change::Discard) {
                    let options = GetOptions::default();
                    let current = on.provider.get_secret(&subject.id, options).await.unwrap();
                    assert!(current.value.ct_eq(&text("1")), "{case}");
                }
                match subject.make(change).await {
                    Ok(()) => {}
                    Err(again) => {
                        let done = match change {
                            Change::Schedule => ErrorKind::PendingDeletion,
                            Change::Restore | Change::Delete => ErrorKind::NotFound,
                            _ => panic!("{case}: {again:?}"),
                        };
                        assert_eq!(again.kind(), done, "{case}");
                    }
                }
                let (got, wanted) = (state(&on, &subject.id).await, subject.expected(change));
                assert_eq!(labels(&got), wanted, "{case}: {got}");
            }
        }
    }
}

impl Subject {
    /// What there is afterwards: the labels by version, `deleted`, `tagged`, or nothing.
    fn expected(&self, change: Change) -> Vec<String> {
        let id = |id: &Option<VersionId>| id.as_ref().map(ToString::to_string).unwrap_or_default();
        let (base, pending) = (id(&self.base), id(&self.pending));
        let token = self.token.as_str();
        let mut all = match change {
            Change::Create => vec![format!("{token} AWSCURRENT")],
            Change::Put | Change::PutUpon => {
                vec![format!("{token} AWSCURRENT"), format!("{base} AWSPREVIOUS")]
            }
            Change::Stage => vec![format!("{base} AWSCURRENT"), format!("{token} AWSPENDING")],
            Change::Promote => {
                vec![format!("{pending} AWSCURRENT"), format!("{base} AWSPREVIOUS")]
            }
            Change::Discard | Change::Restore => vec![format!("{base} AWSCURRENT")],
            Change::Tag => vec![format!("{base} AWSCURRENT"), "tagged".to_owned()],
            Change::Schedule => vec![format!("{base} AWSCURRENT"), "deleted".to_owned()],
            Change::Delete => vec!["ResourceNotFoundException".to_owned()],
        };
        all.sort();
        all
    }
}

fn labels(state: &Value) -> Vec<String> {
    if let Some(code) = state.as_str() {
        return vec![code.to_owned()];
    }
    let mut all = Vec::new();
    for (id, labels) in state["VersionIdsToStages"].as_object().into_iter().flatten() {
        for label in labels.as_array().unwrap() {
            all.push(format!("{id} {}", label.as_str().unwrap()));
        }
    }
    if state.get("DeletedDate").is_some() {
        all.push("deleted".to_owned());
    }
    if state.get("Tags").is_some_and(|tags| tags != &json!([])) {
        all.push("tagged".to_owned());
    }
    all.sort();
    all
}

//! Rotation as the service drives it; a test plays the function.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{
    Op, Teller,
    input::Input,
    labels::NewVersion,
    model::{CURRENT, PENDING, Payload, Rotation, Secret},
    named, put,
    store::View,
};
use crate::service::Refusal;

/// What a rotation function is invoked with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotationEvent {
    /// The secret's ARN.
    pub secret_arn: String,
    /// The token: the id of the pending version, which has no value yet.
    pub token: String,
    /// The function's ARN.
    pub function: String,
}

/// The rotation functions of a double. A test plays them: either it awaits what they are invoked with and does their work
/// through the API, as a real one does, or it leaves the work to the double.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let double = aws_double::AwsDouble::builder().start_blocking()?;
/// let function = "arn:aws:lambda:us-east-1:111122223333:function:rotate";
/// double.rotations().complete_with(function, |event| format!("new value of {}", event.secret_arn));
/// # Ok(())
/// # }
/// ```
///
/// Clones are the same set.
#[derive(Clone, Default)]
pub struct Rotations {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    invoked: Notify,
}

type Play = Arc<dyn Fn(&RotationEvent) -> Option<String> + Send + Sync>;

#[derive(Default)]
struct State {
    plays: HashMap<String, Play>,
    refused: HashSet<String>,
    waiting: VecDeque<RotationEvent>,
}

impl Rotations {
    /// Lets the double do the work of a function at once: the pending version gets this value and becomes the current one.
    pub fn complete_with(
        &self,
        function: &str,
        value: impl Fn(&RotationEvent) -> String + Send + Sync + 'static,
    ) {
        self.state().plays.insert(function.to_owned(), Arc::new(move |event| Some(value(event))));
    }

    /// Lets a function fail: the pending version stays, without a value.
    pub fn fail(&self, function: &str) {
        self.state().plays.insert(function.to_owned(), Arc::new(|_| None));
    }

    /// Lets a function be one that the service may not invoke, or that does not exist: rotation by it is refused.
    pub fn refuse(&self, function: &str) {
        self.state().refused.insert(function.to_owned());
    }

    /// The next invocation of a function that the test plays itself. Put a time-out around it.
    pub async fn next(&self) -> RotationEvent {
        loop {
            let invoked = self.shared.invoked.notified();
            if let Some(event) = self.state().waiting.pop_front() {
                return event;
            }
            invoked.await;
        }
    }

    fn refuses(&self, function: &str) -> bool {
        self.state().refused.contains(function)
    }

    fn invoke(&self, event: &RotationEvent) -> Outcome {
        let play = self.state().plays.get(&event.function).cloned();
        match play.map(|play| play(event)) {
            Some(Some(value)) => Outcome::Done(value),
            Some(None) => Outcome::Failed,
            None => {
                self.state().waiting.push_back(event.clone());
                self.shared.invoked.notify_one();
                Outcome::UnderWay
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Rotations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rotations").field("waiting", &self.state().waiting).finish_non_exhaustive()
    }
}

/// What became of an invocation.
enum Outcome {
    Done(String),
    Failed,
    UnderWay,
}

impl Secret {
    /// Notes that the version of a rotation has become the current one: whether that is so.
    pub(super) fn note_rotation(&mut self, version: &str, at: SystemTime) -> bool {
        let finished = self.version(version).is_some_and(|v| v.has(CURRENT) && v.has(PENDING));
        match &mut self.rotation {
            Some(rotation) if finished => {
                rotation.last = Some(at);
                true
            }
            _ => false,
        }
    }
}

impl Op<'_> {
    pub(super) fn rotate_secret(&self) -> Result<Value, Refusal> {
        let token = self.input.token().map_err(|refusal| match refusal.code.as_ref() {
            // This operation alone tells a missing token so.
            "InvalidRequestException" => Refusal::new("InvalidParameterException", refusal.message),
            _ => refusal,
        })?;
        let function = self.input.text("RotationLambdaARN")?;
        let rules = self.rules()?;
        let at_once = self.input.optional_flag("RotateImmediately")?.unwrap_or(true);
        let (event, secret) = self.change(|op, _, secret| {
            if secret.rotating().is_some_and(|v| v.id == token) {
                // The same request again: its answer was lost.
                return Ok(None);
            }
            let event = op.configure(secret, token, function, rules)?;
            if at_once {
                secret.put(NewVersion {
                    token: token.to_owned(),
                    payload: None,
                    labels: Some(vec![PENDING.to_owned()]),
                    at: op.now(),
                    quota: op.service.settings.version_quota,
                })?;
            }
            Ok(Some(event))
        })?;
        if event.is_some() {
            self.tell(&secret, &[]);
        }
        if let Some(event) = event.filter(|_| at_once) {
            self.tell_of_service("RotationStarted", &secret, &[("versionId", json!(token))]);
            self.play(&secret, &event)?;
        }
        let mut answer = named(&secret);
        put(&mut answer, "VersionId", at_once.then_some(token));
        Ok(answer)
    }

    pub(super) fn cancel_rotate_secret(&self) -> Result<Value, Refusal> {
        let (pending, secret) = self.change(|op, _, secret| {
            let rotation = secret.rotation.as_mut().filter(|r| r.enabled).ok_or_else(|| {
                Refusal::new(
                    "InvalidRequestException",
                    "You can't cancel rotation for a secret that does not have rotation enabled.",
                )
            })?;
            rotation.enabled = false;
            secret.changed = op.now();
            Ok(secret.rotating().map(|v| v.id.clone()))
        })?;
        self.tell(&secret, &[]);
        let mut answer = named(&secret);
        put(&mut answer, "VersionId", pending);
        Ok(answer)
    }

    /// Tells that a rotation is over, if a change has made it so.
    pub(super) fn tell_if_rotated(&self, secret: &Secret, rotated: bool, version: &str) {
        if rotated {
            self.tell_of_service("RotationSucceeded", secret, &[("versionId", json!(version))]);
        }
    }

    fn configure(
        &self,
        secret: &mut Secret,
        token: &str,
        function: Option<&str>,
        rules: Option<Value>,
    ) -> Result<RotationEvent, Refusal> {
        if secret.rotating().is_some() {
            return Err(Refusal::new(
                "InvalidRequestException",
                "A previous rotation isn't complete. That rotation will be reattempted.",
            ));
        }
        if secret.version(token).is_some() {
            return Err(Refusal::new(
                "ResourceExistsException",
                format!(
                    "You can't use ClientRequestToken {token} because that value is already in use for a version of secret {}.",
                    secret.arn
                ),
            ));
        }
        let before = secret.rotation.take();
        let known = before.as_ref().and_then(|r| r.function.clone());
        let function = function.map(str::to_owned).or(known).ok_or_else(|| {
            Refusal::new(
                "InvalidRequestException",
                "No Lambda rotation function ARN is associated with this secret.",
            )
        })?;
        if self.service.rotations.refuses(&function) {
            return Err(Refusal::new(
                "AccessDeniedException",
                "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function \
                 policy grants access to the principal secretsmanager.amazonaws.com.",
            ));
        }
        secret.rotation = Some(Rotation {
            enabled: true,
            function: Some(function.clone()),
            rules: rules
                .or_else(|| before.as_ref().map(|r| r.rules.clone()))
                .unwrap_or(Value::Null),
            last: before.and_then(|r| r.last),
        });
        secret.changed = self.now();
        Ok(RotationEvent { secret_arn: secret.arn.clone(), token: token.to_owned(), function })
    }

    /// Invokes the function, and does its work if the test left that to the double.
    fn play(&self, secret: &Secret, event: &RotationEvent) -> Result<(), Refusal> {
        match self.service.rotations.invoke(event) {
            Outcome::UnderWay => Ok(()),
            Outcome::Failed => {
                self.tell_of_service(
                    "RotationFailed",
                    secret,
                    &[("versionId", json!(event.token))],
                );
                Ok(())
            }
            Outcome::Done(value) => {
                let mut inner = self.service.store.lock();
                // The function may have taken its time: what counts is the secret as it is now.
                let Some(newest) = inner.get(&secret.place, self.now(), View::Newest) else {
                    return Ok(());
                };
                let mut changed = Secret::clone(&newest);
                let from = changed.labelled(CURRENT).map(|v| v.id.clone());
                let rotated = self.complete(&mut changed, &event.token, value)?;
                self.commit(&mut inner, &changed);
                drop(inner);
                self.tell_of_function(&changed, event, from.as_deref());
                self.tell_if_rotated(&changed, rotated, &event.token);
                Ok(())
            }
        }
    }

    /// Tells of the two calls that the work of a function is.
    fn tell_of_function(&self, secret: &Secret, event: &RotationEvent, from: Option<&str>) {
        let (by, token) = (Teller::Function(&event.function), &event.token);
        let request = |fields: &[(&str, Value)]| {
            let id = ("secretId".to_owned(), json!(event.secret_arn));
            let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            fields.chain([id]).collect::<BTreeMap<_, _>>()
        };
        let put =
            request(&[("clientRequestToken", json!(token)), ("versionStages", json!([PENDING]))]);
        self.tell_as("PutSecretValue", by, secret, put, &[("versionId", json!(token))]);
        if from == Some(token) {
            return;
        }
        let mut moved =
            request(&[("versionStage", json!(CURRENT)), ("moveToVersionId", json!(token))]);
        moved.extend(from.map(|from| ("removeFromVersionId".to_owned(), json!(from))));
        self.tell_as("UpdateSecretVersionStage", by, secret, moved, &[]);
    }

    /// The work of a function: gives the pending version its value and makes it the current one.
    fn complete(&self, secret: &mut Secret, token: &str, value: String) -> Result<bool, Refusal> {
        secret.put(NewVersion {
            token: token.to_owned(),
            payload: Some(Payload::Text(value)),
            labels: Some(vec![PENDING.to_owned()]),
            at: self.now(),
            quota: self.service.settings.version_quota,
        })?;
        let from = secret.labelled(CURRENT).map(|v| v.id.clone());
        if from.as_deref() != Some(token) {
            secret.move_label(CURRENT, from.as_deref(), Some(token), self.now())?;
        }
        Ok(secret.note_rotation(token, self.now()))
    }

    fn rules(&self) -> Result<Option<Value>, Refusal> {
        let Some(rules) = self.input.object("RotationRules")? else { return Ok(None) };
        let days = Input(rules).integer("AutomaticallyAfterDays", i64::MIN, i64::MAX)?;
        let schedule = Input(rules).text("ScheduleExpression")?;
        let wrong = match (days, schedule) {
            (Some(_), Some(_)) => {
                Some("You can't use both AutomaticallyAfterDays and ScheduleExpression.")
            }
            (Some(n), None) if !(1..=1000).contains(&n) => {
                Some("AutomaticallyAfterDays must be between 1 and 1000.")
            }
            (None, Some(text)) if !(text.starts_with("rate(") || text.starts_with("cron(")) => {
                Some("Invalid ScheduleExpression.")
            }
            _ => None,
        };
        match wrong {
            Some(message) => Err(Refusal::new("InvalidParameterException", message)),
            None => Ok(Some(rules.clone())),
        }
    }
}

use std::time::{Duration, SystemTime};

use aws_sdk_secretsmanager::types::RotationRulesType;
use secrets_core::{ErrorKind, IdempotencyKey, Result, Secret, SecretRef, VersionId};

use crate::error::{Failure, send};
use crate::provider::SecretsManagerProvider;
use crate::provider::labels;
use crate::provider::read::Wanted;
use crate::provider::session::{Described, Patience, Session, time};
use crate::provider::write::random_token;

/// How AWS rotates a secret by itself: the function that does it, and when.
///
/// ```
/// use secrets_aws::{RotationPlan, RotationSchedule};
///
/// let function = "arn:aws:lambda:eu-west-1:123456789012:function:rotate";
/// let plan = RotationPlan::by_function(function)
///     .with_schedule(RotationSchedule::Days(30))
///     .with_window("3h");
/// # let _ = plan;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct RotationPlan {
    function: Option<String>,
    schedule: Option<RotationSchedule>,
    window: Option<String>,
    start: RotationStart,
}

/// When AWS rotates a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RotationSchedule {
    /// So many days after the last time, 1 to 1,000.
    Days(u16),
    /// An expression of AWS's, `rate(10 days)` or `cron(0 8 1 * ? *)`, in UTC; every four hours at
    /// most (User Guide, "Schedule expressions").
    Expression(String),
}

/// When the first rotation of a plan begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RotationStart {
    /// At once.
    #[default]
    Now,
    /// When the schedule says; AWS tests the function meanwhile by its step `testSecret`.
    Scheduled,
}

impl RotationPlan {
    /// By the Lambda function of this ARN.
    pub fn by_function(arn: impl Into<String>) -> Self {
        Self { function: Some(arn.into()), ..Self::managed() }
    }

    /// By the service that owns the secret, without a function.
    pub fn managed() -> Self {
        Self { function: None, schedule: None, window: None, start: RotationStart::Now }
    }

    /// When.
    pub fn with_schedule(mut self, schedule: RotationSchedule) -> Self {
        self.schedule = Some(schedule);
        self
    }

    /// How long the window for a rotation is that begins by schedule, such as `3h`.
    pub fn with_window(mut self, hours: impl Into<String>) -> Self {
        self.window = Some(hours.into());
        self
    }

    /// When the first one begins.
    pub fn starting(mut self, start: RotationStart) -> Self {
        self.start = start;
        self
    }

    fn rules(&self) -> Option<RotationRulesType> {
        if self.schedule.is_none() && self.window.is_none() {
            return None;
        }
        let rules = RotationRulesType::builder().set_duration(self.window.clone());
        Some(match &self.schedule {
            None => rules.build(),
            Some(RotationSchedule::Days(days)) => {
                rules.automatically_after_days(i64::from(*days)).build()
            }
            Some(RotationSchedule::Expression(text)) => rules.schedule_expression(text).build(),
        })
    }
}

/// How AWS's own rotation of a secret stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotationStatus {
    /// Whether AWS rotates it by schedule.
    pub enabled: bool,
    /// The function.
    pub function: Option<String>,
    /// When the last rotation ended.
    pub last: Option<SystemTime>,
    /// When the next one comes at the latest.
    pub next: Option<SystemTime>,
    /// The version of a rotation that has begun and is not finished.
    pub under_way: Option<VersionId>,
    /// The version that is current.
    pub current: Option<VersionId>,
}

/// How a rotation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RotationOutcome {
    /// Its version is current.
    Finished,
    /// Its version neither waits nor is current: it was cancelled, or another one took its place.
    Dropped,
    /// It still waits at the end of the time that was given. `has_value` tells how far its function
    /// came: without one it did not get through `createSecret`.
    Stuck {
        /// Whether the pending version has a value.
        has_value: bool,
    },
}

impl SecretsManagerProvider {
    /// Lets AWS rotate a secret by this plan. Returns the version of the rotation that begins at
    /// once, where one does; the version has no value until the function gives it one.
    ///
    /// # Errors
    /// `Conflict` while a rotation is not finished, with what holds it up; `NotFound`,
    /// `PermissionDenied`, `InvalidValue`.
    pub async fn configure_rotation(
        &self,
        reference: &SecretRef,
        plan: &RotationPlan,
    ) -> Result<Option<VersionId>> {
        self.rotate(reference, Some(plan), None).await
    }

    /// Begins a rotation by what is configured. The token becomes the version's id, and makes
    /// repeating the call harmless, also when the rotation is over; so it has to be a new one for each
    /// rotation, and none of a write.
    ///
    /// # Errors
    /// As [`configure_rotation`](Self::configure_rotation).
    pub async fn rotate_now(
        &self,
        reference: &SecretRef,
        token: Option<&IdempotencyKey>,
    ) -> Result<Option<VersionId>> {
        self.rotate(reference, None, token).await
    }

    async fn rotate(
        &self,
        reference: &SecretRef,
        plan: Option<&RotationPlan>,
        token: Option<&IdempotencyKey>,
    ) -> Result<Option<VersionId>> {
        let session = self.session_for(reference, None)?;
        let token = match token {
            Some(token) => token.as_str().into(),
            None => random_token(&session)?,
        };
        let request =
            session.client.rotate_secret().secret_id(session.id()).client_request_token(&*token);
        let request = match plan {
            None => request,
            Some(plan) => request
                .set_rotation_lambda_arn(plan.function.clone())
                .set_rotation_rules(plan.rules())
                .rotate_immediately(plan.start == RotationStart::Now),
        };
        let call = session.write("RotateSecret");
        match send!(call, request) {
            Ok(output) => {
                let begun = plan.is_none_or(|plan| plan.start == RotationStart::Now);
                let version = output.version_id.filter(|id| begun && !id.is_empty());
                version.map(|id| session.version_id(Some(&id))).transpose()
            }
            Err(failure) => self.why_refused(&session, failure, &token).await,
        }
    }

    /// `InvalidRequestException` of `RotateSecret`: mostly a rotation that is not finished, and then
    /// it is worth knowing which and how far it came.
    async fn why_refused(
        &self,
        session: &Session,
        failure: Failure,
        token: &str,
    ) -> Result<Option<VersionId>> {
        if failure.code() == "ResourceExistsException" {
            // The rotation that this token began, in an earlier call or by an attempt whose answer was
            // lost, and which is over.
            return match self.knows(session, token).await? {
                true => session.version_id(Some(token)).map(Some),
                false => Err(failure.into()),
            };
        }
        if failure.code() != "InvalidRequestException" || failure.kind() != ErrorKind::Conflict {
            return Err(session.told(failure));
        }
        let mut patience = self.patience();
        let described = loop {
            let Ok(described) = session.living().await else { return Err(failure.into()) };
            // What waits may have been made a moment ago, and a read may not show it yet.
            if described.pending().is_some() || !patience.wait().await {
                break described;
            }
        };
        let Some(waiting) = described.pending() else { return Err(failure.into()) };
        if waiting == token {
            // The rotation of an attempt whose answer was lost.
            return session.version_id(Some(waiting)).map(Some);
        }
        let how_far = match session.has_value(waiting).await? {
            true => {
                "it has a value that was not made current: its function failed to set, test or \
                     finish it"
            }
            false => "it has no value: its function failed before it made one, or still runs",
        };
        let message =
            format!("a rotation is not finished: version `{waiting}` waits, and {how_far}");
        Err(failure.told_as(ErrorKind::Conflict, message))
    }

    /// Whether the secret is rotated by AWS and has a version of this id, which a read may not show yet.
    async fn knows(&self, session: &Session, version: &str) -> Result<bool> {
        let mut patience = self.patience();
        loop {
            let described = session.living().await?;
            let is_rotated = described.0.rotation_enabled() == Some(true);
            let versions = described.0.version_ids_to_stages();
            // That it is rotated may have been said a moment ago, as well.
            if is_rotated && versions.is_some_and(|versions| versions.contains_key(version)) {
                return Ok(true);
            }
            if !patience.wait().await {
                return Ok(false);
            }
        }
    }

    /// Ends the rotation of a secret, by schedule and the one under way, and takes `AWSPENDING` off
    /// the version that it leaves: with the label on, the next `RotateSecret` would be refused.
    /// Returns that version. Repeating it is harmless.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied`; `Effect::Partial` where the label could not be taken off.
    pub async fn cancel_rotation(&self, reference: &SecretRef) -> Result<Option<VersionId>> {
        let session = self.session_for(reference, None)?;
        let before = session.living().await?;
        let call = session.write("CancelRotateSecret");
        let request = session.client.cancel_rotate_secret().secret_id(session.id());
        let output = match send!(call, request) {
            Ok(output) => output.version_id,
            // Nothing is configured: what a version is left of an older one is cleared all the same.
            Err(failure)
                if failure.code() == "InvalidRequestException"
                    && failure.kind() == ErrorKind::Conflict
                    && before.0.rotation_enabled() != Some(true) =>
            {
                None
            }
            Err(failure) => return Err(session.told(failure)),
        };
        let left = output.filter(|id| !id.is_empty());
        let left = left.or_else(|| before.pending().map(str::to_owned));
        let Some(left) = left else { return Ok(None) };
        let left = session.version_id(Some(&left))?;
        match session.take_off(&left).await {
            Ok(()) => Ok(Some(left)),
            // It was taken off already, or the version is not there any more.
            Err(failure)
                if matches!(
                    failure.code(),
                    "InvalidParameterException" | "ResourceNotFoundException"
                ) =>
            {
                Ok(None)
            }
            Err(failure) => Err(secrets_core::Error::from(failure)
                .with_effect(secrets_core::Effect::Partial)
                .with_version(left)),
        }
    }

    /// How AWS's own rotation of a secret stands.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied`, `PendingDeletion`.
    pub async fn rotation_status(&self, reference: &SecretRef) -> Result<RotationStatus> {
        let session = self.session_for(reference, None)?;
        let described = session.living().await?;
        status(&session, &described)
    }

    /// Waits until the rotation that made `version` has ended, `within` this time at most: asks
    /// again in steps that grow to two seconds.
    ///
    /// # Errors
    /// Those of the calls that it makes; never for a rotation that did not succeed.
    pub async fn watch_rotation(
        &self,
        reference: &SecretRef,
        version: &VersionId,
        within: Duration,
    ) -> Result<RotationOutcome> {
        let session = self.session_for(reference, None)?;
        let mut time_left = Patience::new(within);
        // Right after the start a read may not show the version yet.
        let mut not_seen = self.patience();
        loop {
            let described = session.living().await?;
            if described.current() == Some(version.as_str()) {
                return Ok(RotationOutcome::Finished);
            }
            let waits = described.holder(labels::PENDING) == Some(version.as_str());
            if !waits && !not_seen.wait().await {
                // A rotation may have finished and been followed by another.
                return Ok(match described.previous() == Some(version.as_str()) {
                    true => RotationOutcome::Finished,
                    false => RotationOutcome::Dropped,
                });
            }
            if !time_left.wait().await {
                let has_value = session.has_value(version.as_str()).await?;
                return Ok(RotationOutcome::Stuck { has_value });
            }
        }
    }
}

impl Session {
    async fn has_value(&self, version: &str) -> Result<bool> {
        match self.get_value(Wanted::Version(version)).await {
            Ok(Secret { .. }) => Ok(true),
            Err(failure) if failure.kind() == ErrorKind::NotFound => Ok(false),
            Err(failure) => Err(failure.into()),
        }
    }
}

fn status(session: &Session, described: &Described) -> Result<RotationStatus> {
    let version = |id: Option<&str>| id.map(|id| session.version_id(Some(id))).transpose();
    let output = &described.0;
    Ok(RotationStatus {
        enabled: output.rotation_enabled().unwrap_or_default(),
        function: output.rotation_lambda_arn.clone().filter(|arn| !arn.is_empty()),
        last: time(output.last_rotated_date()),
        next: time(output.next_rotation_date()),
        under_way: version(described.pending())?,
        current: version(described.current())?,
    })
}
